"""The send dialog: exactly what would be sent, to whom, at what cost, and whether to send it.

Nothing is sent to show it. Esc, closing the window and all buttons but two send nothing.
"""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QWidget

from lockhouse.ui.flow_layout import FlowLayout
from lockhouse.ui.frame_parts import IconTile, label, line_edit, push_button, scrolling
from lockhouse.ui.layouts import STRETCH, TOP, column, holding, row
from lockhouse.ui.outbound import words
from lockhouse.ui.outbound.request_box import RequestBox
from lockhouse.ui.outbound.values import (
    INSTRUCTIONS,
    WAY_WORDS,
    Obstacle,
    SendOptions,
    Shown,
    Subject,
    WayOn,
)
from lockhouse.ui.theme import Theme
from lockhouse.ui.timers import once
from lockhouse.ui.widgets import Banner, Pill, SegmentedControl, Spinner

_TYPING_MS = 250


class OutboundSheet(QDialog):
    """Asks about one request. ``wished`` asks for another one, ``show_request`` brings it."""

    wished = Signal(object)  # SendOptions: another request is wanted
    send_wanted = Signal(object, bool)  # Outbound: the very one shown; whether always from now on
    local_wanted = Signal()
    edit_wanted = Signal()
    way_wanted = Signal(str)  # WayOn: what to do about a problem
    copied = Signal(str)

    def __init__(
        self, theme: Theme, title: str, subject: Subject, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._subject = subject
        self._shown: Shown | None = None
        self._problem: Banner | None = None
        self._over: Obstacle | None = None
        px = theme.px
        self.setObjectName("outbound_sheet")
        self.setWindowTitle(f"Send to {title}?")
        self.setModal(True)
        self.setSizeGripEnabled(True)
        self._added = label("", ink="2", wrap=True, name="outbound_added")
        self._place = column(theme, gap=12)
        self.box = RequestBox(theme)
        self.box.copied.connect(self.copied)
        self.box.view.setMinimumHeight(px(96))
        inside = column(
            theme,
            self._make_head(title),
            self._make_wish(),
            self._make_facts(),
            self._added,
            self._place,
            (self.box, 1),
            gap=12,
            margins=(24, 20, 24, 12),
        )
        # However small the screen, the buttons are on it.
        area = scrolling(holding(inside), "outbound_area")
        column(theme, (area, 1), self._make_buttons(), on=self)
        self._typing = once(self, _TYPING_MS, self._tell_wish)
        self._edit.setVisible(subject.kind == "message")
        self._local.hide()
        self._set_tab_order()
        self._show_waiting()
        self.resize(self._wanted_size())

    # -- building ---------------------------------------------------------------------------

    def _set_tab_order(self) -> None:
        order = (
            self._instruction,
            *self._suggestions,
            *self.box.tab_order(),
            self._local,
            self._edit,
            self._cancel,
            self._always,
            self._once,
        )
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def _make_head(self, title: str) -> QHBoxLayout:
        theme = self._theme
        tile = IconTile(theme, "arrow-up-right", 20, "bg-2", "warning")
        self._title = label(
            f"Send this to {title}?", role="title", wrap=True, name="outbound_title"
        )
        self._sentence = label("", ink="2", wrap=True, name="outbound_sentence")
        texts = column(theme, self._title, self._sentence, gap=2)
        self._spinner = Spinner(theme, "Preparing the request")
        return row(theme, (tile, TOP), (texts, 1), (self._spinner, TOP), gap=12)

    def _make_wish(self) -> QWidget:
        """What to do with a selection, and whether the chat history is sent too."""
        px = self._theme.px
        self._instruction = line_edit("outbound_instruction", "What to do with it")
        self._instruction.setText(INSTRUCTIONS[0][1])
        self._instruction.textEdited.connect(lambda _: self._await_typing())
        self._suggestions = [self._suggestion(*pair) for pair in INSTRUCTIONS]
        self._reach = SegmentedControl(
            "What is sent",
            (("alone", "Only this"), ("before", "With chat history")),
        )
        self._reach.setObjectName("outbound_reach")
        self._reach.selected.connect(lambda _: self._tell_wish())
        choices = QWidget()
        flow = FlowLayout(choices, spacing=px(6))
        for button in (*self._suggestions, self._reach):
            flow.addWidget(button)
        part = holding(column(self._theme, self._instruction, choices, gap=8))
        part.setObjectName("outbound_wish")
        for part_of_asking in (self._instruction, *self._suggestions):
            part_of_asking.setVisible(self._subject.takes_instruction)
        self._reach.setVisible(self._subject.is_task and self._subject.has_before)
        part.setVisible(self._subject.takes_instruction or self._subject.has_before)
        return part

    def _suggestion(self, name: str, instruction: str) -> QWidget:
        def take() -> None:
            self._instruction.setText(instruction)
            self._tell_wish()

        return push_button(
            self._theme, name, take, name=f"instruction_{name.lower()}", compact=True
        )

    def _make_facts(self) -> QGridLayout:
        px = self._theme.px
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(6))
        grid.setColumnMinimumWidth(0, px(64))
        grid.setColumnStretch(1, 1)
        self._values = {}
        self._zone = Pill(self._theme, "", icon="arrow-up-right", tone="warning")
        for number, name in enumerate(("To", "What", "Cost", "Limits")):
            key = label(name, ink="3", wrap=True)
            value = label("", wrap=True, name=f"outbound_{name.lower()}")
            grid.addWidget(key, number, 0, TOP)
            if name == "To":
                grid.addLayout(row(self._theme, (value, 1), self._zone, gap=8), number, 1)
            else:
                grid.addWidget(value, number, 1)
            self._values[name] = (key, value)
        return grid

    def _make_buttons(self) -> QHBoxLayout:
        theme = self._theme
        self._local = push_button(
            theme, "Answer here instead", self._answer_here, name="outbound_local", icon="cpu"
        )
        self._edit = push_button(theme, "Edit…", self._edit_again, name="outbound_edit")
        self._cancel = push_button(theme, "Cancel", self.reject, name="outbound_cancel")
        self._always = push_button(
            theme, "Always send", lambda: self._send(always=True), name="outbound_always"
        )
        self._once = push_button(
            theme, "Send once", lambda: self._send(always=False),
            name="outbound_send", kind="primary", icon="arrow-up-right",
        )  # fmt: skip
        self._once.setToolTip("Send once  (Ctrl+Enter)")
        right = (self._cancel, self._always, self._once)
        margins = (24, 8, 24, 20)
        return row(theme, self._local, self._edit, STRETCH, *right, gap=8, margins=margins)

    # -- what it shows ----------------------------------------------------------------------

    @property
    def wish(self) -> SendOptions:
        """How the request is wanted now."""
        alone = self._subject.is_task and self._reach.current() == "alone"
        instruction = self._instruction.text().strip() if self._subject.takes_instruction else ""
        return SendOptions(instruction, alone)

    @property
    def shown(self) -> Shown | None:
        """What would be sent now; None while another request is prepared."""
        return self._shown

    def show_request(self, shown: Shown) -> None:
        """Show exactly what would be sent."""
        if self._typing.isActive():
            return  # for other words: the request for these is asked for in a moment
        self._shown = shown
        outbound = shown.outbound
        self._drop_problem()
        self._spinner.hide()
        self._sentence.setText(words.recipient_sentence(outbound))
        is_cloud = outbound.zone == "cloud"
        self._say("To", f"{words.host_name(outbound.host)} · {outbound.model}")
        self._zone.show_state(words.zone_words(outbound), icon="arrow-up-right", tone="warning")
        self._zone.show()
        self._say("What", self._subject.words)
        cost = words.cost_words(outbound.estimate, outbound.zone)
        counted = words.tokens_words(outbound.estimate)
        self._say("Cost", f"{cost[0].upper()}{cost[1:]} ({counted})" if counted else cost)
        self._show_limits(shown)
        added = " ".join(outbound.added)
        self._added.setText(f"Also sent: {added}" if added else "")
        self._added.setVisible(bool(added))
        self.box.show_request(f"{outbound.endpoints[0]}{outbound.path}", outbound)
        self._always.setText(f"Always send to {outbound.provider_title}")
        self._always.setAccessibleName(
            f"Send, and do not ask again before sending to {outbound.provider_title}"
        )
        self._always.setVisible(is_cloud and not shown.has_consent and not self._subject.is_task)
        self._local.setVisible(bool(shown.local_title))
        self._local.setToolTip(f"{shown.local_title} answers on this machine; nothing is sent")
        self._let_send(allowed=True)
        if obstacle := shown.obstacle or self._over:
            self._put_banner(obstacle.message, obstacle.hint, obstacle.way)
            self._let_send(allowed=False)  # it can be read

    def show_problem(self, message: str, hint: str) -> None:
        """No request could be prepared: why, and what to do about it."""
        self._shown = None
        self._drop_problem()
        self._spinner.hide()
        self._sentence.setText("Nothing was sent.")
        self._put_banner(message, hint)
        self._let_send(allowed=False)

    def focus_first(self) -> None:
        """Focus the instruction where there is one, or else the request."""
        first = self._instruction if self._subject.takes_instruction else self.box.view
        first.setFocus(Qt.FocusReason.OtherFocusReason)
        if self._subject.takes_instruction:
            self._instruction.selectAll()

    # -- inside -----------------------------------------------------------------------------

    def _put_banner(self, message: str, hint: str, way: WayOn = "") -> None:
        actions = [(way, WAY_WORDS[way])] if way else []
        self._problem = Banner(self._theme, "warning", message, hint=hint, actions=actions)
        self._problem.setObjectName("outbound_problem")
        self._problem.action_chosen.connect(self._go)
        self._place.addWidget(self._problem)

    def _say(self, name: str, value: str, ink: str = "") -> None:
        key, shown = self._values[name]
        shown.setText(value)
        shown.setAccessibleName(f"{name}: {value}")
        shown.setProperty("ink", ink)
        key.setVisible(bool(value))
        shown.setVisible(bool(value))

    def _show_limits(self, shown: Shown) -> None:
        self._over = None
        estimate = shown.outbound.estimate
        limits = shown.money.with_ceiling(estimate.ceiling.amount if estimate else None)
        passed = any(limit.is_passed for limit in limits)
        sentence = "; ".join(words.limit_words(limit) for limit in limits)
        near = passed or any(limit.is_near for limit in limits)
        self._say("Limits", f"{sentence[:1].upper()}{sentence[1:]}", "warning" if near else "")
        if passed:
            self._over = Obstacle(
                "budget",
                "Over a limit",
                "This would exceed a spending limit that you set.",
                sentence,
                way="limits",
            )

    def _show_waiting(self) -> None:
        self._shown = None
        self._spinner.show()
        self._sentence.setText("Preparing the request. Nothing was sent yet.")
        for name in self._values:
            self._say(name, "")
        self._zone.hide()
        self._added.hide()
        self._always.hide()
        self._let_send(allowed=False)

    def _let_send(self, *, allowed: bool) -> None:
        ready = allowed and (not self._subject.takes_instruction or bool(self.wish.instruction))
        self._always.setEnabled(ready)
        self._once.setEnabled(ready)

    def _drop_problem(self) -> None:
        if self._problem is not None:
            self._place.removeWidget(self._problem)
            self._problem.hide()
            self._problem.deleteLater()
            self._problem = None

    def _await_typing(self) -> None:
        """What is shown is outdated and cannot be sent."""
        self._shown = None
        self._let_send(allowed=False)
        self._spinner.show()
        self._typing.start()

    def _tell_wish(self) -> None:
        self._await_typing()
        self._typing.stop()
        self.wished.emit(self.wish)

    def _send(self, *, always: bool) -> None:
        if self._shown is not None:
            outbound = self._shown.outbound
            self.accept()
            self.send_wanted.emit(outbound, always)

    def _answer_here(self) -> None:
        self.local_wanted.emit()  # first: closing the dialog declines
        self.reject()

    def _edit_again(self) -> None:
        self.reject()
        self.edit_wanted.emit()

    def _go(self, key: str) -> None:
        self.reject()
        self.way_wanted.emit(key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if control and self._once.isEnabled():
                self._send(always=False)
            return  # Enter alone sends nothing
        super().keyPressEvent(event)

    def _wanted_size(self) -> QSize:
        px = self._theme.px
        wanted = QSize(px(760), px(672 if self._subject.takes_instruction else 600))
        screen = self.screen()
        if screen is not None:
            room = screen.availableGeometry().size()
            wanted = wanted.boundedTo(QSize(room.width() - px(32), room.height() - px(64)))
        return wanted
