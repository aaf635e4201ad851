"""The same market again, as SimPy processes alone: what the kernel is compared with.

Written from the model, not from the kernel: a process for arrivals, one per seller, one per
waiting task that may leave, one per closed user, one for the agents' events. It receives the
workload, the tastes and the draws of correctness as arrays (`draws`) and shares with the market
layer only the spec, the tables that a spec is turned into and the one formula of a quote.
"""

from .draws import Draws, draw_tables
from .events import agent_events
from .market import Choice, Simulation, Trade

__all__ = ["Choice", "Draws", "Simulation", "Trade", "agent_events", "draw_tables"]
