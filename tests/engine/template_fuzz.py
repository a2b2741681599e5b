"""Chat templates put together at random, from what real ones are made of and from what harms.

Each is rendered by the child process that renders in an engine: it gives a text or is refused with
a reason, within its limits, and the next one works. A sample is a test; the long run::

    PYTHONPATH=app .venv/bin/python -m tests.engine.template_fuzz 20000
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

import psutil

from lockhouse import processes
from lockhouse.engine.process.chat_templates import Renderer
from lockhouse.engine.process.render_error import TemplateFailed
from lockhouse.engine.process.template_renderer import OUTPUT_CEILING_CHARS

EXPRESSIONS = (
    "messages", "messages[0]", "messages[-1].content", "message.role", "''",
    "bos_token", "eos_token", "tools", "nothing", "nothing.at.all", "loop.index0", "ns.a", "1",
    "messages[1:]", "messages | length", "messages | tojson", "tools | tojson(indent=2)",
    "message.content | trim", "message.content.split('</think>')[-1]", "strftime_now('%d %b %Y')",
    "range(9)", "namespace(a=1)", "messages | map(attribute='role') | join(',')", "{'a': [1, 2]}",
    "messages | selectattr('role', 'equalto', 'user') | list", "message.content is string",
    "message is mapping and message.content is iterable", "'user' in message", "a if b", "x ~ y",
    "dict(messages[0])", "messages | first | items", "loop.previtem", "raise_exception('no')",
)  # fmt: skip
HARMFUL = (
    "range(10**9)", "'x' * 10**9", "('x' * 10**6) * 10**6", "10 ** 10 ** 7", "9 ** 99999 % 7",
    "[0] * 10**9", "range(99999) | list | string", "''.__class__.__mro__", "messages.append(1)",
    "self.__init__.__globals__", "cycler.__init__.__globals__.os", "lipsum(n=99)", "().__class__",
    "messages.__class__.__base__.__subclasses__()", "'%9999999d' % 1", "'{:>99999999}'.format(1)",
    "'{0.__class__}'.format(1)", "strftime_now('%' * 9999)", "strftime_now(1)", "(1).real.real",
    "messages | map(attribute='__class__') | list", "'a'.encode().decode('utf-16')", "1 / 0",
    "'\\\\ud800'", "1e308 * 10", "-1 | batch(0) | list", "'x' | center(10**9)", "int('9' * 9999)",
    "loop(messages)", "caller()", "messages | sort(attribute='role') | groupby('x')", "'%s' % ()",
    "'x' | indent(10**8)", "'x' | replace('', 'y' * 10**6) | wordwrap(1)", "[] | random | abs",
)  # fmt: skip
WORDS = (
    "<|im_start|>", "<|im_end|>\n", "assistant\n", " ", "\n", "{", "{#", "#}", "{{", "}}", "%}",
    "\x00", "{% break %}", "\ud7ff", "\U0001f600", "\u2028", "é", "<think>\n",
)  # fmt: skip
MOST_DEPTH = 4
ONE_HARMS_OF = 40
LIMIT_S = 60.0  # its own limit is 3 s; a starved machine may need longer to end the child


def template(chance: random.Random, depth: int = 0) -> str:
    """A template, seldom a good one."""
    return "".join(_part(chance, depth) for _ in range(chance.randrange(1, 6)))


def _expression(chance: random.Random) -> str:
    return chance.choice(EXPRESSIONS if chance.randrange(ONE_HARMS_OF) else HARMFUL)


def _part(chance: random.Random, depth: int) -> str:
    expression, other = _expression(chance), _expression(chance)
    kinds = 4 if depth >= MOST_DEPTH else 11
    kind = chance.randrange(kinds)
    if kind == 0:
        return chance.choice(WORDS if chance.random() < 0.1 else WORDS[:5])
    if kind <= 2:
        return "{{" + chance.choice(("", "- ")) + expression + chance.choice(("", " -")) + "}}"
    if kind == 3:
        return "{% set " + chance.choice(("ns.a", "x", "x, y", "messages")) + f" = {expression} %}}"
    inner = template(chance, depth + 1)
    match kind:
        case 4 | 5:
            return f"{{% for message in {expression} %}}{inner}{{% endfor %}}"
        case 6 | 7:
            return f"{{%- if {expression} == {other} %}}{inner}{{% else %}}{inner}{{% endif -%}}"
        case 8:
            return f"{{% macro m(a) %}}{inner}{{% endmacro %}}{{{{ m({expression}) }}}}"
        case 9:
            # Rarely, it does not end.
            return inner if chance.random() < 0.9 else "{% " * chance.choice((1, 500)) + inner
        case _:
            block = chance.choice(("generation", "filter upper", "raw", f"block b{depth}"))
            return f"{{% {block} %}}{inner}{{% end{block.split()[0]} %}}"


def variables(chance: random.Random) -> dict[str, object]:
    """What a template is given: as an engine gives it, or in odd shapes."""
    content: object = chance.choice(("Hello", "", "</think>x", "é" * 9, [{"type": "text"}], None))
    messages = [{"role": role, "content": content} for role in ("system", "user", "assistant")]
    return {
        "messages": messages[: chance.randrange(4)],
        "add_generation_prompt": chance.choice((True, False)),
        "bos_token": "<s>",
        "eos_token": "</s>",
        "tools": None,
    }


def run(count: int, seed: int) -> tuple[Counter[str], list[str], float]:
    """(how many ended how, what went wrong, the longest in seconds)."""
    chance = random.Random(seed)
    renderer = Renderer([*processes.own_command(), "--template-renderer"])
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    longest = 0.0
    children = len(psutil.Process().children())
    try:
        for _ in range(count):
            source, began = template(chance), time.monotonic()
            try:
                text = renderer.render(source, variables(chance))
                ends["rendered"] += 1
                if len(text) > OUTPUT_CEILING_CHARS:
                    wrong.append(f"{len(text):,} characters: {source!r}")
            except TemplateFailed as failed:
                ends["refused, child ended" if failed.lasting else "refused"] += 1
                if not str(failed).strip():
                    wrong.append(f"no reason: {source!r}")
            taken_s = time.monotonic() - began
            longest = max(longest, taken_s)
            if taken_s > LIMIT_S:
                wrong.append(f"{taken_s:.0f} s: {source!r}")
            if len(psutil.Process().children()) > children:
                wrong.append(f"more than one child: {source!r}")
        if renderer.render("{{ 6 * 7 }}", {}) != "42":
            wrong.append("the renderer works no more")
    finally:
        renderer.close()
    return ends, wrong, longest


def main() -> None:
    ends, wrong, longest = run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(", ".join(f"{n} {end}" for end, n in ends.most_common()), f"; longest {longest:.1f} s")
    for line in wrong[:30]:
        print("   ", line[:500])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
