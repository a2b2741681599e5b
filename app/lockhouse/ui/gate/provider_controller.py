"""What can be done with providers, without widgets: keys, models, servers of your own, checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.answer.remote_targets import EndpointHealth
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.gate.key_test import try_key
from lockhouse.gate.memory_scrub import overwrite_freed_memory
from lockhouse.gate.providers import (
    KeyNeed,
    Provider,
    RemoteModel,
    extra_fields,
    presets,
    zone_of,
)
from lockhouse.gate.remote_requests import ListedModels, ListModels
from lockhouse.ui.gate.provider_values import Draft, KeyTest, ProviderRow, ServerCheck
from lockhouse.ui.jobs import Failure, JobHandle, Jobs
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.timers import OneAtATime
from lockhouse.workspace import Workspace

_MOST_NAMED = 3
_PURPOSE = "window"
_QUEUE = "providers"
_Result = TypeVar("_Result")


class ProviderController(QObject):
    """Runs what may wait on threads; ``done`` and ``failed`` are called in the window."""

    listed = Signal(object)  # tuple[ProviderRow, ...]
    tested = Signal(object)  # KeyTest
    answered = Signal(str)  # a name: its test or check is over
    notified = Signal(str)  # for a toast
    failed = Signal(object)  # LockhouseError
    changed = Signal()  # there are other targets now

    def __init__(self, workspace: Workspace, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._jobs = jobs
        self._health: dict[str, tuple[EndpointHealth, ...]] = {}
        self._tests: dict[str, tuple[JobHandle, CancelToken]] = {}
        self._checks: dict[str, JobHandle] = {}
        self._reading = OneAtATime(lambda: jobs.run(self._read, self._show, self._not_read))
        self._wait: list[Callable[[], None]] = []
        self.rows: tuple[ProviderRow, ...] = ()

    # the list

    def refresh(self) -> None:
        """Read everything again. The keyring may take a moment."""
        self._reading.want()

    def _read(self) -> tuple[ProviderRow, ...]:
        known = self._workspace.providers.list()
        wanted = {one.name: one.hosts for one in known if one.key != "none"}
        return self._rows(dict(self._workspace.gate.key_states(wanted)))

    def _rows(
        self, states: Mapping[str, str], *, otherwise: str = "none"
    ) -> tuple[ProviderRow, ...]:
        its = self._workspace
        known = its.providers.list()
        allowed = {consent.provider for consent in its.consents.list()}
        return tuple(
            ProviderRow(
                one,
                states.get(one.name, "none" if one.key == "none" else otherwise),
                one.name in allowed and its.consents.given(one),
                sum(1 for model in its.providers.models(one.name) if model.is_chosen),
                self._health.get(one.name, ()),
            )
            for one in known
        )

    def _show(self, rows: tuple[ProviderRow, ...]) -> None:
        if rows != self.rows:
            self.rows = rows
            self.listed.emit(rows)
        waiting, self._wait = self._wait, []
        for act in waiting:
            act()
        self._reading.end()

    def _not_read(self, error: LockhouseError) -> None:
        self._reading.end(has_failed=True)
        self._wait.clear()
        self.failed.emit(error)

    def when_read(self, act: Callable[[], None]) -> None:
        """Do it once it is known which provider has a key, which may be now."""
        if self.rows:
            act()
        else:
            self._wait.append(act)
            self.refresh()

    def with_rows(self, done: Callable[[tuple[ProviderRow, ...]], None]) -> None:
        """Hand over all providers without waiting for the keyring."""
        known = {row.provider.name: row.key_state for row in self.rows}
        self._jobs.run(lambda: self._rows(known, otherwise="unknown"), done, self.failed.emit)

    def row(self, name: str) -> ProviderRow | None:
        """What is known of one."""
        return next((row for row in self.rows if row.provider.name == name), None)

    # keys

    def set_key(
        self,
        provider: Provider,
        key: str,
        done: Callable[[str], None],
        failed: Failure,
        *,
        for_session: bool = False,
    ) -> None:
        """Save a key; without a keyring, or ``for_session``, as long as the broker runs.

        ``done`` gets the state of the key: "set" in the keyring, or "session".
        """
        its = self._workspace

        def work() -> str:
            state = its.gate.set_key(
                provider.name, key, provider.hosts, purpose=_PURPOSE, for_session=for_session
            )
            its.remotes.forget_key_states()
            return state

        def saved(state: str) -> None:
            done(state)
            self._forget_health(provider.name)
            self.refresh()
            self.changed.emit()  # the chat says whether there is a key
            QTimer.singleShot(0, overwrite_freed_memory)  # the field is empty by now

        self._jobs.run(work, saved, failed)

    def remove_key(self, provider: Provider) -> None:
        """Remove a key, the one of the session too."""
        its = self._workspace

        def work() -> None:
            its.gate.remove_key(provider.name, purpose=_PURPOSE)
            its.remotes.forget_key_states()

        self._change(work, f"API key for {provider.title} removed", key_of=provider.name)

    def test_key(self, provider: Provider) -> None:
        """Request the list of models with the key, which is free."""
        cancel = CancelToken()

        def work() -> KeyTest:
            try:
                tried = try_key(self._workspace.gate, provider, cancel=cancel)
            except LockhouseError as error:
                return KeyTest(provider.name, error.message, error.hint)
            message = f"The key works. {provider.title} lists {tried.models} models."
            return KeyTest(provider.name, message, is_good=True)

        job = self._jobs.run(work, self._show_test, self.failed.emit)
        self._tests[provider.name] = (job, cancel)

    def stop(self, name: str) -> None:
        """Stop waiting for the test or check of a provider."""
        if name in self._tests:
            job, cancel = self._tests.pop(name)
            job.cancel()
            cancel.cancel()
        if name in self._checks:
            self._checks.pop(name).cancel()
        self.answered.emit(name)

    def _show_test(self, test: KeyTest) -> None:
        self._tests.pop(test.name, None)
        self.answered.emit(test.name)
        self.tested.emit(test)
        self.refresh()

    # models

    def load_models(
        self, name: str, done: Callable[[tuple[RemoteModel, ...]], None], failed: Failure
    ) -> None:
        """What is known of a provider's models, without a request."""
        self._jobs.run(lambda: tuple(self._workspace.providers.models(name)), done, failed)

    def request_models(
        self, name: str, done: Callable[[tuple[RemoteModel, ...]], None], failed: Failure
    ) -> None:
        """Request the list of a provider."""
        self._jobs.run(lambda: tuple(self._workspace.remotes.refresh_models(name)), done, failed)

    def choose(self, name: str, model: str, failed: Failure, *, is_chosen: bool) -> None:
        """Make a model a target, or no target any more."""
        providers = self._workspace.providers
        self._store(
            lambda: providers.choose(name, model, is_chosen=is_chosen), lambda _: None, failed
        )

    # consent

    def withdraw(self, provider: Provider) -> None:
        """Ask again before anything goes there."""
        self._change(
            lambda: self._workspace.consents.withdraw(provider.name),
            f"You are asked again before anything is sent to {provider.title}",
        )

    # servers of your own

    def check(
        self, draft: Draft, done: Callable[[list[ServerCheck]], None], failed: Failure
    ) -> JobHandle:
        """Request the models of each address, before the server is added."""
        return self._jobs.run(lambda: [self._check(draft, url) for url in draft.urls], done, failed)

    def _check(self, draft: Draft, url: str) -> ServerCheck:
        request = ListModels(draft.name, draft.dialect, url.rstrip("/"), title=draft.title)  # type: ignore[arg-type] # one of the dialects, chosen from a list
        try:
            found = self._workspace.gate.ask(
                request, reply_type=ListedModels, purpose="check of a server, by you"
            )
        except LockhouseError as error:
            if error.code == "unauthorized":
                return ServerCheck(url, "The server answers and requires an API key.", is_up=True)
            if error.code == "not_there" and not urlsplit(url).path.strip("/"):
                below = self._check(draft, f"{url.rstrip('/')}/v1")
                if below.is_up:
                    message = f"No list of models at this address. Under /v1: {below.message}"
                    return ServerCheck(url, message, better_url=below.url)
            return ServerCheck(url, error.message, error.hint)
        names = tuple(model.name for model in found.models)
        return ServerCheck(url, _found_words(names, found.duration_s), is_up=True)

    def add(self, draft: Draft, done: Callable[[Provider], None], failed: Failure) -> None:
        """Add a server. A key that was typed is for the caller to set."""
        template = presets().template

        def work() -> Provider:
            made = msgspec.structs.replace(_moved(template, draft, draft.name), name=draft.name)
            return self._workspace.providers.add(made)

        self._store(work, done, failed)

    def move(
        self,
        provider: Provider,
        draft: Draft,
        done: Callable[[Provider, tuple[str, ...]], None],
        failed: Failure,
    ) -> None:
        """Give a server other addresses. ``done`` also gets the hosts its key stays bound to."""
        its = self._workspace

        def work() -> tuple[Provider, tuple[str, ...]]:
            kept = its.providers.change(_moved(provider, draft, provider.title))
            its.remotes.forget_key_states()
            return kept, its.remotes.key_left_at(kept)

        def moved(found: tuple[Provider, tuple[str, ...]]) -> None:
            self._forget_health(found[0].name)
            done(*found)

        self._store(work, moved, failed)

    def remove(self, provider: Provider) -> None:
        """Remove a server, its models and its key."""
        its = self._workspace
        row = self.row(provider.name)
        may_have_key = row is not None and row.may_have_key

        def work() -> None:
            if may_have_key:  # first: a locked keyring must not keep one that nobody knows of
                with contextlib.suppress(NotFound):
                    its.gate.remove_key(provider.name, purpose=_PURPOSE)
            its.providers.remove(provider.name)
            its.consents.withdraw(provider.name)
            its.remotes.forget_key_states()

        self._change(work, f"{provider.title} removed")

    def check_health(self, name: str) -> None:
        """Check each of its servers. Only ever because the user wants it."""
        if name in self._checks:
            self._checks.pop(name).cancel()

        def done(found: tuple[EndpointHealth, ...]) -> None:
            self._health[name] = found
            self._checks.pop(name, None)
            self.answered.emit(name)
            self.refresh()

        def fail(error: LockhouseError) -> None:
            self._checks.pop(name, None)
            self.answered.emit(name)
            self.failed.emit(error)

        self._checks[name] = self._jobs.run(
            lambda: tuple(self._workspace.remotes.health(name, purpose=f"check of {name}, by you")),
            done,
            fail,
        )

    def follow(self, view: NetworkView) -> None:
        """Forget the checks once there is no network access."""
        if not view.is_open and self._health:
            self._health.clear()
            self.refresh()

    def _forget_health(self, name: str) -> None:
        """With another key it may answer otherwise, and so may a check that is under way."""
        if name in self._checks:
            self._checks.pop(name).cancel()
            self.answered.emit(name)
        self._health.pop(name, None)

    def can_reach(self, provider: Provider) -> bool:
        """Whether this window can reach it now. Cheap."""
        return self._workspace.gate.way_to(provider.hosts) == "open"

    # inside

    def _store(
        self, work: Callable[[], _Result], done: Callable[[_Result], None], failed: Failure
    ) -> None:
        """Write something of the providers, in the order of the calls."""

        def stored(result: _Result) -> None:
            done(result)
            self.changed.emit()
            self.refresh()

        self._jobs.run_in_order(work, stored, failed, queue_name=_QUEUE)

    def _change(self, work: Callable[[], object], words: str, *, key_of: str = "") -> None:
        """``key_of`` is the provider whose key is changed by it.

        Not in the order of what is stored: a keyring may wait for its password, no chat may.
        """

        def done(_outcome: object) -> None:
            if key_of:
                self._forget_health(key_of)
            self.notified.emit(words)
            self.changed.emit()
            self.refresh()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.refresh()

        self._jobs.run(work, done, fail)


def _moved(provider: Provider, draft: Draft, title: str) -> Provider:
    """At the addresses of the draft; ``title`` is for one without a name."""
    zone = zone_of(draft.urls)
    need: KeyNeed = "optional" if zone == "lan" else "required"
    return msgspec.structs.replace(
        provider,
        title=draft.title or title,
        dialect=draft.dialect,
        zone=zone,
        endpoints=draft.urls,
        key=provider.key if zone == provider.zone else need,
        max_tokens_field=draft.max_tokens_field,
        system_role=draft.system_role,
        body=extra_fields(draft.extra),
    )


def _found_words(names: tuple[str, ...], duration_s: float) -> str:
    count = len(names)
    shown = ", ".join(names[:_MOST_NAMED]) + (" …" if count > _MOST_NAMED else "")
    listed = f"{count} models: {shown}" if count else "no models"
    return f"The server answers in {max(1, round(duration_s * 1000))} ms and lists {listed}."
