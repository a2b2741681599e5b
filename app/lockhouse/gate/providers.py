"""Who can answer beside this machine: the providers known by name, and servers of one's own.

A provider is data: a dialect, addresses and a few peculiarities. The presets come with the
program (resources/providers.json); what a person adds is kept in the database.
"""

from __future__ import annotations

from typing import Literal

import msgspec

DialectName = Literal["openai", "anthropic", "gemini"]
Zone = Literal["lan", "cloud"]
KeyNeed = Literal["required", "optional", "none"]


class Provider(msgspec.Struct, frozen=True):
    """Where to ask and how. ``name`` is the word before the slash in ``provider/model``.

    ``endpoints`` are base addresses up to and without the path of the dialect, such as
    ``https://api.openai.com/v1``; several are equal servers that share the load (zone ``lan``
    only). ``body`` is merged into every request: what this provider wants or may be told
    ("store": false). ``omit`` names fields of the dialect that it does not take.
    """

    name: str
    title: str
    dialect: DialectName
    zone: Zone
    endpoints: tuple[str, ...]
    key: KeyNeed = "required"
    is_preset: bool = False
    key_page: str = ""  # where its keys are made, shown as text
    prices: str = ""  # its name in the price snapshot; empty where there are no prices
    suggested: tuple[str, ...] = ()  # models worth offering before its list was read
    body: dict[str, object] = {}
    omit: tuple[str, ...] = ()
    max_tokens_field: str = "max_tokens"  # of the OpenAI dialect: or "max_completion_tokens"


class RemoteModel(msgspec.Struct, frozen=True):
    """A model that a provider offers. ``is_chosen``: it stands among the targets.

    Zeros and empty texts where the provider's list does not say.
    """

    provider: str
    name: str
    title: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    capabilities: tuple[str, ...] = ("chat",)
    is_chosen: bool = False
    listed_at: str = ""
