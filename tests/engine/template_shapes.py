"""Chat templates beside a reference: six shapes of conversation, equal or for a reason.

The reference renders as ``transformers`` documents for ``apply_chat_template``: with the package
itself where it is installed, and else with Jinja in the environment that it describes. Run it
over a folder of templates, such as ``vendor/llama.cpp/models/templates`` in the source
distribution of llama-cpp-python::

    python -m tests.engine.template_shapes FOLDER
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lockhouse.core.messages import Turn
from lockhouse.core.reasoning import ReasoningSplitter
from lockhouse.engine.process.chat_templates import PromptBuilder, Renderer
from lockhouse.engine.process.template_reasoning import family_of

Turns = tuple[tuple[Literal["system", "user", "assistant"], str], ...]
Outcome = Literal["equal", "parts", "given", "folded", "plain", "told", "different"]

SYSTEM, FIRST, ANSWER, SECOND = "SYS9 terse", "UQ1 hi", "AA1 hello", "UQ2 more"
TRACE = "TT1 a plan"
SHAPES: dict[str, Turns] = {
    "question": (("user", FIRST),),
    "system": (("system", SYSTEM), ("user", FIRST)),
    "answered": (("user", FIRST), ("assistant", ANSWER), ("user", SECOND)),
    "answered, system": (
        ("system", SYSTEM),
        ("user", FIRST),
        ("assistant", ANSWER),
        ("user", SECOND),
    ),
    "two questions": (("user", FIRST), ("user", SECOND)),
    "answer first": (("assistant", ANSWER), ("user", FIRST)),
}
WHY: dict[Outcome, str] = {
    "equal": "the same, byte for byte",
    "parts": "the same as the reference with contents in parts, which this template reads",
    "given": "the reference refuses tools that are none, or lacks a list of functions",
    "folded": "the template refuses or drops the system turn, or turns that do not alternate",
    "plain": "the template refuses this in every form; a plain one is used, and that is said",
    "told": "the template leaves a turn out in every form, and that is said",
    "different": "no reason is known",
}
_TOKENS = {"bos_token": "<|BOS|>", "eos_token": "<|EOS|>"}


class Words:
    """A vocabulary that knows texts alone: a prompt is its text."""

    control_texts = {1: "<|BOS|>", 2: "<|EOS|>"}  # noqa: RUF012 - as the real one
    bos, eos, adds_bos = 1, 2, False

    def text_of(self, token: int) -> str:
        return self.control_texts.get(token, "")

    def tokenize_on(self, text: str) -> list[str]:
        return [text]

    def tokenize(self, text: str, *, special: bool, with_bos: bool = False) -> list[str]:
        return [text]


class _Generation(Extension):
    tags = {"generation"}  # noqa: RUF012 - declared so by Jinja

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_words")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _words(self, caller: Any) -> str:
        return str(caller())


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _documented(
    template: str, messages: list[dict[str, Any]], *, asks: bool = True, **given: object
) -> str:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = lambda value, ensure_ascii=False, **more: json.dumps(
        value, ensure_ascii=ensure_ascii, **more
    )
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # noqa: DTZ005
    return environment.from_string(template).render(
        messages=messages, add_generation_prompt=asks, **given, **_TOKENS
    )


def reference(template: str, turns: Turns, *, is_typed: bool = False) -> str | None:
    """What the reference makes of it; None where the template refuses."""
    messages: list[dict[str, Any]] = [
        {"role": role, "content": [{"type": "text", "text": text}] if is_typed else text}
        for role, text in turns
    ]
    try:
        from transformers.utils.chat_template_utils import render_jinja_template
    except ImportError:
        render_jinja_template = None
    try:
        if render_jinja_template is None:
            return _documented(template, messages, tools=None, documents=None)
        rendered, _ = render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=True, **_TOKENS
        )
        return str(rendered[0])
    except Exception:  # noqa: BLE001 - whatever a template does
        return None


@contextmanager
def renderer() -> Iterator[Renderer]:
    """The child that renders."""
    call = "from lockhouse.engine.process.template_renderer import run_renderer; run_renderer()"
    made = Renderer([sys.executable, "-c", call])
    yield made
    made.close()


def compared(template: str, turns: Turns, child: Renderer) -> tuple[Outcome, str, str | None]:
    """How the prompt for these turns is related to the reference; both texts."""
    builder = PromptBuilder(Words(), template, child)  # type: ignore[arg-type] # texts alone
    prompt = builder.build(tuple(Turn(role, text) for role, text in turns), "")
    text, codes = "".join(map(str, prompt.tokens)), {notice.code for notice in prompt.notices}
    wanted = reference(template, turns)
    if "template_fallback" in codes:
        return "plain", text, wanted
    if "template_leaves_out" in codes:
        return "told", text, wanted
    if text == wanted:
        return "equal", text, wanted
    if text == reference(template, turns, is_typed=True):
        return "parts", text, wanted
    if wanted is None and "{{" in template and _without_tools(template, turns, text):
        return "given", text, wanted
    is_whole = all(words in text for _, words in turns)
    if is_whole and (wanted is None or not all(words in wanted for _, words in turns)):
        return "folded", text, wanted
    return "different", text, wanted


def _without_tools(template: str, turns: Turns, text: str) -> bool:
    """Whether the reference says the same where nothing is said of tools, or of functions."""
    messages = [{"role": role, "content": words} for role, words in turns]
    for given in ({}, {"functions": "[]", "datetime": "NOW"}):
        try:
            found = _documented(template, messages, **given)
        except Exception:  # noqa: BLE001 - whatever a template does
            continue
        before, _, after = found.partition("NOW")
        return text.startswith(before) and text.endswith(after)
    return False


def reasoned(template: str) -> tuple[str, str] | None:
    """A prompt, and an answer with a trace as the template itself writes it; None if it cannot."""
    question: dict[str, Any] = {"role": "user", "content": FIRST}
    names = ("reasoning_content", "reasoning", "thinking", "thought")
    answer = {"role": "assistant", "content": ANSWER, **dict.fromkeys(names, TRACE)}
    given = dict.fromkeys(("enable_thinking", "thinking"), True)
    try:
        begun = _documented(template, [question], **given)
        told = _documented(template, [question, answer], asks=False, **given)
    except Exception:  # noqa: BLE001 - whatever a template does
        return None
    if not told.startswith(begun) or TRACE not in told:
        return None
    return begun, told[len(begun) : told.rindex(ANSWER) + len(ANSWER)]


def split(prompt: str, answer: str, template: str, sizes: list[int]) -> tuple[str, str]:
    """Text and reasoning of an answer that comes in pieces of these sizes."""
    own = family_of(template, lambda messages, *, asks: _documented(template, messages, asks=asks))
    splitter = ReasoningSplitter(prompt=prompt, own=own)
    parts = {"text": "", "reasoning": ""}
    at = number = 0
    while at < len(answer):
        size = sizes[number % len(sizes)]
        for kind, piece in splitter.feed(answer[at : at + size]):
            parts[kind] += piece
        at, number = at + size, number + 1
    for kind, piece in splitter.finish():
        parts[kind] += piece
    return parts["text"].strip(), parts["reasoning"].strip()


def _check_traces(folder: Path) -> int:
    """Print what of the traces is not told apart; the number of templates where that is so."""
    chance, wrong, tried = random.Random(1), 0, 0
    for path in sorted(folder.glob("*.jinja")):
        template = path.read_text("utf-8")
        found = reasoned(template)
        if found is None:
            continue
        tried += 1
        cuts = [[chance.randint(1, 9) for _ in range(5)] for _ in range(50)]
        results = {split(*found, template, sizes) for sizes in cuts}
        if results != {(ANSWER, TRACE)}:
            wrong += 1
            print(f"{path.stem}: {found[1]!r} is split into {results}")
    print(f"{tried:5} templates write a trace, {wrong} of them are not told apart")
    return wrong


def main(folder: Path) -> int:
    """Print the outcome of every template and shape; 1 where one differs for no reason."""
    count: dict[Outcome, int] = dict.fromkeys(WHY, 0)
    with renderer() as child:
        for path in sorted(folder.glob("*.jinja")):
            template = path.read_text("utf-8")
            for name, turns in SHAPES.items():
                outcome, text, wanted = compared(template, turns, child)
                count[outcome] += 1
                if outcome != "equal":
                    print(f"{path.stem}: {name}: {outcome}")
                if outcome == "different":
                    print(f"  here      {text!r}\n  reference {wanted!r}")
    for outcome, times in count.items():
        print(f"{times:5} {outcome}: {WHY[outcome]}")
    return int(count["different"] > 0 or _check_traces(folder) > 0)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
