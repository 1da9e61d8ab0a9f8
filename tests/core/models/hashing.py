"""The hash, the checksum and the frame of the native formats, written from their definitions."""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1


def murmur64a(data: bytes, seed: int = 0xADC83B19) -> int:
    """MurmurHash64A as Redis uses it."""
    multiplier = 0xC6A4A7935BD1E995
    value = seed ^ (len(data) * multiplier & _MASK)
    whole = len(data) // 8 * 8
    for (raw,) in struct.iter_unpack("<Q", data[:whole]):
        word = raw * multiplier & _MASK
        value = (value ^ ((word ^ (word >> 47)) * multiplier & _MASK)) * multiplier & _MASK
    if data[whole:]:
        value = (value ^ int.from_bytes(data[whole:], "little")) * multiplier & _MASK
    value ^= value >> 47
    value = value * multiplier & _MASK
    return value ^ (value >> 47)


def item_hash(item: int | str | bytes, key: bytes | None = None) -> int:
    """Hash an item: its UTF-8, or its eight little-endian bytes."""
    text = item.encode() if isinstance(item, str) else item
    data = struct.pack("<q", text) if isinstance(text, int) else text
    return murmur64a(data) if key is None else siphash(key, data)


def siphash(key: bytes, data: bytes, compressions: int = 1, finalizations: int = 3) -> int:
    """SipHash (Aumasson, Bernstein 2012)."""

    def turned(value: int, by: int) -> int:
        return (value << by | value >> (64 - by)) & _MASK

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & _MASK
            v[1] = turned(v[1], 13) ^ v[0]
            v[0] = turned(v[0], 32)
            v[2] = (v[2] + v[3]) & _MASK
            v[3] = turned(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & _MASK
            v[3] = turned(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & _MASK
            v[1] = turned(v[1], 17) ^ v[2]
            v[2] = turned(v[2], 32)

    low, high = struct.unpack("<QQ", key)
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(compressions)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(finalizations)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def fingerprint(key: bytes) -> int:
    """Compute what a format holds of a secret key."""
    return siphash(key, b"engagehub sketch key", 2, 4)


def row_cell(hashed: int, row: int, width: int) -> int:
    """Find the cell of an item in a row: SplitMix64's finaliser, then the upper half times the width."""
    mixed = (hashed + (row + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    mixed ^= mixed >> 31
    return (mixed >> 32) * width >> 32


def crc32c(data: bytes) -> int:
    """CRC-32C, one bit at a time."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def sealed(body: bytes) -> bytes:
    """Append the checksum to a format's body."""
    return body + struct.pack("<I", crc32c(body))


def kind_of(items: object) -> int:
    """Tell the byte for the kind of the items of an iterable: 0 nothing, 1 int, 2 text."""
    for item in items:  # type: ignore[attr-defined]
        return 1 if isinstance(item, int) else 2
    return 0
