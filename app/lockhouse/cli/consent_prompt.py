"""Asking for consent on a terminal, with exactly what would be sent.

Nothing goes to an API before somebody allowed it: on a terminal that is asked here; without one
the command is refused, and the command that allows it is named.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lockhouse.cli import output
from lockhouse.core.errors import Cancelled, PolicyRefused, UsageMistake

if TYPE_CHECKING:
    from lockhouse.answer.permission import Proposal, Reply
    from lockhouse.answer.target import TargetInfo
    from lockhouse.cli.stream_printer import Shape
    from lockhouse.core.cancellation import CancelToken
    from lockhouse.core.events import Finished
    from lockhouse.gate.outbound import Outbound
    from lockhouse.gate.providers import Provider
    from lockhouse.workspace import Workspace


def confirm_on_terminal(proposal: Proposal, _cancel: CancelToken) -> Reply:
    """Ask the person at the terminal; where there is none, refuse and say how to allow it.

    Raises PolicyRefused, what would stop it anyway, or Cancelled when the person says no.
    """
    from lockhouse.answer.permission import consent_needed

    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        refused = consent_needed(proposal)
        raise PolicyRefused(
            refused.message,
            hint=f"{refused.hint} (or, for this once: --allow-once)",
            code=refused.code,
        )
    if proposal.obstacle is not None:  # before anybody is asked for what could not be sent
        raise proposal.obstacle
    return _asked(proposal)


def confirm_once(proposal: Proposal, _cancel: CancelToken) -> Reply:
    """``--allow-once``: the person said yes on the command line."""
    from lockhouse.answer.permission import Send

    return Send(proposal)


def _asked(proposal: Proposal) -> Reply:
    from lockhouse.answer.permission import Send

    outbound = proposal.outbound
    assert outbound is not None  # what stays on this machine is not asked about
    title = outbound.provider_title
    output.note(f"This would be sent to {title}, for the first time:")
    for name, fact in facts(outbound).items():
        output.note(f"  {name:<9} {fact}")
    for sentence in outbound.added:
        output.note(f"  {'added':<9} {sentence}")
    while True:
        output.note(f"Send it? [y]es, this once; [a]lways for {title}; [s]how the body; [n]o")
        try:
            answer = str(click.prompt("", default="n", show_default=False, err=True))
        except click.Abort:  # Ctrl-C and Ctrl-D say no; in a conversation they do not end it
            output.note("")
            answer = "n"
        answer = answer.strip().lower()
        if answer in ("s", "show"):
            output.note(outbound.body.decode(errors="replace"))
        elif answer in ("a", "always"):
            return Send(proposal, always=True)
        elif answer in ("y", "yes"):
            return Send(proposal)
        elif answer in ("n", "no", ""):
            output.note("Nothing was sent.")
            raise Cancelled


def facts(outbound: Outbound) -> dict[str, str]:
    """What would be sent, in a few lines."""
    zone = "an API" if outbound.zone == "cloud" else "your network"
    found = {
        "to": f"{outbound.provider_title}, {', '.join(outbound.endpoints)} ({zone})",
        "model": outbound.model,
        "size": f"{len(outbound.body):,} bytes",
        "key": "sent along" if outbound.has_key else "none",
        "cost": cost_in_words(outbound),
        "sha256": outbound.sha256,
    }
    estimate = outbound.estimate
    if estimate is not None:
        found["size"] += f", about {estimate.prompt_tokens:,} tokens"
    return found


def cost_in_words(outbound: Outbound) -> str:
    """The estimate, or why there is none."""
    from lockhouse.gate.costs.values import in_dollars

    estimate = outbound.estimate
    if estimate is None:
        return "nothing" if outbound.zone == "lan" else "not known: it is on no price list"
    return (
        f"about {in_dollars(estimate.expected.amount)}, at most "
        f"{in_dollars(estimate.ceiling.amount)} ({estimate.price.source})"
    )


def tell_estimate(proposal: Proposal, shape: Shape) -> None:
    """The exact request and what it would cost. Nothing is sent."""
    outbound, info = proposal.outbound, proposal.info
    if outbound is None:
        told: dict[str, Any] = {"target": info, "left_machine": False, "cost": None}
        if shape != "text":
            _write(told, shape)
        else:
            output.note(f"{info.name} answers on this machine: nothing leaves, at no price.")
        return
    if shape != "text":
        _write(described(proposal, outbound), shape)
        return
    for name, fact in facts(outbound).items():
        output.note(f"{name:<9} {fact}")
    for sentence in outbound.added:
        output.note(f"{'added':<9} {sentence}")
    output.note(f"{'allowed':<9} {_decision_words(proposal)}")
    output.note(f"POST {outbound.endpoints[0]}{outbound.path}")
    for name, value in outbound.headers:
        output.note(f"{name}: {value}")
    output.note("")
    output.write_line(outbound.body.decode(errors="replace"))


def _decision_words(proposal: Proposal) -> str:
    from lockhouse.answer.permission import Allowed, Refused

    match proposal.decision:
        case Allowed():
            return "yes"
        case Refused(error):
            return f"no. {error.message}"
        case _:
            return "not yet, it will be asked"


def _write(told: dict[str, Any], shape: Shape) -> None:
    if shape == "jsonl":
        output.write_json_line(told)
    else:
        output.write_json(told)


def described(proposal: Proposal, outbound: Outbound) -> dict[str, Any]:
    """What would leave, as JSON; ``body`` is its exact text."""
    from lockhouse.answer.permission import AskFirst

    told: dict[str, Any] = output.plain(outbound)
    told.update(
        target=output.plain(proposal.info),
        left_machine=proposal.info.leaves_machine,
        body=outbound.body.decode(errors="replace"),
        size_bytes=len(outbound.body),
        sha256=outbound.sha256,
        host=outbound.host,
        is_allowed=not isinstance(proposal.decision, AskFirst),
    )
    return told


def give_session_key(workspace: Workspace, info: TargetInfo) -> None:
    """Ask for a key that holds until this program ends, where no keyring can keep one."""
    if info.provider is None:
        raise UsageMistake("--key is for a provider's model: choose one with -m provider/model.")
    use_session_key(workspace, workspace.providers.get(info.provider))


def use_session_key(workspace: Workspace, provider: Provider) -> None:
    """The same for a provider of which no model was chosen."""
    from lockhouse.gate import keys

    if provider.key == "none":
        raise UsageMistake(f"{provider.title} takes no key, so --key has no meaning here.")
    if output.is_terminal(sys.stdin):
        key = str(click.prompt(f"Key for {provider.title}", hide_input=True, err=True))
    else:
        # Below the text layer, which would take along the messages that follow.
        key = sys.stdin.buffer.readline(8192).decode("utf-8", "replace")
    workspace.gate.use_key(provider.name, keys.checked(key), provider.hosts)
    workspace.remotes.forget_key_states()


def origin_note(finished: Finished) -> str:
    """Where an answer came from, what it took and cost."""
    from lockhouse.gate.costs.values import in_dollars

    usage = finished.usage
    told = f"from {finished.host}: {usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    if finished.cost is not None:
        about = "about " if finished.cost.is_estimate else ""
        told += f", {about}{in_dollars(finished.cost.amount)}"
    return told


def plain_cost(finished: Finished | None) -> Any:
    """Cost under ``--json``; null for what has none."""
    if finished is None or finished.cost is None:
        return None
    return msgspec.to_builtins(finished.cost)
