"""The real program under a virtual screen, driven by pointer, keys and the accessibility tree.

Skipped where the desktop's tools are not installed. LOCKHOUSE_SHOTS names a folder to keep the
pictures of every step in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.gate.providers import Provider
from lockhouse.workspace import open_workspace
from tests.remote.replies import Reply
from tests.remote.server import RemoteServer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOOLS = ("xvfb-run", "xdotool", "openbox", "dbus-run-session", "dbus-send", "import")
SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = [sys.executable, "-m", "lockhouse"]


def _missing() -> str:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return tool
    check = [SYSTEM_PYTHON, "-c", "import pyatspi"]
    if not Path(SYSTEM_PYTHON).exists():
        return "the system's Python"
    if subprocess.run(check, capture_output=True, check=False).returncode:
        return "pyatspi"
    return ""


@pytest.mark.timeout(600)
def test_a_first_hour_with_the_window(tmp_path: Path) -> None:
    told, shots = journey(tmp_path, "window_journey.py")
    assert "reopened and found it" in told
    assert len(sorted(shots.glob("*.png"))) >= 18


@pytest.mark.timeout(600)
def test_tasks_are_forwarded_to_an_api_and_marked_for_good(tmp_path: Path) -> None:
    words = ("Goes where", " it was sent,", " and comes", " back with", " an answer", ".")
    with RemoteServer(reply=Reply(pieces=words, delay_s=0.1)) as server:
        known = Provider("cloudy", "Cloudy", "openai", "cloud", (server.endpoint,), key="none")
        workspace = open_workspace(tmp_path / "home")
        workspace.providers.add(known)
        workspace.providers.choose("cloudy", "large")
        workspace.close()
        unseal = ["--home", str(tmp_path / "home"), "unseal", "--for", "cloudy"]
        subprocess.run([*PROGRAM, *unseal], check=True, capture_output=True)
        told, shots = journey(tmp_path, "forward_journey.py", server.host)
        assert "marked for good" in told
        assert len(sorted(shots.glob("*.png"))) >= 9
        asked = [sent.json["messages"] for sent in server.asked()]
    turn, selection, message = asked  # nothing that was not approved, and each of it once
    assert [one["content"] for one in turn] == [
        "What is the capital of France? Answer in one sentence."
    ]
    assert selection[0]["content"].startswith("Explain this.")
    assert len(selection) == 1
    assert message[-1]["content"] == "And what is beyond?"


def journey(folder: Path, script: str, *more: str) -> tuple[str, Path]:
    """Drive the program; what was told, and where the pictures are."""
    if missing := _missing():
        pytest.skip(f"{missing} is not installed")
    shots = Path(os.environ.get("LOCKHOUSE_SHOTS", folder / "shots")) / Path(script).stem
    environment = {
        **os.environ,
        "LOCKHOUSE_TEMPERATURE": "0",  # the long story is long every time
        "PATH": f"/usr/bin:/bin:{os.environ['PATH']}",
    }
    environment.pop("QT_QPA_PLATFORM", None)
    # Displays are searched from another number in each process of the suite: two that take the
    # same one at the same moment leave one of them without a window manager.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = str(99 + 100 * worker)
    screen = ["xvfb-run", "-a", "-n", first, "-s", "-screen 0 1400x940x24 -nolisten tcp"]
    session = ["dbus-run-session", "--", *screen, str(HERE / "window_session.sh")]
    driving = [SYSTEM_PYTHON, str(HERE / script), str(shots), str(folder / "home"), *more]
    done = subprocess.run(
        [*session, *driving, *PROGRAM],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    stop = [*PROGRAM, "--home", str(folder / "home"), "engines", "stop"]
    subprocess.run(stop, env=environment, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout, shots
