"""At what rate the users of a closed population come back: their number over the time of a cycle.

N users think for a mean time Z, submit a task, wait R for what comes of it and think again, so that
by Little's law they bring λ = N/(Z + R) tasks a second; R follows from λ by what they choose and
how long that takes. A user who submits a task finds the market as it would be without it (the
arrival theorem, Sevcik & Mitrani 1981; Lavenberg & Reiser 1980), and so about (N − 1)/N of the load
of its class (Bard 1979; Schweitzer 1979): `Delays.seen`.

The rate is that at posted prices, and is held as prices are moved.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import optimize

from ..schema.arrivals import Closed
from .expectations import TIME
from .flows import Flows
from .population import Floats
from .selection import select
from .setting import Flags, Setting

_DAMPED, _PART = 20, 0.5
"""Steps towards the rates that delays allow, each by this part of a logarithm, before Powell's."""
_AGREES = 1e-9


def come_round(setting: Setting) -> Setting:
    """Return a market whose closed populations come at the rate of their cycle; else as it is.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> users = Closed(users=10, think_time=8.0)
        >>> ask = TaskClass("chat", arrivals=users, output_tokens=2.0, value=1.0)
        >>> shop = Seller("one", accuracy=1.0, slots="unlimited")
        >>> market = come_round(setting_of(Market(tasks=[ask], sellers=[shop])))
        >>> market.moments[0][1].round(9).tolist()
        [1.0]
    """
    closed = np.array([isinstance(t.arrivals, Closed) for t in setting.market.tasks])
    if not closed.any():
        return setting
    moments = [(weight, _rates(setting, rates, closed)) for weight, rates in setting.moments]
    return replace(setting, moments=moments)


def _rates(setting: Setting, rates: Floats, closed: Flags) -> Floats:
    """Return the arrivals of all classes at one moment, tasks/s, shape [K]."""
    laws = [a for task in setting.market.tasks if isinstance(a := task.arrivals, Closed)]
    users = np.array([a.users for a in laws], dtype=np.float64)
    pause = np.array([a.think_time.mean for a in laws])
    charges, out = setting.charges(), rates.copy()
    last: list[Flows | None] = [None]

    def excess(logarithms: Floats) -> Floats:
        """Return ln of the users that such rates would need, over those there are."""
        out[closed] = np.exp(logarithms)
        found = select(setting, charges, out.copy(), last[0])
        last[0] = found if found.converged else None
        return np.asarray(logarithms + np.log((pause + cycle(setting, found)[closed]) / users))

    x = np.log(users / pause)
    for _ in range(_DAMPED):
        off = excess(x)
        x = x - _PART * off
        if np.abs(off).max() < _AGREES:
            break
    out[closed] = np.exp(optimize.root(excess, x, tol=_AGREES).x)
    return out


def cycle(setting: Setting, found: Flows) -> Floats:
    """Return the mean time from asking to an answer, or to doing without, s, shape [K]."""
    spent = np.zeros(len(found.rates))
    np.add.at(spent, setting.class_of, (found.flow * found.expected[..., TIME]).sum(axis=1))
    return np.asarray(spent / np.maximum(found.rates, 1e-300))
