"""The benchmark of the stores."""

import pytest

from benchmarks.stores import report
from host.providers.base import ProviderError


def test_each_store_has_a_line_for_each_operation() -> None:
    lines = list(report(times=20))
    assert [" ".join(line.split("median")[0].split()) for line in lines] == [
        "in memory Add",
        "in memory WriteEvent",
        "SQLite, full Add",
        "SQLite, full WriteEvent",
        "SQLite, normal Add",
        "SQLite, normal WriteEvent",
    ]
    medians = [float(line.split("median")[1].split()[0]) for line in lines]
    assert all(0 < median < 1000 for median in medians)


def test_a_server_that_is_away_is_said_in_one_line() -> None:
    with pytest.raises(ProviderError, match=r"^the Redis server 127\.0\.0\.1:1 cannot be reached: Connection refused$"):
        list(report("redis://127.0.0.1:1", times=1))
