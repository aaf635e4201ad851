/* The figures: Dash's plots, drawn with what is told. */
"use strict";

(function (walras) {
  const DOTS = 300;    // ms between two drawings of tasks on the map
  const NARROW = 600;  // px, below which axes have few ticks
  let dotted = 0;

  function put(id, figure) { window.dash_clientside.set_props(id, {figure}); }

  /* Zoom and selection stay while the same class of the same scenario is shown. */
  function draw(id, figure) {
    const {asked, seen} = walras.state;
    if (!figure) return;
    figure.layout.uirevision = `${asked.scenario} ${asked.task}`;
    figure.layout.selections = walras.selection.outlinesOf(id);
    if (window.innerWidth < NARROW) thin(figure.layout.xaxis);
    seen.drawn[id] = figure;
    put(id, figure);
  }

  /* What was solved is drawn for paper: give it the colours of the page. */
  function drawSolved(id, figure) {
    const {drawn} = walras.state.seen;
    if (drawn[id] === figure) return;
    drawn[id] = figure;
    put(id, tinted(figure));
  }

  function thin(axis) {
    while (axis && axis.ticktext && axis.ticktext.length > 5) {
      axis.tickvals = axis.tickvals.filter((_, i) => i % 2 === 0);
      axis.ticktext = axis.ticktext.filter((_, i) => i % 2 === 0);
    }
  }

  function tinted(figure) {
    if (!walras.state.DARK.matches) return figure;
    let text = JSON.stringify(figure);
    for (const [from, to] of Object.entries(walras.state.config.tints)) {
      text = text.replaceAll(from, to);
    }
    return JSON.parse(text);
  }

  function blank(text) {
    const ink = getComputedStyle(document.body).getPropertyValue("--muted");
    return {data: [], layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: {visible: false},
      yaxis: {visible: false}, annotations: [{
        text, x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false,
        font: {size: 14, color: ink},
      }],
    }};
  }

  function dots() {
    const {playing, seen} = walras.state;
    const figure = seen.drawn.f1, trace = seen.live && seen.live.dots;
    if (!figure || !figure.data.length || !trace || Date.now() - dotted < DOTS && playing) return;
    dotted = Date.now();
    put("f1", {data: [...figure.data, trace], layout: figure.layout});
  }

  /* Offers that are not selected fade, wherever a bubble stands for one. */
  function fade(offers) {
    const figure = walras.state.seen.drawn.f2;
    if (!figure) return;
    const data = figure.data.map((trace) => {
      if (!trace.customdata || !offers) return trace;
      const opacity = trace.customdata.map((o) => (offers.includes(o) ? 0.95 : 0.12));
      return {...trace, marker: {...trace.marker, opacity}};
    });
    put("f2", {data, layout: figure.layout});
  }

  walras.figures = {draw, drawSolved, blank, dots, fade};
})(window.walras ??= {});
