"""What the seal means, in sentences, and a check that anyone can run."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse import seal
from lockhouse.core.errors import LockhouseError
from lockhouse.seal import Probe, SealLevel
from lockhouse.ui.jobs import JobHandle, Jobs
from lockhouse.ui.parts import hairline, label, push_button
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Pill, Spinner

_TITLES: dict[SealLevel, str] = {
    "kernel": "Sealed: nothing can leave",
    "python": "Sealed by the program only",
    "none": "This window is not sealed",
}
_SENTENCES: dict[SealLevel, tuple[str, ...]] = {
    "kernel": (
        (
            "The operating system's kernel refuses every network connection of this window and of "
            "every process it starts, the models included. That was set before anything else was "
            "loaded and cannot be taken back while the program runs."
        ),
        (
            "It holds for native code and for child processes too, not only for what is written in "
            "Python."
        ),
    ),
    "python": (
        (
            "This system offers the program no kernel seal. Lockhouse refuses the network itself: "
            "its own code cannot connect, but native code in a model engine is not held back by "
            "the system."
        ),
        "For a stronger promise, use Linux, or disconnect the machine.",
    ),
    "none": (
        (
            "The program was started in a way that did not seal it first. Start it with the "
            "command lockhouse."
        ),
    ),
}


def file_sentence(landlock_version: int) -> str:
    """What model processes can see of the disk."""
    if landlock_version:
        return (
            "Each model runs in a process of its own that can read its model file and the program "
            "and nothing else of your files (Landlock)."
        )
    return "Each model runs in a process of its own. This kernel cannot restrict its file access."


class SealDialog(QDialog):
    """Opened from the seal in the status bar."""

    def __init__(self, theme: Theme, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._jobs = jobs
        self._job: JobHandle | None = None
        level = seal.state()
        px = theme.px
        self.setObjectName("seal_dialog")
        self.setWindowTitle("The seal")
        self.setMinimumWidth(px(680))
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(20))
        column.setSpacing(px(10))
        column.addLayout(_head(theme, level))
        for sentence in (*_SENTENCES[level], file_sentence(seal.landlock_version())):
            column.addWidget(label(sentence, ink="2", wrap=True))
        column.addSpacing(px(4))
        column.addWidget(hairline())
        check = QHBoxLayout()
        check.addWidget(
            label("See for yourself: try to reach the network in every way.", wrap=True), 1
        )
        self._spinner = Spinner(theme, "Checking")
        self._spinner.hide()
        check.addWidget(self._spinner)
        self._check = push_button(theme, "Check now", name="check_seal", compact=True)
        self._check.clicked.connect(self._run)
        check.addWidget(self._check)
        column.addLayout(check)
        self._results = QGridLayout()
        self._results.setHorizontalSpacing(px(12))
        self._results.setVerticalSpacing(px(6))
        self._results.setColumnStretch(1, 1)
        column.addLayout(self._results)
        self._verdict = label("", wrap=True, name="seal_verdict", role="medium")
        self._verdict.hide()
        column.addWidget(self._verdict)
        column.addStretch(1)
        row = QHBoxLayout()
        row.addStretch(1)
        close = push_button(theme, "Close", name="seal_close")
        close.clicked.connect(self.accept)
        row.addWidget(close)
        column.addLayout(row)

    def _run(self) -> None:
        self._check.setEnabled(False)
        self._spinner.show()
        self._job = self._jobs.run(seal.self_test, self._show, self._failed)

    def _show(self, probes: list[Probe]) -> None:
        self._check.setEnabled(True)
        self._check.setText("Check again")
        self._spinner.hide()
        while self._results.count():
            item = self._results.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, probe in enumerate(probes):
            self._results.addWidget(label(probe.attempt), row, 0)
            by = {"kernel": "by the kernel", "python": "by the program", "none": ""}[probe.by]
            words = f"Stopped {by}".strip() if probe.stopped else "Not stopped"
            pill = Pill(
                self._theme,
                words,
                icon="check" if probe.stopped else "x",
                tone="success" if probe.stopped else "danger",
            )
            self._results.addWidget(label(probe.detail, ink="3"), row, 1)
            self._results.addWidget(pill, row, 2, Qt.AlignmentFlag.AlignRight)
        stopped = sum(probe.stopped for probe in probes)
        if stopped == len(probes):
            self._verdict.setText(f"All {len(probes)} attempts were stopped.")
        else:
            self._verdict.setText(
                f"{len(probes) - stopped} of {len(probes)} attempts were not stopped."
            )
        self._verdict.show()
        self.adjustSize()

    def _failed(self, error: LockhouseError) -> None:
        self._check.setEnabled(True)
        self._spinner.hide()
        self._verdict.setText(f"{error.message} {error.hint}".strip())
        self._verdict.show()

    def done(self, result: int) -> None:
        if self._job is not None:
            self._job.cancel()
        super().done(result)


def _head(theme: Theme, level: SealLevel) -> QHBoxLayout:
    head = QHBoxLayout()
    head.setSpacing(theme.px(10))
    icon = label("")
    closed = level == "kernel"
    role = "accent-text" if closed else "warning"
    icon.setPixmap(theme.pixmap("lock" if closed else "lock-open", 24, role))
    head.addWidget(icon)
    head.addWidget(label(_TITLES[level], role="title", name="seal_title"), 1)
    return head
