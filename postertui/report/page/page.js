"use strict";

const collator = new Intl.Collator("en", { numeric: true });

// A number at the start of a cell, as in "<.001", "+0.0123" or "-0.01 to +0.02"; NaN in "–".
const numberOf = (text) => parseFloat(text.replace(/[<,]/g, ""));

function compareCells(a, b, isNumber) {
  return isNumber ? numberOf(a) - numberOf(b) : collator.compare(a, b);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const isNumber = head.classList.contains("n");
    const isMissing = (text) => (isNumber ? Number.isNaN(numberOf(text)) : text === "");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [row, row.cells[column]?.textContent ?? ""]);
      rows.sort(([, a], [, b]) => {
        // What is missing stays at the end whichever way the rest goes.
        if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
        return (descending ? -1 : 1) * compareCells(a, b, isNumber);
      });
      body.append(...rows.map(([row]) => row));
    });
  });
}

function makeFilterable(block, number) {
  const table = block.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => [...row.cells].map((c) => c.textContent).join(" ").toLowerCase());
  const input = document.createElement("input");
  input.type = "search";
  input.id = `filter-${number}`;
  input.autocomplete = "off";
  const label = document.createElement("label");
  label.htmlFor = input.id;
  label.textContent = "Filter";
  input.setAttribute("aria-label", `Filter ${table.caption.textContent}`);
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  const line = document.createElement("div");
  line.className = "filter";
  line.append(label, input, status);
  block.prepend(line);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !words.every((word) => texts[i].includes(word));
      if (!row.hidden) shown += 1;
    });
    status.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
  };
  input.addEventListener("input", show);
  show();
}

document.querySelectorAll("table").forEach(makeSortable);
document.querySelectorAll("[data-filter]").forEach(makeFilterable);
