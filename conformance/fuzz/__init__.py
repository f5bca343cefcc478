"""Fuzzing: modules that nobody meant to write, decoded and validated here and by Wasmtime, and run on both.

`python -m conformance.fuzz` runs a campaign. Each case follows from the seed and its number alone.
"""
