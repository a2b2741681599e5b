"""Eyes and hands on a virtual screen: finds things by name as a screen reader does, clicks, types.

Runs on the system's Python, which has pyatspi; standard library besides.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyatspi
from gi.repository import GLib

PATIENCE_S = 60.0
# What the bus answers with while things come and go.
_GONE = (GLib.Error, AttributeError, LookupError, NotImplementedError, RuntimeError)


class NotThere(AssertionError):
    """What should be on the screen is not."""


class Hands:
    """One program on the virtual screen."""

    def __init__(self, shots: Path) -> None:
        self.shots = shots
        self.process: subprocess.Popen[bytes] | None = None
        self._count = 0

    # -- the program ------------------------------------------------------------------------

    def start(self, command: list[str], *, home: Path) -> None:
        """Start the program and wait for its window."""
        environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "xcb",
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
            "LC_ALL": "C.UTF-8",
            "PYTHONFAULTHANDLER": "1",
        }
        environment.pop("PYTHONHOME", None)
        self.process = subprocess.Popen([*command, "--home", str(home)], env=environment)
        self.wait(lambda: self.window() is not None, "the window")
        self.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "Lockhouse")
        self.pause()

    def quit(self) -> None:
        """Close the window by its shortcut and wait for the end of the process."""
        assert self.process is not None
        self.key("ctrl+q")
        self.process.wait(timeout=PATIENCE_S)
        assert self.process.returncode == 0, f"ended with {self.process.returncode}"

    def window(self) -> Any:
        """The accessible application of the process that was started."""
        assert self.process is not None
        for application in pyatspi.Registry.getDesktop(0):
            try:
                if application is not None and application.get_process_id() == self.process.pid:
                    return application
            except _GONE:
                continue
        return None

    # -- eyes -------------------------------------------------------------------------------

    def all(self) -> Iterator[Any]:
        """Everything that is shown, top down."""
        pending = [self.window()]
        while pending:
            node = pending.pop()
            if node is None:
                continue
            try:
                yield node
                pending.extend(reversed([node.getChildAtIndex(i) for i in range(node.childCount)]))
            except _GONE:
                continue

    def look(self, name: str, *, role: str = "", exact: bool = True) -> Any:
        """The first thing of that name that is on the screen, None when there is none."""
        for node in self.all():
            try:
                fits = node.name == name if exact else name in node.name
                if fits and (not role or node.getRoleName() == role) and _showing(node):
                    return node
            except _GONE:
                continue
        return None

    def shown(self, name: str, *, exact: bool = True) -> list[Any]:
        """Everything of that name that is on the screen, top down."""
        found = []
        for node in self.all():
            try:
                fits = node.name == name if exact else name in node.name
                if fits and _showing(node):
                    found.append((node.queryComponent().getExtents(0).y, node))
            except _GONE:
                continue
        return [node for _, node in sorted(found, key=lambda pair: pair[0])]

    def last(self, name: str, *, exact: bool = True) -> Any:
        """The lowest thing of that name, waited for."""
        self.wait(lambda: bool(self.shown(name, exact=exact)), f"“{name}”")
        return self.shown(name, exact=exact)[-1]

    @staticmethod
    def is_enabled(node: Any) -> bool:
        """Whether it can be used now."""
        return bool(node.getState().contains(pyatspi.STATE_ENABLED))

    @staticmethod
    def words_in(node: Any) -> str:
        """All texts below something."""
        words, pending = [], [node]
        while pending:
            here = pending.pop(0)
            try:
                if here.getRoleName() == "label" and _showing(here):
                    words.append(here.name)
                pending.extend(here.getChildAtIndex(i) for i in range(here.childCount))
            except _GONE:
                continue
        return " ".join(words)

    def find(self, name: str, *, role: str = "", exact: bool = True) -> Any:
        """The same, waited for."""
        found: list[Any] = []

        def there() -> bool:
            node = self.look(name, role=role, exact=exact)
            found[:] = [] if node is None else [node]
            return bool(found)

        self.wait(there, f"“{name}”")
        return found[0]

    def sees(self, words: str) -> bool:
        """Whether these words are in some name or text on the screen."""
        for node in self.all():
            try:
                if not _showing(node):
                    continue
                if words in node.name or words in text_of(node):
                    return True
            except _GONE:
                continue
        return False

    def until_sees(self, words: str) -> None:
        """Wait for words."""
        self.wait(lambda: self.sees(words), f"the words “{words}”")

    def wait(self, true: Callable[[], bool], what: str) -> None:
        """Look again until it is so."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            if self.process is not None and self.process.poll() is not None:
                code = self.process.returncode
                raise NotThere(f"the program ended with {code} while waiting for {what}")
            if time.monotonic() > end:
                self.shot("not-there")
                raise NotThere(f"{what} did not appear")
            time.sleep(0.1)

    def shot(self, name: str) -> None:
        """A picture of the screen."""
        self.pause()
        self._count += 1
        path = self.shots / f"{self._count:02d}-{name}.png"
        window = self.run("xdotool", "search", "--onlyvisible", "--name", "Lockhouse").split()
        wanted = window[-1] if window else "root"
        dialogs = self.run("xdotool", "getactivewindow")
        whole = "root" if dialogs and dialogs != wanted else wanted
        self.run("import", "-window", whole, str(path))

    # -- hands ------------------------------------------------------------------------------

    def click(self, name: str, *, role: str = "", button: int = 1) -> None:
        """Move the pointer there and press."""
        self.click_at(self.find(name, role=role), button=button)

    def click_at(self, node: Any, *, button: int = 1) -> None:
        """The middle of something."""
        box = node.queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
        x, y = box.x + box.width // 2, box.y + box.height // 2
        self.run("xdotool", "mousemove", str(x), str(y))
        self.run("xdotool", "click", str(button))
        self.pause()

    def double_click(self, node: Any) -> None:
        """The beginning of something."""
        box = node.queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
        self.run("xdotool", "mousemove", str(box.x + 20), str(box.y + 8))
        self.run("xdotool", "click", "--repeat", "2", "--delay", "80", "1")
        self.pause()

    def hover(self, node: Any) -> None:
        """Only move the pointer."""
        box = node.queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
        x, y = box.x + box.width // 2, box.y + min(box.height // 2, 40)
        self.run("xdotool", "mousemove", str(x), str(y))
        self.pause()

    def type(self, text: str) -> None:
        """Type as a person does."""
        self.run("xdotool", "type", "--delay", "12", text)
        self.pause()

    def key(self, keys: str) -> None:
        """Press a chord."""
        self.run("xdotool", "key", keys)
        self.pause()

    def wheel_up(self, node: Any) -> None:
        """A few turns of the wheel over something, towards the start."""
        self.hover(node)
        self.run("xdotool", "click", "--repeat", "10", "4")
        self.pause()

    def run(self, *command: str) -> str:
        """A tool of the desktop."""
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    @staticmethod
    def pause() -> None:
        """Let the screen settle; nothing is judged by it."""
        time.sleep(0.25)


def _showing(node: Any) -> bool:
    return bool(node.getState().contains(pyatspi.STATE_SHOWING))


def text_of(node: Any) -> str:
    """The text of something, "" where it has none."""
    try:
        return str(node.queryText().getText(0, -1))
    except NotImplementedError:
        return ""
