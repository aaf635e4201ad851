"""How every figure looks: colours, fonts, labels, sizes.

Colours are those of Okabe & Ito (2008), which colour-blind readers tell apart. A seller keeps its
colour in every figure of a run; an effort is told by symbol and label, never by hue alone, so
that a grey print still reads.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

INK = "#1a1a1a"
MUTED = "#6b6b6b"
GRID = "#e4e4e4"
OUTSIDE = "#9a9a9a"
"""Colour of doing without, and of everything merged into "other"."""
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star", "cross", "x", "hexagon")
FONT = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
WIDTH, HEIGHT = 800, 600
"""Nominal size of a figure, px: labels placed for it have room on a wider page, too."""
CONFIG = {
    "displaylogo": False, "responsive": True, "plotlyServerURL": "",
    "modeBarButtonsToRemove": ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
}  # fmt: skip
"""Settings of Plotly on a page: none of its buttons sends data anywhere."""
SIZES = {"aer-1col": (3.5, 2.8), "aer-2col": (7.0, 4.4)}
"""Paper sizes by name, inches: for one and for both columns of a page with two."""
HEAD = 40
"""Height that a title of one line takes above a drawing, px."""
_TITLE_WIDTH = 88
_TITLE, _EDGE = 1.2, 60  # an axis's title over the text; px of a margin that is not told
_TEXT = 13  # px of a drawing's text
_LONGEST = 36
_LETTER = 0.56  # mean width of a letter over the font size, for label placement


def _axis() -> dict[str, object]:
    return {
        "showgrid": True, "gridcolor": GRID, "zeroline": False, "linecolor": MUTED,
        "ticks": "outside", "tickcolor": MUTED, "ticklen": 4, "automargin": True,
        "title": {"standoff": 8},
    }  # fmt: skip


TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": _TEXT, "color": INK},
        "title": {"font": {"size": 16}, "x": 0, "xref": "container", "xanchor": "left",
                  "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12, "b": 12, "l": 8}},
        "colorway": list(OKABE_ITO),
        "paper_bgcolor": "white", "plot_bgcolor": "white",
        "margin": {"l": 64, "r": 24, "t": 56, "b": 56},
        "xaxis": _axis(), "yaxis": _axis(),
        "legend": {"font": {"size": 12}, "itemsizing": "constant", "bgcolor": "rgba(0,0,0,0)"},
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "annotationdefaults": {"font": {"size": 12}, "showarrow": False},
    }
)  # fmt: skip
"""The Plotly template of every figure."""


def escape(text: object) -> str:
    """Return text that Plotly shows as it is: labels are otherwise read as a subset of HTML.

    Example:
        >>> escape("<b>a & b</b>")
        '&lt;b&gt;a &amp; b&lt;/b&gt;'
    """
    return html.escape(printable(str(text)), quote=False)


def printable(text: str) -> str:
    r"""Return text in which every character shows: marks that turn or hide text are spelled out.

    Example:
        >>> print(printable("a\u202eb"))
        a\u202eb
    """
    if text.isprintable():
        return text
    shown = (" " if c.isspace() else c for c in text)
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown
    )


def label(text: object) -> str:
    """Return a name as a label: escaped, and cut in the middle where it is too long to draw.

    Names differ at their ends more often than inside, and an effort stands at the end.

    Example:
        >>> label("a <b>"), label("x" * 40 + " · high")
        ('a &lt;b&gt;', 'xxxxxxxxxxxxxxxxx…xxxxxxxxxxx · high')
    """
    name = printable(str(text))
    if len(name) > _LONGEST:
        head = (_LONGEST - 1) // 2
        name = f"{name[:head]}…{name[head + 1 - _LONGEST :]}"
    return escape(name)


def plain(text: str | None) -> str:
    """Return the text behind a Plotly title or label: the inverse of `escape`, lines joined.

    Example:
        >>> plain("one &lt;two&gt;<br>three")
        'one <two> three'
    """
    return html.unescape((text or "").replace("<br>", " "))


def titled(figure: go.Figure, title: str, *, height: int = HEIGHT) -> go.Figure:
    """Give a figure the template, a wrapped title (plain text) and its height; returns it."""
    lines = textwrap.wrap(title, _TITLE_WIDTH) or [""]
    figure.update_layout(
        template=TEMPLATE,
        title_text="<br>".join(escape(line) for line in lines),
        # Plotly anchors several lines by the first one's middle: they would be cut off at the top.
        title_pad_t=12 if len(lines) == 1 else 24,
        width=None,
        height=height,
        margin_t=42 + 20 * len(lines),
    )
    return figure


def undrawn(title: str, why: str) -> go.Figure:
    """Return a figure that says why there is nothing to draw, in place of blank axes."""
    figure = titled(go.Figure(), title)
    lines = textwrap.wrap(why, _TITLE_WIDTH // 2)
    figure.add_annotation(
        text="<br>".join(escape(line) for line in lines), x=0.5, y=0.5, xref="paper",
        yref="paper", font={"size": 16, "color": MUTED},
    )  # fmt: skip
    return figure.update_layout(xaxis_visible=False, yaxis_visible=False)


def paper(figure: go.Figure, width: float, height: float, points: float = 8.0) -> go.Figure:
    """Return a copy for print: without title, `width` × `height` inches, text of `points` pt.

    One inch is 96 px and one point 96/72 px in CSS, whose pixels Plotly draws in. Margins, lines
    and marks shrink with the text, so that what has room on the screen has it on paper; a legend at
    the side goes above, and long titles of axes go on in a second line.

    Example:
        >>> small = paper(go.Figure(), 3.5, 2.5, points=9.0)
        >>> small.layout.width, small.layout.template.layout.font.size
        (336, 12.0)
    """
    copy = go.Figure(figure).update_layout(template=TEMPLATE, title_text="")
    copy.layout.updatemenus = []
    copy.layout.margin.t = max((copy.layout.margin.t or HEAD) - HEAD, 16)
    if (copy.layout.legend.x or 0.0) >= 1.0 and copy.layout.showlegend is not False:
        copy.layout.margin.r = 24
        over = _titles_over(copy) * 1.5 * points * 96 / 72
        copy.layout.legend = {
            # Legend and margins leave the drawing about half of the page's height.
            "orientation": "h", "x": 0.0, "xanchor": "left", "y": 1.0 + over / (48 * height),
            "yanchor": "bottom",
        }  # fmt: skip
    scaled = go.Figure(_scaled(copy.to_dict(), points * 96 / 72 / _TEXT))
    scaled.update_layout(width=round(width * 96), height=round(height * 96))
    return _wrapped(scaled, points * 96 / 72)


def _titles_over(figure: go.Figure) -> int:
    """Return how many lines of titles stand right above the topmost panels."""
    tops = [a for a in figure.layout.annotations
            if a.yref == "paper" and a.yanchor == "bottom" and (a.y or 0.0) >= 0.99]  # fmt: skip
    return max((a.text.count("<br>") + 1 for a in tops if a.text), default=0)


def _wrapped(figure: go.Figure, text: float) -> go.Figure:
    """Break the titles of axes that are longer than their axis; `text` is the font's size, px."""
    layout, letter = figure.layout, _LETTER * _TITLE * text
    edges = {"x": ("l", "r", layout.width), "y": ("t", "b", layout.height)}
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        first, last, size = edges[axis.plotly_name[0]]
        whole = size - sum(layout.margin[side] or _EDGE for side in (first, last))
        low, high = axis.domain or (0.0, 1.0)
        room = max(int((high - low) * whole / letter), 8)
        title = plain(axis.title.text)
        if len(title) > room:
            lines = textwrap.wrap(title, max(room, -(-len(title) // 2) + 4))
            axis.title.text = "<br>".join(escape(line) for line in lines)
    return figure


_PIXELS = {
    "annotations": ("ax", "ay", "xshift", "yshift", "arrowwidth", "standoff", "borderpad"),
    "font": ("size",), "tickfont": ("size",), "marker": ("size",), "line": ("width",),
    "margin": ("l", "r", "t", "b"), "title": ("standoff",), "xaxis": ("ticklen",),
    "yaxis": ("ticklen",),
}  # fmt: skip
"""What is measured in pixels: keys by the key of the object they stand in."""


def _scaled(node: object, by: float, inside: str = "") -> object:
    """Return a part of a figure with its pixels multiplied."""
    if isinstance(node, list | tuple):
        return [_scaled(item, by, inside) for item in node]
    if not isinstance(node, dict):
        return node
    pixels = _PIXELS.get(inside.rstrip("0123456789"), ())
    return {
        key: _times(value, by) if key in pixels else _scaled(value, by, key)
        for key, value in node.items()
    }


def _times(value: object, by: float) -> object:
    """Return pixels, or a list of them, multiplied."""
    if isinstance(value, list | tuple):
        return [_times(item, by) for item in value]
    return round(by * value, 2) if isinstance(value, int | float) else value


def _mix(colour: str, other: str, share: float) -> str:
    """Blend `share` of another #rrggbb colour into a colour."""
    parts = [
        round(int(colour[i : i + 2], 16) * (1 - share) + int(other[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{p:02x}" for p in parts)


def tint(colour: str, share: float) -> str:
    """Return a #rrggbb colour with so much white in it: areas that overlap show no seams.

    Example:
        >>> tint("#0072B2", 0.5)
        '#80b8d8'
    """
    return _mix(colour, "#ffffff", share)


def rgba(colour: str, opacity: float) -> str:
    """Return a #rrggbb colour with an opacity, as CSS.

    Example:
        >>> rgba("#0072B2", 0.5)
        'rgba(0,114,178,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def palette(names: Iterable[str]) -> dict[str, str]:
    """Give each name a colour of its own: seven hues, then their dark and their light shades.

    Names beyond the first 21 share greys: no reader tells so many apart.

    Example:
        >>> palette(["first", "second"])
        {'first': '#0072B2', 'second': '#E69F00'}
    """
    hues = list(OKABE_ITO)
    hues += [_mix(c, "#000000", 0.45) for c in OKABE_ITO]
    hues += [_mix(c, "#ffffff", 0.5) for c in OKABE_ITO]
    greys = ("#5c5c5c", "#7d7d7d", "#b5b5b5")
    return {
        name: hues[i] if i < len(hues) else greys[i % len(greys)] for i, name in enumerate(names)
    }


def text_width(text: str, size: float = 12.0) -> float:
    """Return the estimated width of a label, px."""
    return _LETTER * size * len(text)


def room_for(labels: Iterable[str], size: float = 12.0) -> int:
    """Return the width that the longest of some labels needs beside a drawing, px."""
    longest = max((text_width(plain(line), size) for t in labels for line in t.split("<br>")),
                  default=0.0)  # fmt: skip
    return round(longest) + 16


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart until neighbours are `gap` apart, as near to where they were as can be.

    Positions that cannot all fit between `low` and `high` share the room evenly.

    Example:
        >>> spread([1.0, 1.1, 5.0], gap=1.0, low=0.0, high=10.0)
        [0.55, 1.55, 5.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    blocks: list[list[float]] = []  # sum of wanted first positions, members
    for i in order:
        blocks.append([wanted[i], 1.0])
        while len(blocks) > 1 and _first(blocks[-2], gap, low, high) + blocks[-2][1] * gap > _first(
            blocks[-1], gap, low, high
        ):
            last = blocks.pop()
            before = blocks[-1]
            before[0] += last[0] - last[1] * before[1] * gap
            before[1] += last[1]
    placed = [0.0] * len(wanted)
    position = iter(order)
    for block in blocks:
        start = _first(block, gap, low, high)
        for k in range(int(block[1])):
            placed[next(position)] = start + k * gap
    return placed


def _first(block: list[float], gap: float, low: float, high: float) -> float:
    total, members = block
    return min(max(total / members, low), high - (members - 1) * gap)


def end_labels(
    figure: go.Figure, labels: Sequence[tuple[str, float, str]], row: int,
    between: tuple[float, float], room: float,
) -> None:  # fmt: skip
    """Write labels at the right of a panel, moved apart, each with a dash of its line's colour.

    Args:
        figure: the figure, one column of panels.
        labels: (text ready for Plotly, y in the axis's own coordinate, colour) each.
        row: the panel, from 1.
        between: range of the panel's y axis.
        room: height of the panel, px.
    """
    low, high = between
    gap = 15.0 * (high - low) / room
    places = spread([y for _, y, _ in labels], gap, low, high)
    axis = "" if row == 1 else str(row)
    for (text, y, colour), place in zip(labels, places, strict=True):
        figure.add_annotation(
            text=text, x=1, xref=f"x{axis} domain", y=y, yref=f"y{axis}", showarrow=True,
            ax=22, ay=-(place - y) * room / (high - low), arrowhead=0, arrowwidth=1.5,
            arrowcolor=colour, xanchor="left", yanchor="middle", standoff=1,
            font={"size": 12, "color": INK}, borderpad=1,
        )  # fmt: skip
