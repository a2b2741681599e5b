"""What a model can be asked, checked first: pictures and tools are refused with a reason.

Pictures of earlier messages are left out where the model cannot look at them, so that a
conversation can go on with any model.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from lockhouse.core.errors import InvalidInput
from lockhouse.core.events import Notice
from lockhouse.core.request import AnswerRequest

_OTHER = "Choose a model that can: lockhouse targets list"


def suited(
    request: AnswerRequest, name: str, capabilities: Collection[str]
) -> tuple[AnswerRequest, Notice | None]:
    """The request as a model of these capabilities can take it, and what to say of it.

    Raises InvalidInput when what was asked now is beyond it.
    """
    if request.tools and "tools" not in capabilities:
        raise InvalidInput(f"{name} cannot call tools.", hint=_OTHER, code="no_tools")
    if "vision" in capabilities or not any(turn.images for turn in request.turns):
        return request, None
    last = request.turns[-1]
    if len(last.images) > last.earlier_images:
        raise InvalidInput(f"{name} cannot look at pictures.", hint=_OTHER, code="no_vision")
    count = sum(len(turn.images) for turn in request.turns)
    turns = tuple(
        msgspec.structs.replace(turn, images=(), content=turn.content or "(a picture)")
        for turn in request.turns
    )
    what = "A picture" if count == 1 else f"{count} pictures"
    notice = Notice(
        "pictures_left_out",
        f"{what} of earlier messages {'was' if count == 1 else 'were'} left out: {name} cannot "
        "look at pictures.",
    )
    return msgspec.structs.replace(request, turns=turns), notice
