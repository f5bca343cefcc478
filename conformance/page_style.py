"""The look of the page: one style sheet, light or dark as the reader's system is, with nothing from elsewhere."""

STYLE = """
:root {
  color-scheme: light dark;
  --text: #1c1e21; --quiet: #5a6068; --paper: #ffffff; --panel: #f5f6f8; --line: #d5d9de; --accent: #4b44c0;
  --good: #0a5c2b; --good-paper: #def3e3; --part: #6b4a00; --part-paper: #fbefcb; --bad: #9a1c1c; --bad-paper: #fbe1e1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e8eb; --quiet: #a2a9b2; --paper: #16181c; --panel: #1f2227; --line: #3a3f47; --accent: #b3aeff;
    --good: #9fe3b4; --good-paper: #153a22; --part: #f3d98a; --part-paper: #3f3211;
    --bad: #ffb3b3; --bad-paper: #4a1d1d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
code { font: .875em/1.4 ui-monospace, monospace; }
.quiet { color: var(--quiet); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .25rem .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0 .5rem; }
th, td { padding: .4rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom-width: 2px; white-space: nowrap; }
th[scope=row] { font-weight: 500; }
th[scope=rowgroup] { background: var(--panel); font-size: .8125rem; color: var(--quiet); letter-spacing: .03em; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { background: var(--good-paper); color: var(--good); }
.part { background: var(--part-paper); color: var(--part); }
.bad { background: var(--bad-paper); color: var(--bad); }
.cell { text-align: center; white-space: nowrap; min-width: 9rem; font-variant-numeric: tabular-nums; }
.cell small { display: block; opacity: .85; }
dl.runs { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0; }
dl.runs dt { font-weight: 600; }
dl.runs dd { margin: 0; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; background: var(--panel); border-radius: .4rem; }
details > :not(summary) { padding: 0 .75rem; }
meter { width: 100%; max-width: 24rem; height: .9rem; }
@media (max-width: 40rem) { th, td { padding: .35rem .4rem; } .cell { min-width: 5rem; } }
@media print { details { border: 0; } }
"""
