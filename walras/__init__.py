"""Simulate markets of AI agents: buyers choose by price, quality and speed."""

__version__ = "0.1.0"
