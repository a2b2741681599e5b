"""Revisions: kept side by side, compared before a change, rolled back in one step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput, NotFound
from lockhouse.library.gguf.header import read_header
from lockhouse.library.model_info import LoadChoice, ModelInfo, Profile, Source
from lockhouse.library.models import Models
from lockhouse.library.revisions import differences
from lockhouse.storage.database import Database
from tests.library.layouts import sha256
from tests.library.test_folders import small

OLD, NEW = "1" * 40, "2" * 40


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models(home: Path) -> Iterator[Models]:
    database = Database(home / "lockhouse.db", backups=home / "backups")
    yield Models(database, home / "models", None, others=list)
    database.close()


def fetched(
    models: Models, home: Path, starter: Path, revision: str, asked_at: str = "", **values: bytes
) -> ModelInfo:
    """What a download leaves behind."""
    path = small(
        starter, home / "models" / revision[:8] / "tiny-Q4_1.gguf", revision.encode(), **values
    )
    return models.register_download(
        [path],
        source=Source("org/tiny", revision, "tiny-Q4_1.gguf", "https://hub.example/tiny"),
        license="mit",
        sha256s={path.name: sha256(path)},
        asked_at=asked_at,
    )


def test_an_older_paused_download_does_not_take_the_place_of_a_newer_one(
    models: Models, home: Path, starter: Path
) -> None:
    asked_first = datetime.now(UTC).isoformat()
    new = fetched(models, home, starter, NEW)
    fetched(models, home, starter, OLD, asked_first)  # it was paused meanwhile
    assert models.get("tiny").path == new.path
    assert {each.revision: each.current for each in models.revisions("tiny")} == {
        NEW: True,
        OLD: False,
    }
    wanted = fetched(models, home, starter, OLD, datetime.now(UTC).isoformat())
    assert models.get("tiny").path == wanted.path  # asked for now


def test_a_download_keeps_where_it_came_from(models: Models, home: Path, starter: Path) -> None:
    found = fetched(models, home, starter, OLD)
    assert found == models.get("tiny")
    assert found.source == Source("org/tiny", OLD, "tiny-Q4_1.gguf", "https://hub.example/tiny")
    assert found.sha256 == sha256(found.path)
    assert found.verified_at is not None
    assert found.license in ("mit", "apache-2.0")  # what the file says of itself comes first
    (only,) = models.revisions("tiny")
    assert (only.revision, only.current) == (OLD, True)


def test_a_newer_revision_takes_over_and_can_be_rolled_back(
    models: Models, home: Path, starter: Path
) -> None:
    old = fetched(models, home, starter, OLD)
    models.set_alias("t", "tiny")
    models.save_profile("tiny", Profile("p", LoadChoice(threads=1), active=True))
    models.note_newer("tiny", NEW)
    assert models.get("tiny").newer_revision == NEW
    new = fetched(models, home, starter, NEW)
    assert new.path != old.path
    assert [model.path for model in models.list()] == [new.path]
    assert [(each.revision, each.current) for each in models.revisions("t")] == [
        (OLD, False),
        (NEW, True),
    ]
    assert (models.get("t").path, models.get("t").active_profile) == (new.path, "p")
    back = models.use_revision("tiny", OLD[:6])
    assert (back.path, back.name, back.aliases) == (old.path, "tiny", ("t",))
    assert models.get("tiny").active_profile == "p"
    assert new.path.exists()
    with pytest.raises(NotFound, match="no revision"):
        models.use_revision("tiny", "3")
    new.path.write_bytes(b"broken")
    with pytest.raises(InvalidInput):
        models.use_revision("tiny", NEW)
    assert models.get("tiny").path == old.path


def test_the_older_revision_is_listed_when_the_newer_file_was_deleted_by_hand(
    models: Models, home: Path, starter: Path
) -> None:
    old, new = (fetched(models, home, starter, each) for each in (OLD, NEW))
    new.path.unlink()
    assert [model.path for model in models.list()] == [old.path]
    assert models.use_revision(str(old.path), OLD).path == old.path


def test_a_pinned_model_stays_and_the_newer_one_is_kept_beside_it(
    models: Models, home: Path, starter: Path
) -> None:
    old = fetched(models, home, starter, OLD)
    models.set_pinned("tiny", pinned=True)
    fetched(models, home, starter, NEW)
    assert models.get("tiny").path == old.path
    assert [each.current for each in models.revisions("tiny")] == [True, False]


def test_what_differs_is_told_before_a_change(models: Models, home: Path, starter: Path) -> None:
    fetched(models, home, starter, OLD)
    fetched(
        models, home, starter, NEW,
        tokenizer__chat_template=b"{{ other }}", general__name=b"Tiny, improved",
        tokenizer__ggml__pre=b"other",
    )  # fmt: skip
    found = models.compare_revisions("tiny", OLD, NEW)
    by_kind = {(each.kind, each.what): each for each in found}
    assert by_kind["template", "chat template"].after == "{{ other }}"
    assert by_kind["metadata", "general.name"].after == "Tiny, improved"
    assert ("tokenizer", "tokenizer.ggml.pre") in by_kind
    assert ("content", "sha256") in by_kind
    assert found[0].kind == "template"
    assert models.compare_revisions("tiny", NEW, NEW) == []


def test_tokens_that_changed_are_told_though_there_are_as_many(
    tmp_path: Path, starter: Path
) -> None:
    header = read_header(starter)
    assert header.vocabulary is not None
    end = header.vocabulary.offset + header.vocabulary.size_bytes
    with starter.open("rb") as file:
        content = bytearray(file.read(header.data_offset))
    for name in ("before.gguf", "after.gguf"):
        (tmp_path / name).write_bytes(content)
        os.truncate(tmp_path / name, header.size_bytes)
        content[end - 1] ^= 1  # the last letter of the last token
    found = differences(read_header(tmp_path / "before.gguf"), read_header(tmp_path / "after.gguf"))
    assert [(each.kind, each.what) for each in found] == [("tokenizer", "tokens")]


def test_removing_a_model_removes_its_revisions(models: Models, home: Path, starter: Path) -> None:
    old, new = (fetched(models, home, starter, each) for each in (OLD, NEW))
    assert models.preview_removal(["tiny"]).freed_bytes == old.size_bytes + new.size_bytes
    models.remove_many(["tiny"], delete_files=True)[0]
    assert models.list() == []
    assert not (home / "models" / OLD[:8]).exists()


def test_one_older_revision_can_be_removed_by_its_file(
    models: Models, home: Path, starter: Path
) -> None:
    old, new = (fetched(models, home, starter, each) for each in (OLD, NEW))
    assert models.remove_many([str(old.path)], delete_files=True)[0].deleted == (old.path,)
    assert models.get("tiny").path == new.path
    assert [each.revision for each in models.revisions("tiny")] == [NEW]


def test_a_model_that_was_not_fetched_has_no_revisions(
    models: Models, home: Path, starter: Path
) -> None:
    small(starter, home / "models" / "plain.gguf")
    assert models.revisions("plain") == []
    with pytest.raises(NotFound, match="not downloaded"):
        models.compare_revisions("plain", "a", "b")
