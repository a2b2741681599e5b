"""What the seal means, in sentences, and a check that anyone can run."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse import seal
from lockhouse.core.errors import LockhouseError
from lockhouse.seal import Probe, SealLevel
from lockhouse.ui import wording
from lockhouse.ui.jobs import JobHandle, Jobs
from lockhouse.ui.network import NetworkView, NetworkWatch
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

    def __init__(
        self, theme: Theme, network: NetworkWatch, jobs: Jobs, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._network = network
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
        self._icon = label("")
        self._title = label("", role="title", name="seal_title")
        head = QHBoxLayout()
        head.setSpacing(px(10))
        head.addWidget(self._icon)
        head.addWidget(self._title, 1)
        column.addLayout(head)
        column.addWidget(self._make_door())
        for sentence in (*_SENTENCES[level], file_sentence(seal.landlock_version())):
            column.addWidget(label(sentence, ink="2", wrap=True))
        column.addSpacing(px(4))
        column.addWidget(hairline())
        column.addLayout(self._make_check())
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
        network.changed.connect(self._show_network)
        self._show_network(network.view)

    def _make_check(self) -> QHBoxLayout:
        theme = self._theme
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
        return check

    def _make_door(self) -> QWidget:
        """Shown while a broker can reach a host: to whom, how much, and the way to end it."""
        px = self._theme.px
        self._door = QFrame()
        self._door.setProperty("tone", "warning-tint")
        self._hosts = label("", wrap=True, name="seal_hosts")
        self._sent = label("", ink="2", wrap=True, name="seal_sent")
        self._close_door = push_button(
            self._theme, "Seal", name="seal_now", kind="primary", icon="lock"
        )
        self._close_door.clicked.connect(self._network.seal)
        words = QVBoxLayout()
        words.setSpacing(px(4))
        words.addWidget(self._hosts)
        words.addWidget(self._sent)
        row = QHBoxLayout(self._door)
        row.setContentsMargins(px(12), px(10), px(12), px(10))
        row.setSpacing(px(12))
        row.addLayout(words, 1)
        row.addWidget(self._close_door)
        return self._door

    def _show_network(self, view: NetworkView) -> None:
        level = seal.state()
        closed = level == "kernel" and not view.is_open
        title = _TITLES[level]
        if view.is_open:
            title = f"Open to {view.place}"
        elif view.opens_next:
            title = "Sealed, open from the next start on"
        self._title.setText(title)
        icon, role = ("lock", "accent-text") if closed else ("lock-open", "warning")
        self._icon.setPixmap(self._theme.pixmap(icon, 24, role))
        self._door.setVisible(view.is_open or view.opens_next)
        self._hosts.setText("\n".join(view.hosts))
        sent = f"{wording.size(view.bytes_out)} left this machine in this session."
        self._sent.setText(
            f"One process, the broker, can reach these hosts. {sent} Sealing ends it at once."
            if view.is_open
            else "Windows and commands that start from now on can reach these hosts. This one "
            "started sealed and stays so. Sealing takes the permission back."
        )
        self.adjustSize()

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
