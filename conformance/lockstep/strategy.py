"""The grammar as a strategy of hypothesis, which shrinks what fails; it needs the extra `wascc[test]`."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.lockstep.choices import Choices
from conformance.lockstep.grammar import generate
from interp.syntax.modules import Module

SIZE = 12
"""About how many instructions a function of a drawn module has: hypothesis bounds how many choices there may be."""


@st.composite
def modules(draw: st.DrawFn, size: int = SIZE) -> Module:
    """Valid modules, whose functions have about `size` instructions each."""
    return generate(Choices(lambda n: draw(st.integers(0, n - 1))), size)
