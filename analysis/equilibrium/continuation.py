"""Following the solutions of F(x, λ) = 0 as λ moves, past the folds where they turn back.

Pseudo-arclength continuation (Keller 1977): a step s along the unit tangent t of the branch, then
Newton's method on F = 0 together with t·(y − y₀) = s, y = (x, λ), which is regular at a fold though
∂F/∂x is not. The tangent is the null vector of [F_x F_λ], kept pointing the same way. A fold is
where its λ part changes sign; the step to it is found by Brent's method on that part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Residual = Callable[[Floats, float], Floats | None]
"""F(x, λ), shape [n], from x, shape [n]; None where it has no value."""

TOLERANCE = 1e-9
"""Largest component of F that is nothing."""
_DIFFERENCE = 1e-5
_CORRECTIONS, _FAR = 12, 1.0
_GROW, _SHRINK, _SHORTEST = 1.4, 0.5, 1e-4
_BEND = 0.95  # least cosine between tangents of neighbours


@dataclass(frozen=True)
class Fold:
    """Where a branch turns back in λ.

    Attributes:
        x: the solution, shape [n].
        parameter: λ.
        error: how far λ may be off: by how much it changed in the last step to the fold.
    """

    x: Floats
    parameter: float
    error: float


@dataclass(frozen=True)
class Branch:
    """Solutions along a branch.

    Attributes:
        x: solutions, shape [P, n].
        parameter: λ at each, shape [P].
        tangent: unit tangent at each along the branch, λ last and in parts of its range, shape
            [P, n + 1].
        folds: where the branch turns, in the order in which it comes to them.
        closed: whether it came back to where it started.
    """

    x: Floats
    parameter: Floats
    tangent: Floats
    folds: tuple[Fold, ...]
    closed: bool


def follow(
    residual: Residual, x: Floats, parameter: float, low: float, high: float, *,
    step: float = 0.05, most: int = 400,
) -> Branch:  # fmt: skip
    """Return the branch through a solution, followed both ways until λ leaves its range.

    Args:
        residual: F. x should be of order 1, as logarithms are; λ is measured by its range.
        x: a solution at `parameter`, shape [n], or something near.
        parameter: λ to start from.
        low: lowest λ.
        high: highest λ.
        step: longest step along the branch.
        most: steps in each direction.

    Raises:
        ValueError: there is no solution near the start.

    Example:
        >>> branch = follow(lambda x, a: x * x + a, np.array([1.0]), -1.0, -1.0, 1.0)
        >>> [abs(f.parameter) < 1e-12 for f in branch.folds], branch.x[[0, -1], 0].round(9).tolist()
        ([True], [1.0, -1.0])
    """
    line = _Line(residual, low, high)
    guess = np.append(np.asarray(x, dtype=np.float64), (parameter - low) / (high - low))
    y = line.solve(guess, np.eye(len(guess))[-1])
    start = None if y is None else line.point(y, None)
    if start is None:
        raise ValueError(f"there is no solution near the start, at {parameter:.6g}")
    ahead, folds, closed = _walk(line, start, step, most)
    behind: list[_Point] = []
    if not closed:
        behind, turned, _ = _walk(line, replace(start, tangent=-start.tangent), step, most)
        folds = [*reversed(turned), *folds]
    points = [*reversed(behind), start, *ahead]
    sides = [-1.0] * len(behind) + [1.0] * (1 + len(ahead))
    return Branch(
        np.array([p.y[:-1] for p in points]), np.array([line.parameter(p.y) for p in points]),
        np.array([side * p.tangent for side, p in zip(sides, points, strict=True)]),
        tuple(folds), closed,
    )  # fmt: skip


@dataclass(frozen=True)
class _Point:
    """A solution y, [F_x F_τ] there, and the unit tangent."""

    y: Floats
    slopes: Floats
    tangent: Floats


class _Line:
    """F along y = (x, τ), τ the part of its range that λ has come."""

    def __init__(self, residual: Residual, low: float, high: float) -> None:
        self.residual, self.low, self.high = residual, low, high

    def parameter(self, y: Floats) -> float:
        """λ at y."""
        return self.low + (self.high - self.low) * float(y[-1])

    def value(self, y: Floats) -> Floats:
        """F at y; infinite where it has no value."""
        found = self.residual(y[:-1], self.parameter(y))
        return np.full(len(y) - 1, np.inf) if found is None else np.asarray(found)

    def slopes(self, y: Floats) -> Floats:
        """[F_x F_τ] at y by central differences, shape [n, n + 1]."""
        pushes = _DIFFERENCE * np.eye(len(y))
        columns = [(self.value(y + p) - self.value(y - p)) / (2.0 * _DIFFERENCE) for p in pushes]
        return np.array(columns).T

    def point(self, y: Floats, side: Floats | None) -> _Point | None:
        """Return what is to be known of a solution, its tangent towards a side (or higher λ)."""
        slopes = self.slopes(y)
        if not np.isfinite(slopes).all():
            return None
        along = np.linalg.svd(slopes)[2][-1]
        same = along[-1] if side is None else float(along @ side)
        return _Point(y, slopes, np.asarray(along if same >= 0.0 else -along))

    def solve(self, y: Floats, across: Floats, slopes: Floats | None = None) -> Floats | None:
        """Return the solution near y in the plane through y across a direction, or None.

        Derivatives from nearby serve as long as they bring it nearer quickly.
        """
        at, before = y.copy(), np.inf
        for _ in range(_CORRECTIONS):
            value = self.value(at)
            size = float(np.abs(value).max())
            if not np.isfinite(size) or np.abs(at - y).max() > _FAR:
                return None
            if size < TOLERANCE:
                return at
            if slopes is None or size > 0.2 * before:
                slopes = self.slopes(at)
            at = self.corrected(at, y, across, slopes, value)
            before = size
        return None

    @staticmethod
    def corrected(at: Floats, y: Floats, across: Floats, slopes: Floats, value: Floats) -> Floats:
        """Return where Newton's method goes next in the plane through y."""
        matrix = np.vstack([slopes, across])
        off = np.append(value, across @ (at - y))
        return np.asarray(at - np.linalg.lstsq(matrix, off, rcond=1e-14)[0])


def _walk(
    line: _Line, start: _Point, longest: float, most: int
) -> tuple[list[_Point], list[Fold], bool]:  # fmt: skip
    """Return the points along one direction, the folds, and whether the start came again."""
    points: list[_Point] = []
    folds: list[Fold] = []
    here, step, gone = start, longest, 0.0
    while len(points) < most and step > _SHORTEST * longest:
        y = line.solve(here.y + step * here.tangent, here.tangent, here.slopes)
        after = None if y is None else line.point(y, here.tangent)
        if after is None or after.tangent @ here.tangent < _BEND:
            step *= _SHRINK
            continue
        if here.tangent[-1] * after.tangent[-1] < 0.0:
            folds.append(_fold(line, here, step))
        gone += step
        if not 0.0 <= after.y[-1] <= 1.0:
            edge = _at_edge(line, here, after)
            return points if edge is None else [*points, edge], folds, False
        points.append(after)
        if gone > 3.0 * longest and np.linalg.norm(after.y - start.y) < 0.6 * step:
            return points, folds, True
        here, step = after, min(step * _GROW, longest)
    return points, folds, False


def _at_edge(line: _Line, here: _Point, after: _Point) -> _Point | None:
    """Return the solution where λ leaves its range, if that is not the last one."""
    edge = 1.0 if after.y[-1] > 1.0 else 0.0
    if abs(here.y[-1] - edge) < 1e-9:
        return None
    guess = here.y + (edge - here.y[-1]) / (after.y[-1] - here.y[-1]) * (after.y - here.y)
    guess[-1] = edge
    found = line.solve(guess, np.eye(len(guess))[-1], after.slopes)
    return None if found is None else line.point(found, here.tangent)


def _fold(line: _Line, here: _Point, step: float) -> Fold:
    """Return the fold within a step from a solution."""
    found: dict[float, _Point] = {}

    def turning(length: float) -> float:
        y = line.solve(here.y + length * here.tangent, here.tangent, here.slopes)
        point = None if y is None else line.point(y, here.tangent)
        if point is None:
            raise ValueError("the branch broke off next to a fold")
        found[length] = point
        return float(point.tangent[-1])

    length = brentq(turning, 0.0, step, xtol=1e-9 * step, rtol=1e-12)
    at = found.get(length) or found[min(found, key=lambda k: abs(k - length))]
    y = line.corrected(at.y, at.y, here.tangent, at.slopes, line.value(at.y))
    near = sorted(found, key=lambda k: abs(k - length))[1:2]
    spread = max(
        (abs(line.parameter(found[k].y) - line.parameter(at.y)) for k in near), default=0.0
    )
    return Fold(y[:-1], line.parameter(y), spread + abs(line.parameter(y) - line.parameter(at.y)))


__all__ = ["Branch", "Fold", "follow"]
