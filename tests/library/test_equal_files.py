"""Equal files, different models: what a program keeps beside the weights makes a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest, Sampling, left_open
from lockhouse.library.external_folders import found_folders
from lockhouse.library.model_info import ModelInfo, Preset
from lockhouse.library.models import Models
from lockhouse.library.profiles import with_preset
from lockhouse.storage.database import Database

from . import layouts
from .test_folders import projector, small

MARIO = {
    "system": b"You are Mario from Super Mario Bros.",
    "params": b'{"temperature": 0.2, "num_ctx": 2048, "num_predict": 9, "stop": ["END"],'
    b' "top_k": -3, "nonsense": 1, "min_p": "x"}',
    "messages": b'[{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me!"}]',
}


@pytest.fixture
def user(tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def models(user: Path, tmp_path: Path) -> Iterator[Models]:
    home = tmp_path / "home"
    database = Database(home / "lockhouse.db", backups=home / "backups")
    yield Models(database, home / "models", None, others=lambda: found_folders({}, user))
    database.close()


def by_name(models: Models) -> dict[str, ModelInfo]:
    return {each.name: each for each in models.list()}


def test_several_names_over_one_file_are_several_models(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    source = small(starter, tmp_path / "base-Q4_1.gguf")
    blob = layouts.ollama(user, source, "base")
    layouts.ollama(user, source, "mario", more=MARIO)
    layouts.ollama(user, source, "luigi", more={**MARIO, "system": b"You are Luigi."})
    layouts.ollama(user, source, "alias")  # the same as base
    studio = layouts.lm_studio(user, source)
    assert models.list_recognised()[1] == 0
    found = by_name(models)
    assert {each.path for name, each in found.items() if name in ("mario", "luigi")} == {blob}
    assert found["mario"].preset == Preset(
        system="You are Mario from Super Mario Bros.",
        messages=(("user", "Who?"), ("assistant", "Me!")),
        sampling={"temperature": 0.2, "max_tokens": 9},
        stop=("END",),
        context_length=2048,
        template=found["mario"].preset.template if found["mario"].preset else "",
    )
    assert found["luigi"].preset is not None
    assert found["luigi"].preset.system == "You are Luigi."
    plain = models.get("base")
    assert models.get("alias") == plain
    assert {place.path for place in plain.places} == {blob, studio}
    assert [place.path for place in found["mario"].places] == [blob]


def test_an_adapter_is_never_answered_by_its_base_alone(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    source = small(starter, tmp_path / "base-Q4_1.gguf")
    layouts.ollama(user, source, "base")
    layouts.ollama(user, source, "tuned", more={"adapter": b"GGUF lora"})
    tuned = models.get("tuned")
    assert tuned.state == "unusable"
    assert "adapter" in tuned.problem
    assert models.get("base").state == "ready"


def test_a_template_of_its_own_is_known_to_be_another(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    source = small(starter, tmp_path / "base-Q4_1.gguf")
    layouts.ollama(user, source, "base")
    layouts.ollama(user, source, "other", more={"template": b"### {{ .Prompt }}"})
    found = by_name(models)
    assert (found["base"].has_own_template, found["other"].has_own_template) == (False, True)


@pytest.mark.parametrize("form", ["v1", "v2", "list", "pointer"])
def test_each_form_of_manifest_is_read(
    form: str,
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    source = small(starter, tmp_path / "base-Q4_1.gguf")
    blob = layouts.ollama(user, source, "qwen3", "8b", more=MARIO, form=form)  # type: ignore[arg-type]
    (found,) = models.list()
    assert (found.name, found.path) == ("qwen3-8b", blob)
    assert found.preset is not None
    assert found.preset.system.startswith("You are Mario")


def test_a_list_that_contains_itself_ends(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    layouts.ollama(user, small(starter, tmp_path / "base-Q4_1.gguf"), "good")
    root = user / ".ollama" / "models"
    digest = "a" * 64
    (root / "blobs" / f"sha256-{digest}").write_text(
        json.dumps({"manifests": [{"digest": f"sha256:{digest}"}] * 1000})
    )
    (root / "manifests" / "registry.ollama.ai" / "library" / "good" / "bad").write_text(
        f"sha256:{digest}"
    )
    assert [each.name for each in models.list()] == ["good"]


def test_the_projector_of_any_copy_is_found(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    source = small(starter, tmp_path / "see-Q4_1.gguf")
    bare = layouts.gpt4all(user, source)
    sees = projector(starter, tmp_path / "mmproj.gguf", 576)
    studio = layouts.lm_studio(user, source)
    beside = shutil.copyfile(sees, studio.with_name("mmproj-see-f16.gguf"))
    assert models.list_recognised()[1] == 0
    (found,) = models.list()
    assert {place.path for place in found.places} == {bare, studio}
    assert found.projector == beside
    assert "vision" in found.capabilities
    assert found.size_bytes == source.stat().st_size + beside.stat().st_size


def test_when_the_disk_of_one_copy_is_away_the_other_answers(
    models: Models,
    user: Path,
    starter: Path,
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    source = small(starter, disk / "travels-Q4_1.gguf")
    models.import_files([source], mode="in-place")
    copy = layouts.ollama(user, source, "stays")
    assert models.list_recognised()[1] == 0
    (both,) = models.list()
    disk.rename(tmp_path / "away")
    left = models.get("travels")  # by its name there
    assert (left.path, left.state) == (copy, "ready")
    assert models.list() == [left]
    assert {place.path for place in left.places} == {source, copy}
    (tmp_path / "away").rename(disk)
    assert models.list() == [both]


def test_what_belongs_to_a_model_fills_only_what_nobody_chose() -> None:
    preset = Preset(
        system="Be Mario.",
        messages=(("user", "Who?"), ("assistant", "Me!")),
        sampling={"temperature": 0.2, "top_k": 7, "max_tokens": 9},
        stop=("END",),
    )
    request = AnswerRequest(
        (Turn("user", "Hi"),), Sampling(), stop=("X",), left_open=left_open({"temperature"})
    )
    filled = with_preset(request, preset)
    assert [(turn.role, turn.content) for turn in filled.turns] == [
        ("system", "Be Mario."),
        ("user", "Who?"),
        ("assistant", "Me!"),
        ("user", "Hi"),
    ]
    assert filled.sampling == Sampling(top_k=7)
    assert (filled.max_tokens, filled.stop) == (9, ("X", "END"))
    own = AnswerRequest((Turn("system", "Be Peach."), Turn("user", "Hi")), max_tokens=3)
    kept = with_preset(own, preset)
    assert [turn.content for turn in kept.turns] == ["Be Peach.", "Who?", "Me!", "Hi"]
    assert (kept.sampling, kept.max_tokens) == (own.sampling, 3)
    assert with_preset(own, None) is own
