"""Turning the turns of a conversation into the prompt the model was trained on.

The model's own chat template does it, in a child process with a time limit. What a user writes
can never become a control token: wherever a message spells one, a mark is put inside the word,
and the prompt is tokenized in pieces around the marks. A template that fails is replaced by a
plain one, and the user is told.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from types import EllipsisType
from typing import NamedTuple

from lockhouse.core.events import Notice
from lockhouse.core.messages import Turn
from lockhouse.core.reasoning_families import Family
from lockhouse.core.thinking import Thinking, switch_of
from lockhouse.engine.process.model import Vocabulary
from lockhouse.engine.process.render_error import TemplateFailed
from lockhouse.engine.process.template_reasoning import family_of
from lockhouse.engine.process.template_renderer import OUTPUT_CEILING_CHARS

_TIME_LIMIT_S = 3.0
_MOST_REPLY_BYTES = 6 * OUTPUT_CEILING_CHARS + 1000  # each character escaped
_CHUNK_BYTES = 1 << 16
_MARK = "\ue0f7"  # private use: put inside what would read as a control token


class Renderer:
    """The child that renders, started ahead and again whenever it had to be killed."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Have a child ready."""
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )

    def render(self, template: str, variables: dict[str, object]) -> str:
        """Raises TemplateFailed."""
        self.start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        request = json.dumps({"template": template, "variables": variables}) + "\n"
        try:
            reply = self._exchange(child, request.encode())
        except OSError as error:
            self.close()
            raise TemplateFailed("it broke its process", lasting=True) from error
        if "error" in reply:
            raise TemplateFailed(str(reply["error"])[:300])
        return str(reply["text"])

    def _exchange(self, child: subprocess.Popen[bytes], request: bytes) -> dict[str, object]:
        """Write the request and read the reply, in all within the limit."""
        assert child.stdin is not None
        assert child.stdout is not None
        os.set_blocking(child.stdin.fileno(), False)
        deadline = time.monotonic() + _TIME_LIMIT_S
        to_send, received = memoryview(request), bytearray()
        while not received.endswith(b"\n"):
            left_s = max(0.0, deadline - time.monotonic())
            writing = [child.stdin] if to_send else []
            readable, writable, _ = select.select([child.stdout], writing, [], left_s)
            if not (readable or writable) or len(received) > _MOST_REPLY_BYTES:
                self.close()
                raise TemplateFailed(
                    f"it did not end within {_TIME_LIMIT_S:.0f} seconds", lasting=True
                )
            if writable:
                to_send = to_send[os.write(child.stdin.fileno(), to_send[:_CHUNK_BYTES]) :]
            if readable:
                part = os.read(child.stdout.fileno(), _CHUNK_BYTES)
                if not part:
                    self.close()
                    raise TemplateFailed("it broke its process", lasting=True)
                received += part
        reply: dict[str, object] = json.loads(received)
        return reply

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
        child.wait()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready to be read: its tokens, its end as text, and what to tell the user.

    ``family`` tells how the template marks reasoning, where that is not known anyway;
    ``thinking`` is the choice in force. ``must_answer``: a trace is to be ended at once.
    """

    tokens: list[int]
    ending: str
    notices: tuple[Notice, ...]
    family: Family | None = None
    thinking: Thinking = ""
    must_answer: bool = False


class PromptBuilder:
    """Renders and tokenizes for one model."""

    def __init__(self, vocabulary: Vocabulary, template: str, renderer: Renderer) -> None:
        self._vocabulary = vocabulary
        self._template = template
        self._renderer = renderer
        self._broken = ""
        self._form = _FORMS[0]
        self._own_family: Family | EllipsisType | None = ...
        self._switch = switch_of(template)
        self._variables: dict[str, object] = {}  # of the prompt that is being made
        texts = (text for text in vocabulary.control_texts.values() if len(text) > 1)
        self._control = sorted(texts, key=len, reverse=True)

    def build(
        self,
        turns: tuple[Turn, ...],
        prefill: str,
        *,
        thinking: Thinking = "",
        budget: int | None = None,
    ) -> Prompt:
        """The prompt that asks for the assistant's next words, which begin with ``prefill``."""
        safe = [{"role": turn.role, "content": self._defuse(turn.content)} for turn in turns]
        given = self._switch.nearest(thinking)
        self._variables = self._switch.variables(given, budget)
        text, notices = self._render(safe, self._switch.instruction(given))
        if given != thinking and thinking != "off":
            notices = (*notices, _other_thinking(thinking, given))
        tokens = self._tokenize(text)
        if prefill:
            tokens += self._vocabulary.tokenize(prefill, special=False)
        return Prompt(
            tokens,
            text[-200:] + prefill,
            notices,
            self._family(),
            given,
            must_answer=thinking == "off" and given != "off",
        )

    # -- inside ----------------------------------------------------------------------------

    def _family(self) -> Family | None:
        """How the template writes reasoning; found once."""
        if self._own_family is ...:
            self._own_family = family_of(self._template, self._render_own)
        return self._own_family

    def _defuse(self, content: str) -> str:
        content = content.replace(_MARK, "")
        # A file may have half a million control tokens: one pattern of all would be tried whole
        # at every place, so it is made of those that occur.
        letters = set(content)
        present = [text for text in self._control if text[0] in letters and text in content]
        if not present:
            return content
        pattern = re.compile("|".join(map(re.escape, present)))
        return pattern.sub(lambda found: found[0][0] + _MARK + found[0][1:], content)

    def _tokenize(self, text: str) -> list[int]:
        vocabulary = self._vocabulary
        pieces = text.split(_MARK)
        bos = vocabulary.text_of(vocabulary.bos) if vocabulary.bos >= 0 else ""
        with_bos = vocabulary.adds_bos and not (bos and pieces[0].startswith(bos))
        tokens = vocabulary.tokenize(pieces[0], special=True, with_bos=with_bos)
        for piece in pieces[1:]:
            tokens += vocabulary.tokenize_on(piece)
        return tokens

    def _render(
        self, turns: list[dict[str, str]], instruction: str
    ) -> tuple[str, tuple[Notice, ...]]:
        """``instruction`` belongs to the system prompt; the template may leave it out."""
        if not self._template:
            return self._plain(turns), ()
        if self._broken:
            return self._plain(turns), (_notice(self._broken),)
        failed: TemplateFailed | None = None
        incomplete = ""
        for form in sorted(_FORMS, key=lambda form: form != self._form):  # what worked last first
            try:
                text = self._render_own(form.of(_instructed(turns, instruction)))
            except TemplateFailed as error:
                failed = failed or error
                if error.lasting:
                    self._broken = str(error)
                    break
                continue
            if form.tells_all(text, turns):
                self._form = form
                return text, ()
            incomplete = incomplete or text
        if incomplete and not self._broken:
            return incomplete, (_LEFT_OUT,)
        return self._plain(turns), (_notice(str(failed or "it gives no text")),)

    def _render_own(self, messages: list[dict[str, object]], *, asks: bool = True) -> str:
        """``asks``: the prompt ends where the answer begins."""
        vocabulary = self._vocabulary
        variables: dict[str, object] = {
            "messages": messages,
            **self._variables,
            "add_generation_prompt": asks,
            "bos_token": vocabulary.text_of(vocabulary.bos),
            "eos_token": vocabulary.text_of(vocabulary.eos),
        }
        # Some walk through the tools wherever the word is defined, even as nothing; and some
        # insist on a list of functions.
        failed: TemplateFailed | None = None
        for more in ({"tools": None}, {}, {"functions": "[]", "datetime": _now()}):
            try:
                return self._renderer.render(self._template, {**variables, **more})
            except TemplateFailed as error:
                failed = failed or error
                if error.lasting:
                    raise
        assert failed is not None
        raise failed

    def _plain(self, turns: list[dict[str, str]]) -> str:
        """ChatML where the vocabulary knows it, else names and colons."""
        texts = set(self._vocabulary.control_texts.values())
        if {"<|im_start|>", "<|im_end|>"} <= texts:
            said = "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)
            return f"{said}<|im_start|>assistant\n"
        said = "".join(f"{turn['role'].capitalize()}: {turn['content']}\n\n" for turn in turns)
        return f"{said}Assistant:"


class _Form(NamedTuple):
    """A way to hand turns to a template."""

    is_folded: bool = False  # the system prompt within the first question
    is_typed: bool = False  # contents as lists of parts

    def of(self, turns: list[dict[str, str]]) -> list[dict[str, object]]:
        """The turns in this form."""
        if self.is_folded:
            turns = _fold(turns)
        if not self.is_typed:
            return [{**turn} for turn in turns]
        return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]

    def tells_all(self, text: str, turns: list[dict[str, str]]) -> bool:
        """Whether each turn is in the rendered text, but for space that templates trim.

        What an assistant thought may be left out: templates cut it from earlier answers.
        """
        if self.is_typed and "{'type': 'text'" in text:  # printed, not read
            return False
        rendered = " ".join(text.split())
        return all(
            " ".join(turn["content"].split()) in rendered
            for turn in turns
            if turn["role"] != "assistant" or "</think>" not in turn["content"]
        )


# As most templates want it; with parts; and both without a system turn, which some ignore.
_FORMS = (_Form(), _Form(is_typed=True), _Form(is_folded=True), _Form(True, True))  # noqa: FBT003


def _now() -> str:
    return datetime.now().astimezone().strftime("%b %d %Y %H:%M:%S")


def _instructed(turns: list[dict[str, str]], instruction: str) -> list[dict[str, str]]:
    if not instruction:
        return turns
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']} {instruction}"}, *turns[1:]]
    return [{"role": "system", "content": instruction}, *turns]


def _fold(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """For templates without a system role, or that insist on alternating roles."""
    folded: list[dict[str, str]] = []
    for turn in turns:
        role = "user" if turn["role"] == "system" else turn["role"]
        if folded and folded[-1]["role"] == role:
            folded[-1] = {
                "role": role,
                "content": folded[-1]["content"] + "\n\n" + turn["content"],
            }
        else:
            folded.append({"role": role, "content": turn["content"]})
    return folded


_LEFT_OUT = Notice(
    "template_leaves_out",
    "The model's chat template leaves out some of what was said, so the model does not see it.",
)


def _other_thinking(wanted: Thinking, given: Thinking) -> Notice:
    if not given:
        words = "It has no switch for that"
    elif given == "on":
        words = "It can only think or not, so it thinks"
    else:
        words = f'It does not offer that; "{given}" comes nearest'
    return Notice("thinking_changed", f'Thinking was set to "{wanted}" for this model. {words}.')


def _notice(why: str) -> Notice:
    return Notice(
        "template_fallback",
        f"The model's chat template does not work ({why}), so a plain one is used. "
        "Answers may be worse.",
    )
