"""Adding a server of one's own, or any API that speaks one of the dialects."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from lockhouse.core.errors import LockhouseError, UsageMistake
from lockhouse.gate.network import allows, split_host
from lockhouse.gate.providers import Provider, host_of, is_this_machine, zone_of
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.field_label import FieldLabel
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate.provider_values import Checked, Draft
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Banner, BannerTone, Spinner

_DIALECTS = (
    ("openai", "OpenAI (vLLM, llama-server, Ollama and most others)"),
    ("anthropic", "Anthropic messages"),
    ("gemini", "Gemini generateContent"),
)
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


class ServerDialog(QDialog):
    """Addresses, a name, a dialect, a key where one is wanted; and a look whether it answers."""

    check_wanted = Signal(object)  # Draft
    add_wanted = Signal(object)  # Draft
    open_wanted = Signal(object)  # tuple[str, ...], addresses

    def __init__(
        self,
        theme: Theme,
        view: NetworkView,
        parent: QWidget | None = None,
        *,
        changing: Provider | None = None,
    ) -> None:
        """``changing`` is a server that is known already and gets another address."""
        super().__init__(parent)
        self._changing = changing
        self._theme = theme
        self._view = view
        self._banners: list[Banner] = []
        px = theme.px
        self.setObjectName("server_dialog")
        title = f"Address of {changing.title}" if changing else "Add a server or an API"
        self.setWindowTitle(title)
        self.setMinimumWidth(px(560))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(px(24), px(20), px(24), px(20))
        self._column.setSpacing(px(10))
        self._column.addWidget(label(title, role="h3"))
        self._column.addWidget(
            label(
                "A server on this machine or on your network, or any API that speaks one of these "
                "dialects. Several addresses are equal servers of your network and share the load.",
                ink="2",
                wrap=True,
            )
        )
        self._column.addLayout(self._make_fields())
        self._where = label("", role="caption", ink="3", wrap=True, name="server_where")
        self._column.addWidget(self._where)
        self._told = QVBoxLayout()
        self._told.setSpacing(px(6))
        self._column.addLayout(self._told)
        self._column.addStretch(1)
        self._column.addLayout(self._make_buttons())
        if changing is not None:
            self._fill(changing)
        self._look_at()

    def _fill(self, provider: Provider) -> None:
        self.urls.setPlainText("\n".join(provider.endpoints))
        self.title.setText(provider.title)
        self._dialect.set_key(provider.dialect)
        for field in (self.key, self._key_words):  # a key is set where all keys are
            field.hide()
        self._add.setText("Save")
        self._add.setAccessibleName("Save")

    def _make_fields(self) -> QGridLayout:
        theme, px = self._theme, self._theme.px
        self.urls = QPlainTextEdit()
        self.urls.setObjectName("server_urls")
        self.urls.setAccessibleName("Addresses, one a line")
        self.urls.setPlaceholderText("http://192.168.1.20:8080/v1")
        self.urls.setTabChangesFocus(True)
        self.urls.setFixedHeight(px(60))
        self.urls.textChanged.connect(self._look_at)
        self.title = QLineEdit()
        self.title.setObjectName("server_title")
        self.title.setAccessibleName("Name")
        self.title.setPlaceholderText("Office server")
        self.title.textChanged.connect(self._look_at)
        self._dialect = ChoiceButton(theme, "Dialect", _DIALECTS)
        self._dialect.setObjectName("server_dialect")
        self._dialect.set_key("openai")
        self.key = QLineEdit()
        self.key.setObjectName("server_key")
        self.key.setAccessibleName("Key, where the server wants one")
        self.key.setPlaceholderText("Only where the server wants one")
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(8))
        grid.setColumnStretch(1, 1)
        for number, (words, field) in enumerate(
            (
                ("Address", self.urls),
                ("Name", self.title),
                ("Dialect", self._dialect),
                ("Key", self.key),
            )
        ):
            self._key_words = FieldLabel(words, field)  # the last one is
            grid.addWidget(self._key_words, number, 0)
            grid.addWidget(field, number, 1)
        return grid

    def _make_buttons(self) -> QHBoxLayout:
        theme, px = self._theme, self._theme.px
        self._spinner = Spinner(theme, "Asking")
        self._spinner.hide()
        self._check = push_button(theme, "Check", name="server_check")
        self._check.clicked.connect(self._ask_check)
        cancel = push_button(theme, "Cancel", name="server_cancel")
        cancel.clicked.connect(self.reject)
        self._add = push_button(theme, "Add", name="server_add", kind="primary")
        self._add.setDefault(True)
        self._add.clicked.connect(self._ask_add)
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(self._check)
        row.addWidget(self._spinner)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self._add)
        return row

    @property
    def draft(self) -> Draft:
        """What is typed."""
        urls = tuple(self.urls.toPlainText().split())
        title = " ".join(self.title.text().split())
        name = _name_of(title) or _name_of(_host(urls[0]) if urls else "")
        if self._changing is not None:
            name = self._changing.name
        return Draft(name, title, urls, self._dialect.key, self.key.text())

    def show_network(self, view: NetworkView) -> None:
        """The door is another: a check may be possible now."""
        self._view = view
        self._look_at()

    def show_checked(self, checked: Checked) -> None:
        """What an address answered."""
        self._spinner.hide()
        self._check.setEnabled(True)
        tone: BannerTone = "info" if checked.is_up else "warning"
        several = len(self.draft.urls) > 1
        words = f"{checked.url}: {checked.message}" if several else checked.message
        self._say(tone, words, checked.hint, better=(checked.url, checked.better_url))

    def show_failed(self, error: LockhouseError) -> None:
        """It could not be added or asked."""
        self._spinner.hide()
        self._check.setEnabled(True)
        self._add.setEnabled(True)
        self._forget_told()
        self._say("danger", error.message, error.hint)

    def _look_at(self) -> None:
        draft = self.draft
        closed, problem = self._closed(draft.urls)
        self._add.setEnabled(bool(draft.urls and draft.name) and not problem)
        self._check.setEnabled(bool(draft.urls) and not problem and self._view.is_open)
        self._check.setText("Open the door and check" if closed and self._view.is_open else "Check")
        self._where.setText(problem or _where_words(draft, self._view))
        self._where.setProperty("ink", "danger" if problem else "3")

    def _closed(self, urls: tuple[str, ...]) -> tuple[bool, str]:
        """Whether the door leads not to all of them, and what is wrong with them."""
        try:
            hosts = [host_of(url) for url in urls]
        except UsageMistake as mistake:
            return False, mistake.message
        listed = self._view.hosts
        return not all(allows(listed, *split_host(host)) for host in hosts), ""

    def _ask_check(self) -> None:
        self._forget_told()
        draft = self.draft
        closed, _ = self._closed(draft.urls)
        if closed:
            self.open_wanted.emit(draft.urls)
        self._check.setEnabled(False)
        self._spinner.show()
        self.check_wanted.emit(draft)

    def _ask_add(self) -> None:
        self._add.setEnabled(False)
        draft = self.draft
        self.key.clear()
        self.add_wanted.emit(draft)

    def _say(
        self, tone: BannerTone, message: str, hint: str, *, better: tuple[str, str] = ("", "")
    ) -> None:
        """``better`` is an address and the one that it is better replaced with."""
        old, new = better
        actions = [("use", f"Use {new}")] if new else []
        banner = Banner(self._theme, tone, message, hint=hint, actions=actions)
        banner.action_chosen.connect(lambda _: self._use(old, new))
        banner.setObjectName("server_banner")
        self._banners.append(banner)
        self._told.addWidget(banner)
        self.adjustSize()

    def _use(self, old: str, new: str) -> None:
        urls = [new if url == old else url for url in self.draft.urls]
        self._forget_told()
        self.urls.setPlainText("\n".join(urls))

    def _forget_told(self) -> None:
        for banner in self._banners:
            self._told.removeWidget(banner)
            banner.hide()
            banner.deleteLater()
        self._banners.clear()


def _where_words(draft: Draft, view: NetworkView) -> str:
    if not draft.urls:
        return ""
    name = f"Its models will be called {draft.name}/MODEL. " if draft.name else ""
    if zone_of(draft.urls) == "lan":
        where = "this machine" if all(map(is_this_machine, draft.urls)) else "your own network"
        zone = f"It is on {where}: nothing is asked before something is sent there."
    else:
        zone = "It is an API elsewhere: the first time, you are shown what would be sent."
    sealed = "" if view.is_open else " The network is sealed, so it cannot be checked now."
    return f"{name}{zone}{sealed}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _name_of(words: str) -> str:
    return _NOT_A_NAME.sub("-", words.casefold()).strip("-")[:32].strip("-")
