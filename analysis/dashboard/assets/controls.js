/* The controls: what can be changed of a market, and what a change does. */
"use strict";

(function (walras) {
  const WIDE = 900;  // px, above which there is room for all of them beside the maps
  let shown = null;

  function show(now) {
    shown = now;
    const {at, make, group} = walras.nodes, {task} = walras.state.asked;
    const fields = now.tasks[task] || [], open = window.innerWidth > WIDE;
    const undo = make("button", "act", {type: "button", id: "undo"});
    undo.textContent = "Undo all changes";
    at("controls").replaceChildren(
      group(`Tasks and buyers: ${task}`, open, ...fields.map(row)),
      group("Mechanism and learning", open, pick("mechanism", "mechanism", now.mechanism, "Python"),
        pick("sellers price", "learning", now.learning, "as stated")),
      group("Models", open, models(now.models)), undo,
    );
  }

  function entry(field) {
    const input = walras.nodes.make("input", "", {
      "data-path": field.path, "aria-label": field.label || field.path, spellcheck: "false",
    });
    input.value = walras.state.asked.set[field.path] ?? field.value;
    return input;
  }

  function row(field) {
    const {make} = walras.nodes;
    const title = [field.help, field.range].filter(Boolean).join("; ");
    const label = make("label", "row", {title}), name = make("span"), unit = make("span", "unit");
    name.textContent = field.label;
    unit.textContent = field.unit;
    label.append(name, entry(field), unit);
    return label;
  }

  function pick(title, id, field, none) {
    const {make, choose} = walras.nodes;
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
    const {make, scrolled} = walras.nodes;
    const node = make("table", "models"), head = make("thead"), body = make("tbody");
    head.append(columns(table));
    body.append(...table.rows.map((r) => {
      const line = make("tr"), name = make("th", "", {scope: "row", title: r.name});
      name.textContent = r.name;
      line.append(name, ...r.cells.map((c, i) => {
        const cell = make("td");
        if (c) cell.append(entry({...c, label: `${r.name} ${table.columns[i].label}`}));
        return cell;
      }));
      return line;
    }));
    node.append(head, body);
    return scrolled(node);
  }

  function columns(table) {
    const {make} = walras.nodes, line = make("tr"), first = make("th");
    first.textContent = "model";
    line.append(first, ...table.columns.map((column) => {
      const cell = make("th", "", {title: column.help}), unit = make("div", "unit");
      cell.textContent = column.label;
      unit.textContent = column.unit;
      cell.append(unit);
      return cell;
    }));
    return line;
  }

  /* The price of reasoning, of so many sellers. */
  function hero(count) {
    const {at} = walras.nodes, factor = walras.format.number(walras.state.asked.reasoning);
    const slider = at("reasoning"), told = at("reasoning-told");
    slider.disabled = count === 0;
    slider.setAttribute("aria-valuetext", `times ${factor}`);
    told.classList.toggle("none", count === 0);
    told.textContent = count === 0 ? "nobody sells thinking here" : `× ${factor}`;
  }

  /* A value goes into a change as text where it is a word, as it is where it is a number. */
  function change(path, value) {
    const {set} = walras.state.asked, trimmed = value.trim();
    if (trimmed === "") delete set[path];
    else set[path] = trimmed;
    walras.socket.ask();
  }

  /* What a control does when it is changed, by its id. */
  const CHANGES = {
    mechanism(list) { change("mechanism", list.value); },
    learning(list) { for (const path of shown.learning.paths) change(path, list.value); },
    scenario(list) {
      walras.state.asked.scenario = list.value;
      walras.state.asked.task = "";
      walras.selection.forget();
      undo();
    },
    task(list) {
      walras.state.asked.task = list.value;
      walras.selection.forget();
      if (shown) show(shown);
      walras.socket.ask();
    },
    seed(input) {
      walras.state.asked.seed = input.value = walras.state.seedOf(input.value);
      walras.socket.ask();
    },
    pace(list) { walras.socket.send({pace: Number(list.value)}); },
  };

  function changed(event) {
    const {target} = event;
    if (target.dataset.path) change(target.dataset.path, target.value);
    else if (Object.hasOwn(CHANGES, target.id)) CHANGES[target.id](target);
  }

  function slid(event) {
    if (event.target.id !== "reasoning") return;
    const {asked, seen} = walras.state, factor = 10 ** Number(event.target.value);
    asked.reasoning = Number(factor.toPrecision(3));
    hero(seen.fluid ? seen.fluid.reasoners : 1);
    walras.socket.ask();
  }

  function undo() {
    Object.assign(walras.state.asked, {set: walras.state.nothing(), reasoning: 1});
    walras.nodes.at("reasoning").value = "0";
    walras.socket.ask();
  }

  walras.controls = {show, hero, changed, slid, undo};
})(window.walras ??= {});
