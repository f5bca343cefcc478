"""What is measured side by side: our engines, other implementations of WebAssembly for Python, and Python by hand.

Each subject runs in processes of its own (`benchmarks.worker`), so that none of them pays for the memory, the garbage
collector's work or the threads of another, and packages that do not go together are never in one process.
"""
