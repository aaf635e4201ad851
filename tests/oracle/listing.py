"""The oracle's platform: ratings, sponsored positions, and buyers to whom looking costs something.

Written from the model: every quantity is worked out afresh when it is wanted.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from scipy import integrate, optimize

from walras.market.schema.demand import Logit

from .beliefs import Beliefs, Scores
from .bidding import upper
from .market import Choice, Simulation, nano
from .task import Task
from .terms import charge

EULER = 0.5772156649015329


@cache
def hope(cost: float) -> float:
    """Return ζ with E[max(X − ζ, 0)] = cost, X Gumbel less its mean, by quadrature."""

    def gain(zeta: float) -> float:
        def survival(x: float) -> float:
            return -math.expm1(-math.exp(-(x + EULER)))

        # Below −40 it is 1 to the last bit; past the bulk it falls like e^−x.
        bulk = integrate.quad(survival, zeta, zeta + 30.0, epsabs=1e-14, limit=500)[0]
        return float(bulk) + math.exp(-(zeta + 30.0 + EULER))

    low, high = -cost - 5.0, 5.0 + max(0.0, -math.log(cost))
    return float(optimize.brentq(lambda z: gain(z) - cost, low, high, xtol=1e-13))


class Listed(Beliefs):
    """Buyers of a class, before the platform's listing."""

    def __init__(self, *args: Any) -> None:
        self.right: dict[int, int] = {}
        self.answers: dict[int, int] = {}
        self.owed: list[float] = []
        self.listing: list[int] = []
        super().__init__(*args)
        self.rank()

    def rating(self, o: int) -> float:
        """Return the share of right answers, the claim counting like so many."""
        prior, answers = self.market.platform.rating_prior, self.answers.get(o, 0)
        if prior + answers == 0:
            return float(self.claim[o])
        return float(prior * self.claim[o] + self.right.get(o, 0)) / (prior + answers)

    def learn(self, o: int, right: bool) -> None:
        """Add an answer."""
        self.answers[o] = self.answers.get(o, 0) + 1
        self.right[o] = self.right.get(o, 0) + right
        if self.market.quotes.accuracy == "rated":
            self.accuracy[o] = self.rating(o)
            self.known.clear()
            self.stale.add(self.terms[o].seller)

    def offered(self, o: int) -> float:
        """Return what the seller of an offer bids for its position."""
        return self.terms[o].spec.sponsor

    def rank(self) -> None:
        """Put the offers in order: best rated first, or highest bidder."""
        means = np.array([t.spec.cost_factor.mean for t in self.terms])
        asks = np.where(self.made, self.cost * means, self.ask)

        def place(o: int) -> tuple[float, float, int]:
            if self.market.platform.ranking == "rating":
                return (-self.rating(o), 0.0, self.tie_key[o])
            return (-self.offered(o), float(asks[o]), self.tie_key[o])

        self.listing = sorted(self.serving, key=place)

    def there(self, s: int) -> bool:
        """Return whether a seller is on the market."""
        station = self.stations[s]
        return station.listed and not station.down and not self.silent(s)

    def fee(self, o: int) -> float:
        """Return what a sale costs now: the bid of the next seller among those on the market."""
        if self.market.platform.ranking != "sponsored" or self.spec.consideration is None:
            return 0.0
        here = [j for j in self.listing if self.there(self.terms[j].seller)]
        if len(here) <= self.spec.consideration or o not in here:
            return 0.0
        mine = self.terms[o].seller
        above = [self.terms[j].seller for j in here]
        rest = [j for j in here[above.index(mine) :] if self.terms[j].seller != mine]
        before = set(above[: above.index(mine)])
        return next((self.offered(j) for j in rest if self.terms[j].seller not in before), 0.0)

    def least(self, o: int, law: Any, deadline: float, patience: float, cost: float,
              outlook: Any, work: float | None = None) -> float:  # fmt: skip
        """Return the least a seller asks; what advertising costs is a cost."""
        return super().least(o, law, deadline, patience, cost + self.fee(o), outlook, work)

    def worth(self, *task: Any) -> Scores:
        """Return the expected utility of every offer; bids follow what positions cost."""
        if any(self.made) and self.market.platform.ranking == "sponsored":
            owed = [self.fee(o) for o in range(len(self.terms))]
            if owed != self.owed:
                self.owed = owed
                self.stale.update(range(len(self.stations)))
        return super().worth(*task)


class Listing(Simulation):
    """A market whose platform rates and sells positions, and whose buyers may have to search."""

    believes = Listed
    beliefs: list[Listed]  # type: ignore[assignment]

    def set_price(self, s: int, lever: float) -> None:
        """Change a seller's prices; sponsored positions follow at once."""
        super().set_price(s, lever)
        if self.market.platform.ranking == "sponsored":
            self.rank()

    def rank(self) -> None:
        """Rank all offers anew."""
        for beliefs in self.beliefs:
            beliefs.rank()

    def limit(self, beliefs: Beliefs, task: Task, score: Scores) -> Scores:
        """Leave only the offers that the platform shows."""
        if self.market.platform.ranking in ("rating", "sponsored"):
            assert isinstance(beliefs, Listed)
            beliefs.order = beliefs.listing
        return super().limit(beliefs, task, score)

    def choose(self, task: Task) -> None:
        """Let a buyer choose or search; a sale has its price in advertising."""
        if self.market.platform.search_cost > 0.0:
            self.search(task)
        else:
            super().choose(task)
        if task.offer >= 0:
            task.fee = self.beliefs[task.kind].fee(task.offer)

    def reservation(self, utility: float, k: int) -> float:
        """Return Weitzman's reservation value of an offer."""
        cost, choice = self.market.platform.search_cost, self.market.tasks[k].choice
        if isinstance(choice, Logit):
            return utility + choice.scale * hope(cost / choice.scale)
        return utility - cost

    def search(self, task: Task) -> None:
        """Look at one offer after the other while the next promises more than is in hand."""
        k, beliefs = task.kind, self.beliefs[task.kind]
        task.joined = self.calendar.now
        utility = beliefs.worth(
            task.value,
            task.delay_cost,
            task.deadline,
            task.patience,
            task.input,
            task.output,
            self.tails[task.row],
        )
        if beliefs.spec.consideration is not None:
            utility = self.limit(beliefs, task, utility)
        coin = self.draws.tie[task.row].tolist()
        boxes = [o for o in beliefs.serving if utility[o] > -math.inf]
        boxes.sort(key=lambda o: (-utility[o], -coin[o]))
        doing_without = self.outside[task.row] if beliefs.spec.outside_option else -math.inf
        opened: dict[int, float] = {}
        for o in boxes:
            if max([doing_without, *opened.values()]) >= self.reservation(float(utility[o]), k):
                break
            opened[o] = float(utility[o]) + float(self.taste[task.row][o])
        self.take(task, opened, doing_without)

    def take(self, task: Task, opened: dict[int, float], doing_without: float) -> None:
        """Take the best of what was found, or do without; looking has been paid for."""
        beliefs, coin = self.beliefs[task.kind], self.draws.tie[task.row].tolist()
        task.search = self.market.platform.search_cost * len(opened)
        o = max(opened, key=lambda j: (opened[j], coin[j]), default=-1)
        if o < 0 or opened[o] < doing_without:
            task.taste = doing_without if beliefs.spec.outside_option else 0.0
            task.utility = -task.search
            self.choices.append(Choice(task.id, -1, 0.0, task.utility))
            self.end(task, "balked")
            return
        terms = self.terms[o]
        billed = terms.billed(task.output)
        task.price = charge(terms.price, task.input, billed)
        task.utility = opened[o] - task.search
        task.offer, task.cell = o, task.kind * len(self.terms) + o
        task.taste = float(self.taste[task.row][o])
        task.factor = upper(terms.spec.cost_factor, self.tails[task.row][terms.seller])
        if terms.spec.promise is not None:
            task.promise = terms.spec.promise
        task.work = task.left = task.input * terms.prefill + billed
        self.choices.append(Choice(task.id, o, task.price, task.utility))
        self.in_system += 1
        self.stations[terms.seller].join(task, beliefs.spec.priority)

    def settle(self, task: Task) -> None:
        """Judge and pay; the seller pays for its position, and the answer is rated."""
        super().settle(task)
        trade = self.trades[-1]
        self.trades[-1] = trade._replace(
            advertising=nano(task.fee), search=task.search, surplus=trade.surplus - task.search
        )
        self.beliefs[task.kind].learn(task.offer, trade.right)

    def give_up(self, task: Task, status: str) -> None:
        """Write the row of a task that was not served; its buyer has looked all the same."""
        super().give_up(task, status)
        trade = self.trades[-1]
        self.trades[-1] = trade._replace(search=task.search, surplus=trade.surplus - task.search)
