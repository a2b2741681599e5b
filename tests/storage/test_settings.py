"""Settings come from four places, and a file never loses what it holds."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockhouse.core.errors import UsageMistake
from lockhouse.core.request import Sampling
from lockhouse.storage.settings import Settings, SettingsFile, check, field_named, fields, parse

NOTHING: dict[str, str] = {}


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "settings.json")


def test_every_setting_is_described() -> None:
    described = {field.name for field in fields()}
    assert described == {field.name for field in dataclasses.fields(Settings)}
    for field in fields():
        assert field.help.endswith("."), field.name
        assert field.group
        assert check(field, field.default) == field.default
        if field.type in (int, float):
            assert field.minimum is not None, field.name
            assert field.maximum is not None, field.name


def test_defaults_agree_with_the_sampler() -> None:
    for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty"):
        assert getattr(Settings(), name) == getattr(Sampling(), name)


def test_the_later_source_wins(file: SettingsFile) -> None:
    file.path.write_text('{"theme": "dark", "top_k": 7, "threads": 3}')
    settings = file.load(
        environment={"LOCKHOUSE_TOP_K": "8", "LOCKHOUSE_THREADS": "4"}, overrides={"threads": 5}
    )
    assert (settings.min_p, settings.theme, settings.top_k, settings.threads) == (
        0.05,
        "dark",
        8,
        5,
    )
    assert file.problem == ""


def test_what_came_from_a_variable_does_not_stick(file: SettingsFile) -> None:
    settings = file.load(environment={"LOCKHOUSE_TOP_K": "8"})
    file.save(dataclasses.replace(settings, theme="light"))
    assert json.loads(file.path.read_text()) == {"theme": "light"}


def test_unknown_keys_are_kept(file: SettingsFile) -> None:
    file.path.write_text('{"from_the_future": {"a": [1]}, "theme": "dark"}')
    settings = file.load(environment=NOTHING)
    file.save(dataclasses.replace(settings, text_scale=1.5))
    assert json.loads(file.path.read_text()) == {
        "from_the_future": {"a": [1]},
        "text_scale": 1.5,
        "theme": "dark",
    }


def test_two_windows_keep_each_others_changes(file: SettingsFile) -> None:
    other = SettingsFile(file.path)
    mine, theirs = file.load(environment=NOTHING), other.load(environment=NOTHING)
    file.save(dataclasses.replace(mine, theme="dark"))
    other.save(dataclasses.replace(theirs, top_k=3))
    both = SettingsFile(file.path).load(environment=NOTHING)
    assert (both.theme, both.top_k) == ("dark", 3)


def test_set_back_to_the_default(file: SettingsFile) -> None:
    file.path.write_text('{"theme": "dark"}')
    file.load(environment=NOTHING)
    file.save(Settings())
    assert file.load(environment=NOTHING) == Settings()


@pytest.mark.parametrize(
    "content", [b"{", b"[1]", b"\xff\xfe\x00", b"", b"null", b"[" * 100_000], ids=str
)
def test_an_unreadable_file_is_set_aside(file: SettingsFile, content: bytes) -> None:
    file.path.write_bytes(content)
    assert file.load(environment=NOTHING) == Settings()
    assert "unreadable" in file.problem
    [aside] = file.path.parent.glob("settings.unreadable-*.json")
    assert aside.read_bytes() == content
    assert str(aside) in file.problem
    file.save(dataclasses.replace(Settings(), theme="dark"))
    assert file.load(environment=NOTHING).theme == "dark"
    assert file.problem == ""
    # What else it held is not known, until it is set anew, be it to what it is anyway.
    assert "theme" not in file.lost
    assert "top_k" in file.lost
    file.save(Settings(theme="dark"), naming=["top_k"])
    file.load(environment={"LOCKHOUSE_THREADS": "2"})
    assert not {"top_k", "threads"} & file.lost


def test_a_value_that_does_not_fit_is_told_and_left(file: SettingsFile) -> None:
    file.path.write_text('{"theme": "purple", "top_k": 3}')
    settings = file.load(environment=NOTHING)
    assert (settings.theme, settings.top_k) == ("system", 3)
    assert 'theme has to be one of system, light, dark, not "purple".' in file.problem
    file.save(dataclasses.replace(settings, top_k=4))
    assert json.loads(file.path.read_text()) == {"theme": "purple", "top_k": 4}


def test_a_pipe_in_place_of_the_file_does_not_hang(file: SettingsFile) -> None:
    os.mkfifo(file.path)
    assert file.load(environment=NOTHING) == Settings()
    assert "not a file" in file.problem


def test_a_variable_that_does_not_fit_names_itself(file: SettingsFile) -> None:
    with pytest.raises(UsageMistake) as told:
        file.load(environment={"LOCKHOUSE_THREADS": "many"})
    assert told.value.message == 'threads has to be a whole number from 0 to 1,024, not "many".'
    assert "LOCKHOUSE_THREADS" in told.value.hint


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("theme", " dark ", "dark"),
        ("top_k", "12", 12),
        ("temperature", "0", 0.0),
        ("enter_sends", "off", False),
        ("enter_sends", "YES", True),
        ("system_prompt", " as it is\n", " as it is\n"),
    ],
)
def test_text_is_taken_as_the_setting_needs_it(name: str, text: str, value: object) -> None:
    parsed = parse(name, text)
    assert parsed == value
    assert type(parsed) is field_named(name).type


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("theme", "Dark!"),
        ("top_k", "1.5"),
        ("top_k", "-1"),
        ("top_p", "1.01"),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("enter_sends", "maybe"),
        ("threads", ""),
        ("nonsense", "1"),
    ],
)
def test_text_that_does_not_fit_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageMistake):
        parse(name, text)


def test_a_context_too_small_to_talk_in_is_refused(file: SettingsFile) -> None:
    assert [parse("context_length", text) for text in ("0", "256")] == [0, 256]
    for text in ("1", "100", "255"):
        with pytest.raises(UsageMistake) as told:
            parse("context_length", text)
        assert told.value.message == (
            f"context_length has to be 0 or a whole number from 256 to 16,777,216, not {text}."
        )
    file.path.write_text('{"context_length": 100}')
    assert file.load(environment={}).context_length == 0
    assert "context_length" in file.problem


@pytest.mark.parametrize(("name", "value"), [("top_k", True), ("threads", 1.5), ("theme", None)])
def test_values_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageMistake):
        check(field_named(name), value)


def test_settings_are_cheap_to_import() -> None:
    code = "import lockhouse.storage.settings, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )
    assert not {"sqlcipher3", "sqlite_utils", "numpy"} & set(ran.stdout.split())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


_SAVES = """
import dataclasses, sys
from pathlib import Path
from lockhouse.storage.settings import SettingsFile
path, name = Path(sys.argv[1]), sys.argv[2]
lost = 0
for value in range(1, 101):
    file = SettingsFile(path)
    file.save(dataclasses.replace(file.load(environment={}), **{name: value}))
    lost += getattr(SettingsFile(path).load(environment={}), name) != value
print(lost)
"""


def test_two_windows_that_save_settings_at_once_lose_none(tmp_path: Path) -> None:
    windows = [
        subprocess.Popen(
            [sys.executable, "-c", _SAVES, tmp_path / "settings.json", name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("threads", "top_k")
    ]
    assert [window.communicate()[0] for window in windows] == ["0\n", "0\n"]
