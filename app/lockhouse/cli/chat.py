"""``lockhouse chat``: a conversation in the terminal, with commands that begin with a slash."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import click

from lockhouse.answer.request import Question
from lockhouse.chat.turns import Changes, NewChat, TurnStarted
from lockhouse.cli import output
from lockhouse.cli.consent_prompt import (
    confirm_on_terminal,
    confirm_once,
    give_session_key,
    origin_note,
)
from lockhouse.cli.context import CliContext, pass_cli
from lockhouse.cli.line_reader import LineReader
from lockhouse.cli.options import (
    choices_of,
    chosen_chat,
    conversation_options,
    read_options,
    remote_options,
    require_text,
    sampling_options,
)
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import Cancelled, LockhouseError, NotFound, UsageMistake
from lockhouse.core.events import error_of

if TYPE_CHECKING:
    from lockhouse.answer.target import Target, TargetInfo
    from lockhouse.chat.conversations import Conversation, Message
    from lockhouse.cli.stream_printer import Answer
    from lockhouse.workspace import Workspace

_SIGNALLED = 128
_HELP = """\
/new            begin another conversation
/undo           take back the last question and its answer
/regenerate     ask for another version of the last answer
/model [NAME]   show who can answer, or choose
/system TEXT    the system prompt from the next question on
/title TEXT     name the conversation
/exit, /quit    leave; so does Ctrl-D
A backslash at the end of a line goes on in the next; \"\"\" begins and ends a longer text.
Ctrl-C stops an answer and keeps what came. Two slashes begin a message with one."""


@click.command()
@conversation_options
@remote_options
@sampling_options
@pass_cli
def chat(cli: CliContext, /, **given: Any) -> int:
    """Talk with a model in the terminal. /help tells the rest."""
    given = read_options(given)
    with cli.workspace() as workspace:
        return _Talk(workspace, given).hold()


class _Talk:
    """One conversation at the terminal, from the first prompt to the farewell."""

    def __init__(self, workspace: Workspace, given: dict[str, Any]) -> None:
        self._workspace = workspace
        self._conversation: Conversation | None = None
        self._leaf: str | EllipsisType | None = ...  # where the next question goes; ... is last
        self._exit_code: int | None = None
        self._choices = choices_of(given)
        self._system: str | None = given["system"]
        name = given["target"]
        if chat_id := chosen_chat(given, workspace.conversations):
            self._conversation = workspace.conversations.get(chat_id)
            name = name or self._conversation.target
        self._chosen: str = name
        self._target: Target = workspace.targets.get(name)
        self._is_allowed_once: bool = given["allow_once"]
        if given["asks_key"]:
            give_session_key(workspace, self._target.info)
        self._lines = LineReader()

    def hold(self) -> int:
        """Read, answer, repeat."""
        self._greet()
        while self._exit_code is None:
            text = self._lines.read()
            if text is None:
                break
            try:
                self._react(text)
            except Cancelled:
                continue  # a person would not let it leave
            except KeyboardInterrupt:  # while something else than an answer is waited for
                if not self._lines.is_person:
                    raise
                output.note("(stopped)")
            except LockhouseError as error:
                if not self._lines.is_person:
                    raise
                output.note(f"{error.message}\n{error.hint}".rstrip())
        return self._exit_code or 0

    def _greet(self) -> None:
        if not self._lines.is_person:
            return
        info = self._target.info
        output.note(f"{info.title or info.name}. {_reach(info)} /help for help.")
        for message in self._path():
            if message.role == "user":
                self._lines.remember(message.content)
            output.note(f"\n{'>' if message.role == 'user' else ' '} {message.content}")

    def _react(self, text: str) -> None:
        if not text.strip():
            return
        if text.startswith("/") and not text.startswith("//"):
            self._obey(text)
            return
        question = text.removeprefix("/") if text.startswith("//") else text
        require_text(question, "The message")
        self._ask(question)

    def _obey(self, text: str) -> None:
        name, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        match name:
            case "/help" | "/?":
                output.note(_HELP)
            case "/new" | "/clear" | "/reset":
                self._conversation, self._leaf = None, ...
                output.note("A new conversation.")
            case "/undo":
                self._undo()
            case "/regenerate" | "/again":
                self._regenerate()
            case "/model":
                self._choose(rest)
            case "/show":
                self._choose("")
            case "/system":
                self._instruct(rest)
            case "/set" if rest.partition(" ")[0] == "system":  # as in Ollama
                self._instruct(rest.partition(" ")[2].strip().strip('"'))
            case "/title":
                self._workspace.conversations.rename(self._begun().id, require_text(rest, "It"))
            case "/exit" | "/quit" | "/bye":
                self._exit_code = 0
            case _:
                raise UsageMistake(f"There is no command {name}.", hint="/help lists them.")

    def _begun(self) -> Conversation:
        if self._conversation is None:
            raise NotFound("There is nothing yet.", hint="Ask something first.")
        return self._conversation

    def _path(self) -> list[Message]:
        if self._conversation is None or self._leaf is None:
            return []
        leaf = None if isinstance(self._leaf, EllipsisType) else self._leaf
        return self._workspace.conversations.path(self._conversation.id, leaf)

    def _ask(self, text: str) -> None:
        if self._conversation is None:
            system = self._workspace.settings.system_prompt
            chat: str | NewChat = NewChat(self._chosen, system)
        else:
            chat = self._conversation.id
        question = Question(text, parent_id=self._leaf, choices=self._choices)
        self._answer(chat, question, Changes(system=self._system))

    def _regenerate(self) -> None:
        path = self._path()
        if not path:
            raise NotFound("There is no answer yet.", hint="Ask something first.")
        question = Question(again=path[-1].id, choices=self._choices)
        self._answer(self._begun().id, question, Changes())

    def _answer(self, chat: str | NewChat, question: Question, changes: Changes) -> None:
        from lockhouse.cli.stream_printer import permitted

        cancel = CancelToken()
        events = self._workspace.turns.ask(
            chat,
            question,
            target=self._target,
            changes=changes,
            confirm=confirm_once if self._is_allowed_once else confirm_on_terminal,
            cancel=cancel,
            by="command",
        )
        self._show(self._noticing_start(permitted(events)), cancel)

    def _noticing_start(self, events: Iterator[object]) -> Iterator[object]:
        """The same events; once it is stored, the conversation goes on from this question."""
        for event in events:
            if isinstance(event, TurnStarted):
                self._conversation, self._leaf = event.conversation, ...
            yield event

    def _show(self, events: Any, cancel: Any) -> None:
        from lockhouse.cli.stream_printer import StreamPrinter

        answer: Answer = StreamPrinter("text", cancel).follow(events)
        if answer.reader_left:
            raise BrokenPipeError
        if answer.failed is not None:
            raise error_of(answer.failed)
        if answer.stopped_by and (answer.stopped_by != signal.SIGINT or not self._lines.is_person):
            self._exit_code = _SIGNALLED + answer.stopped_by
        elif answer.was_cancelled:
            output.note("(stopped)")
        elif answer.finished is not None and answer.finished.finish_reason == "length":
            output.note(f"({answer.form_cut or 'cut at the limit'})")
        if answer.origin is not None:
            output.note(f"({origin_note(answer.origin)})")
        if self._lines.is_person:
            output.write_line()

    def _undo(self) -> None:
        asked = [message for message in self._path() if message.role == "user"]
        if not asked:
            raise NotFound("There is nothing to take back.")
        self._leaf = asked[-1].parent_id
        self._lines.remember(asked[-1].content)
        output.note("Taken back. The next question goes in its place; the old one is kept.")

    def _choose(self, name: str) -> None:
        targets = self._workspace.targets
        if name:
            before = self._target.info.provider
            self._target, self._chosen = targets.get(name), name
            if self._target.info.provider != before:
                self._is_allowed_once = False  # that was said of another one
            if self._conversation is not None:
                self._workspace.conversations.set_target(self._conversation.id, name)
        for info in targets.list():
            mark = "*" if info.name == self._target.info.name else " "
            where = f"{info.host} " if info.host else ""
            output.note(f"{mark} {info.name}  {where}{info.detail}")
        if name:
            output.note(_reach(self._target.info))

    def _instruct(self, text: str) -> None:
        self._system = require_text(text, "The system prompt")
        output.note("It holds from the next question on." if text else "No instructions.")


def _reach(info: TargetInfo) -> str:
    """Where what is said goes."""
    if info.kind == "local":
        return "Nothing leaves this machine."
    if not info.leaves_machine:
        return f"What is said goes to {info.host}, on this machine."
    whose = "on your own network" if info.kind == "lan" else f"to {info.provider_title}"
    return f"What is said leaves this machine: {info.host}, {whose}."
