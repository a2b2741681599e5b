"""How many tokens a conversation takes, as far as the last answer told."""

from __future__ import annotations

from collections.abc import Sequence

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Message
from lockhouse.storage.settings import Settings

_USUAL_CONTEXT = 8192  # what is loaded when nothing is set and the model could do more
_CHARACTERS_PER_TOKEN = 3.6


def context_use(
    messages: Sequence[Message], target: TargetInfo | None, settings: Settings
) -> tuple[int, int]:
    """Tokens used, of how many. The total is 0 when nothing is known of it."""
    used = 0
    total = 0
    for message in messages:
        finished = message.provenance.finished if message.provenance else None
        if finished is not None and finished.usage.prompt_tokens:
            used = finished.usage.prompt_tokens + finished.usage.completion_tokens
            used -= finished.usage.reasoning_tokens  # not sent back
            total = finished.context_length or total
        else:
            used += round(len(message.content) / _CHARACTERS_PER_TOKEN)
    wanted = settings.context_length
    if target is not None and target.kind != "local":
        return used, target.context_length  # what is set for this machine says nothing of theirs
    if not total and target is not None:
        trained = target.context_length or _USUAL_CONTEXT
        total = min(trained, wanted or _USUAL_CONTEXT)
    elif wanted:
        total = min(wanted, target.context_length) if target and target.context_length else wanted
    return used, total
