"""A market with contracts as plain SimPy processes."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import numpy as np

from walras.agents.economy import Economy
from walras.market.rng import WHO, hash2, hashed, name_key, uniform
from walras.market.schema.contracts import Contract
from walras.market.schema.demand import Logit
from walras.market.schema.distributions import Constant, ShareOfValue
from walras.market.schema.market import Market
from walras.market.sizes import quantiles_of

from .beliefs import Beliefs, Outlook, Scores
from .calendar import AGENT
from .compare import Kernel, rows_of
from .draws import Draws, draw_tables
from .events import Event, agent_events
from .market import Simulation, nano
from .station import Process
from .task import Task
from .terms import Law, charge

LAST = 1 << 60
NODES = 32


def points(law: Any) -> list[float]:
    """Return equally likely points of a law, with its mean."""
    if isinstance(law, Constant):
        return [law.value]
    found = quantiles_of(law, (np.arange(NODES) + 0.5) / NODES)
    scale = law.mean / found.mean() if found.mean() > 0 else 1.0
    return [float(x) * scale for x in found]


class Customer:
    """One customer: what it holds and expects, and what it has brought this period."""

    def __init__(self, number: int, tasks: float, tokens_in: float, output: float) -> None:
        self.number = number
        self.holds, self.left = -1, 0.0
        self.expects = tasks
        self.prior = (tasks, tokens_in, output)
        self.bills: dict[tuple[int, int], float] = {}
        self.brought: list[tuple[float, float]] = []


class Delays:
    """What was met at a level of a seller: this period, and what is remembered of it."""

    def __init__(self, speed: float) -> None:
        self.chance, self.wait, self.pace = 0.0, 0.0, 1.0 / speed
        self.seen: list[tuple[float, bool, float, float]] = []

    def learn(self) -> None:
        """Remember the period, half as heavy as all before it together."""
        waits = [wait for wait, *_ in self.seen if wait > 0.0]
        starts = sum(served for wait, served, *_ in self.seen if wait > 0.0)
        work = sum(w for _, served, _, w in self.seen if served)
        service = sum(t for _, served, t, _ in self.seen if served)
        if self.seen:
            self.chance += (len(waits) / len(self.seen) - self.chance) / 2
        if waits:
            self.wait += (math.fsum(waits) / max(starts, 0.5) - self.wait) / 2
        if work > 0.0:
            self.pace += (service / work - self.pace) / 2
        self.seen.clear()


class ContractMarket(Simulation):
    """A market in which customers hold contracts."""

    def __init__(self, market: Market, tables: Any, draws: Draws, events: list[Event],
                 rates: list[float]) -> None:  # fmt: skip
        """Take the spec, its tables, all draws, the agents' events, and tasks/s by class."""
        super().__init__(market, tables, draws, events)
        self.tables = tables
        self.period = market.platform.contract_period
        self.contracts: list[tuple[int, str, Contract]] = [
            (s, f"{seller.name}/{name}", contract)
            for s, seller in enumerate(market.sellers)
            for name, contract in seller.contracts.items()
        ]
        self.customers: list[list[Customer]] = []
        self.upto: list[list[float]] = []
        for k, kind in enumerate(tables.classes):
            first, count = int(kind["member"]), int(kind["customers"])
            self.upto.append(tables.customers["upto"][first : first + count].tolist())
            self.customers.append([])
            for j, (share, before) in enumerate(
                zip(self.upto[-1], [0.0, *self.upto[-1]], strict=False)
            ):
                tasks = (share - before) * rates[k] * self.period
                beliefs = self.beliefs[k]
                tokens_in = output = 0.0
                for o in beliefs.serving[:1]:
                    tokens_in = tasks * beliefs.tokens_in[o]
                    billed = beliefs.billed_out[o] - self.terms[o].thinking
                    output = tasks * (billed / self.terms[o].verbosity)
                self.customers[-1].append(Customer(j, tasks, tokens_in, output))
        self.who = self.whose()
        self.delays = [[Delays(s.speed) for _ in range(8)] for s in market.sellers]
        self.taken: list[tuple[float, int, list[int]]] = []
        self.number = -1
        self.calendar.process(self.periods())

    def whose(self) -> list[Customer]:
        """Return the customer of each row of the demand."""
        found = []
        for row in self.draws.demand:
            k = int(row["kind"])
            with np.errstate(over="ignore"):
                u = float(uniform(np.uint64(hash2(row["id"], WHO))))
            found.append(self.customers[k][min(bisect_right(self.upto[k], u),
                                               len(self.upto[k]) - 1)])  # fmt: skip
        users: dict[int, int] = {}
        for k, rows in self.draws.users:
            for row in rows:
                found[row] = self.customers[k][users.get(k, 0)]
            users[k] = users.get(k, 0) + 1
        return found

    # --- periods --------------------------------------------------------------------------------

    def periods(self) -> Process:
        """Let all customers learn and choose at the start of each period."""
        while True:
            yield self.calendar.at((self.number + 1) * self.period, AGENT, LAST)
            self.number += 1
            if self.number:
                for levels in self.delays:
                    for delays in levels:
                        delays.learn()
            for k, customers in enumerate(self.customers):
                for customer in customers:
                    self.learn(k, customer)
                self.renew(k)

    def learn(self, k: int, customer: Customer) -> None:
        """Weigh what the period's use would have cost; before the first, what it may bring."""
        if self.number == 0:
            tasks, tokens_in, output = customer.prior
            customer.bills = {
                plan: self.bill(plan, tasks, tokens_in, output) for plan in self.plans(k)
            }
            return
        tasks = float(len(customer.brought))
        tokens_in = sum(x for x, _ in customer.brought)
        output = sum(x for _, x in customer.brought)
        customer.brought.clear()
        customer.expects += (tasks - customer.expects) / 2
        for plan in self.plans(k):
            bill = self.bill(plan, tasks, tokens_in, output)
            customer.bills[plan] += (bill - customer.bills[plan]) / 2

    def plans(self, k: int) -> list[tuple[int, int]]:
        """Return all (contract or −1, offer) of a class."""
        return [
            (c, o) for o in self.beliefs[k].serving
            for c in (-1, *range(len(self.contracts)))
            if c < 0 or self.contracts[c][0] == self.terms[o].seller
        ]  # fmt: skip

    def bill(self, plan: tuple[int, int], tasks: float, tokens_in: float, output: float) -> float:
        """Return what use costs, fee apart."""
        c, o = plan
        terms = self.terms[o]
        billed = output * terms.verbosity + tasks * terms.thinking
        posted = tasks * terms.price[0] + tokens_in * terms.price[1] + billed * terms.price[2]
        if c < 0:
            return posted
        contract, tokens = self.contracts[c][2], tokens_in + billed
        over = max(tokens - contract.quota, 0.0) / tokens if tokens > 0.0 else 0.0
        return contract.rate * posted * over

    def renew(self, k: int) -> None:
        """Let each customer of a class take the best plan, and pay its fee."""
        there = [station.listed and not station.down for station in self.stations]
        shown = [(c, o) for c, o in self.plans(k) if there[self.terms[o].seller]]
        worth = {plan: self.prospect(k, *plan) for plan in shown}
        plans = [-1, *sorted({c for c, _ in shown} - {-1})]
        for customer in self.customers[k]:
            surplus = {c: self.surplus(k, customer, c, worth) for c in plans}
            fees = [self.contracts[c][2].fee for c in plans if c >= 0]
            stakes = customer.expects * self.market.tasks[k].mean_value
            stakes += max(customer.bills.values(), default=0.0) + max(fees, default=0.0)
            best, slack = max(surplus.values()), 1e-9 * stakes
            good = [c for c in plans if surplus[c] >= best - slack]
            if customer.holds not in good:
                customer.holds = max(good, key=lambda c: self.coin(k, customer, c))
            customer.left = self.contracts[customer.holds][2].quota if customer.holds >= 0 else 0.0
        held = [c.holds for c in self.customers[k]]
        self.taken.append((self.calendar.now, k, held))
        for c in held:
            if c >= 0 and self.contracts[c][2].fee > 0:
                fee = nano(self.contracts[c][2].fee)
                kept = round(fee * self.market.platform.commission)
                self.fees.append((k, self.contracts[c][0], fee, kept))

    def coin(self, k: int, customer: Customer, c: int) -> int:
        """Return a customer's number for a plan."""
        with np.errstate(over="ignore"):
            key = hashed(int(self.tables.classes[k]["key"]), name_key("contract"))
            mine = hashed(key, customer.number)
            name = ("none",) if c < 0 else ("contract", self.contracts[c][1])
            return int(hashed(mine, name_key(*name))) | 1

    def prospect(self, k: int, c: int, o: int) -> tuple[list[float], float]:
        """Return (worth of a task before its price by value, share of its price that is paid)."""
        beliefs, spec, terms = self.beliefs[k], self.market.tasks[k], self.terms[o]
        level = self.level_under(k, c, terms.seller)
        met = self.delays[terms.seller][level]
        law = Law(met.chance, met.wait, 1.0, 1.0 / met.pace)
        dues = [math.inf] if spec.deadline is None else points(spec.deadline)
        looks = []
        for due in dues:
            patience = {"none": math.inf, "deadline": due}.get(spec.patience.kind)
            if patience is None:
                patience = spec.patience.mean  # type: ignore[union-attr]
            looks.append(self.look(beliefs, c, o, law, due, patience, None))
        mean = Outlook(*(sum(x) / len(dues) for x in zip(*looks, strict=True)))
        right = float(beliefs.accuracy[o])
        fine = terms.spec.penalty * (mean.served - mean.kept)
        gross = []
        for value in points(spec.value):
            delay = spec.delay_cost
            cost = delay.per_second * value if isinstance(delay, ShareOfValue) else delay.mean
            gross.append(
                right * value * mean.delta - (1 - right) * spec.loss * mean.used
                - cost * mean.time + fine
            )  # fmt: skip
        billed = self.paid_share(beliefs, c, o, mean)
        ask = float(beliefs.ask[o])
        if ask > 0.0:
            billed += self.beyond(beliefs, c, o, mean, 1.0) / ask
        return gross, billed

    def surplus(self, k: int, customer: Customer, c: int, worth: dict[Any, Any]) -> float:
        """Return what a customer expects to gain in a period under contract c, USD."""
        spec = self.market.tasks[k]
        fee = self.contracts[c][2].fee if c >= 0 else 0.0
        offers = [o for plan, o in worth if plan < 0]
        total, nodes = 0.0, len(points(spec.value))
        for node in range(nodes):
            net: dict[int, list[float]] = {}
            for o in offers:
                plan = (c, o) if (c, o) in worth else (-1, o)
                gross, billed = worth[plan]
                paid = customer.bills[plan] / customer.expects if customer.expects > 0 else 0.0
                net.setdefault(self.terms[o].seller, []).append(gross[node] - paid * billed)
            total += inclusive(net, spec.choice, spec.outside_option)
        return customer.expects * total / nodes - fee

    # --- a task under a contract ----------------------------------------------------------------

    def level_under(self, k: int, c: int, s: int) -> int:
        """Return the level at which a class's tasks wait at a seller under a contract."""
        if not self.stations[s].by_level:
            return 0
        contract = self.contracts[c][2] if c >= 0 else Contract()
        if contract.level is not None:
            return contract.level
        return 7 if contract.within is not None else self.market.tasks[k].priority

    def look(
        self, beliefs: Beliefs, c: int, o: int, law: Law, deadline: float, patience: float,
        work: float | None,
    ) -> Outlook:  # fmt: skip
        """Return a buyer's outlook at an offer under a contract."""
        contract = self.contracts[c][2] if c >= 0 else Contract()
        if contract.within is not None:
            delta = beliefs.delta(contract.within - deadline)
            return Outlook(1.0, delta, float(delta > 0.0), float(contract.within <= deadline),
                           contract.within, 1.0)  # fmt: skip
        return beliefs.foresee(o, law, deadline, patience, work, usual=False)

    def paid_share(self, beliefs: Beliefs, c: int, o: int, outlook: Outlook) -> float:
        """Return the expected share of the price that is paid."""
        spec, right = self.terms[o].spec, float(beliefs.accuracy[o])
        late, wrong = spec.refund_late, spec.refund_wrong
        if c >= 0 and self.contracts[c][2].on_success:
            wrong = 1.0
        overdue = outlook.served - outlook.timely
        back = overdue * (right * late + (1 - right) * max(late, wrong))
        return outlook.served - back - outlook.timely * (1 - right) * wrong

    def beyond(self, beliefs: Beliefs, c: int, o: int, outlook: Outlook, share: float) -> float:
        """Return what refunds to large tasks add to the payment."""
        spec, right = self.terms[o].spec, float(beliefs.accuracy[o])
        late, wrong = spec.refund_late, spec.refund_wrong
        if c >= 0 and self.contracts[c][2].on_success:
            wrong = 1.0
        more = right * late + (1 - right) * (max(late, wrong) - wrong)
        return float(beliefs.slope[o]) * share * more * outlook.early

    def held_at(self, task: Task, s: int) -> int:
        """Return the contract of a task's customer at a seller, or −1."""
        c = self.who[task.row].holds
        return c if c >= 0 and self.contracts[c][0] == s else -1

    def score_for(self, beliefs: Beliefs, task: Task, score: Scores) -> Scores:
        """Score the offers of one's contract's seller under it."""
        customer = self.who[task.row]
        customer.brought.append((task.input, task.output))
        score = score.copy()
        for o in beliefs.serving:
            c = self.held_at(task, self.terms[o].seller)
            if c >= 0 and score[o] > -math.inf:
                score[o] = self.utility_under(beliefs, task, o, c)
        return score

    def utility_under(self, beliefs: Beliefs, task: Task, o: int, c: int) -> float:
        """Return what an offer is worth to a task under a contract, taste apart."""
        terms, contract = self.terms[o], self.contracts[c][2]
        if beliefs.latency == "average":
            law = beliefs.past[o].law()
        else:
            level = self.level_under(task.kind, c, terms.seller)
            law = beliefs.observed(self.stations[terms.seller], level)
        billed = terms.billed(task.output)
        tokens = beliefs.tokens_in[o] + beliefs.billed_out[o]
        ask, work = float(beliefs.ask[o]), None
        if beliefs.told:
            tokens, ask = task.input + billed, charge(terms.price, task.input, billed)
            work = task.input * terms.prefill + billed
        share = contract.rate * uncovered(tokens, self.who[task.row].left)
        out = self.look(beliefs, c, o, law, task.deadline, task.patience, work)
        right = float(beliefs.accuracy[o])
        fine = terms.spec.penalty * (out.served - out.kept)
        paid = ask * share * self.paid_share(beliefs, c, o, out)
        paid += self.beyond(beliefs, c, o, out, share) - fine
        return (
            right * task.value * out.delta - (1 - right) * beliefs.spec.loss * out.used
            - task.delay_cost * out.time - paid
        )  # fmt: skip

    def ordered(self, task: Task) -> int:
        """Bill an ordered task under its customer's contract; return its level."""
        terms = self.terms[task.offer]
        task.contract = self.held_at(task, terms.seller)
        level = self.level_under(task.kind, task.contract, terms.seller)
        if task.contract >= 0:
            customer = self.who[task.row]
            tokens = task.input + terms.billed(task.output)
            rate = self.contracts[task.contract][2].rate
            task.price *= rate * uncovered(tokens, customer.left)
            task.covered, task.number = min(tokens, customer.left), self.number
            customer.left -= task.covered
        return level

    def judged(
        self, task: Task, right: bool, sojourn: float, price: int, refund: int, penalty: int
    ) -> tuple[int, int]:  # fmt: skip
        """Return (refund, penalty) as the contract has it."""
        seen = self.delays[self.terms[task.offer].seller][task.level].seen
        seen.append((task.wait, True, task.service, task.work))
        if task.contract < 0:
            return refund, penalty
        contract = self.contracts[task.contract][2]
        late = False
        if contract.within is not None:
            penalty = 0
            grain = 1e-15 * (self.calendar.now + contract.within)
            late = sojourn - contract.within > grain
        if late or (contract.on_success and not right):
            self.give_back(task)
            return price, penalty
        return refund, penalty

    def unserved(self, task: Task, status: str) -> None:
        """Give back the quota of a task that was not served."""
        if task.offer < 0:
            return
        if status == "reneged":
            seen = self.delays[self.terms[task.offer].seller][task.level].seen
            seen.append((task.wait, False, 0.0, 0.0))
        self.give_back(task)

    def give_back(self, task: Task) -> None:
        """Give back what a task took of this period's quota."""
        if task.contract >= 0 and task.number == self.number:
            self.who[task.row].left += task.covered

    def teaches(self, task: Task) -> bool:
        """Return whether the class learns of a task's delay: not from another level."""
        contract = self.contracts[task.contract][2] if task.contract >= 0 else Contract()
        by_level = self.stations[self.terms[task.offer].seller].by_level
        return contract.level is None and (contract.within is None or not by_level)


def uncovered(tokens: float, left: float) -> float:
    """Return the share of a task that its customer's quota does not cover."""
    return 1.0 if left <= 0.0 else max(tokens - left, 0.0) / max(tokens, left)


def inclusive(net: dict[int, list[float]], choice: Any, outside: bool) -> float:
    """Return the expectation of the best of utilities by seller, tastes included."""
    if not net:
        return 0.0
    every = [u for nest in net.values() for u in nest] + ([0.0] if outside else [])
    if not isinstance(choice, Logit):
        return max(every)
    top = max(every)
    total = math.exp(-top / choice.scale) if outside else 0.0
    for nest in net.values():
        inside = sum(math.exp((u - top) / (choice.scale * choice.nest)) for u in nest)
        total += inside**choice.nest
    return top + choice.scale * math.log(total)


# --- running both ------------------------------------------------------------------------------


def run_economy(market: Market, seed: int, until: float) -> tuple[Kernel, Draws, Any, Economy]:
    """Return a run of the kernel with its agents, its draws, and the tables before it began."""
    found: list[Any] = []
    economy = Economy(market, seed, keep=found.append)
    engine = economy.engine
    draws = draw_tables(engine, until)
    tables = engine.state._replace(cells=engine.state.cells.copy())
    economy.advance(until)
    engine.flush()
    return rows_of(engine, found), draws, tables, economy


def run_contracts(market: Market, tables: Any, draws: Draws, economy: Economy,
                  until: float) -> ContractMarket:  # fmt: skip
    """Return a finished run of the oracle."""
    events = [event for event in agent_events(market) if event.time < until]
    rates = [economy.engine.arrival_rate(k) for k in range(len(market.tasks))]
    oracle = ContractMarket(market, tables, draws, events, rates)
    oracle.run(until)
    return oracle
