"""The conservative Count-Min sketch of the textbook, as lists of lists, with the truth beside it."""

from __future__ import annotations

import struct
from collections import Counter

from models.hashing import item_hash, kind_of, row_cell, sealed


class CountMinModel:
    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        self.rows = [[0] * width for _ in range(depth)]
        self.truth: Counter[int | str | bytes] = Counter()

    def _cells(self, item: int | str | bytes) -> list[int]:
        hashed = item_hash(item)
        return [row_cell(hashed, row, self.width) for row in range(self.depth)]

    def estimate(self, item: int | str | bytes) -> int:
        return min(row[cell] for row, cell in zip(self.rows, self._cells(item), strict=True))

    def add(self, item: int | str | bytes, weight: int = 1) -> None:
        if weight == 0:
            return
        bound = self.estimate(item) + weight
        for row, cell in zip(self.rows, self._cells(item), strict=True):
            row[cell] = max(row[cell], bound)
        self.truth[item] += weight

    def merge(self, other: CountMinModel) -> None:
        for mine, theirs in zip(self.rows, other.rows, strict=True):
            mine[:] = [a + b for a, b in zip(mine, theirs, strict=True)]
        self.truth += other.truth

    def to_bytes(self) -> bytes:
        body = b"EHCM\x01" + struct.pack("<IBBBQ", self.width, self.depth, kind_of(self.truth), 0, self.truth.total())
        return sealed(body + b"".join(struct.pack(f"<{self.width}Q", *row) for row in self.rows))
