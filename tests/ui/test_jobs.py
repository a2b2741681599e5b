"""Work off the GUI thread: where callbacks run, what failures become, what closing waits for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from lockhouse.core.errors import Cancelled, LockhouseError, NotFound
from lockhouse.ui.jobs import Jobs, ignore


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    service = Jobs()
    yield service
    service.close()


def test_the_outcome_arrives_on_the_gui_thread(jobs: Jobs, qtbot: QtBot) -> None:
    seen: list[tuple[str, bool]] = []
    gui = threading.current_thread()

    def work() -> bool:
        return threading.current_thread() is gui

    jobs.run(work, lambda on_gui: seen.append((threading.current_thread().name, on_gui)), ignore)
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [(gui.name, False)]


def test_an_expected_failure_goes_to_failed(jobs: Jobs, qtbot: QtBot) -> None:
    failures: list[LockhouseError] = []

    def work() -> None:
        raise NotFound("no such chat")

    jobs.run(work, lambda _: pytest.fail("done was called"), failures.append)
    qtbot.waitUntil(lambda: bool(failures))
    assert isinstance(failures[0], NotFound)


def test_a_cancelled_job_is_silent(jobs: Jobs, qtbot: QtBot) -> None:
    order: list[str] = []

    def work() -> None:
        raise Cancelled

    jobs.run_in_order(work, lambda _: order.append("done"), lambda _: order.append("failed"))
    jobs.run_in_order(lambda: None, lambda _: order.append("next"), ignore)
    qtbot.waitUntil(lambda: bool(order))
    assert order == ["next"]


def test_a_bug_reaches_the_excepthook(
    jobs: Jobs, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bugs: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: bugs.append(kind))

    def work() -> None:
        raise ZeroDivisionError

    jobs.run(work, lambda _: pytest.fail("done"), lambda _: pytest.fail("failed"))
    qtbot.waitUntil(lambda: bool(bugs))
    assert bugs == [ZeroDivisionError]


def test_ordered_work_keeps_its_order(jobs: Jobs, qtbot: QtBot) -> None:
    done: list[int] = []
    for number in range(50):
        jobs.run_in_order(lambda n=number: n, done.append, ignore)  # type: ignore[misc]
    qtbot.waitUntil(lambda: len(done) == 50)
    assert done == list(range(50))


def test_short_work_does_not_wait_for_work_that_does_not_end(jobs: Jobs, qtbot: QtBot) -> None:
    release = threading.Event()
    for _ in range(20):
        jobs.run(release.wait, lambda _: None, ignore)
    seen: list[int] = []
    jobs.run(lambda: 1, seen.append, ignore)
    qtbot.waitUntil(lambda: seen == [1])
    release.set()


def test_urgent_work_waits_for_nothing(jobs: Jobs, qtbot: QtBot) -> None:
    release = threading.Event()
    for _ in range(100):  # more than there are threads for
        jobs.run(release.wait, lambda _: None, ignore)
    seen: list[int] = []
    jobs.run_now(lambda: 1, seen.append, ignore)
    qtbot.waitUntil(lambda: seen == [1])
    release.set()


def test_chats_do_not_wait_for_models(jobs: Jobs, qtbot: QtBot) -> None:
    release = threading.Event()
    jobs.run_in_order(release.wait, lambda _: None, ignore, queue_name="models")
    seen: list[int] = []
    jobs.run_in_order(lambda: 1, seen.append, ignore)
    qtbot.waitUntil(lambda: seen == [1])
    release.set()


def test_closing_keeps_what_is_queued_for_chats_though_models_still_wait(qtbot: QtBot) -> None:
    service = Jobs()
    release = threading.Event()
    written: list[int] = []
    service.run_in_order(release.wait, lambda _: None, ignore, queue_name="models")
    service.run_in_order(lambda: written.append(1), lambda _: None, ignore)
    service.close(grace_s=0.5)
    assert written == [1]
    release.set()


def test_stream_events_arrive_gathered_and_complete(jobs: Jobs, qtbot: QtBot) -> None:
    batches: list[list[int]] = []
    ends: list[str] = []
    jobs.stream(lambda: iter(range(5000)), batches.append, lambda: ends.append("done"), ignore)
    qtbot.waitUntil(lambda: bool(ends))
    assert [n for batch in batches for n in batch] == list(range(5000))
    assert len(batches) < 500
    assert ends == ["done"]


def test_a_failing_stream_delivers_what_came_first(jobs: Jobs, qtbot: QtBot) -> None:
    seen: list[object] = []

    def events() -> Iterator[int]:
        yield 1
        raise NotFound("gone")

    jobs.stream(events, seen.extend, lambda: pytest.fail("done"), seen.append)
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen[0] == 1
    assert isinstance(seen[1], NotFound)


def test_a_callback_that_raises_is_called_once(
    jobs: Jobs, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def done() -> None:
        calls.append(1)
        raise ZeroDivisionError

    after: list[int] = []
    with qtbot.captureExceptions() as caught:
        jobs.stream(lambda: iter([1]), lambda _: None, done, ignore)
        qtbot.waitUntil(lambda: bool(calls))
        jobs.stream(lambda: iter([2]), after.extend, lambda: after.append(0), ignore)
        qtbot.waitUntil(lambda: after == [2, 0])
    assert calls == [1]
    assert [kind for kind, _, _ in caught] == [ZeroDivisionError]


def test_closing_cancels_and_never_waits_for_a_stuck_stream(jobs: Jobs, qtbot: QtBot) -> None:
    wishes: list[str] = []
    release = threading.Event()

    def stuck() -> Iterator[int]:
        yield 1
        release.wait()

    handle = jobs.stream(
        stuck,
        lambda _: None,
        lambda: pytest.fail("done after close"),
        ignore,
        on_cancel=lambda: wishes.append("cancel"),
    )
    jobs.close(grace_s=0.05)
    assert wishes == ["cancel"]
    assert not handle.ended
    release.set()


def test_closing_finishes_ordered_work(qtbot: QtBot) -> None:
    service = Jobs()
    written: list[int] = []
    for number in range(20):
        service.run_in_order(lambda n=number: written.append(n), lambda _: None, ignore)  # type: ignore[misc]
    service.close(grace_s=30)
    assert written == list(range(20))
