"""Turns: order, bounds, and no deadlock, with real threads and no host."""

import threading
import time
from collections.abc import Callable

import pytest
from host_support import eventually, in_thread

from host.chains import Hop, active_chains, current_chain
from host.entities import ActorEntity, CapabilityEntity
from host.errors import ActorBusy, CallRefused
from host.turns import Patience, Turn, Turns


class Holder:
    """A thread that does what it is told, one step after the other."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []
        self._wake = threading.Semaphore(0)
        self.thread, self.outcome = in_thread(self._run)

    def do(self, step: Callable[[], object]) -> None:
        self._steps.append(step)
        self._wake.release()

    def end(self) -> list[object]:
        self.do(lambda: None)
        self._steps.append(None)  # type: ignore[arg-type]
        self._wake.release()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.outcome

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            step = self._steps.pop(0)
            if step is None:
                return
            step()


def waiting(turn: Turn) -> int:
    return len(turn._queue)


def test_turn_passes_in_the_order_of_asking() -> None:
    turn, order = Turn("Actor A", Patience()), []
    threads = []
    with turn:
        for number in range(8):

            def work(number: int = number) -> None:
                with turn:
                    order.append(number)

            threads.append(in_thread(work))
            assert eventually(lambda number=number: waiting(turn) == number + 1)
    for thread, outcome in threads:
        thread.join(20)
        assert outcome == [None]
    assert order == list(range(8))
    assert current_chain().held == []


def test_whoever_got_the_turn_by_waiting_can_be_waited_for() -> None:
    """Having waited is forgotten with the grant: the next one who asks waits too, and is no circle."""
    turn = Turn("Actor A", Patience())
    first, second = Holder(), Holder()
    with turn:
        first.do(turn.__enter__)
        assert eventually(lambda: waiting(turn) == 1)
    assert eventually(lambda: waiting(turn) == 0)
    second.do(turn.__enter__)
    assert eventually(lambda: waiting(turn) == 1)
    first.do(turn.leave)
    second.do(turn.leave)
    assert first.end() == second.end() == [None]


def test_one_chain_cannot_take_a_turn_twice() -> None:
    first, second = Turn("Actor A", Patience()), Turn("Actor B", Patience())
    with first, second:
        with pytest.raises(CallRefused, match=r"Actor A is waiting for this very call.*Actor A -> Actor B -> Actor A"):
            first.__enter__()
        assert [turn.label for turn in current_chain().held] == ["Actor A", "Actor B"]
    with first:
        assert current_chain().held == [first]


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_circle_of_chains_is_refused_at_once_and_the_others_go_on(length: int) -> None:
    """Each chain holds one turn and asks for the next one's: the one who closes the circle is refused."""
    turns = [Turn(f"Actor {number}", Patience(seconds=60)) for number in range(length)]
    holders = [Holder() for _ in turns]
    for holder, turn in zip(holders, turns, strict=True):
        holder.do(turn.__enter__)
    assert eventually(lambda: all(bool(turn._holders) for turn in turns))
    for number in range(length - 1):
        holders[number].do(turns[number + 1].__enter__)
        assert eventually(lambda number=number: waiting(turns[number + 1]) == 1)

    closing: list[str] = []

    def close_the_circle() -> None:
        try:
            turns[0].__enter__()
        except CallRefused as refusal:
            closing.append(str(refusal))
            turns[-1].leave()

    holders[-1].do(close_the_circle)
    assert eventually(lambda: bool(turns[length - 1]._holders) and waiting(turns[length - 1]) == 0)
    for number in range(length - 2, -1, -1):
        holders[number].do(lambda number=number: (turns[number + 1].leave(), turns[number].leave()))
    for holder in holders:
        assert holder.end() == [None]
    assert len(closing) == 1
    assert "deadlock" in closing[0]
    assert "Actor 0" in closing[0]
    assert all(not turn._holders and not turn._queue for turn in turns)


def test_a_long_wait_is_given_up_and_leaves_no_trace() -> None:
    turn = Turn("Actor A", Patience(seconds=0.05))
    holder = Holder()
    holder.do(turn.__enter__)
    assert eventually(lambda: bool(turn._holders))
    with pytest.raises(CallRefused, match=r"Actor A was busy for 0\.05 seconds"):
        turn.__enter__()
    assert waiting(turn) == 0
    assert current_chain().waiting_for is None
    assert current_chain().held == []
    holder.do(turn.leave)
    assert holder.end() == [None]
    with turn:
        pass


def test_as_many_as_there_are_places_run_at_a_time() -> None:
    turn = Turn("Actor A", Patience(), places=3)
    guard, running, most, leave = threading.Lock(), [0], [0], threading.Event()

    def work() -> None:
        with turn:
            with guard:
                running[0] += 1
                most[0] = max(most[0], running[0])
            leave.wait(20)
            with guard:
                running[0] -= 1

    threads = [in_thread(work) for _ in range(8)]
    assert eventually(lambda: waiting(turn) == 5)
    leave.set()
    for thread, outcome in threads:
        thread.join(20)
        assert outcome == [None]
    assert most == [3]
    assert not turn._holders


def test_a_chain_may_take_several_places_as_long_as_there_are_any() -> None:
    turn = Turn("Actor A", Patience(), places=2)
    with turn, turn:
        assert current_chain().held == [turn, turn]
        with pytest.raises(CallRefused, match="waiting for this very call"):
            turn.__enter__()
    assert current_chain().held == []
    with turn:
        other = Holder()
        other.do(turn.__enter__)
        assert eventually(lambda: len(turn._holders) == 2)
        blocked, outcome = in_thread(turn.__enter__)
        assert eventually(lambda: waiting(turn) == 1)
        other.do(turn.leave)
        blocked.join(20)
        assert outcome == [None], "somebody ran who could let go, so waiting was no deadlock"
        assert other.end() == [None]


def test_all_places_held_by_chains_that_wait_for_each_other_are_a_deadlock() -> None:
    """Two chains hold one place each, and both want a second one: whoever asks last is refused."""
    turn = Turn("Actor A", Patience(seconds=60), places=2)
    first = Holder()
    with turn:
        first.do(turn.__enter__)
        assert eventually(lambda: len(turn._holders) == 2)
        first.do(turn.__enter__)
        assert eventually(lambda: waiting(turn) == 1)
        with pytest.raises(CallRefused, match="deadlock"):
            turn.__enter__()
    first.do(lambda: (turn.leave(), turn.leave()))
    assert first.end() == [None]
    assert not turn._holders


def test_a_wait_that_is_given_up_says_what_it_waited_for() -> None:
    turn = Turn("Actor A", Patience(seconds=0.05))

    def hold() -> None:
        current_chain().hops += [Hop(ActorEntity("MA"), "HandleRequest"), Hop(CapabilityEntity("x:y", "main"), "Add")]
        turn.__enter__()

    holder = Holder()
    holder.do(hold)
    assert eventually(lambda: bool(turn._holders))
    assert [hop.operation for hop in active_chains()[-1].hops] == ["HandleRequest", "Add"]
    with pytest.raises(ActorBusy, match=r"it does HandleRequest of actor MA -> Add of main,x:y, for \d\.\d s so far"):
        turn.__enter__()
    holder.do(lambda: (turn.leave(), current_chain().hops.clear()))
    assert holder.end() == [None]


def test_only_so_many_wait() -> None:
    turn = Turn("Actor A", Patience(max_waiting=2))
    with turn:
        threads = [in_thread(lambda: turn.__enter__() or turn.leave()) for _ in range(2)]
        assert eventually(lambda: waiting(turn) == 2)
        _, outcome = in_thread(turn.__enter__)
        assert eventually(lambda: bool(outcome))
        assert "2 calls wait for it already" in str(outcome[0])
    for thread, result in threads:
        thread.join(20)
        assert result == [None]


def test_a_chain_holds_only_so_many_turns() -> None:
    patience = Patience(max_depth=3)
    turns = [Turn(f"Actor {number}", patience) for number in range(4)]
    with turns[0], turns[1], turns[2], pytest.raises(CallRefused, match="3 nested calls at most"):
        turns[3].__enter__()
    with turns[3]:
        pass


@pytest.mark.usefixtures("eager_switching")
def test_many_threads_on_few_turns_never_hang_and_never_overlap() -> None:
    """Every thread takes two turns in an order of its own: what is not refused excludes the others."""
    turns = [Turn(f"Actor {number}", Patience(seconds=60)) for number in range(4)]
    busy = [False] * len(turns)
    counts = {"done": 0, "refused": 0}
    overlaps = []
    guard = threading.Lock()

    def occupy(number: int) -> None:
        if busy[number]:
            overlaps.append(number)
        busy[number] = True
        time.sleep(0)

    def work(seed: int) -> None:
        for step in range(300):
            first = (seed + step) % len(turns)
            second = (first + 1 + (seed * step) % (len(turns) - 1)) % len(turns)
            try:
                with turns[first]:
                    occupy(first)
                    try:
                        with turns[second]:
                            occupy(second)
                            busy[second] = False
                    finally:
                        busy[first] = False
                key = "done"
            except CallRefused:
                key = "refused"
            with guard:
                counts[key] += 1

    threads = [in_thread(lambda seed=seed: work(seed)) for seed in range(8)]
    for thread, outcome in threads:
        thread.join(60)
        assert outcome == [None]
    assert sum(counts.values()) == 8 * 300
    assert counts["done"] > 0
    assert counts["refused"] > 0, "the threads never met, so this has tested nothing"
    assert not overlaps
    assert all(not turn._holders and not turn._queue for turn in turns)


def test_keyed_turns_exist_only_while_used() -> None:
    turns = Turns(Patience())
    with turns.of("a", "The binding of A"), turns.of("b", "The binding of B"):
        with pytest.raises(CallRefused, match="The binding of A"), turns.of("a", "The binding of A"):
            pytest.fail("entered twice")
        assert set(turns._turns) == {"a", "b"}
    assert turns._turns == {}
