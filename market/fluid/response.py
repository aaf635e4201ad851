"""Buyers' and sellers' response to each other at one moment.

Flows make delays (`delays`), delays make what buyers go by, and from that they choose; each step
with its derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rules import lateness, refund_share
from .choice import Choices, Cuts, cut, even_cuts, logit_choices, moved_shares, still_fine
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
        self._refund = _refunds(setting)

    # --- from what buyers expect to what they go by ---

    def billed(self, expected: Floats, right: Floats) -> tuple[Floats, Floats]:
        """Return (share of the price paid net of refunds, tokens they spare), each [J, O]."""
        served, timely, early = expected[..., SERVED], expected[..., TIMELY], expected[..., EARLY]
        if not self.charges.refunds:
            return served, np.zeros_like(served)
        refund = self._refund[:, :, self.setting.seller_of]
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
        found = [_nothing()] * len(self.arrivals)
        for i, together, on in self._groups():
            chosen = self.among(
                int(together[0]), on, *quoted.lines(together, on), moves=moves, cuts=self.cuts[i]
            )
            for j, choice in zip(together, chosen, strict=True):
                found[j] = choice
        return found

    def _groups(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield number and kinds of each group that chooses alike, and the offers it is shown."""
        for i, together in enumerate(self.alike):
            on = np.flatnonzero(self.on_show[together[0]])
            if len(on):
                yield i, together, on

    def cut(self, quoted: Quoted) -> bool:
        """Cut the lines of values and delay costs as these quotes ask for; return if anew."""
        anew = False
        for i, together, on in self._groups():
            k = self.setting.class_of[together[0]]
            if self._by_envelope(k):
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

    def among_moved(
        self, together: NDArray[np.int64], on: NDArray[np.int64], quoted: Quoted,
        own: Flags, more: Floats,
    ) -> Floats:  # fmt: skip
        """Return the shares [P, D, n] of offers `on` as those of one seller cost more.

        Roughly, over the coarser points of values: prices are tried by it.

        Args:
            together: D kinds of one class that are shown the same offers.
            on: those n offers.
            quoted: what buyers go by now.
            own: which of them cost more, shape [n].
            more: by how much, USD, shape [P, D, n].
        """
        st, k, at = self.setting, self.setting.class_of[together[0]], np.ix_(together, on)
        if not (st.argmax[k] and st.money[k].along):
            scale, nest = self._tastes(k)
            nests = np.arange(len(on)) if nest == 1.0 else st.seller_of[on]
            if own.any() and (nest < 1.0 or own.sum() == 1):
                nested = nests == nests[int(np.flatnonzero(own)[0])]
                return moved_shares(
                    quoted.gain[at], quoted.time[at], quoted.base[at], st.money[k], nests, scale,
                    nest, self._may_do_without(k), nested, more[..., nested],
                )  # fmt: skip
        base = quoted.base[at] + more
        wide = [
            np.broadcast_to(x, base.shape).reshape(-1, len(on))
            for x in (quoted.gain[at], quoted.time[at], base)
        ]
        cuts = even_cuts(st.money[k], len(wide[0]))
        found = self.among(int(together[0]), on, *wide, moves=False, cuts=cuts)
        return np.array([choice.share[:-1] for choice in found]).reshape(base.shape)

    def wanted(self, choices: list[Choices]) -> Floats:
        """Return the flows that the choices make, tasks/s, shape [J, O]."""
        out = np.zeros(self.work.shape)
        for j, choice in enumerate(choices):
            out[j, self.on_show[j]] = self.arrivals[j] * choice.share[:-1]
        return out

    def moves(self, choices: list[Choices]) -> Floats:
        """Return ∂flow/∂U and its means of v and c over who moves, shape [3, J, O, O]."""
        out = np.zeros((3, *self.work.shape, self.work.shape[1]))
        for j, choice in enumerate(choices):
            if choice.moves is not None:
                on = np.flatnonzero(self.on_show[j])
                out[:, j, on[:, None], on] = self.arrivals[j] * choice.moves
        return out


def _alike(setting: Setting, on_show: Flags) -> list[NDArray[np.int64]]:
    """Return the kinds in groups of one class that considers the same offers."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for j, k in enumerate(setting.class_of):
        groups.setdefault((int(k), on_show[j].tobytes()), []).append(j)
    return [np.array(group) for group in groups.values()]


def _nothing() -> Choices:
    """Return the choices of a kind that is shown nothing."""
    none = np.zeros(0)
    return Choices(np.ones(1), none, none, 0.0, np.zeros((3, 0, 0)))


def _refunds(setting: Setting) -> Floats:
    """Return the share paid back, by whether late and whether right, shape [2, 2, S]."""
    sellers = setting.state.sellers
    return np.array([
        [[refund_share(late, right, float(s["refund_late"]), float(s["refund_wrong"]))
          for s in sellers] for right in (False, True)]
        for late in (False, True)
    ])  # fmt: skip


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
