"""The stationary law of queues that grow and shrink one task at a time, by sparse elimination.

State n = (n₁, ..., n_S); seller s gains a task at rate up_s(n) and loses one at rate down_s(n_s).
The balance equations π·Q = 0 are solved with one probability fixed and its own equation left out
(Stewart 1994, chapter 2). What remains is a diagonally dominant M-matrix, eliminated in an order of
minimum degree without pivoting. Its condition is that of coming to the fixed state from anywhere,
which therefore must not be rare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

Floats = NDArray[np.float64]
_RARE = 1e-6
"""A state is no good to measure others by if it is so much rarer than the commonest."""
_BALANCED = 1e-12
_SHIFT = 1e-10
"""Of an inverse iteration, over the largest rate."""


def generator(up: list[Floats], down: list[Floats]) -> sparse.csc_array:
    """Return the transpose of Q, shape [states, states], states in C order.

    Args:
        up: by seller, arrivals in each state, tasks/s, the shape of the lattice. Those at the far
            end of the seller's axis have nowhere to go and don't count.
        down: by seller, departures with 0, 1, ... tasks there, tasks/s, shape [levels].
    """
    shape = np.broadcast_shapes(*(u.shape for u in up))
    states = np.arange(int(np.prod(shape))).reshape(shape)
    rows, columns, rates = [], [], []
    for axis, (gain, loss) in enumerate(zip(up, down, strict=True)):
        low = np.delete(states, -1, axis=axis)
        high = np.delete(states, 0, axis=axis)
        along = np.moveaxis(np.broadcast_to(loss[1:], np.moveaxis(low, axis, -1).shape), -1, axis)
        rows += [high.ravel(), low.ravel()]
        columns += [low.ravel(), high.ravel()]
        rates += [np.delete(gain, -1, axis=axis).ravel(), along.ravel()]
    where = np.concatenate(rows), np.concatenate(columns)
    flows = sparse.coo_array((np.concatenate(rates), where), shape=(states.size, states.size))
    out: Floats = np.asarray(flows.sum(axis=0)).ravel()
    return sparse.csc_array(flows - sparse.diags_array(out))


def stationary(up: list[Floats], down: list[Floats], start: int = 0) -> tuple[Floats, float]:
    """Return (π, residual): probabilities, shape of the lattice, and how well they balance.

    The residual is Σ|π·Q| over the largest rate of leaving a state. `start` is a state, in C order,
    that is not rare.

    Example:
        >>> law, residual = stationary([np.array([1.0, 1.0, 1.0])], [np.array([0.0, 2.0, 2.0])])
        >>> law.round(12).tolist(), residual < 1e-15
        ([0.571428571429, 0.285714285714, 0.142857142857], True)
    """
    flows = generator(up, down)
    law, residual = _relative(flows, start)
    if not residual < _BALANCED or law[start] < _RARE * law.max():
        law, residual = _relative(flows, _commonest(flows))
    return law.reshape(up[0].shape), residual


def _relative(flows: sparse.csc_array, start: int) -> tuple[Floats, float]:
    """Return probabilities by way of their ratios to one of them, and the residual.

    Neither is of any use, and may be NaN, if that one is too rare.
    """
    law = np.ones(flows.shape[0])
    if len(law) == 1:
        return law, 0.0
    others = np.delete(np.arange(len(law)), start)
    known = -flows[:, [start]].toarray().ravel()[others]
    try:
        factors = _factors(sparse.csc_array(flows[:, others][others]))
    except RuntimeError:  # singular: nobody comes there, to the last digit
        return law, np.nan
    law[others] = np.maximum(factors.solve(known), 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        law /= law.sum()
        fastest = float(np.abs(flows.diagonal()).max()) or 1.0
        return law, float(np.abs(flows @ law).sum()) / fastest


def _commonest(flows: sparse.csc_array) -> int:
    """Return the state of the highest probability, by inverse iteration next to the eigenvalue 0.

    Its numbers are bounded however far the probabilities are apart.
    """
    states = flows.shape[0]
    shift = _SHIFT * float(np.abs(flows.diagonal()).max())
    factors = _factors(sparse.csc_array(flows - shift * sparse.eye_array(states)))
    law = np.full(states, 1.0 / states)
    for _ in range(3):
        law = np.maximum(factors.solve(-law), 0.0)
        law /= law.sum()
    return int(law.argmax())


def _factors(matrix: sparse.csc_array) -> SuperLU:
    return splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
