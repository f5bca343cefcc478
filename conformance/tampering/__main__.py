"""`python -m conformance.tampering` runs a campaign."""

from conformance.tampering.cli import app

if __name__ == "__main__":
    app(prog_name="tampering")
