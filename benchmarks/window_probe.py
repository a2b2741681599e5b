"""The real window in a process of its own, asked one question by a program.

Started by start_up.py. Prints one line of JSON when the window was painted, when a question can
be asked, when the first text of the answer was painted, and when the answer ended; then waits
for a line on its standard input, so that its memory can be looked at, and closes.
"""

from __future__ import annotations

import json
import sys

from lockhouse import processes, seal


def tell(moment: str) -> None:
    """When something happened, in seconds since the process was created."""
    print(json.dumps({"moment": moment, "at_s": round(processes.age_s(), 3)}), flush=True)


def main() -> None:
    seal.seal_network()
    from PySide6.QtCore import QEvent, QObject, QTimer

    from lockhouse.ui.app import build
    from lockhouse.ui.startup import make_application
    from lockhouse.ui.theme import Theme
    from lockhouse.workspace import open_workspace

    class Painted(QObject):
        """Tells of the first paint event after it was made."""

        def __init__(self, moment: str, parent: QObject) -> None:
            super().__init__(parent)
            self._moment = moment

        def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt
            if self._moment and event.type() == QEvent.Type.Paint:
                tell(self._moment)
                self._moment = ""
            return False

    application = make_application(sys.argv[:1])
    app = build(application, Theme(application), open_workspace())
    filters: list[QObject] = []

    def watch_paint(moment: str) -> None:
        filters.append(Painted(moment, application))
        application.installEventFilter(filters[-1])

    def ask() -> None:
        tell("usable")
        app.asking.send(sys.argv[1])

    def first_text(*_: object) -> None:
        app.asking.runs.grew.disconnect(first_text)
        watch_paint("first text painted")

    def end(*_: object) -> None:
        tell("answered")
        QTimer.singleShot(200, wait)  # let the page settle before its memory is read

    def wait() -> None:
        sys.stdin.readline()
        app.window.close()

    app.usable.connect(ask)
    app.asking.runs.grew.connect(first_text)
    app.asking.runs.ended.connect(end)
    watch_paint("painted")
    app.window.show()
    QTimer.singleShot(0, app.start)
    application.exec()
    app.close()


if __name__ == "__main__":
    main()
