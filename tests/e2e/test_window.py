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

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOOLS = ("xvfb-run", "xdotool", "openbox", "dbus-run-session", "dbus-send", "import")
SYSTEM_PYTHON = "/usr/bin/python3"


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
    if missing := _missing():
        pytest.skip(f"{missing} is not installed")
    shots = Path(os.environ.get("LOCKHOUSE_SHOTS", tmp_path / "shots"))
    environment = {
        **os.environ,
        "LOCKHOUSE_TEMPERATURE": "0",  # the long story is long every time
        "PATH": f"/usr/bin:/bin:{os.environ['PATH']}",
    }
    environment.pop("QT_QPA_PLATFORM", None)
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x940x24 -nolisten tcp"]
    session = ["dbus-run-session", "--", *screen, str(HERE / "window_session.sh")]
    journey = [SYSTEM_PYTHON, str(HERE / "window_journey.py"), str(shots), str(tmp_path / "home")]
    program = [sys.executable, "-m", "lockhouse"]
    done = subprocess.run(
        [*session, *journey, *program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    stop = [*program, "--home", str(tmp_path / "home"), "engines", "stop"]
    subprocess.run(stop, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "reopened and found it" in done.stdout
    pictures = sorted(shots.glob("*.png"))
    assert len(pictures) >= 18
