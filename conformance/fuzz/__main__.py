"""`python -m conformance.fuzz` runs a campaign."""

from conformance.fuzz.cli import app

if __name__ == "__main__":
    app(prog_name="fuzz")
