"""The first half of the compiler as one function.

Spec: exec/instructions
"""

from __future__ import annotations

from interp.compiled import translate_control, translate_data
from interp.compiled.induction import count_by_indices
from interp.compiled.scalarize import scalarize
from interp.compiled.split import split_locals
from interp.compiled.translate import MEMORY_END, Translator
from interp.compiled.tree import Function
from interp.compiled.unread import drop_unread
from interp.syntax.modules import Func
from interp.validation.context import Context

CHAPTERS = (translate_control, translate_data)
"""The modules whose instructions are registered."""


def translate(context: Context, func: Func, memory_end: int = MEMORY_END) -> Function:
    """A function of a valid module, whose context it is, as basic blocks, with a variable for each purpose. No memory
    of i32 addresses has more than `memory_end` bytes while it runs.
    """
    translator = Translator(context, func, memory_end)
    function = translator.translate()
    split_locals(function)
    drop_unread(function)
    if count_by_indices(translator, function):
        drop_unread(function)
    scalarize(function)
    return function
