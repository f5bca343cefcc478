"""Lock step: engines that run the same calls of the same modules, compared bit by bit after each of them.

`python -m conformance.lockstep` runs generated modules, modules of wasm-tools smith, or the test suite. A case follows
from the seed and its number alone. A difference is narrowed down to a small module and its first instruction.
"""
