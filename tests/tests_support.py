"""What tests of several packages need."""

from functools import cache
from subprocess import run

from conformance.tools import wasm_tools_path


@cache
def parse(wat: str) -> bytes:
    """The binary module of a text module, which need not be valid."""
    done = run([str(wasm_tools_path()), "parse", "-"], input=wat.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.decode())
    return done.stdout
