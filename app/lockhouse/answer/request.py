"""From what a person asks to the request a target gets: built in one place.

Hides the order in which values win: what was chosen for this question, then what the
conversation sets for itself, then the settings. What nobody chose is named in
``AnswerRequest.left_open``, so that a model's profile can fill it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING

import msgspec

from lockhouse.core.labels import Label
from lockhouse.core.messages import File, Image, Role, Tool, Turn
from lockhouse.core.request import AnswerRequest, ContextPolicy, Sampling, left_open
from lockhouse.core.thinking import CHOICES, Thinking

if TYPE_CHECKING:
    from lockhouse.storage.settings import Settings

WHEN_FULL: tuple[ContextPolicy, ...] = ("stop", "cut_oldest")
_WHOLE = ("top_k", "seed")


class Choices(msgspec.Struct, frozen=True):
    """What was chosen for one question alone. None: not chosen."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    context_length: int | None = None
    thinking: Thinking | None = None
    reasoning_budget: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str | None = None  # GBNF
    json_schema: str | None = None
    tools: tuple[Tool, ...] = ()


class Question(msgspec.Struct, frozen=True):
    """What a person wants answered: the one value from where it is typed to where it is kept.

    ``parent_id`` is the message it follows: by default (...) the last one that is shown, None
    makes it a first message. ``edits`` is the message it is another version of, whose pictures
    stay with it. With ``again`` an answer is given once more, with ``continues`` one goes on;
    both name a message, and there is no new text then. ``alone``: the target gets this message
    and nothing else. ``task`` is the word for totals and records. ``must_confirm``: whoever asks
    is shown what would leave even where that was allowed for good. ``safer`` asks a local model
    with the load settings that are least likely to fail.
    """

    text: str = ""
    images: tuple[Image, ...] = ()
    files: tuple[File, ...] = ()
    parent_id: str | EllipsisType | None = ...
    edits: str = ""
    again: str = ""
    continues: str = ""
    alone: bool = False
    task: str = "chat"
    must_confirm: bool = False
    safer: bool = False
    choices: Choices = Choices()


def build_request(
    settings: Settings,
    *,
    parameters: Mapping[str, object] | None = None,
    choices: Choices | None = None,
    label: Label = "public",
) -> AnswerRequest:
    """The request of a question, without its turns.

    ``parameters`` are what the conversation sets for itself, in the names of the settings.
    """
    own, chosen = dict(parameters or {}), choices or Choices()

    def value(name: str, setting: str = "") -> float | int | None:
        picked = getattr(chosen, name)
        return value_in_force(setting or name, settings, own) if picked is None else picked

    sampling = {
        name: int(found) if name in _WHOLE else found
        for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed")
        if (found := value(name)) is not None
    }
    named = {name for name in Choices.__struct_fields__ if getattr(chosen, name) not in (None, ())}
    named |= {"max_tokens" if name == "answer_max_tokens" else name for name in own}
    thinking, budget = chosen.thinking or own.get("thinking"), value("reasoning_budget")
    return AnswerRequest(
        turns=(),
        sampling=Sampling(**sampling),  # type: ignore[arg-type] # by name, each of its own type
        max_tokens=int(value("max_tokens", "answer_max_tokens") or 0) or None,
        stop=chosen.stop,
        grammar=chosen.grammar,
        json_schema=chosen.json_schema,
        tools=chosen.tools,
        thinking=next((choice for choice in CHOICES if choice == thinking), ""),
        reasoning_budget=None if budget is None else int(budget),
        when_full=next((w for w in WHEN_FULL if w == own.get("when_full")), settings.when_full),
        context_length=int(value("context_length") or 0) or None,
        left_open=left_open(named),
        label=label,
    )


def value_in_force(name: str, settings: Settings, own: Mapping[str, object]) -> float | int | None:
    """The conversation's own value, or else that of the settings. None: nothing is set."""
    value = own.get(name, getattr(settings, name, None))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def add_turn(turns: list[Turn], role: Role, content: str, images: Sequence[Image] = ()) -> None:
    """Put a message behind the others.

    Chat templates insist that the two sides alternate, and a failed answer leaves a gap.
    """
    if not content.strip() and not images:
        return
    if turns and turns[-1].role == role and not turns[-1].tool_calls:
        last = turns[-1]
        joined = "\n\n".join(text for text in (last.content, content) if text)
        every = last.images + tuple(images)
        turns[-1] = Turn(role, joined, images=every, earlier_images=len(last.images))
    else:
        turns.append(Turn(role, content, images=tuple(images)))
