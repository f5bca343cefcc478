"""The style and the script of a report in HTML."""

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2328;--muted:#656d76;--line:#d0d7de;--head:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#d1d7e0;--muted:#9198a1;--line:#30363d;--head:#161b22}}
body{margin:2rem auto;max-width:70rem;padding:0 1rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1,h2,h3{line-height:1.25;margin:2rem 0 .5rem}
h3{font-size:1rem}
figure{margin:0}
figure svg{width:100%;height:auto;max-width:60rem}
.wide{overflow-x:auto;margin-bottom:1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.87rem}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
thead th{background:var(--head);cursor:pointer;white-space:normal;vertical-align:bottom}
thead th[aria-sort=ascending]::after{content:" ▲"}
thead th[aria-sort=descending]::after{content:" ▼"}
th[scope=row],thead th:first-child{text-align:left;font-weight:normal;position:sticky;left:0;background:var(--paper)}
small{color:var(--muted)}
details{margin:.4rem 0}
summary{cursor:pointer}
code{font:.9em ui-monospace,monospace}
"""

SCRIPT = """
const key = cell => cell.dataset.value === undefined ? cell.textContent : parseFloat(cell.dataset.value);
const order = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
for (const head of document.querySelectorAll("thead th")) head.addEventListener("click", () => {
  const table = head.closest("table"), body = table.tBodies[0], index = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => order(key(a.cells[index]), key(b.cells[index])));
  body.append(...(down ? rows.reverse() : rows));
});
const text = document.getElementById("report").textContent;
document.getElementById("save").href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
"""
