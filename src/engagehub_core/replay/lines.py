"""Bytes of an input as numbered lines: plain or gzip, a file or standard input, in bounded memory."""

from __future__ import annotations

import io
import sys
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, Self

from engagehub_core.replay.errors import BadUsage, InputEnds

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Input", "Malformed", "numbered_lines"]

CHUNK_BYTES = 1 << 18
LONGEST_LINE = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_SUFFIXES = (".gz", ".csv", ".jsonl", ".ndjson", ".json", ".txt")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that can't be taken: where it is and why."""

    line: int
    reason: str


class Waiting(Protocol):
    """What guards a read that may block, so that Ctrl-C gets through it and through nothing else."""

    def __call__(self) -> AbstractContextManager[object]: ...


class Input:
    """One file, or standard input for ``-``; knows how far it was read.

    Parameters
    ----------
    name : str
        A path, or ``-``.

    Raises
    ------
    BadUsage
        If there is no such file, or it is a directory, or it can't be opened.
    """

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == "-" else name
        self.size = 0
        self.position = 0
        self._stream: IO[bytes]
        if name == "-":
            self.community = "stdin"
            self._stream = getattr(sys.stdin, "buffer", None) or io.BytesIO()
            self._owned = False
            return
        path = Path(name)
        self.community = _base_name(path)
        self._owned = True
        try:
            if path.is_dir():
                message = f"{name}: is a directory"
                raise BadUsage(message)
            self._stream = path.open("rb", buffering=0)
            self.size = path.stat().st_size if path.is_file() else 0
        except (OSError, ValueError) as error:
            message = f"{name}: {(error.strerror if isinstance(error, OSError) else None) or error}"
            raise BadUsage(message) from error

    def check_name(self) -> None:
        """Refuse a base name that isn't UTF-8: no community can have it.

        Raises
        ------
        BadUsage
            Saying what helps.
        """
        try:
            self.community.encode()
        except UnicodeEncodeError as error:
            message = f"{self.name}: the name isn't UTF-8, so no community can have it; give one with --community"
            raise BadUsage(message) from error

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._owned:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def raw(self, waiting: Waiting = nullcontext) -> Iterator[bytes]:
        """Yield what the file holds, piece by piece as it comes."""
        read = getattr(self._stream, "read1", self._stream.read)
        while True:
            with waiting():
                try:
                    piece = read(CHUNK_BYTES)
                except OSError as error:
                    message = f"reading fails: {error.strerror or error}"
                    raise InputEnds(message) from error
            if not piece:
                return
            self.position += len(piece)
            yield piece

    def chunks(self, waiting: Waiting = nullcontext) -> Iterator[bytes]:
        """Yield the content, unpacked where the first two bytes say that it is gzip.

        Raises
        ------
        InputEnds
            If the packed data ends early or is damaged; whatever came before was yielded.
        """
        pieces = self.raw(waiting)
        start = b""
        while len(start) < len(_GZIP) and (piece := next(pieces, b"")):
            start += piece
        if not start.startswith(_GZIP):
            if start:
                yield start
            yield from pieces
            return
        yield from _unpacked(start, pieces)


def _base_name(path: Path) -> str:
    name = path.name
    shortened = True
    while shortened:
        shortened = False
        for suffix in _SUFFIXES:
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                name = name[: -len(suffix)]
                shortened = True
    return name


def _unpacked(start: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=31)
    packed = start
    while True:
        try:
            content = engine.decompress(packed, CHUNK_BYTES)
        except zlib.error as error:
            message = f"gzip data is damaged ({error})"
            raise InputEnds(message) from error
        if content:
            yield content
        if engine.eof:
            # Members may follow one another; zeros may pad the end of a file that came from a tape or a block device.
            packed = engine.unused_data.lstrip(b"\0")
            while not packed:
                piece = next(pieces, b"")
                if not piece:
                    return
                packed = piece.lstrip(b"\0")
            engine = zlib.decompressobj(wbits=31)
            continue
        packed = engine.unconsumed_tail
        if not packed and len(content) < CHUNK_BYTES:
            packed = next(pieces, b"")
            if not packed:
                message = "gzip data ends early"
                raise InputEnds(message)


def numbered_lines(chunks: Iterator[bytes]) -> Iterator[tuple[int, str] | Malformed]:
    r"""Yield lines with their numbers from 1, or what is wrong with a line; holds one chunk and one line at the most.

    Parameters
    ----------
    chunks : iterator of bytes
        The content; a failure of it passes through after all complete lines before it.

    Yields
    ------
    tuple of int and str, or Malformed
        A line without its end (``\n`` or ``\r\n``). Lines of more than 1 MiB, and lines that aren't UTF-8, are
        malformed.
    """
    number = 1
    tail = bytearray()
    skipping = False
    first = True
    for piece in chunks:
        chunk = piece
        if skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                continue
            skipping = False
        body, newline, rest = chunk.rpartition(b"\n")
        if newline:
            tail += body
            block = bytes(tail)
            tail = bytearray(rest)
            if first:
                block = block.removeprefix(_BOM)
                first = False
            yield from _decoded(block, number)
            number += block.count(b"\n") + 1
        else:
            tail += rest
        if len(tail) > LONGEST_LINE:
            yield _too_long(number)
            number += 1
            tail.clear()
            first = False
            skipping = True
    if tail:
        yield from _decoded(bytes(tail).removeprefix(_BOM) if first else bytes(tail), number)


def _decoded(block: bytes, number: int) -> Iterator[tuple[int, str] | Malformed]:
    if len(block) <= LONGEST_LINE:
        try:
            text = block.decode()
        except UnicodeDecodeError:
            pass
        else:
            lines = text.split("\n")
            if "\r" in text:
                lines = [line.removesuffix("\r") for line in lines]
            yield from enumerate(lines, number)
            return
    for line in block.split(b"\n"):
        if len(line) > LONGEST_LINE:
            yield _too_long(number)
        else:
            try:
                yield number, line.removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                yield Malformed(
                    number, f"not UTF-8: byte {line[error.start]:#04x} at position {error.start + 1} of the line"
                )
        number += 1


def _too_long(number: int) -> Malformed:
    return Malformed(number, f"the line is longer than {LONGEST_LINE >> 20} MiB")
