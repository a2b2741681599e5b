"""briefcase.toml is complete for every platform, and says the same as pyproject.toml."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "installers"))

import package  # noqa: E402 - a script of the project, not an installed module

PLATFORMS = [
    ("linux", "system"),
    ("linux", "appimage"),
    ("linux", "flatpak"),
    ("windows", "app"),
    ("macOS", "app"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what Briefcase reads, and a Briefcase folder that is not the user's."""
    for name in ("pyproject.toml", "briefcase.toml", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("BRIEFCASE_HOME", str(data))
    return tmp_path


def parsed(project: Path, platform: str, output_format: str) -> tuple[Any, Any]:
    """The application and the global settings as Briefcase's own command sees them."""
    from briefcase.console import Console

    console = Console()
    try:
        command, _ = package.configured(["create", platform, output_format], console, project)
    finally:
        console.close()
    return command.apps["lockhouse"], command.global_config


@pytest.mark.parametrize(("platform", "output_format"), PLATFORMS)
def test_every_platform_is_configured(project: Path, platform: str, output_format: str) -> None:
    app, general = parsed(project, platform, output_format)
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(app.version) == pinned["version"]
    assert set(pinned["dependencies"]) <= set(app.requires)
    assert app.sources[0] == "app/lockhouse"
    assert general.bundle == "org.lockhouse"
    for source in app.sources:
        assert (ROOT / source).is_dir()


def test_the_debian_package_names_every_library_that_the_window_needs(project: Path) -> None:
    sys.path.insert(0, str(ROOT))
    try:
        import dev
    finally:
        sys.path.remove(str(ROOT))
    app, _ = parsed(project, "linux", "system")
    # Wayland's cursors are drawn by the compositor's own library where there is one.
    needed = set(dev.WINDOW_LIBRARIES.values()) - {"libwayland-cursor0"}
    assert needed <= set(app.debian["system_runtime_requires"])


def test_no_sandbox_is_given_the_network(project: Path) -> None:
    flatpak, _ = parsed(project, "linux", "flatpak")
    assert flatpak.finish_arg["share=network"] is False
    mac, _ = parsed(project, "macOS", "app")
    assert mac.entitlement["com.apple.security.network.client"] is False


def test_the_merged_file_is_gone_afterwards(project: Path) -> None:
    parsed(project, "linux", "system")
    assert not (project / package.MERGED).exists()


def test_two_sources_of_settings_are_refused(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('\n[tool.briefcase]\nbundle = "org.other"\n')
    with pytest.raises(SystemExit, match="keep one of the two"):
        package.merged_settings(project)


def test_the_program_knows_its_own_version() -> None:
    import lockhouse

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert lockhouse.__version__ == project["version"]
