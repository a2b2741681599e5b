"""The dialogs around providers: which is open, and what each of them is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QDialog, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.network import allows, split_host
from lockhouse.gate.providers import Provider, RemoteModel, host_of, zone_of
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.gate.key_dialog import KeyDialog
from lockhouse.ui.gate.models_dialog import ModelsDialog
from lockhouse.ui.gate.provider_controller import ProviderController
from lockhouse.ui.gate.provider_values import Checked, Draft, KeyTest
from lockhouse.ui.gate.server_dialog import ServerDialog
from lockhouse.ui.jobs import JobHandle
from lockhouse.ui.network_monitor import NetworkView, NetworkWatch
from lockhouse.ui.theme import Theme


class ProviderDialogs(QObject):
    """At most one of each kind is open."""

    asked = Signal(str)  # a name: something is asked of it now
    told = Signal(str)
    troubled = Signal(str, str)  # message, hint
    ended = Signal()  # the last open one was closed, and no other took its place

    def __init__(
        self, controller: ProviderController, network: NetworkWatch, theme: Theme, over: QWidget
    ) -> None:
        super().__init__(over)
        self._controller = controller
        self._network = network
        self._theme = theme
        self._over = over
        self._key: tuple[str, KeyDialog] | None = None
        self._checking: JobHandle | None = None
        self._server: ServerDialog | None = None
        self._models: ModelsDialog | None = None
        self._draft: Draft | None = None
        controller.key_kept.connect(self._key_kept)
        controller.key_failed.connect(self._key_failed)
        controller.models_read.connect(self._models_read)
        controller.models_failed.connect(self._models_failed)
        controller.checked.connect(self._checked)
        controller.added.connect(lambda provider: self._added(provider, "Added"))
        controller.moved.connect(self._moved)
        controller.add_failed.connect(self._add_failed)
        network.changed.connect(self._follow)
        network.failed.connect(self._not_opened)

    @property
    def any_open(self) -> bool:
        """Whether a key, models or a server are being asked about."""
        return any((self._key, self._models, self._server))

    # keys

    def set_key(self, name: str) -> None:
        """Ask for a key."""
        row = self._controller.row(name)
        if row is None:
            return
        if self._key is not None:
            self._key[1].close()
        can_test = self._controller.can_reach(row.provider)
        dialog = KeyDialog(
            self._theme, row, self._network.view, can_test=can_test, parent=self._over
        )
        dialog.key_given.connect(
            lambda key, for_session: self._controller.set_key(
                row.provider, key, for_session=for_session
            )
        )
        dialog.test_wanted.connect(lambda: self._controller.test_key(row.provider))
        self._key = (name, dialog)
        dialog.finished.connect(self._close_key)
        self._show(dialog)

    def test_key(self, name: str) -> None:
        """Ask the provider whether it takes the key."""
        row = self._controller.row(name)
        if row is not None:
            self.asked.emit(name)
            self._controller.test_key(row.provider)

    def show_tested(self, test: KeyTest) -> None:
        """What it said."""
        if self._key is not None and self._key[0] == test.name:
            self._key[1].show_tested(test)
        elif test.is_good:
            self.told.emit(test.message)
        else:
            self.troubled.emit(test.message, test.hint)

    def remove_key(self, name: str) -> None:
        """Ask, then forget a key."""
        row = self._controller.row(name)
        if row is None:
            return
        title = row.provider.title
        self._confirm(
            f"Remove the key for {title}?",
            "Nothing can be asked of it any more until another key is set. The key itself stays "
            "valid: it is ended at the provider only.",
            "Remove the key",
            lambda: self._controller.remove_key(row.provider),
        )

    # models and servers

    def show_models(self, name: str) -> None:
        """The models of a provider."""
        row = self._controller.row(name)
        if row is None:
            return
        if self._models is not None:
            self._models.close()
        dialog = ModelsDialog(self._theme, row, self._network.view, self._over)
        dialog.read_wanted.connect(lambda: self._controller.read_models(name))
        dialog.chosen.connect(
            lambda model, is_chosen: self._controller.choose(name, model, is_chosen=is_chosen)
        )
        dialog.key_wanted.connect(lambda: self._instead(dialog, lambda: self.set_key(name)))
        dialog.change_wanted.connect(lambda: self._instead(dialog, lambda: self.change(name)))
        self._models = dialog
        dialog.finished.connect(self._close_models)
        self._controller.load_models(name)
        self._show(dialog)

    def withdraw(self, name: str) -> None:
        """Ask again before anything goes there."""
        row = self._controller.row(name)
        if row is not None:
            self._controller.withdraw(row.provider)

    def add(self) -> None:
        """A server of one's own, or any API."""
        dialog = ServerDialog(self._theme, self._network.view, self._over)
        dialog.add_wanted.connect(self._controller.add)
        self._show_server(dialog)

    def change(self, name: str) -> None:
        """Another address for a server of one's own."""
        row = self._controller.row(name)
        if row is None or not row.is_own:
            return
        dialog = ServerDialog(self._theme, self._network.view, self._over, changing=row.provider)
        dialog.add_wanted.connect(lambda draft: self._controller.move(row.provider, draft))
        self._show_server(dialog)

    def _show_server(self, dialog: ServerDialog) -> None:
        if self._server is not None:
            self._server.close()
        dialog.check_wanted.connect(self._check)
        dialog.open_wanted.connect(self._open)
        self._server = dialog
        dialog.finished.connect(self._close_server)
        self._show(dialog)

    def check(self, name: str) -> None:
        """Ask each of its servers whether it is there."""
        self.asked.emit(name)
        self._controller.check_health(name)

    def remove(self, name: str) -> None:
        """Ask, then forget a server."""
        row = self._controller.row(name)
        if row is None:
            return
        self._confirm(
            f"Remove {row.provider.title}?",
            f"Lockhouse forgets {row.place}, its models and its key. Answers from it stay in their "
            "chats.",
            "Remove",
            lambda: self._controller.remove(row.provider),
        )

    # what came back

    def _key_kept(self, name: str, state: str) -> None:
        if self._key is not None and self._key[0] == name:
            self._key[1].show_kept(state)
        else:
            where = "is in the keyring" if state == "set" else "is held for this session"
            self.told.emit(f"The key {where}")

    def _key_failed(self, name: str, error: LockhouseError) -> None:
        if self._key is not None and self._key[0] == name:
            self._key[1].show_failed(error)
        else:  # a server was added together with its key
            row = self._controller.row(name)
            title = row.provider.title if row is not None else name
            self.troubled.emit(f"The key of {title} was not kept. {error.message}", error.hint)

    def _models_read(self, name: str, models: tuple[RemoteModel, ...]) -> None:
        if self._models is not None and self._models.name == name:
            self._models.show_models(models)

    def _models_failed(self, name: str, error: LockhouseError) -> None:
        if self._models is not None and self._models.name == name:
            self._models.show_failed(error)
        else:
            self.troubled.emit(error.message, error.hint)

    def _check(self, draft: Draft) -> None:
        """At once, or as soon as the door is open to it."""
        if self._is_open(draft.urls):
            self._begin_check(draft)
        else:
            self._draft = draft

    def _begin_check(self, draft: Draft) -> None:
        self._stop_check()
        self._checking = self._controller.check(draft)

    def _stop_check(self) -> None:
        """What comes of it is nobody's business any more."""
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def _not_opened(self, error: LockhouseError) -> None:
        if self._draft is not None and self._server is not None:
            self._draft = None
            self._server.show_failed(error)

    def _open(self, urls: Sequence[str]) -> None:
        hosts = tuple(host_of(url) for url in urls)
        near = zone_of(urls) == "lan"
        self._network.open_to(() if near else hosts, hosts if near else (), add=True)

    def _is_open(self, urls: Sequence[str]) -> bool:
        listed = self._network.view.hosts
        return all(allows(listed, *split_host(host_of(url))) for url in urls)

    def _follow(self, view: NetworkView) -> None:
        if self._server is not None:
            self._server.show_network(view)
        draft = self._draft
        if draft is not None and self._is_open(draft.urls):
            self._draft = None
            self._begin_check(draft)

    def _checked(self, checked: Checked) -> None:
        if self._server is not None:
            self._server.show_checked(checked)

    def _added(self, provider: Provider, done: str) -> None:
        if self._server is not None:
            self._server.accept()
        self.told.emit(f"{done} {provider.title}")
        if self._controller.can_reach(provider):
            self._controller.read_models(provider.name)

    def _moved(self, provider: Provider, key_left_at: tuple[str, ...]) -> None:
        self._added(provider, "Changed")
        if key_left_at:
            hosts = ", ".join(key_left_at)
            self.troubled.emit(
                f"The key of {provider.title} was set for {hosts} and is sent nowhere else.",
                "Set it anew if the new address may have it.",
            )

    def _add_failed(self, error: LockhouseError) -> None:
        if self._server is not None:
            self._server.show_failed(error)
        else:
            self.troubled.emit(error.message, error.hint)

    # inside

    def _instead(self, dialog: QDialog, act: Callable[[], None]) -> None:
        dialog.accept()
        act()

    def _confirm(self, title: str, message: str, yes: str, act: Callable[[], None]) -> None:
        dialog = ChoiceDialog(
            self._theme,
            title,
            message,
            choices=(("yes", yes),),
            close_words="Cancel",
            parent=self._over,
        )
        dialog.setObjectName("provider_question")
        dialog.chosen.connect(lambda _: act())
        self._show(dialog)

    def _show(self, dialog: QDialog) -> None:
        dialog.finished.connect(dialog.deleteLater)
        # One dialog may open another as it closes.
        dialog.finished.connect(lambda _: QTimer.singleShot(0, self, self._tell_end))
        dialog.show()

    def _tell_end(self) -> None:
        if not self.any_open:
            self.ended.emit()

    def _close_key(self, _result: int) -> None:
        self._key = None

    def _close_models(self, _result: int) -> None:
        self._models = None

    def _close_server(self, _result: int) -> None:
        self._server = None
        self._draft = None
        self._stop_check()
