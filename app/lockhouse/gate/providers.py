"""The remote providers: API providers known by name, and servers that a person adds.

A provider is data: a dialect, addresses and a few settings. The presets come with the program
(resources/providers.json); what a person adds is stored in the database. Hides the tables and
the rules for names and addresses.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

import msgspec

from lockhouse.bundled import resource
from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.core.json_decoding import decoded
from lockhouse.core.labels import Zone
from lockhouse.gate import network
from lockhouse.gate.network import host_of, is_near, split_url
from lockhouse.gate.remote_requests import DialectName, ListedModel, ProviderZone
from lockhouse.storage.database import Tables

if TYPE_CHECKING:
    import sqlite_utils

    from lockhouse.storage.database import Database

KeyNeed = Literal["required", "optional", "none"]
SystemRole = Literal["system", "developer", "user"]


class Provider(msgspec.Struct, frozen=True):
    """Where requests go and how. ``name`` is the word before the slash in ``provider/model``.

    ``system_role`` is the role of the system prompt; "user" puts it at the beginning of the first
    message. ``counts_tokens``: a server that counts nothing while it streams is asked again, for
    one token, to learn what the prompt took. Both are of the OpenAI dialect.

    ``endpoints`` are base addresses up to and without the path of the dialect, such as
    ``https://api.openai.com/v1``; several are equal servers that share the load (zone ``lan``
    only). ``body`` is merged into every request, such as "store": false. ``omit`` names fields of
    the dialect that it does not accept.
    """

    name: str
    title: str
    dialect: DialectName
    zone: ProviderZone
    endpoints: tuple[str, ...]
    key: KeyNeed = "required"
    is_preset: bool = False  # of the bundled list: its address is fixed, it cannot be removed
    key_page: str = ""  # where to get a key, shown as text
    prices: str = ""  # its name in the price snapshot; empty where there are no prices
    suggested: tuple[str, ...] = ()  # models to offer before its list was read
    body: dict[str, object] = {}
    omit: tuple[str, ...] = ()
    max_tokens_field: str = "max_tokens"  # of the OpenAI dialect: or "max_completion_tokens"
    system_role: SystemRole = "system"
    counts_tokens: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """``host:port`` of every address, each once: what must be allowed and may get the key."""
        return tuple(dict.fromkeys(host_of(url) for url in self.endpoints))

    def label_zone(self, *, proxy: str = "") -> Zone:
        """Where its servers are, which a label must allow. Through a proxy, they could be anywhere.

        Checked twice: in the program before it makes a request, and in the broker by the address
        that it is about to connect to (``broker.guard``). The rule itself is in ``core.labels``.
        """
        if proxy or self.zone == "cloud":
            return "cloud"
        return "local" if all(is_this_machine(url) for url in self.endpoints) else "lan"

    @property
    def near_hosts(self) -> tuple[str, ...]:
        """Those that must be this machine or in a private network, even if allowed without that."""
        return self.hosts if self.zone == "lan" else ()


class RemoteModel(msgspec.Struct, frozen=True):
    """A model that a provider offers. ``is_chosen``: it is one of the targets.

    Zeros, empty texts and no capabilities where the provider's list does not say. ``name`` is the
    server's own and what is sent; ``short`` is set where that is the path of a file.
    """

    provider: str
    name: str
    title: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    capabilities: tuple[str, ...] = ()
    is_chosen: bool = False
    listed_at: str = ""
    short: str = ""

    @property
    def called(self) -> str:
        """The name behind the slash of its target."""
        return self.short or self.name


class Presets(msgspec.Struct, frozen=True):
    """The bundled file. ``template`` has the defaults of a server that a person adds."""

    about: str
    checked_on: str
    providers: tuple[Provider, ...]
    template: Provider


@cache
def presets() -> Presets:
    """The providers that came with the program."""
    return decoded(resource("providers.json").read_bytes(), Presets)


# What a body is made of by the program itself.
_OWN_FIELDS = frozenset({"model", "messages", "contents", "system", "systemInstruction", "tools"})


def extra_fields(text: str) -> dict[str, object]:
    """What a person typed to be merged into every request. Raises UsageMistake."""
    hint = 'Give a JSON object, such as {"reasoning_effort": "low"}'
    try:
        fields = decoded(text.strip() or "{}", dict[str, object])
    except msgspec.DecodeError as error:
        raise UsageMistake(f"The extra fields are no JSON object ({error}).", hint=hint) from error
    if taken := sorted(_OWN_FIELDS & {*fields}):
        raise UsageMistake(
            f"{', '.join(taken)} cannot be an extra field: it holds what was asked.", hint=hint
        )
    return fields


# Names with another meaning where a provider can be named.
_RESERVED = frozenset({"hub", "huggingface", "local", "lan", "cloud", "none", "default", "all"})
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_MOST_ENDPOINTS = 32
_NOT, _BY_HAND, _BY_ITSELF = 0, 1, 2  # how a model became a target
_LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".internal", ".localdomain")

_TABLES = """
CREATE TABLE providers (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE provider_models (
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    is_listed INTEGER NOT NULL,
    is_chosen INTEGER NOT NULL,
    PRIMARY KEY (provider, name)
) STRICT, WITHOUT ROWID;
"""

# The class has a method named list, which hides the type from its annotations.
_ProviderList = list[Provider]
_ModelList = list[RemoteModel]


class Providers:
    """All providers of one home. Usable from any thread. Its first use creates the tables."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database, "providers", {"providers": _TABLES})

    def list(self) -> _ProviderList:
        """The presets in the order of their file, then the person's own by name."""
        own = {provider.name: provider for provider in self._own()}
        known = [own.pop(preset.name, preset) for preset in presets().providers]
        return [*known, *sorted(own.values(), key=lambda provider: provider.name)]

    def get(self, name: str) -> Provider:
        """The one of that name. Raises NotFound, which suggests similar names."""
        found = {provider.name: provider for provider in self.list()}
        if name not in found:
            near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
            hint = (
                f"Did you mean {' or '.join(near)}?"
                if near
                else "Add a server of your own with: lockhouse targets add NAME URL"
            )
            raise NotFound(f"There is no provider {name!r}.", hint=hint, code="unknown_provider")
        return found[name]

    def add(self, provider: Provider) -> Provider:
        """Add one. Raises UsageMistake for an invalid name or address."""
        if any(known.name == provider.name for known in self.list()):
            raise UsageMistake(
                f"There is already a provider {provider.name!r}.",
                hint=f"Choose another name, or remove it: lockhouse targets remove {provider.name}",
            )
        return self._keep(_checked(msgspec.structs.replace(provider, is_preset=False)))

    def change(self, provider: Provider) -> Provider:
        """Store a changed provider. Of a preset, only ``body``, ``omit`` and such can change."""
        before = self.get(provider.name)
        if before.is_preset:
            fixed = ("dialect", "zone", "endpoints", "key", "is_preset")
            if any(getattr(before, field) != getattr(provider, field) for field in fixed):
                raise UsageMistake(
                    f"The address of {before.title} is built in and cannot be changed.",
                    hint="Add another one: lockhouse targets add NAME URL",
                )
        return self._keep(_checked(provider))

    def remove(self, name: str) -> None:
        """Remove one with its models and choices; of a preset, remove the changes."""
        provider = self.get(name)
        changed = any(own.name == name for own in self._own())
        if provider.is_preset and not changed:
            raise UsageMistake(
                f"{provider.title} is built in and cannot be removed.",
                hint=f"Nothing is sent there unless you allow it: lockhouse targets forbid {name}",
            )
        with self._tables.write() as database:
            database.execute("DELETE FROM providers WHERE name = ?", [name])
            if not provider.is_preset:
                database.execute("DELETE FROM provider_models WHERE provider = ?", [name])

    # -- models ------------------------------------------------------------------------------------

    def models(self, name: str) -> _ModelList:
        """The models it offers: the chosen ones first, each part by name.

        Before its list was read, these are the suggested ones.
        """
        provider = self.get(name)
        rows = self._rows(name)
        known = [_model_of(name, value, chosen) for _, value, _, chosen in rows]
        if not any(listed for _, _, listed, _ in rows):
            names = {model.name for model in known}
            known += [
                RemoteModel(name, model) for model in provider.suggested if model not in names
            ]
        return sorted(_shortened(known), key=lambda model: not model.is_chosen)

    def chosen(self) -> _ModelList:
        """Every model that is a target, in one query."""
        rows = self._tables.rows(
            "SELECT provider, value FROM provider_models WHERE is_chosen ORDER BY provider, name"
        )
        found = [_model_of(provider, value, 1) for provider, value in rows]
        for provider in {model.provider for model in found if _is_path(model.name)}:
            names = _short_names(row[0] for row in self._rows(provider))
            found = [_renamed(one, names) if one.provider == provider else one for one in found]
        return found

    def was_listed(self, name: str) -> bool:
        """Whether its list was ever read."""
        return any(listed for _, _, listed, _ in self._rows(name))

    def keep_models(self, name: str, listed: Iterable[ListedModel]) -> _ModelList:
        """Store the list of a provider. What was chosen stays chosen.

        For a server that a person added, all listed models are chosen until the person chooses.
        """
        provider = self.get(name)
        before = {row[0]: row[3] for row in self._rows(name)}
        untouched = all(choice == _BY_ITSELF for choice in before.values())
        new = _BY_ITSELF if provider.zone == "lan" and untouched else _NOT
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._tables.write() as database:
            database.execute(
                "DELETE FROM provider_models WHERE provider = ? AND is_chosen <> ?",
                [name, _BY_HAND],
            )
            database.execute("UPDATE provider_models SET is_listed = 0 WHERE provider = ?", [name])
            for model in listed:
                kept = RemoteModel(name, listed_at=at, **msgspec.structs.asdict(model))
                _put(database, kept, is_listed=True, choice=before.get(model.name, new))
        return self.models(name)

    def choose(self, name: str, model: str, *, is_chosen: bool = True) -> RemoteModel:
        """Make a model a target, or no longer one."""
        found = self.model(name, model)
        with self._tables.write() as database:
            listed = any(row[0] == found.name and row[2] for row in self._rows(name))
            _put(database, found, is_listed=listed, choice=_BY_HAND if is_chosen else _NOT)
        return msgspec.structs.replace(found, is_chosen=is_chosen)

    def model(self, name: str, model: str) -> RemoteModel:
        """One model of a provider. Raises NotFound, which suggests similar names.

        A provider whose list was never read is assumed to have every model.
        """
        models = self.models(name)
        known = {found.called: found for found in models} | {found.name: found for found in models}
        if model in known:
            return known[model]
        if not model:
            hint = f"Name one: {name}/MODEL. List them with: lockhouse targets models {name}"
            raise UsageMistake(f"No model of {name} was given.", hint=hint)
        if not self.was_listed(name):
            return RemoteModel(name, model)
        raise _no_model(name, model, known)

    def own_name(self, name: str, model: str) -> str:
        """The server's own name of a model, for its name or its short name."""
        found = (one.name for one in self.models(name) if model == one.short)
        return next(found, model)

    # -- rows --------------------------------------------------------------------------------------

    def _rows(self, name: str) -> Sequence[tuple[str, str, int, int]]:
        rows: Sequence[tuple[str, str, int, int]] = self._tables.rows(
            "SELECT name, value, is_listed, is_chosen FROM provider_models"
            " WHERE provider = ? ORDER BY name",
            [name],
        )
        return rows

    def _own(self) -> _ProviderList:
        rows = self._tables.rows("SELECT value FROM providers")
        return [decoded(row[0], Provider) for row in rows]

    def _keep(self, provider: Provider) -> Provider:
        self._tables.change(
            "INSERT OR REPLACE INTO providers VALUES (?, ?)",
            [provider.name, msgspec.json.encode(provider).decode()],
        )
        return provider


def _put(
    database: sqlite_utils.Database, model: RemoteModel, *, is_listed: bool, choice: int
) -> None:
    database.execute(
        "INSERT OR REPLACE INTO provider_models VALUES (?, ?, ?, ?, ?)",
        [
            model.provider,
            model.name,
            msgspec.json.encode(model).decode(),
            int(is_listed),
            choice,
        ],
    )


def _model_of(provider: str, value: str, is_chosen: int) -> RemoteModel:
    model = decoded(value, RemoteModel)
    return msgspec.structs.replace(model, provider=provider, is_chosen=bool(is_chosen))


# Some servers name a model by the path of its file.
_PATH_BEGINS = re.compile(r"[/\\~]|\.{1,2}[/\\]|[A-Za-z]:[/\\]")
_BETWEEN = re.compile(r"[/\\]+")
_MOST_PARTS = 8  # of a path that shall be short


def _is_path(name: str) -> bool:
    is_file = name.lower().endswith(".gguf") and bool(_BETWEEN.search(name))
    return is_file or bool(_PATH_BEGINS.match(name))


def _shortened(models: _ModelList) -> _ModelList:
    names = _short_names(model.name for model in models)
    return [_renamed(model, names) for model in models]


def _renamed(model: RemoteModel, names: Mapping[str, str]) -> RemoteModel:
    return msgspec.structs.replace(model, short=names.get(model.name, ""))


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """For each name that is a path: the end of it that no other model is called by.

    The name of the file, without ``.gguf``; with folders before it where two would be the same.
    """
    every = list(names)
    ends = {name: _ends(name) for name in every if _is_path(name)}
    others = Counter([*every, *(end for tails in ends.values() for end in {*tails})])
    found = {}
    for name, tails in ends.items():
        if alone := [end for end in tails if others[end] == 1]:
            found[name] = alone[0]
    return found


def _ends(path: str) -> list[str]:
    """The last part, the last two, and so on; never all of it."""
    whole = path[:-5] if path.lower().endswith(".gguf") else path
    parts = [part for part in _BETWEEN.split(whole) if part not in ("", ".", "..", "~")]
    return ["/".join(parts[-count:]) for count in range(1, min(len(parts), _MOST_PARTS) + 1)]


def _no_model(provider: str, model: str, known: Iterable[str]) -> NotFound:
    near = difflib.get_close_matches(model, known, n=3, cutoff=0.4)
    similar = ""
    if near:
        similar = f"Did you mean {' or '.join(f'{provider}/{name}' for name in near)}? "
    return NotFound(
        f"{provider} has no model {model!r} on its list.",
        hint=f"{similar}Refresh the list: lockhouse targets models {provider} --refresh",
        code="unknown_model",
    )


# --- addresses -----------------------------------------------------------------------------


def zone_of(urls: Iterable[str]) -> ProviderZone:
    """``lan`` when every address belongs to this machine or a private network."""
    return "lan" if all(_is_near(split_url(url).hostname or "") for url in urls) else "cloud"


def is_this_machine(url: str) -> bool:
    """Whether an address is one of this machine itself."""
    return network.is_this_machine(split_url(url).hostname or "")


def _is_near(host: str) -> bool:
    """Judged by the name alone, without a look-up: one word, or a name that is never public."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((*_LOCAL_SUFFIXES, ".localhost"))
    return is_near(host)


def _checked(provider: Provider) -> Provider:
    """The provider with its addresses in their stored form. Raises UsageMistake."""
    name = provider.name
    if name in _RESERVED:
        raise UsageMistake(
            f"{name!r} is reserved, so it cannot be the name of a provider.",
            hint="Choose another name, such as: office-server",
        )
    if not _NAME.fullmatch(name):
        raise UsageMistake(
            f"{name!r} cannot be the name of a provider.",
            hint="Use lower-case letters, digits and hyphens, at most 32, such as: office-server",
        )
    if not provider.endpoints:
        raise UsageMistake("A provider needs an address.", hint="Such as http://127.0.0.1:8080/v1")
    endpoints = tuple(dict.fromkeys(_checked_url(url, provider.zone) for url in provider.endpoints))
    if len(endpoints) > 1 and provider.zone != "lan":
        raise UsageMistake(
            "Only servers on your own network can have several addresses.",
            hint="Give each address a name of its own.",
        )
    if len(endpoints) > _MOST_ENDPOINTS:
        raise UsageMistake(f"There can be {_MOST_ENDPOINTS} addresses at most.")
    if not _FIELD.fullmatch(provider.max_tokens_field):
        raise UsageMistake(
            f"{provider.max_tokens_field!r} cannot be the name of a field.",
            hint="Such as max_tokens, max_completion_tokens or num_predict.",
        )
    title = " ".join(provider.title.split()) or name
    return msgspec.structs.replace(provider, endpoints=endpoints, title=title)


def _checked_url(url: str, zone: ProviderZone) -> str:
    url = url.strip().rstrip("/")
    parts = split_url(url)
    if parts.username is not None or parts.password is not None:
        raise UsageMistake(
            "An address cannot contain a name or password.",
            hint="Leave it out, and save the key with: lockhouse keys set NAME",
        )
    if parts.query or parts.fragment:
        raise UsageMistake(
            "The address of a server cannot contain ? or #.",
            hint="Save a key with: lockhouse keys set NAME",
        )
    host_of(url)
    if parts.scheme == "http" and zone == "cloud" and not is_this_machine(url):
        raise UsageMistake(
            f"{url} is not encrypted and not on your own network.",
            hint="Use its https:// address. Names of your own network end in .local or .lan, "
            "or are private addresses.",
        )
    return url
