/* The nodes that the page is made of. Names come from scenarios and are only ever set as text,
   never as markup. */
"use strict";

(function (walras) {
  function at(id) { return document.getElementById(id); }

  function make(tag, className, attributes) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    return node;
  }

  /* Give a list its options, unless it has them, and choose one. */
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

  /* A table that may be wider than what it stands in. */
  function scrolled(table) {
    const scroll = make("div", "scroll");
    scroll.append(table);
    return scroll;
  }

  walras.nodes = {at, make, choose, group, scrolled};
})(window.walras ??= {});
