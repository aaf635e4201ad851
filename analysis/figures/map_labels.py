"""Where names stand on the selection map, so that none covers another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .template import HEIGHT, INK, WIDTH, label, plain, text_width

Floats = NDArray[np.float64]
Area = tuple[float, float, float, float]
"""Left, right, low and high end of a rectangle."""
MARGIN = {"l": 76, "r": 190, "b": 60}
"""Margins of the map, px; labels are placed for its nominal size."""
ROOM = (float(WIDTH - MARGIN["l"] - MARGIN["r"]), HEIGHT - 120.0)
"""Width and height of its plane then, px."""
_TALL = 12.0  # half the height of a name with its margin, px


def _note(text: str, x: float, y: float, **more: object) -> dict[str, object]:
    """Return an annotation; coordinates are decades, as annotations on log axes want them."""
    return {"text": text, "x": x, "y": y, "showarrow": False,
            "font": {"size": 12, "color": INK}, "bgcolor": "rgba(255,255,255,0.75)",
            "borderpad": 1, **more}  # fmt: skip


def region_labels(
    best: NDArray[np.int64], names: list[str], x: Floats, y: Floats,
    room: tuple[float, float] = ROOM,
) -> list[dict[str, object]]:  # fmt: skip
    """Name each region of a best offer deep inside it, upright where only that fits.

    Args:
        best: index of the best offer, shape [deadlines, values].
        names: labels of the offers, ready for Plotly.
        x: deadlines, decades, shape [deadlines].
        y: values, decades, shape [values].
        room: width and height of the plane, px.
    """
    across, up = room[0] / best.shape[0], room[1] / best.shape[1]
    notes: list[dict[str, object]] = []
    for offer in np.unique(best):
        region = np.pad(best == offer, 1)
        depth = ndimage.distance_transform_edt(region, sampling=(across, up))
        text = names[offer]
        length, height = text_width(text) + 6, 16.0
        for angle, width, tall in ((0, length, height), (-90, height, length)):
            cells_in = (math.ceil(width / across) | 1, math.ceil(tall / up) | 1)
            fits = ndimage.minimum_filter(region, size=cells_in, mode="constant", cval=False)
            if fits.any():
                i, j = np.unravel_index(int(np.where(fits, depth, -1).argmax()), depth.shape)
                notes.append(_note(text, float(x[i - 1]), float(y[j - 1]), textangle=angle))
                break
    return notes


def class_labels(
    boxes: list[tuple[str, Area]], x: tuple[float, float], y: tuple[float, float]
) -> list[dict[str, object]]:
    """Put each class's name by its tasks, clear of other names and other classes' tasks.

    A name stands above its tasks, else beside or below them; where all of that is taken, higher
    up with a line that leads to its tasks.

    Args:
        boxes: name of each class, and the ends of its tasks, decades.
        x: range of the horizontal axis, decades.
        y: range of the vertical axis, decades.
    """
    per_x, per_y = ROOM[0] / (x[1] - x[0]), ROOM[1] / (y[1] - y[0])
    areas = [
        (name, ((left - x[0]) * per_x, (right - x[0]) * per_x,
                (low - y[0]) * per_y, (top - y[0]) * per_y))
        for name, (left, right, low, top) in boxes
    ]  # fmt: skip
    frame = ((x[1] - x[0]) * per_x, (y[1] - y[0]) * per_y)
    names: list[Area] = []
    notes = []
    for name, area in sorted(areas, key=lambda a: a[1][3]):
        half = text_width(plain(label(name)), 13) / 2 + 4
        taken = names + [a for n, a in areas if n != name]
        place, aloft = _place(area, half, taken, frame)
        names.append(_around(place, half))
        look: dict[str, object] = {"font": {"size": 13, "color": INK}}
        if aloft:
            middle = (area[0] + area[1]) / 2
            look |= {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": INK,
                     "ax": place.x - middle, "ay": area[3] - place.up}  # fmt: skip
            place = _Place(middle, area[3])
        notes.append(_note(
            f"<b>{label(name)}</b>", place.x / per_x + x[0], place.up / per_y + y[0],
            xanchor=place.anchor, xshift=place.shift, **look,
        ))  # fmt: skip
    return notes


@dataclass(frozen=True)
class _Place:
    """Where a name is held, px: at its middle or at the end that stands by its tasks.

    It is held by that end so that it stays there on a wider page.
    """

    x: float
    up: float
    anchor: str = "center"
    shift: float = 0.0


def _place(
    area: Area, half: float, taken: list[Area], frame: tuple[float, float]
) -> tuple[_Place, bool]:
    """Return the place of a name, and whether it is up and away from its tasks."""
    left, right, low, top = area
    above = top + _TALL
    nearest = min(max((left + right) / 2, half), frame[0] - half)
    places = [_Place(nearest, above), _Place(right, above, "right"), _Place(left, above, "left")]
    heights = [float(h) for h in np.arange(top - _TALL, low, -_TALL)]
    sides = [p for h in heights
             for p in (_Place(right, h, "left", 4.0), _Place(left, h, "right", -4.0))]  # fmt: skip
    # Beside another class as well, a name would be taken for that one's.
    sides.sort(key=lambda p: any(a[0] <= p.x <= a[1] and a[2] < p.up < a[3] for a in taken))
    for place in [*places, *sides, _Place(nearest, low - _TALL)]:
        box = _around(place, half)
        inside = box[0] >= 0 and box[1] <= frame[0] and box[2] >= 0 and box[3] <= frame[1]
        if inside and not any(meet(box, a) for a in taken):
            return place, False
    while any(meet(_around(_Place(nearest, above), half), a) for a in taken):
        above += _TALL / 2
    return _Place(nearest, above), True


def _around(place: _Place, half: float) -> Area:
    middle = place.x + place.shift + {"left": half, "center": 0.0, "right": -half}[place.anchor]
    return middle - half, middle + half, place.up - _TALL + 3, place.up + _TALL - 3


def meet(one: Area, other: Area) -> bool:
    """Tell whether two rectangles overlap."""
    return (
        one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
    )  # fmt: skip
