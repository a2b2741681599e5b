"""The conversation view: virtualised, smooth at 10,000 messages.

::

    view = TranscriptView(theme, open_link=None)   # without open_link, links can only be copied
    view.set_messages([TranscriptMessage(...), ...])      # opens at the latest
    view.append_message(m); view.update_message(m)        # by id
    view.remove_message(id); view.truncate_after(id)
    view.begin_stream(m)                                  # appended, or replaces the same id
    view.set_progress(m.id, "loading" | "prompt", done, total)
    view.feed(m.id, text="...", reasoning="...")          # queued; painted by a timer
    view.end_stream(m)                                    # the finished message, with its stats
    view.find("words") -> int; view.find_next(); view.find_previous(); view.clear_find()
    view.scroll_to(id, highlight="words"); view.jump_to_latest()
    view.action_requested  Signal(TranscriptAction)
    view.find_moved        Signal(int, int)               # current (from 1), of
"""

from __future__ import annotations

from lockhouse.ui.transcript.values import (
    ActionKind,
    MessageStatus,
    Progress,
    TranscriptAction,
    TranscriptMessage,
)
from lockhouse.ui.transcript.view import TranscriptView

__all__ = [
    "ActionKind",
    "MessageStatus",
    "Progress",
    "TranscriptAction",
    "TranscriptMessage",
    "TranscriptView",
]
