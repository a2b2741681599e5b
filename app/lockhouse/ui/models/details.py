"""The page of one model, at the right of the table."""

from __future__ import annotations

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import OWN, LoadChoice, ModelInfo
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.details import scrolling
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import hairline, icon_button, label, make_menu, push_button
from lockhouse.ui.models import words
from lockhouse.ui.models.about_panel import AboutPanel
from lockhouse.ui.models.memory_panel import MemoryPanel
from lockhouse.ui.models.profile_panel import ProfilePanel
from lockhouse.ui.models.revision_panel import RevisionPanel
from lockhouse.ui.models.tabs import HEAD_HEIGHT
from lockhouse.ui.models.values import Checking, MemoryNeed, ModelExtras
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill

_USABLE = ("ready", "changed")
_WORDS_FOR = {"draft": "Draft", "mtp": "Predicts ahead"}


class ModelDetails(QFrame):
    """What a model can do, what it takes, what its file is; and what can be done with it."""

    closed = Signal()
    chat_wanted = Signal(str)  # name of the model
    load_wanted = Signal(str)
    unload_wanted = Signal(str)
    pin_wanted = Signal(str, bool)
    alias_wanted = Signal(str)
    remove_wanted = Signal(str)
    asked = Signal(object)  # LoadChoice: what would it take?
    header_wanted = Signal(str)  # which part of it
    copied = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model: ModelInfo | None = None
        self._extras: ModelExtras | None = None
        self._is_loaded = False
        self._is_loading = False
        self.setObjectName("model_details")
        self.setAccessibleName("Model details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(theme.px(280))
        self.memory = MemoryPanel(theme)
        self.memory.asked.connect(self.asked)
        self.profiles = ProfilePanel(theme)
        self.memory.chosen.connect(self.profiles.save_load)
        self.about = AboutPanel(theme)
        self.about.copied.connect(self.copied)
        self.about.header_wanted.connect(self.header_wanted)
        self.about.folder_wanted.connect(self._open_folder)
        self.revisions = RevisionPanel(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_head())
        column.addWidget(hairline())
        column.addWidget(scrolling(self._make_body(), "model_details_area"), 1)

    def _make_head(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        bar = QWidget()
        bar.setFixedHeight(px(HEAD_HEIGHT))
        head = QHBoxLayout(bar)
        head.setContentsMargins(px(16), 0, px(8), 0)
        head.setSpacing(px(4))
        self._title = label("", role="page-title", name="model_title")
        self._title.setMinimumWidth(px(40))
        head.addWidget(self._title, 1)
        self._pin = icon_button(theme, "pin", "Pin", name="model_pin", checkable=True)
        self._pin.clicked.connect(self._toggle_pin)
        head.addWidget(self._pin)
        more = icon_button(theme, "ellipsis", "More", name="model_more")
        more.clicked.connect(self._open_menu)
        self._more = more
        head.addWidget(more)
        close = icon_button(theme, "x", "Close the panel", name="close_model_details")
        close.clicked.connect(self.closed)
        head.addWidget(close)
        return bar

    def _make_body(self) -> QWidget:
        px = self._theme.px
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(12))
        self._pills_box = QWidget()
        self._pills = FlowLayout(self._pills_box, spacing=px(6))
        self._fit = Pill(self._theme, "")
        row = QHBoxLayout()
        row.addWidget(self._pills_box, 1)
        row.addWidget(self._fit)
        column.addLayout(row)
        self._problem = label("", ink="danger", wrap=True, name="model_problem")
        column.addWidget(self._problem)
        column.addLayout(self._make_buttons())
        column.addWidget(hairline())
        column.addWidget(self.memory)
        column.addWidget(self.profiles)
        column.addWidget(hairline())
        column.addWidget(self.about)
        column.addWidget(self.revisions)
        column.addStretch(1)
        return inside

    def _make_buttons(self) -> QHBoxLayout:
        theme = self._theme
        self._chat = push_button(
            theme, "New chat", name="model_chat", kind="primary", icon="message-square"
        )
        self._chat.clicked.connect(lambda: self._tell(self.chat_wanted))
        self._load = push_button(theme, "Load", name="model_load")
        self._load.clicked.connect(self._load_or_unload)
        row = QHBoxLayout()
        row.setSpacing(theme.px(8))
        row.addWidget(self._chat, 1)
        row.addWidget(self._load, 1)
        return row

    # what it shows

    @property
    def model(self) -> ModelInfo | None:
        """Whose page it is."""
        return self._model

    @property
    def choice(self) -> LoadChoice:
        """The load settings of the profile in use."""
        return self.profiles.active.load

    def show_model(self, model: ModelInfo, *, is_loaded: bool) -> None:
        """Another model, or what became known of it."""
        if self._model is None or model.name != self._model.name:
            self.memory.flush()  # what was chosen for the model before
            self.memory.show_need(None)
            self._extras = None
            self._is_loading = False
            self.about.show_check(None)
            self.revisions.show_revisions((), "")
        self._model, self._is_loaded = model, is_loaded
        title = model.title or model.name
        self._title.setText(title)
        self._title.setToolTip(title)
        self._pills.clear()
        for capability in model.capabilities:
            spoken = _WORDS_FOR.get(capability, capability.capitalize())
            self._pills.addWidget(Pill(self._theme, spoken))
        fit, icon, tone = words.fit_words(model)
        self._fit.show_state(fit, icon=icon, tone=tone)
        self._problem.setText(model.problem)
        self._problem.setVisible(bool(model.problem))
        self._pin.setChecked(model.pinned)
        self._pin.set_icon("pin", "Unpin" if model.pinned else "Pin")
        self.about.show_model(model)
        self._show_buttons()

    def show_need(self, need: MemoryNeed) -> None:
        """How much memory it takes."""
        if self._model is not None and need.name == self._model.name:
            self.memory.show_need(need)

    def show_extras(self, extras: ModelExtras, settings: Settings) -> None:
        """Its profiles and revisions."""
        if self._model is None or extras.name != self._model.name:
            return
        self._extras = extras
        self.profiles.show_profiles(extras.profiles, settings)
        self.memory.show_choice(self.choice)
        self.revisions.show_revisions(extras.revisions, self._model.newer_revision)

    def show_check(self, check: Checking) -> None:
        """How far the check of its file is."""
        if self._model is not None and check.name == self._model.name:
            self.about.show_check(check)

    def show_loading(self, *, loading: bool) -> None:
        """It is on its way into memory."""
        self._is_loading = loading
        self._show_buttons()

    def _show_buttons(self) -> None:
        model = self._model
        usable = model is not None and model.state in _USABLE
        chats = model is not None and "chat" in model.capabilities
        self._chat.setEnabled(usable and chats)
        self._load.setText(
            "Loading…" if self._is_loading else "Unload" if self._is_loaded else "Load"
        )
        self._load.setAccessibleName(self._load.text().rstrip("…"))
        self._load.setEnabled(((usable and chats) or self._is_loaded) and not self._is_loading)

    # what is done

    def _tell(self, signal: object) -> None:
        if self._model is not None:
            signal.emit(self._model.name)  # type: ignore[attr-defined] # a signal, bound

    def _load_or_unload(self) -> None:
        self.memory.flush()
        if self._is_loaded:
            self._tell(self.unload_wanted)
        else:
            self.show_loading(loading=True)
            self._tell(self.load_wanted)

    def _toggle_pin(self) -> None:
        if self._model is not None:
            self.pin_wanted.emit(self._model.name, not self._model.pinned)

    def _open_folder(self) -> None:
        if self._model is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._model.path.parent)))

    def _open_menu(self) -> None:
        model = self._model
        if model is None:
            return
        menu = make_menu(self)
        icon = self._theme.icon
        menu.addAction(icon("tag"), "Alias…", lambda: self._tell(self.alias_wanted))
        menu.addAction(icon("fingerprint"), "Check the file", self.about.verify_wanted.emit)
        menu.addAction(icon("folder"), "Open folder", self._open_folder)
        menu.addSeparator()
        ours = model.owner == OWN
        remove = menu.addAction(
            icon("trash-2"),
            "Remove…" if ours else "Take out of the list…",
            lambda: self._tell(self.remove_wanted),
        )
        remove.setEnabled(not model.included)
        if model.included:
            remove.setToolTip("It comes with Lockhouse.")
        corner = self._more.mapToGlobal(self._more.rect().bottomLeft())
        corner.setY(corner.y() + 4)
        menu.popup(corner)
