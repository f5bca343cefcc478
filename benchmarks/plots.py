"""Plots of a report, drawn by matplotlib, which the extra `bench` brings.

An SVG takes its text's colour from around it, and by itself follows the reader's choice of light or dark.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.errors import BenchmarkError
from benchmarks.report import Report
from benchmarks.results import Comparison
from benchmarks.start_results import ProgramStart
from benchmarks.subjects.registry import BY_HAND, cached_name, family

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'wascc[bench]'"

INK = "#010203"
"""What is drawn in it gets the colour of the text around the plot."""

PAPER_INK = "#1f2328"
SCHEME = f"<style>svg{{color:{PAPER_INK}}}@media(prefers-color-scheme:dark){{svg{{color:#d1d7e0}}}}</style>"

WIDTH = 8.6
LINE_HEIGHT = 0.235
"""Inches: of a plot, and of one line of it."""

COLORS: Mapping[str, str] = {
    "compiled": "#d55e00",
    BY_HAND: "#009e73",
    "pwasm": "#0072b2",
    "wasmtime": "#8a8a8a",
    "pywasm3": "#56b4e9",
    "ppci": "#cc79a7",
    "pywasm": "#e69f00",
    "reference": "#9467bd",
}
"""Of subjects, light and dark enough for any background; those of a variant are its subject's."""

MARKERS = "oDs^vP*X<>"
MOST_PANELS = 4
MANY_DECADES = 40
"""An axis that spans a greater factor has enough ticks of powers of ten."""


class PlotError(BenchmarkError):
    """A plot cannot be drawn; the message says what to do."""


def write_plot(report: Report, path: Path) -> None:
    """Draw the kernels' times into a file, .svg or .png. Raises PlotError, OSError."""
    figure = kernels_figure(report)
    if figure is None:
        raise PlotError("there is nothing to plot: the kernels were not measured")
    if path.suffix == ".svg":
        head, tag, rest = svg(figure, "Times of kernels").partition(">")
        path.write_text(head + tag + SCHEME + rest, encoding="utf-8")
        return
    _ink(figure, PAPER_INK)
    figure.savefig(path, format="png", dpi=160, facecolor="white")


def svg(figure: Figure, label: str) -> str:
    """The figure as an SVG element without a background, its text in the colour around it."""
    import matplotlib as mpl  # noqa: PLC0415 (an extra)

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    element = text.getvalue()[text.getvalue().index("<svg") :]
    return element.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).replace(INK, "currentColor")


def kernels_figure(report: Report) -> Figure | None:
    """Each subject's time for each kernel, relative to Python by hand, or to the first subject where that is missing.

    None if no kernel was measured. Raises PlotError.
    """
    if report.kernels is None or not report.kernels.kernels:
        return None
    subjects = _subjects([kernel.call for kernel in report.kernels.kernels])
    scale = BY_HAND if BY_HAND in subjects else subjects[0]
    lines: dict[str, Mapping[str, float]] = {}
    for kernel in report.kernels.kernels:
        ratios = {name: kernel.call.time_ratio(name, scale) for name in subjects}
        lines[kernel.name] = {name: found.median for name, found in ratios.items() if found is not None}
    title = f"Time for a kernel, {'Python by hand' if scale == BY_HAND else scale} = 1 (logarithmic; left is faster)"
    return _dots(title, lines, subjects)


def cold_figure(report: Report) -> Figure | None:
    """Each subject's time from the bytes of a program to its first result. None if none was measured."""
    programs = [] if report.start is None else [each for each in report.start.programs if each.called]
    if not programs:
        return None
    comparisons = {each.program: each.comparison(lambda start: start.cold_seconds) for each in programs}
    lines = {
        name: {series.subject: 1000 * series.estimate.median for series in comparison.series}
        for name, comparison in comparisons.items()
    }
    title = "From the bytes of a program to its first result, milliseconds (logarithmic)"
    return _dots(title, lines, _subjects(list(comparisons.values())))


def warm_up_figure(report: Report) -> Figure | None:
    """The time that loading and the first calls have taken together, for the programs with the most calls made: where
    two lines cross, one subject overtakes the other. None if nothing was called more than once."""
    programs = [] if report.start is None else [each for each in report.start.programs if _most_calls(each) > 1]
    chosen = sorted(programs, key=_most_calls_of_all, reverse=True)[:MOST_PANELS]
    if not chosen:
        return None
    columns = min(2, len(chosen))
    height = math.ceil(len(chosen) / columns)
    figure = _figure(WIDTH, 3.1 * height + 0.5)
    handles: dict[str, Any] = {}
    for index, program in enumerate(chosen):
        axes = figure.add_subplot(height, columns, index + 1)
        for start in program.starts:
            totals = [
                list(accumulate(calls, initial=load))[1:]
                for load, calls in zip(start.load_seconds, start.call_seconds, strict=True)
            ]
            length = min(map(len, totals))
            curve = [1000 * median([total[n] for total in totals]) for n in range(length)]
            style = _style(start.subject, len(handles))
            (line,) = axes.plot(range(1, length + 1), curve, markersize=3, linewidth=1.2, **style)
            handles.setdefault(start.subject, line)
        axes.set(xscale="log", yscale="log", xlabel="calls", ylabel="ms, loading included")
        axes.set_title(program.program, fontsize=9, color=INK)
        _plain(axes)
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.09 / height + 0.02, 1, 1))
    _ink(figure, INK)
    return figure


def memory_figure(report: Report) -> Figure | None:
    """What each subject takes of memory for a program beyond what it takes anyway. None if that is not known."""
    programs = [] if report.start is None else report.start.programs
    comparisons = {each.program: each.comparison(lambda start: start.growth_bytes) for each in programs}
    lines = {
        name: {series.subject: max(series.estimate.median / 2**20, 0.01) for series in comparison.series}
        for name, comparison in comparisons.items()
        if comparison.series
    }
    if not lines:
        return None
    title = "Memory for loading and running a program, MiB at most (logarithmic)"
    return _dots(title, lines, _subjects(list(comparisons.values())))


FIGURES: Mapping[str, Callable[[Report], Any]] = {
    "Kernels in the steady state": kernels_figure,
    "Cold start": cold_figure,
    "Warm-up": warm_up_figure,
    "Memory": memory_figure,
}
"""All plots of a report, by title."""


def _subjects(comparisons: Sequence[Comparison]) -> list[str]:
    return list(dict.fromkeys(series.subject for each in comparisons for series in each.series))


def _most_calls(program: ProgramStart) -> int:
    return max((len(calls) for start in program.starts for calls in start.call_seconds), default=0)


def _most_calls_of_all(program: ProgramStart) -> int:
    """How many calls there are of all subjects together: programs with many are the most telling."""
    return sum(len(start.call_seconds[0]) for start in program.starts if start.call_seconds)


def _dots(title: str, lines: Mapping[str, Mapping[str, float]], subjects: Sequence[str]) -> Figure:
    """A dot for each subject on each line, on a logarithmic scale."""
    rows = math.ceil(len(subjects) / 5)
    height = LINE_HEIGHT * len(lines) + 0.22 * rows + 0.9
    figure = _figure(WIDTH, height)
    axes = figure.add_subplot()
    for index, subject in enumerate(subjects):
        points = [(values[subject], y) for y, values in enumerate(lines.values()) if subject in values]
        style = {**_style(subject, index), "linestyle": "none"}
        size = 7 if index == 0 else 5.5
        axes.plot([x for x, _ in points], [y for _, y in points], label=subject, markersize=size, **style)
    axes.set_xscale("log")
    axes.set_yticks(range(len(lines)), list(lines))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_title(title, fontsize=10, loc="left")
    _plain(axes)
    axes.grid(axis="y", linewidth=0.4, alpha=0.35, color=INK)
    figure.legend(loc="lower left", ncols=5, fontsize=8.5, frameon=False)
    figure.tight_layout(rect=(0, (0.22 * rows + 0.1) / height, 1, 1))
    _ink(figure, INK)
    return figure


def _style(subject: str, index: int) -> dict[str, Any]:
    """The looks of a subject; a variant of one (`pwasm, cached`) has the same colour without filling."""
    name = family(subject)
    variant = subject != name
    color = COLORS.get(name, "#7f7f7f")
    looks = {"color": color, "marker": MARKERS[index % len(MARKERS)]}
    dashes = "-" if not variant else "--" if cached_name(name) == subject else ":"
    return {**looks, "markerfacecolor": "none" if variant else color, "linestyle": dashes}


def _figure(width: float, height: float) -> Figure:
    try:
        # Not at the top, since it is an extra and takes long.
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise PlotError(f"plots need matplotlib: {INSTALL}") from error
    return Figure(figsize=(width, height))


def _plain(axes: Axes) -> None:
    """Small numbers, and lines only where they help."""
    axes.tick_params(labelsize=8.5, which="both")
    axes.grid(axis="x", linewidth=0.4, alpha=0.35, color=INK)
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() == "log":
            axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
            axis.set_minor_formatter(_between if high < MANY_DECADES * low else lambda value, _: "")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _between(value: float, _: object) -> str:
    """The text of a minor tick where there are few major ones."""
    return f"{value:,.6g}" if f"{value:.1e}"[0] in "25" else ""


def _ink(figure: Figure, color: str) -> None:
    """Give texts, ticks and frames a colour."""
    for axes in figure.axes:
        for spine in axes.spines.values():
            spine.set_color(color)
        axes.tick_params(colors=color, which="both")
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, getattr(axes, "_left_title", axes.title)):
            text.set_color(color)
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_color(color)
