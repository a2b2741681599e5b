"""Templates beside the reference: what each construct of the language gives, and each shape.

The templates here are written for this; ``template_shapes.py`` runs over all that come with
llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lockhouse.engine.process.chat_templates import Renderer
from tests.engine.template_shapes import (
    ANSWER,
    SHAPES,
    TRACE,
    Outcome,
    compared,
    reasoned,
    renderer,
    split,
)

EACH = "{%- for m in messages %}"
SAID = "{{- '<|' + m.role + '|>' + m.content | trim + eos_token }}{%- endfor %}"
ENDS = "{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
EQUAL: dict[str, str] = {
    "plain": EACH + SAID + ENDS,
    "white space": "{% for m in messages %}\n  {{ m.role }}:{{ m.content }}\n{% endfor %}\nhelp:",
    "loop controls": EACH + "{% if m.role == 'tool' %}{% continue %}{% endif %}" + SAID + ENDS,
    "generation": EACH + "{% generation %}{{ m.role ~ m.content }}{% endgeneration %}{% endfor %}",
    "JSON": "{{ messages | tojson }}{{ messages | tojson(indent=2) }}"
    "{{ messages | tojson(separators=(',', ':'), sort_keys=true) }}{{ {'é': 1} | tojson(true) }}",
    "date": "{{ strftime_now('%Y') }}" + EACH + SAID + ENDS,
    "namespace": "{% set n = namespace(n=0) %}" + EACH + "{% set n.n = n.n + 1 %}{{ n.n }}" + SAID,
    "macro": "{% macro s(m) %}{{ m['role'] ~ ':' ~ m['content'] }}{% endmacro %}" + EACH
    + "{{ s(m) }}{% endfor %}" + ENDS,
    "no tools": "{% if tools is defined and tools %}x{% endif %}{% if tools != none %}y{% endif %}"
    + EACH + SAID + ENDS,
    "documents": "{% if documents %}x{% endif %}" + EACH + SAID + ENDS,
}  # fmt: skip
ALTERNATES = (
    EACH + "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}"
    "{% endif %}" + SAID + ENDS
)
WALKS_TOOLS = "{% if tools is defined %}{% for t in tools %}x{% endfor %}{% endif %}" + EACH + SAID
FUNCTIONS = "{{ functions.strip() }}" + EACH + SAID + ENDS
THINKS = (
    EACH + "{{- '<|' + m.role + '|>' }}{% if m.reasoning_content %}{{ OPEN + m.reasoning_content"
    " + CLOSE }}{% endif %}{{ m.content + eos_token }}{%- endfor %}" + ENDS
)


@pytest.fixture(scope="module")
def child() -> Iterator[Renderer]:
    with renderer() as made:
        yield made


@pytest.mark.parametrize("name", EQUAL)
def test_every_shape_is_rendered_as_the_reference_renders_it(name: str, child: Renderer) -> None:
    for turns in SHAPES.values():
        outcome, here, wanted = compared(EQUAL[name], turns, child)
        assert (outcome, here) == ("equal", wanted)


@pytest.mark.parametrize(
    ("template", "shape", "outcome"),
    [
        (ALTERNATES, "answered", "equal"),
        (ALTERNATES, "system", "folded"),
        (ALTERNATES, "two questions", "folded"),
        (ALTERNATES, "answer first", "plain"),
        (WALKS_TOOLS, "system", "given"),
        (FUNCTIONS, "system", "given"),
    ],
)
def test_what_differs_has_a_reason(
    template: str, shape: str, outcome: Outcome, child: Renderer
) -> None:
    assert compared(template, SHAPES[shape], child)[0] == outcome


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<think>\\n", "\\n</think>\\n\\n"),
        ("[THINK]", "[/THINK]"),
        ("<mm:think>", "</mm:think>"),
        ("<|START_THINKING|>", "<|END_THINKING|><|START_TEXT|>"),
        ("<ponder>", "</ponder>\\n"),
        ("<|deliberate|>", "<|decide|>"),
    ],
)
@pytest.mark.parametrize("is_prompted", [False, True])
def test_a_trace_is_told_apart_at_any_cut(opening: str, closing: str, *, is_prompted: bool) -> None:
    template = THINKS.replace("OPEN", f"'{opening}'").replace("CLOSE", f"'{closing}'")
    if is_prompted:
        template = template.replace("'<|assistant|>' }}", f"'<|assistant|>{opening}' }}}}")
    found = reasoned(template)
    assert found is not None
    for sizes in ([1], [2, 3], [5, 1, 7], [1000]):
        assert split(*found, template, sizes) == (ANSWER, TRACE)
