"""The prompt of `wascc step --interactive`: commands to go forward and back, and to look around.

A command may be shortened as far as it is clear which one is meant; an empty line repeats the last one.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import typer

from interp.errors import escaped
from interp.reference.fill import fill
from interp.reference.stepper import Breakpoint, Reason
from interp.stepping import show
from interp.stepping.session import Session, SteppingError

HISTORY = 1000
"""Lines that readline remembers."""

WIDTH = 32
"""Columns for a command in the list of all of them."""

Command = Callable[["Prompt", list[str]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: how it is called, what it takes, what it does. `short` are other ways to call it."""

    name: str
    takes: str
    help: str
    function: Command
    short: tuple[str, ...] = ()


COMMANDS: dict[str, Entry] = {}


def command(name: str, takes: str, help_: str, *short: str) -> Callable[[Command], Command]:
    """Register a command."""

    def register(function: Command) -> Command:
        COMMANDS[name] = Entry(name, takes, help_, function, short)
        return function

    return register


def find_command(word: str) -> Entry:
    """The command that a word means. Raises SteppingError."""
    for entry in COMMANDS.values():
        if word == entry.name or word in entry.short:
            return entry
    found = [entry for entry in COMMANDS.values() if entry.name.startswith(word)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(entry.name for entry in found)
    raise SteppingError(f"{word!r} may be {names}" if found else f"there is no command {word!r}; try help")


class Prompt:
    """Reads commands and prints what they show. `maximum` is how many steps a command may take."""

    def __init__(self, session: Session, maximum: int) -> None:
        self.session = session
        self.stepper = session.stepper
        self.maximum = maximum
        self.done = False
        self.echo = not sys.stdin.isatty()

    def run(self) -> None:
        """Read and do commands until the end of the input."""
        with suppress(ImportError):
            import readline  # noqa: PLC0415 — where there is none, lines are read without history

            readline.set_history_length(HISTORY)
        self.print(self.where_it_stands())
        last = "step"
        while not self.done:
            try:
                line = self.read()
                if line is None:
                    return
                last = line.strip() or last
                self.do(last)
            except KeyboardInterrupt:
                self.print(["interrupted"])

    def read(self) -> str | None:
        """The next line; None at the end of the input. What does not come from a terminal is printed too, so that the
        output reads the same."""
        prompt = f"[{self.stepper.index}] "
        try:
            if not self.echo:
                return input(prompt)
            line = sys.stdin.readline()
        except EOFError:
            self.print([""])
            return None
        if not line:
            return None
        self.print([f"{prompt}{line.rstrip()}"])
        return line

    def do(self, line: str) -> None:
        """Do a command and print what it shows."""
        word, *args = line.split()
        try:
            entry = find_command(word)
            if len(args) > len(entry.takes.split()):
                raise SteppingError(f"{entry.name} takes {entry.takes or 'nothing'}")
            with self.interruptible():
                self.print(entry.function(self, args))
        except SteppingError as error:
            self.print([f"error: {escaped(str(error))}"])

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While a command is at work, Ctrl-C ends it between two steps, or in a host function at once."""

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self.stepper.history.calling_host:
                raise KeyboardInterrupt
            self.stepper.interrupt()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def print(self, lines: Iterable[str]) -> None:
        """Print lines as they come."""
        for line in lines:
            typer.echo(line)

    def where_it_stands(self, reason: Reason | None = None) -> Iterator[str]:
        """The step that led here, why no more were taken, and the end if this is one."""
        record = self.stepper.last()
        if record is not None:
            yield from show.show_record(record)
        if self.stepper.index == 0:
            yield "at the start; help lists the commands"
        elif self.stepper.index == self.stepper.floor:
            yield f"at step {self.stepper.index}; what was before is forgotten"
        elif reason is not None and reason in show.REASONS:
            yield show.REASONS[reason]
        yield from self.end()

    def end(self) -> Iterator[str]:
        """How the computation ended, if it did."""
        outcome = self.stepper.outcome
        if outcome is not None:
            yield show.show_outcome(outcome)


def number(args: list[str], otherwise: int) -> int:
    """The argument that is a number from 1 on. Raises SteppingError."""
    if not args:
        return otherwise
    if not args[0].isdecimal() or len(args[0]) > 15 or int(args[0]) < 1:
        raise SteppingError(f"a number is needed, not {args[0]!r}")
    return int(args[0])


@command("step", "[N]", "take N steps and show them (1)", "s")
def step(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Show as many steps as asked for."""
    for record in prompt.stepper.trace(min(number(args, 1), prompt.maximum)):
        yield from show.show_record(record)
    yield from prompt.end()


@command("over", "", "go on until the next instruction is done, with all that it calls", "o", "next", "n")
def over(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Step over."""
    yield from prompt.where_it_stands(prompt.stepper.over(prompt.maximum))


@command("out", "", "go on until this function returns", "u", "finish")
def out(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Step out."""
    yield from prompt.where_it_stands(prompt.stepper.out(prompt.maximum))


@command("continue", "", "go on to the next breakpoint, or the end", "c")
def continue_(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Run."""
    yield from prompt.where_it_stands(prompt.stepper.run(prompt.maximum))


@command("back", "[N]", "go back N steps (1)", "b")
def back(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Step back."""
    prompt.stepper.back(number(args, 1))
    yield from prompt.where_it_stands()


@command("reverse-continue", "", "go back to the breakpoint before, or the start", "rc")
def reverse(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Run backwards."""
    yield from prompt.where_it_stands(prompt.stepper.reverse())


@command("break", "[RULE|FUNC|OFFSET]", "stop there from now on; without one, list the breakpoints", "br")
def break_(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Set or list breakpoints."""
    breakpoints = prompt.stepper.breakpoints
    if args:
        breakpoints.append(prompt.session.close_to(args[0]))
    if not breakpoints:
        yield "no breakpoints"
    for index, breakpoint_ in enumerate(breakpoints, 1):
        yield f"{index:3} {described(breakpoint_)}"


def described(point: Breakpoint) -> str:
    """What a breakpoint stops at."""
    if point.offset is not None:
        return f"byte {point.text}"
    if point.funcs:
        return f"function {point.text}"
    return f"{point.text} ({len(point.rules)} rules)" if len(point.rules) > 1 else next(iter(point.rules))


@command("delete", "[N]", "remove breakpoint N, or all", "d")
def delete(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Remove breakpoints."""
    breakpoints = prompt.stepper.breakpoints
    index = number(args, 0)
    if index > len(breakpoints):
        raise SteppingError(f"there are {len(breakpoints)} breakpoints")
    if index:
        del breakpoints[index - 1]
    else:
        breakpoints.clear()
    yield from break_(prompt, [])


@command("print", "WHAT [FROM [COUNT [NO]]]", "show stack, locals, globals, tables, or memory from a byte on", "p")
def print_(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Show a part of the state."""
    what = args[0] if args else "stack"
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "stack": lambda: show.show_operands(prompt.stepper),
        "locals": lambda: show.show_locals(prompt.stepper),
        "globals": lambda: show.show_globals(prompt.stepper, prompt.session.inst),
        "tables": lambda: show.show_tables(prompt.stepper, prompt.session.inst),
        "memory": lambda: memory(prompt, args[1:]),
    }
    found = [name for name in parts if name.startswith(what)]
    if len(found) != 1 or (len(args) > 1 and found != ["memory"]):
        raise SteppingError(f"print shows {', '.join(parts)}; not {' '.join(args)!r}")
    lines = list(parts[found[0]]())
    yield from lines or [f"there are no {found[0]}"]


def memory(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """Bytes of a memory: from byte FROM on (0), COUNT of them (64), of memory number NO (0)."""
    try:
        start, count, index = [int(arg, 0) for arg in args] + [0, 64, 0][len(args) :]
    except ValueError as error:
        raise SteppingError("print memory takes numbers: FROM, COUNT, NO") from error
    mems = prompt.session.inst.mems
    if min(start, count, index) < 0 or index >= len(mems):
        raise SteppingError(f"there are {len(mems)} memories, and addresses from 0 on")
    return show.show_memory(mems[index], start, count)


@command("config", "", "show the whole configuration as one nested term", "k")
def config(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """The configuration."""
    yield from fill(prompt.stepper.config, prompt.stepper.describer).lines()


@command("where", "", "show the next instruction and the active functions", "w", "backtrace", "bt")
def where(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """The backtrace."""
    yield from show.show_next(prompt.stepper)
    yield from show.show_backtrace(prompt.stepper.backtrace)


@command("help", "", "show this", "h", "?")
def help_(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """All commands."""
    for entry in COMMANDS.values():
        short = f" ({', '.join(entry.short)})" if entry.short else ""
        yield f"{entry.name} {entry.takes}".ljust(WIDTH) + entry.help + short
    yield "a rule may have * and ?, as in break br-*; an empty line repeats; Ctrl-C interrupts, Ctrl-D leaves"


@command("quit", "", "leave", "q", "exit")
def quit_(prompt: Prompt, args: list[str]) -> Iterator[str]:
    """End."""
    prompt.done = True
    return iter(())
