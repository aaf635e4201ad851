"""Scenarios: files that become markets, and the statistics of their runs."""
