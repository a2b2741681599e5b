"""Lockhouse: open-weight models on your own machine, sealed from the network."""

__version__ = "0.1.0"
