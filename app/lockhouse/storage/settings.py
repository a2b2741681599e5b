"""The user's settings: their descriptions, their values, and the file that stores them.

The settings page and ``lockhouse settings`` are built from the same descriptions. A value comes
from the default, the file, a LOCKHOUSE_* variable or an option of the command; the later one
overrides. Hides the JSON file, in which unknown entries are kept.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from lockhouse.core.errors import UsageMistake
from lockhouse.storage.file_lock import file_lock
from lockhouse.storage.storage_errors import map_write_error

Value = str | int | float | bool

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Field:
    """The description of one setting.

    ``least_chosen`` is the smallest number other than 0, where 0 means automatic. ``at_load``: it
    takes effect when a model is loaded.
    """

    name: str
    type: type[Value]
    default: Value
    help: str
    group: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    long_text: bool = False
    least_chosen: float | None = None
    at_load: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"LOCKHOUSE_{self.name.upper()}"


def _set(
    default: Value,
    group: str,
    description: str,
    *,
    between: tuple[float | None, float | None] = (None, None),
    **more: object,
) -> Any:
    """A setting; ``more`` are the other fields of :class:`Field`."""
    bounds = {"minimum": between[0], "maximum": between[1]}
    metadata = {"help": description, "group": group, **bounds, **more}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Each has a default."""

    theme: Literal["system", "light", "dark"] = _set(
        "system",
        "Appearance",
        "Light or dark colours. System follows the desktop.",
        choices=("system", "light", "dark"),
    )
    text_scale: float = _set(
        1.0,
        "Appearance",
        "Text size; 1 is the normal size.",
        between=(0.7, 2.5),
    )
    reduce_motion: Literal["system", "on", "off"] = _set(
        "system",
        "Appearance",
        "Fewer animations. System follows the desktop.",
        choices=("system", "on", "off"),
    )
    enter_sends: bool = _set(
        True,  # noqa: FBT003 - the default
        "Chat",
        "Enter sends the message and Shift+Enter adds a new line. When off, Enter adds a new line"
        " and Ctrl+Enter sends.",
    )
    system_prompt: str = _set(
        "",
        "Chat",
        "System prompt of new chats: instructions before the first message.",
        long_text=True,
    )
    default_target: str = _set(
        "",
        "Models",
        "The default model, by name or alias. Empty: the starter model.",
    )
    context_length: int = _set(
        0,
        "Models",
        "Context length: how much of a conversation a model can use. More needs more memory. 0 is"
        " automatic, for this machine and model.",
        between=(0, 16_777_216),
        unit="tokens",
        least_chosen=256,
        at_load=True,
    )
    when_full: Literal["stop", "cut_oldest"] = _set(
        "stop",
        "Models",
        "When a conversation is longer than the context: stop with a message, or leave out its"
        " oldest messages with a note.",
        choices=("stop", "cut_oldest"),
    )
    threads: int = _set(
        0,
        "Models",
        "Processor threads for a model. 0 is automatic, and adapts while other programs are busy.",
        between=(0, 1024),
        at_load=True,
    )
    kv_type: Literal["f16", "q8_0"] = _set(
        "f16",
        "Models",
        "Type of the KV cache. q8_0 takes half the memory of f16, with a barely noticeable loss of"
        " quality.",
        choices=("f16", "q8_0"),
        at_load=True,
    )
    parallel_answers: int = _set(
        4,
        "Models",
        "How many answers a loaded model can generate at the same time. They share its context.",
        between=(1, 64),
        at_load=True,
    )
    engine_idle_s: int = _set(
        300,
        "Models",
        "How long an unused model stays in memory. 0 unloads it at once.",
        between=(0, 604_800),
        unit="seconds",
        at_load=True,
    )
    answer_max_tokens: int = _set(
        0,
        "Answers",
        "Maximum answer length. 0 is no limit.",
        between=(0, 16_777_216),
        unit="tokens",
    )
    temperature: float = _set(
        0.7,
        "Answers",
        "Randomness of answers. 0 always takes the most likely token, 1 follows the"
        " probabilities of the model, more becomes erratic.",
        between=(0.0, 5.0),
    )
    top_k: int = _set(
        40,
        "Answers",
        "Sample only from this many of the most likely tokens. 0 is off.",
        between=(0, 1_000_000),
        unit="tokens",
    )
    top_p: float = _set(
        0.95,
        "Answers",
        "Sample only from the most likely tokens that together reach this probability. 1 is off.",
        between=(0.0, 1.0),
    )
    min_p: float = _set(
        0.05,
        "Answers",
        "Leave out tokens less likely than this fraction of the most likely one. 0 is off.",
        between=(0.0, 1.0),
    )
    repeat_penalty: float = _set(
        1.0,
        "Answers",
        "How strongly recently used words are avoided. 1 is off; above 1.3 quality suffers.",
        between=(0.1, 5.0),
    )
    api_max_tokens: int = _set(
        4096,
        "API costs",
        "Maximum length of an answer from an API. Its maximum cost is calculated with this.",
        between=(1, 1_000_000),
        unit="tokens",
    )
    budget_per_call_usd: float = _set(
        0.0,
        "API costs",
        "Limit for one question to an API. A question that could cost more is not sent. 0 is no"
        " limit.",
        between=(0.0, 1_000_000.0),
        unit="USD",
    )
    budget_per_day_usd: float = _set(
        0.0,
        "API costs",
        "Limit for all APIs in a day, from midnight to midnight local time. 0 is no limit.",
        between=(0.0, 1_000_000.0),
        unit="USD",
    )
    budget_per_month_usd: float = _set(
        0.0,
        "API costs",
        "Limit for all APIs in a calendar month. 0 is no limit.",
        between=(0.0, 1_000_000.0),
        unit="USD",
    )


def fields() -> tuple[Field, ...]:
    """The descriptions of all settings, grouped, in the order in which to show them."""
    return tuple(
        Field(
            name=field.name,
            type=type(cast(Value, field.default)),
            default=cast(Value, field.default),
            **field.metadata,
        )
        for field in dataclasses.fields(Settings)
    )


def field_named(name: str) -> Field:
    """The description of one setting; UsageMistake when there is none of that name."""
    for field in fields():
        if field.name == name:
            return field
    raise UsageMistake(
        f'There is no setting "{name}".',
        hint="There are: " + ", ".join(field.name for field in fields()) + ".",
    )


def parse(name: str, text: str) -> Value:
    """The value of a setting from text; UsageMistake when it is not valid."""
    field = field_named(name)
    text = text if field.long_text else text.strip()
    if field.type is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        return check(field, text)
    if field.type in (int, float):
        try:
            return check(field, field.type(text))
        except ValueError:
            return check(field, text)
    return check(field, text)


def check(field: Field, value: object) -> Value:
    """``value`` in the type of the setting; UsageMistake when it is not valid."""
    if field.choices:
        fits = value in field.choices
    elif field.type is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif field.type is int and isinstance(value, float) and value.is_integer():
        value, fits = int(value), True
    else:
        fits = type(value) is field.type
    if not fits or not _within(field, value):
        raise UsageMistake(f"{field.name} has to be {_expected(field)}, not {_shown(value)}.")
    return float(cast(float, value)) if field.type is float else cast(Value, value)


def _within(field: Field, value: object) -> bool:
    if not isinstance(value, int | float):
        return True
    if not math.isfinite(value):
        return False
    if field.least_chosen is not None and 0 < value < field.least_chosen:
        return False
    low = -math.inf if field.minimum is None else field.minimum
    high = math.inf if field.maximum is None else field.maximum
    return low <= value <= high


def _expected(field: Field) -> str:
    if field.choices:
        return "one of " + ", ".join(field.choices)
    if field.type is bool:
        return "true or false"
    if field.type is str:
        return "a text"
    kind = "a whole number" if field.type is int else "a number"
    low = field.minimum if field.least_chosen is None else field.least_chosen
    bounds = f"{kind} from {low:,.10g} to {field.maximum:,.10g}"
    return bounds if field.least_chosen is None else f"0 or {bounds}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


class SettingsFile:
    """The file that stores the settings of a home.

    ``problem`` is what the user needs to know about the last :meth:`load`, or ""; ``unusable``
    names the fields whose stored values were not valid, ``lost`` those that an unreadable file
    may have held and that were not set again since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self.unusable: frozenset[str] = frozenset()
        self.lost: frozenset[str] = frozenset()
        self._loaded: Settings | None = None

    def fields(self) -> tuple[Field, ...]:
        """The description of every setting."""
        return fields()

    def load(
        self,
        *,
        overrides: Mapping[str, Value] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Settings:
        """The current settings. An unreadable file is moved aside, which ``problem`` states.

        An invalid variable or override raises UsageMistake.
        """
        self.problem = ""
        values: dict[str, Value] = {}
        kept = self._read()
        unusable = {field.name for field in fields()} if self.problem else set()
        for field in fields():
            if field.name in kept:
                try:
                    values[field.name] = check(field, kept[field.name])
                except UsageMistake as mistake:
                    unusable.add(field.name)
                    self.problem = (
                        f"In {self.path}: {mistake.message} {_shown(field.default)} is used."
                    )
        outside = self._variables(os.environ if environment is None else environment)
        for name, value in (overrides or {}).items():
            outside[name] = check(field_named(name), value)
        self.unusable = frozenset(unusable - outside.keys())
        set_since = kept.keys() | outside.keys()
        names = {field.name for field in fields()} if self._was_set_aside() else set()
        self.lost = frozenset(names - set_since)
        self._loaded = Settings(**{**values, **outside})  # type: ignore[arg-type] # checked
        return self._loaded

    def save(self, settings: Settings, *, naming: Collection[str] = ()) -> None:
        """Write what has changed since :meth:`load` and what is named, and nothing else.

        So values from the environment are not stored, and what another window or a newer version
        has written is kept.
        """
        before = self._loaded or self.load()
        changed = {
            field.name: check(field, getattr(settings, field.name))
            for field in fields()
            if field.name in naming or getattr(settings, field.name) != getattr(before, field.name)
        }
        if changed or not self.path.exists():
            with suppress(OSError):  # reported when the file is written
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(self.path.with_suffix(".lock")):
                self._write({**self._read(), **changed})
        self._loaded = settings

    def _variables(self, environment: Mapping[str, str]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for field in fields():
            if field.variable in environment:
                try:
                    found[field.name] = parse(field.name, environment[field.variable])
                except UsageMistake as mistake:
                    raise UsageMistake(
                        mistake.message, hint=f"Correct or unset the variable {field.variable}."
                    ) from mistake
        return found

    def _read(self) -> dict[str, object]:
        try:
            if not self.path.exists():
                return {}
            if not self.path.is_file():  # reading a pipe would wait forever
                self.problem = f"{self.path} is not a file; the default settings are used."
                return {}
            text = self.path.read_bytes()
        except OSError as error:
            self.problem = f"The settings in {self.path} cannot be read: {error.strerror}."
            return {}
        try:
            kept = json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            kept = None
        if isinstance(kept, dict):
            return kept
        self._set_aside()
        return {}

    def _was_set_aside(self) -> bool:
        """Whether a file was ever moved aside as unreadable."""
        try:
            return any(self.path.parent.glob(self._aside("*")))
        except OSError:
            return False

    def _aside(self, stamp: str) -> str:
        return f"{self.path.stem}.unreadable-{stamp}{self.path.suffix}"

    def _set_aside(self) -> None:
        aside = self.path.with_name(self._aside(f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"))
        try:
            self.path.rename(aside)
        except OSError:
            self.problem = f"The settings in {self.path} are unreadable; the defaults are used."
        else:
            self.problem = (
                f"The settings were unreadable and have been moved to {aside};"
                " the defaults are used."
            )

    def _write(self, values: dict[str, object]) -> None:
        text = json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        unfinished: Path | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".settings-")
            unfinished = Path(name)
            with open(handle, "wb") as file:  # noqa: PTH123 - a handle
                file.write(text.encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)
            raise map_write_error(self.path, error) from error
