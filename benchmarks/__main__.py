"""`python -m benchmarks` is the command `wascc bench`."""

import typer

from benchmarks.cli import bench

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command("bench")(bench)
    app(prog_name="bench")
