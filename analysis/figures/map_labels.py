"""Where names stand on the selection map, so that none covers another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .template import HEIGHT, INK, WIDTH, label, plain, text_width

Floats = NDArray[np.float64]
_Area = tuple[float, float, float, float]  # left, right, low, high, px
MARGIN = {"l": 76, "r": 190, "b": 60}
"""Margins of the map, px; labels are placed for its nominal size."""


def _note(text: str, x: float, y: float, **more: object) -> dict[str, object]:
    """Return an annotation; coordinates are decades, as annotations on log axes want them."""
    return {"text": text, "x": x, "y": y, "showarrow": False,
            "font": {"size": 12, "color": INK}, "bgcolor": "rgba(255,255,255,0.75)",
            "borderpad": 1, **more}  # fmt: skip


def region_labels(
    best: NDArray[np.int64], names: list[str], x: Floats, y: Floats
) -> list[dict[str, object]]:
    """Name each region of a best offer deep inside it, upright where only that fits.

    Args:
        best: index of the best offer, shape [deadlines, values].
        names: labels of the offers, ready for Plotly.
        x: deadlines, decades, shape [deadlines].
        y: values, decades, shape [values].
    """
    across = (WIDTH - MARGIN["l"] - MARGIN["r"]) / best.shape[0]
    up = (HEIGHT - 120) / best.shape[1]
    notes: list[dict[str, object]] = []
    for offer in np.unique(best):
        region = np.pad(best == offer, 1)
        depth = ndimage.distance_transform_edt(region, sampling=(across, up))
        text = names[offer]
        length, height = text_width(text) + 6, 16.0
        for angle, width, tall in ((0, length, height), (-90, height, length)):
            cells_in = (math.ceil(width / across) | 1, math.ceil(tall / up) | 1)
            room = ndimage.minimum_filter(region, size=cells_in, mode="constant", cval=False)
            if room.any():
                i, j = np.unravel_index(int(np.where(room, depth, -1).argmax()), depth.shape)
                notes.append(_note(text, float(x[i - 1]), float(y[j - 1]), textangle=angle))
                break
    return notes


def class_labels(
    boxes: list[tuple[str, tuple[float, float, float, float]]],
    x: tuple[float, float], y: tuple[float, float],
) -> list[dict[str, object]]:  # fmt: skip
    """Put each class's name by its tasks, clear of other names and other classes' tasks.

    A name stands above its tasks, centred or to a side, whichever takes it least far away; a line
    leads from a name that had to move up to its tasks.

    Args:
        boxes: name of each class, and left, right, low and high end of its tasks, decades.
        x: range of the horizontal axis, decades.
        y: range of the vertical axis, decades.
    """
    per_x = (WIDTH - MARGIN["l"] - MARGIN["r"]) / (x[1] - x[0])
    per_y = (HEIGHT - 120) / (y[1] - y[0])
    areas = [
        (name, ((left - x[0]) * per_x, (right - x[0]) * per_x,
                (low - y[0]) * per_y, (top - y[0]) * per_y))
        for name, (left, right, low, top) in boxes
    ]  # fmt: skip
    names: list[_Area] = []
    notes = []
    for name, area in sorted(areas, key=lambda a: a[1][3]):
        half = text_width(plain(label(name)), 13) / 2 + 4
        others = names + [a for n, a in areas if n != name]
        middle, top, widest = (area[0] + area[1]) / 2, area[3] + 12, (x[1] - x[0]) * per_x
        best = (math.inf, middle, top)
        beside = (middle - half, middle + half, area[0], area[1], area[0] - half, area[1] + half)
        for wanted in (middle, *beside):
            centre = min(max(wanted, half), widest - half)
            up = top
            while any(_meet((centre - half, centre + half, up - 9, up + 9), a) for a in others):
                up += 6
            # To stand aside counts as much as a step up, so that a name is aside only for a gain.
            best = min(best, (up - top + 7 * (wanted != middle), centre, up))
        _, centre, up = best
        names.append((centre - half, centre + half, up - 9, up + 9))
        look: dict[str, object] = {"font": {"size": 13, "color": INK}}
        if up - top > 18:
            look |= {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": INK,
                     "ax": centre - middle, "ay": area[3] - up}  # fmt: skip
            centre, up = middle, area[3]
        notes.append(_note(f"<b>{label(name)}</b>", centre / per_x + x[0], up / per_y + y[0],
                           **look))  # fmt: skip
    return notes


def _meet(one: _Area, other: _Area) -> bool:
    return (
        one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
    )  # fmt: skip
