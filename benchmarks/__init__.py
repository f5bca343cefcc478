"""Measurements: engines side by side, from a single kernel to requests over HTTP.

    wascc bench --quick

How to run it, how to read it, and how it measures: `docs/benchmarks.md`.
"""
