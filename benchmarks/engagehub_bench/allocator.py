"""How many bytes the C allocator has handed out, which counts what resident memory only hints at.

Python's own small objects lie in arenas of its own and aren't counted; native structures are, to the byte.
"""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["missing", "used_bytes"]


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def missing() -> str | None:
    """Return why nothing can be counted here, or None."""
    has_it = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")
    return None if has_it else "the C library has no mallinfo2 (glibc has it since 2.33)"


def used_bytes() -> int:
    """Return the bytes in use of the heap and of the mapped regions."""
    gc.collect()
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)
