"""Sellers, buyers and the platform, and the strategies they follow."""
