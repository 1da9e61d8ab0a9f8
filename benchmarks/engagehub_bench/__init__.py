"""What ``engagehub bench`` runs (extra ``bench``): workloads, peers, suites and the statistics that judge them."""

from __future__ import annotations

from engagehub_core import __version__

__all__ = ["__version__"]
