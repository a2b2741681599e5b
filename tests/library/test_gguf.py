"""What the header reader says of a sound model, and of things that are none."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from lockhouse.core.errors import InvalidInput, NotFound, UsageMistake
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.layout import Unread
from lockhouse.library.gguf.loadable import check_loadable, shard_paths
from lockhouse.library.gguf.memory import (
    LoadShape,
    estimate_memory,
    kv_cache_bytes,
    largest_context,
)
from lockhouse.library.gguf.shape import weights_bytes
from tests.library import hostile
from tests.library.hostile import ARRAY, F32, I32, STRING, U32, numbers, text, u32

MIB = 1 << 20


def written(starter: Path, folder: Path, *, name: str = "m.gguf", **entries: object) -> Path:
    """A small sound model with some metadata set; keys use __ for a dot."""
    model = hostile.small_model(starter)
    for key, value in entries.items():
        dotted = key.replace("__", ".")
        if isinstance(value, str):
            model.set(dotted, STRING, text(value.encode()))
        elif isinstance(value, int):
            model.set(dotted, U32, u32(value))
        elif isinstance(value, float):
            model.set(dotted, F32, struct.pack("<f", value))
        elif isinstance(value, list):
            model.set(dotted, ARRAY, numbers(I32, "i", value))
    return model.write(folder / name)


def test_the_starter_model_tells_what_it_is(starter: Path) -> None:
    header = read_header(starter)
    check_loadable(header)
    assert header.architecture == "llama"
    assert header.quantization == "Q4_1"
    assert header.parameter_count == 134_515_008
    assert header.bits_per_weight == pytest.approx(5.744)
    assert header.context_length == 8192
    assert header.block_count == 30
    assert header.license == "apache-2.0"
    assert header.tokenizer_model == "gpt2"
    assert header.capabilities == ("chat",)
    assert "<|im_start|>" in header.chat_template
    assert header.vocabulary is not None
    assert header.vocabulary.count == header.vocabulary_size == 49_152
    assert header.key_values["tokenizer.ggml.merges"] == Unread(48_900)
    assert weights_bytes(header) == 96_576_768
    assert header.data_offset + weights_bytes(header) == header.size_bytes


def test_memory_agrees_with_what_llama_cpp_reports(starter: Path) -> None:
    # The figures are llama.cpp's own log lines for this model.
    header = read_header(starter)
    assert weights_bytes(header) / MIB == pytest.approx(92.10, abs=0.01)
    reported = {
        (512, "f16"): 11.25,
        (2048, "f16"): 45.0,
        (8192, "f16"): 180.0,
        (512, "q8_0"): 5.98,
        (2048, "q8_0"): 23.91,
        (8192, "q8_0"): 95.62,
    }
    for (context_length, kv_type), mib in reported.items():
        assert kv_cache_bytes(header, context_length, LoadShape(kv_type=kv_type)) / MIB == (
            pytest.approx(mib, abs=0.01)
        )
    assert kv_cache_bytes(header, 1) == kv_cache_bytes(header, 256)
    estimate = estimate_memory(header, 8192)
    assert estimate.compute_bytes / MIB == pytest.approx(21.51, rel=0.05)
    assert estimate.total_bytes == sum(
        (
            estimate.weights_bytes,
            estimate.kv_bytes,
            estimate.compute_bytes,
            estimate.output_bytes,
            estimate.process_bytes,
        )
    )
    with pytest.raises(UsageMistake, match="banana"):
        kv_cache_bytes(header, 512, LoadShape(kv_type="banana"))


def test_largest_context_is_the_largest(starter: Path) -> None:
    header = read_header(starter)
    assert largest_context(header, 1 << 40) == 8192
    assert largest_context(header, 100 * MIB) == 0
    for available in (240 * MIB, 280 * MIB, 300 * MIB):
        fits = largest_context(header, available)
        assert fits % 256 == 0
        assert estimate_memory(header, fits).total_bytes <= available
        assert estimate_memory(header, fits + 256).total_bytes > available
    assert largest_context(header, 280 * MIB, LoadShape(kv_type="q8_0")) > largest_context(
        header, 280 * MIB
    )


def test_cache_of_layers_with_different_heads(starter: Path, tmp_path: Path) -> None:
    path = written(starter, tmp_path, llama__attention__head_count_kv=[3, 0, 1, 3])
    even = written(starter, tmp_path, name="even.gguf")
    per_head = kv_cache_bytes(read_header(even), 256) // 12  # 4 layers of 3
    assert kv_cache_bytes(read_header(path), 256) == 7 * per_head


def test_quantization_name_follows_the_tensors(starter: Path, tmp_path: Path) -> None:
    agreeing = written(starter, tmp_path, name="a.gguf", general__file_type=3)
    claiming = written(starter, tmp_path, name="b.gguf", general__file_type=15)
    silent = hostile.small_model(starter)
    silent.drop("general.file_type")
    for path in (agreeing, claiming, silent.write(tmp_path / "c.gguf")):
        assert read_header(path).quantization == "Q4_1"
    k_quant = hostile.small_model(starter)
    for tensor in k_quant.tensors:
        if len(tensor.shape) == 2 and tensor.name.startswith(b"blk."):
            tensor.kind, tensor.shape = 14, [256, 10]
    k_quant.set("general.file_type", U32, u32(18))
    k_quant.lay_out()
    assert read_header(k_quant.write(tmp_path / "d.gguf")).quantization == "Q6_K"


@pytest.mark.parametrize(
    ("template", "capabilities"),
    [
        ("{{ messages }}", ("chat",)),
        ("{% if tools %}{{ tools }}{% endif %}", ("chat", "tools")),
        ("{{ messages }}<think>", ("chat", "reasoning")),
        ("{% if enable_thinking %}{% endif %}{{ tools }}", ("chat", "reasoning", "tools")),
        ("{{ pitools_of_the_trade }}", ("chat",)),
    ],
)
def test_capabilities_come_from_the_template(
    starter: Path, tmp_path: Path, template: str, capabilities: tuple[str, ...]
) -> None:
    path = written(starter, tmp_path, tokenizer__chat_template=template)
    assert read_header(path).capabilities == capabilities


@pytest.mark.parametrize(
    ("entries", "cause"),
    [
        ({"general__architecture": "clip"}, "projector"),
        ({"general__type": "mmproj"}, "projector"),
        ({"general__type": "adapter"}, "adapter"),
        ({"llama__block_count": 0}, "block_count is 0"),
        ({"llama__block_count": 513}, "block_count is 513"),
        ({"llama__block_count": 10**9}, "block_count is 1000000000"),
        ({"llama__block_count": "four"}, "block_count is missing or not a number"),
        ({"llama__context_length": 0}, "context_length is 0"),
        ({"llama__nextn_predict_layers": 5}, "nextn_predict_layers is 5"),
        ({"llama__expert_count": 8}, "8 experts and uses 0"),
        ({"llama__expert_used_count": 2}, "0 experts and uses 2"),
        (
            {
                "llama__expert_count": 8,
                "llama__expert_used_count": 2,
                "llama__expert_group_count": 3,
                "llama__expert_group_used_count": 1,
            },
            "cannot form 3 groups",
        ),
        ({"llama__rope__scaling__type": "banana"}, "unknown position scaling"),
        ({"llama__rope__freq_base": float("nan")}, "freq_base is nan"),
        ({"llama__attention__layer_norm_rms_epsilon": -1.0}, "epsilon is -1.0"),
        ({"tokenizer__ggml__model": ""}, "does not state its tokenizer"),
        ({"split__count": 3, "split__no": 1}, "part 2 of 3"),
        ({"split__count": 3, "split__no": 0}, "first of 3 parts"),
    ],
)
def test_what_would_abort_or_mislead_the_engine_is_refused(
    starter: Path, tmp_path: Path, entries: dict[str, object], cause: str
) -> None:
    header = read_header(written(starter, tmp_path, **entries))
    with pytest.raises(InvalidInput, match=cause) as caught:
        check_loadable(header)
    assert caught.value.hint


def test_tokens_must_be_distinct_text(starter: Path, tmp_path: Path) -> None:
    found = dict(hostile.variants(starter, tmp_path))
    for name, cause in {
        "token-twice": "vocabulary twice",
        "token-with-nul": "token 'a' is in its vocabulary twice",
        "token-named-like-empty": "EMPTY_900",
        "token-not-utf8": "token 900 of its vocabulary is not valid text",
        "tokens-missing": "no vocabulary",
        "vocabulary-only": "no weights",
        "template-2-megabytes": "chat template",
        "alignment-1": "multiple of 32",
    }.items():
        with pytest.raises(InvalidInput, match=cause):
            check_loadable(read_header(found[name]))
    for name in ("unchanged", "version-2", "two-tokens-empty", "template-loops"):
        check_loadable(read_header(found[name]))


def test_a_split_model_needs_all_its_parts(starter: Path, tmp_path: Path) -> None:
    first = written(starter, tmp_path, name="m-00001-of-00002.gguf", split__count=2, split__no=0)
    header = read_header(first)
    assert [path.name for path in shard_paths(header)] == [
        "m-00001-of-00002.gguf",
        "m-00002-of-00002.gguf",
    ]
    with pytest.raises(InvalidInput, match="1 of its 2 parts are missing"):
        check_loadable(header)
    written(starter, tmp_path, name="m-00002-of-00002.gguf", split__count=2, split__no=1)
    check_loadable(header)


def test_things_that_are_no_files_are_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.gguf"
    os.mkfifo(fifo)
    loop = tmp_path / "loop.gguf"
    loop.symlink_to(loop)
    for path, cause in {
        fifo: "not a regular file",
        tmp_path: "folder",
        Path("/dev/zero"): "not a regular file",
        loop: "cannot be read",
        Path("bad\0name"): "cannot be read",
        tmp_path / ("x" * 300): "cannot be read",
    }.items():
        with pytest.raises(InvalidInput, match=cause) as caught:
            read_header(path)
        assert caught.value.hint
    with pytest.raises(NotFound, match="does not exist"):
        read_header(tmp_path / "nothing.gguf")


def test_a_name_that_is_not_text_can_be_told(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.gguf"))
    path.write_bytes(b"no")
    with pytest.raises(InvalidInput) as caught:
        read_header(path)
    caught.value.message.encode("utf-8")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.gguf"
    path.write_bytes(b"GGUF")
    path.chmod(0)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_header(path)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"general__architecture": "eagle3"}, ("draft",)),
        ({"llama__nextn_predict_layers": 1}, ("chat", "mtp")),
        ({"general__type": "mmproj"}, ("vision",)),
        ({"llama__pooling_type": 1}, ("embedding",)),
        ({"tokenizer__chat_template": "{% if tools %}<think>{% endif %}"},
         ("chat", "reasoning", "tools")),
        ({"tokenizer__chat_template": ""}, ()),
    ],
)  # fmt: skip
def test_what_a_model_can_do(
    starter: Path, tmp_path: Path, entries: dict[str, object], expected: tuple[str, ...]
) -> None:
    assert read_header(written(starter, tmp_path, **entries)).capabilities == expected


def test_a_projector_says_what_it_perceives(starter: Path, tmp_path: Path) -> None:
    model = hostile.small_model(starter)
    model.set("general.type", STRING, text(b"mmproj"))
    model.set("clip.has_audio_encoder", hostile.BOOL, b"\1")
    assert read_header(model.write(tmp_path / "hears.gguf")).capabilities == ("audio",)
    model.set("clip.has_vision_encoder", hostile.BOOL, b"\1")
    assert read_header(model.write(tmp_path / "both.gguf")).capabilities == ("vision", "audio")


def test_a_model_that_only_drafts_is_refused(starter: Path, tmp_path: Path) -> None:
    header = read_header(written(starter, tmp_path, general__architecture="dflash"))
    with pytest.raises(InvalidInput, match="draft model"):
        check_loadable(header)
