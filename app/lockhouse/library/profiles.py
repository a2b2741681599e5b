"""Profiles of a model: named load settings and sampling defaults, one of them in use.

For what a profile leaves open the settings are used; options of a request override both. Hides
the table and which values are valid.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.core.json_decoding import decoded
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling
from lockhouse.core.thinking import CHOICES
from lockhouse.library.inventory import key_of
from lockhouse.library.model_info import LoadChoice, Preset, Profile
from lockhouse.library.model_names import slug
from lockhouse.storage.database import Database
from lockhouse.storage.settings import field_named

if TYPE_CHECKING:
    import sqlite_utils

_NOT_DEFAULTS: Final = ("seed", "logit_bias")
_MAX_TOKENS: Final = "max_tokens"
_THINKING: Final = "thinking"
_BUDGET: Final = "reasoning_budget"
_OTHERS: Final = (_MAX_TOKENS, _THINKING, _BUDGET)  # not of the sampler
_WHOLE: Final = ("top_k", "repeat_last_n", "dry_allowed_length", "dry_penalty_last_n", "mirostat")
_LEAST: Final = {"repeat_last_n": -1, "dry_penalty_last_n": -1, "max_tokens": 1}
_MOST: Final = {
    "top_p": 1.0,
    "min_p": 1.0,
    "typical_p": 1.0,
    "mirostat": 2,
    "temperature": 10.0,
    "repeat_penalty": 10.0,
}
SAMPLING_NAMES: Final = (
    *(field for field in Sampling.__struct_fields__ if field not in _NOT_DEFAULTS),
    *_OTHERS,
)


class Profiles:
    """Reads and writes the table of profiles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, paths: Sequence[Path]) -> list[Profile]:
        """The profiles of a model, for all its copies, by name."""
        found: dict[str, Profile] = {}
        for path in paths:
            rows = self._database.rows(
                "SELECT name, load, sampling, active, system FROM model_profiles WHERE path = ?"
                " ORDER BY name",
                [key_of(path)],
            )
            for name, load, sampling, active, system in rows:
                values = decoded(sampling, dict[str, float | int | str])
                choice = decoded(load, LoadChoice)
                profile = Profile(name, choice, values, active=bool(active), system=system)
                found.setdefault(name, profile)
        return sorted(found.values(), key=lambda profile: profile.name)

    def active(self) -> dict[Path, str]:
        """The name of the profile in use, for every model that has one."""
        rows = self._database.rows("SELECT path, name FROM model_profiles WHERE active = 1")
        return {Path(os.fsdecode(path)): name for path, name in rows}

    def save(self, path: Path, profile: Profile) -> None:
        """Save a profile, replacing one of that name."""
        check(profile)
        with self._database.write() as database:
            database.execute(
                "INSERT INTO model_profiles (path, name, load, sampling, active, system)"
                " VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (path, name) DO UPDATE SET"
                " load = excluded.load, sampling = excluded.sampling, system = excluded.system",
                [
                    key_of(path),
                    profile.name,
                    msgspec.json.encode(profile.load).decode(),
                    msgspec.json.encode(dict(profile.sampling)).decode(),
                    profile.system,
                ],
            )
            if profile.active:
                _activate(database, [path], profile.name)

    def use(self, paths: Sequence[Path], name: str | None) -> None:
        """Use one profile, or none."""
        with self._database.write() as database:
            self._require(paths, name)
            _activate(database, paths, name or "")

    def delete(self, paths: Sequence[Path], name: str) -> None:
        """Delete a profile."""
        with self._database.write() as database:
            self._require(paths, name)
            for path in paths:
                database.execute(
                    "DELETE FROM model_profiles WHERE path = ? AND name = ?", [key_of(path), name]
                )

    def _require(self, paths: Sequence[Path], name: str | None) -> None:
        if name is None:
            return
        there = [profile.name for profile in self.of(paths)]
        if name in there:
            return
        hint = f"There is {', '.join(there)}." if there else "It has no profile yet."
        raise NotFound(f'The model has no profile "{name}".', hint=hint)


def filled(request: AnswerRequest, profile: Profile | None) -> AnswerRequest:
    """The request with the values of a profile where it leaves them open."""
    if profile is None:
        return request
    values = {
        name: int(value) if name in _WHOLE else value
        for name, value in profile.sampling.items()
        if name in request.left_open and name not in _OTHERS
    }
    changes: dict[str, object] = {"sampling": msgspec.structs.replace(request.sampling, **values)}
    if _MAX_TOKENS in profile.sampling and _MAX_TOKENS in request.left_open:
        changes["max_tokens"] = int(profile.sampling[_MAX_TOKENS])
    if _THINKING in profile.sampling and _THINKING in request.left_open:
        changes["thinking"] = profile.sampling[_THINKING]
    if _BUDGET in profile.sampling and _BUDGET in request.left_open:
        changes["reasoning_budget"] = int(profile.sampling[_BUDGET])
    if profile.system and not any(turn.role == "system" for turn in request.turns):
        changes["turns"] = (Turn("system", profile.system), *request.turns)
    if profile.load.context_length and "context_length" in request.left_open:
        changes["context_length"] = None  # the model is loaded with the profile's own
    return msgspec.structs.replace(request, **changes)


def _activate(database: sqlite_utils.Database, paths: Sequence[Path], name: str) -> None:
    for path in paths:
        database.execute(
            "UPDATE model_profiles SET active = (name = ?) WHERE path = ?", [name, key_of(path)]
        )


def check(profile: Profile) -> None:
    """Raise UsageMistake for an invalid profile."""
    if not profile.name or slug(profile.name) != profile.name:
        raise UsageMistake(
            f'"{profile.name}" cannot be the name of a profile.',
            hint=f'Use small letters, digits, dots and hyphens: "{slug(profile.name) or "fast"}".',
        )
    load = profile.load
    known = field_named("kv_type").choices
    if load.kv_type and load.kv_type not in known:
        raise UsageMistake(
            f"There is no KV cache type {load.kv_type}.", hint=f"Choose one of: {', '.join(known)}."
        )
    for name in ("context_length", "threads", "parallel"):
        if getattr(load, name) < 0:
            raise UsageMistake(f"{name} cannot be negative.", hint="0 uses the settings.")
    for name, value in profile.sampling.items():
        _check_value(name, value)


def can_be(name: str, value: float) -> bool:
    """Whether a sampling value of that name exists and can be so."""
    try:
        _check_value(name, value)
    except UsageMistake:
        return False
    return True


def with_preset(request: AnswerRequest, preset: Preset | None) -> AnswerRequest:
    """The request with what belongs to the model beside its weights, where it is left open."""
    if preset is None:
        return request
    has_system = any(turn.role == "system" for turn in request.turns)
    system = (Turn("system", preset.system),) if preset.system and not has_system else ()
    at = 1 if request.turns and request.turns[0].role == "system" else 0
    said = tuple(Turn(role, text) for role, text in preset.messages)
    values = {
        name: int(value) if name in _WHOLE else value
        for name, value in preset.sampling.items()
        if name in request.left_open and name != _MAX_TOKENS
    }
    changes: dict[str, object] = {}
    if _MAX_TOKENS in preset.sampling and _MAX_TOKENS in request.left_open:
        changes["max_tokens"] = int(preset.sampling[_MAX_TOKENS])
    return msgspec.structs.replace(
        request,
        turns=(*system, *request.turns[:at], *said, *request.turns[at:]),
        sampling=msgspec.structs.replace(request.sampling, **values),
        stop=tuple(dict.fromkeys((*request.stop, *preset.stop))),
        **changes,
    )


def _check_value(name: str, value: float | str) -> None:
    if name not in SAMPLING_NAMES:
        raise UsageMistake(
            f'There is no sampling value "{name}".', hint=f"There are: {', '.join(SAMPLING_NAMES)}."
        )
    if isinstance(value, str) or name == _THINKING:
        if name != _THINKING or value not in CHOICES:
            hint = f"thinking is one of: {', '.join(CHOICES)}. All else is a number."
            raise UsageMistake(f'{name} cannot be "{value}".', hint=hint)
        return
    least, most = _LEAST.get(name, -2.0 if name.endswith("_penalty") else 0), _MOST.get(name)
    is_whole = name in (*_WHOLE, _MAX_TOKENS, _BUDGET)
    if (
        isinstance(value, bool)
        or not math.isfinite(value)
        or value < least
        or (most is not None and value > most)
        or (is_whole and value != int(value))
    ):
        bounds = f"from {least:g}" + (f" to {most:g}" if most is not None else " upwards")
        kind = "whole number" if is_whole else "number"
        raise UsageMistake(f"{name} has to be a {kind} {bounds}, not {value:g}.")
