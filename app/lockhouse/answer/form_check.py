"""What was promised of an answer's form is checked at its end, whoever gave it.

An engine of ours holds each token to the schema, an API says that it does; what counts is what
came. An answer that was cut is told as cut, one that does not fit as an error.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.core.events import (
    Event,
    Failed,
    Finished,
    Notice,
    StartOver,
    Text,
    TextWasReasoning,
    failed_of,
)
from lockhouse.core.messages import ToolCall
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms

FORM_CUT = "form_cut"


def with_form_checked(
    events: Iterator[Event], request: AnswerRequest, forms: AnswerForms, cancel: CancelToken
) -> Iterator[Event]:
    """The events of an answer to ``request``, which asks for a form.

    Fails before the first of them for a schema that is not one; nobody is asked then.
    """
    schema = request.json_schema
    if schema is not None:
        try:
            forms.check(json_schema=schema, is_followed=False, cancel=cancel)
        except LockhouseError as error:
            yield failed_of(error)
            return
    text: list[str] = []
    calls = False
    for event in events:
        match event:
            case Text():
                text.append(event.text)
            case StartOver() | TextWasReasoning():
                text.clear()
            case ToolCall():
                calls = True  # instead of an answer
            case Finished(finish_reason="stop" | "length") if not calls:
                yield from _ended(event, request, "".join(text), forms, cancel)
                continue
            case _:
                pass
        yield event


def _ended(
    finished: Finished,
    request: AnswerRequest,
    text: str,
    forms: AnswerForms,
    cancel: CancelToken,
) -> Iterator[Event]:
    was_cut = finished.finish_reason == "length"
    count = f"{finished.usage.completion_tokens:,} tokens"
    if request.json_schema is None:
        if was_cut:
            yield Notice(
                FORM_CUT,
                f"The answer was cut after {count}, perhaps before it had the form that the "
                "grammar asks for. Allow longer answers.",
            )
        yield finished
        return
    try:
        problem = forms.mismatch(request.json_schema, request.prefill + text, cancel)
    except LockhouseError as error:
        yield _failed(error, finished)
        return
    if problem and was_cut:
        yield Notice(
            FORM_CUT,
            f"The answer was cut after {count}, before its JSON was complete. Allow longer "
            "answers, or ask for less.",
        )
    elif problem:
        misfit = InvalidInput(
            f"The answer does not fit the JSON schema: {problem}.",
            hint="Ask again, or choose another model.",
            code="answer_not_valid",
        )
        yield _failed(misfit, finished)
        return
    yield finished


def _failed(error: LockhouseError, finished: Finished) -> Failed:
    failed = failed_of(error, cost=finished.cost)
    return msgspec.structs.replace(failed, finished=finished)
