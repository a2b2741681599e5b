"""Lockhouse: open-weight models on your own machine, sealed from the network."""

from __future__ import annotations

__version__ = "0.1.0"
