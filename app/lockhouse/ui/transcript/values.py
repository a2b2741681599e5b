"""What the transcript shows and what it asks for: frozen values, no widgets.

The view shows :class:`TranscriptMessage` and answers with :class:`TranscriptAction`. It knows no
conversation service; a controller turns stored messages into these values and acts on the actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MessageRole = Literal["user", "assistant", "system"]
MessageStatus = Literal["complete", "streaming", "cut", "cancelled", "failed"]
ProgressKind = Literal["loading", "prompt", "waiting"]

ActionKind = Literal[
    "copy",  # the view has already put the text on the clipboard
    "regenerate",
    "previous_version",
    "next_version",
    "edit",  # text is the new text; send: an answer to it is wanted
    "branch",
    "continue",
    "details",
    "answer_now",  # stop thinking and answer
    "retry_safer",
    "forward",  # ask another model
    "forward_selection",  # text is what is selected
    "forward_file",  # text is the number of the file
    "ask_local",  # answer on this machine instead
    "ask_alone",  # without the conversation before
    "choose_target",
    "show_sent",
    "key",  # actions that open another page
    "network",
    "limits",
    "providers",
]


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file attached to a question; ``size`` in words."""

    name: str
    size: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture attached to a question; loaded when it is shown."""

    sha256: str
    name: str
    size: str


@dataclass(frozen=True, slots=True)
class TranscriptMessage:
    """One turn as it is shown.

    ``version_index`` counts from 1. ``stats`` are short parts shown at the right under an
    answer, for example ``("412 tokens", "first token 0.9 s", "11.8 tok/s")``. ``badge`` is the
    word beside the name ("Local"), ``header_detail`` the quantization ("Balanced, Q4_K_M").
    ``retry_safer`` offers "Try again with safer settings" under a failed answer. ``files`` stand in
    the text up to ``words_from``, where the reader's own words begin. ``limit`` says which limit
    ended a complete answer before the model did. ``leaves`` marks an answer that came from beyond
    this machine. ``ways`` are kinds and labels of what can be done about a failed answer, where
    that is more than to try again; trying again makes sense from ``retry_at`` on. ``remark`` is
    said quietly above the text.
    """

    id: str
    role: MessageRole
    text: str = ""
    reasoning: str = ""
    status: MessageStatus = "complete"
    header_name: str = ""
    header_detail: str = ""
    badge: str = "Local"
    version_index: int = 1
    version_count: int = 1
    stats: tuple[str, ...] = ()
    error_message: str = ""
    error_hint: str = ""
    reasoning_seconds: float | None = None
    created_at: datetime | None = None
    retry_safer: bool = False
    limit: str = ""
    files: tuple[AttachedFile, ...] = ()
    words_from: int = 0
    pictures: tuple[ShownPicture, ...] = ()
    leaves: bool = False
    is_served: bool = False  # by another program, on this machine or not
    ways: tuple[tuple[str, str], ...] = ()
    retry_at: datetime | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class TranscriptAction:
    """What the user asked for, about one message."""

    message_id: str
    kind: ActionKind
    text: str = ""
    send: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far loading a model or reading the prompt has come; ``total`` 0 when unknown.

    ``words`` tell what is waited for where it is neither.
    """

    kind: ProgressKind
    done: int
    total: int
    words: str = ""
