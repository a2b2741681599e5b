"""The details of one model, at the right of the table."""

from __future__ import annotations

from PySide6.QtCore import QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.library.gguf import read_header
from lockhouse.library.model_info import OWN, Difference, LoadChoice, ModelInfo
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import (
    ask_text,
    hairline,
    icon_button,
    label,
    make_menu,
    push_button,
    scrolling,
)
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.models import model_text
from lockhouse.ui.models.about_panel import AboutPanel
from lockhouse.ui.models.controller import CheckProgress, ModelExtras, ModelsController
from lockhouse.ui.models.header_dialog import HeaderDialog, HeaderText, header_text
from lockhouse.ui.models.memory import MemoryController, MemoryNeed, MemoryQuestion
from lockhouse.ui.models.memory_panel import MemoryPanel
from lockhouse.ui.models.profile_panel import ProfilePanel
from lockhouse.ui.models.revision_panel import DifferenceDialog, RevisionPanel
from lockhouse.ui.models.tabs import HEAD_HEIGHT
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill

_USABLE = ("ready", "changed")
_CAPABILITY_NAMES = {"mtp": "Multi-token prediction"}
_CHOSEN_DELAY_MS = 250


class ModelDetails(QFrame):
    """What a model can do, what it takes and what its file is; and what can be done with it."""

    closed = Signal()
    chat_wanted = Signal(str)  # name of the model
    loading = Signal()  # it begins to load, or has ended loading
    unload_wanted = Signal(str)
    remove_wanted = Signal(str)
    discover_wanted = Signal(str)  # repository, to look at a newer revision
    told = Signal(str)  # what was done, in a sentence
    failed = Signal(object)  # LockhouseError

    def __init__(
        self,
        models: ModelsController,
        memory: MemoryController,
        settings: SettingsStore,
        jobs: Jobs,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._memory = memory
        self._settings = settings
        self._jobs = jobs
        self._theme = theme
        self._model: ModelInfo | None = None
        self._is_loaded = False
        self._is_loading = False
        self.setObjectName("model_details")
        self.setAccessibleName("Model details")
        self.setProperty("tone", "bg-1")
        self.setMinimumWidth(theme.px(280))
        self.memory = MemoryPanel(theme)
        self.profiles = ProfilePanel(theme)
        self.about = AboutPanel(theme)
        self.revisions = RevisionPanel(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_head())
        column.addWidget(hairline())
        column.addWidget(scrolling(self._make_body(), "model_details_area"), 1)
        self._delay = QTimer(self)  # who walks through models with the keys reads no disk
        self._delay.setSingleShot(True)
        self._delay.setInterval(_CHOSEN_DELAY_MS)
        self._delay.timeout.connect(self._read)
        self._wire()

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
        self._more = icon_button(theme, "ellipsis", "More", name="model_more")
        self._more.clicked.connect(self._open_menu)
        head.addWidget(self._more)
        close = icon_button(theme, "x", "Close details", name="close_model_details")
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
        self._chat.clicked.connect(lambda: self.chat_wanted.emit(self.name))
        self._load = push_button(theme, "Load", name="model_load")
        self._load.clicked.connect(self._load_or_unload)
        row = QHBoxLayout()
        row.setSpacing(theme.px(8))
        row.addWidget(self._chat, 1)
        row.addWidget(self._load, 1)
        return row

    def _wire(self) -> None:
        models, profiles, revisions = self._models, self.profiles, self.revisions
        models.extras_read.connect(self._show_extras)
        models.compared.connect(self._show_differences)
        models.checked.connect(self._show_check)
        self._memory.measured.connect(self._show_need)
        self.memory.asked.connect(self._ask_memory)
        self.memory.chosen.connect(profiles.save_load)
        self.about.copied.connect(self.told)
        self.about.header_wanted.connect(self.show_header)
        self.about.folder_wanted.connect(self._open_folder)
        self.about.verify_wanted.connect(lambda: models.verify(self.name))
        self.about.cancel_wanted.connect(lambda: models.cancel_check(self.name))
        profiles.saved.connect(lambda one: models.save_profile(self.name, one))
        profiles.used.connect(self._use_profile)
        profiles.deleted.connect(self._delete_profile)
        profiles.renamed.connect(lambda old, new: models.rename_profile(self.name, old, new))
        revisions.use_wanted.connect(self._use_revision)
        revisions.compare_wanted.connect(lambda a, b: models.compare_revisions(self.name, a, b))
        revisions.newer_wanted.connect(self._view_newer)

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
            self.revisions.show_revisions((), "")
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
        self.profiles.show_profiles(extras.profiles, self._settings.current)
        self.memory.show_choice(self.choice)
        self.revisions.show_revisions(extras.revisions, self._model.newer_revision)
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
            self.unload_wanted.emit(self.name)
            return
        self._set_loading(loading=True)
        self._models.load(self.name, lambda: self._set_loading(loading=False))

    def _set_loading(self, *, loading: bool) -> None:
        self._is_loading = loading
        self._show_buttons()
        self.loading.emit()

    def _toggle_pin(self) -> None:
        if self._model is not None:
            name, pinned = self.name, not self._model.pinned
            self._models.change(lambda library: library.set_pinned(name, pinned=pinned))

    def _set_alias(self) -> None:
        name = self.name
        alias = ask_text(self, self._theme, "Set alias", "Short name, for example: fast", "Set")
        if alias:
            self._models.change(lambda library: library.set_alias(alias, name))

    def _use_profile(self, profile: str) -> None:
        name = self.name
        self._models.change_model(name, lambda library: library.use_profile(name, profile))

    def _delete_profile(self, profile: str) -> None:
        name = self.name
        self._models.change_model(name, lambda library: library.delete_profile(name, profile))

    def _use_revision(self, revision: str) -> None:
        name = self.name
        self._models.change_model(name, lambda library: library.use_revision(name, revision))

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
            HeaderDialog(self._theme, text, tab, self).show()

        def fail(error: LockhouseError) -> None:
            self.failed.emit(error)

        self._jobs.run(lambda: header_text(read_header(path), title), show, fail)

    def _show_differences(self, differences: tuple[Difference, ...]) -> None:
        DifferenceDialog(self._theme, differences, self).show()

    def _open_menu(self) -> None:
        model = self._model
        if model is None:
            return
        menu = make_menu(self)
        icon = self._theme.icon
        menu.addAction(icon("tag"), "Set alias…", self._set_alias)
        menu.addAction(icon("fingerprint"), "Verify file", self.about.verify_wanted.emit)
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
        corner = self._more.mapToGlobal(self._more.rect().bottomLeft())
        corner.setY(corner.y() + 4)
        menu.popup(corner)
