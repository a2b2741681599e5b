"""The switch for thinking in the words of each API.

What a model offers is known by its name and its provider; a choice that it does not offer becomes
the nearest one. Budgets stand for efforts where an API has budgets only.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from lockhouse.core.request import AnswerRequest
from lockhouse.core.thinking import BUDGETS, Thinking, nearest
from lockhouse.gate.dialects.bodies import Fields
from lockhouse.gate.providers import Provider

_THINKS = re.compile(
    r"(?:^|[/_.-])(?:o[1-9]|gpt-(?:[5-9]|oss)|claude-(?:3-7|[a-z]+-[4-9])|gemini-(?:2\.5|[3-9])"
    r"|deepseek-?(?:r\d|v[3-9]|reasoner)|qwq|qwen-?3(?!.*(?:coder|instruct|embed))|magistral"
    r"|grok-[3-9]|glm-?[4-9]|kimi-k[2-9]|minimax-m|gemma-?4|smollm3)|think|reason",
    re.IGNORECASE,
)
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)")
_GEMINI = re.compile(r"gemini-(\d+)")
_ADAPTIVE = (4, 6)  # the first Claude that decides itself how much to think
_SUMMARIZED = (4, 7)  # the first that keeps its thoughts back unless asked
_LEAST_BUDGET = 1024

_ALL: tuple[Thinking, ...] = ("off", "on", "minimal", "low", "medium", "high", "max")
_SWITCH: tuple[Thinking, ...] = ("off", "on")
_EFFORTS: tuple[Thinking, ...] = ("low", "medium", "high")


def offered(provider: Provider, model: str, capabilities: Collection[str]) -> tuple[Thinking, ...]:
    """What to offer for a model: nothing for one that does not think, as far as that is known."""
    if "reasoning" in capabilities or (not capabilities and _THINKS.search(model)):
        return _choices(provider, model)
    return ()


def settled(provider: Provider, model: str, chosen: Thinking) -> Thinking:
    """What a model is asked for when that was chosen."""
    return nearest(chosen, _choices(provider, model))


def _choices(provider: Provider, model: str) -> tuple[Thinking, ...]:
    if provider.dialect == "anthropic":
        return (
            (*_SWITCH, *_EFFORTS, "max") if _version(model) >= _ADAPTIVE else (*_SWITCH, *_EFFORTS)
        )
    if provider.dialect == "gemini":
        is_pro = "pro" in model
        if _has_levels(model):
            return _EFFORTS if is_pro else ("minimal", *_EFFORTS)
        return ("on", *_EFFORTS) if is_pro else (*_SWITCH, *_EFFORTS)
    if provider.zone == "lan":
        return (*_SWITCH, *_EFFORTS)
    if provider.name in ("deepseek", "mistral"):
        return _SWITCH
    if provider.name == "openrouter":
        return _ALL
    name = model.rpartition("/")[2]
    if "gpt-oss" in name or re.match(r"o\d", name):
        return _EFFORTS
    if re.match(r"gpt-5(?![.\d])", name):
        return ("minimal", *_EFFORTS)
    return ("off", *_EFFORTS)


def for_openai(provider: Provider, model: str, request: AnswerRequest) -> Fields:
    """The fields of the OpenAI dialect, which every provider has extended in its own way."""
    chosen = settled(provider, model, request.thinking)
    if provider.zone == "lan":
        return _for_own_servers(chosen, request.reasoning_budget)
    if provider.name == "openrouter":
        if request.reasoning_budget and chosen != "off":
            return {"reasoning": {"max_tokens": request.reasoning_budget}}
        if chosen in ("off", "on"):
            return {"reasoning": {"enabled": chosen == "on"}}
        return {"reasoning": {"effort": "xhigh" if chosen == "max" else chosen}} if chosen else {}
    if not chosen:
        return {}
    if provider.name == "deepseek":
        return {"thinking": {"type": "disabled" if chosen == "off" else "enabled"}}
    if provider.name == "mistral":
        return {"reasoning_effort": "none" if chosen == "off" else "high"}
    return {"reasoning_effort": {"off": "none", "on": "medium"}.get(chosen, chosen)}


def _for_own_servers(chosen: Thinking, budget: int | None) -> Fields:
    """What the servers of llama.cpp, vLLM and Ollama read: each ignores what it does not know."""
    if not chosen:
        return {"chat_template_kwargs": {"enable_thinking": False}} if budget == 0 else {}
    is_on = chosen != "off"
    told: Fields = {"enable_thinking": is_on, "thinking": is_on}
    if chosen == "on":
        return {"chat_template_kwargs": told}
    effort = chosen if is_on else "none"
    if is_on:
        told["reasoning_effort"] = effort
    return {"reasoning_effort": effort, "chat_template_kwargs": told}


def for_anthropic(
    provider: Provider, model: str, request: AnswerRequest, max_tokens: int
) -> tuple[Fields, Fields]:
    """The fields for thinking, and those for the form of the output.

    Not with a prefill, nor after tool calls, whose reasoning would have to be sent back.
    """
    chosen, budget = settled(provider, model, request.thinking), request.reasoning_budget
    if chosen == "off" or not (chosen or budget):
        return {}, {}
    if request.prefill or any(turn.tool_calls for turn in request.turns):
        return {}, {}
    version = _version(model)
    if version >= _ADAPTIVE and chosen:
        thinking: Fields = {"type": "adaptive"}
        if version >= _SUMMARIZED:
            thinking["display"] = "summarized"
        return {"thinking": thinking}, {"effort": chosen} if chosen != "on" else {}
    if max_tokens <= _LEAST_BUDGET:
        return {}, {}
    wanted = budget or BUDGETS.get(chosen, BUDGETS["medium"])
    tokens = min(max(wanted, _LEAST_BUDGET), max_tokens - 1)
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}, {}


def without_thinking(provider: Provider, capabilities: Collection[str]) -> Provider:
    """The provider as it is asked for a model of which its list says that it does not think.

    Gemini refuses requests with a thinkingConfig, which the preset has, for such a model.
    """
    if provider.dialect != "gemini" or not capabilities or "reasoning" in capabilities:
        return provider
    omitted = (*provider.omit, "generationConfig.thinkingConfig")
    return msgspec.structs.replace(provider, omit=omitted)


def for_gemini(provider: Provider, model: str, request: AnswerRequest) -> Fields:
    """The thinkingConfig; empty where nothing was chosen."""
    chosen, budget = settled(provider, model, request.thinking), request.reasoning_budget
    if budget is not None and (chosen != "off" or not request.thinking):
        return {"includeThoughts": budget > 0, "thinkingBudget": budget}
    if not chosen:
        return {}
    if _has_levels(model):
        return {"includeThoughts": True, "thinkingLevel": chosen}
    tokens = {"off": 0, "on": -1}.get(chosen, BUDGETS.get(chosen, -1))
    return {"includeThoughts": tokens != 0, "thinkingBudget": tokens}


def _version(model: str) -> tuple[int, int]:
    """Of a Claude: (4, 6). Newer ones are taken to be as the newest that is known."""
    match = _CLAUDE.search(model)
    if match is None:
        return (0, 0)
    return int(match.group(1)), int(match.group(2) or 0)


def _has_levels(model: str) -> bool:
    match = _GEMINI.search(model)
    return match is not None and int(match.group(1)) >= 3
