"""The conservative Count-Min sketch of the textbook, as lists of lists, with the truth beside it."""

from __future__ import annotations

import struct
from collections import Counter

from models.hashing import fingerprint, item_hash, kind_of, row_cell, sealed

FULL = 2**32 - 1


class CountMinModel:
    """Counts without limit; 32-bit cells are those, cut off."""

    def __init__(self, width: int, depth: int, cell_bits: int = 64, key: bytes | None = None) -> None:
        self.width, self.depth, self.cell_bits, self.key = width, depth, cell_bits, key
        self.rows = [[0] * width for _ in range(depth)]
        self.truth: Counter[int | str | bytes] = Counter()

    def _cells(self, item: int | str | bytes) -> list[int]:
        hashed = item_hash(item, self.key)
        return [row_cell(hashed, row, self.width) for row in range(self.depth)]

    def _least(self, item: int | str | bytes) -> int:
        return min(row[cell] for row, cell in zip(self.rows, self._cells(item), strict=True))

    def estimate(self, item: int | str | bytes) -> int:
        least = self._least(item)
        return self.truth.total() if self.cell_bits == 32 and least >= FULL else least

    def add(self, item: int | str | bytes, weight: int = 1) -> None:
        if weight == 0:
            return
        bound = self._least(item) + weight
        for row, cell in zip(self.rows, self._cells(item), strict=True):
            row[cell] = max(row[cell], bound)
        self.truth[item] += weight

    def merge(self, other: CountMinModel) -> None:
        for mine, theirs in zip(self.rows, other.rows, strict=True):
            # What is cut off stays cut off.
            cut = FULL if self.cell_bits == 32 else 2**64
            mine[:] = [min(a, cut) + min(b, cut) for a, b in zip(mine, theirs, strict=True)]
        self.truth += other.truth

    def to_bytes(self) -> bytes:
        sizes = struct.pack("<IBBB", self.width, self.depth, kind_of(self.truth), 0 if self.cell_bits == 64 else 1)
        hashed = b"\x00" if self.key is None else b"\x03" + struct.pack("<Q", fingerprint(self.key))
        cells = f"<{self.width}{'Q' if self.cell_bits == 64 else 'I'}"
        rows = [[cell if self.cell_bits == 64 else min(cell, FULL) for cell in row] for row in self.rows]
        return sealed(
            b"EHCM\x02"
            + sizes
            + hashed
            + struct.pack("<Q", self.truth.total())
            + b"".join(struct.pack(cells, *row) for row in rows)
        )

    def to_first_version(self) -> bytes:
        body = b"EHCM\x01" + struct.pack("<IBBBQ", self.width, self.depth, kind_of(self.truth), 0, self.truth.total())
        return sealed(body + b"".join(struct.pack(f"<{self.width}Q", *row) for row in self.rows))
