/* What is asked for, what was told, and the address in which all that is asked for stands. */
"use strict";

(function (walras) {
  const DARK = window.matchMedia("(prefers-color-scheme: dark)");

  /* What is shown. */
  const asked = {scenario: "", set: nothing(), reasoning: 1, seed: "0", task: "", tab: "live"};

  /* The last answers, the key of the controls that stand there, the figures that were drawn. */
  const seen = {fluid: null, live: null, pinned: null, controls: "", drawn: {}, solved: {}};

  /* A table without the names that every object has. */
  function nothing() { return Object.create(null); }

  function query() {
    const q = new URLSearchParams();
    q.set("scenario", asked.scenario);
    for (const [path, text] of Object.entries(asked.set)) q.append("set", `${path}=${text}`);
    if (asked.reasoning !== 1) q.set("reasoning", String(asked.reasoning));
    if (asked.seed !== "0") q.set("seed", asked.seed);
    if (asked.task) q.set("task", asked.task);
    if (asked.tab !== "live") q.set("tab", asked.tab);
    if (walras.state.pin) q.set("pin", walras.state.pin);
    return q.toString();
  }

  function write() { history.replaceState(null, "", `?${query()}`); }

  function read(text) {
    const {config} = walras.state;
    const q = new URLSearchParams(text), start = config.start || {};
    const known = config.scenarios.includes(q.get("scenario"));
    asked.scenario = known ? q.get("scenario") : start.scenario || config.scenarios[0];
    asked.set = changes(q.has("scenario") ? q.getAll("set") : start.set || []);
    const factor = Number(q.get("reasoning") || 1);
    asked.reasoning = factor >= 0.1 && factor <= 10 ? factor : 1;
    asked.seed = seedOf(q.get("seed") ?? (q.has("scenario") ? "0" : start.seed || "0"));
    asked.task = q.get("task") || "";
    asked.tab = walras.nodes.at(`tab-${q.get("tab")}`) ? q.get("tab") : start.tab || "live";
    walras.state.pin = q.get("pin") ?? (q.has("scenario") ? "" : config.pin || "");
  }

  /* Changes by path, from texts as `--set` takes them. */
  function changes(sets) {
    const found = nothing();
    for (const one of sets) {
      const at = one.indexOf("=");
      if (at > 0) found[one.slice(0, at)] = one.slice(at + 1);
    }
    return found;
  }

  /* A seed may have more digits than a number holds. */
  function seedOf(text) {
    const digits = String(text).trim().replace(/^0+(?=.)/, "");
    return /^[0-9]{1,19}$/.test(digits) ? digits : "0";
  }

  function question() {
    return {
      scenario: asked.scenario, set: Object.entries(asked.set).map(([p, t]) => `${p}=${t}`),
      reasoning: asked.reasoning, seed: asked.seed, task: asked.task, dark: DARK.matches,
      seen: seen.controls,
    };
  }

  function pinned() {
    const q = new URLSearchParams(walras.state.pin);
    return {
      scenario: q.get("scenario") || "", set: q.getAll("set"), seed: seedOf(q.get("seed") || "0"),
      reasoning: Number(q.get("reasoning") || 1),
    };
  }

  walras.state = {
    DARK, asked, seen, nothing, query, write, read, changes, seedOf, question, pinned,
    config: {},      // what the page was started with
    pin: "",         // the address of what is pinned
    playing: false,  // whether the event market runs
    wanted: false,   // whether it was last told to
  };
})(window.walras ??= {});
