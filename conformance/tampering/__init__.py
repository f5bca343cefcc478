"""Tampering: signed tokens, modules and archives, changed in every way that an attacker may think of, and judged by the
checks of the host. None that means something else than what was signed may be accepted.

`python -m conformance.tampering` runs a campaign. Each case follows from the seed and its number alone.
"""
