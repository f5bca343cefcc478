"""What is guessed of loops before they are translated, and whether it holds.

At the start of a loop nothing is known yet of what its branches back bring: facts are guessed, and so is by which local
it counts. If a branch back does not keep to a guess, the function is translated again with a wider one.

Spec: exec/instructions#exec-loop
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interp.compiled.counting import Relation, expected, relation_of
from interp.compiled.facts import FULL, SMALL, WIDTH, Fact, Facts, implies, join
from interp.compiled.labels import Label, widened
from interp.compiled.scan import Steps, first_facts
from interp.compiled.tree import Block, Last, Origins
from interp.execution.values import MASK
from interp.syntax.types import ValType

Key = tuple[int, str]
"""The byte offset of a loop, and a local."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What holds at a branch back, and its byte offset."""

    facts: Facts
    origins: Origins
    last: Last
    position: int


class Guesses:
    """What is guessed of the loops of one function: `facts` in place of guesses that were wrong, the `relations` that
    loops count by, and what each turn adds to locals (`stepped`)."""

    def __init__(self, assigned: Mapping[int, Steps], local_types: Sequence[ValType]) -> None:
        self.assigned = assigned
        self.facts: dict[Key, Fact] = {}
        self.narrower: dict[Key, Fact] = {}
        self.polished = False
        self.wrong = False
        self.guessing = True
        self.found: dict[int, list[Relation | None]] = {}
        self.unsteady: set[int] = set()
        self.missed: set[int] = set()
        self.relations: dict[int, Relation | None] = {}
        self.expected: set[int] = set()
        self.stepped: dict[int, dict[str, int]] = {}
        self.read_off(local_types)

    def read_off(self, local_types: Sequence[ValType]) -> None:
        """Guess how loops count from their text."""
        for offset, loop in self.assigned.items():
            relation = expected(loop, local_types)
            if relation is not None:
                steps = {f"l{x}": step for x, step in loop.once.items() if x in loop.always and step}
                self.relations[offset] = relation
                self.expected.add(offset)
                self.stepped[offset] = {name: step for name, step in steps.items() if isinstance(step, int)}

    # ---- One translation after the other.

    def begin(self) -> None:
        """A translation begins."""
        self.wrong = False
        self.narrower.clear()
        self.found = {}

    def hold(self) -> bool:
        """Whether all that was guessed holds, and nothing was found that makes another translation worthwhile."""
        for offset, found in self.found.items():
            self.relations[offset] = found[0] if all(relation == found[0] for relation in found) else None
            self.expected.discard(offset)
            self.wrong = self.wrong or self.relations[offset] is not None
        return not self.narrowed() and not self.wrong

    def narrowed(self) -> bool:
        """Take up what was found of variables of which nothing was guessed: it holds all the more of better guesses.
        Whether that makes another translation worthwhile, which it does only once."""
        better = {key: fact for key, fact in self.narrower.items() if fact[1] <= SMALL and self.facts.get(key) != fact}
        self.facts.update(better)
        if self.wrong or not better or self.polished:
            return False
        self.polished = True
        return True

    def give_up(self) -> None:
        """Guess nothing any more."""
        self.guessing = False
        self.relations = dict.fromkeys(self.relations)

    # ---- The start of a loop.

    def fact(self, key: Key, entry: Fact, divisor: int, type_: ValType) -> Fact:
        """What is guessed of a local, of which `entry` holds before the loop and to which multiples of `divisor` are
        added, if that is not 0."""
        if not self.guessing:
            return FULL[type_]
        known = self.facts.get(key)
        if known is not None:
            return join(known, entry)
        return first_facts(WIDTH[type_], entry, divisor)

    # ---- A branch back.

    def check(self, label: Label, header: Block, types: Mapping[str, ValType], turn: Turn) -> None:
        """Note the guesses that do not hold, with what may be guessed instead."""
        offset = label.offset
        for name, guess in label.guesses.items():
            full = FULL[types[name]]
            actual = turn.facts.get(name) or full
            if not implies(actual, guess):
                self.facts[offset, name] = widened(actual, guess, full)
                self.wrong = True
            elif guess[1] == full[1]:
                known = self.narrower.get((offset, name))
                self.narrower[offset, name] = actual if known is None else join(known, actual)
        steps = self.steps_of(label, turn.origins)
        if header.count is not None:
            for name, (step, _) in header.count.others.items():
                if steps.get(name) != step & MASK[WIDTH[types[name]]]:
                    self.stepped[offset] = {name: step for name, step in steps.items() if isinstance(step, int)}
                    self.wrong = True
        self.check_relation(label, header, steps, turn)

    def check_relation(self, label: Label, header: Block, steps: Mapping[str, int | str], turn: Turn) -> None:
        """The same for the relation by which the loop counts."""
        offset, loop = label.offset, self.assigned[label.offset]
        copies = {
            name: x
            for name, (start, x, c) in turn.origins.items()
            if start == offset and steps.get(x) == c and name != x
        }
        found = relation_of(turn.last, steps, copies, loop)
        if label.relation is not None:
            if found != label.relation:
                # What was found with other guesses may have been another condition.
                again = offset not in self.missed
                self.missed.add(offset)
                self.relations[offset] = found if again else None
                self.wrong = True
            elif isinstance(found.step, str) and turn.position < loop.always.get(int(found.name[1:]), 0):
                self.wrong = self.wrong or header.count.steady
                self.unsteady.add(offset)
        elif offset not in self.relations or (offset in self.expected and found not in (None, self.relations[offset])):
            self.found.setdefault(offset, []).append(found)

    def steps_of(self, label: Label, origins: Origins) -> dict[str, int | str]:
        """What a turn of a loop that ends here adds to the locals it assigns, if that is known: an iN, or another
        local. Noted for the next translation, if all turns agree."""
        steps: dict[str, int | str] = {}
        for x, step in self.assigned[label.offset].once.items():
            loop, name, c = origins.get(f"l{x}", (-1, "", 0))
            if loop == label.offset and name == f"l{x}" and c:
                steps[name] = c
            elif isinstance(step, str):
                steps[f"l{x}"] = step
        known = self.stepped.get(label.offset)
        if known is None or label.start is None or not label.start.back_edges > 1:
            self.stepped[label.offset] = {name: step for name, step in steps.items() if isinstance(step, int)}
        else:
            self.stepped[label.offset] = {name: step for name, step in known.items() if steps.get(name) == step}
        return steps
