"""Conformance: the `.wast` scripts of the WebAssembly test suite, run command by command on any engine."""
