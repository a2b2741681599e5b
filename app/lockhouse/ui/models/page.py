"""The Models page: On this machine, Discover, Downloads, and the details of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from lockhouse.core.errors import LockhouseError
from lockhouse.library.file_choice import FileChoice
from lockhouse.library.model_info import ImportOutcome, ModelInfo
from lockhouse.library.models import Models
from lockhouse.library.transfers import Transfer
from lockhouse.ui import formatting
from lockhouse.ui.error_views import BannerStack, ChoiceDialog
from lockhouse.ui.frame_parts import HEAD_HEIGHT, IconLabel, Tabs, hairline, label, small_button
from lockhouse.ui.layouts import STRETCH, column, holding, row, stack
from lockhouse.ui.machine_monitor import MachineState
from lockhouse.ui.models import model_text
from lockhouse.ui.models.controller import CheckProgress, Freeing, ImportPlan, InstalledModels
from lockhouse.ui.models.details import ModelDetails
from lockhouse.ui.models.dialogs import DevicesDialog, FoldersDialog
from lockhouse.ui.models.discover import DiscoverView
from lockhouse.ui.models.discover_controller import DiscoverController, OpenedRepository
from lockhouse.ui.models.import_dialog import ImportDialog
from lockhouse.ui.models.installed_view import InstalledView
from lockhouse.ui.models.transfer_controller import MOVING
from lockhouse.ui.models.transfers_view import TransfersView, unfinished
from lockhouse.ui.network_monitor import NetworkView
from lockhouse.ui.three_columns import ThreeColumns
from lockhouse.ui.toast import Toast

if TYPE_CHECKING:
    from lockhouse.ui.pages import Pages

_TABS = (("installed", "On this machine"), ("discover", "Discover"), ("transfers", "Downloads"))


class ModelsPage(QWidget):
    """Connects the tabs, the details and their controllers."""

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        its, theme, workspace = pages.controllers, pages.theme, pages.workspace
        self._models = its.models
        self._memory = its.memory
        self._transfers = its.transfers
        self._network = its.network
        self._theme = theme
        self._loaded: frozenset[str] = frozenset()
        self._pending_removal: frozenset[str] = frozenset()
        self._folders: FoldersDialog | None = None
        self.setObjectName("models_page")
        hub = DiscoverController(
            workspace.hub, workspace.engines, lambda: its.models.installed.models, pages.jobs, self
        )
        self.installed = InstalledView(theme)
        self.discover = DiscoverView(hub, its.transfers, theme)
        self.transfers = TransfersView(its.transfers, theme)
        self.details = ModelDetails(pages)
        self.banners = BannerStack(theme)
        self._lay_out()
        self.toast = Toast(theme, self)
        self._wire_installed(pages)
        self._wire_details()
        self._wire_downloads(pages)
        self.show_network(its.network.view)
        self._show_transfers(its.transfers.transfers)
        self.show_machine(its.machine.state)
        self.show_installed(its.models.installed)

    # layout

    def _lay_out(self) -> None:
        self._stack = stack(self.installed, self.discover, self.transfers)
        work = column(self._theme, self._make_head(), hairline(), self.banners, (self._stack, 1))
        self.columns = ThreeColumns(self._theme, QWidget(), holding(work), self.details)
        self.columns.restore({"list": False})
        row(self._theme, self.columns, on=self)

    def _make_head(self) -> QWidget:
        theme, px = self._theme, self._theme.px
        self.tabs = Tabs(theme, "models_tabs", _TABS)
        self.tabs.chosen.connect(self.show_tab)
        self._network_text = label("", role="caption-strong", ink="warning", name="network_text")
        act = self._network.seal
        seal = small_button(theme, "Seal now", act, name="discover_seal", icon="lock")
        seal.setToolTip("End all network access now")
        icon = IconLabel(theme, "lock-open", 14, "warning")
        self._network_part = holding(row(theme, icon, self._network_text, 6, seal, gap=6))
        self._network_part.hide()
        parts = (self.tabs, STRETCH, self._network_part)
        head = holding(row(theme, *parts, margins=(16, 0)))
        head.setFixedHeight(px(HEAD_HEIGHT))
        return head

    # wiring

    def _wire_installed(self, pages: Pages) -> None:
        models, view = self._models, self.installed
        models.listed.connect(self.show_installed)
        models.import_planned.connect(self._ask_import)
        models.imported.connect(self._show_imported)
        models.freeing_read.connect(self._show_freeing)
        models.checked.connect(self._show_check)
        models.told.connect(self.toast.say)
        models.removed.connect(lambda text: self.toast.say(text, undo_token=text))
        self.toast.undo_wanted.connect(lambda _: models.undo_removal())
        models.failed.connect(self.show_error)
        pages.controllers.machine.looked.connect(self.show_machine)
        view.chosen.connect(self._choose)
        view.several_chosen.connect(models.read_freeing)
        view.remove_wanted.connect(self.ask_removal)
        view.import_wanted.connect(pages.import_wanted)
        view.filter_bar.folders_wanted.connect(self.show_folders)
        view.discover_wanted.connect(lambda: self.show_tab("discover"))
        view.explain_wanted.connect(self._memory.explain)
        view.disks.devices_wanted.connect(self.show_devices)
        self._memory.explained.connect(view.show_reason)

    def _wire_details(self) -> None:
        details = self.details
        details.closed.connect(self._close_details)
        details.remove_wanted.connect(lambda name: self.ask_removal((name,)))
        details.discover_wanted.connect(self._look_up)
        details.told.connect(self.toast.say)
        details.failed.connect(self.show_error)

    def _wire_downloads(self, pages: Pages) -> None:
        transfers, view, discover = self._transfers, self.transfers, self.discover
        self._network.changed.connect(self.show_network)
        self._network.failed.connect(self.show_error)
        discover.get_wanted.connect(self._download)
        discover.told.connect(self.toast.say)
        discover.sealed.open_wanted.connect(lambda: pages.ask_network_access("hub"))
        discover.strip.all_wanted.connect(lambda: self.show_tab("transfers"))
        transfers.listed.connect(self._show_transfers)
        transfers.finished.connect(self._show_finished)
        transfers.failed.connect(self.show_error)
        for rows in (view.rows, view.done_rows, discover.strip.rows):
            rows.cancel_wanted.connect(self._ask_cancel)
            rows.show_wanted.connect(self._show_downloaded)
        view.discover_wanted.connect(lambda: self.show_tab("discover"))

    # what it shows

    def show_tab(self, key: str) -> None:
        """Open a tab."""
        self.tabs.set_current(key)
        self._stack.setCurrentIndex([name for name, _ in _TABS].index(key))
        self._network_part.setVisible(key == "discover" and self._network.view.is_open)
        if key != "installed":
            self.columns.show_details(shown=False)
        elif self.details.model is not None and len(self.installed.names) == 1:
            self.columns.show_details(shown=True)
        if key == "discover":
            self.discover.focus_search()

    def show_installed(self, installed: InstalledModels) -> None:
        """Show the models of this machine."""
        self.tabs.set_count("installed", len(installed.models))
        self.installed.show_installed(installed)
        if self._folders is not None:
            self._folders.show_folders(installed.folders)
        if self.details.model is None:
            return
        same = installed.get(self.details.name)
        if same is None:
            self._close_details()
        else:
            self.details.show_model(same, is_loaded=same.name in self._loaded)

    def show_machine(self, state: MachineState) -> None:
        """Show which models are loaded."""
        loaded = frozenset(one.model_name for one in state.engines)
        if loaded == self._loaded:
            return
        self._loaded = loaded
        self.installed.table.set_loaded(loaded)
        model = self.details.model
        if model is not None:
            self.details.show_model(model, is_loaded=model.name in loaded)
            self.details.ask_memory()

    def show_network(self, view: NetworkView) -> None:
        """Show whether there is network access, and to which host."""
        self.discover.show_network(view)
        self.discover.strip.show_open(is_open=view.is_open)
        self.transfers.show_open(is_open=view.is_open)
        self._network_text.setText(f"Network access: {view.place}")
        self._network_part.setVisible(view.is_open and self.tabs.current == "discover")

    def show_error(self, error: LockhouseError) -> None:
        """Show what went wrong."""
        self.banners.say(error.message, error.hint)

    def _ask_import(self, plan: ImportPlan) -> None:
        dialog = ImportDialog(self._theme, plan, self)
        dialog.import_wanted.connect(self._models.import_files)
        dialog.show_once()

    def _show_imported(self, outcomes: tuple[ImportOutcome, ...]) -> None:
        self.show_tab("installed")
        good = [one for one in outcomes if one.action != "refused"]
        for one in outcomes:
            if one.action == "refused":
                self.banners.say(one.message, one.hint)
        if good:
            names = ", ".join(one.model.title for one in good if one.model)
            new = any(one.action != "already there" for one in good)
            self.toast.say(f"Imported {names}" if new else f"Already imported: {names}")

    def _show_check(self, check: CheckProgress) -> None:
        self.installed.table.set_checking(check.name, None if check.outcome else check.share)
        model = self._models.installed.get(check.name)
        title = model.title if model else check.name
        if check.outcome == "unchanged":
            self.toast.say(f"{title}: the file is unchanged")
        elif check.outcome == "changed":
            self.banners.say(
                f"The file of {title} has changed since it was verified.",
                "It is used as it is now. If you did not change it, download it again.",
                tone="warning",
            )

    # one model

    def _choose(self, model: ModelInfo) -> None:
        self.details.choose(model, is_loaded=model.name in self._loaded)
        self.columns.show_details(shown=True)

    def _close_details(self) -> None:
        self.details.memory.flush()
        self.columns.show_details(shown=False)

    def _look_up(self, repo: str) -> None:
        self.show_tab("discover")
        self.discover.look_up(repo)

    def ask_removal(self, names: tuple[str, ...]) -> None:
        """Show what removing these models deletes, and ask."""
        self._pending_removal = frozenset(names)
        self._models.read_freeing(names)

    def _show_freeing(self, freeing: Freeing) -> None:
        self.installed.show_freeing(freeing)
        if not freeing.names or set(freeing.names) != self._pending_removal:
            return
        self._pending_removal = frozenset()
        models = [one for one in self._models.installed.models if one.name in freeing.names]
        what = models[0].title if len(models) == 1 else formatting.counted(len(models), "model")
        hint = "No files are deleted."
        if freeing.deleted:
            files = "this file" if len(freeing.deleted) == 1 else "these files"
            is_safe = freeing.to_trash
            hint = f"Moves {files} to the trash:" if is_safe else f"Permanently deletes {files}:"
        dialog = ChoiceDialog(
            self._theme,
            f"Remove {what}?",
            freeing.sentence,
            hint=hint,
            choices=(("remove", "Remove"),),
            details="\n".join(str(path) for path in freeing.deleted),
            close_words="Cancel",
            name="removal_dialog",
            destroys=bool(freeing.deleted) and not freeing.to_trash,
            parent=self,
        )
        dialog.chosen.connect(lambda _: self._models.remove(freeing.names))
        dialog.show_once()

    def show_folders(self) -> None:
        """The dialog of the folders that hold models."""
        change = self._models.change
        dialog = self._folders = FoldersDialog(self._theme, lambda: change(Models.rescan), self)
        dialog.show_folders(self._models.installed.folders)
        dialog.add_wanted.connect(lambda path: change(lambda library: library.add_folder(path)))
        dialog.allow_wanted.connect(
            lambda path: change(lambda library: library.add_folder(path, writable=True))
        )
        dialog.remove_wanted.connect(
            lambda path: change(lambda library: library.forget_folder(path))
        )
        dialog.finished.connect(self._forget_folders)
        dialog.show_once()

    def _forget_folders(self) -> None:
        self._folders = None

    def show_devices(self) -> None:
        """What this machine can compute with."""
        dialog = DevicesDialog(self._theme, self)
        looking = self._memory.look_for_devices(dialog.show_report, dialog.show_error)
        dialog.finished.connect(lambda _: looking.cancel())
        dialog.show_once()

    # downloads

    def _download(self, opened: OpenedRepository, choice: FileChoice) -> None:
        self._transfers.change(
            lambda queue: queue.add(opened.repo, choice.files, label=choice.label)
        )
        title = model_text.plain_title(opened.repo.repo)
        self.toast.say(f"Downloading {title} {choice.label}")

    def _show_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        self.tabs.set_count("transfers", len(unfinished(transfers)))
        self.transfers.show_transfers(transfers)
        self.discover.show_transfers(transfers)

    def _show_finished(self, transfer: Transfer) -> None:
        title = model_text.plain_title(transfer.repo, transfer.title)
        self.toast.say(f"Downloaded and verified {title}")
        self._models.refresh()

    def _find_transfer(self, transfer_id: str) -> Transfer | None:
        return next((one for one in self._transfers.transfers if one.id == transfer_id), None)

    def _ask_cancel(self, transfer_id: str) -> None:
        """Ask before what was downloaded is deleted."""

        def cancel() -> None:
            self._transfers.change(lambda queue: queue.cancel(transfer_id))

        one = self._find_transfer(transfer_id)
        if one is None or one.state == "done" or not one.done_bytes:
            cancel()
            return
        dialog = ChoiceDialog(
            self._theme,
            f"Cancel the download of {model_text.plain_title(one.repo, one.title)}?",
            f"Deletes the {formatting.size(one.done_bytes)} downloaded so far.",
            hint="Pause it instead to continue later." if one.state in MOVING else "",
            choices=(("cancel", "Cancel download"),),
            close_words="Keep download",
            name="cancel_dialog",
            destroys=True,
            parent=self,
        )
        dialog.chosen.connect(lambda _: cancel())
        dialog.show_once()

    def _show_downloaded(self, transfer_id: str) -> None:
        one = self._find_transfer(transfer_id)
        if one is None or one.destination is None:
            return
        path, models = one.destination, self._models.installed.models
        model = next((each for each in models if path in each.files), None)
        if model is None:
            model = next((each for each in models if each.path.parent == path.parent), None)
        self.show_tab("installed")
        if model is not None:
            self.installed.choose(model.name)
