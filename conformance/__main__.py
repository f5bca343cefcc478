"""`python -m conformance` is the command `conformance`."""

from conformance.cli import app

if __name__ == "__main__":
    app(prog_name="conformance")
