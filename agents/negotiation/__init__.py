"""Negotiation: alternating offers as a mechanism in Python, one way of bargaining a file."""

from __future__ import annotations

from .talks import Talk, negotiator, talk

__all__ = ["Talk", "negotiator", "talk"]
