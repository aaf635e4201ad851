/* Numbers and names as the page writes them. */
"use strict";

(function (walras) {
  const RAISED = Object.fromEntries([..."-0123456789"].map((c, i) => [c, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[i]]));
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

  /* Three digits; what is very small or very large, with a power of ten. */
  function number(x) {
    if (!Number.isFinite(x)) return "–";
    if (x !== 0 && (Math.abs(x) < 1e-6 || Math.abs(x) >= 1e9)) {
      const [digits, power] = x.toExponential(2).split("e");
      return `${digits} × 10${[...power.replace("+", "")].map((c) => RAISED[c] || c).join("")}`;
    }
    return x.toLocaleString("en", {maximumSignificantDigits: 3}).replace("-", "−");
  }

  /* A share, of which the smallest are not written as nothing. */
  function percent(x) {
    if (!Number.isFinite(x)) return "–";
    return x > 0 && x < 1e-4 ? "< 0.01%" : `${number(100 * x)}%`;
  }

  /* Seconds, in the largest unit of which there are two. */
  function duration(s) {
    for (const [size, unit] of UNITS) {
      if (s >= 2 * size) return `${number(s / size)} ${unit}`;
    }
    return `${number(s)} s`;
  }

  /* The value of a key figure; over that of the planner or at Nash prices once that is solved. */
  function key(id, value, solved) {
    if (value === null || value === undefined) return "";
    if (id === "welfare") {
      return solved.planner > 0 ? percent(value / solved.planner) : `${number(value)} USD/h`;
    }
    if (id === "price") {
      return solved.nash > 0 ? `${number(value / solved.nash)} × Nash` : `${number(value)} USD`;
    }
    return id === "hhi" ? number(value) : percent(value);
  }

  /* Plotly reads a subset of HTML in its labels. */
  function plain(text) {
    return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  }

  walras.format = {number, percent, duration, key, plain};
})(window.walras ??= {});
