"""Numbers as people read them."""

from __future__ import annotations

import math

from benchmarks.estimates import Estimate
from benchmarks.summary import Unit

NO_CELL = "–"
SCALES = {
    Unit.SECONDS: ((1.0, 1.0, " s"), (1e-3, 1e-3, " ms"), (1e-6, 1e-6, " µs"), (0.0, 1e-9, " ns")),
    Unit.PER_SECOND: ((1e6, 1e6, " M/s"), (1e4, 1e3, " k/s"), (0.0, 1.0, "/s")),
    Unit.FACTOR: ((0.0, 1.0, "×"),),
    Unit.SHARE: ((0.0, 0.01, "%"),),
    Unit.CALLS: ((0.0, 1.0, ""),),
    Unit.BYTES: ((2**20, 2**20, " MiB"), (0.0, 2**10, " KiB")),
}
"""From which number on which factor is taken, and the symbol behind the number; the largest first."""


def number(value: float) -> str:
    """Three significant digits, thousands with commas."""
    if not math.isfinite(value):
        return "∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")  # 9.999 has the digits of 10
    digits = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{digits}f}"


def count(value: float) -> str:
    """A number of calls: a whole one without digits behind the point."""
    return f"{value:,.0f}" if math.isfinite(value) and value == round(value) else number(value)


def scaled(value: float, unit: Unit) -> tuple[float, str]:
    """The factor and the symbol with which a value of this size is shown."""
    return next((scale, symbol) for least, scale, symbol in SCALES[unit] if not abs(value) < least)


def cell(estimate: Estimate, unit: Unit, interval: bool = True) -> str:
    """An estimate as text, with its interval."""
    scale, symbol = scaled(estimate.median, unit)
    write = count if unit is Unit.CALLS else number
    median = f"{write(estimate.median / scale)}{symbol}"
    return f"{median} [{write(estimate.low / scale)}–{write(estimate.high / scale)}]" if interval else median
