"use strict";
// The page is whole without this: it adds sorting, the words of the bar pointed at, and unfolding.

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.classList.contains("plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
      const order = (one, other) =>
        value(one) - value(other) || String(value(one)).localeCompare(value(other), "en", { numeric: true });
      const rows = [...body.rows].sort(up ? order : (one, other) => order(other, one));
      body.append(...rows);
    });
  });
}

const told = document.getElementById("told");
const bars = [...document.querySelectorAll(".bar")];
const show = (bar) => {
  told.textContent = bar.querySelector("title").textContent;
  for (const other of bars) {
    other.classList.toggle("needed", other.dataset.job === bar.dataset.need);
    other.classList.toggle("freeing", other.dataset.job === bar.dataset.freed);
  }
};
bars.forEach((bar, index) => {
  bar.setAttribute("tabindex", index === 0 ? "0" : "-1"); // one stop for Tab; the arrow keys go on from there
  bar.addEventListener("pointerenter", () => show(bar));
  bar.addEventListener("focus", () => show(bar));
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = step && bars[index + step];
    if (!next) return;
    event.preventDefault();
    bar.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
});

const unfold = () => {
  let place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const found = place;
  for (; place; place = place.parentElement) if (place.localName === "details") place.open = true;
  if (found) found.scrollIntoView();
};
addEventListener("hashchange", unfold);
if (location.hash) unfold();

addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.open = true;
    folded.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const folded of document.querySelectorAll("details[data-folded]")) {
    folded.open = false;
    delete folded.dataset.folded;
  }
});
