"""Small markets with observed queues, solved exactly as a Markov chain."""

from .solve import Chain, solve_chain

__all__ = ["Chain", "solve_chain"]
