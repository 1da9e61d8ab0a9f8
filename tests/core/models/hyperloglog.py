"""HyperLogLog from the set of its items: tokens, registers, and the likelihood itself."""

from __future__ import annotations

import math
import struct
from collections import defaultdict

from models.hashing import item_hash, kind_of, sealed


def split(hashed: int, bits: int) -> tuple[int, int]:
    """Cut a hash into an index of so many low bits and the rank of the rest."""
    rest = hashed >> bits
    return hashed & ((1 << bits) - 1), 64 - bits + 1 if rest == 0 else (rest & -rest).bit_length()


class HyperLogLogModel:
    """Keeps the items themselves; everything else is computed when asked."""

    def __init__(self, p: int) -> None:
        self.p = p
        self.items: set[int | str | bytes] = set()

    def add(self, item: int | str | bytes) -> None:
        self.items.add(item)

    def tokens(self) -> list[int]:
        splits = (split(item_hash(item), 26) for item in self.items)
        return sorted({index << 6 | rank for index, rank in splits})

    def is_sparse(self) -> bool:
        return len(self.tokens()) <= 3 * (1 << self.p) // 16

    def ranks(self) -> dict[int, set[int]]:
        """Return what reached each register."""
        result: dict[int, set[int]] = defaultdict(set)
        for item in self.items:
            index, rank = split(item_hash(item), self.p)
            result[index].add(rank)
        return result

    def estimate(self) -> float:
        """Of few items their number and the collisions to expect, of many where the likelihood is highest."""
        if self.is_sparse():
            count = len(self.tokens())
            return count + count**2 / (6 * 2**26)
        m, last = 1 << self.p, 65 - self.p
        came: dict[float, int] = defaultdict(int)  # by the share of the items that have the rank
        missed = float(m - len(self.ranks()))
        for ranks in self.ranks().values():
            for rank in range(max(1, max(ranks) - 2), last + 1):  # those below aren't kept
                share = 2.0 ** -min(rank, last - 1)
                if rank in ranks:
                    came[share] += 1
                else:
                    missed += share

        def slope(x: float) -> float:
            return sum(count * share / math.expm1(x * share) for share, count in came.items()) - missed

        low, high = 0.0, 1.0
        while slope(high) > 0:
            high *= 2
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if slope(middle) > 0 else (low, middle)
        return m * low / (1 + 0.48147376527720065 / m)

    def to_bytes(self) -> bytes:
        return sealed(b"EHHL\x02" + self.body())

    def body(self) -> bytes:
        head = struct.pack("<BBBB", self.p, kind_of(self.items), 0, 1)
        if self.is_sparse():
            tokens = self.tokens()
            return head + struct.pack(f"<BI{len(tokens)}I", 2, len(tokens), *tokens)
        registers = bytearray(1 << self.p)
        for index, ranks in self.ranks().items():
            highest = max(ranks)
            registers[index] = 4 * (highest + self.p - 2) + 2 * (highest - 1 in ranks) + (highest - 2 in ranks)
        return head + b"\x03" + registers
