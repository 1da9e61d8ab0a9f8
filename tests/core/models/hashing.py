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


def item_hash(item: int | str | bytes) -> int:
    """Hash an item: its UTF-8, or its eight little-endian bytes."""
    if isinstance(item, int):
        return murmur64a(struct.pack("<q", item))
    return murmur64a(item.encode() if isinstance(item, str) else item)


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
