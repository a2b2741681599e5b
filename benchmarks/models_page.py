"""How long the window stands still on the Models page of a library with 2,000 models.

The real window over a real home of real files (headers only, weights are holes). A heartbeat asks
for a turn of the event loop every millisecond; the time between two beats, less that millisecond,
is how long a click would have waited. Measured while the library is read, while somebody types in
the filter, turns the wheel, sorts, walks through models with the keys, and while the library is
read again under a turning wheel::

    PYTHONPATH=app python benchmarks/models_page.py [--models 2000] [--seconds 6] [--json FILE]

Ends with 1 when any stall is longer than --limit milliseconds (50). Without a display the window
is drawn offscreen. Needs the development tool ``gguf``; the files take no room.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import demo_library
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from transcript_stalls import Heartbeat, measure, percentile, settle

from lockhouse.ui.app import App, build
from lockhouse.ui.models.page import ModelsPage
from lockhouse.ui.startup import make_application
from lockhouse.ui.theme import Theme
from lockhouse.workspace import open_workspace

WORDS = ("qwen coder", "llama v1", "q4_k_m", "mistral", "balanced phi", "deepseek 14b v3")


class Beat(Heartbeat):
    """Also counts how much of each gap the GUI thread itself computed: the rest is other programs,
    and threads that hold Python's lock."""

    def __init__(self) -> None:
        super().__init__()
        self.own_ms: list[float] = []
        self._own = 0.0

    def start(self) -> None:
        self.own_ms = []
        self._own = time.thread_time()
        super().start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.own_ms.append((now - self._own) * 1000)
        self._own = now
        super()._beat()


Row = tuple[str, list[float], list[float]]


def fill(home: Path, count: int) -> None:
    """So many model files."""
    for demo in demo_library.demos(count):
        demo_library.write(demo, home / "models" / demo.repo / demo.file_name)


def until(app: QApplication, true: Callable[[], bool]) -> None:
    while not true():
        app.processEvents()
        time.sleep(0.002)


def typed(page: ModelsPage) -> Callable[[int], None]:
    """Types the words one key after the other, and takes them back."""
    edit = page.installed.filter_bar.edit
    keys = [key for words in WORDS for key in (*words, *("\b" * len(words)))]

    def step(count: int) -> None:
        key = keys[count % len(keys)]
        if key == "\b":
            QTest.keyClick(edit, Qt.Key.Key_Backspace)
        else:
            QTest.keyClicks(edit, key)

    return step


def wheel(page: ModelsPage) -> Callable[[int], None]:
    view = page.installed.view

    def step(count: int) -> None:
        at = QPointF(300, 200)
        turn = QPoint(0, -360 if count % 400 < 200 else 360)
        event = QWheelEvent(
            at, view.viewport().mapToGlobal(at), QPoint(), turn, Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,  # noqa: FBT003
        )  # fmt: skip
        QApplication.sendEvent(view.viewport(), event)

    return step


def rows_of(qt: QApplication, app: App, page: ModelsPage, seconds: float) -> list[Row]:
    """Every measurement."""
    beat = Beat()
    view = page.installed.view
    found: list[Row] = []

    def take(name: str, every_ms: int, step: Callable[[int], None], length_s: float) -> None:
        settle(qt)
        found.append((name, measure(qt, beat, length_s, every_ms, step), beat.own_ms))

    take("idle", 1000, lambda _: None, 2)
    take("typing, 12 keys a second", 80, typed(page), seconds)
    page.installed.filter_bar.clear()
    take("wheel, 60 turns a second", 16, wheel(page), seconds)
    bar = view.verticalScrollBar()
    take(
        "jumps, 10 a second",
        100,
        lambda count: bar.setValue(bar.maximum() * ((count * 37) % 100) // 100),
        seconds / 2,
    )
    head = view.horizontalHeader()
    order = (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder)
    take(
        "sorting, 4 a second",
        250,
        lambda count: view.sortByColumn(count % head.count(), order[count % 2]),
        seconds / 2,
    )
    view.selectRow(0)
    take(
        "walking by keys, 5 a second",
        200,
        lambda _: QTest.keyClick(view, Qt.Key.Key_Down),
        seconds / 2,
    )
    turn = wheel(page)

    def read_and_turn(count: int) -> None:
        if count % 120 == 0:
            app.models.refresh()
        turn(count)

    take("read again under the wheel", 16, read_and_turn, seconds)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--limit", type=float, default=50.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="a home filled by an earlier run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder) / "home"
        os.environ["HOME"] = str(home)  # the folders of this machine's other programs stay out
        if not (home / "models").is_dir():
            fill(home, options.models)
        qt = make_application(sys.argv[:1])
        workspace = open_workspace(home)
        app = build(qt, Theme(qt, choice="light", reduce_motion="on"), workspace)
        app.window.resize(1280, 800)
        app.window.show()
        app.window.show_page("models")
        page = app.window.findChild(ModelsPage)
        assert isinstance(page, ModelsPage)
        started = time.perf_counter()
        beat = Beat()
        beat.start()
        app.start()
        app.window.show_page("models")  # a start shows the page of last time
        until(qt, lambda: page.installed.table.rowCount() >= options.models)
        reading = beat.stop()
        read_s = time.perf_counter() - started
        rows = [
            ("the first reading", reading, beat.own_ms),
            *rows_of(qt, app, page, options.seconds),
        ]
        shown = page.installed.table.total
        app.window.close()
        app.close()
    return tell(rows, shown, read_s, options.limit, options.json)


def tell(rows: list[Row], shown: int, read_s: float, limit: float, file: Path | None) -> int:
    """Print the table; 1 when anything stood still for too long."""
    platform = QGuiApplication.platformName()
    print(f"{shown:,} models, first reading {read_s:.1f} s, drawn by {platform}")
    print("event loop stalls in ms, of all beats; own is the most the GUI thread computed in one")
    print(f"{'':<30}{'p50':>8}{'p99':>8}{'longest':>9}{'own':>8}{'beats':>8}{'>16':>6}")
    for name, gaps, own in rows:
        over = sum(gap > 16 for gap in gaps)
        print(
            f"{name:<30}{percentile(gaps, 0.5):8.1f}{percentile(gaps, 0.99):8.1f}"
            f"{max(gaps, default=0):9.1f}{max(own, default=0):8.1f}{len(gaps):8,}{over:6}"
        )
    longest = max(max(gaps, default=0) for _, gaps, _ in rows)
    print(f"longest of all: {longest:.1f} ms, limit {limit:.0f} ms")
    if file is not None:
        told = {name: [round(gap, 2) for gap in gaps if gap > 1] for name, gaps, _ in rows}
        file.write_text(json.dumps({"load": os.getloadavg(), "stalls_ms": told}, indent=1))
    return int(longest > limit)


if __name__ == "__main__":
    sys.exit(main())
