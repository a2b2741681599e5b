"""Templates as real models carry them: what was said reaches the model, or the user is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.process.chat_templates import Renderer
from lockhouse.engine.process.render_error import TemplateFailed
from lockhouse.engine.protocol import EngineSpec, LoadSettings

from .conftest import ask
from .models import with_template

NO_SYSTEM = (  # Phi-3: a system turn is neither refused nor written
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ 'U ' + m['content'] + '\\n' }}"
    "{% elif m['role'] == 'assistant' %}{{ 'A ' + m['content'] + '\\n' }}{% endif %}{% endfor %}A "
)
PARTS_ONLY = (  # SmolVLM: walks through the parts of a content, and so through letters
    "{% for m in messages %}{{ m['role'] }}: {% for p in m['content'] %}"
    "{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}\n{% endfor %}assistant:"
)
WALKS_TOOLS = (  # Command R+ and Hermes: tools that are nothing
    "{% if tools is defined %}{% for t in tools %}{{ t }}{% endfor %}{% endif %}"
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}assistant:"
)
ALTERNATES = (  # Mistral, Gemma: a question comes first, and turns alternate
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}assistant:"
)
LAST_ONLY = "{{ 'user: ' + messages[-1]['content'] + '\\nassistant:' }}"

Make = Callable[[str], EngineSpec]


@pytest.fixture
def made(starter: Path, tmp_path: Path, pool: EnginePool) -> Iterator[Make]:
    """A model with that template, and the weights of the starter model."""

    def make(template: str) -> EngineSpec:
        path = with_template(starter, tmp_path / "template.gguf", template)
        return EngineSpec(str(path), "template", LoadSettings(context_length=512))

    yield make
    pool.stop()


def asked(*turns: tuple[str, str], **changes: object) -> AnswerRequest:
    values: dict[str, object] = {"sampling": Sampling(temperature=0), "max_tokens": 2, **changes}
    return AnswerRequest(tuple(Turn(role, text) for role, text in turns), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", [NO_SYSTEM, PARTS_ONLY, WALKS_TOOLS, ALTERNATES])
def test_every_turn_reaches_the_model(pool: EnginePool, made: Make, template: str) -> None:
    spec = made(template)
    turns = [("system", "zebra " * 20), ("user", "quail " * 20), ("assistant", "otter " * 20)]
    whole = asked(*turns, ("user", "heron " * 20))
    everything = pool.count_tokens(spec, whole)
    for left_out in range(len(turns)):
        fewer = [turn for at, turn in enumerate(turns) if at != left_out]
        assert pool.count_tokens(spec, asked(*fewer, ("user", "heron " * 20))) < everything - 15
    answered = ask(pool, spec, whole)
    assert answered.finished
    assert not {"template_fallback", "template_leaves_out"} & set(answered.notices())


def test_what_a_template_leaves_out_is_told(pool: EnginePool, made: Make) -> None:
    spec = made(LAST_ONLY)
    whole = asked(("user", "A fox."), ("assistant", "Yes?"), ("user", "A hen."))
    assert "template_leaves_out" in ask(pool, spec, whole).notices()
    assert "template_leaves_out" not in ask(pool, spec, asked(("user", "A hen."))).notices()


def test_whole_exchanges_are_cut_so_that_a_question_comes_first(
    pool: EnginePool, made: Make
) -> None:
    spec = made(ALTERNATES)
    exchange = (("user", "able bird " * 20), ("assistant", "cold dune " * 20))
    for count in (6, 7, 8, 9):
        long = asked(*(exchange * count), ("user", "And now?"), when_full="cut_oldest")
        answered = ask(pool, spec, long)
        assert answered.finished
        assert "turns_cut" in answered.notices()
        assert "template_fallback" not in answered.notices()


PONDERS = (  # marks that no table knows
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.reasoning_content %}"
    "{{ '<ponder>' + m.reasoning_content + '</ponder>\n' }}{% endif %}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (PONDERS, "<ponder>a plan</ponder>\nAn answer"),
        (ALTERNATES, "<think>a plan</think>An answer"),
        (ALTERNATES, "[THINK]a plan[/THINK]An answer"),
        (
            ALTERNATES,
            "<|channel|>analysis<|message|>a plan<|end|><|channel|>final<|message|>An answer",
        ),
    ],
)
def test_reasoning_is_told_from_the_answer_by_the_marks_of_the_template(
    pool: EnginePool, made: Make, template: str, written: str
) -> None:
    grammar = f"root ::= {json.dumps(written)}"
    request = asked(("user", "Why?"), max_tokens=120, grammar=grammar)
    answered = ask(pool, made(template), request)
    assert (answered.reasoning, answered.text) == ("a plan", "An answer")


SWITCHED = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}assistant:"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)
ALWAYS = "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n"


def test_thinking_is_turned_off_by_the_template_or_by_force(pool: EnginePool, made: Make) -> None:
    spec, question = made(SWITCHED), ("user", "Why?")
    counts = {
        choice: pool.count_tokens(spec, asked(question, thinking=choice))
        for choice in ("", "on", "off")
    }
    assert counts[""] == counts["on"] < counts["off"]
    told = ask(pool, spec, asked(question, thinking="high"))
    assert told.finished.parameters["thinking"] == "on"
    assert "thinking_changed" in told.notices()
    pool.stop()
    forced = ask(pool, made(ALWAYS), asked(question, thinking="off", max_tokens=40))
    assert forced.finished.parameters["thinking"] == "off"
    assert forced.text
    assert forced.finished.usage.reasoning_tokens < 8


@pytest.mark.parametrize("waits", ["before it reads", "after half a reply"])
def test_a_process_that_hangs_while_it_renders_is_left_behind(waits: str) -> None:
    begin = "" if waits == "before it reads" else "input(); sys.stdout.write('half'); "
    program = f"import sys, time; {begin}sys.stdout.flush(); time.sleep(1000)"
    renderer = Renderer([sys.executable, "-c", program])
    words = "more than a pipe holds " * 100_000 if waits == "before it reads" else "Hi"
    with pytest.raises(TemplateFailed, match="did not end within"):
        renderer.render("{{ words }}", {"words": words})
    assert renderer._child is None
