"""Makes ``resources/prices.json`` from an installed genai-prices, which the program never imports:

    python installers/price_snapshot.py --date 2026-11-10

``--date`` is the day on which that version was released: the data itself names none. Only what
a chat can cost is taken over. Models that bill by more than tokens (pictures made, searches,
seconds) stay without a price, so that none is ever too low; special rates are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import itertools
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROVIDERS = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "deepseek",
    "openrouter",
    "groq",
    "together",
    "x-ai",
    "cerebras",
    "cohere",
    "fireworks",
    "moonshotai",
    "perplexity",
)
_NAMES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "write",
}
# Of these a chat makes no use, so they take nothing away from a price: it sends no sound, keeps
# no cache for an hour, and switches on no search of the provider's.
_UNUSED = {
    "cache_write_1h_mtok",
    "cache_audio_read_mtok",
    "input_audio_mtok",
    "storage_searches_kcount",
    "web_searches_kcount",
}
# By their names these search, draw or speak, which is billed beside the tokens of text.
_BEYOND_TEXT = (
    "-search-",
    "deep-research",
    ":online",
    "-image",
    "audio",
    "realtime",
    "transcribe",
    "-tts",
    "-live-",
)
_OPERATORS = {
    "ClauseEquals": ("equals", "="),
    "ClauseStartsWith": ("starts_with", "^"),
    "ClauseEndsWith": ("ends_with", "$"),
    "ClauseContains": ("contains", "~"),
    "ClauseRegex": ("regex", "/"),
}


def snapshot(released: str) -> dict[str, Any]:
    """What the file holds."""
    found = importlib.util.find_spec("genai_prices")
    if found is None or found.origin is None:
        raise SystemExit("Install genai-prices first; it is needed here only.")
    source = Path(found.origin).with_name("data.py")
    from genai_prices.data import providers  # type: ignore[import-not-found]  # not a dependency

    by_name = {provider.id: provider for provider in providers}
    return {
        "date": released,
        "package": "genai-prices",
        "version": importlib.metadata.version("genai-prices"),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "licence": "MIT, see prices-LICENSE.txt",
        "providers": {name: list(models(by_name[name])) for name in PROVIDERS},
    }


def models(provider: Any) -> Iterator[dict[str, Any]]:
    """The models of one provider, in the order in which names are matched.

    Those without a price stay in their places: their names must not match a later rule.
    """
    for model in provider.models:
        if provider.id == "google" and model.id.startswith("claude"):
            continue  # sold there at another door
        is_text = not any(word in model.id for word in _BEYOND_TEXT)
        prices = prices_of(model) if is_text else []
        told: dict[str, Any] = {"name": model.id}
        match = [clause[0] if len(clause) == 1 else clause for clause in clauses(model.match)]
        if match != [f"={model.id}"]:
            told["match"] = match
        if model.context_window:
            told["window"] = model.context_window
        yield {**told, "prices": prices}


def prices_of(model: Any) -> list[dict[str, Any]]:
    """Every price of a model, the later ones winning; empty where it cannot be priced."""
    if not isinstance(model.prices, list):
        entries = [(None, model.prices)]
    else:
        entries = [(entry.constraint, entry.prices) for entry in model.prices]
    if model.id.endswith(":free") and all(not _set(price) for _, price in entries):
        return [{"input": "0", "output": "0"}]
    told = []
    for constraint, price in entries:
        one = price_of(_set(price))
        if one is None:
            return []
        told.append({**one, **_when(constraint)})
    return told


def price_of(keys: dict[str, Any]) -> dict[str, Any] | None:
    """One price, or None when a chat would cost more than it tells."""
    requests = keys.pop("requests_kcount", None)
    keys = {key: value for key, value in keys.items() if key not in _UNUSED}
    if not {"input_mtok", "output_mtok"} <= set(keys) <= set(_NAMES):
        return None
    told: dict[str, Any] = {_NAMES[key]: _text(_base(value)) for key, value in keys.items()}
    if requests is not None:
        told["request"] = _text(requests / 1000)
    starts = {tier.start for value in keys.values() for tier in getattr(value, "tiers", ())}
    if starts:
        told["tiers"] = [
            {
                "above": start,
                **{_NAMES[key]: _text(_above(value, start)) for key, value in keys.items()},
            }
            for start in sorted(starts)
        ]
    return told


def clauses(match: Any) -> list[list[str]]:
    """A rule as alternatives, each of them texts that all have to hold."""
    kind = type(match).__name__
    if kind == "ClauseOr":
        return [clause for one in match.or_ for clause in clauses(one)]
    if kind == "ClauseAnd":
        combined = itertools.product(*(clauses(one) for one in match.and_))
        return [[text for part in parts for text in part] for parts in combined]
    attribute, sign = _OPERATORS[kind]
    return [[sign + getattr(match, attribute)]]


def _set(price: Any) -> dict[str, Any]:
    return {key: value for key, value in vars(price).items() if value is not None}


def _base(value: Any) -> Any:
    return getattr(value, "base", value)


def _above(value: Any, start: int) -> Any:
    """What holds for prompts above ``start`` tokens."""
    price = _base(value)
    for tier in getattr(value, "tiers", ()):
        if tier.start <= start:
            price = tier.price
    return price


def _when(constraint: Any) -> dict[str, Any]:
    if constraint is None:
        return {}
    if hasattr(constraint, "start_date"):
        return {"from": constraint.start_date.isoformat()}
    times = (constraint.start_time, constraint.end_time)
    if any(time.utcoffset() for time in times):
        raise SystemExit(f"{times}: times of day are understood in UTC only.")
    return {"between": [time.strftime("%H:%M") for time in times]}


def _text(price: Any) -> str:
    return format(price.normalize(), "f")


def main() -> None:
    """Write the file, one model a line, so that a newer one can be compared with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--date", required=True, type=date.fromisoformat)
    parser.add_argument("--to", type=Path, default=ROOT / "resources" / "prices.json")
    arguments = parser.parse_args()
    told = snapshot(arguments.date.isoformat())
    head = {key: value for key, value in told.items() if key != "providers"}
    blocks = (
        f"{json.dumps(name)}: [\n" + ",\n".join(_line(model) for model in listed) + "\n]"
        for name, listed in told["providers"].items()
    )
    text = _line(head)[:-1] + ',"providers":{\n' + ",\n".join(blocks) + "\n}}\n"
    assert json.loads(text) == told
    arguments.to.write_text(text, encoding="utf-8")
    count = sum(len(listed) for listed in told["providers"].values())
    print(f"{arguments.to}: {count} models, {len(text.encode()):,} bytes")


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
