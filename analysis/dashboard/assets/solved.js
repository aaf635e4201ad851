/* What takes seconds to solve: equilibrium, welfare, and what the price of reasoning does. */
"use strict";

(function (walras) {
  const QUIET = 1500;  // ms without a change before it is solved
  let timer = null;

  /* Forget what was solved of another market, and have this one solved when nothing moves. */
  function renew(of) {
    walras.state.seen.solved = {of};
    for (const card of document.querySelectorAll(".paper")) card.hidden = true;
    for (const home of ["solved", "gap"]) banner(home, "solving …");
    walras.sweep.show();
    clearTimeout(timer);
    timer = setTimeout(solve, QUIET);
  }

  function solve() {
    const {question, seen} = walras.state;
    walras.socket.send({solve: {...question(), of: seen.solved.of}});
  }

  function show() {
    const {fluid, solved} = walras.state.seen;
    document.body.dataset.solved = solved.done ? "yes" : "";
    walras.sweep.show();
    for (const [id, told] of Object.entries(solved.figures || {})) card(id, told);
    const said = solved.step ? `solving: ${solved.step} …` : solved.why || "";
    const command = fluid.command.replace("walras run", "walras equilibrium");
    banner("solved", solved.text ? `${solved.text}: ${command} certifies or refutes it` : said,
      solved.levers);
    const parts = Object.entries(solved.gap || {});
    banner("gap", said, parts.length && {
      columns: ["what costs the market welfare", "USD/h"], rows: parts,
    });
  }

  function card(id, told) {
    const {at} = walras.nodes;
    at(`card-${id}`).hidden = false;
    at(`question-${id}`).textContent = `${id} ${told.question}`;
    at(`caption-${id}`).textContent = told.caption;
    at(`card-${id}`).style.setProperty("--tall", `${told.figure.layout.height || 450}px`);
    walras.figures.drawSolved(`figure-${id}`, told.figure);
  }

  function banner(id, text, table) {
    const {at, make} = walras.nodes, {tabulate} = walras.tables, line = make("p", "banner");
    line.textContent = text;
    at(id).replaceChildren(...(text ? [line] : []), ...(table ? [tabulate(table)] : []));
  }

  walras.solved = {renew, show};
})(window.walras ??= {});
