"""Findings: a difference with all that is needed to see it again, as files and as text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from conformance.lockstep.compare import LIMITS, Difference, Schedule
from conformance.lockstep.run import Call
from conformance.tools import ToolFailedError, ToolMissingError
from interp.engine import Limits
from interp.text.converter import run_tool

COMMAND = "python -m conformance.lockstep"
MAX_DETAIL = 600
"""Characters of what one engine gave that are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one case. `difference` is None for a script of the suite, and where the process that ran the
    case was lost; `lost` then says what was found. `reduced` is a smaller module in which `difference` shows, `place`
    the first instruction whose effect differs, as lines of text."""

    case: str
    command: str
    wasm: bytes
    difference: Difference | None
    lost: str = ""
    reduced: bytes = b""
    place: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line."""
        what = self.lost if self.difference is None else str(self.difference)
        return f"{self.case}: {what[:MAX_DETAIL]}"

    def to_json(self) -> dict[str, Any]:
        """The finding as data, without the modules."""
        found: dict[str, Any] = {"case": self.case, "command": self.command}
        if self.difference is None:
            return {**found, "lost": self.lost}
        difference = self.difference
        return {
            **found,
            "engines": list(difference.engines),
            "step": difference.step,
            "call": None if difference.call is None else difference.call.name,
            "what": difference.what,
            "left": difference.left,
            "right": difference.right,
            "place": list(self.place),
            "bytes": len(self.reduced or self.wasm),
        }

    def lines(self) -> list[str]:
        """The finding for people, without the module's text."""
        if self.difference is None:
            return [self.summary, f"again: {self.command}"]
        found = self.difference
        lines = [f"{self.case}: {found.what} differs"]
        for number, call in enumerate(found.schedule.calls[: found.step + 1]):
            where = " on the second instance" if call.twin else ""
            lines.append(f"  call {number}: {call.name!r}{where} with arguments of the seed {call.seed!r}")
        if found.call is None:
            lines.append("  at instantiation")
        if replace(found.schedule.limits, deadline_seconds=LIMITS.deadline_seconds) != LIMITS:
            lines.append(f"  {found.schedule.limits}")
        lines += [
            f"  {engine}: {gave[:MAX_DETAIL]}"
            for engine, gave in zip(found.engines, (found.left, found.right), strict=True)
        ]
        lines += [f"  {line}" for line in self.place]
        return [*lines, f"again: {self.command}"]

    def save(self, folder: Path) -> Path:
        """Write the modules, and beside them what is wrong and how to see it again: the path of the report.

        Raises OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.wasm:
            (folder / f"{self.case}.wasm").write_bytes(self.wasm)
        lines = self.lines()
        if self.difference is not None:
            module = self.reduced or self.wasm
            replay = folder / f"{self.case}.json"
            replay.write_text(replay_text(module, self.difference), encoding="utf-8")
            lines.append(f"again, reduced: {COMMAND} {replay}")
            lines += ["", text_of(module)]
        path = folder / f"{self.case}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def replay_text(wasm: bytes, difference: Difference) -> str:
    """What runs a module again, as JSON: its bytes, the engines, the calls and the limits."""
    schedule = difference.schedule
    data = {
        "engines": list(difference.engines),
        "calls": [[call.name, call.seed, call.twin] for call in schedule.calls[: difference.step + 1]],
        "twins": schedule.twins,
        "limits": asdict(schedule.limits),
        "module": wasm.hex(),
    }
    return json.dumps(data, indent=1) + "\n"


class ReplayError(ValueError):
    """A file does not say what to run again."""


def load_replay(path: Path) -> tuple[bytes, tuple[str, ...], Schedule]:
    """The module, the names of the engines and what is called, from a file that a finding left.

    Raises OSError, ReplayError.
    """
    try:
        data = json.loads(path.read_bytes())
        calls = tuple([Call(str(name), str(seed), bool(twin)) for name, seed, twin in data["calls"]])
        engines = tuple(map(str, data["engines"]))
        schedule = Schedule(calls, Limits(**data["limits"]), bool(data["twins"]))
        return bytes.fromhex(data["module"]), engines, schedule
    except (ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{path} does not say what to run again: {error}") from error


def text_of(wasm: bytes) -> str:
    """The module in the text format, or its bytes where that cannot be had."""
    try:
        code, text, _ = run_tool(["print", "-"], wasm)
    except (ToolMissingError, ToolFailedError):
        code, text = 1, b""
    return text.decode() if code == 0 else wasm.hex()
