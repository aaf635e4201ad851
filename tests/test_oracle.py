"""The kernel against the oracle: the same events, order, choices and nano-dollars.

The oracle (`tests/oracle`) is the same market as plain SimPy processes. On random scenarios the
two agree to 1e-9 in time and to the nano-dollar in money; on grids of dyadic numbers, where many
things happen at one instant and every time is exact, they agree to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import permutations, product
from typing import Any

import pytest

from walras.market.schema.market import Market

from .oracle import beliefs
from .oracle.beliefs import Beliefs
from .oracle.calendar import RANKS
from .oracle.compare import Kernel, difference, kernel_and_draws, run_oracle
from .oracle.draws import Draws
from .oracle.market import Simulation
from .oracle.scenarios import SPAN, random_auction, random_market
from .oracle.station import Station
from .oracle.terms import Experience, Law

CHUNK = 10
Make = Callable[..., Market]
KAPPA = {1.0: "1", math.inf: "unlimited"}


@cache
def scenario(
    seed: int, grid: bool, make: Make = random_market
) -> tuple[Market, Kernel, Draws, Any]:
    """Return a random market, run by the kernel, with what the oracle needs."""
    market = make(seed, grid=grid)
    return market, *kernel_and_draws(market, seed, SPAN)


def disagreement(seed: int, grid: bool, make: Make = random_market) -> str | None:
    """Run the oracle on a random market and compare."""
    market, kernel, draws, tables = scenario(seed, grid, make)
    return difference(kernel, run_oracle(market, tables, draws, SPAN), exact=grid)


# --- random scenarios --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [random_market, random_auction], ids=["market", "auction"])
@pytest.mark.parametrize("grid", [False, True], ids=["random", "grid"])
@pytest.mark.parametrize("chunk", range(10))
def test_kernel_equals_oracle(chunk: int, grid: bool, make: Make) -> None:
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    found = {seed: disagreement(seed, grid, make) for seed in seeds}
    scenario.cache_clear()
    assert not {seed: what for seed, what in found.items() if what}


def test_scenarios_meet_every_feature() -> None:
    """Counted over the specs of all 200 scenarios."""
    met: dict[str, int] = {}
    for seed in range(100):
        for grid in (False, True):
            m: Any = random_market(seed, grid=grid)
            features = {m.mechanism.kind, m.quotes.latency, m.quotes.price, m.platform.ranking}
            features |= {f"slots {s.slots}" for s in m.sellers}
            features |= {s.discipline for s in m.sellers}
            features |= {f"kappa {KAPPA.get(s.kappa, 'other')}" for s in m.sellers}
            features |= {f"{e.kind} {getattr(e, 'in_service', '')}" for e in m.events}
            features |= {t.arrivals.kind for t in m.tasks}
            features |= {f"patience {t.patience.kind}" for t in m.tasks}
            features |= {f"lateness {t.lateness.kind}" for t in m.tasks if t.deadline}
            features |= {f"choice {t.choice.kind} {grid}" for t in m.tasks}
            features |= {"consideration" for t in m.tasks if t.consideration}
            features |= {"refund" for s in m.sellers if s.refund_late}
            features |= {"penalty" for s in m.sellers if s.promise and s.penalty}
            features |= {"one owner" for s in m.sellers if s.owner}
            features |= {"twin" for s in m.sellers if s.name == "twin"}
            for feature in features:
                met[feature] = met.get(feature, 0) + 1
    assert len(met) >= 45
    assert {f: n for f, n in met.items() if n < 5} == {}


def test_auctions_meet_every_feature() -> None:
    """Counted over the specs of all 200 auctions."""
    met: dict[str, int] = {}
    for seed in range(100):
        for grid in (False, True):
            m: Any = random_auction(seed, grid=grid)
            features = {m.mechanism.kind, f"{m.mechanism.kind} {m.mechanism.bid.kind}"}
            features |= {f"own {s.bidding.kind}" for s in m.sellers if s.bidding}
            features |= {f"factor {s.cost_factor.kind}" for s in m.sellers}
            features |= {"reserve"} if m.mechanism.reserve is not None else set()
            features |= {f"call {m.mechanism.call is not None}", m.quotes.price}
            features |= {f"promise {getattr(m.mechanism, 'promise', '')} {m.quotes.latency}"}
            features |= {"announced"} if getattr(m.mechanism, "quadratic", 0.0) else set()
            features |= {"time to bid" for s in m.sellers if s.bid_time}
            for feature in features:
                met[feature] = met.get(feature, 0) + 1
    assert len(met) >= 45
    assert {f: n for f, n in met.items() if n < 3} == {}


# --- mutants: the comparison can fail ----------------------------------------------------------


def first_come_is_pushed_out(self: Station) -> None:
    entry = min(self.running, key=lambda e: (-e[2].level, e[2].time, e[1]))
    self.running.remove(entry)
    self.running.sort()
    self.stop(entry[2])
    entry[2].left = max(entry[0] - self.done, 0.0)
    self.enqueue(entry[2], back=False)


def all_wait_at_the_back(self: Station, task: Any, *, back: bool) -> None:
    task.waiting, task.queued = True, self.calendar.now
    self.queues[task.level].append(task)
    self.count(task, 1)


def speed_is_not_shared(self: Station, streams: float) -> float:
    return float(self.speed)


def own_offers_are_rivals(
    self: Simulation, beliefs: Beliefs, score: Any, bid: float, o: int, least: float
) -> float:
    self.owner = each = list(range(len(self.terms)))
    self.rivals_of = [[o != mine for o in each] for mine in each]
    return SECOND_SCORE(self, beliefs, score, bid, o, least)


def waits_are_certain(self: Beliefs, station: Station) -> Law:
    return OBSERVED(self, station)._replace(shape=1e12)


def late_offers_win_ties(self: Simulation, score: Any, least: float, row: int) -> int:
    o = BEST(self, score, least, row)
    return max((j for j in range(len(score)) if score[j] == score[o]), default=o) if o >= 0 else o


def calls_take_no_time(self: Beliefs) -> bool:
    return False


def vickrey_pays_the_bid(
    self: Simulation, beliefs: Beliefs, task: Any, score: Any, bids: list[float], outside: float
) -> tuple[int, float]:  # fmt: skip
    o, _ = PROCURE(self, beliefs, task, score, bids, outside)
    return o, bids[o] if o >= 0 else 0.0


def own_factor_for_rivals(
    self: Simulation, beliefs: Beliefs, task: Any, score: Any, menu: list[int], tail: float
) -> float:  # fmt: skip
    return max(float(score[o]) for o in menu)


def slots_are_free(rule: Any, slots: float, taken: int) -> float:
    return 0.0


def first_promise_will_do(
    self: Beliefs, o: int, law: Law, deadline: float, patience: float, work: float | None
) -> float:  # fmt: skip
    return float(PROMISE(self, o, law, deadline, patience, work)) * 2.0


def leavers_teach_nothing(
    self: Experience, now: float, wait: float, started: bool, pace: float | None
) -> None:  # fmt: skip
    if started:
        LEARN(self, now, wait, started, pace)


def refunds_are_free(self: Beliefs, o: int, outlook: Any) -> float:
    return float(outlook.served)


SECOND_SCORE, OBSERVED, BEST, LEARN, PROCURE, PROMISE = (
    Simulation.second_score, Beliefs.observed, Simulation.best, Experience.learn,
    Simulation.procure, Beliefs.best_promise,
)  # fmt: skip
MUTANTS: list[tuple[Any, str, Callable[..., Any]]] = [
    (Station, "push_out", first_come_is_pushed_out),
    (Station, "enqueue", all_wait_at_the_back),
    (Station, "rate_of", speed_is_not_shared),
    (Simulation, "second_score", own_offers_are_rivals),
    (Beliefs, "observed", waits_are_certain),
    (Simulation, "best", late_offers_win_ties),
    (Experience, "learn", leavers_teach_nothing),
    (Beliefs, "billed_share", refunds_are_free),
    (Beliefs, "time_call", calls_take_no_time),
    (Simulation, "procure", vickrey_pays_the_bid),
    (Simulation, "could_score", own_factor_for_rivals),
    (beliefs, "slot_cost", slots_are_free),
    (Beliefs, "best_promise", first_promise_will_do),
]


@pytest.mark.parametrize(("owner", "name", "mutant"), MUTANTS, ids=[m[2].__name__ for m in MUTANTS])
def test_mutants_are_caught(
    owner: Any, name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    runs = product(range(6 * CHUNK), (True, False), (random_market, random_auction))
    assert any(disagreement(*run) for run in runs)


# --- one instant -------------------------------------------------------------------------------


def one_instant() -> Market:
    """A market in which everything happens at 4 s, and every pair of ranks shows.

    At `desk`, one slot: "first" ends at 4; "patient" waits until 4 and must be started then,
    "hasty" waits until 4 too and must leave; "next" comes at 4, after the price has changed but
    before hasty has left, and is quoted the wait behind patient and hasty. `ward` fails at 4, just
    after its task has ended. At `yard` a slot comes at 4 for a task that would leave at 4.
    """

    def task(name: str, at: float, work: float, skill: str, patience: float | str = "none") -> Any:
        return {
            "name": name, "arrivals": {"kind": "replay", "times": [at]}, "output_tokens": work,
            "value": 1.0, "delay_cost": 0.015625, "patience": patience, "skill": skill,
            "outside_option": False,
        }  # fmt: skip

    def seller(name: str) -> Any:
        return {"name": name, "accuracy": {name: 1.0}, "price": {"task": 0.25}, "slots": 1}

    return Market.model_validate({
        "tasks": [
            task("first", 0.0, 4.0, "desk"), task("patient", 1.0, 1.0, "desk", 3.0),
            task("hasty", 2.0, 1.0, "desk", 2.0), task("next", 4.0, 1.0, "desk"),
            task("ill", 0.0, 4.0, "ward"),
            task("digger", 0.0, 8.0, "yard"), task("mason", 3.0, 1.0, "yard", 1.0),
        ],
        "sellers": [seller("desk"), seller("ward"), seller("yard")],
        "events": [
            {"kind": "price", "at": 4.0, "seller": "desk", "price": 0.5},
            {"kind": "outage", "at": 4.0, "seller": "ward", "duration": 1.0, "in_service": "fail"},
            {"kind": "add_slots", "at": 4.0, "seller": "yard", "slots": 1},
        ],
    })  # fmt: skip


def test_one_instant_is_settled_by_rank() -> None:
    """Completion, agents' events, arrival, reneging; worked out by hand."""
    market = one_instant()
    kernel, draws, tables = kernel_and_draws(market, 1, 16.0)
    trades = {market.tasks[int(row["kind"])].name: row for row in kernel.rows}
    ends = {name: (int(t["status"]), float(t["finish"])) for name, t in trades.items()}
    assert ends == {
        "first": (0, 4.0), "ill": (0, 4.0), "hasty": (2, 4.0), "patient": (0, 5.0),
        "mason": (0, 5.0), "next": (0, 6.0), "digger": (0, 8.0),
    }  # fmt: skip
    assert trades["patient"]["wait"] == 3.0
    assert trades["patient"]["price"] == 250_000_000
    assert trades["next"]["price"] == 500_000_000
    # Patient in service and hasty waiting: a wait of 2 s, then 1 s of service.
    assert trades["next"]["utility"] == 1.0 - 0.015625 * 3.0 - 0.5
    assert difference(kernel, run_oracle(market, tables, draws, 16.0), exact=True) is None


@pytest.mark.parametrize("ranks", [r for r in permutations(RANKS) if r != RANKS], ids=str)
def test_every_other_order_of_ranks_is_caught(ranks: tuple[int, int, int, int]) -> None:
    market = one_instant()
    kernel, draws, tables = kernel_and_draws(market, 1, 16.0)
    assert difference(kernel, run_oracle(market, tables, draws, 16.0, ranks), exact=True)
