"""The details of one model, at the right of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QWidget

from lockhouse.library.gguf.header import read_header
from lockhouse.library.model_info import OWN, Difference, LoadChoice, ModelInfo
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.form_dialog import ask_text
from lockhouse.ui.frame_parts import (
    HEAD_HEIGHT,
    hairline,
    icon_button,
    label,
    make_menu,
    open_below,
    push_button,
    scrolling,
)
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.models import model_text
from lockhouse.ui.models.about_panel import AboutPanel, RevisionPanel
from lockhouse.ui.models.controller import CheckProgress, ModelExtras
from lockhouse.ui.models.dialogs import DifferenceDialog, HeaderDialog, HeaderText, header_text
from lockhouse.ui.models.memory import MemoryNeed, MemoryQuestion
from lockhouse.ui.models.memory_panel import MemoryPanel
from lockhouse.ui.models.profile_panel import ProfilePanel
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import Pill

if TYPE_CHECKING:
    from lockhouse.ui.pages import Pages

_USABLE = ("ready", "changed")
_CAPABILITY_NAMES = {"mtp": "Multi-token prediction"}
_CHOSEN_DELAY_MS = 250


class ModelDetails(QFrame):
    """What a model can do, what it takes and what its file is; and what can be done with it."""

    closed = Signal()
    remove_wanted = Signal(str)  # name of the model
    discover_wanted = Signal(str)  # repository, to look at a newer revision
    told = Signal(str)  # what was done, in a sentence
    failed = Signal(object)  # LockhouseError

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        its, theme = pages.controllers, pages.theme
        self._models = its.models
        self._memory = its.memory
        self._machine = its.machine
        self._settings = its.settings
        self._jobs = pages.jobs
        self._start_chat = pages.chat_wanted.emit
        self._theme = theme
        self._model: ModelInfo | None = None
        self._is_loaded = False
        self._is_loading = False
        self.setObjectName("model_details")
        self.setAccessibleName("Model details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(theme.px(280))
        self.memory = MemoryPanel(theme)
        self.profiles = ProfilePanel(theme, its.models)
        self.about = AboutPanel(theme, its.models)
        self.revisions = RevisionPanel(theme, its.models)
        body = scrolling(self._make_body(), "model_details_area")
        column(theme, self._make_head(), hairline(), (body, 1), on=self)
        # Who walks through models with the keys reads no disk.
        self._delay = once(self, _CHOSEN_DELAY_MS, self._read)
        self._wire()

    def _make_head(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        self._title = Elided("", role="page-title", name="model_title")
        self._pin = icon_button(
            theme, "pin", "Pin", self._toggle_pin, name="model_pin", checkable=True
        )
        self._more = icon_button(theme, "ellipsis", "More", self._open_menu, name="model_more")
        close = icon_button(theme, "x", "Close details", self.closed, name="close_model_details")
        parts = ((self._title, 1), self._pin, self._more, close)
        head = holding(row(theme, *parts, gap=4, margins=(16, 0, 8, 0)))
        head.setFixedHeight(px(HEAD_HEIGHT))
        return head

    def _make_body(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        self._pills_box = QWidget()
        self._pills = FlowLayout(self._pills_box, spacing=px(6))
        self._fit = Pill(theme, "")
        self._problem = label("", ink="danger", wrap=True, name="model_problem")
        self._chat = push_button(
            theme,
            "New chat",
            lambda: self._start_chat(self.name),
            name="model_chat",
            kind="primary",
            icon="message-square",
        )
        self._load = push_button(theme, "Load", self._load_or_unload, name="model_load")
        return holding(
            column(
                theme,
                row(theme, (self._pills_box, 1), self._fit, gap=12),
                self._problem,
                row(theme, (self._chat, 1), (self._load, 1), gap=8),
                hairline(),
                self.memory,
                self.profiles,
                hairline(),
                self.about,
                self.revisions,
                STRETCH,
                gap=12,
                margins=(16, 16),
            )
        )

    def _wire(self) -> None:
        self._models.extras_read.connect(self._show_extras)
        self._models.compared.connect(self._show_differences)
        self._models.checked.connect(self._show_check)
        self._memory.measured.connect(self._show_need)
        self.memory.asked.connect(self._ask_memory)
        self.memory.chosen.connect(self.profiles.save_load)
        self.about.copied.connect(self.told)
        self.about.header_wanted.connect(self.show_header)
        self.about.folder_wanted.connect(self._open_folder)
        self.revisions.newer_wanted.connect(self._view_newer)

    # what it shows

    @property
    def model(self) -> ModelInfo | None:
        """The model that is shown."""
        return self._model

    @property
    def name(self) -> str:
        """Its name, "" when there is none."""
        return self._model.name if self._model else ""

    @property
    def choice(self) -> LoadChoice:
        """The load settings of the profile in use."""
        return self.profiles.active.load

    def choose(self, model: ModelInfo, *, is_loaded: bool) -> None:
        """Show a model, and read what needs the disk once nobody moves on to the next."""
        self.show_model(model, is_loaded=is_loaded)
        self._delay.start()

    def show_model(self, model: ModelInfo, *, is_loaded: bool) -> None:
        """Another model, or what became known of the one that is shown."""
        if model.name != self.name:
            self.memory.flush()  # what was chosen for the model before
            self.memory.show_need(None)
            self._is_loading = False
            self.about.show_check(None)
            self.profiles.show_profiles(model.name, (), self._settings.current, model.thinking)
            self.revisions.show_revisions(model.name, (), "")
        self._model, self._is_loaded = model, is_loaded
        title = model.title or model.name
        self._title.setText(title)
        self._title.setToolTip(title)
        self._pills.clear()
        for capability in model.capabilities:
            name = _CAPABILITY_NAMES.get(capability, capability.capitalize())
            self._pills.addWidget(Pill(self._theme, name))
        fit, icon, tone = model_text.model_pill(model)
        self._fit.show_state(fit, icon=icon, tone=tone)
        self._problem.setText(model.problem)
        self._problem.setVisible(bool(model.problem))
        self._pin.setChecked(model.pinned)
        self._pin.set_icon("pin", "Unpin" if model.pinned else "Pin")
        self.about.show_model(model)
        self._show_buttons()

    def _read(self) -> None:
        if self._model is not None:
            self._models.read_extras(self.name)
            self._ask_memory(LoadChoice())

    def ask_memory(self) -> None:
        """Find out again how much memory it needs: other models may be loaded now."""
        self._ask_memory(self.choice)

    def _show_need(self, need: MemoryNeed) -> None:
        if need.name == self.name:
            self.memory.show_need(need)

    def _show_extras(self, extras: ModelExtras) -> None:
        if self._model is None or extras.name != self.name:
            return
        before = self.choice
        self.profiles.show_profiles(
            extras.name, extras.profiles, self._settings.current, self._model.thinking
        )
        self.memory.show_choice(self.choice)
        newer = self._model.newer_revision
        self.revisions.show_revisions(extras.name, extras.revisions, newer)
        if self.choice != before:
            self._ask_memory(self.choice)

    def _show_check(self, check: CheckProgress) -> None:
        if check.name == self.name:
            self.about.show_check(check)

    def _show_buttons(self) -> None:
        model = self._model
        chats = model is not None and model.state in _USABLE and "chat" in model.capabilities
        self._chat.setEnabled(chats)
        text = "Loading…" if self._is_loading else "Unload" if self._is_loaded else "Load"
        self._load.setText(text)
        self._load.setAccessibleName(text.rstrip("…"))
        self._load.setEnabled((chats or self._is_loaded) and not self._is_loading)

    def _ask_memory(self, choice: LoadChoice) -> None:
        model = self._model
        if model is None or model.state not in _USABLE:
            return
        settings = self._settings.current
        self._memory.ask(
            MemoryQuestion(
                model,
                choice.context_length or settings.context_length,
                "q8_0" if (choice.kv_type or settings.kv_type) == "q8_0" else "f16",
                choice.parallel or settings.parallel_answers,
            )
        )

    # what is done

    def _load_or_unload(self) -> None:
        self.memory.flush()
        if self._is_loaded:
            self._machine.stop_engines(self.name)
            return
        self._set_loading(loading=True)
        self._models.load(self.name, lambda: self._set_loading(loading=False))

    def _set_loading(self, *, loading: bool) -> None:
        self._is_loading = loading
        self._show_buttons()
        self._machine.look()

    def _toggle_pin(self) -> None:
        if self._model is not None:
            name, pinned = self.name, not self._model.pinned
            self._models.change(lambda library: library.set_pinned(name, pinned=pinned))

    def _set_alias(self) -> None:
        name = self.name
        alias = ask_text(self, self._theme, "Set alias", "Short name, for example: fast", "Set")
        if alias:
            self._models.change(lambda library: library.set_alias(alias, name))

    def _view_newer(self) -> None:
        source = self._model.source if self._model else None
        if source is not None and source.repo:
            self.discover_wanted.emit(source.repo)

    def _open_folder(self) -> None:
        if self._model is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._model.path.parent)))

    def show_header(self, tab: str) -> None:
        """Read the header of the file, and show this tab of it."""
        model = self._model
        if model is None:
            return
        path, title = model.path, model.title or model.name

        def show(text: HeaderText) -> None:
            HeaderDialog(self._theme, text, tab, self).show_once()

        self._jobs.run(lambda: header_text(read_header(path), title), show, self.failed.emit)

    def _show_differences(self, differences: tuple[Difference, ...]) -> None:
        DifferenceDialog(self._theme, differences, self).show_once()

    def _open_menu(self) -> None:
        model = self._model
        if model is None:
            return
        menu = make_menu(self)
        icon = self._theme.icon
        menu.addAction(icon("tag"), "Set alias…", self._set_alias)
        menu.addAction(icon("fingerprint"), "Verify file", lambda: self._models.verify(self.name))
        menu.addAction(icon("folder"), "Open folder", self._open_folder)
        menu.addSeparator()
        remove = menu.addAction(
            icon("trash-2"),
            "Remove…" if model.owner == OWN else "Remove from list…",
            lambda: self.remove_wanted.emit(self.name),
        )
        remove.setEnabled(not model.included)
        if model.included:
            remove.setToolTip("Included with Lockhouse")
        open_below(menu, self._more)
