"""Pages and plots of reports, and the options that make them."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks.cli import bench
from benchmarks.html import html
from benchmarks.plots import FIGURES, PlotError, kernels_figure, write_plot
from benchmarks.report import Report
from benchmarks.summary import json_text

VOID = {"meta", "br"}
SVG = "{http://www.w3.org/2000/svg}"


def here(*arguments: str | Path) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(bench)
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a real run."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    sections = [word for name in ("kernels", "start", "calls") for word in ("--only", name)]
    quick = ("--rounds", "2", "--seconds", "0.1", "--engines", "reference", "--peers", "python,pwasm")
    done = here(*sections, *quick, "--kernels", "fib,dot", "--output", path)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def report(measured: Path) -> Report:
    return Report.from_json(measured.read_bytes())


class Checker(HTMLParser):
    """Notes unbalanced tags and everything that would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.rows: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := named.get(name)) and not value.startswith("#")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_whole_and_loads_nothing(report: Report) -> None:
    page = html(report)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.loaded == []
    assert "url(http" not in page
    assert "default-src 'none'" in page
    assert page.count("<svg") == len([draw for draw in FIGURES.values() if draw(report) is not None]) > 0
    assert "DecodeError: Unknown value type: 0x7b" in page
    assert report.fingerprint.cpu in page


def test_a_page_has_every_sample_in_it(report: Report) -> None:
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', html(report))
    assert Report.from_json(data) == report
    evil = replace(report, fingerprint=replace(report.fingerprint, cpu='</script><script>alert("&")</script>'))
    page = html(evil)
    assert "<script>alert" not in page
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', page)
    assert Report.from_json(data) == evil


def test_plots_take_the_colour_of_the_text(report: Report, tmp_path: Path) -> None:
    target = tmp_path / "plot.svg"
    write_plot(report, target)
    root = ElementTree.parse(target).getroot()  # noqa: S314 (our own)
    assert root.tag == f"{SVG}svg"
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")
    text = target.read_text()
    assert "currentColor" in text
    assert "#010203" not in text
    assert not re.search(r"#000000|fill: black|stroke: black", text)
    labels = {"".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")}
    assert {"fib", "dot", "reference", "by hand", "pwasm"} <= labels
    again = tmp_path / "again.svg"
    write_plot(report, again)
    assert again.read_bytes() == target.read_bytes()


def test_a_plot_as_png(report: Report, tmp_path: Path) -> None:
    write_plot(report, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_without_kernels_there_is_no_plot(report: Report, tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="the kernels were not measured"):
        write_plot(replace(report, kernels=None), tmp_path / "plot.svg")
    empty = replace(report, kernels=None, start=None)
    assert [draw(empty) for draw in FIGURES.values()] == [None] * len(FIGURES)


def test_without_matplotlib_it_is_said_how_to_get_it(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"pip install 'wascc\[bench\]'"):
        kernels_figure(report)
    page = html(report)
    assert "plots need matplotlib: pip install &#x27;wascc[bench]&#x27;" in page
    assert "<svg" not in page
    assert "<table" in page


def test_an_earlier_report_is_shown_in_every_form(measured: Path, report: Report, tmp_path: Path) -> None:
    page, plot, copy = tmp_path / "report.html", tmp_path / "plot.svg", tmp_path / "copy.json"
    done = here("--from", measured, "--output", page, "--plot", plot, "--markdown")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "| steady state: reference / pwasm |" in done.stdout
    assert page.read_text() == html(report)
    assert plot.exists()
    done = here("--from", measured, "--output", copy, "--json")
    assert done.stdout == copy.read_text() == json_text(report) + "\n"
    done = here("--from", measured)
    assert "Kernels in the steady state" in done.stdout
    assert "Ratios of times: cold start" in done.stdout
    assert "Left out: kernel dot on pwasm: DecodeError" in done.stdout


def test_comparing_with_an_earlier_report(measured: Path, tmp_path: Path) -> None:
    done = here("--from", measured, "--compare", measured)
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"^0 faster, 0 slower, \d+ unchanged$", done.stdout, re.MULTILINE)
    data = json.loads(measured.read_text())
    for series in data["calls"]["operations"][0]["series"]:
        series["samples"] = [sample / 100 for sample in series["samples"]]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(data))
    done = here("--from", measured, "--compare", other, "--fail-on-slower")
    assert done.exit_code == 1
    assert re.search(r"^ ?calls: HandleRequest +reference +\d+× \[", done.stdout, re.MULTILINE)
    assert re.search(r"^0 faster, 1 slower, \d+ unchanged$", done.stdout, re.MULTILINE)
    done = here("--from", other, "--compare", measured, "--fail-on-slower", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["engines"] == ["reference"]
    assert "1 faster, 0 slower" in done.stderr


def test_reports_that_cannot_be_read(measured: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")
    for option in ("--from", "--compare"):
        done = here(option, other)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {other}: this is no report of a benchmark")
        done = here(option, tmp_path / "missing.json")
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)


def test_only_the_engines() -> None:
    done = here(
        *("--only", "kernels", "--engines", "reference", "--peers", "none", "--kernels", "fib"),
        *("--rounds", "1", "--seconds", "0.1", "--json"),
    )
    report = Report.from_json(done.stdout)
    assert report.kernels is not None
    assert [series.subject for kernel in report.kernels.kernels for series in kernel.call.series] == ["reference"]
    assert report.kernels.ratios == ()
