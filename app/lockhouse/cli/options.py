"""Options that several commands share, and the choices that they amount to."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockhouse.cli import output
from lockhouse.cli.completion import chats_here, targets_here
from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.core.json_schema import parse_schema
from lockhouse.core.thinking import CHOICES

if TYPE_CHECKING:
    from lockhouse.answer.request import Choices
    from lockhouse.chat.conversations import Conversations
    from lockhouse.core.messages import Image, Tool

_Command = Callable[..., Any]
_Option = Callable[[_Command], _Command]
_LARGEST_SEED = 2**32 - 1
_SMALLEST_CONTEXT = 256  # as in the settings; llama.cpp makes none smaller
_ATTACHMENT_LIMIT_BYTES = 16 * 1024 * 1024


class Number(click.FloatRange):
    """A number within bounds, refused in the words of the settings; ``nan`` is within none."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(super().convert(value, param, ctx))
        except click.BadParameter as error:
            raise _not_within(self, value, param, ctx) from error
        if not math.isfinite(number):
            raise _not_within(self, value, param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number within bounds, refused in the same words."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter as error:
            raise _not_within(self, value, param, ctx) from error


def _not_within(
    kind: Number | WholeNumber,
    value: object,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> UsageMistake:
    name = param.opts[0] if param is not None else "It"
    path = ctx.command_path if ctx is not None else "lockhouse"
    low = f"{'above' if kind.min_open else 'from'} {kind.min or 0:,.10g}"
    bounds = f"{low} upwards" if kind.max is None else f"{low} to {kind.max:,.10g}"
    return UsageMistake(
        f"{name} has to be a {kind.name} {bounds}, not {value}.", hint=f"See: {path} --help"
    )


def _together(*options: _Option) -> _Option:
    """Several options as one, in the order in which the help shows them."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


target_option = click.option(
    "-m", "--model", "target", metavar="TARGET", default="", shell_complete=targets_here,
    help="The model: a name, an alias, a hash prefix, a GGUF file, or PROVIDER/MODEL.",
)  # fmt: skip
conversation_options = _together(
    target_option,
    click.option("-s", "--system", metavar="SYSTEM", help="System prompt."),
    click.option(
        "--chat",
        "chat_id",
        metavar="ID",
        help="Go on with this conversation.",
        shell_complete=chats_here,
    ),
    click.option(
        "-c", "--continue", "continues", is_flag=True, help="Go on with the last conversation."
    ),
)
# For machines without a keyring.
key_option = click.option(
    "--key", "asks_key", is_flag=True, help="Ask for an API key, used by this command only."
)
# For targets that are not on this machine.
remote_options = _together(
    click.option(
        "--allow-once", is_flag=True, help="Allow sending to this provider, for this command only."
    ),
    key_option,
)


# Every option that shapes an answer.
sampling_options = _together(
    click.option("--seed", type=WholeNumber(0, _LARGEST_SEED), metavar="N",
                 help="The same seed gives the same answer again."),
    click.option("--temperature", type=Number(0, 10), metavar="T",
                 help="0 always takes the most likely token."),
    click.option("--top-p", type=Number(0, 1), metavar="P", help="1 is off."),
    click.option("--top-k", type=WholeNumber(0), metavar="N", help="0 is off."),
    click.option("--min-p", type=Number(0, 1), metavar="P", help="0 is off."),
    click.option("--repeat-penalty", type=Number(0, 10, min_open=True), metavar="R",
                 help="1 is off."),
    click.option("--max-tokens", type=WholeNumber(1), metavar="N",
                 help="End the answer after N tokens."),
    click.option("--stop", multiple=True, metavar="TEXT",
                 help="End the answer before TEXT. Can be repeated."),
    click.option("--think", "thinking", type=click.Choice(CHOICES), metavar="HOW",
                 help="off, on, or an effort: low, medium, high."),
    click.option("--think-budget", "reasoning_budget", type=WholeNumber(0), metavar="N",
                 help="End the thinking after N tokens."),
    click.option("--ctx", type=WholeNumber(_SMALLEST_CONTEXT), metavar="N",
                 help="Context length in tokens."),
    click.option("--schema", type=click.Path(path_type=Path), metavar="FILE",
                 help="Answer in JSON that fits this JSON schema."),
    click.option("--grammar", type=click.Path(path_type=Path), metavar="FILE",
                 help="Answer in a form that fits this GBNF grammar."),
)  # fmt: skip


def read_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options as given, checked, with the texts of the files they name."""
    if given.get("schema") and given.get("grammar"):
        raise UsageMistake("--schema and --grammar exclude each other.")
    for text in given.get("stop") or ():
        if not require_text(text, "--stop"):
            raise UsageMistake("--stop needs a text that is not empty.")
    if given.get("system") is not None:
        require_text(given["system"], "The system prompt")
    schema, grammar = given.get("schema"), given.get("grammar")
    return {
        **given,
        "schema": read_schema(schema) if schema else None,
        "grammar": read_text(grammar, "grammar") if grammar else None,
        "tools": read_tools(given["tools"]) if given.get("tools") else (),
    }


def chosen_chat(given: dict[str, Any], conversations: Conversations) -> str:
    """The id of the conversation to go on with; empty for a new one."""
    if not given["continues"]:
        return given["chat_id"] or ""
    if given["chat_id"]:
        raise UsageMistake("--chat and --continue exclude each other.")
    found = [chat for chat in conversations.list() if chat.message_count]
    if not found:
        raise NotFound("There is no conversation yet.", hint='Try: lockhouse ask "Hello"')
    return max(found, key=lambda chat: chat.updated_at).id


def choices_of(given: dict[str, Any]) -> Choices:
    """What was chosen on the command line for this question."""
    from lockhouse.answer.request import Choices

    same = (
        "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "max_tokens",
        "thinking", "reasoning_budget",
    )  # fmt: skip
    return Choices(
        **{name: given.get(name) for name in same},
        context_length=given.get("ctx"),
        stop=tuple(given.get("stop") or ()),
        grammar=given.get("grammar"),
        json_schema=given.get("schema"),
        tools=given.get("tools") or (),
    )


def require_text(text: str, name: str) -> str:
    """``text``, when every character of it is one; bytes that are not UTF-8 arrive as halves."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name} is not valid UTF-8 at character {error.start + 1}.",
            hint="Convert it to UTF-8 first, for example with iconv.",
            code="invalid_utf8",
        ) from error
    return text


def decode(data: bytes, name: str) -> str:
    """Bytes as text; says where they stop being UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is not valid UTF-8 at byte {error.start + 1}.",
            hint="Convert it to UTF-8 first, for example with iconv.",
            code="invalid_utf8",
        ) from error


def read_text(path: Path, what: str) -> str:
    """A text file that was named on the command line, within reason."""
    try:
        if not path.is_file():
            reason = "is a folder" if path.is_dir() else "is no file" if path.exists() else ""
            problem = f"{path} {reason or 'does not exist'}."
            raise InvalidInput(problem, hint=f"--{what} needs a text file.")
        size_bytes = path.stat().st_size
        if size_bytes > _ATTACHMENT_LIMIT_BYTES:
            raise InvalidInput(
                f"{path} has {size_bytes:,} bytes; a model can read a small part of that at most.",
                hint=f"The limit is {_ATTACHMENT_LIMIT_BYTES:,} bytes. Take an excerpt.",
                code="too_large",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    if b"\0" in data:
        raise InvalidInput(
            f"{path} is not a text file.", hint="Only text can be attached.", code="not_text"
        )
    return decode(data, str(path))


def read_schema(path: Path) -> str:
    """A JSON schema from a file; whether it can be followed is found out when it is used."""
    text = read_text(path, "schema")
    parse_schema(text)
    return text


def attach(prompt: str, files: tuple[Path, ...]) -> tuple[str, tuple[Image, ...]]:
    """The prompt with the text of each file behind it, each in a fence that it cannot close.

    Pictures are handed back beside it.
    """
    from lockhouse.engine.documents import is_document, read_document

    parts = [prompt] if prompt else []
    images: list[Image] = []
    for path in files:
        image = _read_picture(path)
        if image is not None:
            images.append(image)
            continue
        text = read_document(path).marked() if is_document(path) else read_text(path, "attach")
        longest = max((len(run) for run in re.findall("`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append(
            f"{require_text(path.name, 'a file name')}:\n{fence}\n{text.rstrip()}\n{fence}"
        )
    return "\n\n".join(parts), tuple(images)


def _read_picture(path: Path) -> Image | None:
    """A picture that was named on the command line, nothing besides; None for any other file."""
    from lockhouse.chat.image_metadata import only_the_picture
    from lockhouse.chat.image_store import MOST_BYTES, media_type_of, picture_of

    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(16)
            if not media_type_of(head):
                return None
            data = head + file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    name = require_text(path.name, "a file name")
    media_type = picture_of(data, name).media_type  # says what is wrong with one too large
    bare = only_the_picture(data, media_type)
    if bare != data:
        output.note(f"{name}: what the file holds besides the picture was left out.")
    return picture_of(bare, name)


def read_tools(path: Path) -> tuple[Tool, ...]:
    """The tools in a JSON file: a list of functions, as chat completions take them or bare."""
    import msgspec

    from lockhouse.core.messages import Tool

    text = read_text(path, "tools")
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}.", code="invalid_tools") from error
    if isinstance(listed, dict):
        listed = listed.get("tools", [listed])
    tools: list[Tool] = []
    for entry in listed if isinstance(listed, list) else [None]:
        function = entry.get("function", entry) if isinstance(entry, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise InvalidInput(
                f"{path} is no list of tools.",
                hint='Give [{"name": ..., "description": ..., "parameters": {a JSON schema}}].',
                code="invalid_tools",
            )
        schema = msgspec.json.encode(function.get("parameters", {"type": "object"})).decode()
        tools.append(Tool(name, str(function.get("description", "")), schema))
    return tuple(tools)
