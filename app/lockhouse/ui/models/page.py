"""The Models page: On this machine, Discover, Transfers, and the page of the chosen model."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.engine.planning import DeviceReport
from lockhouse.library.file_choice import FileChoice
from lockhouse.library.gguf import read_header
from lockhouse.library.model_info import Difference, ImportOutcome, LoadChoice, ModelInfo
from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.error_views import BannerStack, ChoiceDialog
from lockhouse.ui.frame_parts import ask_text, hairline, label, push_button
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.machine_monitor import MachineState
from lockhouse.ui.models import words
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.models.details import ModelDetails
from lockhouse.ui.models.devices_dialog import DevicesDialog
from lockhouse.ui.models.discover import DiscoverView
from lockhouse.ui.models.discover_controller import DiscoverController
from lockhouse.ui.models.discover_values import Opened
from lockhouse.ui.models.folders_dialog import FoldersDialog
from lockhouse.ui.models.header_dialog import HeaderDialog, HeaderText, header_text
from lockhouse.ui.models.installed_view import InstalledView
from lockhouse.ui.models.memory import MemoryController, Question
from lockhouse.ui.models.revision_panel import DifferenceDialog
from lockhouse.ui.models.tabs import HEAD_HEIGHT, Tabs
from lockhouse.ui.models.transfer_controller import MOVING, TransferController
from lockhouse.ui.models.transfers_view import TransfersView, under_way
from lockhouse.ui.models.values import Checking, Freeing, ModelExtras, Shelf
from lockhouse.ui.network_monitor import NetworkMonitor, NetworkView
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.toast import Toast

_CHOSEN_REST_MS = 250
_TABS = (("shelf", "On this machine"), ("discover", "Discover"), ("transfers", "Transfers"))


class ModelsPage(QWidget):
    """Puts the tabs and the panel together; what each does is its own."""

    chat_wanted = Signal(str)
    unload_wanted = Signal(str)
    loading = Signal()
    import_wanted = Signal()
    open_network_wanted = Signal()
    seal_wanted = Signal()

    def __init__(
        self,
        models: ModelsController,
        memory: MemoryController,
        discover: DiscoverController,
        transfers: TransferController,
        network: NetworkMonitor,
        settings: SettingsStore,
        jobs: Jobs,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._memory = memory
        self._transfers = transfers
        self._network = network
        self._settings = settings
        self._jobs = jobs
        self._theme = theme
        self._loaded: frozenset[str] = frozenset()
        self._pending_removal: tuple[str, ...] = ()
        self._folders: FoldersDialog | None = None
        self._chosen_rest = QTimer(self)
        self._chosen_rest.setSingleShot(True)
        self._chosen_rest.setInterval(_CHOSEN_REST_MS)
        self._chosen_rest.timeout.connect(self._look_at_chosen)
        self.setObjectName("models_page")
        self.shelf = InstalledView(theme)
        self.discover = DiscoverView(discover, theme)
        self.transfers = TransfersView(theme)
        self.details = ModelDetails(theme)
        self.banners = BannerStack(theme)
        self._lay_out()
        self.toast = Toast(theme, self)
        self._wire_shelf()
        self._wire_details()
        self._wire_hub()
        self.show_network(network.view)
        self._show_transfers(transfers.transfers)
        self._show_limit(transfers.limit_bytes_per_s)

    # laying out

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        for view in (self.shelf, self.discover, self.transfers):
            self._stack.addWidget(view)
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_head())
        column.addWidget(hairline())
        column.addWidget(self.banners)
        column.addWidget(self._stack, 1)
        self.columns = ThreeColumns(self._theme, QWidget(), work, self.details)
        self.columns.restore({"list": False})
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.columns)

    def _make_head(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        head = QWidget()
        head.setFixedHeight(px(HEAD_HEIGHT))
        self.tabs = Tabs(theme, "models_tabs", _TABS)
        self.tabs.chosen.connect(self.show_tab)
        self._door_icon = label("")
        self._door = label("", role="caption-strong", ink="warning", name="door_words")
        self._seal = push_button(theme, "Seal", name="discover_seal", icon="lock", compact=True)
        self._seal.setToolTip("Close the network at once")
        self._seal.clicked.connect(self.seal_wanted)
        self._door_part = QWidget()
        door = QHBoxLayout(self._door_part)
        door.setContentsMargins(0, 0, 0, 0)
        door.setSpacing(px(6))
        door.addWidget(self._door_icon)
        door.addWidget(self._door)
        door.addSpacing(px(6))
        door.addWidget(self._seal)
        row = QHBoxLayout(head)
        row.setContentsMargins(px(16), 0, px(16), 0)
        row.addWidget(self.tabs)
        row.addStretch(1)
        row.addWidget(self._door_part)
        self._door_part.hide()
        theme.changed.connect(self._dress)
        self._dress()
        return head

    def _dress(self) -> None:
        self._door_icon.setPixmap(self._theme.pixmap("lock-open", 14, "warning"))

    # wiring

    def _wire_shelf(self) -> None:
        models, shelf = self._models, self.shelf
        models.listed.connect(self.show_shelf)
        models.imported.connect(self._show_imported)
        models.freeing_told.connect(self._show_freeing)
        models.checked.connect(self._show_check)
        models.told.connect(self.toast.say)
        models.failed.connect(self.show_error)
        shelf.chosen.connect(self._choose)
        shelf.opened.connect(self._choose)
        shelf.several_chosen.connect(self._choose_several)
        shelf.remove_wanted.connect(self._ask_removal)
        shelf.import_wanted.connect(self.import_wanted)
        shelf.folders_wanted.connect(self._show_folders)
        shelf.discover_wanted.connect(lambda: self.show_tab("discover"))
        shelf.explain_wanted.connect(self._memory.explain)
        shelf.disks.devices_wanted.connect(self._show_devices)
        self._memory.explained.connect(shelf.show_reason)

    def _wire_details(self) -> None:
        models, details = self._models, self.details
        models.extras_read.connect(self._show_extras)
        models.compared.connect(self._show_differences)
        self._memory.measured.connect(details.show_need)
        details.closed.connect(self._close_details)
        details.chat_wanted.connect(self.chat_wanted)
        details.load_wanted.connect(self._load)
        details.unload_wanted.connect(self.unload_wanted)
        details.pin_wanted.connect(lambda name, pinned: models.set_pinned(name, pinned=pinned))
        details.alias_wanted.connect(self._ask_alias)
        details.remove_wanted.connect(lambda name: self._ask_removal((name,)))
        details.asked.connect(self._ask_memory)
        details.header_wanted.connect(self._show_header)
        details.copied.connect(self.toast.say)
        details.about.verify_wanted.connect(lambda: self._on_model(models.verify))
        details.about.cancel_wanted.connect(lambda: self._on_model(models.cancel_check))
        profiles, revisions = details.profiles, details.revisions
        profiles.saved.connect(lambda one: self._on_model(lambda m: models.save_profile(m, one)))
        profiles.used.connect(lambda one: self._on_model(lambda m: models.use_profile(m, one)))
        profiles.deleted.connect(
            lambda one: self._on_model(lambda m: models.delete_profile(m, one))
        )
        profiles.renamed.connect(
            lambda before, after: self._on_model(lambda m: models.rename_profile(m, before, after))
        )
        revisions.use_wanted.connect(
            lambda one: self._on_model(lambda m: models.use_revision(m, one))
        )
        revisions.compare_wanted.connect(
            lambda a, b: self._on_model(lambda m: models.compare_revisions(m, a, b))
        )
        revisions.get_wanted.connect(self._look_at_newer)

    def _wire_hub(self) -> None:
        transfers, view = self._transfers, self.transfers
        self._network.changed.connect(self.show_network)
        self._network.failed.connect(self.show_error)
        self.discover.get_wanted.connect(self._get)
        self.discover.told.connect(self.toast.say)
        self.discover.open_network_wanted.connect(self.open_network_wanted)
        transfers.listed.connect(self._show_transfers)
        transfers.finished.connect(self._show_finished)
        transfers.limit_told.connect(self._show_limit)
        transfers.failed.connect(self.show_error)
        strip = self.discover.strip
        for rows in (view.rows, view.done_rows, strip.rows):
            rows.pause_wanted.connect(transfers.pause)
            rows.resume_wanted.connect(transfers.resume)
            rows.cancel_wanted.connect(self._ask_cancel)
            rows.move_wanted.connect(transfers.move)
            rows.open_wanted.connect(self._show_fetched)
        view.limit_chosen.connect(transfers.set_limit)
        strip.limit_chosen.connect(transfers.set_limit)
        strip.all_wanted.connect(lambda: self.show_tab("transfers"))
        view.clear_wanted.connect(transfers.clear_done)
        view.discover_wanted.connect(lambda: self.show_tab("discover"))

    # what it shows

    def show_tab(self, key: str) -> None:
        """Open a tab."""
        self.tabs.set_current(key)
        self._stack.setCurrentIndex([name for name, _ in _TABS].index(key))
        self._door_part.setVisible(key == "discover" and self._network.view.is_open)
        if key != "shelf":
            self.columns.show_details(shown=False)
        elif self.details.model is not None and len(self.shelf.names) == 1:
            self.columns.show_details(shown=True)
        if key == "discover":
            self.discover.focus_search()

    def show_shelf(self, shelf: Shelf) -> None:
        """The models of this machine."""
        self.tabs.set_count("shelf", len(shelf.models))
        self.shelf.show_shelf(shelf)
        if self._folders is not None:
            self._folders.show_folders(shelf.folders)
        shown = self.details.model
        if shown is None:
            return
        same = next((model for model in shelf.models if model.name == shown.name), None)
        if same is None:
            self._close_details()
        else:
            self.details.show_model(same, is_loaded=same.name in self._loaded)

    def show_machine(self, state: MachineState) -> None:
        """Which models are loaded."""
        loaded = frozenset(one.model_name for one in state.engines)
        if loaded == self._loaded:
            return
        self._loaded = loaded
        self.shelf.table.set_loaded(loaded)
        model = self.details.model
        if model is not None:
            self.details.show_model(model, is_loaded=model.name in loaded)
            self._ask_memory(self.details.choice)

    def show_network(self, view: NetworkView) -> None:
        """Whether there is a door, and to whom."""
        self.discover.show_network(view)
        self.discover.strip.show_open(is_open=view.is_open)
        self.transfers.show_open(is_open=view.is_open)
        self._door.setText(f"Open to {view.place} for model downloads")
        self._door_part.setVisible(view.is_open and self.tabs.current == "discover")

    def show_error(self, error: LockhouseError) -> None:
        """What went wrong."""
        self.banners.say(error.message, error.hint)

    def _show_imported(self, outcomes: tuple[ImportOutcome, ...]) -> None:
        self.show_tab("shelf")
        good = [one for one in outcomes if one.action != "refused"]
        for one in outcomes:
            if one.action == "refused":
                self.banners.say(one.message, one.hint)
        if good:
            names = ", ".join(one.model.title for one in good if one.model)
            fresh = any(one.action != "already there" for one in good)
            self.toast.say(f"Imported {names}" if fresh else f"{names} is here already")

    # one model

    def _on_model(self, act: object) -> None:
        if self.details.model is not None:
            act(self.details.model.name)  # type: ignore[operator] # something that takes a name

    def _choose(self, model: ModelInfo) -> None:
        self.details.show_model(model, is_loaded=model.name in self._loaded)
        self.columns.show_details(shown=True)
        self._chosen_rest.start()

    def _look_at_chosen(self) -> None:
        """Once nobody walks on to the next model: what costs a look at the disk."""
        model = self.details.model
        if model is not None:
            self._models.read_extras(model.name)
            if model.state in ("ready", "changed"):
                self._ask_memory(LoadChoice())

    def _choose_several(self, names: tuple[str, ...]) -> None:
        self._models.ask_freeing(names)

    def _close_details(self) -> None:
        self.details.memory.flush()
        self.columns.show_details(shown=False)

    def _show_extras(self, extras: ModelExtras) -> None:
        before = self.details.choice
        self.details.show_extras(extras, self._settings.current)
        if self.details.choice != before:
            self._ask_memory(self.details.choice)

    def _ask_memory(self, choice: LoadChoice) -> None:
        model = self.details.model
        if model is None or model.state not in ("ready", "changed"):
            return
        settings = self._settings.current
        kv_type = choice.kv_type or settings.kv_type
        self._memory.ask(
            Question(
                model,
                choice.context_length or settings.context_length,
                "q8_0" if kv_type == "q8_0" else "f16",
                choice.parallel or settings.parallel_answers,
            )
        )

    def _load(self, name: str) -> None:
        self.loading.emit()
        self._models.load(name, self._loaded_or_not)

    def _loaded_or_not(self) -> None:
        self.details.show_loading(loading=False)
        self.loading.emit()

    def _show_header(self, tab: str) -> None:
        model = self.details.model
        if model is None:
            return
        path, title = model.path, model.title or model.name

        def show(text: HeaderText) -> None:
            dialog = HeaderDialog(self._theme, text, tab, self)
            dialog.finished.connect(dialog.deleteLater)
            dialog.show()

        self._jobs.run(lambda: header_text(read_header(path), title), show, self.show_error)

    def _show_differences(self, differences: tuple[Difference, ...]) -> None:
        dialog = DifferenceDialog(self._theme, differences, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _show_check(self, check: Checking) -> None:
        self.shelf.table.set_checking(check.name, None if check.outcome else check.share)
        self.details.show_check(check)
        title = next(
            (one.title for one in self._models.shelf.models if one.name == check.name), check.name
        )
        if check.outcome == "unchanged":
            self.toast.say(f"{title}: the file is unchanged")
        elif check.outcome == "changed":
            self.banners.say(
                f"{title} is not the file it was: its content has changed.",
                "It is used as it is now. If nobody changed it on purpose, get it again.",
                tone="warning",
            )

    def _ask_alias(self, name: str) -> None:
        alias = ask_text(self, self._theme, "Alias", "A short name, such as fast", "Set")
        if alias:
            self._models.set_alias(alias, name)

    def _look_at_newer(self) -> None:
        model = self.details.model
        if model is not None and model.source is not None and model.source.repo:
            self.show_tab("discover")
            self.discover.look_up(model.source.repo)

    # removing

    def _ask_removal(self, names: tuple[str, ...]) -> None:
        self._pending_removal = tuple(names)
        self._models.ask_freeing(names)

    def _show_freeing(self, freeing: Freeing) -> None:
        self.shelf.show_freeing(freeing)
        if set(freeing.names) != set(self._pending_removal):
            return
        self._pending_removal = ()
        shelf = self._models.shelf
        titles = [one.title for one in shelf.models if one.name in freeing.names]
        title = (
            f"Remove {titles[0]}?"
            if len(titles) == 1
            else (f"Remove {formatting.counted(len(titles), 'model')}?")
        )
        dialog = ChoiceDialog(
            self._theme,
            title,
            freeing.sentence,
            hint="Files in our own folders are deleted. Files of other programs are never touched.",
            choices=(("remove", "Remove"),),
            details="\n".join(titles) if len(titles) > 1 else "",
            close_words="Keep",
            parent=self,
        )
        dialog.setObjectName("removal_dialog")
        dialog.chosen.connect(lambda _: self._models.remove(freeing.names))
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _show_folders(self) -> None:
        dialog = self._folders = FoldersDialog(self._theme, self)
        dialog.show_folders(self._models.shelf.folders)
        dialog.add_wanted.connect(self._models.add_folder)
        dialog.forget_wanted.connect(self._models.forget_folder)
        dialog.rescan_wanted.connect(self._models.rescan)
        dialog.finished.connect(self._folders_closed)
        dialog.show()

    def _show_devices(self) -> None:
        dialog = DevicesDialog(self._theme, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

        def show(report: DeviceReport) -> None:
            if shiboken6.isValid(dialog):
                dialog.show_report(report)

        def fail(error: LockhouseError) -> None:
            if shiboken6.isValid(dialog):
                dialog.show_error(error)

        self._memory.look_for_devices(show, fail)

    def _folders_closed(self) -> None:
        dialog, self._folders = self._folders, None
        if dialog is not None:
            dialog.deleteLater()

    # fetching

    def _get(self, opened: Opened, choice: FileChoice) -> None:
        self._transfers.add(opened.repo, choice.files, choice.label)
        self.toast.say(f"Getting {words.plain_title(opened.repo.repo)} {choice.label}")

    def _show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        self.tabs.set_count("transfers", len(under_way(transfers)))
        self.transfers.show_transfers(transfers)
        self.discover.show_transfers(transfers)

    def _show_finished(self, transfer: Transfer) -> None:
        self.toast.say(f"{words.plain_title(transfer.repo, transfer.title)} is here and checked")
        self._models.refresh()

    def _show_limit(self, bytes_per_s: int) -> None:
        self.transfers.limit.show_limit(bytes_per_s)
        self.discover.strip.limit.show_limit(bytes_per_s)

    def _ask_cancel(self, transfer_id: str) -> None:
        """What came is lost, so it is asked, unless nothing came."""
        one = next((one for one in self._transfers.transfers if one.id == transfer_id), None)
        if one is None or one.state == "done" or not one.done_bytes:
            self._transfers.cancel(transfer_id)
            return
        dialog = ChoiceDialog(
            self._theme,
            f"Cancel {words.plain_title(one.repo, one.title)}?",
            f"{formatting.size(one.done_bytes)} that came so far are deleted.",
            hint="Pause it to go on another time." if one.state in MOVING else "",
            choices=(("cancel", "Cancel the download"),),
            close_words="Keep it",
            parent=self,
        )
        dialog.setObjectName("cancel_dialog")
        dialog.chosen.connect(lambda _: self._transfers.cancel(transfer_id))
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _show_fetched(self, transfer_id: str) -> None:
        one = next((one for one in self._transfers.transfers if one.id == transfer_id), None)
        if one is None or one.destination is None:
            return
        path = one.destination
        model = next(
            (each for each in self._models.shelf.models if path in each.files), None
        ) or next(
            (each for each in self._models.shelf.models if each.path.parent == path.parent), None
        )
        self.show_tab("shelf")
        if model is not None:
            self.shelf.choose(model.name)
