"""How a host does in operation: requests under load, calls beside another runtime's, many actors, and trouble.

    python -m benchmarks.operation

What is measured and how: `docs/operation-benchmarks.md`.
"""
