"""The switch for thinking: found in what a template reads, and given in its own words."""

from __future__ import annotations

import pytest

from lockhouse.core.thinking import Thinking, nearest, switch_of, writes_reasoning

TOGGLE = (
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}"
)
EITHER = (  # DeepSeek V3.1
    "{% if not thinking is defined %}{% if enable_thinking is defined %}"
    "{% set thinking = enable_thinking %}{% endif %}{% endif %}"
    "{% for m in messages %}{{ m.thinking }}{{ m['reasoning'] }}{% endfor %}"
)
ANY_EFFORT = (  # gpt-oss
    "{# reasoning_effort: how much #}{% macro m() %}{% if reasoning_effort is not defined %}"
    "{% set reasoning_effort = 'medium' %}{% endif %}{{ reasoning_effort }}{% endmacro %}"
)
OWN_EFFORTS = (  # Hy3
    "{% if not reasoning_effort is defined %}{% set reasoning_effort = 'no_think' %}"
    "{% elif reasoning_effort not in ['high', 'low', 'no_think'] %}{{ raise_exception('no') }}"
    "{% endif %}"
)
WORDS = (
    "{% if thinking_mode is defined and thinking_mode == 'disabled' %}x"
    "{% elif thinking_mode == 'enabled' %}y{% endif %}"
)
BUDGET = "{% if not thinking_budget is defined %}{% set thinking_budget = -1 %}{% endif %}"
SOFT = "{% if '/no_think' in messages[0].content %}x{% endif %}"
NONE = (  # names of its own, attributes, strings and arguments
    "{% set reasoning_content = '' %}{% if m.reasoning_content %}{{ m.thinking }}{% endif %}"
    "{{ 'thinking' }}{{ reasoning_content }}{% set ns = namespace(enable_thinking=true) %}"
    "{% macro show(thinking) %}{{ thinking }}{% endmacro %}{% if preserve_thinking %}x{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "choices"),
    [
        (TOGGLE, ("off", "on")),
        (EITHER, ("off", "on")),
        (ANY_EFFORT, ("low", "medium", "high")),
        (OWN_EFFORTS, ("off", "low", "high")),
        (WORDS, ("off", "on")),
        (BUDGET, ("off", "on", "low", "medium", "high")),
        (SOFT, ("off", "on")),
        (NONE, ()),
        ("", ()),
    ],
)
def test_a_template_has_the_switch_that_it_reads(template: str, choices: tuple[str, ...]) -> None:
    assert switch_of(template).choices == choices


@pytest.mark.parametrize(
    ("template", "chosen", "given"),
    [
        (TOGGLE, "off", {"enable_thinking": False}),
        (TOGGLE, "", {}),
        (EITHER, "on", {"thinking": True, "enable_thinking": True}),
        (ANY_EFFORT, "high", {"reasoning_effort": "high"}),
        (OWN_EFFORTS, "off", {"reasoning_effort": "no_think"}),
        (WORDS, "off", {"thinking_mode": "disabled"}),
        (BUDGET, "off", {"thinking_budget": 0}),
        (BUDGET, "low", {"thinking_budget": 1024}),
    ],
)
def test_a_choice_is_given_in_the_words_of_the_template(
    template: str, chosen: Thinking, given: dict[str, object]
) -> None:
    assert switch_of(template).variables(chosen) == given


def test_a_template_that_looks_for_words_gets_them_in_the_system_prompt() -> None:
    assert switch_of(SOFT).instruction("off") == "/no_think"
    assert switch_of(SOFT).instruction("on") == "/think"
    assert switch_of(TOGGLE).instruction("off") == ""


def test_the_nearest_choice_stands_for_one_that_is_not_offered() -> None:
    assert nearest("medium", ("off", "low", "high")) == "high"
    assert nearest("on", ("low", "medium", "high")) == "medium"
    assert nearest("max", ("off", "on")) == "on"
    assert nearest("off", ("low", "high")) == "low"
    assert nearest("low", ()) == ""
    assert switch_of(ANY_EFFORT).nearest("off") == ""  # it cannot be turned off


@pytest.mark.parametrize(
    ("template", "thinks"),
    [(TOGGLE, True), ("[THINK]", True), ("<|inner_prefix|>", True), ("{{ m.content }}", False)],
)
def test_whether_a_model_thinks_is_read_from_its_template(template: str, *, thinks: bool) -> None:
    assert writes_reasoning(template) is thinks


def test_a_hostile_template_is_read_in_no_time() -> None:
    for part in (
        "{%",
        "{{ thinking == '",
        "{% set thinking",
        "thinking in [",
        "'",
        "{{ think | think",
    ):
        switch_of(part * 20_000 + " %} }}")
