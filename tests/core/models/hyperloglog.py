"""HyperLogLog as a dict of registers."""

from __future__ import annotations

import math
import struct

from models.hashing import item_hash, kind_of, sealed


class HyperLogLogModel:
    """Keeps the items themselves; everything else is computed when asked."""

    def __init__(self, p: int) -> None:
        self.p = p
        self.items: set[int | str | bytes] = set()

    def add(self, item: int | str | bytes) -> None:
        self.items.add(item)

    def registers(self) -> dict[int, int]:
        result: dict[int, int] = {}
        for item in self.items:
            hashed = item_hash(item)
            index, rest = hashed & ((1 << self.p) - 1), hashed >> self.p
            rank = 64 - self.p + 1 if rest == 0 else (rest & -rest).bit_length()
            result[index] = max(result.get(index, 0), rank)
        return result

    def estimate(self) -> float:
        """Ertl 2017, algorithm 6."""
        m, q = 1 << self.p, 64 - self.p
        counts = [0] * (q + 2)
        registers = self.registers()
        if not registers:
            return 0.0
        for rank in registers.values():
            counts[rank] += 1
        counts[0] = m - len(registers)
        z = m * _tau(1 - counts[q + 1] / m)
        for k in range(q, 0, -1):
            z = 0.5 * (z + counts[k])
        z += m * _sigma(counts[0] / m)
        return m * m / (2 * math.log(2) * z)

    def to_bytes(self) -> bytes:
        return sealed(b"EHHL\x01" + self.body())

    def body(self) -> bytes:
        registers = self.registers()
        head = struct.pack("<BBBB", self.p, kind_of(self.items), 0, 0)
        if len(registers) <= (1 << self.p) // 16:
            tokens = (struct.pack("<I", index << 8 | rank) for index, rank in sorted(registers.items()))
            return head + struct.pack("<BI", 0, len(registers)) + b"".join(tokens)
        packed = sum(rank << (6 * index) for index, rank in registers.items())
        return head + b"\x01" + packed.to_bytes(((6 << self.p) + 7) // 8, "little")


def _sigma(x: float) -> float:
    y, z, before = 1.0, x, math.nan
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, y + y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, math.nan
    while z != before:
        x, before, y = math.sqrt(x), z, y / 2
        z -= (1 - x) ** 2 * y
    return z / 3
