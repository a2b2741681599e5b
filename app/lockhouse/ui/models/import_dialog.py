"""Asks whether an imported model stays where it is or is copied, and what follows from it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from lockhouse.ui import formatting
from lockhouse.ui.form_dialog import FormDialog
from lockhouse.ui.frame_parts import label
from lockhouse.ui.layouts import STRETCH, row
from lockhouse.ui.models import model_text
from lockhouse.ui.models.controller import ImportPlan
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import SegmentedControl

_MODES = (("in-place", "Use where it is"), ("copy", "Copy to Lockhouse"))


class ImportDialog(FormDialog):
    """In place is offered first, but for a removable disk, which may not be there next time."""

    import_wanted = Signal(object, str)  # tuple[Path, ...], ImportMode

    def __init__(self, theme: Theme, plan: ImportPlan, parent: QWidget) -> None:
        names = [one.source.name for one in plan.new]
        title = f"Import {names[0]}?" if len(names) == 1 else f"Import {len(names):,} models?"
        super().__init__(theme, "import_dialog", title, width=520, parent=parent)
        self._plan = plan
        folders = dict.fromkeys(str(one.source.parent) for one in plan.new)
        where = ", ".join(model_text.home_relative(Path(folder)) for folder in folders)
        size = formatting.size(plan.size_bytes)
        self.content.addWidget(label(f"{size} in {where}", ink="2", wrap=True, name="import_where"))
        self._modes = SegmentedControl("How to import", _MODES)
        self._modes.setObjectName("import_mode")
        self._modes.set_current("copy" if plan.disk and self._has_room() else "in-place")
        self._modes.selected.connect(lambda _: self._explain())
        self.content.addLayout(row(theme, self._modes, STRETCH))
        self._about = label("", ink="2", wrap=True, name="import_about")
        self._warning = label("", ink="warning", wrap=True, name="import_warning")
        self.content.addWidget(self._about)
        self.content.addWidget(self._warning)
        self.add_button("Cancel", self.reject, name="import_cancel")
        self._accept = self.add_button("Import", self._import, name="import_accept", kind="primary")
        self._explain()

    def _has_room(self) -> bool:
        return self._plan.free_bytes > self._plan.size_bytes

    def _explain(self) -> None:
        plan, copies = self._plan, self._modes.current() == "copy"
        folder = model_text.home_relative(plan.folder)
        if copies:
            free = formatting.size(plan.free_bytes)
            about = (
                f"A copy of {formatting.size(plan.size_bytes)} in {folder}, where {free} are free."
            )
        else:
            about = (
                "Nothing is copied or changed. If the file is moved or deleted, so is the model."
            )
        warning = ""
        if copies and not self._has_room():
            warning = "There is not enough room for a copy."
        elif plan.disk and not copies:
            warning = (
                f"It is on the removable disk {plan.disk}: the model can be used only while that "
                "disk is connected."
            )
        self._about.setText(about)
        self._warning.setText(warning)
        self._warning.setVisible(bool(warning))
        self._accept.setEnabled(not copies or self._has_room())
        self.fit()

    def _import(self) -> None:
        self.import_wanted.emit(self._plan.paths, self._modes.current())
        self.accept()
