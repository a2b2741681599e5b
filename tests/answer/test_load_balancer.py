"""Which of several equal servers gets a request, and what a reader is told when one takes over."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import threading
from pathlib import Path

import pytest

from lockhouse.answer.load_balancer import FailoverStream, LoadBalancer, ServerLock
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled
from lockhouse.core.events import Reasoning, StartOver, Text

A, B, C = "http://a/v1", "http://b/v1", "http://c/v1"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balancer(clock: Clock) -> LoadBalancer:
    return LoadBalancer(clock, draw=random.Random(7).random)


def best(balancer: LoadBalancer, *urls: str, without: tuple[str, ...] = ()) -> str:
    with balancer.lease(urls or (A, B, C), without=without) as url:
        return url


def test_the_least_busy_one_is_chosen(balancer: LoadBalancer) -> None:
    with contextlib.ExitStack() as held:
        chosen = [held.enter_context(balancer.lease((A, B, C))) for _ in range(6)]
        assert sorted(chosen) == [A, A, B, B, C, C]
        assert set(chosen[:3]) == {A, B, C}


def test_a_lease_that_ends_in_an_error_is_given_back(balancer: LoadBalancer) -> None:
    with pytest.raises(RuntimeError), balancer.lease((A,)):
        raise RuntimeError
    with balancer.lease((B,)):
        assert best(balancer, A, B) == A


def test_of_idle_ones_the_quickest_is_chosen_and_small_differences_are_none(
    balancer: LoadBalancer,
) -> None:
    balancer.note_up(A, 0.200)
    balancer.note_up(B, 0.010)
    balancer.note_up(C, 0.011)
    assert {best(balancer) for _ in range(50)} == {B, C}


def test_one_that_was_never_asked_is_tried(balancer: LoadBalancer) -> None:
    balancer.note_up(A, 0.010)
    balancer.note_up(B, 0.010)
    assert best(balancer) == C


def test_several_programs_do_not_all_begin_with_the_first() -> None:
    first = {best(LoadBalancer(), A, B, C) for _ in range(100)}
    assert first == {A, B, C}


def test_a_dead_one_is_left_out_longer_each_time_and_then_tried_again(
    balancer: LoadBalancer, clock: Clock
) -> None:
    rests = []
    for _ in range(8):
        balancer.note_down(A)
        began = clock.now
        with balancer.lease((B,)):  # B is busy, so that only the rest keeps A out
            while best(balancer, A, B) == B:
                clock.now += 1
        rests.append(clock.now - began)
    assert rests[0] < rests[1] < rests[2] < rests[3]
    assert rests[-1] == rests[-2] <= 121
    balancer.note_up(A, 0.01)
    balancer.note_down(A)
    clock.now += 2.1
    with balancer.lease((B,)):
        assert best(balancer, A, B) == A  # it begins with a short rest again


def test_when_all_rest_the_one_that_rests_the_shortest_is_tried(balancer: LoadBalancer) -> None:
    balancer.note_down(A)
    balancer.note_down(A)
    balancer.note_down(B)
    assert best(balancer, A, B) == B
    assert best(balancer, A, B, without=(B,)) == A


def test_a_wait_that_a_server_asked_for_is_kept(balancer: LoadBalancer, clock: Clock) -> None:
    balancer.note_down(A, wait_s=30)
    clock.now += 29
    assert best(balancer, A, B) == B


def test_one_that_gives_answers_up_is_asked_one_at_a_time(balancer: LoadBalancer) -> None:
    began = threading.Event()
    order: list[str] = []

    def second() -> None:
        began.set()
        with balancer.lease((A,)):
            order.append("second")

    with balancer.lease((A,)):
        balancer.note_single(A)
        assert best(balancer, A, B) == B
        thread = threading.Thread(target=second)
        thread.start()
        assert began.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_waiting_for_one_ends_when_it_is_called_off(balancer: LoadBalancer) -> None:
    cancel, began = CancelToken(), threading.Event()
    ended: list[bool] = []

    def wait() -> None:
        began.set()
        with pytest.raises(Cancelled), balancer.lease((A,), cancel=cancel):
            pass
        ended.append(True)

    with balancer.lease((A,)):
        balancer.note_single(A)
        thread = threading.Thread(target=wait)
        thread.start()
        assert began.wait(10)
        cancel.cancel()
        thread.join(10)
        assert ended
        called_off = CancelToken()
        called_off.cancel()
        with pytest.raises(Cancelled), balancer.lease((A,), cancel=called_off):
            pass
    assert best(balancer, A) == A


def test_other_programs_of_the_home_wait_for_their_turn(tmp_path: Path) -> None:
    one, other = (
        LoadBalancer(server_lock=ServerLock(tmp_path / "run" / "servers")) for _ in range(2)
    )
    with one.lease((A,)), other.lease((A,)):
        one.note_single(A)  # from now on
    with one.lease((A,)):
        assert best(other, A, B) == B
        called_off = CancelToken()
        called_off.cancel()
        with pytest.raises(Cancelled), other.lease((A,), cancel=called_off):
            pass
    assert best(other, A) == A


def test_where_nothing_can_be_written_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "servers").write_text("a file, no folder")
    one, other = (LoadBalancer(server_lock=ServerLock(tmp_path / "servers")) for _ in range(2))
    with one.lease((A,)):
        one.note_single(A)
        assert best(other, A) == A


def test_where_files_cannot_be_locked_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    one, other = (LoadBalancer(server_lock=ServerLock(tmp_path / "servers")) for _ in range(2))
    one.note_single(A)
    called_off = CancelToken()
    called_off.cancel()
    with one.lease((A,)), other.lease((A,), cancel=called_off) as url:
        assert url == A


# --- taking over ---------------------------------------------------------------------------


def tell(telling: FailoverStream, *events: Text | Reasoning) -> list[Text | Reasoning | StartOver]:
    return [one for event in events for one in telling.take(event)]


def words(events: list[Text | Reasoning | StartOver]) -> str:
    """What a reader holds in the end."""
    held = ""
    for event in events:
        held = "" if isinstance(event, StartOver) else held + event.text
    return held


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_the_same_text_is_not_told_twice(size: int) -> None:
    answer = "The capital is Paris."
    telling = FailoverStream()
    told = tell(telling, Text("The cap"), Text("ital"))
    telling.begin_again()
    pieces = [Text(answer[at : at + size]) for at in range(0, len(answer), size)]
    more = tell(telling, *pieces) + telling.end()
    assert not any(isinstance(event, StartOver) for event in more)
    assert words(told + more) == answer


def test_another_text_begins_anew() -> None:
    telling = FailoverStream()
    told = tell(telling, Reasoning("Hm."), Text("The capital"))
    telling.begin_again()
    more = tell(telling, Reasoning("Hm."), Text("The"), Text(" city"), Text(" of Paris"))
    assert isinstance(more[0], StartOver)
    assert words(told + more + telling.end()) == "Hm.The city of Paris"


def test_a_shorter_answer_is_another_one() -> None:
    telling = FailoverStream()
    tell(telling, Text("The capital is Paris, and"))
    telling.begin_again()
    more = tell(telling, Text("The capital is Paris")) + telling.end()
    assert [type(event) for event in more] == [StartOver, Text]
    assert words(more) == "The capital is Paris"


def test_reasoning_is_not_taken_for_the_answer() -> None:
    telling = FailoverStream()
    tell(telling, Text("Hm"))
    telling.begin_again()
    assert isinstance(tell(telling, Reasoning("Hm"))[0], StartOver)


def test_it_can_be_taken_over_again_and_again() -> None:
    telling = FailoverStream()
    told = tell(telling, Text("One two"))
    telling.begin_again()
    told += tell(telling, Text("One two three"))
    telling.begin_again()
    told += tell(telling, Text("One"))
    telling.begin_again()
    told += tell(telling, Text("One two three four")) + telling.end()
    assert words(told) == "One two three four"
    assert not any(isinstance(event, StartOver) for event in told)
    assert telling.received_bytes == len("One two three four")
