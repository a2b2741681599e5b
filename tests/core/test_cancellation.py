"""Wishes reach whoever watches, in the thread that has them."""

from __future__ import annotations

import threading

from lockhouse.core.cancellation import CancelToken


def test_a_watcher_is_told_in_the_thread_that_cancels() -> None:
    token, told = CancelToken(), list[str]()
    with token.watched(lambda: told.append(threading.current_thread().name)):
        thread = threading.Thread(target=token.cancel, name="the one who cancels")
        thread.start()
        thread.join()
        assert told == ["the one who cancels"]
        token.answer_now()
        assert len(told) == 2
    token.leave()
    assert len(told) == 2, "nobody watches any more"


def test_a_wish_from_before_is_told_at_once() -> None:
    token, told = CancelToken(), list[bool]()
    token.cancel()
    with token.watched(lambda: told.append(token.cancelled)):
        assert told == [True]
