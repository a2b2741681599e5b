"""The dialogs around providers: which are open, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.providers import Provider, RemoteModel
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.gate.key_dialog import KeyDialog
from lockhouse.ui.gate.models_dialog import ModelsDialog
from lockhouse.ui.gate.provider_controller import ProviderController
from lockhouse.ui.gate.provider_values import Draft, KeyTest
from lockhouse.ui.gate.server_dialog import ServerDialog
from lockhouse.ui.network_monitor import NetworkMonitor
from lockhouse.ui.theme import Theme

_Dialog = TypeVar("_Dialog", bound=FormDialog)


class ProviderDialogs(QObject):
    """At most one of each kind is open. The page tells what comes back after it was closed."""

    asked = Signal(str)  # a name: a request to it has begun
    notified = Signal(str)  # for a toast
    failed = Signal(str, str)  # message, hint
    ended = Signal()  # the last open one was closed, and no other took its place

    def __init__(
        self, controller: ProviderController, network: NetworkMonitor, theme: Theme, over: QWidget
    ) -> None:
        super().__init__(over)
        self._controller = controller
        self._network = network
        self._theme = theme
        self._over = over
        self._open: dict[type[FormDialog], FormDialog] = {}

    @property
    def any_open(self) -> bool:
        """Whether one of them is open."""
        return bool(self._open)

    # keys

    def set_key(self, name: str) -> None:
        """Ask for an API key."""
        provider = self._provider(name)
        row = self._controller.row(name)
        if provider is None or row is None:
            return
        can_test = self._controller.can_reach(provider)
        dialog = KeyDialog(
            self._theme, row, self._network.view, can_test=can_test, parent=self._over
        )
        dialog.key_given.connect(
            lambda key, for_session: self._save_key(provider, key, for_session=for_session)
        )
        dialog.test_wanted.connect(lambda: self._controller.test_key(provider))
        self._show(dialog)

    def _key_dialog(self, name: str) -> KeyDialog | None:
        """The open one of that provider."""
        dialog = self._opened(KeyDialog)
        return dialog if dialog is not None and dialog.name == name else None

    def _save_key(self, provider: Provider, key: str, *, for_session: bool = False) -> None:
        def saved(state: str) -> None:
            if dialog := self._key_dialog(provider.name):
                dialog.show_saved(state)
            else:
                where = "saved in the keyring" if state == "set" else "held for this session"
                self.notified.emit(f"API key for {provider.title} {where}")

        def failed(error: LockhouseError) -> None:
            if dialog := self._key_dialog(provider.name):
                dialog.show_failed(error)
            else:  # a server was added together with its key
                message = f"The API key for {provider.title} was not saved. {error.message}"
                self.failed.emit(message, error.hint)

        self._controller.set_key(provider, key, saved, failed, for_session=for_session)

    def test_key(self, name: str) -> None:
        """Ask the provider whether it accepts the key."""
        provider = self._provider(name)
        if provider is not None:
            self.asked.emit(name)
            self._controller.test_key(provider)

    def show_tested(self, test: KeyTest) -> None:
        """The answer to that."""
        if dialog := self._key_dialog(test.name):
            dialog.show_tested(test)
        elif test.is_good:
            self.notified.emit(test.message)
        else:
            self.failed.emit(test.message, test.hint)

    def remove_key(self, name: str) -> None:
        """Ask, then remove a key."""
        provider = self._provider(name)
        if provider is not None:
            self._confirm(
                f"Remove the API key for {provider.title}?",
                f"{provider.title} cannot be used until another key is set. The key itself stays "
                "valid: only the provider can revoke it.",
                "Remove key",
                lambda: self._controller.remove_key(provider),
            )

    # models

    def show_models(self, name: str) -> None:
        """The models of a provider."""
        row = self._controller.row(name)
        if row is None:
            return
        dialog = ModelsDialog(self._theme, row, self._network.view, self._over)

        def failed(error: LockhouseError) -> None:
            if self._opened(ModelsDialog) is dialog:
                dialog.show_failed(error)
            else:
                self.failed.emit(error.message, error.hint)

        def show(models: tuple[RemoteModel, ...]) -> None:
            if self._opened(ModelsDialog) is dialog:
                dialog.show_models(models)

        dialog.read_wanted.connect(lambda: self._controller.request_models(name, show, failed))
        dialog.chosen.connect(
            lambda model, is_chosen: self._controller.choose(
                name, model, failed, is_chosen=is_chosen
            )
        )
        dialog.key_wanted.connect(lambda: self._instead(dialog, lambda: self.set_key(name)))
        dialog.change_wanted.connect(lambda: self._instead(dialog, lambda: self.change(name)))
        self._show(dialog)
        self._controller.load_models(name, show, failed)

    def withdraw(self, name: str) -> None:
        """Ask again before anything is sent there."""
        provider = self._provider(name)
        if provider is not None:
            self._controller.withdraw(provider)

    # servers

    def add(self) -> None:
        """Add a server of your own, or any API."""
        dialog = ServerDialog(self._theme, self._controller, self._network, self._over)

        def add(draft: Draft) -> None:
            def done(provider: Provider) -> None:
                self._added(provider, "Added")
                if draft.key:
                    self._save_key(provider, draft.key)

            self._controller.add(draft, done, self._add_failed)

        dialog.add_wanted.connect(add)
        self._show(dialog)

    def change(self, name: str) -> None:
        """Change the address of a server of your own."""
        row = self._controller.row(name)
        if row is None or not row.is_own:
            return
        dialog = ServerDialog(
            self._theme, self._controller, self._network, self._over, changing=row.provider
        )
        dialog.add_wanted.connect(
            lambda draft: self._controller.move(row.provider, draft, self._moved, self._add_failed)
        )
        self._show(dialog)

    def check(self, name: str) -> None:
        """Check each of its servers."""
        self.asked.emit(name)
        self._controller.check_health(name)

    def remove(self, name: str) -> None:
        """Ask, then remove a server."""
        row = self._controller.row(name)
        if row is not None:
            self._confirm(
                f"Remove {row.provider.title}?",
                f"This removes {row.place}, its models and its API key from Lockhouse. Answers "
                "from it stay in their chats.",
                "Remove",
                lambda: self._controller.remove(row.provider),
            )

    def _added(self, provider: Provider, done: str) -> None:
        if dialog := self._opened(ServerDialog):
            dialog.accept()
        self.notified.emit(f"{done} {provider.title}")
        if self._controller.can_reach(provider):
            self._controller.request_models(
                provider.name,
                lambda _models: None,
                lambda error: self.failed.emit(error.message, error.hint),
            )

    def _moved(self, provider: Provider, key_left_at: tuple[str, ...]) -> None:
        self._added(provider, "Changed")
        if key_left_at:
            hosts = ", ".join(key_left_at)
            self.failed.emit(
                f"The API key for {provider.title} was set for {hosts} and is sent nowhere else.",
                "Set the key again if the new address may have it.",
            )

    def _add_failed(self, error: LockhouseError) -> None:
        if dialog := self._opened(ServerDialog):
            dialog.show_failed(error)
        else:
            self.failed.emit(error.message, error.hint)

    # inside

    def _provider(self, name: str) -> Provider | None:
        row = self._controller.row(name)
        return row.provider if row is not None else None

    def _instead(self, dialog: FormDialog, act: Callable[[], None]) -> None:
        dialog.accept()
        act()

    def _confirm(self, title: str, message: str, yes: str, act: Callable[[], None]) -> None:
        dialog = ChoiceDialog(
            self._theme,
            title,
            message,
            choices=(("yes", yes),),
            close_words="Cancel",
            destroys=True,
            parent=self._over,
        )
        dialog.setObjectName("provider_question")
        dialog.chosen.connect(lambda _: act())
        self._show(dialog)

    def _opened(self, kind: type[_Dialog]) -> _Dialog | None:
        dialog = self._open.get(kind)
        return dialog if isinstance(dialog, kind) else None

    def _show(self, dialog: FormDialog) -> None:
        """Show it instead of the open one of its kind."""
        kind = type(dialog)
        if before := self._open.get(kind):
            before.close()
        self._open[kind] = dialog

        def close() -> None:
            del self._open[kind]
            # One dialog may open another as it closes.
            QTimer.singleShot(0, self, self._tell_end)

        dialog.finished.connect(close)
        dialog.show_once()

    def _tell_end(self) -> None:
        if not self.any_open:
            self.ended.emit()
