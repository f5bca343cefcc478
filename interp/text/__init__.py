"""The text format (specification 6): until there is a parser here, wasm-tools converts it."""
