"""What an instant may be: Unix seconds, or an aware datetime."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

__all__ = ["Instant"]

Instant: TypeAlias = int | float | datetime
