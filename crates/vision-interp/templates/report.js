"use strict";
(() => {
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // Tables: sorted by a click on a head, and filtered if they are long.
  const LONG = 20;
  const sortBy = (table, column, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return "sort" in cell.dataset ? Number(cell.dataset.sort) : head.classList.contains("number") ? NaN : cell.textContent;
    };
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      // What is not known comes last, either way.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
      return down ? -order : order;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(compare));
  };
  for (const table of document.querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", { type: "button", textContent: head.textContent.trim() });
      button.addEventListener("click", () => sortBy(table, column, head));
      head.replaceChildren(button);
    });
    const rows = [...table.tBodies[0].rows];
    if (rows.length <= LONG) continue;
    const input = make("input", { type: "search" });
    const count = make("span", { textContent: `${rows.length} rows` });
    count.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    });
    table.parentElement.before(make("div", { className: "filter" }, make("label", {}, "Only rows with ", input), count));
  }

  // Decisions about images: kept in the page until they are saved as a file.
  const decisions = new Map();
  let saved = true;
  const status = document.getElementById("decided");
  const cards = [...document.querySelectorAll(".card[data-file]")];
  const show = () => {
    const count = decisions.size;
    const unsaved = saved ? "" : ", not yet saved";
    status.textContent = count === 0 ? "Nothing is decided." : `${count} image${count === 1 ? "" : "s"} decided${unsaved}.`;
    for (const card of cards) {
      const own = decisions.get(card.dataset.file);
      card.classList.toggle("decided", own !== undefined);
      for (const radio of card.querySelectorAll("input[type=radio]")) {
        radio.checked = radio.value === (own === undefined ? "" : own.decision);
      }
      const label = card.querySelector("input[type=text]");
      label.hidden = own === undefined || own.decision !== "relabel";
      if (own !== undefined && label !== document.activeElement) label.value = own.label;
    }
  };
  const decide = (card, decision, label) => {
    if (decision === "") decisions.delete(card.dataset.file);
    else decisions.set(card.dataset.file, { decision, label: decision === "relabel" ? label : "" });
    saved = false;
    show();
  };
  cards.forEach((card, number) => {
    const label = make("input", { type: "text", value: card.dataset.suggested || "", hidden: true });
    label.setAttribute("list", "classes");
    label.setAttribute("aria-label", `The right class of ${card.dataset.file}`);
    label.addEventListener("input", () => decide(card, "relabel", label.value.trim()));
    const choices = [
      ["", "undecided"],
      ["keep", `keep as ${card.dataset.given}`],
      ["relabel", "give another class"],
      ["exclude", "leave out"],
    ].map(([value, text]) => {
      const radio = make("input", { type: "radio", name: `decision-${number}`, value, checked: value === "" });
      // The focus stays: with the arrow keys a person passes by this choice.
      radio.addEventListener("change", () => decide(card, value, label.value.trim()));
      return make("label", {}, radio, ` ${text}`);
    });
    card.append(make("fieldset", {}, make("legend", { textContent: "Decision" }), ...choices, label));
  });
  if (cards.length === 0) return;
  document.getElementById("decisions").hidden = false;
  const field = (text) => {
    // Spreadsheets take such a cell for a formula. The library takes the apostrophe off.
    const safe = /^'*[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  document.getElementById("save").addEventListener("click", () => {
    const unnamed = [...decisions].find(([, own]) => own.decision === "relabel" && own.label === "");
    if (unnamed !== undefined) {
      const card = cards.find((card) => card.dataset.file === unnamed[0]);
      status.textContent = `Not saved: ${unnamed[0]} has no class yet.`;
      card.querySelector("input[type=text]").focus();
      return;
    }
    const rows = [...decisions].map(([file, { decision, label }]) => [file, decision, label].map(field).join(","));
    const text = ["file,decision,label", ...rows, ""].join("\n");
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", { href: url, download: "decisions.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    saved = true;
    show();
  });
  addEventListener("beforeunload", (event) => {
    if (!saved && decisions.size > 0) event.preventDefault();
  });
})();
