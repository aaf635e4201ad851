"""The page: what stands where. What it shows comes through its socket, see `assets/`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from .look import LIGHT, POSTED, SOLVED, TINTS, empty

_ASSETS = Path(__file__).parent / "assets"
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
<noscript>The dashboard needs JavaScript.</noscript>
{%app_entry%}
<footer hidden>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>
"""
CARDS = {
    "f1": ("F1", "Who is chosen for which deadline and which stakes?",
           "Fluid market: colour tells whose offer is most likely chosen, the stronger the "
           "likelier; on black lines the two best offers are worth the same. Dots are simulated "
           "tasks, crosses those that ended wrong or late. Drag a box to select tasks; a double "
           "click ends that."),
    "f3": ("F3", "How do prices move?",
           "Prices of a mean task at the offers that serve most of the class; dotted, what serving "
           "costs; black, what is paid on average. From the event market."),
    "f2": ("F2", "What do accuracy and speed cost?",
           "Each offer at its price and accuracy; the larger, the longer the answer takes; shape "
           "tells the effort, pale offers are chosen by hardly anybody. Black: what mixtures of "
           "two offers reach. Very inaccurate offers that nobody takes may lie below. Drag a box "
           "to select offers."),
    "f4": ("F4", "Who serves what?",
           "From task class to the offer taken to the outcome, each class equally tall: of the "
           "fluid market at once, of the event market as soon as it runs."),
}  # fmt: skip
"""Cards of the live view: id, figure, question, how to read it."""
TABS = {"live": "Live", "equilibrium": "Equilibrium", "welfare": "Welfare", "sweep": "Sweep",
        "data": "Data"}  # fmt: skip
PACES = {"1": "1 s", "10": "10 s", "60": "1 min", "600": "10 min", "3600": "1 h", "86400": "1 d"}
"""Simulated time per second, by its seconds."""


def page(server: FastAPI, config: Mapping[str, Any]) -> Any:
    """Put the page onto a server; returns Dash's application.

    Args:
        server: where it is served.
        config: what it starts with: `scenarios`, `start` (as a page asks) and what else is opened.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of parts that are not used here
        import dash
        from dash import ClientsideFunction, Input, Output

    app = dash.Dash(
        "walras", server=server, backend="fastapi", title="walras", update_title=None,
        assets_folder=str(_ASSETS), index_string=_INDEX, suppress_callback_exceptions=True,
    )  # fmt: skip
    app.layout = _layout(config)
    for name, output, source in (
        ("start", "status", ("config", "data")),
        ("clicked", "sweep-note", ("sweep", "clickData")),
    ):  # fmt: skip
        app.clientside_callback(
            ClientsideFunction("walras", name), Output(output, "title"), Input(*source)
        )
    return app


def _layout(config: Mapping[str, Any]) -> Any:
    from dash import dcc, html

    return html.Div(id="board", children=[
        dcc.Store(id="config", data={**config, "tints": TINTS}),
        html.A("Skip to the charts", href="#charts", className="skip"),
        _head(config),
        html.Div(id="problems", role="alert"),
        html.Div(className="columns", children=[
            html.Aside(id="controls", **{"aria-label": "Controls"}, children=[
                html.P("loading …", className="muted"),
            ]),
            html.Main(id="charts", children=[
                html.Div(id="tabs", role="tablist", **{"aria-label": "Views"}, children=[
                    html.Button(label, id=f"tab-{name}", role="tab", className="view-tab",
                                **{"aria-controls": f"view-{name}", "data-tab": name})
                    for name, label in TABS.items()
                ]),
                _view("live", [
                    html.Div(className="grid", children=[_card(*c) for c in CARDS.items()]),
                    html.Div(id="numbers", **{"aria-label": "Key figures"}),
                ]),
                _view("equilibrium", [html.Div(id="solved"), *map(_figure, SOLVED)]),
                _view("welfare", [html.Div(id="gap"), *map(_figure, POSTED)]),
                _view("sweep", [
                    html.P(id="sweep-note", className="caption"),
                    html.Article(id="card-sweep", className="card", hidden=True, children=[
                        _plot("sweep"),
                    ]),
                ]),
                _view("data", [html.Div(id="rows")]),
            ]),
        ]),
        html.P(id="status", role="status", **{"aria-live": "polite"}),
    ])  # fmt: skip


def _view(name: str, children: list[Any]) -> Any:
    from dash import html

    return html.Section(
        children, id=f"view-{name}", role="tabpanel", hidden=name != "live",
        **{"aria-labelledby": f"tab-{name}"},
    )  # fmt: skip


def _head(config: Mapping[str, Any]) -> Any:
    """Return what stands above all; the page's script puts plain inputs into the homes."""
    from dash import html

    options = [html.Option(Path(name).name or name, value=name) for name in config["scenarios"]]
    button = {"type": "button", "className": "act"}
    return html.Header(children=[
        html.Div(className="line", children=[
            html.H1("walras"),
            html.Label(["scenario ", html.Select(options, id="scenario")]),
            html.Label(["task class ", html.Select([], id="task")]),
            html.Span(id="question", className="muted"),
        ]),
        html.Div(className="hero", children=[
            html.Label("Price of reasoning", htmlFor="reasoning"),
            html.Output("× 1", id="reasoning-told", htmlFor="reasoning"),
            html.Span("÷ 10", className="end"),
            html.Span(id="reasoning-home"),
            html.Span("× 10", className="end"),
        ]),
        html.Div(className="line", role="toolbar", **{"aria-label": "Simulation"}, children=[
            html.Button("Play", id="play", title="space", **button),
            html.Button("Step", id="step", title="key s", **button),
            html.Button("Reset", id="reset", title="key r", **button),
            html.Label(["per second ", html.Select(
                [html.Option(text, value=value) for value, text in PACES.items()], id="pace")]),
            html.Label(["seed ", html.Span(id="seed-home")]),
            html.Span("0 s", id="clock", className="clock"),
            html.Button("Pin", id="pin", title="key p: compare what follows with this", **button),
            html.Button("Copy TOML", id="copy-toml", **button),
            html.Button("Copy command", id="copy-command", **button),
        ]),
    ])  # fmt: skip


def _card(id: str, told: tuple[str, str, str]) -> Any:
    from dash import html

    number, question, caption = told
    return html.Article(className="card", children=[
        html.H2([html.B(f"{number} "), question]),
        _plot(id),
        html.Div(className="foot", children=[
            html.Details([html.Summary("how to read it"), html.P(caption, className="caption")]),
            html.P(id=f"{id}-note", className="note"),
        ]),
    ])  # fmt: skip


def _figure(id: str) -> Any:
    """Return a card for a figure that is solved behind the page; hidden until it is there."""
    from dash import html

    return html.Article(id=f"card-{id}", className="card paper", hidden=True, children=[
        html.H2(id=f"question-{id}"),
        _plot(f"figure-{id}"),
        html.P(id=f"caption-{id}", className="caption"),
    ])  # fmt: skip


def _plot(id: str) -> Any:
    """Return a plot with nothing on it yet, whatever the page's colours."""
    from dash import dcc, html

    return html.Div(className="plot", children=dcc.Graph(
        id=id, responsive=True, figure=empty(LIGHT, ""), config={
            "displaylogo": False, "responsive": True, "plotlyServerURL": "",
            "displayModeBar": "hover",
            "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "autoScale2d"],
        },
    ))  # fmt: skip


__all__ = ["CARDS", "PACES", "TABS", "page"]
