"""Equilibria of a market: solved in the fluid market, certified by simulation."""
