"""Setting a key: typed or pasted, kept, tested, and never shown again."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.gate.keys import checked
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate.provider_values import KeyTest, ProviderRow
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, BannerTone, Spinner

_KEPT = (
    "It is kept in this system’s keyring and nowhere else, goes to {hosts} only, and is never shown"
    " again. The broker reads it when it sends something; the window forgets it at once."
)
_NO_KEYRING = (
    "This system has no keyring that could keep it safely. The broker then holds it in its memory"
    " until Lockhouse closes, and it goes to {hosts} only. It is written nowhere."
)
_FOR_SESSION = (
    "The broker holds it in its memory until Lockhouse closes, and it goes to {hosts} only. It is"
    " written nowhere, and the keyring is left alone."
)
_NO_KEYRING_SEALED = (
    "This system has no keyring that could keep it safely, and while the network is sealed there is"
    " no broker to hold it. Open a door first, or install gnome-keyring or KWallet."
)


_KEYRING_FAILED = ("keyring_locked", "keyring_silent")


class KeyDialog(QDialog):
    """For one provider. The key leaves this dialog once, and the field is emptied."""

    key_given = Signal(str, bool)  # the key; whether it is for this session only
    test_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        row: ProviderRow,
        view: NetworkView,
        *,
        can_test: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._row = row
        self._can_test = can_test
        self._is_open = view.is_open
        self._for_session = False
        self._banner: Banner | None = None
        provider, px = row.provider, theme.px
        self.setObjectName("key_dialog")
        self.setWindowTitle(f"Key for {provider.title}")
        self.setMinimumWidth(px(520))
        self._hosts = ", ".join(host.removesuffix(":443") for host in provider.hosts)
        no_keyring = row.key_state in ("no_keyring", "session")
        words = _KEPT
        if no_keyring:
            words = _NO_KEYRING if view.is_open else _NO_KEYRING_SEALED
        self._is_possible = not no_keyring or view.is_open
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(px(24), px(20), px(24), px(20))
        self._column.setSpacing(px(10))
        again = "Replace the key for" if row.has_key else "Key for"
        self._column.addWidget(label(f"{again} {provider.title}", role="h3", wrap=True))
        self._words = label(words.format(hosts=self._hosts), ink="2", wrap=True, name="key_words")
        self._column.addWidget(self._words)
        if provider.key_page:
            made = label(
                f"Keys are made at {provider.key_page.removeprefix('https://')}", ink="3", wrap=True
            )
            made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._column.addWidget(made)
        self.edit = self._make_edit()
        self._column.addWidget(self.edit)
        self._problem = label("", role="caption", ink="danger", wrap=True, name="key_problem")
        self._problem.hide()
        self._column.addWidget(self._problem)
        self._column.addStretch(1)
        self._column.addLayout(self._make_buttons())

    def _make_edit(self) -> QLineEdit:
        edit = QLineEdit()
        edit.setObjectName("key_edit")
        edit.setAccessibleName(f"Key for {self._row.provider.title}")
        edit.setPlaceholderText("Paste the key")
        edit.setEchoMode(QLineEdit.EchoMode.Password)
        edit.setInputMethodHints(
            Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText
        )
        edit.setEnabled(self._is_possible)
        edit.textChanged.connect(self._look_at)
        return edit

    def _make_buttons(self) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        self._spinner = Spinner(theme, "Working")
        self._spinner.hide()
        self._doing = label("", role="caption", ink="2", name="key_doing")
        self._close = push_button(theme, "Cancel", name="key_cancel")
        self._close.clicked.connect(self.reject)
        self._test = push_button(theme, "Test", name="key_test")
        self._test.setToolTip("Asks for the list of models, which costs nothing")
        self._test.clicked.connect(self._ask_test)
        self._test.hide()
        self._keep = push_button(theme, "Keep the key", name="key_keep", kind="primary")
        self._keep.setDefault(True)
        self._keep.setEnabled(False)
        self._keep.clicked.connect(self._give)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(self._spinner)
        row.addWidget(self._doing)
        row.addStretch(1)
        for button in (self._close, self._test, self._keep):
            row.addWidget(button)
        return row

    def _look_at(self, text: str) -> None:
        problem = ""
        if text:
            try:
                checked(text)
            except InvalidInput as error:
                problem = error.message
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._keep.setEnabled(bool(text) and not problem and self._is_possible)

    def _give(self) -> None:
        key = self.edit.text()
        self.edit.clear()
        self._keep.setEnabled(False)
        asks = self._row.key_state == "locked" and not self._for_session
        self._begin("The system may ask for the keyring’s password" if asks else "Keeping it…")
        self.key_given.emit(key, self._for_session)

    def _begin(self, words: str) -> None:
        self._spinner.show()
        self._doing.setText(words)

    def _rest(self) -> None:
        self._spinner.hide()
        self._doing.clear()

    def show_kept(self, state: str) -> None:
        """It is kept; now it can be tested."""
        self._rest()
        self.edit.hide()
        self._keep.hide()
        self._close.setText("Done")
        where = "in the keyring" if state == "set" else "held for this session"
        title = self._row.provider.title
        if self._can_test:
            self._test.show()
            self._test.setDefault(True)
            self._say("info", f"The key for {title} is {where}.", "Test whether it is accepted.")
        else:
            self._say(
                "info",
                f"The key for {title} is {where}.",
                f"It can be tested once a door is open to {self._row.place}.",
            )
        self._close.setFocus()

    def show_failed(self, error: LockhouseError) -> None:
        """It could not be kept."""
        self._rest()
        can_hold = self._is_open and error.code in _KEYRING_FAILED
        actions = [("session", "Use it for this session")] if can_hold else []
        self._say("danger", error.message, error.hint, actions)
        self.edit.setFocus()

    def _hold_only(self, _action: str) -> None:
        """The keyring is left alone; the key must be given again, for nothing here has it."""
        self._for_session = True
        self._words.setText(_FOR_SESSION.format(hosts=self._hosts))
        self._keep.setText("Use for this session")
        self._forget_told()
        self.edit.setPlaceholderText("Paste the key again")
        self.edit.setFocus()

    def _ask_test(self) -> None:
        self._test.setEnabled(False)
        self._begin("Asking for its list of models…")
        self.test_wanted.emit()

    def show_tested(self, test: KeyTest) -> None:
        """What the provider said."""
        self._rest()
        self._test.setEnabled(True)
        self._test.setText("Test again")
        if test.is_good:
            self._say("info", test.message, test.hint)
            return
        self._say("danger", test.message, "Paste another key, or test it again later.")
        self.edit.show()
        self.edit.setFocus()
        self._keep.show()

    def _say(
        self,
        tone: BannerTone,
        message: str,
        hint: str,
        actions: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._forget_told()
        self._banner = Banner(self._theme, tone, message, hint=hint, actions=actions)
        self._banner.setObjectName("key_banner")
        self._banner.action_chosen.connect(self._hold_only)
        self._column.insertWidget(self._column.count() - 2, self._banner)
        self._banner.show()  # only what is shown counts for the height
        self._fit()

    def _forget_told(self) -> None:
        if self._banner is not None:
            self._column.removeWidget(self._banner)
            self._banner.hide()
            self._banner.deleteLater()
            self._banner = None
        self._fit()

    def _fit(self) -> None:
        """As tall as its words: a dialog does not grow by itself for lines that wrap."""
        self._column.activate()
        wanted = self._column.totalHeightForWidth(self.width())
        self.resize(self.width(), max(wanted, self.minimumHeight()))
