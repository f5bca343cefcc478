"""The compiled engine: wasm functions as Python functions, made in two halves.

The first half (`tree`, `facts`, `translate`, `structure`) knows nothing of Python: a validated function becomes basic
blocks of statements over typed expression trees, with what is known of the range of each integer, and then structured
control. The second half (`python_*`) writes Python source for such a function. `machine` and `linking` run it: each
module instance has a namespace in which its functions find each other, the memories and the numerics.
"""
