"""The proof: what was tried to get out, and how each attempt was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.gate.proof import Attempt, Proof, ProofLevel
from lockhouse.ui import formatting
from lockhouse.ui.frame_parts import label, push_button
from lockhouse.ui.gate import words
from lockhouse.ui.gate.card import Card, Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.widgets import Spinner

_LEVELS: dict[ProofLevel, str] = {
    "kernel": "Kernel",
    "sandbox": "Sandbox",
    "python": "Python only",
    "none": "Not stopped",
}
_TICK_MS = 500


class ProofCard(Card):
    """A line for each way out; what differs between processes has its own."""

    prove_wanted = Signal()
    save_wanted = Signal(object, object)  # Proof, Path

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "proof_card", "Proof", parent)
        self._proof: Proof | None = None
        self._seconds = 0.0
        self._when = label("", role="caption", ink="3", name="proof_when")
        self.head.addWidget(self._when)
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK_MS)
        self._tick.timeout.connect(self._count)
        self._build()
        theme.changed.connect(self._dress)

    @property
    def proof(self) -> Proof | None:
        """The last one."""
        return self._proof

    def show_running(self) -> None:
        """It is being tried."""
        self._seconds = 0.0
        self._tick.start()
        self._build(running=True)

    def show_proof(self, proof: Proof) -> None:
        """What came of it."""
        self._tick.stop()
        self._proof = proof
        moment = words.moment_of(proof.at)
        at = f"{moment.astimezone():%H:%M}, " if moment else ""
        self._when.setText(f"{at}took {formatting.seconds(proof.duration_s)}")
        self._build()

    def show_failed(self) -> None:
        """It could not be tried."""
        self._tick.stop()
        self._build()

    def _dress(self) -> None:
        self._build(running=self._tick.isActive())

    def _count(self) -> None:
        self._seconds += _TICK_MS / 1000
        self._when.setText(f"{self._seconds:.0f} s")

    def _build(self, *, running: bool = False) -> None:
        self.clear()
        self.add(self._summary(running=running))
        if self._proof is not None and not running:
            where: list[str] = []
            for group in _grouped(self._proof.rows):
                processes = list(dict.fromkeys(row.process for row in group))
                if processes != where:
                    where = processes
                    self.add(self._head(f"In {_listed(processes)}"))
                self.add(self._attempt(group))
            for reason in (*self._proof.missing, *self._proof.notes):
                self.add(self._note(reason, is_bad=reason in self._proof.missing))
        self.add(self._buttons(running=running))
        self.rebuilt.emit()

    def _summary(self, *, running: bool) -> QWidget:
        px = self.theme.px
        title, below = _verdict(None if running else self._proof)
        if running:
            title, below = "Trying to get out…", "From the window, an engine and a broker."
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(px(16), px(12), px(16), px(12))
        column.setSpacing(px(2))
        column.addWidget(label(title, role="strong", wrap=True, name="proof_verdict"))
        column.addWidget(label(below, role="caption", ink="2", wrap=True, name="proof_below"))
        return made

    def _head(self, words: str) -> QWidget:
        px = self.theme.px
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(px(16), px(6), px(16), px(6))
        row.addWidget(label(words, role="caption", ink="3", wrap=True), 1)
        return made

    def _attempt(self, group: Sequence[Attempt]) -> QWidget:
        theme, px = self.theme, self.theme.px
        first = group[0]
        stopped = all(row.stopped for row in group)
        made = QWidget()
        made.setFixedHeight(px(32))
        made.setToolTip("\n".join(_line(row) for row in group))
        row = QHBoxLayout(made)
        row.setContentsMargins(px(16), 0, px(16), 0)
        row.setSpacing(px(8))
        icon = label("")
        icon.setPixmap(
            theme.pixmap(
                "circle-check" if stopped else "circle-alert",
                16,
                "success" if stopped else "danger",
            )
        )
        row.addWidget(icon)
        row.addWidget(Elided(first.attempt), 1)
        levels = list(dict.fromkeys(_LEVELS[one.level] for one in group))
        shown = label(", ".join(levels), role="caption", ink="2" if stopped else "danger")
        row.addWidget(shown)
        state = "stopped" if stopped else "not stopped"
        made.setAccessibleName(f"{first.attempt}: {state}, {', '.join(levels)}")
        return made

    def _note(self, reason: str, *, is_bad: bool) -> QWidget:
        px = self.theme.px
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(px(16), px(8), px(16), px(8))
        row.setSpacing(px(8))
        icon = label("")
        look = ("triangle-alert", 16, "warning") if is_bad else ("info", 16, "text-3")
        icon.setPixmap(self.theme.pixmap(*look))
        row.addWidget(icon)
        row.addWidget(label(reason, role="caption", ink="2", wrap=True), 1)
        return made

    def _buttons(self, *, running: bool) -> QWidget:
        theme, px = self.theme, self.theme.px
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(px(12), px(8), px(12), px(8))
        row.setSpacing(px(8))
        again = "Prove it again" if self._proof else "Prove it"
        prove = push_button(theme, again, name="prove", icon="refresh-cw", compact=True)
        prove.setEnabled(not running)
        prove.clicked.connect(self.prove_wanted)
        row.addWidget(prove)
        if running:
            row.addWidget(Spinner(theme, "Trying to get out"))
        elif self._proof is not None:
            save = push_button(theme, "Save report…", name="proof_save", kind="quiet", compact=True)
            save.clicked.connect(self._choose_file)
            row.addWidget(save)
        row.addStretch(1)
        return made

    def _choose_file(self) -> None:
        suggested = str(Path.home() / "lockhouse-proof.txt")
        name, _ = QFileDialog.getSaveFileName(self, "Save the report", suggested, "Text (*.txt)")
        if name and self._proof is not None:
            self.save_wanted.emit(self._proof, Path(name))


def _grouped(rows: Sequence[Attempt]) -> list[list[Attempt]]:
    """One group an attempt, those that were not stopped anywhere by themselves and first."""
    groups: dict[tuple[str, bool], list[Attempt]] = {}
    for row in rows:
        groups.setdefault((row.attempt, row.stopped), []).append(row)
    return sorted(groups.values(), key=lambda group: group[0].stopped)


def _line(row: Attempt) -> str:
    how = f"stopped, {row.error} ({_LEVELS[row.level].lower()})"
    return f"In {row.process}: {how if row.stopped else f'NOT STOPPED, {row.error}'}"


def _verdict(proof: Proof | None) -> tuple[str, str]:
    if proof is None:
        return (
            "Do not take our word for it",
            (
                "Lockhouse tries to get out, in every way it knows, from this window, an engine "
                "and a broker, and shows what stopped it. Nothing is sent."
            ),
        )
    count = len(proof.rows)
    stopped = sum(row.stopped for row in proof.rows)
    processes = list(dict.fromkeys(row.process for row in proof.rows))
    kinds = formatting.counted(len(processes), "process", "processes")
    tried = f"From {kinds}, in every way that is known" if processes else "Nothing could be tried"
    if stopped == count and count:
        return f"All {count} attempts were stopped", tried
    return f"{count - stopped} of {count} attempts were not stopped", tried


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
