"""Build the big actor, if it is not kept yet, and say where it is: `python -m benchmarks.kernels.big_actor`."""

from __future__ import annotations

import sys

from benchmarks.kernels.big_actor import big_actor, kept_as
from benchmarks.kernels.build import BuildError


def main() -> int:
    """The command line: exit code 0 if the module is there, 1 if not."""
    try:
        size = len(big_actor())
        print(f"{kept_as()}: {size} bytes")
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
