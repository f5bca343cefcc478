"""A process in which one subject runs: it takes requests on stdin and answers on stdout, a line of JSON each.

    python -P benchmarks/worker.py FACTORY MODULE…

FACTORY is `module:name` of what makes the subject. The MODULEs, which it needs, are imported first and on the clock;
hence nothing but the little here is imported before.
"""

import sys
from importlib import import_module
from time import perf_counter


def main(factory: str, modules: list[str]) -> None:
    """Answer requests until there are none."""
    failure: Exception | None = None
    begin = perf_counter()
    try:
        for name in modules:
            import_module(name)
    except Exception as error:  # whatever a package may raise that does not know this Python
        failure = error
    seconds = perf_counter() - begin
    from benchmarks.requests import answer_requests  # noqa: PLC0415

    answer_requests(factory, seconds, failure)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
