"""The proof: each way out that was tried, and what stopped it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from lockhouse.gate.proof import Attempt, Proof
from lockhouse.seal import ProbeLevel
from lockhouse.ui import formatting
from lockhouse.ui.files import ask_path
from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import IconLabel, label, push_button
from lockhouse.ui.gate.card import Card
from lockhouse.ui.layouts import column, holding
from lockhouse.ui.paragraph import Elided
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import repetition
from lockhouse.ui.widgets import Spinner

_LEVELS: dict[ProbeLevel, str] = {
    "kernel": "Kernel",
    "sandbox": "Sandbox",
    "python": "Python only",
    "none": "Not stopped",
}
_TICK_MS = 500


class ProofCard(Card):
    """A line for each way out; where processes differ, each has its own."""

    prove_wanted = Signal()
    save_wanted = Signal(object, object)  # Proof, Path

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "proof_card", "Proof", parent)
        self._proof: Proof | None = None
        self._seconds = 0.0
        self._when = label("", role="caption", ink="3", name="proof_when")
        self.head.addWidget(self._when)
        self._tick = repetition(self, _TICK_MS, self._count)
        self._build()
        theme.changed.connect(self._dress)

    @property
    def proof(self) -> Proof | None:
        """The last one."""
        return self._proof

    def show_running(self) -> None:
        """The attempts are under way."""
        self._seconds = 0.0
        self._tick.start()
        self._build(running=True)

    def show_proof(self, proof: Proof) -> None:
        """Show the results."""
        self._tick.stop()
        self._proof = proof
        moment = formatting.moment_of(proof.at)
        at = f"{moment.astimezone():%H:%M}, " if moment else ""
        self._when.setText(f"{at}took {formatting.seconds(proof.duration_s)}")
        self._build()

    def show_failed(self) -> None:
        """The proof could not be run."""
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
                    head = label(f"In {_listed(processes)}", role="caption", ink="3", wrap=True)
                    self.add_row(head, wide=head, gap=6)
                self._add_attempt(group)
            for reason in self._proof.missing:
                self._add_note(reason, ("triangle-alert", 16, "warning"))
            for note in self._proof.notes:
                self._add_note(note, ("info", 16, "text-3"))
        self._add_buttons(running=running)
        self.rebuilt.emit()

    def _summary(self, *, running: bool) -> QWidget:
        title, below = _verdict(None if running else self._proof)
        if running:
            title = "Trying every way out…"
            below = "From this window, an engine and a network process."
        verdict = label(title, role="strong", wrap=True, name="proof_verdict")
        more = label(below, role="caption", ink="2", wrap=True, name="proof_below")
        margins = (16, 12)
        return holding(column(self.theme, verdict, more, gap=2, margins=margins))

    def _add_attempt(self, group: Sequence[Attempt]) -> None:
        first = group[0]
        stopped = all(row.stopped for row in group)
        levels = ", ".join(dict.fromkeys(_LEVELS[one.level] for one in group))
        icon = ("circle-check", 16, "success") if stopped else ("circle-alert", 16, "danger")
        attempt = Elided(first.attempt)
        shown = label(levels, role="caption", ink="2" if stopped else "danger")
        row = self.add_row(IconLabel(self.theme, *icon), attempt, shown, wide=attempt, gap=0)
        row.setFixedHeight(self.theme.px(32))
        row.setToolTip("\n".join(_line(one) for one in group))
        state = "stopped" if stopped else "not stopped"
        row.setAccessibleName(f"{first.attempt}: {state}, {levels}")

    def _add_note(self, reason: str, icon: tuple[str, int, str]) -> None:
        words = label(reason, role="caption", ink="2", wrap=True)
        self.add_row(IconLabel(self.theme, *icon), words, wide=words)

    def _add_buttons(self, *, running: bool) -> None:
        theme = self.theme
        again = "Prove it again" if self._proof else "Prove it"
        prove = push_button(
            theme, again, self.prove_wanted, name="prove", icon="refresh-cw", compact=True
        )
        prove.setEnabled(not running)
        buttons = QWidget()
        row = FlowLayout(buttons, spacing=theme.px(8))
        row.addWidget(prove)
        if running:
            row.addWidget(Spinner(theme, "Trying every way out"))
        elif self._proof is not None:
            words, save = "Save report…", self._choose_file
            row.addWidget(
                push_button(theme, words, save, name="proof_save", kind="quiet", compact=True)
            )
        self.add_row(buttons, wide=buttons, side=12)

    def _choose_file(self) -> None:
        path = ask_path(self, "Save report", "lockhouse-proof.txt", "Text (*.txt)")
        if path and self._proof is not None:
            self.save_wanted.emit(self._proof, path)


def _grouped(rows: Sequence[Attempt]) -> list[list[Attempt]]:
    """One group per attempt. Those that were not stopped come first, in groups of their own."""
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
            "See for yourself",
            (
                "Lockhouse tries every known way out of this machine, from this window, an engine "
                "and a network process, and shows what stopped it. Nothing is sent."
            ),
        )
    count = len(proof.rows)
    stopped = sum(row.stopped for row in proof.rows)
    processes = list(dict.fromkeys(row.process for row in proof.rows))
    kinds = formatting.counted(len(processes), "process", "processes")
    tried = f"Every known way out, from {kinds}" if processes else "Nothing could be tried"
    if stopped == count and count:
        return f"All {count} attempts were stopped", tried
    return f"{count - stopped} of {count} attempts were not stopped", tried


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
