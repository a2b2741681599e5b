"""A hundred thousand records: pages are read when they are looked at, and stay right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from pytestqt.qtbot import QtBot

from lockhouse.gate.protocol import Record
from lockhouse.gate.providers import Providers
from lockhouse.gate.records import RecordFilter, Records
from lockhouse.gate.sent_requests import Sent
from lockhouse.storage.database import Database
from lockhouse.ui.gate.records_card import RecordsCard
from lockhouse.ui.gate.records_model import PAGE_ROWS, RecordsModel
from lockhouse.ui.gate.records_table import elided_host
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.theme import Theme

MANY = 100_000
WAIT_MS = 30_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "lockhouse.db", backups=tmp_path / "backups")
    yield made
    made.close()


@pytest.fixture
def card(database: Database, qtbot: QtBot, theme: Theme) -> Iterator[RecordsCard]:
    jobs = Jobs()
    model = RecordsModel(
        Records(database), Sent(database), Providers(database), jobs, lambda: 0, jobs
    )
    made = RecordsCard(model, theme)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    yield made
    jobs.close(grace_s=1)


def test_a_host_is_shortened_before_its_port(theme: Theme) -> None:
    metrics = QFontMetrics(theme.font("body"))
    host = "workstation.lab.internal:11434"
    short = elided_host(host, metrics, 90)
    assert short.endswith("…:11434")
    assert metrics.horizontalAdvance(short) <= 90
    assert elided_host(host, metrics, 900) == host
    assert elided_host("cdn-lfs-us-1.huggingface.co", metrics, 120).endswith(".co")


def fill(database: Database, count: int) -> None:
    records = Records(database)
    records.note("sealed")
    with database.write() as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO network_records"
            " (at, kind, host, purpose, bytes_out, bytes_in, outcome, duration_s)"
            " SELECT '2026-11-22T10:00:00.000+00:00', 'transfer',"
            " 'host' || (i % 7) || '.example:443', 'download', i, 0, '200', 0.1 FROM n",
            [count - 1],
        )


def shown(card: RecordsCard, number: int, qtbot: QtBot) -> str:
    """Bytes out in a row, once it was read."""
    qtbot.waitUntil(lambda: card.model.row(number) is not None, timeout=WAIT_MS)
    row = card.model.row(number)
    assert row is not None
    return row.sent


def test_only_what_is_looked_at_is_read(
    card: RecordsCard, database: Database, qtbot: QtBot
) -> None:
    fill(database, MANY)
    read: list[int] = []
    card.model.dataChanged.connect(
        lambda first, _: read.append((MANY - 1 - first.row()) // PAGE_ROWS)
    )
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == MANY, timeout=WAIT_MS)
    assert shown(card, 0, qtbot) == "100\u00a0kB"  # the newest is at the top
    card.table.scrollToBottom()
    qtbot.waitUntil(lambda: 0 in read, timeout=WAIT_MS)
    last = card.model.row(MANY - 1)
    assert last is not None
    assert last.sign.word == "Sealed"
    assert len(set(read)) < 12  # of 500 pages


def test_new_records_come_in_at_the_top_and_an_open_row_stays_open(
    card: RecordsCard, database: Database, qtbot: QtBot
) -> None:
    fill(database, 450)
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == 450, timeout=WAIT_MS)
    assert shown(card, 0, qtbot) == "449\u00a0B"
    card.table.open_row(0)
    assert card.table.opened == 0
    records = Records(database)
    for size in (1, 2, 3):
        records.add(Record("2026-11-22T11:00:00.000+00:00", "transfer", "new:443", "", size))
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == 453, timeout=WAIT_MS)
    assert card.table.opened == 3
    assert shown(card, 0, qtbot) == "3\u00a0B"
    assert shown(card, 3, qtbot) == "449\u00a0B"
    assert shown(card, 300, qtbot) == "152\u00a0B"


def test_search_and_filter_leave_in_what_is_meant(
    card: RecordsCard, database: Database, qtbot: QtBot
) -> None:
    fill(database, 701)
    Records(database).note("refused", host="bad.example:443", outcome="sealed")
    card.edit.setText("HOST3 download")
    qtbot.waitUntil(lambda: card.model.rowCount() == 100, timeout=WAIT_MS)
    row = card.model.row(0)
    qtbot.waitUntil(lambda: card.model.row(0) is not None, timeout=WAIT_MS)
    row = card.model.row(0)
    assert row is not None
    assert row.host == "host3.example"
    card.choice.set_key("refused")
    card.choice.picked.emit("refused")
    qtbot.waitUntil(lambda: card._stack.currentWidget() is card._none_found, timeout=WAIT_MS)
    card.edit.clear()
    qtbot.waitUntil(lambda: card.model.rowCount() == 1, timeout=WAIT_MS)
    card.clear()
    qtbot.waitUntil(lambda: card.model.rowCount() == 702, timeout=WAIT_MS)


def test_removed_records_leave_nothing_wrong_behind(
    card: RecordsCard, database: Database, qtbot: QtBot
) -> None:
    fill(database, 300)
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == 300, timeout=WAIT_MS)
    with database.write() as connection:
        connection.execute("DELETE FROM network_records WHERE seq <= 290")
    records = Records(database)
    for _ in range(295):
        records.note("sealed")
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == 305, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: card.model.row(304) is not None, timeout=WAIT_MS)
    row = card.model.row(304)
    assert row is not None
    assert row.seq == 291


def test_keys_open_and_close_a_row(card: RecordsCard, database: Database, qtbot: QtBot) -> None:
    fill(database, 20)
    card.model.look()
    qtbot.waitUntil(lambda: card.model.rowCount() == 20, timeout=WAIT_MS)
    assert shown(card, 0, qtbot)
    card.table.setCurrentIndex(card.model.index(0, 1))
    qtbot.keyClick(card.table, Qt.Key.Key_Return)
    assert card.table.opened == 0
    qtbot.waitUntil(lambda: card.table.rowHeight(0) > 60, timeout=WAIT_MS)
    qtbot.keyClick(card.table, Qt.Key.Key_Down)
    qtbot.keyClick(card.table, Qt.Key.Key_Right)
    assert card.table.opened == 1
    assert card.table.rowHeight(0) == card.table.rowHeight(5)
    qtbot.keyClick(card.table, Qt.Key.Key_Escape)
    assert card.table.opened == -1


@pytest.mark.parametrize(("name", "first"), [("out.csv", "seq,at,kind"), ("out.jsonl", '{"seq"')])
def test_export_writes_what_the_filter_takes(
    name: str, first: str, card: RecordsCard, database: Database, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(database, 30)
    card.model.set_filter(RecordFilter(("transfer",)))
    with qtbot.waitSignal(card.model.exported, timeout=WAIT_MS) as done:
        card.model.export(tmp_path / name)
    assert done.args[1] == 29
    lines = (tmp_path / name).read_text().splitlines()
    assert lines[0].startswith(first)
    assert len(lines) == 29 + name.endswith("csv")


def test_a_folder_that_is_not_there_is_told(
    card: RecordsCard, database: Database, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(database, 3)
    with qtbot.waitSignal(card.model.failed, timeout=WAIT_MS) as failed:
        card.model.export(tmp_path / "missing" / "out.csv")
    assert "could not be written" in failed.args[0].message
