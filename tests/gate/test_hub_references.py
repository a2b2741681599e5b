"""Every way in which people name a model is understood, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from lockhouse.core.errors import UsageMistake
from lockhouse.gate.hub_requests import Reference, is_safe_file, parse_reference

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("org/repo", Reference("org/repo")),
        ("  org/repo ", Reference("org/repo")),
        ("org/repo:Q4_K_M", Reference("org/repo", quantization="Q4_K_M")),
        ("org/repo@v1.0", Reference("org/repo", revision="v1.0")),
        (f"org/repo:Q4_K_M@{COMMIT}", Reference("org/repo", "", "Q4_K_M", COMMIT)),
        ("org/repo:sub/file.gguf", Reference("org/repo", file="sub/file.gguf")),
        ("org/repo:file.gguf@main", Reference("org/repo", file="file.gguf")),
        ("hf.co/org/repo:IQ4_XS", Reference("org/repo", quantization="IQ4_XS")),
        ("hf://org/repo", Reference("org/repo")),
        ("https://huggingface.co/org/repo", Reference("org/repo")),
        ("https://huggingface.co/org/repo/", Reference("org/repo")),
        ("https://huggingface.co/org/repo/tree/v2", Reference("org/repo", revision="v2")),
        ("https://huggingface.co/org/repo?show_file_info=a.gguf", Reference("org/repo", "a.gguf")),
        (
            "https://huggingface.co/org/repo/blob/main/a%20b.gguf",
            Reference("org/repo", file="a b.gguf"),
        ),
        (
            f"https://huggingface.co/org/repo/resolve/{COMMIT}/sub/a.gguf?download=true",
            Reference("org/repo", file="sub/a.gguf", revision=COMMIT),
        ),
        (
            "https://huggingface.co/org/repo/blob/refs/pr/3/a.gguf",
            Reference("org/repo", file="a.gguf", revision="refs/pr/3"),
        ),
        ("http://mirror.example:8080/org/repo/blob/main/a.gguf", Reference("org/repo", "a.gguf")),
        ("https://huggingface.co/api/models/org/repo", Reference("org/repo")),
        (
            "lmstudio://open_from_hf?model=org/repo&file=a.gguf",
            Reference("org/repo", file="a.gguf"),
        ),
        ("lockhouse://open_from_hf?model=org/repo", Reference("org/repo")),
        ("jan://models/huggingface/org/repo", Reference("org/repo")),
        ("msty://models/search/hf/org/repo", Reference("org/repo")),
    ],
)
def test_it_is_understood(text: str, meant: Reference) -> None:
    assert parse_reference(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "", "repo", "org/", "/repo", "org/repo/more", "org/repo:", "org/repo@", "a b/c", "../etc",
        "org/..", "org/repo:../../x.gguf", "org/repo:/etc/x.gguf", "org/repo@../x", "org/repo:a/b",
        "https://huggingface.co/", "https://huggingface.co/datasets/org/data",
        "https://huggingface.co/org/repo/blob/main/..%2F..%2Fx.gguf", "ftp://host/org/repo",
        "javascript://x", "lmstudio://open_from_hf?model=../..", "org/re\x1bpo",
        "x" * 5000, "org/repo:.hidden.gguf", "org/repo:a\\b.gguf",
    ],
)  # fmt: skip
def test_it_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(UsageMistake) as refused:
        parse_reference(text)
    assert refused.value.hint


@pytest.mark.parametrize(
    "name", ["..", "a/../b", "/a", "a//b", "a\\b", "c:x", ".a", "a/.b", "a.", "a ", "a\nb", "a?b"]
)
def test_names_that_leave_their_folder_are_not_safe(name: str) -> None:
    assert not is_safe_file(name)
