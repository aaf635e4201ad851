/* The dashboard's page: how it begins, its buttons, keys and views. Each file puts one part into
   `window.walras`, whose parts find each other only when they are called: they may load in any
   order. */
"use strict";

(function (walras) {
  let started = false;

  /* --- buttons and keys --------------------------------------------------------------------- */

  /* What a button does, by its id. */
  const ACTS = {
    play() {
      const {state} = walras;
      state.wanted = !state.playing;
      walras.socket.send({run: state.playing ? "pause" : "play"});
      walras.messages.say("");
    },
    step() { walras.state.wanted = false; walras.socket.send({run: "step"}); },
    reset() { walras.socket.send({run: "reset"}); },
    pin() {
      const {state} = walras, {seen} = state;
      state.pin = state.pin ? "" : state.query();
      const values = (seen.live || {}).values || (seen.fluid || {}).values;
      seen.pinned = state.pin ? {values} : null;
      pressed("pin", Boolean(state.pin), state.pin ? "Unpin" : "Pin");
      if (state.pin) walras.socket.send({pin: state.pinned()});
      state.write();
      walras.numbers.show();
    },
    "copy-toml"() { walras.socket.send({toml: walras.state.question()}); },
    "copy-command"() {
      const {fluid} = walras.state.seen;
      if (fluid) walras.messages.copy(fluid.command, "command");
    },
    undo() { walras.controls.undo(); },
    "save-csv"() { walras.tables.saveOffers(); },
  };
  const KEYS = {" ": "play", s: "step", r: "reset", p: "pin"};
  const ARROWS = {ArrowLeft: -1, ArrowRight: 1};

  function clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.tab) show(button.dataset.tab);
    else if (Object.hasOwn(ACTS, button.id)) ACTS[button.id]();
  }

  function keyed(event) {
    const {target, key} = event;
    const types = "input:not([type=range]), select, textarea";
    const inside = target.closest(key === " " ? `${types}, button, a, summary` : types);
    if (target.dataset.tab && key.startsWith("Arrow")) turn(target, ARROWS[key]);
    else if (!inside && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[key]) {
      event.preventDefault();
      ACTS[KEYS[key]]();
    }
  }

  function pressed(id, down, text) {
    const button = walras.nodes.at(id);
    button.textContent = text;
    button.setAttribute("aria-pressed", String(down));
  }

  function running(now) {
    walras.state.playing = now;
    pressed("play", now, now ? "Pause" : "Play");
  }

  /* --- views -------------------------------------------------------------------------------- */

  function show(name) {
    const {at} = walras.nodes;
    walras.state.asked.tab = name;
    for (const tab of at("tabs").children) {
      const here = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      at(`view-${tab.dataset.tab}`).hidden = !here;
    }
    walras.state.write();
    window.dispatchEvent(new Event("resize"));
  }

  /* Go to the tab so many after this one. */
  function turn(tab, step) {
    if (!step) return;
    const all = [...walras.nodes.at("tabs").children];
    const to = all[(all.indexOf(tab) + step + all.length) % all.length];
    show(to.dataset.tab);
    to.focus();
  }

  function recoloured() {
    const {seen} = walras.state;
    seen.drawn = {};
    walras.socket.ask();
    if (seen.fluid) walras.solved.show();
  }

  /* --- beginning ---------------------------------------------------------------------------- */

  function start(config) {
    if (started || !config) return;
    started = true;
    const {state} = walras, {at, make} = walras.nodes, {asked} = state;
    state.config = config;
    state.read(location.search);
    at("reasoning-home").append(make("input", "", {
      id: "reasoning", type: "range", min: -1, max: 1, step: 0.01,
    }));
    at("seed-home").append(make("input", "", {id: "seed", inputmode: "numeric"}));
    at("scenario").value = asked.scenario;
    at("seed").value = asked.seed;
    at("reasoning").value = String(Math.log10(asked.reasoning));
    at("pace").value = config.pace;
    if (state.pin) pressed("pin", true, "Unpin");
    show(asked.tab);
    if (config.sweep) walras.sweep.show();
    document.addEventListener("change", walras.controls.changed);
    document.addEventListener("input", walras.controls.slid);
    document.addEventListener("click", clicked);
    document.addEventListener("keydown", keyed);
    state.DARK.addEventListener("change", recoloured);
    walras.socket.connect();
    setInterval(walras.selection.listen, 250);  // Dash may put another plot into its place
  }

  function opened(chosen) {
    const point = chosen && chosen.points && chosen.points[0];
    if (started && point && point.customdata) walras.sweep.open(point.customdata);
  }

  /* What Dash calls; there is nothing that it need do then. */
  const heard = (act) => (told) => { act(told); return window.dash_clientside.no_update; };
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    walras: {start: heard(start), clicked: heard(opened)},
  });
  walras.board = {show, running};
})(window.walras ??= {});
