"""The name section (specification, appendix Custom Sections): names for people, never trusted, never an error.

Spec: appendix/custom#name-section
"""

from __future__ import annotations

from interp.binary.reader import StrictReader
from interp.errors import Malformed
from interp.syntax.modules import Module

FUNCTION_NAMES = 1


def function_names(module: Module) -> dict[int, str]:
    """Function index -> name. A section that is missing gives {}, a malformed one the names before the fault."""
    names: dict[int, str] = {}
    data = module.custom("name")
    if data is None:
        return names
    reader = StrictReader(data)
    try:
        while reader.pos < reader.end:
            subsection = reader.read_byte()
            size = reader.read_uint()
            if subsection != FUNCTION_NAMES:
                reader.read_exactly(size)
                continue
            with reader.window(size, "subsection size mismatch"):
                for _ in range(reader.read_uint()):
                    funcidx = reader.read_uint()
                    names[funcidx] = reader.read_str()
    except Malformed:
        pass
    return names
