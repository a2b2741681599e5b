"""Profiles: load settings and sampling defaults under names, one of them in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.errors import NotFound, UsageMistake
from lockhouse.core.request import AnswerRequest, Sampling, left_open
from lockhouse.library.model_info import LoadChoice, Profile
from lockhouse.library.models import Models
from lockhouse.library.profiles import filled
from lockhouse.storage.database import Database
from tests.library.test_folders import small

LONG = Profile("long", LoadChoice(context_length=16_384, kv_type="q8_0"))
STRICT = Profile("strict", LoadChoice(threads=2), {"temperature": 0.0, "top_k": 1}, active=True)


@pytest.fixture
def models(tmp_path: Path, starter: Path) -> Iterator[Models]:
    database = Database(tmp_path / "home" / "lockhouse.db", backups=tmp_path / "home" / "backups")
    models = Models(database, tmp_path / "home" / "models", None, others=list)
    small(starter, tmp_path / "home" / "models" / "one.gguf", b"one")
    small(starter, tmp_path / "home" / "models" / "two.gguf", b"two")
    yield models
    database.close()


def test_profiles_are_kept_for_each_model_and_one_is_in_force(models: Models) -> None:
    models.save_profile("one", LONG)
    models.save_profile("one", STRICT)
    assert [(each.name, each.active) for each in models.profiles("one")] == [
        ("long", False),
        ("strict", True),
    ]
    assert models.profiles("two") == []
    assert models.get("one").active_profile == "strict"
    assert models.profile_in_force(models.get("one")) == STRICT
    assert models.profile_in_force(models.get("two")) is None
    models.use_profile("one", "long")
    assert models.get("one").active_profile == "long"
    changed = Profile("long", LoadChoice(context_length=4096))
    models.save_profile("one", changed)  # replaced, and still in force
    in_force = models.profile_in_force(models.get("one"))
    assert in_force is not None
    assert (in_force.load, in_force.active) == (changed.load, True)
    models.use_profile("one", None)
    assert models.get("one").active_profile == ""
    models.delete_profile("one", "long")
    assert [each.name for each in models.profiles("one")] == ["strict"]
    for name in ("long", ""):
        with pytest.raises(NotFound, match="no profile"):
            models.use_profile("one", name)


@pytest.mark.parametrize(
    "profile",
    [
        Profile("Two Words"),
        Profile(""),
        Profile("x", LoadChoice(kv_type="q9")),
        Profile("x", LoadChoice(context_length=-1)),
        Profile("x", sampling={"temprature": 1}),
        Profile("x", sampling={"seed": 1}),
        Profile("x", sampling={"top_p": 1.5}),
        Profile("x", sampling={"top_k": 1.5}),
        Profile("x", sampling={"temperature": float("nan")}),
        Profile("x", sampling={"max_tokens": 0}),
        Profile("x", sampling={"thinking": "sometimes"}),
        Profile("x", sampling={"temperature": "off"}),
    ],
)
def test_what_could_not_be_followed_is_refused(models: Models, profile: Profile) -> None:
    with pytest.raises(UsageMistake):
        models.save_profile("one", profile)
    assert models.profiles("one") == []


def test_a_profile_fills_only_what_nobody_chose() -> None:
    profile = Profile(
        "p",
        LoadChoice(context_length=2048),
        {
            "temperature": 0.1,
            "top_k": 5,
            "typical_p": 0.9,
            "max_tokens": 7,
            "thinking": "off",
            "reasoning_budget": 9,
        },
    )
    request = AnswerRequest(
        (),
        Sampling(temperature=0.8, top_k=40, seed=3),
        context_length=8192,
        left_open=left_open(["temperature"]),
    )
    answered = filled(request, profile)
    assert answered.sampling == Sampling(temperature=0.8, top_k=5, typical_p=0.9, seed=3)
    assert (answered.max_tokens, answered.context_length) == (7, None)
    assert (answered.thinking, answered.reasoning_budget) == ("off", 9)
    chosen = filled(AnswerRequest((), max_tokens=3, context_length=512), profile)
    assert chosen == AnswerRequest((), max_tokens=3, context_length=512)
    assert filled(request, None) is request
