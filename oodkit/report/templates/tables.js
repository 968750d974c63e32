"use strict";
// The value of a cell as it is shown now: a number where it has one, else its text; null where there is nothing to sort by.
const valueOf = (cell) => {
  if (!cell || cell.matches(".reason")) return null;
  const shown = [cell, ...cell.querySelectorAll("[data-value]")].find((one) => one.dataset.value !== undefined && one.getClientRects().length);
  const text = (shown ? shown.dataset.value : cell.textContent).trim();
  if (text === "" || text === "–") return null;
  return Number.isNaN(Number(text)) ? text : Number(text);
};

const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));

// Sorting is stable, so that sorting by one column and then by another keeps the first within the second; what is missing stays last.
const sortBy = (table, column, descending) => {
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column]), row]);
  rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : descending ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
};

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const numbers = [...table.tBodies[0].rows].some((row) => typeof valueOf(row.cells[column]) === "number");
      const descending = before ? before === "ascending" : numbers;
      sortBy(table, column, descending);
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
  });
}

// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
