"""Buyers' and sellers' response to each other at one moment.

Flows make delays (`delays`), delays make what buyers go by, and from that they choose; each step
with its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rules import lateness
from .choice import Choices, Cuts, cut, even_cuts, logit_choices, moving_shares, still_fine
from .delays import Delays
from .envelope import envelope_choices
from .expectations import DELTA, EARLY, KEPT, PARTS, SERVED, TIME, TIMELY, USED
from .population import Floats
from .setting import Charges, Flags, Setting


@dataclass(frozen=True)
class Quoted:
    """What buyers go by: utility is v·gain − c·time − base, each of shape [J, O]."""

    gain: Floats
    time: Floats
    base: Floats

    def lines(self, kinds: NDArray[np.int64], on: NDArray[np.int64]) -> tuple[Floats, ...]:
        """Return gain, time and base of some kinds and offers, each [D, n] and contiguous."""
        at = np.ix_(kinds, on)
        return tuple(np.ascontiguousarray(x[at]) for x in (self.gain, self.time, self.base))


class Response(Delays):
    """Buyers' and sellers' response to each other at one moment, and its derivatives.

    Attributes:
        arrivals: of each kind, tasks/s, shape [J].
        faint: tastes lent to argmax buyers, USD; 0 where there are none.
        lent: whether they are lent to those, too, who differ along a law.
        stake: the most that argmax buyers can gain, USD.
        alike: kinds of one class that are shown the same offers, side by side.
        cuts: how each such group's lines of values and delay costs are cut; None where they are
            cut as each choice asks for, as they must not be while derivatives are taken.
    """

    def __init__(
        self, setting: Setting, charges: Charges, rates: Floats, toll: Floats | None = None,
        like: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(setting, charges)
        self.rates = rates
        self.toll = np.zeros(setting.serves.shape) if toll is None else toll
        self.arrivals = rates[setting.class_of] * setting.part
        self.faint, self.lent, self.stake = 0.0, False, 1.0
        self.alike = _alike(setting, self.on_show)
        self.cuts: list[Cuts | None] = [None] * len(self.alike)
        if like is not None:
            self.faint, self.lent = like.faint, like.lent
            if np.array_equal(like.on_show, self.on_show):
                self.cuts = list(like.cuts)
        self._believed = _beliefs(setting) if setting.promised.any() and charges.trusting else None

    # --- from what buyers expect to what they go by ---

    def billed(self, expected: Floats, right: Floats) -> tuple[Floats, Floats]:
        """Return (share of the price paid net of refunds, tokens they spare), each [J, O]."""
        served, timely, early = expected[..., SERVED], expected[..., TIMELY], expected[..., EARLY]
        if not self.charges.refunds:
            return served, np.zeros_like(served)
        refund = self.setting.refunds
        late = right * refund[1, 1] + (1.0 - right) * refund[1, 0]
        on_time = right * refund[0, 1] + (1.0 - right) * refund[0, 0]
        return served - (served - timely) * late - timely * on_time, (late - on_time) * early

    def quoted(self, expected: Floats) -> Quoted:
        """Return what buyers go by, from what they can expect."""
        st, charges = self.setting, self.charges
        right, loss = charges.right[st.class_of], st.state.classes["loss"][st.class_of, None]
        told = self.believe(expected)
        return Quoted(
            right * told[..., DELTA], told[..., TIME],
            (1.0 - right) * loss * told[..., USED] + self.paid(told, right) + self.toll,
        )  # fmt: skip

    def believe(self, expected: Floats) -> Floats:
        """Return what buyers believe: promises where they are told them, else what is so."""
        if self._believed is None:
            return expected
        promised = self.setting.promised[self.setting.seller_of][:, None]
        return np.where(promised, self._believed, expected)

    def paid(self, expected: Floats, right: Floats) -> Floats:
        """Return the expected payment net of refunds and penalties, USD, shape [J, O]."""
        st, charges = self.setting, self.charges
        billed, tilt = self.billed(expected, right)
        paid = charges.ask[st.class_of] * billed + charges.slope[st.class_of] * tilt
        if charges.refunds:
            penalty = st.state.sellers["penalty"][st.seller_of]
            paid = paid - penalty * (expected[..., SERVED] - expected[..., KEPT])
        return np.asarray(paid)

    # --- from what buyers go by to choices ---

    def choose(self, quoted: Quoted, moves: bool) -> list[Choices]:
        """Return what the buyers of each kind choose among the offers on show."""
        found = [_NOTHING] * len(self.arrivals)
        for i, together, on in self.groups():
            if not self.arrivals[together].any():
                chosen = [_nothing(len(on))] * len(together)
            else:
                chosen = self.among(
                    int(together[0]), on, *quoted.lines(together, on), moves=moves,
                    cuts=self.cuts[i],
                )  # fmt: skip
            for j, choice in zip(together, chosen, strict=True):
                found[j] = choice
        return found

    def groups(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield number and kinds of each group that chooses alike, and the offers it is shown."""
        for i, together in enumerate(self.alike):
            on = np.flatnonzero(self.on_show[together[0]])
            if len(on):
                yield i, together, on

    def cut(self, quoted: Quoted) -> bool:
        """Cut the lines of values and delay costs as these quotes ask for; return if anew."""
        anew = False
        for i, together, on in self.groups():
            k = self.setting.class_of[together[0]]
            if self._by_envelope(k) or not self.arrivals[together].any():
                continue
            cuts: Cuts | None = self.cuts[i]
            lines: Any = quoted.lines(together, on)
            by: Any = (self.setting.money[k], *self._tastes(k), self._may_do_without(k))
            if cuts is None or not still_fine(*(*lines, *by, cuts)):
                self.cuts[i], anew = cut(*lines, *by), True
        return anew

    def _may_do_without(self, k: int) -> bool:
        return bool(self.setting.state.classes[k]["outside"] == 1)

    def among(
        self, j: int, on: NDArray[np.int64], gain: Floats, time: Floats, base: Floats, *,
        moves: bool, cuts: Cuts | None = None,
    ) -> list[Choices]:  # fmt: skip
        """Return what buyers like those of kind j choose among offers `on`, by lines [D, n]."""
        st, k = self.setting, self.setting.class_of[j]
        money, outside = st.money[k], self._may_do_without(k)
        if self._by_envelope(k):
            each = zip(gain, time, base, strict=True)
            return [envelope_choices(*line, money, outside, moves) for line in each]
        scale, nest = self._tastes(k)
        nests = np.arange(len(on)) if nest == 1.0 else st.seller_of[on]
        return logit_choices(gain, time, base, money, nests, scale, nest, outside, moves, cuts)

    def _by_envelope(self, k: int) -> bool:
        return bool(self.setting.argmax[k] and self.setting.money[k].along and not self.lent)

    def _tastes(self, k: int) -> tuple[float, float]:
        """Return the scale and the nesting parameter of a class's tastes."""
        kind = self.setting.state.classes[k]
        if self.setting.argmax[k]:
            return self.faint, 1.0
        return float(kind["scale"]), float(kind["nest"])

    def moving(
        self, together: NDArray[np.int64], on: NDArray[np.int64], quoted: Quoted,
        own: Flags, counts: Flags,
    ) -> Callable[[Floats], Floats]:  # fmt: skip
        """Return the shares of offers `on` as a function of what those of one seller cost more.

        It takes by how much, USD, shape [P, D, n], and returns shares, [P, D, n], roughly: over the
        coarser points of values, for prices are tried by it. Shares of offers that do not count
        need not be right.

        Args:
            together: D kinds of one class that are shown the same offers.
            on: those n offers.
            quoted: what buyers go by now.
            own: which of them cost more, shape [n].
            counts: offers whose shares are wanted, shape [n].
        """
        st, k = self.setting, self.setting.class_of[together[0]]
        gain, time, base = quoted.lines(together, on)
        if not (st.argmax[k] and st.money[k].along):
            scale, nest = self._tastes(k)
            nests = np.arange(len(on)) if nest == 1.0 else st.seller_of[on]
            if own.any() and (nest < 1.0 or own.sum() == 1):
                nested = nests == nests[int(np.flatnonzero(own)[0])]
                found = moving_shares(
                    gain, time, base, st.money[k], nests, scale, nest, self._may_do_without(k),
                    nested, counts,
                )  # fmt: skip
                return lambda more: found(more[..., nested])

        def each(more: Floats) -> Floats:
            dear = base + more
            wide = [np.broadcast_to(x, dear.shape).reshape(-1, len(on)) for x in (gain, time, dear)]
            cuts = even_cuts(st.money[k], len(wide[0]))
            found = self.among(int(together[0]), on, *wide, moves=False, cuts=cuts)
            return np.array([choice.share[:-1] for choice in found]).reshape(dear.shape)

        return each

    def wanted(self, choices: list[Choices]) -> Floats:
        """Return the flows that the choices make, tasks/s, shape [J, O]."""
        out = np.zeros(self.work.shape)
        for j, choice in enumerate(choices):
            out[j, self.on_show[j]] = self.arrivals[j] * choice.share[:-1]
        return out


def _alike(setting: Setting, on_show: Flags) -> list[NDArray[np.int64]]:
    """Return the kinds in groups of one class that considers the same offers."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for j, k in enumerate(setting.class_of):
        groups.setdefault((int(k), on_show[j].tobytes()), []).append(j)
    return [np.array(group) for group in groups.values()]


def _nothing(n: int) -> Choices:
    """Return the choices of a kind that does not come, or is shown nothing."""
    none = np.zeros(n)
    return Choices(np.append(none, 1.0), none, none, 0.0, np.zeros((3, n, n)))


_NOTHING = _nothing(0)


def _beliefs(setting: Setting) -> Floats:
    """Return what buyers make of promises, shape [J, O, PARTS]."""
    out = np.zeros((*setting.serves.shape, PARTS))
    for j, k in enumerate(setting.class_of):
        kind = setting.state.classes[k]
        for o, s in enumerate(setting.seller_of):
            promise = float(setting.state.sellers[s]["promise"])
            if not math.isfinite(promise):
                continue
            left = lateness(
                int(kind["late_rule"]), float(kind["late_parameter"]), promise - setting.deadline[j]
            )
            on_time = float(promise <= setting.deadline[j])
            out[j, o, [DELTA, USED, TIMELY]] = left, float(left > 0.0), on_time
            out[j, o, [TIME, SERVED, KEPT]] = promise, 1.0, 1.0
    return out
