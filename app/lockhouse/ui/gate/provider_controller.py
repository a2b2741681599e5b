"""Providers without widgets: keys, models, servers of one's own, and whether they answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.answer.remote_targets import EndpointHealth
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.gate.key_test import try_key
from lockhouse.gate.memory_scrub import overwrite_freed_memory
from lockhouse.gate.providers import KeyNeed, Provider, RemoteModel, presets, zone_of
from lockhouse.gate.remote_requests import ListedModels, ListModels, ProviderZone
from lockhouse.ui.gate.provider_values import Checked, Draft, KeyTest, ProviderRow
from lockhouse.ui.jobs import JobHandle, Jobs
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.workspace import Workspace

_MOST_NAMED = 3
_PURPOSE = "window"
_QUEUE = "providers"


class ProviderController(QObject):
    """What can be done with each provider. Everything that may wait is done on a thread."""

    listed = Signal(object)  # tuple[ProviderRow, ...]
    key_kept = Signal(str, str)  # name, state
    tested = Signal(object)  # KeyTest
    answered = Signal(str)  # a name: what was asked of it is over
    models_read = Signal(str, object)  # name, tuple[RemoteModel, ...]
    added = Signal(object)  # Provider
    moved = Signal(object, object)  # Provider at another address, hosts its key stays bound to
    checked = Signal(object)  # Checked
    told = Signal(str)
    failed = Signal(object)  # LockhouseError
    key_failed = Signal(str, object)  # name, LockhouseError
    models_failed = Signal(str, object)
    add_failed = Signal(object)
    changed = Signal()  # which targets there are

    def __init__(self, workspace: Workspace, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._jobs = jobs
        self._health: dict[str, tuple[EndpointHealth, ...]] = {}
        self._tests: dict[str, tuple[JobHandle, CancelToken]] = {}
        self._checks: dict[str, JobHandle] = {}
        self._reading = self._stale = False
        self._wait: list[Callable[[], None]] = []
        self.rows: tuple[ProviderRow, ...] = ()

    # the list

    def refresh(self) -> None:
        """Read everything again. The keyring is asked, so it may take a moment."""
        if self._reading:
            self._stale = True
            return
        self._reading = True
        self._jobs.run(self._read, self._show, self._not_read)

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
        self._reading = False
        if rows != self.rows:
            self.rows = rows
            self.listed.emit(rows)
        waiting, self._wait = self._wait, []
        for act in waiting:
            act()
        if self._stale:
            self._stale = False
            self.refresh()

    def _not_read(self, error: LockhouseError) -> None:
        self._reading = self._stale = False
        self._wait.clear()
        self.failed.emit(error)

    def when_read(self, act: Callable[[], None]) -> None:
        """Do it once it is known who has a key, which may be now."""
        if self.rows:
            act()
        else:
            self._wait.append(act)
            self.refresh()

    def with_rows(self, done: Callable[[tuple[ProviderRow, ...]], None]) -> None:
        """Hand over all providers at once: the keyring is not asked, nobody waits for it."""
        known = {row.provider.name: row.key_state for row in self.rows}
        self._jobs.run(lambda: self._rows(known, otherwise="unknown"), done, self.failed.emit)

    def row(self, name: str) -> ProviderRow | None:
        """What is known of one."""
        return next((row for row in self.rows if row.provider.name == name), None)

    # keys

    def set_key(self, provider: Provider, key: str, *, for_session: bool = False) -> None:
        """Keep a key; where there is no keyring, or so wished, for as long as the broker lives."""
        its = self._workspace

        def work() -> str:
            state = its.gate.set_key(
                provider.name, key, provider.hosts, purpose=_PURPOSE, for_session=for_session
            )
            its.remotes.forget_key_states()
            return state

        def done(state: str) -> None:
            self.key_kept.emit(provider.name, state)
            self._forget_health(provider.name)
            self.refresh()
            QTimer.singleShot(0, overwrite_freed_memory)  # the field is empty by now

        self._jobs.run(work, done, lambda error: self.key_failed.emit(provider.name, error))

    def remove_key(self, provider: Provider) -> None:
        """Forget a key, the one of the session too."""
        its = self._workspace

        def work() -> None:
            its.gate.remove_key(provider.name, purpose=_PURPOSE)
            its.remotes.forget_key_states()

        self._change(work, f"The key for {provider.title} is gone", key_of=provider.name)

    def test_key(self, provider: Provider) -> None:
        """Ask the provider for its models, with the key: costs nothing."""
        cancel = CancelToken()

        def work() -> KeyTest:
            try:
                tried = try_key(self._workspace.gate, provider, cancel=cancel)
            except LockhouseError as error:
                return KeyTest(provider.name, error.message, error.hint)
            told = f"The key works: {provider.title} lists {tried.models} models."
            return KeyTest(provider.name, told, is_good=True)

        job = self._jobs.run(work, self._show_test, self.failed.emit)
        self._tests[provider.name] = (job, cancel)

    def stop(self, name: str) -> None:
        """Wait no more for what was asked of that one."""
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

    def load_models(self, name: str) -> None:
        """What is known of a provider's models, without asking it."""
        self._jobs.run(
            lambda: tuple(self._workspace.providers.models(name)),
            lambda found: self.models_read.emit(name, found),
            lambda error: self.models_failed.emit(name, error),
        )

    def read_models(self, name: str) -> JobHandle:
        """Ask the provider for its list."""
        return self._jobs.run(
            lambda: tuple(self._workspace.remotes.refresh_models(name)),
            lambda found: self.models_read.emit(name, found),
            lambda error: self.models_failed.emit(name, error),
        )

    def choose(self, name: str, model: str, *, is_chosen: bool) -> None:
        """Put a model among the targets, or take it away."""

        def work() -> RemoteModel:
            return self._workspace.providers.choose(name, model, is_chosen=is_chosen)

        def done(_model: RemoteModel) -> None:
            self.changed.emit()
            self.refresh()

        self._jobs.run_in_order(
            work, done, lambda error: self.models_failed.emit(name, error), queue_name=_QUEUE
        )

    # consent

    def withdraw(self, provider: Provider) -> None:
        """Ask again before anything goes there."""
        self._change(
            lambda: self._workspace.consents.withdraw(provider.name),
            f"Nothing goes to {provider.title} without a question any more",
        )

    # servers of one's own

    def check(self, draft: Draft) -> JobHandle:
        """Ask each address for its models, before the server is kept."""

        def work() -> tuple[Checked, ...]:
            return tuple(self._check(draft, url) for url in draft.urls)

        def done(found: tuple[Checked, ...]) -> None:
            for one in found:
                self.checked.emit(one)

        return self._jobs.run(work, done, self.add_failed.emit)

    def _check(self, draft: Draft, url: str) -> Checked:
        request = ListModels(draft.name, draft.dialect, url.rstrip("/"), title=draft.title)  # type: ignore[arg-type] # one of the dialects, chosen from a list
        try:
            found = self._workspace.gate.ask(
                request, reply_type=ListedModels, purpose="check of a server, asked by you"
            )
        except LockhouseError as error:
            if error.code == "unauthorized":
                return Checked(url, "It answers, and wants a key.", is_up=True)
            if error.code == "not_there" and not urlsplit(url).path.strip("/"):
                below = self._check(draft, f"{url.rstrip('/')}/v1")
                if below.is_up:
                    told = f"There is no list of models at this address. Under /v1: {below.message}"
                    return Checked(url, told, better_url=below.url)
            return Checked(url, error.message, error.hint)
        names = tuple(model.name for model in found.models)
        return Checked(url, _found_words(names, found.duration_s), is_up=True, models=names)

    def add(self, draft: Draft) -> None:
        """Make a server known, and keep its key when one was typed."""
        its = self._workspace

        def work() -> Provider:
            template = presets().template
            zone = zone_of(draft.urls)
            made = msgspec.structs.replace(
                template,
                name=draft.name,
                title=draft.title or draft.name,
                dialect=draft.dialect,
                zone=zone,
                endpoints=draft.urls,
                key=_key_need(zone),
            )
            return its.providers.add(made)

        def done(provider: Provider) -> None:
            self.added.emit(provider)
            self.changed.emit()
            self.refresh()
            if draft.key:
                self.set_key(provider, draft.key)

        self._jobs.run_in_order(work, done, self.add_failed.emit, queue_name=_QUEUE)

    def move(self, provider: Provider, draft: Draft) -> None:
        """Give a server of one's own other addresses. Its key stays bound to the old ones."""
        its = self._workspace

        def work() -> tuple[Provider, tuple[str, ...]]:
            zone = zone_of(draft.urls)
            changed = msgspec.structs.replace(
                provider,
                title=draft.title or provider.title,
                dialect=draft.dialect,
                zone=zone,
                endpoints=draft.urls,
                key=provider.key if zone == provider.zone else _key_need(zone),
            )
            kept = its.providers.change(changed)
            its.remotes.forget_key_states()
            return kept, its.remotes.key_left_at(kept)

        def done(moved: tuple[Provider, tuple[str, ...]]) -> None:
            kept, key_left_at = moved
            self._forget_health(kept.name)
            self.moved.emit(kept, key_left_at)
            self.changed.emit()
            self.refresh()

        self._jobs.run_in_order(work, done, self.add_failed.emit, queue_name=_QUEUE)

    def remove(self, provider: Provider) -> None:
        """Forget a server, its models and its key."""
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

        self._change(work, f"{provider.title} was removed")

    def check_health(self, name: str) -> None:
        """Ask each of its servers whether it is there. Only ever because somebody wants it."""
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
            lambda: tuple(
                self._workspace.remotes.health(name, purpose=f"check of {name}, asked by you")
            ),
            done,
            fail,
        )

    def follow(self, view: NetworkView) -> None:
        """What was known of servers says nothing any more once there is no door to them."""
        if not view.is_open and self._health:
            self._health.clear()
            self.refresh()

    def _forget_health(self, name: str) -> None:
        """With another key it may answer otherwise; what is being asked with the old one too."""
        if name in self._checks:
            self._checks.pop(name).cancel()
            self.answered.emit(name)
        self._health.pop(name, None)

    def can_reach(self, provider: Provider) -> bool:
        """Whether this window can reach it now. Cheap."""
        return self._workspace.gate.way_to(provider.hosts) == "open"

    # inside

    def _change(self, work: Callable[[], object], words: str, *, key_of: str = "") -> None:
        """``key_of`` is the provider whose key is changed by it.

        Beside what is stored in order: a keyring may wait for its password, and no chat may.
        """

        def done(_outcome: object) -> None:
            if key_of:
                self._forget_health(key_of)
            self.told.emit(words)
            self.changed.emit()
            self.refresh()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)
            self.refresh()

        self._jobs.run(work, done, fail)


def _key_need(zone: ProviderZone) -> KeyNeed:
    return "optional" if zone == "lan" else "required"


def _found_words(names: tuple[str, ...], duration_s: float) -> str:
    count = len(names)
    shown = ", ".join(names[:_MOST_NAMED]) + (" …" if count > _MOST_NAMED else "")
    listed = f"{count} models: {shown}" if count else "no models"
    return f"It answers in {max(1, round(duration_s * 1000))} ms and lists {listed}."
