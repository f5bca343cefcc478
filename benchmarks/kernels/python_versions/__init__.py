"""The kernels written by hand in Python: what they must give, and how fast Python without WebAssembly gives it.

Each function does the work of the C source of the same name, step by step, as one would write it for speed in plain
Python: locals, lists and bytearrays, masks only where bits would be lost. A loop stays a loop: no step that takes n
operations is left to a function of the standard library or to a slice, but where C leaves it to one instruction, as
`bulk` does. Given 1 <= n, at most what the source says, it gives what `run(n)` does, integers signed.
"""
