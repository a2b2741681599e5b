"""A window in which a key is typed, letter by letter as it comes: nothing here has it whole.

Takes letters from standard input, the last one a newline, and says when the key is kept; ends
with its input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lockhouse import launcher, seal

launcher.start_broker([])
seal.seal_network()

from PySide6.QtCore import QSocketNotifier, QTimer  # noqa: E402 - the seal comes first
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QPushButton  # noqa: E402

from lockhouse.ui.gate.key_dialog import KeyDialog  # noqa: E402
from lockhouse.ui.gate.provider_controller import ProviderController  # noqa: E402
from lockhouse.ui.gate.provider_values import ProviderRow  # noqa: E402
from lockhouse.ui.jobs import Jobs  # noqa: E402
from lockhouse.ui.network_monitor import NetworkView  # noqa: E402
from lockhouse.ui.theme import Theme  # noqa: E402
from lockhouse.workspace import open_workspace  # noqa: E402


def main() -> None:
    application = QApplication(sys.argv[:1])
    application.setQuitOnLastWindowClosed(False)
    theme = Theme(application, choice="light", reduce_motion="on")
    workspace = open_workspace(Path(os.environ["LOCKHOUSE_HOME"]))
    controller = ProviderController(workspace, Jobs())
    provider = workspace.providers.get(sys.argv[1])
    view = NetworkView(workspace.gate.status().way)
    dialog = KeyDialog(theme, ProviderRow(provider, sys.argv[2]), view, can_test=False)
    dialog.show()

    def saved(state: str) -> None:
        dialog.show_saved(state)
        QTimer.singleShot(50, lambda: print(f"kept {state}", flush=True))

    dialog.key_given.connect(
        lambda key, _: controller.set_key(
            provider, key, saved, lambda error: print(error.code, flush=True)
        )
    )

    def letter() -> None:
        typed = os.read(0, 1)
        if not typed:
            application.quit()
        elif typed == b"\n":
            keep = dialog.findChild(QPushButton, "key_save")
            assert keep is not None
            keep.click()
        else:
            QTest.keyClicks(dialog.edit, typed.decode())

    notifier = QSocketNotifier(0, QSocketNotifier.Type.Read)
    notifier.activated.connect(letter)
    print("ready", flush=True)
    application.exec()


main()
