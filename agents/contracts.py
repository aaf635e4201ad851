"""Customers: what they remember of a period, and which contract they take for the next.

At the start of each period every customer takes, of doing without and all contracts of sellers
that are open, the one with the largest expected surplus:

  N · W − fee,  W = E[max over offers of (right·V·δ − wrong·loss·1{δ > 0} − c·T − paid)]

W is the worth of one task, the expectation over the class's values and deadlines and, for logit
buyers, over tastes (the nested log-sum, Williams 1977). N is how many tasks the customer expects
to bring, `paid` what it expects one to cost. Both are exponentially weighted means over past
periods, each period half as heavy as the one after it: of the tasks it brought, and of what all
its tasks would have cost at each offer with and without each contract, at the prices posted at
the period's end. Before the first period: what a mean period of its own use would bring and cost.
Delays are those that all customers of a seller met at a queue level in past periods, weighted in
the same way; nobody knows of a queue before it was met, and promises are believed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..market.engine import Engine
from ..market.periods import prospect, take_contracts
from ..market.rng import hash2, hashed, name_key
from ..market.schema.demand import Logit
from ..market.schema.distributions import Constant, ShareOfValue
from ..market.sizes import quantiles_of
from ..market.state import FCFS

Array = NDArray[np.float64]
_NEWS = 0.5
"""Weight of the last period in what is remembered."""
_NODES = 32
"""Equally likely values, and deadlines, that stand for their laws."""
_CHUNK = 1 << 21
"""Numbers worked on at a time: memory stays flat however many customers there are."""
_ROUNDING = 1e-9
"""Surpluses that differ by less than this share of the money at stake are equal."""


class Waits:
    """What is known of the delays at each seller and queue level, shape [S, levels].

    Attributes:
        chance: probability of a wait.
        wait: mean wait of those who have to, seconds.
        rate: tokens per second of a stream.
    """

    def __init__(self, engine: Engine) -> None:
        """Nothing has been met: nobody waits."""
        self.engine = engine
        shape = engine.state.met.shape
        self.chance, self.wait = np.zeros(shape), np.zeros(shape)
        self.pace = np.broadcast_to(1.0 / engine.state.sellers["speed"][:, None], shape).copy()

    @property
    def rate(self) -> Array:
        """Tokens per second of a stream."""
        return 1.0 / self.pace

    def learn(self) -> None:
        """Take in what was met in the period that ends, and start counting anew.

        The mean wait is waiting time over starts: waits cut short by leaving are censored.
        """
        met = self.engine.state.met
        seen, worked = met["ended"] > 0, met["work"] > 0.0
        news = {
            "chance": met["waited"] / np.maximum(met["ended"], 1),
            "wait": met["wait"] / np.maximum(met["started"], 0.5),
            "pace": met["service"] / np.where(worked, met["work"], 1.0),
        }
        for name, told in (("chance", seen), ("wait", met["waited"] > 0), ("pace", worked)):
            known = getattr(self, name)
            known[told] += _NEWS * (news[name] - known)[told]
        met[...] = np.zeros((), met.dtype)


class Customers:
    """The customers of one class: M of them, O offers that serve it, plans with and without.

    `taken` lists, by period, its start and how many hold each contract, without one last.
    """

    def __init__(self, engine: Engine, k: int) -> None:
        """Expect what the class brings on average."""
        self.engine, self.k, self.spec = engine, k, engine.market.tasks[k]
        st = engine.state
        kind = st.classes[k]
        self.members = slice(int(kind["member"]), int(kind["member"] + kind["customers"]))
        self.offers = np.flatnonzero(st.cells[k]["serves"])
        upto = st.customers["upto"][self.members]
        share = np.diff(upto, prepend=0.0)
        period = engine.market.platform.contract_period
        self.tasks = share * engine.arrival_rate(k) * period
        """Tasks that each customer expects to bring in a period, shape [M]."""
        self.bills: dict[tuple[int, int], Array] = {}
        """What each expects to pay at an offer, fee apart, by (contract or −1, offer)."""
        self.taken: list[tuple[float, NDArray[np.int64]]] = []
        if len(self.offers):
            cell, offer = st.cells[k, self.offers[0]], st.offers[self.offers[0]]
            output = (cell["billed_out"] - offer["thinking"]) / offer["verbosity"]
            self.bills = self._bills(self.tasks, self.tasks * cell["tokens_in"],
                                     self.tasks * output)  # fmt: skip
        self._key = hashed(int(kind["key"]), name_key("contract"))

    def learn(self) -> None:
        """Take in what each customer brought in the period that ends, and start counting anew."""
        mine = self.engine.state.customers[self.members]
        brought = mine["tasks"].astype(np.float64)
        self.tasks += _NEWS * (brought - self.tasks)
        for plan, bill in self._bills(brought, mine["input"], mine["output"]).items():
            self.bills[plan] += _NEWS * (bill - self.bills[plan])
        for name in ("tasks", "input", "output"):
            mine[name] = 0

    def _bills(self, tasks: Array, tokens_in: Array, output: Array) -> dict[tuple[int, int], Array]:
        """Return what a period's use costs at each offer, without and with each contract, USD.

        Arguments and results have shape [M]; fees are left out, prices those posted now.
        """
        st, found = self.engine.state, {}
        for o in self.offers:
            offer = st.offers[o]
            billed = output * offer["verbosity"] + tasks * offer["thinking"]
            posted = (
                tasks * offer["price_task"]
                + tokens_in * offer["price_in"] + billed * offer["price_out"]
            )  # fmt: skip
            found[-1, int(o)] = posted
            tokens = tokens_in + billed
            for c in np.flatnonzero(st.contracts["seller"] == offer["seller"]):
                contract = st.contracts[c]
                left = np.maximum(tokens - contract["quota"], 0.0)
                over = np.divide(left, tokens, out=np.zeros_like(left), where=tokens > 0.0)
                found[int(c), int(o)] = contract["rate"] * posted * over
        return found

    # --- worth ----------------------------------------------------------------------------------

    def prospects(self, waits: Waits) -> dict[tuple[int, int], tuple[Array, float]]:
        """Return (worth of a task before its price, shape [nodes]; share of the price paid).

        By (contract or −1, offer), of what is on the market now.
        """
        st, task = self.engine.state, self.spec
        values = _nodes(task.value)
        share = isinstance(task.delay_cost, ShareOfValue)
        cost = task.delay_cost.per_second * values if share else task.delay_cost.mean  # type: ignore[union-attr]
        found = {}
        for c, o in self.bills:
            offer, cell = st.offers[o], st.cells[self.k, o]
            s = int(offer["seller"])
            there = st.sellers[s]["listed"] and st.sellers[s]["down"] == 0
            if not (there and offer["listed"]):
                continue
            level = 0 if st.sellers[s]["discipline"] == FCFS else task.priority
            if c >= 0 and st.contracts[c]["level"] >= 0:
                level = int(st.contracts[c]["level"])
            delta, used, time, billed, fine, tilted = self._expect(c, o, s, level, waits)
            right = float(cell["accuracy"])
            gross = right * values * delta - (1.0 - right) * task.loss * used - cost * time + fine
            # Large tasks get back more than their share: in proportion to the price of a mean one.
            billed += tilted / float(cell["ask"]) if cell["ask"] > 0.0 else 0.0
            found[c, o] = np.broadcast_to(gross, values.shape), billed
        return found

    def _expect(self, c: int, o: int, s: int, level: int, waits: Waits) -> list[float]:
        """Return the `prospect` of an offer, the mean over the class's deadlines."""
        task, law = self.spec, (waits.chance, waits.wait, waits.rate)
        chance, wait, rate = (float(x[s, level]) for x in law)
        sums = np.zeros(6)
        deadlines = np.full(1, np.inf) if task.deadline is None else _nodes(task.deadline)
        for deadline in deadlines.tolist():
            patience: float = {"none": np.inf, "deadline": deadline}.get(task.patience.kind, 0.0)
            if task.patience.kind not in ("none", "deadline"):
                patience = task.patience.mean  # type: ignore[union-attr]
            sums += prospect(self.engine.state, self.k, o, c, chance, wait, rate, deadline,
                             patience)  # fmt: skip
        return [float(x) for x in sums / len(deadlines)]

    def worth(self, waits: Waits) -> tuple[list[int], Array]:
        """Return (plans, surplus): contracts on offer, −1 for none, and USD a period [M, plans]."""
        st = self.engine.state
        known = self.prospects(waits)
        plans = sorted({c for c, _ in known} - {-1})
        plans = [-1, *plans]
        fees = [0.0 if c < 0 else float(st.contracts[c]["fee"]) * 1e-9 for c in plans]
        open_ = [o for c, o in known if c < 0]
        surplus = np.zeros((len(self.tasks), len(plans)))
        width = max(len(_nodes(self.spec.value)) * max(len(open_), 1), 1)
        step = max(_CHUNK // width, 1)
        for first in range(0, len(self.tasks), step):
            part = slice(first, first + step)
            tasks = self.tasks[part]
            for place, (c, fee) in enumerate(zip(plans, fees, strict=True)):
                utilities = []
                for o in open_:
                    plan = (c, o) if (c, o) in known else (-1, o)
                    gross, billed = known[plan]
                    paid = np.divide(self.bills[plan][part], tasks, out=np.zeros_like(tasks),
                                     where=tasks > 0.0)  # fmt: skip
                    utilities.append(gross[None, :] - (paid * billed)[:, None])
                best = self._inclusive(utilities, open_).mean(axis=1) if open_ else 0.0
                surplus[part, place] = tasks * best - fee
        return plans, surplus

    def _inclusive(self, utilities: list[Array], offers: list[int]) -> Array:
        """Return the expectation of the best of several utilities, tastes included, same shape."""
        choice = self.spec.choice
        doing_without = np.zeros_like(utilities[0])
        if not isinstance(choice, Logit):
            best = np.max(utilities, axis=0)
            return np.asarray(np.maximum(best, 0.0) if self.spec.outside_option else best)
        top = np.max([*utilities, doing_without], axis=0)
        seller_of = self.engine.state.seller_of[offers]
        total = np.exp(-top / choice.scale) if self.spec.outside_option else 0.0
        for s in np.unique(seller_of):
            nest = [u for u, of in zip(utilities, seller_of, strict=True) if of == s]
            inside = sum(np.exp((u - top) / (choice.scale * choice.nest)) for u in nest)
            total = total + inside**choice.nest
        return np.asarray(top + choice.scale * np.log(np.maximum(total, 1e-300)))

    # --- choice ---------------------------------------------------------------------------------

    def choose(self, waits: Waits, now: float) -> None:
        """Let every customer take the plan with the largest surplus; who is indifferent stays."""
        state = self.engine.state
        plans, surplus = self.worth(waits)
        best = surplus.max(axis=1, keepdims=True)
        slack = _ROUNDING * self.stakes(plans)[:, None]
        good = surplus >= best - slack
        holds = np.array(plans)[np.where(good, self._coins(plans), 0).argmax(axis=1)]
        held = state.customers["holds"][self.members]
        for place, c in enumerate(plans):
            stay = good[:, place] & (held == c)
            holds[stay] = c
        take_contracts(state, self.k, holds.astype(np.int64))
        counts = np.bincount(holds[holds >= 0], minlength=len(state.contracts))
        self.taken.append((now, np.append(counts, (holds < 0).sum())))

    def stakes(self, plans: list[int]) -> Array:
        """Return the money at stake: values, the largest bill and the largest fee, USD, [M]."""
        fees = self.engine.state.contracts["fee"] * 1e-9
        largest = max((float(fees[c]) for c in plans if c >= 0), default=0.0)
        bills = np.max(list(self.bills.values()), axis=0) if self.bills else 0.0
        return np.asarray(self.tasks * self.spec.mean_value + bills + largest)

    def _coins(self, plans: list[int]) -> NDArray[np.uint64]:
        """Return a keyed number above 0 for each customer and plan: the larger one wins a tie."""
        mix: Any = getattr(hash2, "py_func", hash2)  # over arrays it runs as NumPy
        names = self.engine.market.contracts
        with np.errstate(over="ignore"):
            mine = mix(self._key, np.arange(len(self.tasks), dtype=np.uint64))
            keys = [name_key("none") if c < 0 else name_key("contract", names[c]) for c in plans]
            coins = np.stack([mix(mine, key) for key in keys], axis=1)
        return np.asarray(coins | np.uint64(1))


def _nodes(law: Any) -> Array:
    """Return equally likely points of a law that keep its mean; one where it is constant."""
    if isinstance(law, Constant):
        return np.array([law.value])
    points = quantiles_of(law, (np.arange(_NODES) + 0.5) / _NODES)
    middle = float(points.mean())
    return points * (law.mean / middle) if middle > 0.0 else points
