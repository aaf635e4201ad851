"""Where names stand on the selection map, so that none covers another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .template import HEIGHT, INK, WIDTH, label, text_width

Floats = NDArray[np.float64]
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
    """Put each class's name above its tasks, moved up where names would overlap.

    Args:
        boxes: name of each class, and left, right, low and high end of its tasks, decades.
        x: range of the horizontal axis, decades.
        y: range of the vertical axis, decades.
    """
    per_x = (WIDTH - MARGIN["l"] - MARGIN["r"]) / (x[1] - x[0])
    per_y = (HEIGHT - 120) / (y[1] - y[0])
    taken: list[tuple[float, float, float]] = []
    notes = []
    for name, (left, right, _, top) in sorted(boxes, key=lambda b: b[1][3]):
        half = text_width(name[:36], 13) / 2 + 4
        centre = ((left + right) / 2 - x[0]) * per_x
        centre = min(max(centre, half), (x[1] - x[0]) * per_x - half)
        up = (top - y[0]) * per_y + 12
        while any(abs(centre - c) < half + h and abs(up - u) < 19 for c, u, h in taken):
            up += 6
        taken.append((centre, up, half))
        notes.append(_note(
            f"<b>{label(name)}</b>", centre / per_x + x[0], up / per_y + y[0],
            font={"size": 13, "color": INK},
        ))  # fmt: skip
    return notes
