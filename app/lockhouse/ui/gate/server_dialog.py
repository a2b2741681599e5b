"""Adding a server of your own, or any API with a supported format; or changing one."""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from lockhouse.core.errors import LockhouseError, UsageMistake
from lockhouse.gate.network import allows, host_of, split_host
from lockhouse.gate.providers import Provider, is_this_machine, zone_of
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label, line_edit
from lockhouse.ui.gate.provider_controller import ProviderController
from lockhouse.ui.gate.provider_values import Draft, ServerCheck
from lockhouse.ui.jobs import JobHandle
from lockhouse.ui.network_monitor import NetworkMonitor
from lockhouse.ui.theme import Theme, repolish
from lockhouse.ui.widgets import BannerTone

_FORMATS = (
    ("openai", "OpenAI (vLLM, llama-server, Ollama and most others)"),
    ("anthropic", "Anthropic Messages"),
    ("gemini", "Gemini generateContent"),
)
_LENGTH_FIELDS = (
    ("max_tokens", "max_tokens (most servers)"),
    ("max_completion_tokens", "max_completion_tokens"),
)
_SYSTEM_ROLES = (
    ("system", "System role"),
    ("developer", "Developer role"),
    ("user", "Beginning of the first message"),
)
_ABOUT = (
    "A server on this machine or your network, or any API with one of these formats. Several"
    " addresses are equal servers that share the load."
)
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


class ServerDialog(FormDialog):
    """Addresses, a name, a format, a key where one is required; and a check of the server."""

    add_wanted = Signal(object)  # Draft

    def __init__(
        self,
        theme: Theme,
        controller: ProviderController,
        network: NetworkMonitor,
        parent: QWidget | None = None,
        *,
        changing: Provider | None = None,
    ) -> None:
        """``changing`` is a known server that gets another address."""
        title = f"Edit {changing.title}" if changing else "Add server or API"
        super().__init__(theme, "server_dialog", title, _ABOUT, width=560, parent=parent)
        self._changing = changing
        self._controller = controller
        self._network = network
        self._waiting: Draft | None = None  # checked as soon as its hosts may be reached
        self._job: JobHandle | None = None
        self._make_fields()
        self._where = label("", role="caption", ink="3", wrap=True, name="server_where")
        self.content.addWidget(self._where)
        self._check = self.add_button("Check", self._ask_check, name="server_check", on_left=True)
        self.add_button("Cancel", self.reject, name="server_cancel")
        words = "Save" if changing else "Add"
        self._add = self.add_button(words, self._ask_add, name="server_add", kind="primary")
        if changing is not None:
            self.urls.setPlainText("\n".join(changing.endpoints))
            self.title.setText(changing.title)
            self._format.set_key(changing.dialect)
            self._show_settings(changing)
        self.urls.textChanged.connect(self._show_draft)
        self.title.textChanged.connect(self._show_draft)
        self._show_draft()
        network.changed.connect(self._follow)
        network.failed.connect(self._not_allowed)
        self.finished.connect(self._stop)

    def _make_fields(self) -> None:
        self.urls = QPlainTextEdit()
        self.urls.setObjectName("server_urls")
        self.urls.setAccessibleName("Addresses, one per line")
        self.urls.setPlaceholderText("http://192.168.1.20:8080/v1")
        self.urls.setTabChangesFocus(True)
        self.urls.setFixedHeight(self._theme.px(60))
        self.title = line_edit("server_title", "Name", "Office server")
        self._format = ChoiceButton(self._theme, "API format", _FORMATS)
        self._format.setObjectName("server_format")
        self._format.set_key("openai")
        hint = "Only if the server requires one"
        self.key = line_edit("server_key", "API key, if the server requires one", hint, secret=True)
        self._length = ChoiceButton(self._theme, "Answer length field", _LENGTH_FIELDS)
        self._length.setObjectName("server_length_field")
        self._system = ChoiceButton(self._theme, "System prompt sent as", _SYSTEM_ROLES)
        self._system.setObjectName("server_system_role")
        self.extra = line_edit("server_extra", "Extra fields, JSON", '{"reasoning_effort": "low"}')
        names = self.add_fields(
            ("Address", self.urls),
            ("Name", self.title),
            ("API format", self._format),
            ("API key", self.key),
            ("Length field", self._length),
            ("System prompt", self._system),
            ("Extra fields", self.extra),
        )
        # Its key is set where all keys are; what few servers need comes with the first change.
        settings = (self._length, self._system, self.extra)
        for hidden in settings if self._changing is None else (self.key,):
            hidden.hide()
            names[hidden].hide()

    def _show_settings(self, provider: Provider) -> None:
        self._length.set_key(provider.max_tokens_field)
        self._system.set_key(provider.system_role)
        if provider.body:
            self.extra.setText(msgspec.json.encode(provider.body).decode())

    @property
    def draft(self) -> Draft:
        """What is typed."""
        urls = tuple(self.urls.toPlainText().split())
        title = " ".join(self.title.text().split())
        name = _name_of(title) or _name_of(_host(urls[0]) if urls else "")
        if self._changing is not None:
            name = self._changing.name
        return Draft(
            name,
            title,
            urls,
            self._format.key,
            self.key.text(),
            self._length.key or "max_tokens",
            self._system.key or "system",  # type: ignore[arg-type] # one of the roles, from a list
            self.extra.text(),
        )

    def show_failed(self, error: LockhouseError) -> None:
        """It could not be added or checked."""
        self.show_idle()
        self._check.setEnabled(True)
        self._add.setEnabled(True)
        self.clear_messages()
        self.say(error.message, error.hint)

    # Inside

    def _show_draft(self) -> None:
        draft = self.draft
        is_open = self._network.view.is_open
        lacks_access, problem = self._access(draft)
        self._add.setEnabled(bool(draft.urls and draft.name) and not problem)
        self._check.setEnabled(bool(draft.urls) and not problem and is_open)
        self._check.setText("Allow access and check" if lacks_access and is_open else "Check")
        self._where.setText(problem or _where_words(draft, is_open=is_open))
        self._where.setProperty("ink", "danger" if problem else "3")
        repolish(self._where)
        self.fit()

    def _access(self, draft: Draft) -> tuple[bool, str]:
        """Whether access to one of its hosts is not allowed, and what is wrong with its hosts."""
        try:
            hosts = [host_of(url) for url in draft.urls]
        except UsageMistake as mistake:
            return False, mistake.message
        listed = self._network.view.hosts
        return not all(allows(listed, *split_host(host)) for host in hosts), ""

    def _ask_check(self) -> None:
        self.clear_messages()
        self._check.setEnabled(False)
        self.show_busy("Checking…")
        draft = self.draft
        if self._access(draft)[0]:
            self._waiting = draft
            hosts = tuple(host_of(url) for url in draft.urls)
            near = zone_of(draft.urls) == "lan"
            self._network.open_to(() if near else hosts, hosts if near else (), add=True)
        else:
            self._begin_check(draft)

    def _begin_check(self, draft: Draft) -> None:
        self._stop()
        self._job = self._controller.check(draft, self._show_checked, self.show_failed)

    def _stop(self) -> None:
        self._waiting = None
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _follow(self) -> None:
        """Network access has changed: a check may be possible now."""
        self._show_draft()
        if self._waiting is not None and not self._access(self._waiting)[0]:
            self._begin_check(self._waiting)

    def _not_allowed(self, error: LockhouseError) -> None:
        if self._waiting is not None:
            self._waiting = None
            self.show_failed(error)

    def _show_checked(self, checks: list[ServerCheck]) -> None:
        self.show_idle()
        self._check.setEnabled(True)
        several = len(self.draft.urls) > 1
        for check in checks:
            message = f"{check.url}: {check.message}" if several else check.message
            use = ("use", f"Use {check.better_url}", partial(self._use, check))
            tone: BannerTone = "info" if check.is_up else "warning"
            self.say(message, check.hint, tone=tone, actions=(use,) if check.better_url else ())

    def _ask_add(self) -> None:
        self._add.setEnabled(False)
        draft = self.draft
        self.key.clear()
        self.add_wanted.emit(draft)

    def _use(self, check: ServerCheck) -> None:
        self.clear_messages()
        urls = [check.better_url if url == check.url else url for url in self.draft.urls]
        self.urls.setPlainText("\n".join(urls))


def _where_words(draft: Draft, *, is_open: bool) -> str:
    if not draft.urls:
        return ""
    name = f"Its models will be named {draft.name}/MODEL. " if draft.name else ""
    if zone_of(draft.urls) == "lan":
        where = "this machine" if all(map(is_this_machine, draft.urls)) else "your own network"
        zone = f"It is on {where}. No confirmation before sending to this server."
    else:
        zone = "It is outside your network: the first time, you see what would be sent."
    sealed = "" if is_open else " The network is sealed, so it cannot be checked now."
    return f"{name}{zone}{sealed}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _name_of(words: str) -> str:
    return _NOT_A_NAME.sub("-", words.casefold()).strip("-")[:32].strip("-")
