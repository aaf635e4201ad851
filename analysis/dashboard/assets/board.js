/* The page's side of the dashboard: what is asked for, the socket, and where answers go.
   Names come from scenarios and are only ever set as text, never as markup. */
"use strict";

(function () {
  const $ = (id) => document.getElementById(id);
  const DARK = window.matchMedia("(prefers-color-scheme: dark)");
  const SETTLE = 40;          // ms between two questions while a control moves
  const DOTS = 300;           // ms between two drawings of tasks on the map
  const QUIET = 1500;         // ms without a change before what takes seconds is solved
  const NARROW = 600;         // px, below which axes have few ticks
  const RETRY = [500, 1000, 2000, 4000];

  /* A table without the names that every object has. */
  function nothing() { return Object.create(null); }

  /* What is shown: all of it stands in the page's address. */
  const asked = {scenario: "", set: nothing(), reasoning: 1, seed: "0", task: "", tab: "live"};
  const seen = {fluid: null, live: null, pinned: null, controls: "", drawn: {}, solved: {}};
  let config = {}, socket = null, tries = 0, playing = false, wanted = false, started = false;
  let timer = null, boxes = {}, outlines = {}, pin = "";
  const heard = new WeakSet();

  /* --- the address -------------------------------------------------------------------------- */

  function query() {
    const q = new URLSearchParams();
    q.set("scenario", asked.scenario);
    for (const [path, text] of Object.entries(asked.set)) q.append("set", `${path}=${text}`);
    if (asked.reasoning !== 1) q.set("reasoning", String(asked.reasoning));
    if (asked.seed !== "0") q.set("seed", asked.seed);
    if (asked.task) q.set("task", asked.task);
    if (asked.tab !== "live") q.set("tab", asked.tab);
    if (pin) q.set("pin", pin);
    return q.toString();
  }

  function read(text) {
    const q = new URLSearchParams(text), start = config.start || {};
    const known = config.scenarios.includes(q.get("scenario"));
    asked.scenario = known ? q.get("scenario") : start.scenario || config.scenarios[0];
    asked.set = nothing();
    const sets = q.has("scenario") ? q.getAll("set") : start.set || [];
    for (const one of sets) {
      const at = one.indexOf("=");
      if (at > 0) asked.set[one.slice(0, at)] = one.slice(at + 1);
    }
    const factor = Number(q.get("reasoning") || 1);
    asked.reasoning = factor >= 0.1 && factor <= 10 ? factor : 1;
    asked.seed = seedOf(q.get("seed") ?? (q.has("scenario") ? "0" : start.seed || "0"));
    asked.task = q.get("task") || "";
    asked.tab = $(`tab-${q.get("tab")}`) ? q.get("tab") : start.tab || "live";
    pin = q.get("pin") ?? (q.has("scenario") ? "" : config.pin || "");
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
    const q = new URLSearchParams(pin);
    return {
      scenario: q.get("scenario") || "", set: q.getAll("set"), seed: seedOf(q.get("seed") || "0"),
      reasoning: Number(q.get("reasoning") || 1),
    };
  }

  /* --- the socket --------------------------------------------------------------------------- */

  function send(message) {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function ask() {
    history.replaceState(null, "", `?${query()}`);
    if (timer) return;
    timer = setTimeout(() => { timer = null; send({ask: question()}); }, SETTLE);
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/socket`);
    socket.onopen = () => {
      tries = 0;
      seen.controls = "";
      say("");
      send({ask: question()});
      send({pace: Number($("pace").value)});
      if (pin) send({pin: pinned()});
      if (wanted) send({run: "play"});
    };
    socket.onmessage = (event) => {
      for (const [kind, told] of Object.entries(JSON.parse(event.data))) {
        if (HEARD[kind]) HEARD[kind](told);
      }
    };
    socket.onclose = () => {
      running(false);
      say("The dashboard does not answer; is it still running? Trying again …", true);
      setTimeout(connect, RETRY[Math.min(tries++, RETRY.length - 1)]);
    };
  }

  const HEARD = {
    fluid(told) {
      problems(told.problems);
      if (!told.tasks) return;
      seen.fluid = told;
      seen.live = null;
      if (told.key + told.reasoning !== seen.solved.of) {
        seen.solved = {of: told.key + told.reasoning};
        for (const card of document.querySelectorAll(".paper")) card.hidden = true;
        for (const home of ["solved", "gap"]) banner(home, "solving …");
        sweep();
        solve();
      }
      asked.task = told.task;
      choose($("task"), told.tasks, told.task);
      if (told.controls) { seen.controls = told.key; controls(told.controls); }
      if (!seen.drawn.f3) draw("f3", blank("the event market starts …"));
      hero(told.reasoners);
      $("question").textContent = told.question || "";
      draw("f1", told.figures.f1);
      draw("f2", told.figures.f2);
      draw("f4", told.figures.f4);
      numbers();
      rows();
      if (Object.values(boxes).some(Boolean)) select({});
      $("f1-note").textContent = told.rows ? told.note.split(";")[0] : "";
      $("f1-note").title = told.note;
      document.body.dataset.fluid = String(Number(document.body.dataset.fluid || 0) + 1);
      document.body.dataset.ms = String(told.ms);
    },
    live(told) {
      seen.live = told;
      running(told.playing);
      $("clock").textContent = duration(told.time);
      draw("f3", told.time > 0 || !wanted ? told.f3 : blank("the event market starts …"));
      dots();
      numbers();
      const chosen = told.chosen;
      $("f4-note").textContent = chosen
        ? `${chosen.count} of the last ${chosen.of} tasks of this class are selected` : "";
    },
    ribbons(told) { if (seen.live && seen.live.time > 0) draw("f4", told); },
    pinned(told) {
      /* Of a market that has no fluid model, what was simulated when it was pinned stays. */
      const known = Object.keys(told.values).length > 0;
      if (pin && (known || !seen.pinned)) seen.pinned = {values: told.values, fluid: known};
      numbers();
    },
    halted(told) { running(false); wanted = false; say(told, true); },
    toml(told) { told.toml === undefined ? problems(told.problems) : copy(told.toml, "TOML"); },
    solved(told) {
      if (told.of !== seen.solved.of) return;  // of a market that is no longer shown
      seen.solved = told;
      solved();
      numbers();
    },
  };

  /* --- figures ------------------------------------------------------------------------------ */

  /* Zoom and selection stay while the same class of the same scenario is shown. */
  function draw(id, figure) {
    if (!figure) return;
    figure.layout.uirevision = `${asked.scenario} ${asked.task}`;
    figure.layout.selections = outlines[id] ? [outlines[id]] : [];
    if (window.innerWidth < NARROW) thin(figure.layout.xaxis);
    seen.drawn[id] = figure;
    window.dash_clientside.set_props(id, {figure});
  }

  function thin(axis) {
    while (axis && axis.ticktext && axis.ticktext.length > 5) {
      axis.tickvals = axis.tickvals.filter((_, i) => i % 2 === 0);
      axis.ticktext = axis.ticktext.filter((_, i) => i % 2 === 0);
    }
  }

  function blank(text_) {
    const ink = getComputedStyle(document.body).getPropertyValue("--muted");
    return {data: [], layout: {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: {visible: false},
      yaxis: {visible: false}, annotations: [{
        text: text_, x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false,
        font: {size: 14, color: ink},
      }],
    }};
  }

  let dotted = 0;
  function dots() {
    const figure = seen.drawn.f1, trace = seen.live && seen.live.dots;
    if (!figure || !figure.data.length || !trace || Date.now() - dotted < DOTS && playing) return;
    dotted = Date.now();
    window.dash_clientside.set_props("f1", {
      figure: {data: [...figure.data, trace], layout: figure.layout},
    });
  }

  function select(chosen) {
    boxes = {...boxes, ...chosen};
    const told = {};
    for (const [name, ends] of Object.entries(boxes)) if (ends) told[name] = ends;
    send({chosen: Object.keys(told).length ? told : null});
    fade(told.offers);
  }

  /* Plotly tells of a selection whenever it draws, of none where it forgot it: what counts is
     another box, or that it was ended. The box is drawn again with each figure. It is Plotly that
     is listened to: Dash may pass on the last of several events only. */
  const SELECTS = {
    f1(chosen) {
      select({deadline: chosen ? chosen.range.x : null, value: chosen ? chosen.range.y : null});
    },
    f2(chosen) {
      const found = chosen && chosen.points.map((p) => p.customdata);
      select({offers: found && found.filter((o) => o !== undefined)});
    },
  };

  function outlined(id, chosen) {
    const range = chosen && chosen.range;
    if (chosen && !range) return;
    const [x, y] = range ? [range.x, range.y] : [];
    const now = range && {type: "rect", x0: x[0], x1: x[1], y0: y[0], y1: y[1]};
    if (now && outlines[id] && alike(now, outlines[id])) return;
    outlines = {...outlines, [id]: now};
    if (seen.drawn[id]) seen.drawn[id].layout.selections = now ? [now] : [];
    setTimeout(() => SELECTS[id](chosen));  // Dash is not done with this event yet
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

  function alike(a, b) {
    return ["x0", "x1", "y0", "y1"].every(
      (k) => Math.abs(a[k] - b[k]) <= 1e-6 * Math.max(Math.abs(a[k]), Math.abs(b[k])));
  }

  /* Offers that are not selected fade, wherever a bubble stands for one. */
  function fade(offers) {
    const figure = seen.drawn.f2;
    if (!figure) return;
    const data = figure.data.map((trace) => {
      if (!trace.customdata || !offers) return trace;
      const opacity = trace.customdata.map((o) => (offers.includes(o) ? 0.95 : 0.12));
      return {...trace, marker: {...trace.marker, opacity}};
    });
    window.dash_clientside.set_props("f2", {figure: {data, layout: figure.layout}});
  }

  /* --- key figures -------------------------------------------------------------------------- */

  function numbers() {
    const fluid = seen.fluid || {}, live = seen.live || {}, solvedNow = seen.solved;
    const home = $("numbers");
    if (home.children.length !== config.keys.length) {
      home.replaceChildren(...config.keys.map((key) => {
        const card = make("div", "number", {title: key.help, id: `number-${key.id}`});
        for (const part of ["label", "value", "other", "pin"]) card.append(make("div", part));
        card.append(spark());
        return card;
      }));
    }
    config.keys.forEach((key, i) => {
      const card = home.children[i], of = (from) => text(key.id, (from || {})[key.id], solvedNow);
      const simulated = of(live.values), expected = of(fluid.values);
      const [label, value, other, beside] = card.children;
      label.textContent = key.id === "welfare" && solvedNow.planner > 0
        ? "Welfare / planner’s" : key.label;
      value.textContent = simulated || expected ||
        (Number.isFinite(solvedNow[key.id]) ? percent(solvedNow[key.id]) : "–");
      other.textContent = simulated ? expected && `fluid ${expected}`
        : expected ? "fluid" : Number.isFinite(solvedNow[key.id]) ? "fluid, posted prices" : "";
      beside.textContent = seen.pinned
        ? `pinned ${of(seen.pinned.values) || "–"}${seen.pinned.fluid ? " (fluid)" : ""}`
        : config.recorded ? `recorded ${of(config.recorded.values) || "–"}` : "";
      line(card.lastChild, (live.sparks || {})[key.id] || []);
    });
  }

  function text(id, value, solvedNow) {
    if (value === null || value === undefined) return "";
    if (id === "welfare") {
      return solvedNow.planner > 0 ? percent(value / solvedNow.planner) : `${number(value)} USD/h`;
    }
    if (id === "price") {
      return solvedNow.nash > 0 ? `${number(value / solvedNow.nash)} × Nash`
        : `${number(value)} USD`;
    }
    return id === "hhi" ? number(value) : percent(value);
  }

  function number(x) {
    if (!Number.isFinite(x)) return "–";
    if (x !== 0 && (Math.abs(x) < 1e-6 || Math.abs(x) >= 1e9)) {
      const [digits, power] = x.toExponential(2).split("e");
      return `${digits} × 10${[...power.replace("+", "")].map((c) => RAISED[c] || c).join("")}`;
    }
    return x.toLocaleString("en", {maximumSignificantDigits: 3}).replace("-", "−");
  }

  function percent(x) {
    if (!Number.isFinite(x)) return "–";
    return x > 0 && x < 1e-4 ? "< 0.01%" : `${number(100 * x)}%`;
  }

  function duration(s) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (s >= 2 * size) return `${number(s / size)} ${unit}`;
    }
    return `${number(s)} s`;
  }

  const RAISED = Object.fromEntries([..."-0123456789"].map((c, i) => [c, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[i]]));
  const SVG = "http://www.w3.org/2000/svg";
  function spark() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 24");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(SVG, "polyline"));
    return svg;
  }

  function line(svg, values) {
    const known = values.filter((v) => v !== null);
    const low = Math.min(...known), high = Math.max(...known), wide = Math.max(high - low, 1e-12);
    const at = values.map((v, i) => v === null ? "" :
      `${(100 * i / Math.max(values.length - 1, 1)).toFixed(1)},` +
      `${(22 - 20 * (v - low) / wide).toFixed(1)}`);
    svg.toggleAttribute("hidden", known.length < 2);
    svg.firstChild.setAttribute("points", known.length > 1 ? at.filter(Boolean).join(" ") : "");
  }

  /* --- controls ----------------------------------------------------------------------------- */

  function make(tag, className, more) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    for (const [name, value] of Object.entries(more || {})) node.setAttribute(name, value);
    return node;
  }

  function choose(list, values, now, labels) {
    const same = list.options.length === values.length &&
      values.every((v, i) => list.options[i].value === v);
    if (!same) {
      list.replaceChildren(...values.map((value, i) => {
        const option = make("option");
        option.value = value;
        option.textContent = labels ? labels[i] : value;
        return option;
      }));
    }
    list.value = now;
  }

  function group(title, open, ...children) {
    const box = make("details", "group"), head = make("summary");
    box.open = open;
    head.textContent = title;
    box.append(head, ...children);
    return box;
  }

  function entry(field) {
    const input = make("input", "", {
      "data-path": field.path, "aria-label": field.label || field.path, spellcheck: "false",
    });
    input.value = asked.set[field.path] ?? field.value;
    return input;
  }

  function row(field) {
    const label = make("label", "row", {title: [field.help, field.range].filter(Boolean).join("; ")});
    const name = make("span"), unit = make("span", "unit");
    name.textContent = field.label;
    unit.textContent = field.unit;
    label.append(name, entry(field), unit);
    return label;
  }

  function pick(title, id, field, none) {
    const label = make("label", "row"), name = make("span"), list = make("select", "", {id});
    name.textContent = title;
    const values = field.options.map((o) => o.value);
    const extra = values.includes(field.value) ? [] : [field.value];
    choose(list, [...extra, ...values], field.value,
      [...extra.map(() => none), ...field.options.map((o) => o.label)]);
    label.append(name, list);
    return label;
  }

  function models(table) {
    const node = make("table", "models"), head = make("thead"), body = make("tbody");
    const top = make("tr"), first = make("th");
    first.textContent = "model";
    top.append(first, ...table.columns.map((column) => {
      const cell = make("th", "", {title: column.help});
      cell.textContent = column.label;
      const unit = make("div", "unit");
      unit.textContent = column.unit;
      cell.append(unit);
      return cell;
    }));
    head.append(top);
    body.append(...table.rows.map((r) => {
      const line_ = make("tr"), name = make("th", "", {scope: "row", title: r.name});
      name.textContent = r.name;
      line_.append(name, ...r.cells.map((c, i) => {
        const cell = make("td");
        if (c) cell.append(entry({...c, label: `${r.name} ${table.columns[i].label}`}));
        return cell;
      }));
      return line_;
    }));
    node.append(head, body);
    const scroll = make("div", "scroll");
    scroll.append(node);
    return scroll;
  }

  let told = null;
  function controls(now) {
    told = now;
    const fields = now.tasks[asked.task] || [];
    const wide = window.innerWidth > 900;
    const undo = make("button", "act", {type: "button", id: "undo"});
    undo.textContent = "Undo all changes";
    $("controls").replaceChildren(
      group(`Tasks and buyers: ${asked.task}`, wide, ...fields.map(row)),
      group("Mechanism and learning", wide, pick("mechanism", "mechanism", now.mechanism, "Python"),
        pick("sellers price", "learning", now.learning, "as stated")),
      group("Models", wide, models(now.models)), undo,
    );
  }

  function hero(count) {
    const slider = $("reasoning");
    slider.disabled = count === 0;
    slider.setAttribute("aria-valuetext", `times ${number(asked.reasoning)}`);
    $("reasoning-told").classList.toggle("none", count === 0);
    $("reasoning-told").textContent = count === 0 ? "nobody sells thinking here"
      : `× ${number(asked.reasoning)}`;
  }

  /* A value goes into a change as text where it is a word, as it is where it is a number. */
  function change(path, value) {
    const trimmed = value.trim();
    if (trimmed === "") delete asked.set[path];
    else asked.set[path] = trimmed;
    ask();
  }

  function changed(event) {
    const at = event.target;
    if (at.dataset.path) change(at.dataset.path, at.value);
    else if (at.id === "mechanism") change("mechanism", at.value);
    else if (at.id === "learning") {
      for (const path of told.learning.paths) change(path, at.value);
    } else if (at.id === "scenario") {
      Object.assign(asked, {scenario: at.value, set: nothing(), reasoning: 1, task: ""});
      forget();
      $("reasoning").value = "0";
      ask();
    } else if (at.id === "task") {
      asked.task = at.value;
      forget();
      if (told) controls(told);
      ask();
    } else if (at.id === "seed") {
      asked.seed = seedOf(at.value);
      at.value = asked.seed;
      ask();
    } else if (at.id === "pace") send({pace: Number(at.value)});
  }

  function forget() {
    boxes = outlines = {};
    send({chosen: null});
  }

  function slid(event) {
    if (event.target.id !== "reasoning") return;
    const factor = 10 ** Number(event.target.value);
    asked.reasoning = Number(factor.toPrecision(3));
    hero(seen.fluid ? seen.fluid.reasoners : 1);
    ask();
  }

  function pressed(event) {
    const at = event.target.closest("button");
    if (!at) return;
    if (at.dataset.tab) show(at.dataset.tab);
    else if (ACTS[at.id]) ACTS[at.id]();
  }

  const ACTS = {
    play() { wanted = !playing; send({run: playing ? "pause" : "play"}); say(""); },
    step() { wanted = false; send({run: "step"}); },
    reset() { send({run: "reset"}); },
    pin() {
      pin = pin ? "" : query();
      seen.pinned = pin ? {values: (seen.live || {}).values || (seen.fluid || {}).values} : null;
      $("pin").setAttribute("aria-pressed", String(Boolean(pin)));
      $("pin").textContent = pin ? "Unpin" : "Pin";
      if (pin) send({pin: pinned()});
      history.replaceState(null, "", `?${query()}`);
      numbers();
    },
    "copy-toml"() { send({toml: question()}); },
    "copy-command"() { if (seen.fluid) copy(seen.fluid.command, "command"); },
    undo() {
      Object.assign(asked, {set: nothing(), reasoning: 1});
      $("reasoning").value = "0";
      ask();
    },
    "save-csv"() { save(); },
  };

  const KEYS = {" ": "play", s: "step", r: "reset", p: "pin"};
  function keyed(event) {
    const types = "input:not([type=range]), select, textarea";
    const inside = event.target.closest(event.key === " " ? `${types}, button, a, summary` : types);
    if (event.target.dataset && event.target.dataset.tab && event.key.startsWith("Arrow")) {
      const all = [...$("tabs").children], i = all.indexOf(event.target);
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (step) { const to = all[(i + step + all.length) % all.length]; show(to.dataset.tab); to.focus(); }
    } else if (!inside && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key]) {
      event.preventDefault();
      ACTS[KEYS[event.key]]();
    }
  }

  /* --- what else is told -------------------------------------------------------------------- */

  function show(name) {
    asked.tab = name;
    for (const tab of $("tabs").children) {
      const here = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      $(`view-${tab.dataset.tab}`).hidden = !here;
    }
    history.replaceState(null, "", `?${query()}`);
    window.dispatchEvent(new Event("resize"));
  }

  function running(now) {
    playing = now;
    $("play").textContent = now ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(now));
  }

  function say(text_, bad) {
    $("status").textContent = text_;
    $("status").classList.toggle("bad", Boolean(bad));
  }

  /* Errors stand there; warnings, of which a market may have many, are opened by who wants them. */
  function problems(list) {
    const now = JSON.stringify(list || []);
    if (seen.problems === now) return;
    seen.problems = now;
    const lines = (list || []).map((p) => {
      const line_ = make("p", p.warning ? "warning" : "error");
      line_.textContent = [p.code, p.field && `${p.field}:`, p.text, p.hint && `(${p.hint})`]
        .filter(Boolean).join(" ");
      return line_;
    });
    const [bad, mild] = ["error", "warning"].map((c) => lines.filter((p) => p.className === c));
    const box = group(mild.length > 1 ? `${mild.length} warnings` : "1 warning", false, ...mild);
    const first = make("span");
    first.textContent = mild.length ? `: ${mild[0].textContent}` : "";
    box.firstChild.append(first);
    $("problems").replaceChildren(...bad, ...(mild.length ? [box] : []));
  }

  async function copy(what, name) {
    try {
      await navigator.clipboard.writeText(what);
      say(`${name} copied`);
    } catch {
      const area = make("textarea", "copied", {readonly: "", "aria-label": name});
      area.value = what;
      seen.problems = "";
      $("problems").replaceChildren(area);
      area.select();
      say(`copy the ${name} from the box above`);
    }
  }

  const PARTS = ["share", "accuracy", "on time", "load", "markup"];
  function tabulate(table) {
    const node = make("table", "data"), head = make("tr");
    head.append(...table.columns.map((c) => {
      const cell = make("th", "", {scope: "col"});
      cell.textContent = c.replaceAll("_", " ");
      return cell;
    }));
    node.append(head, ...table.rows.map((r) => {
      const line_ = make("tr");
      line_.append(...r.map((v, i) => {
        const cell = make("td"), write = PARTS.includes(table.columns[i]) ? percent : number;
        cell.textContent = typeof v === "number" ? write(v) : v ?? "–";
        return cell;
      }));
      return line_;
    }));
    const scroll = make("div", "scroll");
    scroll.append(node);
    return scroll;
  }

  function rows() {
    const table = seen.fluid && seen.fluid.rows;
    if (!table) return;
    const button = make("button", "act", {type: "button", id: "save-csv"});
    button.textContent = "Save as CSV";
    const caption = make("p", "caption");
    caption.textContent = `The fluid market's offers to ${asked.task}. For all that a run records, ` +
      "copy the command: its folder holds the tables.";
    $("rows").replaceChildren(caption, tabulate(table), button);
  }

  function save() {
    const table = seen.fluid.rows;
    const quoted = (v) => `"${String(v ?? "").replaceAll('"', '""')}"`;
    const lines = [table.columns, ...table.rows].map((r) => r.map(quoted).join(","));
    const link = make("a", "", {download: `${asked.scenario}-${asked.task}.csv`});
    link.href = URL.createObjectURL(new Blob([lines.join("\n")], {type: "text/csv"}));
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /* --- what takes seconds ------------------------------------------------------------------- */

  let thinking = null;
  function solve() {
    clearTimeout(thinking);
    thinking = setTimeout(() => send({solve: {...question(), of: seen.solved.of}}), QUIET);
  }

  function solved() {
    const now = seen.solved;
    document.body.dataset.solved = now.done ? "yes" : "";
    sweep();
    for (const [id, told_] of Object.entries(now.figures || {})) {
      if (seen.drawn[`figure-${id}`] === told_.figure) continue;
      $(`card-${id}`).hidden = false;
      $(`question-${id}`).textContent = `${id} ${told_.question}`;
      $(`caption-${id}`).textContent = told_.caption;
      $(`card-${id}`).style.setProperty("--tall", `${told_.figure.layout.height || 450}px`);
      seen.drawn[`figure-${id}`] = told_.figure;
      window.dash_clientside.set_props(`figure-${id}`, {figure: tinted(told_.figure)});
    }
    const said = now.step ? `solving: ${now.step} …` : now.why || "";
    const line_ = seen.fluid.command.replace("walras run", "walras equilibrium");
    banner("solved", now.text ? `${now.text}: ${line_} certifies or refutes it` : said,
      now.levers);
    const parts = Object.entries(now.gap || {});
    banner("gap", said, parts.length && {
      columns: ["what costs the market welfare", "USD/h"], rows: parts,
    });
  }

  /* Solved figures are drawn for paper. */
  function tinted(figure) {
    if (!DARK.matches) return figure;
    let text_ = JSON.stringify(figure);
    for (const [from, to] of Object.entries(config.tints)) text_ = text_.replaceAll(from, to);
    return JSON.parse(text_);
  }

  function recoloured() {
    seen.drawn = {};
    ask();
    if (seen.fluid) solved();
  }

  function banner(id, text_, table) {
    const line_ = make("p", "banner");
    line_.textContent = text_;
    $(id).replaceChildren(...(text_ ? [line_] : []), ...(table ? [tabulate(table)] : []));
  }

  /* --- points of a sweep -------------------------------------------------------------------- */

  function sweep() {
    const given = config.sweep;
    if (!given) {
      const figure = seen.solved.sweep;
      if (figure && seen.drawn.sweep !== figure) {
        seen.drawn.sweep = figure;
        window.dash_clientside.set_props("sweep", {figure: tinted(figure)});
      }
      $("card-sweep").hidden = !figure;
      note("What the price of reasoning does to this market, in the fluid model. Click a point: " +
        "the slider goes there.", !figure);
      return;
    }
    $("card-sweep").hidden = false;
    if (seen.drawn.sweep) return;
    const words = given.runs.some((run) => typeof run.x === "string");
    const ink = getComputedStyle(document.body).color;
    draw("sweep", {
      data: [{
        type: "scatter", mode: "markers", x: given.runs.map((run) => run.x),
        y: given.runs.map((run) => run.y), customdata: given.runs,
        marker: {size: 8, color: "#0072B2", opacity: 0.6},
        text: given.runs.map((run) => `run ${run.run}, seed ${run.seed}`),
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

  function note(text_, waits) {
    const none_ = seen.solved.why || "Nobody sells thinking here: there is no price to move.";
    $("sweep-note").textContent = !waits ? text_ : seen.solved.done ? none_ : "solving …";
  }

  /* Plotly reads a subset of HTML in its labels. */
  function plain(text_) {
    return text_.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  }

  function opened(point) {
    if (point.reasoning !== undefined) {
      asked.reasoning = point.reasoning;
      $("reasoning").value = String(Math.log10(point.reasoning));
    } else {
      asked.set = nothing();
      for (const one of point.set) {
        const at = one.indexOf("=");
        asked.set[one.slice(0, at)] = one.slice(at + 1);
      }
      asked.scenario = config.start.scenario;
      $("scenario").value = asked.scenario;
      asked.seed = point.seed;
      $("seed").value = point.seed;
      say(`run ${point.run} of the sweep: seed ${point.seed}`);
    }
    show("live");
    ask();
  }

  /* --- beginning ---------------------------------------------------------------------------- */

  function start(given) {
    if (started || !given) return;
    started = true;
    config = given;
    read(location.search);
    $("reasoning-home").append(make("input", "", {
      id: "reasoning", type: "range", min: -1, max: 1, step: 0.01,
    }));
    $("seed-home").append(make("input", "", {id: "seed", inputmode: "numeric"}));
    $("scenario").value = asked.scenario;
    $("seed").value = asked.seed;
    $("reasoning").value = String(Math.log10(asked.reasoning));
    $("pace").value = given.pace || "60";
    if (pin) { $("pin").textContent = "Unpin"; $("pin").setAttribute("aria-pressed", "true"); }
    show(asked.tab);
    if (config.sweep) sweep();
    document.addEventListener("change", changed);
    document.addEventListener("input", slid);
    document.addEventListener("click", pressed);
    document.addEventListener("keydown", keyed);
    DARK.addEventListener("change", recoloured);
    connect();
    setInterval(listen, 250);  // Dash may put another plot into its place
  }

  const none = () => window.dash_clientside.no_update;
  window.dash_clientside = Object.assign({}, window.dash_clientside, {walras: {
    start(given) { start(given); return none(); },
    clicked(chosen) {
      const point = chosen && chosen.points && chosen.points[0];
      if (started && point && point.customdata) opened(point.customdata);
      return none();
    },
  }});
})();
