/* What the server tells, by its kind, and where on the page it goes. */
"use strict";

(function (walras) {
  function fluid(told) {
    const {asked, seen} = walras.state, {at} = walras.nodes, {draw} = walras.figures;
    const of = told.key + told.reasoning;
    walras.messages.problems(told.problems);
    if (!told.tasks) return;
    seen.fluid = told;
    seen.live = null;
    if (of !== seen.solved.of) walras.solved.renew(of);
    asked.task = told.task;
    walras.nodes.choose(at("task"), told.tasks, told.task);
    if (told.controls) { seen.controls = told.key; walras.controls.show(told.controls); }
    if (!seen.drawn.f3) draw("f3", walras.figures.blank("the event market starts …"));
    walras.controls.hero(told.reasoners);
    at("question").textContent = told.question || "";
    draw("f1", told.figures.f1);
    draw("f2", told.figures.f2);
    draw("f4", told.figures.f4);
    walras.numbers.show();
    walras.tables.showOffers();
    walras.selection.resend();
    at("f1-note").textContent = told.rows ? told.note.split(";")[0] : "";
    at("f1-note").title = told.note;
    document.body.dataset.fluid = String(Number(document.body.dataset.fluid || 0) + 1);
    document.body.dataset.ms = String(told.ms);
  }

  function live(told) {
    const {at} = walras.nodes, {draw, blank} = walras.figures, {wanted, seen} = walras.state;
    seen.live = told;
    walras.board.running(told.playing);
    at("clock").textContent = walras.format.duration(told.time);
    draw("f3", told.time > 0 || !wanted ? told.f3 : blank("the event market starts …"));
    walras.figures.dots();
    walras.numbers.show();
    const chosen = told.chosen;
    at("f4-note").textContent = chosen
      ? `${chosen.count} of the last ${chosen.of} tasks of this class are selected` : "";
  }

  function ribbons(told) {
    const {seen} = walras.state;
    if (seen.live && seen.live.time > 0) walras.figures.draw("f4", told);
  }

  /* Of a market that has no fluid model, what was simulated when it was pinned stays. */
  function pinned(told) {
    const {pin, seen} = walras.state, known = Object.keys(told.values || {}).length > 0;
    if (pin && (known || !seen.pinned)) seen.pinned = {values: told.values, fluid: known};
    walras.numbers.show();
  }

  function halted(told) {
    walras.board.running(false);
    walras.state.wanted = false;
    walras.messages.say(told, true);
  }

  function toml(told) {
    if (told.toml === undefined) walras.messages.problems(told.problems);
    else walras.messages.copy(told.toml, "TOML");
  }

  function solved(told) {
    const {seen} = walras.state;
    if (told.of !== seen.solved.of) return;  // of a market that is no longer shown
    seen.solved = told;
    walras.solved.show();
    walras.numbers.show();
  }

  walras.answers = {fluid, live, ribbons, pinned, halted, toml, solved};
})(window.walras ??= {});
