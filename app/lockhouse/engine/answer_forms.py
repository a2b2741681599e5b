"""Checks forms of answers, JSON schemas and grammars, before a model is asked, and answers after.

A form is a stranger's text that native code compiles, which may take any time, memory or depth:
it is done in a process of its own, with limits. What this hides: that process, which stays for
the end of the answer, and what was found out already.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec

from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, EngineCrashed, InvalidInput, LockhouseError, NoRoom
from lockhouse.core.json_schema import parse_schema
from lockhouse.engine.jobs import JobProcess, JobSpec, Limits

_SPEC = JobSpec(
    "answer_form",
    "Checking the form of the answer",
    limits=Limits(memory_bytes=1 << 30, time_s=15.0),
    kept_s=60.0,
)
_REMEMBERED = 32
_LONGEST_ANSWER_BYTES = 4 << 20


class FormRequest(msgspec.Struct, frozen=True):
    """A form to check, or with ``answer`` an answer to compare with its schema.

    ``is_followed``: whether an engine of ours is to hold the answer to it.
    """

    grammar: str | None = None
    json_schema: str | None = None
    is_followed: bool = True
    answer: str | None = None


class FormReply(msgspec.Struct, frozen=True):
    """``mismatch`` says where an answer does not fit; ``ignored_formats`` are not enforced."""

    mismatch: str = ""
    ignored_formats: tuple[str, ...] = ()


class AnswerForms:
    """Checks forms and answers. Usable from any thread; questions wait for one another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: JobProcess | None = None
        self._known: OrderedDict[FormRequest, FormReply | LockhouseError] = OrderedDict()

    def check(
        self,
        *,
        grammar: str | None = None,
        json_schema: str | None,
        is_followed: bool,
        cancel: CancelToken | None = None,
    ) -> tuple[str, ...]:
        """Raise InvalidInput for a form that is not valid, or that no engine can follow where
        one is to; returns the formats that are then not enforced. Cancelled ends it at once."""
        request = FormRequest(grammar, json_schema, is_followed)
        if json_schema is not None:
            parse_schema(json_schema)
        with self._lock:
            known = self._known.get(request)
            if known is None:
                known = self._known[request] = self._verdict(request, cancel)
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if isinstance(known, LockhouseError):
            raise known
        return known.ignored_formats

    def mismatch(self, json_schema: str, answer: str, cancel: CancelToken | None = None) -> str:
        """Why an answer does not fit its schema; "" when it does.

        Raises InvalidInput when that cannot be found out.
        """
        if len(answer.encode("utf-8", "replace")) > _LONGEST_ANSWER_BYTES:
            return f"it is longer than {_LONGEST_ANSWER_BYTES:,} bytes and was not checked"
        request = FormRequest(json_schema=json_schema, is_followed=False, answer=answer)
        with self._lock:
            found = self._verdict(request, cancel)
        if isinstance(found, LockhouseError):
            raise found
        return found.mismatch

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    # -- inside ------------------------------------------------------------------------------

    def _verdict(
        self, request: FormRequest, cancel: CancelToken | None
    ) -> FormReply | LockhouseError:
        kept = self._process
        try:
            return self._running().ask(request, FormReply, cancel=cancel)
        except InvalidInput as error:
            return error
        except EngineCrashed as error:
            self._end()
            if kept is not None and error.code in (
                "job_crashed",
                "job_no_memory",
            ):  # it may have ended by itself
                return self._verdict(request, cancel)
            return _too_complex(request)
        except Cancelled:
            self._end()
            raise
        except NoRoom:
            self._end()
            return _too_complex(request)

    def _running(self) -> JobProcess:
        if self._process is None or not self._process.is_alive():
            self._end()
            self._process = JobProcess(_SPEC)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def _too_complex(request: FormRequest) -> InvalidInput:
    is_schema = request.json_schema is not None
    return InvalidInput(
        f"The {'JSON schema' if is_schema else 'grammar'} is too deep or too complex to be checked "
        "within bounds.",
        hint="Make it simpler: fewer patterns for one value, fewer levels, smaller numbers.",
        code="schema_invalid" if is_schema else "grammar_invalid",
    )
