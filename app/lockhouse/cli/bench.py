"""``lockhouse bench``: the speed of a model on this machine."""

from __future__ import annotations

import secrets
import statistics
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json
from lockhouse.cli.options import WholeNumber, target_option
from lockhouse.core.errors import Cancelled, LockhouseError, from_wire

if TYPE_CHECKING:
    from lockhouse.answer.target import Target
    from lockhouse.core.events import Finished
    from lockhouse.core.request import AnswerRequest

_SENTENCE = "The lighthouse keeper wrote down the wind, the tide and every ship that passed. "
_TOKENS_PER_SENTENCE = 16


@click.command()
@target_option
@click.option(
    "--prompt-tokens", type=WholeNumber(16, 100_000), metavar="N", default=512, show_default=True
)
@click.option("--tokens", type=WholeNumber(2, 100_000), metavar="N", default=128, show_default=True)
@click.option("--runs", type=WholeNumber(1, 100), metavar="N", default=3, show_default=True)
@as_json
def bench(cli: CliContext, target: str, prompt_tokens: int, tokens: int, runs: int) -> None:
    """Measure prompt and generation speed, on the same path as a real answer.

    Each run has a different prompt, so that nothing comes from the prompt cache.
    """
    line = output.StatusLine()
    done: list[Finished] = []
    with cli.workspace() as workspace:
        model = workspace.targets.local.get(target)
        line.show("Loading the model")
        load_s = _measure(model, _request(16, 2)).timing.load_s
        for number in range(runs):
            line.show(f"Measuring, {number + 1} of {runs}")
            done.append(_measure(model, _request(prompt_tokens, tokens)))
    line.clear()
    result = {
        "target": {
            "name": model.info.name,
            "kind": model.info.kind,
            "sha256": done[-1].model_sha256,
        },
        "prompt_tokens": done[-1].usage.prompt_tokens,
        "completion_tokens": done[-1].usage.completion_tokens,
        "prompt_tokens_per_s": _median([run.timing.prompt_tokens_per_s for run in done]),
        "tokens_per_s": _median([run.timing.tokens_per_s for run in done]),
        "first_token_s": _median([run.timing.first_token_s for run in done]),
        "load_s": load_s,
        "threads": done[-1].threads,
        "context_length": done[-1].context_length,
        "engine": done[-1].engine,
        "runs": [run.timing for run in done],
    }
    if output.wrote_json(result):
        return
    output.write_facts(
        {
            "model": model.info.name,
            "prompt": f"{result['prompt_tokens_per_s']:,.0f} tokens/s "
            f"({result['prompt_tokens']} tokens)",
            "generation": f"{result['tokens_per_s']:,.1f} tokens/s "
            f"({result['completion_tokens']} tokens)",
            "first token": f"{result['first_token_s']:.3f} s",
            "load": f"{load_s:.2f} s",
            "threads": result["threads"],
            "engine": f"{done[-1].engine.name} {done[-1].engine.version}",
        }
    )


def _request(prompt_tokens: int, tokens: int) -> AnswerRequest:
    from lockhouse.core.messages import Turn
    from lockhouse.core.request import AnswerRequest, Sampling

    sentences = max(1, prompt_tokens // _TOKENS_PER_SENTENCE)
    text = f"{secrets.token_hex(4)}. {_SENTENCE * sentences}Count from one to one thousand."
    return AnswerRequest(
        turns=(Turn("user", text),), sampling=Sampling(temperature=0.8), max_tokens=tokens
    )


def _measure(target: Target, request: AnswerRequest) -> Finished:
    from lockhouse.core.cancellation import CancelToken
    from lockhouse.core.events import Failed, Finished

    cancel = CancelToken()
    try:
        for event in target.answer(request, cancel):
            if isinstance(event, Failed):
                raise from_wire(event.code, event.exit_code, event.message, event.hint)
            if isinstance(event, Finished):
                return event
    except KeyboardInterrupt:
        cancel.cancel()
        raise Cancelled from None
    raise LockhouseError("The answer did not finish.", code="bug")


def _median(values: list[float]) -> float:
    return statistics.median(values)
