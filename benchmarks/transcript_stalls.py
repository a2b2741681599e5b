"""How long the window stands still while an answer streams into a very long conversation.

A heartbeat asks for a turn of the event loop every millisecond; the time between two beats, less
that millisecond, is how long a click would have waited. Measured while 300 tokens a second come in
at the end of 10,000 messages, while the wheel turns, while the window is resized::

    PYTHONPATH=app python benchmarks/transcript_stalls.py [--messages 10000] [--seconds 12]

Without a display the window is drawn offscreen; under xvfb-run it is drawn through X11.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from demo_conversation import CODE, PARAGRAPHS, long_conversation
from PySide6.QtCore import QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtWidgets import QApplication

from lockhouse.ui.theme import Theme
from lockhouse.ui.transcript import TranscriptMessage, TranscriptView

TOKENS_A_SECOND = 300


class Heartbeat(QObject):
    """Measures the gaps between turns of the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.gaps_ms = []
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> list[float]:
        self._timer.stop()
        return self.gaps_ms

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append(max(0.0, (now - self._last) * 1000 - 1))
        self._last = now


def tokens() -> list[str]:
    """Pieces of about four characters, as a model writes them, code and tables among them."""
    text = "\n\n".join((*PARAGRAPHS, CODE)) + "\n\n"
    return re.findall(r"\s*\S{1,4}", text * 40)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def measure(
    app: QApplication, beat: Heartbeat, seconds: float, every_ms: int, step: Callable[[int], None]
) -> list[float]:
    """Run the event loop for a while, calling ``step`` regularly, and give the gaps."""
    count = 0

    def tick() -> None:
        nonlocal count
        step(count)
        count += 1

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(every_ms)
    beat.start()
    QTimer.singleShot(int(seconds * 1000), lambda: app.exit(0))  # quit would close the window
    app.exec()
    timer.stop()
    return beat.stop()


def settle(app: QApplication) -> None:
    QTimer.singleShot(400, lambda: app.exit(0))
    app.exec()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    app = QApplication([])
    theme = Theme(app, choice="light")
    view = TranscriptView(theme)
    view.resize(960, 720)
    view.show()
    messages = long_conversation(options.messages)
    settle(app)
    started = time.perf_counter()
    view.set_messages(messages)
    opened_ms = (time.perf_counter() - started) * 1000
    app.processEvents()
    settle(app)
    beat = Heartbeat()
    rows: list[tuple[str, list[float]]] = []

    rows.append(("idle", measure(app, beat, 2, 1000, lambda _: None)))

    answer = TranscriptMessage(
        id="live", role="assistant", status="streaming", header_name="SmolLM2 135M Instruct"
    )
    view.begin_stream(answer)
    pieces = tokens()
    sent: list[str] = []
    start = time.perf_counter()

    def stream(_: int, message_id: str = "live") -> None:
        due = int((time.perf_counter() - start) * TOKENS_A_SECOND)
        while len(sent) < due:
            piece = pieces[len(sent) % len(pieces)]
            sent.append(piece)
            view.feed(message_id, text=piece)

    name = f"streaming {TOKENS_A_SECOND} tokens/s"
    rows.append((name, measure(app, beat, options.seconds, 3, stream)))
    view.end_stream(replace(answer, status="complete", text="".join(sent)))
    settle(app)

    text = "".join(pieces) * 4
    sent.clear()
    view.begin_stream(replace(answer, id="long", text=text))
    settle(app)
    start = time.perf_counter()
    name = f"the same, {len(text) // 1000} kB answer"
    rows.append((name, measure(app, beat, options.seconds / 2, 3, lambda n: stream(n, "long"))))
    view.end_stream(replace(answer, id="long", status="complete", text=text + "".join(sent)))
    settle(app)

    def wheel(count: int) -> None:
        at = QPointF(400, 300)
        turn = QPoint(0, 120 if count < 150 else -120)
        event = QWheelEvent(
            at, view.mapToGlobal(at), QPoint(), turn, Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,  # noqa: FBT003
        )  # fmt: skip
        QApplication.sendEvent(view.viewport(), event)

    rows.append(("wheel, 30 turns a second", measure(app, beat, 8, 33, wheel)))
    bar = view.verticalScrollBar()

    def jump(count: int) -> None:
        bar.setValue(int(bar.maximum() * ((count * 37) % 100) / 100))

    rows.append(("jumps, 5 a second", measure(app, beat, 5, 200, jump)))

    def resize(count: int) -> None:
        view.resize(960 - 4 * (count % 60), 720)

    rows.append(("resizing, 20 a second", measure(app, beat, 5, 50, resize)))

    platform = QGuiApplication.platformName()
    print(f"{options.messages:,} messages, opened in {opened_ms:.0f} ms, drawn by {platform}")
    print("event loop stalls in ms: of all beats, then of the beats that waited at all (> 1 ms)")
    print(f"{'':<28}{'p50':>8}{'p99':>8}{'max':>8}{'beats':>9}{'p50 >1':>9}{'p99 >1':>9}{'>16':>6}")
    for label, gaps in rows:
        waited = [gap for gap in gaps if gap > 1]
        print(
            f"{label:<28}{percentile(gaps, 0.5):8.1f}{percentile(gaps, 0.99):8.1f}"
            f"{max(gaps, default=0):8.1f}{len(gaps):9,}{percentile(waited, 0.5):9.1f}"
            f"{percentile(waited, 0.99):9.1f}{sum(gap > 16 for gap in gaps):6}"
        )
    view.close()


if __name__ == "__main__":
    main()
