"""Setting an API key: typed or pasted, saved, tested, and never shown again."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from lockhouse.core.errors import InvalidInput, LockhouseError
from lockhouse.gate.keys import checked
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label, line_edit
from lockhouse.ui.gate.provider_values import KeyTest, ProviderRow
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme

_KEYRING = (
    "The key is stored in the keyring of your system, sent only to {hosts}, and never shown again."
)
_NO_KEYRING = (
    "This system has no secure keyring. The key is held in memory until Lockhouse closes, sent only"
    " to {hosts}, and never written to disk."
)
_FOR_SESSION = (
    "The key is held in memory until Lockhouse closes, sent only to {hosts}, and never written to"
    " disk. The keyring is not used."
)
_NO_KEYRING_SEALED = (
    "This system has no secure keyring, and while the network is sealed there is no network process"
    " to hold the key. Allow network access first, or install gnome-keyring or KWallet."
)
_KEYRING_FAILED = ("keyring_locked", "keyring_silent")


class KeyDialog(FormDialog):
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
        self.name = row.provider.name
        self._row = row
        self._can_test = can_test
        self._is_open = view.is_open
        self._for_session = False
        provider = row.provider
        self._hosts = ", ".join(host.removesuffix(":443") for host in provider.hosts)
        no_keyring = row.key_state in ("no_keyring", "session")
        self._is_possible = not no_keyring or view.is_open
        about = _KEYRING
        if no_keyring:
            about = _NO_KEYRING if view.is_open else _NO_KEYRING_SEALED
        title = f"Replace the API key for {provider.title}"
        if not row.has_key:
            title = f"API key for {provider.title}"
        super().__init__(theme, "key_dialog", title, about.format(hosts=self._hosts), parent=parent)
        if provider.key_page:
            words = f"Get a key at {provider.key_page.removeprefix('https://')}"
            self.content.addWidget(label(words, ink="3", selectable=True))
        words = f"API key for {provider.title}"
        self.edit = line_edit("key_edit", words, "Paste the key", secret=True)
        self.edit.setInputMethodHints(
            Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText
        )
        self.edit.setEnabled(self._is_possible)
        self.edit.textChanged.connect(self._check)
        self.content.addWidget(self.edit)
        self._problem = label("", role="caption", ink="danger", wrap=True, name="key_problem")
        self._problem.hide()
        self.content.addWidget(self._problem)
        self._close = self.add_button("Cancel", self.reject, name="key_cancel")
        self._test = self.add_button("Test key", self._ask_test, name="key_test")
        self._test.setToolTip("Requests the list of models, which is free")
        self._test.hide()
        self._save = self.add_button("Save key", self._give, name="key_save", kind="primary")
        self._save.setEnabled(False)

    def _check(self, text: str) -> None:
        problem = ""
        if text:
            try:
                checked(text)
            except InvalidInput as error:
                problem = error.message
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self._save.setEnabled(bool(text) and not problem and self._is_possible)
        self.fit()

    def _give(self) -> None:
        key = self.edit.text()
        self.edit.clear()
        self._save.setEnabled(False)
        asks = self._row.key_state == "locked" and not self._for_session
        self.show_busy("Your system may ask for the keyring password" if asks else "Saving…")
        self.key_given.emit(key, self._for_session)

    def show_saved(self, state: str) -> None:
        """It is saved; now it can be tested."""
        self.show_idle()
        self.edit.hide()
        self._save.hide()
        self._close.setText("Done")
        where = "saved in the keyring" if state == "set" else "held for this session"
        hint = f"It can be tested once network access to {self._row.place} is allowed."
        if self._can_test:
            self._test.show()
            self._test.setDefault(True)
            hint = "Test whether it is accepted."
        self.clear_messages()
        self.say(f"API key for {self._row.provider.title} {where}.", hint, tone="info")
        self._close.setFocus()

    def show_failed(self, error: LockhouseError) -> None:
        """It could not be saved."""
        self.show_idle()
        can_hold = self._is_open and error.code in _KEYRING_FAILED
        actions = [("session", "Use for this session", self._hold_only)] if can_hold else []
        self.clear_messages()
        self.say(error.message, error.hint, actions=actions)
        self.edit.setFocus()

    def _hold_only(self) -> None:
        """The keyring is not used; the key must be given again, for nothing here has it."""
        self._for_session = True
        self.about.setText(_FOR_SESSION.format(hosts=self._hosts))
        self._save.setText("Use for this session")
        self.clear_messages()
        self.edit.setPlaceholderText("Paste the key again")
        self.edit.setFocus()

    def _ask_test(self) -> None:
        self._test.setEnabled(False)
        self.show_busy("Testing…")
        self.test_wanted.emit()

    def show_tested(self, test: KeyTest) -> None:
        """What the provider answered."""
        self.show_idle()
        self._test.setEnabled(True)
        self._test.setText("Test again")
        self.clear_messages()
        if test.is_good:
            self.say(test.message, test.hint, tone="info")
            return
        self.say(test.message, "Paste another key, or test again later.")
        self.edit.show()
        self.edit.setFocus()
        self._save.show()
        self.fit()
