"""A window that types a draft, allows a host and restarts: the real program, driven from inside.

Started and sealed as the launcher does it. What is started in its place is the program itself.
"""

from __future__ import annotations

import sys

from lockhouse import launcher

HOST = "models.example:443"
DRAFT = "Not sent yet"
RESTARTS = (True,)


def main() -> int:
    def drive(*given: object) -> object:
        app = build(*given)  # type: ignore[arg-type]

        def go() -> None:
            app.window.chat.new_chat()
            app.window.chat.composer.edit.put_text(DRAFT)
            app.pages.ask_network_access()
            dialogs = app.window.findChildren(NetworkAccessDialog)
            QTimer.singleShot(0, app, lambda: allow(dialogs))

        def allow(_dialogs: object) -> None:
            found = app.window.findChild(NetworkAccessDialog)
            if found is None:
                QTimer.singleShot(50, app, lambda: allow(None))
                return
            until = end_after(sys.argv[-1])
            found.allow_wanted.emit((HOST,), (), until, *RESTARTS)
            found.accept()

        app.usable.connect(go)
        return app

    # What the launcher imports once it has sealed this process.
    from PySide6.QtCore import QTimer

    import lockhouse.ui.app as window
    from lockhouse.ui.gate.network_access_dialog import NetworkAccessDialog, end_after

    build = window.build
    window.build = drive  # type: ignore[assignment]
    return launcher.main(sys.argv[1:-1])


if __name__ == "__main__":
    sys.exit(main())
