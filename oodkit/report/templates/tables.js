"use strict";
// The value of a cell as it is shown now: a number where it has one, else its text; null where there is nothing to sort by.
const valueOf = (cell) => {
  if (!cell || cell.matches(".reason")) return null;
  const figure = [...cell.querySelectorAll(".heat div")].find((one) => one.getClientRects().length);
  const text = (figure ? figure.firstChild.data : cell.dataset.value ?? cell.textContent).trim();
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

const headsOf = (table) => [...table.tHead.rows[0].cells];

const show = (table, column, descending) => {
  sortBy(table, column, descending);
  headsOf(table).forEach((one) => one.removeAttribute("aria-sort"));
  headsOf(table)[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
};

for (const table of document.querySelectorAll("table.sortable")) {
  headsOf(table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const numbers = [...table.tBodies[0].rows].some((row) => typeof valueOf(row.cells[column]) === "number");
      show(table, column, before ? before === "ascending" : numbers);
    });
  });
}

// Another figure in the cells: the column that was sorted by is sorted by that one, the best first.
for (const radio of document.querySelectorAll(".metrics input")) {
  radio.addEventListener("change", () => {
    const table = radio.closest("section").querySelector("table.heat");
    const column = headsOf(table).findIndex((one) => one.hasAttribute("aria-sort"));
    if (column > 0) show(table, column, radio.value === "auroc");
  });
}

// On hover, the interval that stands in small beside each figure of a heat table.
for (const small of document.querySelectorAll(".heat div > small")) {
  small.parentElement.title = `95 % interval ${small.textContent.slice(1, -1).replace(", ", " to ")}`;
}

// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
