"""Code of functions: bytes at first, instructions when somebody asks for them.

The grammar of tokens (`interp.binary.tokens`) says of most code that it is well-formed, so that it need not be read for
that; when it is, each different token is read once in a module. All other code is read instruction by instruction.

Spec: binary/modules#code-section
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from interp.binary.instructions import InstrReader, OpenBlock, close_block
from interp.binary.tokens import ELSE_TOKEN, END_TOKEN, TOKENS_PAY, Grammar, is_expression, language
from interp.syntax.instructions import BLOCKS, Expr, Instr, Op

Meaning = tuple[Op | None, tuple[Any, ...], bool]
"""What a token stands for: a row (None: `else` or `end`), its immediates, and whether it opens or closes a block."""


class CodeReader(InstrReader):
    """Reads the code of one module, `size` bytes in all. `lock` is to be held by those who let it read: several threads
    may ask for code."""

    def __init__(self, data: bytes, features: frozenset[str], has_data_count: bool, size: int) -> None:
        super().__init__(data, features)
        self.module = data
        self.has_data_count = has_data_count
        self.size = size
        self.lock = Lock()
        self._meanings: dict[bytes, Meaning] = {END_TOKEN: (None, (), True), ELSE_TOKEN: (None, (), True)}

    def grammar(self, size: int) -> Grammar | None:
        """The tokens that the code may be made of, of which `size` bytes are to be read; None if tokens do not pay."""
        return language(self.features, self.has_data_count).grammar(size) if self.size >= TOKENS_PAY else None

    def place(self, data: bytes, start: int, stop: int) -> None:
        """Go on with `data[start:stop]`."""
        self.data, self.pos, self.end = data, start, stop

    def meaning(self, token: bytes) -> Meaning:
        """What a token stands for, which is read once."""
        found = self._meanings.get(token)
        if found is None:
            self.place(token, 0, len(token))
            op, readers, _ = self.read_row()
            found = self._meanings[token] = (op, tuple([reader() for reader in readers]), op in BLOCKS)
        return found

    def read_unknown(self, start: int, stop: int, offset: int) -> Expr:
        """The expression `module[start:stop]`, the body of the function at `offset`.  Raises Malformed."""
        self.place(self.module, start, stop)
        self.uses_data_count = False
        expr = self.read_expression()
        if self.pos != stop:
            raise self.malformed("END opcode expected")
        if self.uses_data_count and not self.has_data_count:
            raise self.malformed("data count section required", offset)
        return expr

    def read_known(self, tokens: list[bytes], offset: int) -> Expr:
        """The expression in tokens that begins at `offset` in the module."""
        meaning, known = self.meaning, self._meanings
        current: list[Instr] = []
        open_blocks: list[OpenBlock] = []
        for token in tokens:
            op, immediates, nests = known.get(token) or meaning(token)
            if op is None:
                if token == ELSE_TOKEN:
                    open_blocks.append((*open_blocks.pop()[:4], tuple(current)))
                    current = []
                elif open_blocks:
                    current = close_block(open_blocks.pop(), tuple(current))
            elif nests:
                open_blocks.append((op, offset, immediates, current, None))
                current = []
            else:
                current.append(Instr(op, immediates, offset))
            offset += len(token)
        return tuple(current)


class FuncCode:
    """The code of a function at `offset` (bytes) in the module, whose body is `module[start:stop]`.

    It is what `interp.syntax.modules.Code` asks for.
    """

    __slots__ = ("_body", "_grammar", "_offset", "_reader", "_start", "_stop")

    def __init__(self, reader: CodeReader, start: int, stop: int, offset: int, grammar: Grammar | None) -> None:
        """`grammar` is one that is known to match the body, or None."""
        self._reader, self._start, self._stop, self._offset = reader, start, stop, offset
        self._grammar = grammar
        self._body: Expr | None = None

    def tokens(self) -> list[bytes] | None:
        """The tokens of the body, if it is known to be well-formed; else None."""
        module, start, stop = self._reader.module, self._start, self._stop
        if self._grammar is None:
            grammar = self._reader.grammar(stop - start)
            if grammar is None or not is_expression(grammar, module, start, stop):
                return None
            self._grammar = grammar
        return self._grammar.token.findall(module, start, stop)

    def instr(self, token: bytes) -> Instr:
        """The instruction that a token stands for, at offset 0, a block with nothing inside.  Raises ValueError for
        `else` and `end`, which are none."""
        with self._reader.lock:
            op, immediates, nests = self._reader.meaning(token)
        if op is None:
            raise ValueError(f"{token.hex()} is no instruction")
        return close_block((op, 0, immediates, [], None), ())[0] if nests else Instr(op, immediates, 0)

    def read(self) -> Expr:
        """The body, the same one every time.  Raises Malformed."""
        with self._reader.lock:
            if self._body is None:
                tokens = self.tokens()
                if tokens is None:
                    self._body = self._reader.read_unknown(self._start, self._stop, self._offset)
                else:
                    self._body = self._reader.read_known(tokens, self._start)
            return self._body
