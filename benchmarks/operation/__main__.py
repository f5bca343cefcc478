"""`python -m benchmarks.operation`"""

import typer

from benchmarks.operation.cli import operation

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command("operation")(operation)
    app(prog_name="operation")
