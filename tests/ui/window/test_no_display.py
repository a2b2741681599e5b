"""Where the window cannot be shown, the program says so in a sentence: it never aborts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="about displays of Linux")


def started(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-m", "lockhouse", *arguments],
        env={**environment, "LOCKHOUSE_HOME": str(home), **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("--smoke",)])
def test_no_display_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = started(tmp_path, *arguments)
    assert ended.returncode == 1
    assert "The window cannot open: there is no display" in ended.stderr
    assert "lockhouse chat" in ended.stderr


def test_a_display_that_does_not_respond_is_named(tmp_path: Path) -> None:
    ended = started(tmp_path, DISPLAY=":4711")
    assert ended.returncode == 1
    assert "the display :4711 does not answer" in ended.stderr


def test_an_unknown_platform_is_no_abort(tmp_path: Path) -> None:
    ended = started(tmp_path, QT_QPA_PLATFORM="nonsense")
    assert ended.returncode == 1
    assert "The window cannot open" in ended.stderr


@pytest.mark.parametrize("arguments", [(), ("--prove", "window")])
def test_a_missing_library_is_named(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    broken = tmp_path / "libraries"
    broken.mkdir()
    (broken / "libEGL.so.1").write_bytes(b"")
    ended = started(tmp_path, *arguments, LD_LIBRARY_PATH=str(broken), QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 1
    assert "a library is missing (libEGL.so.1)" in ended.stderr
    assert "Traceback" not in ended.stderr
