/* The key figures: a card each, with the event market's, the fluid market's and what is pinned. */
"use strict";

(function (walras) {
  const SVG = "http://www.w3.org/2000/svg";

  function show() {
    const {config} = walras.state, home = walras.nodes.at("numbers");
    if (home.children.length !== config.keys.length) home.replaceChildren(...config.keys.map(card));
    config.keys.forEach((key, i) => fill(home.children[i], key));
  }

  function card(key) {
    const {make} = walras.nodes;
    const box = make("div", "number", {title: key.help, id: `number-${key.id}`});
    for (const part of ["label", "value", "other", "pin"]) box.append(make("div", part));
    box.append(spark());
    return box;
  }

  function fill(box, key) {
    const {config, seen} = walras.state, {percent} = walras.format;
    const fluid = seen.fluid || {}, live = seen.live || {}, solved = seen.solved;
    const of = (values) => walras.format.key(key.id, (values || {})[key.id], solved);
    const simulated = of(live.values), expected = of(fluid.values);
    const known = Number.isFinite(solved[key.id]);
    const [label, value, other, beside] = box.children;
    label.textContent = key.id === "welfare" && solved.planner > 0
      ? "Welfare / planner’s" : key.label;
    value.textContent = simulated || expected || (known ? percent(solved[key.id]) : "–");
    other.textContent = simulated ? expected && `fluid ${expected}`
      : expected ? "fluid" : known ? "fluid, posted prices" : "";
    beside.textContent = seen.pinned
      ? `pinned ${of(seen.pinned.values) || "–"}${seen.pinned.fluid ? " (fluid)" : ""}`
      : config.recorded ? `recorded ${of(config.recorded.values) || "–"}` : "";
    line(box.lastChild, (live.sparks || {})[key.id] || []);
  }

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

  walras.numbers = {show};
})(window.walras ??= {});
