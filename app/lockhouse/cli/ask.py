"""``lockhouse ask``: one question, one answer, from a terminal, a pipe or a script."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.consent_prompt import (
    confirm_on_terminal,
    confirm_once,
    give_session_key,
    origin_note,
    plain_cost,
    tell_estimate,
)
from lockhouse.cli.context import CliContext, json_option, pass_cli
from lockhouse.cli.options import (
    attach,
    choices_of,
    chosen_chat,
    conversation_options,
    decode,
    read_options,
    remote_options,
    require_text,
    sampling_options,
)
from lockhouse.core.errors import (
    Cancelled,
    InvalidInput,
    LockhouseError,
    StorageError,
    UsageMistake,
)

if TYPE_CHECKING:
    from lockhouse.answer.permission import Confirm, Proposal
    from lockhouse.answer.target import TargetInfo
    from lockhouse.chat.turns import NewChat
    from lockhouse.cli.stream_printer import Answer, Shape
    from lockhouse.core.cancellation import CancelToken
    from lockhouse.workspace import Workspace

_STDIN_PATIENCE_S = 2.0
_SIGNALLED = 128


class AnswerFailed(LockhouseError):
    """An answer ended in an error; ``kept`` is what there was of it."""

    def __init__(self, cause: LockhouseError, kept: dict[str, object], *, was_shown: bool) -> None:
        super().__init__(cause.message, hint=cause.hint, code=cause.code)
        self.exit_code = cause.exit_code  # type: ignore[misc]  # each failure has its own
        self.kept = kept
        self.was_shown = was_shown


@click.command()
@click.argument("prompt", required=False)
@conversation_options
@click.option("--no-save", is_flag=True, help="Keep nothing of it.")
@click.option(
    "--attach", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Put a text file behind the prompt, or show a picture. Can be repeated.",
)  # fmt: skip
@click.option(
    "--tools", type=click.Path(path_type=Path), metavar="FILE",
    help="Tools that the model may want called: a JSON list. The calls are printed, not made.",
)  # fmt: skip
@click.option(
    "--alone", is_flag=True, help="Send this message only: no system prompt, nothing before it."
)
@click.option(
    "--estimate", is_flag=True, help="Show the exact request and what it would cost; send nothing."
)
@remote_options
@sampling_options
@click.option(
    "--label", type=click.Choice(["public", "internal", "confidential"]),
    help="How far it may travel: confidential stays on this machine, internal on your network.",
)  # fmt: skip
@json_option
@click.option("--jsonl", is_flag=True, help="Print every event as a line of JSON.")
@pass_cli
def ask(cli: CliContext, /, prompt: str | None, **given: Any) -> int:
    """Ask PROMPT, or what standard input holds (also with "-"), and print the answer.

    With both, the prompt comes first and the input after it.
    """
    if output.is_json() and given["jsonl"]:
        raise UsageMistake("--json and --jsonl exclude each other.")
    if given["no_save"] and (given["chat_id"] or given["continues"]):
        name = "--chat" if given["chat_id"] else "--continue"
        raise UsageMistake(f"{name} goes on with a conversation; --no-save keeps none.")
    if given["alone"] and given["system"] is not None:
        raise UsageMistake("--alone sends no system prompt, so it cannot be given with --system.")
    given = read_options(given)
    if given["asks_key"] and not output.is_terminal(sys.stdin):
        # Standard input holds the key then, which must never become part of the question.
        if prompt is None or prompt == "-":
            raise UsageMistake(
                "With --key, standard input holds the key, so the question has to be named.",
                hint='Try: lockhouse ask -m PROVIDER/MODEL --key "Hello"',
            )
        asked = require_text(prompt, "The prompt")
    else:
        asked = _read_question(prompt)
    question, given["images"] = attach(asked, given["files"])
    if not question.strip() and not given["images"]:
        raise UsageMistake("There is nothing to ask.", hint='Try: lockhouse ask "Hello"')
    shape: Shape = "json" if output.is_json() else "jsonl" if given["jsonl"] else "text"
    with cli.workspace() as workspace:
        return _ask(workspace, question, given, shape)


def _ask(workspace: Workspace, text: str, given: dict[str, Any], shape: Shape) -> int:
    from lockhouse.cli.stream_printer import StreamPrinter
    from lockhouse.core.cancellation import CancelToken
    from lockhouse.core.events import error_of

    given["chat_id"] = chosen_chat(given, workspace.conversations)
    asked = _Asked(workspace, text, given)
    if given["asks_key"]:
        give_session_key(workspace, asked.target.info)
    if given["estimate"]:
        tell_estimate(asked.proposal(), shape)
        return 0
    cancel = CancelToken()
    answer = StreamPrinter(shape, cancel).follow(asked.events(cancel))
    result = describe(answer, asked.target.info)
    if shape == "text" and answer.origin is not None:
        output.note(f"note: {origin_note(answer.origin)}")
    if answer.failed is not None:
        if not given["chat_id"]:
            _forget_without_answer(workspace, answer)
        raise AnswerFailed(error_of(answer.failed), _kept(answer), was_shown=True)
    if answer.form_cut and given["schema"]:
        cut = InvalidInput(answer.form_cut, hint="See: --max-tokens, --ctx", code="answer_cut")
        raise AnswerFailed(cut, _kept(answer) | {"finish_reason": "length"}, was_shown=True)
    if shape == "json" and not answer.reader_left:
        output.write_json(result)
    if answer.reader_left:
        raise BrokenPipeError
    if answer.form_cut:
        output.note(f"note: {answer.form_cut}")
    elif result["finish_reason"] == "length" and given["max_tokens"] is None:
        output.note("note: the answer was cut, at its limit or at the end of the context.")
    if answer.was_cancelled:
        return _SIGNALLED + answer.stopped_by if answer.stopped_by else Cancelled.exit_code
    return 0


def _kept(answer: Answer) -> dict[str, object]:
    """What there is of an answer that is not as it was asked for."""
    return {
        "text": "".join(answer.text),
        "conversation_id": answer.conversation_id,
        "message_id": answer.message_id,
    }


def _forget_without_answer(workspace: Workspace, answer: Answer) -> None:
    """A question that got no word of an answer leaves no conversation in the list."""
    if answer.conversation_id is None or answer.text or answer.reasoning:
        return
    workspace.conversations.delete([answer.conversation_id])
    answer.conversation_id = answer.message_id = None


class _Asked:
    """The question of one command: to whom, within which conversation, and how it is asked."""

    def __init__(self, workspace: Workspace, text: str, given: dict[str, Any]) -> None:
        from lockhouse.answer.request import Question
        from lockhouse.chat.turns import Changes, NewChat

        self._workspace = workspace
        self._options = given
        self._question = Question(
            text, images=given["images"], alone=given["alone"], choices=choices_of(given)
        )
        chat_id, name, label = given["chat_id"], given["target"], given["label"]
        # One task that is sent alone leaves the conversation with its own target.
        kept_target = None if given["alone"] else name or None
        self._changes = Changes(kept_target, given["system"], label)
        self._chat: str | NewChat
        if chat_id:
            conversation = workspace.conversations.get(chat_id)
            self._chat, name = conversation.id, name or conversation.target
        else:
            self._chat = NewChat(system=workspace.settings.system_prompt)
        self.target = workspace.targets.get(name)

    def proposal(self) -> Proposal:
        """What asking would do. Raises what refuses it for good."""
        from lockhouse.answer.permission import Refused

        turns = self._workspace.turns
        proposal = turns.propose(
            self._chat, self._question, target=self.target, changes=self._changes
        )
        if isinstance(proposal.decision, Refused) and proposal.outbound is None:
            raise proposal.decision.error
        return proposal

    def events(self, cancel: CancelToken) -> Iterable[object]:
        """Ask within a conversation, or without leaving one behind."""
        from lockhouse.cli.stream_printer import permitted

        if self._options["no_save"] or self._workspace.database.unwritable is not None:
            return self._unsaved(cancel)
        return permitted(self._saved(cancel))

    def _saved(self, cancel: CancelToken) -> Iterator[object]:
        """What cannot be stored, because the disk is full, is answered all the same."""
        from lockhouse.storage.read_only import CODES

        events = self._workspace.turns.ask(
            self._chat,
            self._question,
            target=self.target,
            changes=self._changes,
            confirm=self._confirm,
            cancel=cancel,
            by="command",
        )
        try:
            first = next(iter(events))
        except StorageError as error:
            if error.code not in CODES:
                raise
            output.note(f"note: {error.message} This question is not stored.")
            yield from self._unsaved(cancel)
            return
        yield first
        yield from events

    def _unsaved(self, cancel: CancelToken) -> Iterator[object]:
        session = self._workspace.answers.open(
            self._question,
            [self.target],
            lambda asked: self._workspace.turns.draft(self._chat, asked, self._changes),
            confirm=self._confirm,
            cancel=cancel,
            by="command",
        )
        return _kept_nowhere(session.answer())

    @property
    def _confirm(self) -> Confirm:
        return confirm_once if self._options["allow_once"] else confirm_on_terminal


def _kept_nowhere(events: Iterable[object]) -> Iterator[object]:
    """The same events, promising nothing that was not kept."""
    import msgspec

    from lockhouse.core.events import Failed
    from lockhouse.gate.dialects.provider_errors import kept_nowhere

    for event in events:
        if isinstance(event, Failed):
            yield msgspec.structs.replace(event, hint=kept_nowhere(event.hint))
        else:
            yield event


def describe(answer: Answer, asked: TargetInfo) -> dict[str, object]:
    """The answer under ``--json``: these keys are a contract."""
    finished = answer.finished
    info = answer.answered_by or asked
    usage = output.plain(finished.usage) if finished else {}
    usage.pop("type", None)
    reason = "error" if answer.failed else finished.finish_reason if finished else "cancelled"
    sha256 = (finished.model_sha256 if finished else None) or info.sha256
    return {
        "text": "".join(answer.text),
        "reasoning": "".join(answer.reasoning) or None,
        "finish_reason": reason,
        "target": {
            "name": info.name,
            "kind": info.kind,
            "sha256": sha256,
            "provider": info.provider,
            "host": (finished.host if finished else "") or info.host or None,
            "model": (finished.model if finished else "") or None,
        },
        "usage": usage,
        "timing": output.plain(finished.timing) if finished else {},
        "cost": plain_cost(finished),
        "energy_j": finished.energy_j if finished else None,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.tool_calls
        ],
        "parameters": output.plain(finished.parameters) if finished else {},
        "engine": output.plain(finished.engine) if finished else {},
        "conversation_id": answer.conversation_id,
        "message_id": answer.message_id,
        "left_machine": info.leaves_machine,
        "sent_sha256": (finished.sent_sha256 if finished else "") or None,
    }


def _read_question(prompt: str | None) -> str:
    """The argument, standard input, or both."""
    if prompt is None and output.is_terminal(sys.stdin):
        raise UsageMistake("There is nothing to ask.", hint='Try: lockhouse ask "Hello"')
    if prompt == "-" or prompt is None:
        return _read_stdin()
    question = require_text(prompt, "The prompt")
    if _is_fed():
        piped = _read_stdin()
        if piped.strip():
            return f"{question}\n\n{piped}"
    return question


def _is_fed() -> bool:
    """Whether somebody pipes or redirects something in; terminals and /dev/null do not count."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read_stdin() -> str:
    if os.name == "posix" and _is_fed():
        ready, _, _ = select.select([sys.stdin], [], [], _STDIN_PATIENCE_S)
        if not ready:
            output.note("Waiting for standard input (to ask without it, add: < /dev/null)")
    return decode(sys.stdin.buffer.read(), "Standard input").rstrip("\n")
