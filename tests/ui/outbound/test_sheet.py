"""The send dialog: what it says, and that nothing but two buttons sends."""

from __future__ import annotations

from decimal import Decimal

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from lockhouse.core.events import Cost
from lockhouse.gate.costs.values import Estimate, Limits, Price
from lockhouse.gate.outbound import Outbound
from lockhouse.ui.outbound.sheet import OutboundSheet
from lockhouse.ui.outbound.values import Obstacle, Shown, Subject
from lockhouse.ui.outbound.words import Money, cost_words, destination_line
from lockhouse.ui.theme import Theme

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


def outbound(ceiling: str = "0.0254") -> Outbound:
    cost, most = Cost(Decimal("0.00213"), is_estimate=True), Cost(Decimal(ceiling))
    price = Price(Decimal(2), Decimal(6), source="prices of 2026-11-20")
    return Outbound(
        provider="mistral",
        provider_title="Mistral",
        model="medium",
        dialect="openai",
        zone="cloud",
        endpoints=("https://api.mistral.ai/v1",),
        path="/chat/completions",
        headers=(("content-type", "application/json"),),
        body=b'{"model":"medium","messages":[{"role":"user","content":"Hello"}]}',
        has_key=True,
        added=("The system prompt, 24 characters.",),
        estimate=Estimate(420, 4096, cost, most, price),
    )


@pytest.fixture
def sheet(qtbot: QtBot, theme: Theme) -> OutboundSheet:
    made = OutboundSheet(theme, "Mistral", Subject("message", "Your message"))
    qtbot.addWidget(made)
    made.show()
    return made


def text(sheet: QWidget, name: str) -> str:
    found = sheet.findChild(QLabel, name)
    assert found is not None
    return found.text().replace("\u00a0", " ")


def button(sheet: QWidget, name: str) -> QPushButton:
    found = sheet.findChild(QPushButton, name)
    assert found is not None
    return found


def test_it_says_who_gets_what_at_which_cost(sheet: OutboundSheet) -> None:
    request = outbound()
    money = Money(Limits(Decimal("0.5"), Decimal(1)), today=Decimal("0.12"))
    sheet.show_request(Shown(request, money=money, local_title="SmolLM2"))
    assert text(sheet, "outbound_sentence").endswith("to api.mistral.ai, outside your network.")
    assert text(sheet, "outbound_cost").startswith("About $0.0021, at most $0.026 (about 420")
    assert "$0.12 of $1.00 spent today" in text(sheet, "outbound_limits")
    assert "The system prompt" in text(sheet, "outbound_added")
    assert text(sheet, "outbound_address") == "POST https://api.mistral.ai/v1/chat/completions"
    assert request.sha256 in sheet.findChild(QLabel, "outbound_hash").accessibleName()
    assert sheet.box.view.text.encode() == request.body
    assert "your API key" in text(sheet, "outbound_header_list")
    assert button(sheet, "outbound_always").text() == "Always send to Mistral"


def test_a_request_for_earlier_words_cannot_be_sent_while_others_are_typed(
    qtbot: QtBot, theme: Theme
) -> None:
    sheet = OutboundSheet(theme, "Mistral", Subject("selection", "The selection"))
    qtbot.addWidget(sheet)
    sheet.show()
    sheet.wished.connect(lambda _: None)
    qtbot.keyClicks(sheet._instruction, "Say it in French.")
    sheet.show_request(Shown(outbound()))  # asked for before that was typed
    assert sheet.shown is None
    assert not button(sheet, "outbound_send").isEnabled()
    qtbot.waitUntil(lambda: not sheet._typing.isActive())
    sheet.show_request(Shown(outbound()))
    assert button(sheet, "outbound_send").isEnabled()


def test_what_is_sent_is_the_very_value_that_was_shown(sheet: OutboundSheet, qtbot: QtBot) -> None:
    request = outbound()
    sheet.show_request(Shown(request))
    with qtbot.waitSignal(sheet.send_wanted) as sent:
        button(sheet, "outbound_send").click()
    assert sent.args[0] is request
    assert sent.args[1] is False


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape])
def test_no_single_key_sends(sheet: OutboundSheet, qtbot: QtBot, key: Qt.Key) -> None:
    sheet.show_request(Shown(outbound()))
    sheet.focus_first()
    with qtbot.assertNotEmitted(sheet.send_wanted):
        qtbot.keyClick(sheet.box.view, key)


def test_cancel_sends_nothing(sheet: OutboundSheet, qtbot: QtBot) -> None:
    sheet.show_request(Shown(outbound()))
    with qtbot.assertNotEmitted(sheet.send_wanted):
        button(sheet, "outbound_cancel").click()
    assert not sheet.isVisible()


def test_control_and_enter_send(sheet: OutboundSheet, qtbot: QtBot) -> None:
    sheet.show_request(Shown(outbound()))
    with qtbot.waitSignal(sheet.send_wanted):
        qtbot.keyClick(sheet, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_nothing_can_be_sent_before_it_is_shown(sheet: OutboundSheet, qtbot: QtBot) -> None:
    assert not button(sheet, "outbound_send").isEnabled()
    with qtbot.assertNotEmitted(sheet.send_wanted):
        qtbot.keyClick(sheet, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_an_obstacle_is_shown_with_what_can_be_done_about_it(
    sheet: OutboundSheet, qtbot: QtBot
) -> None:
    obstacle = Obstacle("sealed", "Sealed", "The network is sealed.", way="network")
    sheet.show_request(Shown(outbound(), obstacle=obstacle))
    assert sheet.box.view.text
    assert not button(sheet, "outbound_send").isEnabled()
    assert not button(sheet, "outbound_always").isEnabled()
    with qtbot.waitSignal(sheet.way_wanted) as way:
        button(sheet, "banner-network").click()
    assert way.args == ["network"]


def test_a_request_that_would_exceed_a_limit_cannot_be_sent(sheet: OutboundSheet) -> None:
    money = Money(Limits(per_day=Decimal(1)), today=Decimal("0.99"))
    sheet.show_request(Shown(outbound(), money=money))
    assert "this would exceed it" in text(sheet, "outbound_limits")
    assert not button(sheet, "outbound_send").isEnabled()
    assert button(sheet, "banner-limits").text() == "Change limit…"


def test_another_instruction_makes_what_was_shown_outdated(qtbot: QtBot, theme: Theme) -> None:
    sheet = OutboundSheet(theme, "Mistral", Subject("selection", "The selection", has_before=True))
    qtbot.addWidget(sheet)
    sheet.show()
    sheet.show_request(Shown(outbound()))
    assert button(sheet, "outbound_send").isEnabled()
    with qtbot.waitSignal(sheet.wished) as wished:
        button(sheet, "instruction_translate").click()
    assert wished.args[0].instruction.startswith("Translate")
    assert wished.args[0].alone
    assert not button(sheet, "outbound_send").isEnabled()
    assert sheet.shown is None


def test_the_choice_of_history_is_aligned_with_the_rest(qtbot: QtBot, theme: Theme) -> None:
    sheet = OutboundSheet(theme, "Office", Subject("turn", "The question", has_before=True))
    qtbot.addWidget(sheet)
    sheet.show()
    sheet.show_request(Shown(outbound()))
    reach = sheet.findChild(QWidget, "outbound_reach")
    assert reach is not None
    assert reach.isVisible()
    assert reach.mapTo(sheet, QPoint(0, 0)).x() == sheet.box.mapTo(sheet, QPoint(0, 0)).x()


def test_costs_in_words() -> None:
    assert cost_words(None, "lan") == "Free: your own server"
    assert "no price" in cost_words(None, "cloud")
    line = destination_line("api.mistral.ai:443", outbound().estimate, "cloud")
    assert line == "Goes to api.mistral.ai · about $0.0021, at most $0.026"
    assert destination_line("192.168.1.20:8080", None, "lan") == "Goes to 192.168.1.20:8080"
