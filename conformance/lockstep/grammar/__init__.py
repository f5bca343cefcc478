"""The grammar of generated modules: valid by construction, of WebAssembly 3.0, and terminating.

`plan` chooses what a module has, `body` and its productions write the functions: `values`, `memories`, `control`,
`references` and `aggregates` follow the specification's chapter on instructions, `patterns` and `loops` hold what a
translator that optimises may get wrong. Every choice comes from one `Choices`.
"""

from conformance.lockstep.grammar.module import generate

__all__ = ["generate"]
