/* The selection: boxes that a hand draws on a map, and the tasks that they leave on the others. */
"use strict";

(function (walras) {
  /* By map, what its box says of tasks. */
  const SELECTS = {
    f1(chosen) {
      select({deadline: chosen ? chosen.range.x : null, value: chosen ? chosen.range.y : null});
    },
    f2(chosen) {
      const found = chosen && chosen.points.map((p) => p.customdata);
      select({offers: found && found.filter((o) => o !== undefined)});
    },
  };
  const heard = new WeakSet();
  let boxes = {}, outlines = {};

  function select(chosen) {
    boxes = {...boxes, ...chosen};
    const told = {};
    for (const [name, ends] of Object.entries(boxes)) if (ends) told[name] = ends;
    walras.socket.send({chosen: Object.keys(told).length ? told : null});
    walras.figures.fade(told.offers);
  }

  /* Another market knows nothing of what was selected. */
  function resend() { if (Object.values(boxes).some(Boolean)) select({}); }

  function forget() {
    boxes = outlines = {};
    walras.socket.send({chosen: null});
  }

  /* Plotly tells of a selection whenever it draws, of none where it forgot it: what counts is
     another box, or that it was ended. The box is drawn again with each figure. It is Plotly that
     is listened to: Dash may pass on the last of several events only. */
  function outlined(id, chosen) {
    const {drawn} = walras.state.seen, range = chosen && chosen.range;
    if (chosen && !range) return;
    const [x, y] = range ? [range.x, range.y] : [];
    const now = range && {type: "rect", x0: x[0], x1: x[1], y0: y[0], y1: y[1]};
    if (now && outlines[id] && alike(now, outlines[id])) return;
    outlines = {...outlines, [id]: now};
    if (drawn[id]) drawn[id].layout.selections = outlinesOf(id);
    setTimeout(() => SELECTS[id](chosen));  // Dash is not done with this event yet
  }

  function outlinesOf(id) { return outlines[id] ? [outlines[id]] : []; }

  function alike(a, b) {
    return ["x0", "x1", "y0", "y1"].every(
      (k) => Math.abs(a[k] - b[k]) <= 1e-6 * Math.max(Math.abs(a[k]), Math.abs(b[k])));
  }

  function listen() {
    for (const id of Object.keys(SELECTS)) {
      const plot = document.querySelector(`#${id} .js-plotly-plot`);
      if (!plot || !plot.on || heard.has(plot)) continue;
      heard.add(plot);
      plot.on("plotly_selected", (chosen) => { if (chosen) outlined(id, chosen); });
      plot.on("plotly_deselect", () => outlined(id, null));
    }
  }

  walras.selection = {resend, forget, outlinesOf, listen};
})(window.walras ??= {});
