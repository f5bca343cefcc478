"""The instruction table against ppci's table of 1.0 and against itself."""

from ppci.wasm import opcodes as ppci_opcodes

from interp.reference.configuration import OPERANDS, RULES
from interp.reference.machine import CHAPTERS
from interp.syntax.instructions import BY_OPCODE, ELSE, END, OPS
from interp.validation.instructions import RULES as TYPING_RULES


def test_the_rows_of_version_1_are_those_of_ppci() -> None:
    theirs = {code: name for name, code in ppci_opcodes.OPCODES.items() if name not in ("else", "end")}
    ours = {op.opcode: op.mnemonic for op in OPS if op.since == "1.0"}
    assert ours == {code: name for code, name in theirs.items() if code in ours}
    assert set(theirs) <= set(BY_OPCODE) | {END, ELSE}


def test_every_row_has_a_typing_rule_and_a_reduction_rule() -> None:
    assert CHAPTERS
    for op in OPS:
        assert op.type is not None or op.kind in TYPING_RULES, op
        assert op.kind in RULES, op
    assert set(OPERANDS) <= set(RULES)


def test_numeric_rows_say_what_they_mean() -> None:
    for op in OPS:
        if op.kind in ("unop", "binop", "testop", "relop", "cvtop"):
            assert op.sem is not None
            assert op.type is not None
            assert op.sem.__doc__ is not None
            assert op.sem.__doc__.partition("Spec: ")[2].split()[0].replace("_", "-") == op.anchor
