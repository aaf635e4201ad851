/* Messages: what is wrong with a scenario, what was done, and what is copied. */
"use strict";

(function (walras) {
  let shown = "";

  function say(text, bad) {
    const status = walras.nodes.at("status");
    status.textContent = text;
    status.classList.toggle("bad", Boolean(bad));
  }

  /* Errors stand there; warnings, of which a market may have many, are opened by who wants them. */
  function problems(list) {
    const {at, make, group} = walras.nodes;
    const now = JSON.stringify(list || []);
    if (shown === now) return;
    shown = now;
    const lines = (list || []).map(line);
    const [bad, mild] = ["error", "warning"].map((c) => lines.filter((p) => p.className === c));
    const box = group(mild.length > 1 ? `${mild.length} warnings` : "1 warning", false, ...mild);
    const first = make("span");
    first.textContent = mild.length ? `: ${mild[0].textContent}` : "";
    box.firstChild.append(first);
    at("problems").replaceChildren(...bad, ...(mild.length ? [box] : []));
  }

  function line(problem) {
    const {code, field, text, hint, warning} = problem;
    const told = walras.nodes.make("p", warning ? "warning" : "error");
    told.textContent = [code, field && `${field}:`, text, hint && `(${hint})`]
      .filter(Boolean).join(" ");
    return told;
  }

  async function copy(what, name) {
    try {
      await navigator.clipboard.writeText(what);
      say(`${name} copied`);
    } catch {
      const area = walras.nodes.make("textarea", "copied", {readonly: "", "aria-label": name});
      area.value = what;
      shown = "";
      walras.nodes.at("problems").replaceChildren(area);
      area.select();
      say(`copy the ${name} from the box above`);
    }
  }

  walras.messages = {say, problems, copy};
})(window.walras ??= {});
