"""OCI registries: signed actors and provider archives, pulled and pushed by reference. `docs/registry.md`

The client library for Python (oras) cannot be used here: it takes credentials from Docker's files and helpers and sends
them to whatever address a registry names, verifies no digest, and bounds neither sizes nor times. So this speaks the
protocol itself, over httpx, which takes a moment to load: `client` is imported where something is pulled or pushed.
"""
