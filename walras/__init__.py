"""Simulate markets of AI agents: buyers choose by price, quality and speed.

Example:
    >>> import walras as w
    >>> fast = w.Seller("fast", accuracy=0.92, speed=120, slots=64, price=w.per_mtok(0.10, 0.40))
    >>> talk = w.TaskClass(
    ...     "talk", w.Poisson(8), output_tokens=60, value=w.usd(0.02), deadline="3 s"
    ... )
    >>> w.Market(tasks=[talk], sellers=[fast]).offers
    ['fast/default']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "market.schema.demand": (
        "TaskClass", "Difficulty", "Hard", "Linear", "HalfLife", "Argmax", "Logit",
    ),
    "market.schema.supply": ("Seller", "Rates", "Ability"),
    "market.schema.contracts": ("Contract",),
    "market.schema.market": (
        "Market", "Platform", "Quotes", "Run", "PostedPrice",
        "PriceChange", "Exit", "Enter", "Outage", "AddSlots",
    ),
    "market.schema.auctions": ("Procurement", "ScoringAuction"),
    "market.schema.bidding": ("BidCost", "BidPrice", "Markup", "Shading", "OpportunityCost"),
    "market.schema.negotiation": ("Negotiation", "Rubinstein", "Concession", "Tactic"),
    "market.schema.trading": (
        "KDouble", "CallMarket", "ContinuousAuction", "TruthfulTrader", "LinearTrader",
        "ZIUTrader", "ZICTrader", "ZIPTrader",
    ),
    "market.schema.arrivals": ("Poisson", "MMPP", "Diurnal", "Batch", "Closed", "Replay"),
    "market.schema.distributions": (
        "Constant", "Uniform", "Exponential", "LogNormal", "Gamma", "Quantiles", "ShareOfValue",
    ),
    "market.schema.errors": ("BadInputError",),
    "market.schema.units": ("usd", "per_mtok", "per_task"),
    "agents.economy": ("Economy",),
    "market.messages": ("Task", "Outcome", "Ask", "Quote", "Award"),
    "agents.strategies": (
        "pricing", "Decision", "Fixed", "CostPlus", "Undercut", "LoadPricing", "BestResponse",
        "GradientPricing",
    ),
    "scenarios.load": ("load",),
    "scenarios.lint": ("lint",),
    "scenarios.toml": ("to_toml", "from_toml"),
    "scenarios.run": ("run",),
    "scenarios.result": ("Result",),
    "scenarios.compare": ("compare", "Comparison"),
    "scenarios.follow": ("follow",),
    "scenarios.sweep.sweep": ("sweep",),
    "scenarios.sweep.swept": ("Sweep",),
    "scenarios.sweep.spec": ("Span", "Sample"),
    "analysis.sweeps.intervals": ("intervals",),
    "analysis.sweeps.effects": ("effects",),
    "analysis.sweeps.sensitivity": ("sensitivity",),
    "analysis.sweeps.surface": ("surface", "Surface"),
    "analysis.sweeps.boundary": ("boundary", "Boundary"),
    "analysis.equilibrium.solved": ("equilibrium", "Equilibrium"),
    "analysis.certificate.certificate": ("certify", "Certificate"),
}  # fmt: skip
_SUBMODULES = {"plot": ".plot", "testing": ".agents.testing"}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted([*_HOME, *_SUBMODULES])  # noqa: PLE0605 - the one list is the table above

if TYPE_CHECKING:
    from . import plot as plot
    from .agents import testing as testing
    from .agents.economy import Economy as Economy
    from .agents.strategies import BestResponse as BestResponse
    from .agents.strategies import CostPlus as CostPlus
    from .agents.strategies import Decision as Decision
    from .agents.strategies import Fixed as Fixed
    from .agents.strategies import GradientPricing as GradientPricing
    from .agents.strategies import LoadPricing as LoadPricing
    from .agents.strategies import Undercut as Undercut
    from .agents.strategies import pricing as pricing
    from .analysis.certificate.certificate import Certificate as Certificate
    from .analysis.certificate.certificate import certify as certify
    from .analysis.equilibrium.solved import Equilibrium as Equilibrium
    from .analysis.equilibrium.solved import equilibrium as equilibrium
    from .analysis.sweeps.boundary import Boundary as Boundary
    from .analysis.sweeps.boundary import boundary as boundary
    from .analysis.sweeps.effects import effects as effects
    from .analysis.sweeps.intervals import intervals as intervals
    from .analysis.sweeps.sensitivity import sensitivity as sensitivity
    from .analysis.sweeps.surface import Surface as Surface
    from .analysis.sweeps.surface import surface as surface
    from .market.messages import Ask as Ask
    from .market.messages import Award as Award
    from .market.messages import Outcome as Outcome
    from .market.messages import Quote as Quote
    from .market.messages import Task as Task
    from .market.schema.arrivals import MMPP as MMPP
    from .market.schema.arrivals import Batch as Batch
    from .market.schema.arrivals import Closed as Closed
    from .market.schema.arrivals import Diurnal as Diurnal
    from .market.schema.arrivals import Poisson as Poisson
    from .market.schema.arrivals import Replay as Replay
    from .market.schema.auctions import Procurement as Procurement
    from .market.schema.auctions import ScoringAuction as ScoringAuction
    from .market.schema.bidding import BidCost as BidCost
    from .market.schema.bidding import BidPrice as BidPrice
    from .market.schema.bidding import Markup as Markup
    from .market.schema.bidding import OpportunityCost as OpportunityCost
    from .market.schema.bidding import Shading as Shading
    from .market.schema.contracts import Contract as Contract
    from .market.schema.demand import Argmax as Argmax
    from .market.schema.demand import Difficulty as Difficulty
    from .market.schema.demand import HalfLife as HalfLife
    from .market.schema.demand import Hard as Hard
    from .market.schema.demand import Linear as Linear
    from .market.schema.demand import Logit as Logit
    from .market.schema.demand import TaskClass as TaskClass
    from .market.schema.distributions import Constant as Constant
    from .market.schema.distributions import Exponential as Exponential
    from .market.schema.distributions import Gamma as Gamma
    from .market.schema.distributions import LogNormal as LogNormal
    from .market.schema.distributions import Quantiles as Quantiles
    from .market.schema.distributions import ShareOfValue as ShareOfValue
    from .market.schema.distributions import Uniform as Uniform
    from .market.schema.errors import BadInputError as BadInputError
    from .market.schema.market import AddSlots as AddSlots
    from .market.schema.market import Enter as Enter
    from .market.schema.market import Exit as Exit
    from .market.schema.market import Market as Market
    from .market.schema.market import Outage as Outage
    from .market.schema.market import Platform as Platform
    from .market.schema.market import PostedPrice as PostedPrice
    from .market.schema.market import PriceChange as PriceChange
    from .market.schema.market import Quotes as Quotes
    from .market.schema.market import Run as Run
    from .market.schema.negotiation import Concession as Concession
    from .market.schema.negotiation import Negotiation as Negotiation
    from .market.schema.negotiation import Rubinstein as Rubinstein
    from .market.schema.negotiation import Tactic as Tactic
    from .market.schema.supply import Ability as Ability
    from .market.schema.supply import Rates as Rates
    from .market.schema.supply import Seller as Seller
    from .market.schema.trading import CallMarket as CallMarket
    from .market.schema.trading import ContinuousAuction as ContinuousAuction
    from .market.schema.trading import KDouble as KDouble
    from .market.schema.trading import LinearTrader as LinearTrader
    from .market.schema.trading import TruthfulTrader as TruthfulTrader
    from .market.schema.trading import ZICTrader as ZICTrader
    from .market.schema.trading import ZIPTrader as ZIPTrader
    from .market.schema.trading import ZIUTrader as ZIUTrader
    from .market.schema.units import per_mtok as per_mtok
    from .market.schema.units import per_task as per_task
    from .market.schema.units import usd as usd
    from .scenarios.compare import Comparison as Comparison
    from .scenarios.compare import compare as compare
    from .scenarios.follow import follow as follow
    from .scenarios.lint import lint as lint
    from .scenarios.load import load as load
    from .scenarios.result import Result as Result
    from .scenarios.run import run as run
    from .scenarios.sweep.spec import Sample as Sample
    from .scenarios.sweep.spec import Span as Span
    from .scenarios.sweep.sweep import sweep as sweep
    from .scenarios.sweep.swept import Sweep as Sweep
    from .scenarios.toml import from_toml as from_toml
    from .scenarios.toml import to_toml as to_toml


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the heavy libraries cost seconds."""
    if name in _SUBMODULES:
        return import_module(_SUBMODULES[name], __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'walras' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
