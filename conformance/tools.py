"""wasm-tools, the program that converts scripts; see `interp.text.converter`."""

from interp.text.converter import ToolFailedError, ToolMissingError, wasm_tools, wasm_tools_path

__all__ = ["ToolFailedError", "ToolMissingError", "wasm_tools", "wasm_tools_path"]
