"""What a report's page has besides the style of all our pages."""

STYLE = """
figure { margin: 0; }
figure svg { width: 100%; height: auto; max-width: 60rem; }
table { width: auto; font-size: .875rem; }
th, td { padding: .25rem .6rem; }
thead th { white-space: normal; vertical-align: bottom; }
thead th:first-child { text-align: left; }
th[scope=row] { font-weight: normal; white-space: nowrap; position: sticky; left: 0; background: var(--paper); }
thead button { font: inherit; font-weight: 600; text-align: inherit; color: inherit; }
thead button { background: none; border: 0; padding: 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
td small { color: var(--quiet); }
"""

SCRIPT = """
const key = cell => cell.dataset.value === undefined ? cell.textContent : parseFloat(cell.dataset.value);
const order = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
for (const button of document.querySelectorAll("thead button")) button.addEventListener("click", () => {
  const head = button.parentNode, body = head.closest("table").tBodies[0], index = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => order(key(a.cells[index]), key(b.cells[index])));
  body.append(...(down ? rows.reverse() : rows));
});
const data = document.getElementById("report").textContent;
document.getElementById("save").href = URL.createObjectURL(new Blob([data], {type: "application/json"}));
"""
