"""Providers as the page shows them: what is known of each, and its state in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lockhouse.answer.remote_targets import EndpointHealth
from lockhouse.gate.network import allows, split_host
from lockhouse.gate.providers import Provider, SystemRole
from lockhouse.ui import formatting


class StateWords(NamedTuple):
    """A state: icon, words, and the ink of both, as a label names it."""

    icon: str
    words: str
    ink: str

    @property
    def token(self) -> str:
        """The colour of the icon."""
        return {"2": "text-2", "3": "text-3"}.get(self.ink, self.ink)


_KEYS = {
    "set": StateWords("key-round", "Key saved", "2"),
    "session": StateWords("key-round", "Session key", "2"),
    "locked": StateWords("lock", "Keyring locked", "warning"),
    "silent": StateWords("triangle-alert", "Keyring not responding", "warning"),
    "none": StateWords("", "No key", "3"),
    "no_keyring": StateWords("", "No key", "3"),
}
_NO_KEY_STATES = ("none", "no_keyring")


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider and everything that is known of it on this machine."""

    provider: Provider
    key_state: str = "none"
    may_send: bool = False  # a consent was given
    chosen: int = 0  # models among the targets
    health: tuple[EndpointHealth, ...] = ()

    @property
    def is_own(self) -> bool:
        """Added by the user, not part of the program."""
        return not self.provider.is_preset

    @property
    def has_key(self) -> bool:
        """Whether there certainly is one."""
        return self.key_state in ("set", "session")

    @property
    def may_have_key(self) -> bool:
        """Whether there is one, or it is unknown because the keyring is locked or silent."""
        return self.key_state not in _NO_KEY_STATES

    @property
    def wants_key(self) -> bool:
        """Whether it cannot be used before a key is set."""
        if self.may_have_key or self.provider.key == "none":
            return False
        return self.key_refused or self.provider.key == "required"

    @property
    def key_refused(self) -> bool:
        """Whether it refused a request without a key, or with the one it has."""
        return any(one.code == "unauthorized" for one in self.health)

    @property
    def is_server(self) -> bool:
        """Whether it is a server of your own, which can be checked."""
        return self.provider.zone == "lan"

    @property
    def checked_at(self) -> str:
        """When it was last checked; empty when it was not."""
        return max((one.checked_at for one in self.health), default="")

    @property
    def is_used(self) -> bool:
        """Whether the user has done anything with it."""
        return self.is_own or self.has_key or self.may_send or self.chosen > 0

    @property
    def place(self) -> str:
        """Its first host, and how many more there are."""
        hosts = [host.removesuffix(":443") for host in self.provider.hosts]
        more = len(hosts) - 1
        return hosts[0] if not more else f"{hosts[0]} and {more} more"

    @property
    def short_place(self) -> str:
        """The same where there is little room."""
        return self.place.replace(" and ", " +").removesuffix(" more")

    def is_open(self, open_hosts: Iterable[str]) -> bool:
        """Whether network access to all of its hosts is allowed."""
        listed = tuple(open_hosts)
        return all(allows(listed, *split_host(host)) for host in self.provider.hosts)

    def state(self) -> StateWords:
        """Its key, or how its servers are."""
        if self.is_server and self.health:
            return _health_words(self)
        if self.provider.key == "none" or (self.provider.key == "optional" and not self.has_key):
            return StateWords("", "Not checked" if self.is_server else "No key needed", "3")
        return _KEYS.get(self.key_state, _KEYS["none"])


@dataclass(frozen=True, slots=True)
class KeyTest:
    """The result of testing a key, in a sentence."""

    name: str
    message: str
    hint: str = ""
    is_good: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A server of your own, as it is typed."""

    name: str
    title: str
    urls: tuple[str, ...]
    dialect: str
    key: str = field(default="", repr=False)
    max_tokens_field: str = "max_tokens"
    system_role: SystemRole = "system"
    extra: str = ""  # fields of every request, as a JSON object


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """What an address answered before it was added."""

    url: str
    message: str
    hint: str = ""
    is_up: bool = False
    better_url: str = ""  # the address that its list was found at


# It was reached and answered something: "No answer" would be wrong.
_ANSWERED = ("not_there", "redirected", "bad_stream", "forbidden")


def _health_words(row: ProviderRow) -> StateWords:
    health = row.health
    up = [one for one in health if one.is_up and not one.problem]
    if not up:
        if health[0].code == "unauthorized":
            shown = "Key rejected" if row.may_have_key else "Key required"
        else:
            answered = any(one.code in _ANSWERED for one in health)
            shown = "Unexpected answer" if answered else "No answer"
        return StateWords("circle-alert", shown, "warning")
    latency = formatting.latency(min(one.latency_s for one in up))
    if len(up) == len(health):
        shown = f"Up, {latency}" if len(health) == 1 else f"All {len(health)} up, {latency}"
        return StateWords("circle-check", shown, "success")
    return StateWords("triangle-alert", f"{len(up)} of {len(health)} up, {latency}", "warning")
