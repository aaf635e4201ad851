/* Tables; that of the offers to the class that is shown is kept as CSV by who wants it. */
"use strict";

(function (walras) {
  const SHARES = ["share", "accuracy", "on time", "load", "markup"];

  function tabulate(table) {
    const {make, scrolled} = walras.nodes, {number, percent} = walras.format;
    const node = make("table", "data"), head = make("tr");
    head.append(...table.columns.map((c) => {
      const cell = make("th", "", {scope: "col"});
      cell.textContent = c.replaceAll("_", " ");
      return cell;
    }));
    node.append(head, ...table.rows.map((r) => {
      const line = make("tr");
      line.append(...r.map((v, i) => {
        const cell = make("td"), write = SHARES.includes(table.columns[i]) ? percent : number;
        cell.textContent = typeof v === "number" ? write(v) : v ?? "–";
        return cell;
      }));
      return line;
    }));
    return scrolled(node);
  }

  function showOffers() {
    const {at, make} = walras.nodes, {asked, seen} = walras.state;
    const table = seen.fluid && seen.fluid.rows;
    if (!table) return;
    const button = make("button", "act", {type: "button", id: "save-csv"});
    button.textContent = "Save as CSV";
    const caption = make("p", "caption");
    caption.textContent = `The fluid market's offers to ${asked.task}. For all that a run ` +
      "records, copy the command: its folder holds the tables.";
    at("rows").replaceChildren(caption, tabulate(table), button);
  }

  function saveOffers() {
    const {asked, seen} = walras.state, table = seen.fluid.rows;
    const quoted = (v) => `"${String(v ?? "").replaceAll('"', '""')}"`;
    const lines = [table.columns, ...table.rows].map((r) => r.map(quoted).join(","));
    const link = walras.nodes.make("a", "", {download: `${asked.scenario}-${asked.task}.csv`});
    link.href = URL.createObjectURL(new Blob([lines.join("\n")], {type: "text/csv"}));
    link.click();
    URL.revokeObjectURL(link.href);
  }

  walras.tables = {tabulate, showOffers, saveOffers};
})(window.walras ??= {});
