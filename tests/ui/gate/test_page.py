"""The Gate page of the real window: real brokers, real loopback providers, real records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QLabel,
    QLineEdit,
    QWidget,
)

from lockhouse.answer.remote_targets import EndpointHealth
from lockhouse.answer.request import Question
from lockhouse.core.cancellation import CancelToken
from lockhouse.gate.costs.values import Limits, Snapshot, Spent
from lockhouse.gate.network import Network, at_time
from lockhouse.gate.proof import Attempt, Proof
from lockhouse.gate.providers import Provider
from lockhouse.places import paths_for
from lockhouse.ui.gate.claims_dialog import flowing
from lockhouse.ui.gate.controller import Spending
from lockhouse.ui.gate.page import GatePage
from lockhouse.ui.gate.provider_values import ProviderRow
from lockhouse.ui.gate.records_model import HOST, PURPOSE
from lockhouse.ui.markdown import parse, plain_text
from lockhouse.ui.models.model_card import ModelCard
from lockhouse.ui.outbound.body_view import BodyView
from tests.remote.server import RemoteServer
from tests.ui.gate.conftest import office
from tests.ui.gate.driving import gate_page, state_of, text_of, typed
from tests.ui.window.driving import OpenWindow, Window

Start = Callable[..., Window]


def test_a_first_start_is_sealed_and_says_so(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    assert page.banner._open.isVisible()
    assert not page.banner._seal.isVisible()
    assert page.banner._open.property("kind") != "primary"
    window_of_a_home.until(lambda: page.records._stack.currentIndex() == 1)
    assert state_of(page, "openai") == "No key"
    assert "Google" not in state_of(page, "gemini")


def test_network_access_is_allowed_for_what_is_ticked_and_sealed_again(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home, prepare=lambda workspace: workspace.providers.add(_printer()))
    page = gate_page(window)
    window.press("gate_open", page)
    dialog = window.dialog("network_access_dialog")
    boxes = {box.text(): box for box in dialog.findChildren(QCheckBox)}
    assert not any(box.isChecked() for box in boxes.values())  # nobody asked for any of them
    boxes["Printer room"].setChecked(True)
    boxes["Mistral"].setChecked(True)
    window.press("access_later", dialog)
    window.until(lambda: window.app.network.view.opens_next)
    state = Network(window.workspace.paths.network).state()
    assert state.hosts == ("api.mistral.ai:443",)
    assert state.lan_hosts == ("127.0.0.1:9000",)
    assert "after a restart" in text_of(page, "gate_title")
    window.until(lambda: page.records.model.rowCount() == 1)
    window.press("gate_seal", page)
    window.until(lambda: not Network(window.workspace.paths.network).state().is_open)
    window.until(lambda: page.records.model.rowCount() == 2)
    window.until(lambda: "Sealed by you" in text_of(page, "gate_below"))


def test_network_access_is_allowed_for_an_hour_and_sealed_after_it(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home)
    page = gate_page(window)
    window.press("gate_open", page)
    dialog = window.dialog("network_access_dialog")
    boxes = {box.text(): box for box in dialog.findChildren(QCheckBox)}
    boxes["Mistral"].setChecked(True)
    window.press("segment-hour", dialog)
    window.press("access_later", dialog)
    window.until(lambda: window.app.network.view.opens_next)
    network = Network(window.workspace.paths.network)
    until = dt.datetime.fromisoformat(network.state().until)
    left = until - dt.datetime.now(dt.UTC)
    assert dt.timedelta(0) < left <= dt.timedelta(hours=1)
    network.open(["api.mistral.ai"], until=at_time(dt.datetime.now(dt.UTC)))  # it has passed
    window.until(lambda: window.app.network.view.hosts == ())
    window.until(lambda: not Network(network.path).state().until)
    window.until(lambda: window.app.network.view.way == "sealed")


def test_hosts_are_added_to_network_access_and_taken_away(
    start_open: Start, server: RemoteServer
) -> None:
    window = start_open((server.host, "127.0.0.1:9000"), (office(server),))
    page = gate_page(window)
    window.until(lambda: window.app.network.view.is_open)
    window.press("gate_change", page)
    dialog = window.dialog("network_access_dialog")
    boxes = {box.text(): box for box in dialog.findChildren(QCheckBox)}
    assert boxes["Office"].isChecked()
    assert boxes["127.0.0.1:9000"].isChecked()  # a host that belongs to nobody is not lost
    boxes["Mistral"].setChecked(True)
    window.press("access_later", dialog)
    network = Network(window.workspace.paths.network)
    window.until(lambda: "api.mistral.ai:443" in network.state().all_hosts)
    assert set(network.state().lan_hosts) == {server.host, "127.0.0.1:9000"}
    window.until(lambda: "api.mistral.ai:443" in window.app.network.view.hosts)
    assert window.app.network.view.is_open  # what is added is reached at once
    window.app.pages.ask_network_access()
    dialog = window.dialog("network_access_dialog")
    for box in dialog.findChildren(QCheckBox):
        box.setChecked(box.text() == "Mistral")
    window.press("access_later", dialog)
    window.until(lambda: window.app.network.view.way == "broker_gone")
    assert network.state().all_hosts == ("api.mistral.ai:443",)


def test_a_proxy_that_a_command_named_stays_the_way_out(
    open_window: OpenWindow, home: Path
) -> None:
    paths = paths_for(home)
    network = Network(paths.network)
    network.open(["huggingface.co"], proxy="http://127.0.0.1:3128")
    window = open_window(home)
    gate_page(window)
    window.until(lambda: window.app.network.view.opens_next)
    window.app.pages.ask_network_access("mistral")
    window.press("access_later", window.dialog("network_access_dialog"))
    window.until(lambda: "api.mistral.ai:443" in network.state().hosts)
    assert network.state().proxy == "http://127.0.0.1:3128"


def test_keys_typed_on_this_page_never_reach_the_chat(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.main.activateWindow()
    window_of_a_home.page.composer.edit.setFocus()
    focused = QApplication.focusWidget()
    assert focused is None or focused is page or page.isAncestorOf(focused)
    if focused is not None:
        window_of_a_home.qtbot.keyClicks(focused, "sk-secret")
    assert window_of_a_home.page.composer.edit.toPlainText() == ""


def test_limits_are_typed_in_place_and_kept(window_of_a_home: Window) -> None:
    window = window_of_a_home
    page = gate_page(window)
    edit = page.spending.findChild(QLineEdit, "limit_budget_per_day_usd")
    assert edit is not None
    edit.setText("$2.50")
    edit.setModified(True)
    edit.editingFinished.emit()
    window.until(lambda: window.workspace.settings.budget_per_day_usd == 2.5)
    window.until(lambda: str(window.workspace.budget.limits.per_day) in ("2.5", "2.50"))
    edit.setText("much")
    edit.setModified(True)
    edit.editingFinished.emit()
    problem = page.spending.findChild(QLabel, "limit_problem")
    assert problem is not None
    assert problem.isVisibleTo(page)
    assert window.workspace.settings.budget_per_day_usd == 2.5


def test_your_own_price_is_set_and_removed(open_window: OpenWindow, home: Path) -> None:
    window = open_window(home, prepare=_choose_big)
    page = gate_page(window)
    provider, prices = window.workspace.providers.get("mistral"), window.workspace.budget.prices
    window.press("price_set", page)
    dialog = window.dialog("price_dialog")
    typed(dialog, "price_input", "much")
    save = dialog.findChild(QWidget, "price_save")
    assert save is not None
    assert not save.isEnabled()
    typed(dialog, "price_input", "0.25")
    typed(dialog, "price_output", "$1.5")
    window.press("price_save", dialog)
    window.until(lambda: len(prices.own()) == 1)
    price = prices.price_of(provider, "big")
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.25"), Decimal("1.5"))
    window.press("price_set", page)
    window.press("price_remove", window.dialog("price_dialog"))
    window.until(lambda: prices.own() == [])


def test_the_proof_is_run_here_and_shows_what_stopped_each_attempt(
    window_of_a_home: Window,
) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.press("prove", page)
    window_of_a_home.until(lambda: page.proof.proof is not None)
    proof = page.proof.proof
    assert proof is not None
    assert {row.process for row in proof.rows} >= {"this window"}
    verdict = text_of(page.proof, "proof_verdict")
    stopped = sum(row.stopped for row in proof.rows)
    # The tests' own process is not sealed: the page must not say that everything was stopped.
    expected = "All" if stopped == len(proof.rows) else f"{len(proof.rows) - stopped} of"
    assert verdict.startswith(expected)


def test_what_was_sent_is_shown_byte_for_byte(start_open: Start, server: RemoteServer) -> None:
    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    workspace = window.workspace
    conversation = workspace.conversations.create(target="office/small")
    answer = workspace.turns.ask(
        conversation.id, Question("Grüße, 你好"), target="office/small", cancel=CancelToken()
    )
    assert list(answer)
    body = server.asked()[0].body
    window.until(lambda: _row_number(page, "Answer of") >= 0)
    page.records.table.open_row(_row_number(page, "Answer of"))
    window.until(lambda: bool(page.records.panel.findChildren(BodyView)))
    view = page.records.panel.findChildren(BodyView)[-1]
    assert view.text.encode() == body
    assert text_of(page.records.panel, "outbound_address").startswith(f"POST {server.endpoint}/")
    assert "Office: small" in text_of(page.records.panel, "record_facts")
    window.until(lambda: "sent in this session" in text_of(page, "gate_below"))


def _row_number(page: GatePage, purpose: str) -> int:
    table = page.records.model
    for number in range(table.rowCount()):
        row = table.row(number)
        if row is not None and row.purpose.startswith(purpose):
            return number
    return -1


def test_what_is_guaranteed_can_be_read_without_a_network(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.press("gate_claims", page)
    dialog = window_of_a_home.dialog("claims_dialog")
    card = dialog.findChild(ModelCard)
    assert card is not None
    window_of_a_home.until(lambda: len(card._parts) == len(card._blocks) > 10)
    assert "What Lockhouse guarantees" in plain_text(card._blocks)
    dialog.close()


def test_lines_of_a_paragraph_are_one_and_lists_and_tables_stay() -> None:
    kept = "| x |\n|---|\n| y |\n\n```\np\nq\n```"
    text = f"# Head\nOne\ntwo **three**\n**four**\n\n- a\n  b\n- c\n\n{kept}"
    joined = f"# Head\nOne two **three** **four**\n\n- a b\n- c\n\n{kept}"
    assert plain_text(flowing(parse(text))) == plain_text(parse(joined))


def test_tab_goes_through_the_page_as_it_is_read(window_of_a_home: Window) -> None:
    page = gate_page(window_of_a_home)
    window_of_a_home.press("prove", page)
    window_of_a_home.until(lambda: page.proof.proof is not None)
    names = ["gate_claims", "gate_open", "records_search", "records_filter", "records_table",
             "provider_add", "key_openai", "more_openai", "key_anthropic", "providers_more",
             "prove", "proof_save", "limit_budget_per_call_usd"]  # fmt: skip
    order: list[str] = []
    step = page.findChild(QWidget, "gate_claims")
    while step is not None and len(order) < 500:
        order.append(step.objectName())
        step = step.nextInFocusChain()
    places = [order.index(name) for name in names]
    assert places == sorted(places)


def test_at_900_pixels_hosts_and_purposes_are_readable_and_no_card_is_cut(
    open_window: OpenWindow, home: Path
) -> None:
    window = open_window(home, prepare=lambda workspace: workspace.providers.add(_printer()))
    page = gate_page(window)
    refused = EndpointHealth("http://127.0.0.1:9000/v1", is_up=False, code="unauthorized")
    page.providers.show_rows((ProviderRow(_printer(), "set", health=(refused,)),))
    window.main.resize(900, 760)
    window.until(lambda: page.width() < 900)
    view = page.records.table
    metrics = QFontMetrics(page._theme.font("body"))

    def fits(column: int, words: str) -> bool:
        return view.columnWidth(column) - 16 >= metrics.horizontalAdvance(words)

    window.until(lambda: fits(HOST, "192.168.178.12:8080") and fits(PURPOSE, "Model download"))
    limits, spent = Limits(per_day=Decimal(100), per_month=Decimal(1000)), Spent(Decimal("88.25"))
    spending = Spending(spent, spent, limits, "target", (), Snapshot("2026-11-10", "", "", ""))
    page.spending.show_spending(spending)
    attempt = Attempt("this window", "Netlink, the kernel's own channel", True, "EPERM", "kernel")  # noqa: FBT003 - stopped
    page.proof.show_proof(Proof("2026-11-22T10:12:00+00:00", 0.8, (attempt,)))
    for card in (page.providers, page.proof, page.spending):
        assert card.minimumSizeHint().width() <= page._side_area.width() - 16
    assert state_of(page, "printer") == "Key rejected"


def test_dialogs_have_names_for_everything(start_open: Start, server: RemoteServer) -> None:
    from tests.ui.window.test_frame import _unnamed

    window = start_open((server.host,), (office(server),))
    page = gate_page(window)
    for act, name in (
        (page.dialogs.add, "server_dialog"),
        (lambda: page.dialogs.set_key("openai"), "key_dialog"),
        (lambda: page.dialogs.show_models("office"), "models_dialog"),
        (lambda: window.app.pages.ask_network_access("office"), "network_access_dialog"),
    ):
        act()
        dialog = window.dialog(name)
        assert _unnamed(dialog) == []
        dialog.close()


def test_the_tools_above_the_records_are_of_one_height(window_of_a_home: Window) -> None:
    records = gate_page(window_of_a_home).records
    window_of_a_home.until(records.isVisible)
    assert records.edit.height() == records.choice.height() == records._export.height()


def _choose_big(workspace: object) -> None:
    workspace.providers.choose("mistral", "big")  # type: ignore[attr-defined] # a Workspace


def _printer() -> Provider:
    return Provider(
        "printer", "Printer room", "openai", "lan", ("http://127.0.0.1:9000/v1",), key="optional"
    )
