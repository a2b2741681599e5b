"""Rendering chat templates, in a process that may be killed.

A template comes with the model file and is a program: it can loop, explode or try to reach out.
It runs in Jinja's immutable sandbox, in a child with a ceiling on memory, and its output is cut
off past a limit. One request a line on stdin, one reply a line on stdout, both JSON.
"""

from __future__ import annotations

import functools
import json
import sys
from datetime import datetime
from typing import Any

_MEMORY_CEILING_BYTES = 1 << 30
OUTPUT_CEILING_CHARS = 8 << 20
# A template is a program: these are what a program raises, and Python's compiler about it.
_OWN_MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, OSError, RuntimeError,
    StopIteration, SyntaxError, TypeError, ValueError,
)  # fmt: skip


def run_renderer() -> int:
    """Serve until stdin ends."""
    _limit_memory()
    import jinja2  # noqa: F401 - ready before the first request

    replies = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        replies.write(json.dumps(_reply_to(json.loads(line))) + "\n")
        replies.flush()
    return 0


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = _MEMORY_CEILING_BYTES if hard < 0 else min(hard, _MEMORY_CEILING_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))


def _reply_to(request: dict[str, Any]) -> dict[str, str]:
    import jinja2

    try:
        return {"text": _render(request["template"], request["variables"])}
    except MemoryError:
        return {"error": "it needs too much memory"}
    except RecursionError:
        return {"error": "it calls itself without end"}
    except OverflowError:
        return {"error": "it asks for an absurd size"}
    except jinja2.TemplateSyntaxError as error:
        return {"error": f"line {error.lineno}: {error.message}"}
    except jinja2.TemplateError as error:
        return {"error": str(error) or type(error).__name__}
    except _OWN_MISTAKES as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _render(source: str, variables: dict[str, Any]) -> str:
    parts: list[str] = []
    size = 0
    for part in _compiled(source).generate(**variables):
        size += len(part)
        if size > OUTPUT_CEILING_CHARS:
            raise ValueError("its output has no end")
        parts.append(part)
    return "".join(parts)


@functools.lru_cache(maxsize=2)
def _compiled(source: str) -> Any:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation_block()]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment.from_string(source)


def _raise(message: str) -> None:
    import jinja2

    raise jinja2.TemplateError(message)


def _to_json(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - the signature that templates call
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _generation_block() -> type[Any]:
    """``{% generation %}`` marks the assistant's words for training; here it is transparent."""
    from jinja2 import nodes
    from jinja2.ext import Extension

    class GenerationBlock(Extension):
        tags = {"generation"}  # noqa: RUF012 - declared so by Jinja

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller: Any) -> str:
            return str(caller())

    return GenerationBlock
