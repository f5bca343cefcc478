"""`python -m conformance.lockstep` runs engines in lock step."""

from conformance.lockstep.cli import app

if __name__ == "__main__":
    app(prog_name="lockstep")
