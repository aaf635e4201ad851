/* The sweep whose folder was opened, or else the price of reasoning: points that can be opened. */
"use strict";

(function (walras) {
  function show() {
    const {config, seen} = walras.state;
    if (config.sweep) showRuns(config.sweep);
    else showFactors(seen.solved.sweep);
  }

  function showFactors(figure) {
    if (figure) walras.figures.drawSolved("sweep", figure);
    walras.nodes.at("card-sweep").hidden = !figure;
    note("What the price of reasoning does to this market, in the fluid model. Click a point: " +
      "the slider goes there.", !figure);
  }

  function showRuns(given) {
    walras.nodes.at("card-sweep").hidden = false;
    if (walras.state.seen.drawn.sweep) return;
    const {plain} = walras.format, {runs} = given;
    const words = runs.some((run) => typeof run.x === "string");
    const ink = getComputedStyle(document.body).color;
    walras.figures.draw("sweep", {
      data: [{
        type: "scatter", mode: "markers", x: runs.map((run) => run.x), y: runs.map((run) => run.y),
        customdata: runs, marker: {size: 8, color: "#0072B2", opacity: 0.6},
        text: runs.map((run) => `run ${run.run}, seed ${run.seed}`),
        hovertemplate: "%{text}: %{y:.4g}<extra></extra>",
      }],
      layout: {
        font: {color: ink}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: {title: {text: plain(given.x)}, type: words ? "category" : "linear"},
        yaxis: {title: {text: plain(`${given.y} ${given.unit ? `(${given.unit})` : ""}`)}},
        margin: {l: 70, r: 16, t: 12, b: 60}, hovermode: "closest",
      },
    });
    note("Each dot is a run of the sweep. Click one: the dashboard shows that run.", false);
  }

  function note(text, waits) {
    const {solved} = walras.state.seen;
    const none = solved.why || "Nobody sells thinking here: there is no price to move.";
    walras.nodes.at("sweep-note").textContent = !waits ? text : solved.done ? none : "solving …";
  }

  function open(point) {
    const {asked, changes, config} = walras.state, {at} = walras.nodes;
    if (point.reasoning !== undefined) {
      asked.reasoning = point.reasoning;
      at("reasoning").value = String(Math.log10(point.reasoning));
    } else {
      asked.set = changes(point.set);
      at("scenario").value = asked.scenario = config.start.scenario;
      at("seed").value = asked.seed = point.seed;
      walras.messages.say(`run ${point.run} of the sweep: seed ${point.seed}`);
    }
    walras.board.show("live");
    walras.socket.ask();
  }

  walras.sweep = {show, open};
})(window.walras ??= {});
