"""Global sensitivity: Sobol indices and elementary effects of a sweep's uncertainties.

What is analysed is the mean of a measure over replications. Where runs are paired, all points have
the same luck and indices are those of the measure given that luck; otherwise luck is one more
input, which no first index has a share in, and which all total indices have in part.

Sources:
    Sobol', I. M. (2001). Global sensitivity indices for nonlinear mathematical models and their
        Monte Carlo estimates. Mathematics and Computers in Simulation 55, 271-280.
    Saltelli, A., et al. (2010). Variance based sensitivity analysis of model output. Computer
        Physics Communications 181, 259-270.
    Morris, M. D. (1991). Factorial sampling plans for preliminary computational experiments.
        Technometrics 33, 161-174.
    Campolongo, F., Cariboni, J., Saltelli, A. (2007). An effective screening design for
        sensitivity analysis of large models. Environmental Modelling & Software 22, 1509-1518.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ...scenarios.sweep.swept import Sweep
from .cube import Cube, Floats, cube, listed

_RESAMPLES = 400
_SAID = 5
"""Failed points named in an error."""


def problem(sweep: Sweep) -> dict[str, Any]:
    """Return the uncertainties as SALib's `problem`: num_vars, names, bounds, dists.

    Raises:
        ValueError: the sweep has none.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = small_sweep(
        ...         folder, vary={}, uncertain={"tasks.chat.value": (2.0, 3.0)}, sample={"size": 2}
        ...     )
        >>> problem(found)["names"], problem(found)["bounds"]
        (['tasks.chat.value'], [[2.0, 3.0]])
    """
    spans = sweep.manifest["spans"]
    if not spans:
        raise ValueError("the sweep has no uncertainties; levers have effects, not indices")
    return {
        "num_vars": len(spans), "names": list(spans),
        "bounds": [[span["low"], span["high"]] for span in spans.values()],
        "dists": ["logunif" if s["scale"] == "log" else "unif" for s in spans.values()],
    }  # fmt: skip


def sensitivity(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *, level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return what a sweep's sample can tell: Sobol indices of "saltelli", effects of "morris".

    See `sobol` and `morris`, of which this is the one that fits.

    Raises:
        KeyError: no run has such a measure.
        ValueError: the sample is of another kind, runs failed or are left to do.
    """
    of = morris if _kind(sweep) == "morris" else sobol
    return of(sweep, metric, task, offer, level=level, seed=seed)


def sobol(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *, level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return first and total Sobol indices for each setting of levers.

    S1 is the share of the measure's variance that goes if a path is known, ST the share that
    stays if all others are known. Intervals are of a bootstrap over base points, normal. Of
    Ishigami's function they hold each index about as often as they say with 512 base points, and
    always with 2,048: the net's errors fall faster than the bootstrap knows.

    Args:
        sweep: with a sample of the kind "saltelli", all runs of which have ended well.
        metric: such as "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        level: confidence.
        seed: of the bootstrap, above 0.

    Returns:
        A row per setting and path. Columns: setting, the levers, path, S1, S1_low, S1_high, ST,
        ST_low, ST_high. All are nan where the measure is the same everywhere.

    Raises:
        KeyError: no run has such a measure.
        ValueError: the sample is of another kind, runs failed or are left to do.
    """
    whole, setup = _whole(sweep, "saltelli", metric, task, offer)
    rows = []
    for setting, values in _means(whole):
        found = _sobol(sweep, setup, values, level, seed)
        for i, path in enumerate(setup["names"]):
            row: dict[str, Any] = {"setting": setting, **whole.settings.iloc[setting], "path": path}
            for index in ("S1", "ST"):
                at, half = found[index][i], found[f"{index}_conf"][i]
                row |= {index: at, f"{index}_low": at - half, f"{index}_high": at + half}
            rows.append(row)
    out = pd.DataFrame(rows)
    names = [c for c in out if str(c).startswith(("S1", "ST"))]
    out.attrs["units"] = dict.fromkeys(names, "ratio")
    return out


def interactions(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *, level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return Sobol indices of pairs: the share of variance that two paths have only together.

    Args:
        sweep: with a sample "saltelli" that has `second_order`.
        metric: such as "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        level: confidence.
        seed: of the bootstrap, above 0.

    Returns:
        A row per setting and pair. Columns: setting, the levers, path, other, S2, S2_low, S2_high.

    Raises:
        KeyError: no run has such a measure.
        ValueError: the sample has no pairs, runs failed or are left to do.
    """
    whole, setup = _whole(sweep, "saltelli", metric, task, offer)
    if not sweep.manifest["sample"]["second_order"]:
        raise ValueError("the sample tells nothing of pairs; give it second_order = true")
    rows = []
    for setting, values in _means(whole):
        found = _sobol(sweep, setup, values, level, seed)
        for i, j in zip(*np.triu_indices(setup["num_vars"], 1), strict=True):
            at, half = found["S2"][i, j], found["S2_conf"][i, j]
            rows.append({
                "setting": setting, **whole.settings.iloc[setting], "path": setup["names"][i],
                "other": setup["names"][j], "S2": at, "S2_low": at - half, "S2_high": at + half,
            })  # fmt: skip
    out = pd.DataFrame(rows)
    out.attrs["units"] = dict.fromkeys(("S2", "S2_low", "S2_high"), "ratio")
    return out


def _sobol(
    sweep: Sweep, setup: dict[str, Any], values: Floats, level: float, seed: int
) -> dict[str, Floats]:
    """Return SALib's indices of one setting."""
    from SALib.analyze import sobol as of

    second = bool(sweep.manifest["sample"]["second_order"])
    d = setup["num_vars"]
    if _is_flat(values):
        one, two = np.full(d, np.nan), np.full((d, d), np.nan)
        names = ("S1", "S1_conf", "ST", "ST_conf")
        return {**dict.fromkeys(names, one), **dict.fromkeys(("S2", "S2_conf"), two)}
    found: dict[str, Floats] = of.analyze(
        dict(setup), values, calc_second_order=second, num_resamples=_RESAMPLES, conf_level=level,
        seed=seed,
    )  # fmt: skip
    return found


def morris(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *, level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return elementary effects for each setting of levers: what a path moves over its range.

    An elementary effect is the change of the measure by a step, over the step as a share of the
    path's range (of its logarithm where the span is so). mu is their mean, mu_star that of their
    sizes, sigma their standard deviation: above 0 where the path is not linear or others matter
    to it.

    Args:
        sweep: with a sample of the kind "morris", all runs of which have ended well.
        metric: such as "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        level: confidence of mu_star's interval, a bootstrap over trajectories, normal.
        seed: of the bootstrap.

    Returns:
        A row per setting and path. Columns: setting, the levers, path, mu, mu_star, mu_star_low,
        mu_star_high, sigma; units are the measure's per range of the path.

    Raises:
        KeyError: no run has such a measure.
        ValueError: the sample is of another kind, runs failed or are left to do.
    """
    from SALib.analyze import morris as of

    whole, setup = _whole(sweep, "morris", metric, task, offer)
    at = whole.sample[setup["names"]].to_numpy(np.float64)
    # SALib knows steps by their sign alone, so values may stand for shares of a range.
    levels = int(sweep.manifest["sample"]["levels"])
    rows = []
    for setting, values in _means(whole):
        found = of.analyze(
            dict(setup), at, values, num_resamples=_RESAMPLES, conf_level=level, num_levels=levels,
            seed=seed,
        )  # fmt: skip
        for i, path in enumerate(setup["names"]):
            mean, half = float(found["mu_star"][i]), float(found["mu_star_conf"][i])
            rows.append({
                "setting": setting, **whole.settings.iloc[setting], "path": path,
                "mu": float(found["mu"][i]), "mu_star": mean, "mu_star_low": mean - half,
                "mu_star_high": mean + half, "sigma": float(found["sigma"][i]),
            })  # fmt: skip
    out = pd.DataFrame(rows)
    names = ("mu", "mu_star", "mu_star_low", "mu_star_high", "sigma")
    out.attrs["units"] = dict.fromkeys(names, f"{whole.unit} per range".strip())
    return out


# --- what both need ----------------------------------------------------------------------------


def _kind(sweep: Sweep) -> str:
    return str((sweep.manifest["sample"] or {}).get("kind", ""))


def _whole(
    sweep: Sweep, kind: str, metric: str, task: str, offer: str
) -> tuple[Cube, dict[str, Any]]:
    """Return a measure and SALib's problem if the sample is of that kind and no run failed."""
    setup = problem(sweep)
    if _kind(sweep) != kind:
        raise ValueError(
            f'the sample is "{_kind(sweep)}"; this takes sample = {{ kind = "{kind}" }}'
        )
    whole = cube(sweep, metric, task, offer)
    missing = np.isnan(whole.values).any(axis=2).ravel()
    if missing.any():
        points = [str(p) for p in np.flatnonzero(missing)]
        more = f" and {len(points) - _SAID} more" if len(points) > _SAID else ""
        why = sorted(set(sweep.failures["reason"]))
        told = f"; failures say: {why[0]}" if why else ""
        raise ValueError(
            f"{whole.what} is not known at point{'s' * (len(points) > 1)} "
            f"{', '.join(points[:_SAID])}{more}{told}. {listed([kind])} needs all points: narrow "
            "the ranges of uncertainties, or mend what fails"
        )
    return whole, setup


def _means(whole: Cube) -> Iterator[tuple[int, Floats]]:
    """Yield each setting and its means over replications, in the order of the sample."""
    yield from enumerate(whole.values.mean(axis=2))


def _is_flat(values: Floats) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
