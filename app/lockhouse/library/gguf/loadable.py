"""Checks whether llama.cpp can load a file, with a clear message if not.

llama.cpp aborts the whole process on some values instead of refusing them (its GGML_ASSERTs in
llama_model_base::load_hparams and llama_vocab::impl::load); each of those is checked here. What
it refuses by itself is left to it, unless a better message can be given here.
"""

from __future__ import annotations

import codecs
import math
import re
import struct
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.layout import Unread, Vocabulary, reading, shown

_MAX_LAYERS: Final = 512
_MAX_EXPERTS: Final = 1024
_MAX_WIDTH: Final = 1 << 20
_MAX_HEADS: Final = 1 << 16
_MAX_CONTEXT: Final = 1 << 31
_MAX_VOCABULARY: Final = 4_000_000
_TENSOR_ALIGNMENT: Final = 32  # of the CPU's buffers, whatever the file states
_ROPE_SCALINGS: Final = ("none", "linear", "yarn", "longrope")
_SHARD: Final = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_NO_MODELS: Final = {
    "mmproj": (
        "this is a projector (mmproj) of a vision model, not a model",
        "Choose the model it belongs to.",
    ),
    "adapter": (
        "this is an adapter (LoRA), a change to a model, not a model",
        "Choose the model it was made for.",
    ),
    "imatrix": (
        "this is an importance matrix, used to make models smaller, not a model",
        "Choose the model itself.",
    ),
    "vocab": (
        "it holds a vocabulary but no weights",
        "Choose the file with the weights; it is much larger.",
    ),
}
_NOT_MULTIPLIED: Final = frozenset({"I8", "I16", "I32", "I64", "F64"})
_MATRIX: Final = re.compile(
    r"^(?:token_embd|output)\.weight$|^blk\.\d+\.(?:attn|ffn)_(?!\w*tid2eid)\w+\.weight$"
)
_DAMAGED_HINT: Final = "The file is damaged or is not a real model. Download it again."


def check_loadable(header: GgufHeader) -> None:
    """Raise InvalidInput, with the cause, unless the engine can be given this model."""
    _check_part(header)
    _check_kind(header)
    _check_parts(header)
    _check_layers(header)
    _check_widths(header)
    _check_types(header)
    _check_experts(header)
    _check_fractions(header)
    _check_rope(header)
    _check_vocabulary(header)
    _check_alignment(header)
    template = header.key_values.get("tokenizer.chat_template")
    if isinstance(template, Unread):
        _refuse(header, f"its chat template is {template.count} bytes long")


def shard_paths(header: GgufHeader) -> tuple[Path, ...]:
    """All files of the model, the first one first, whether they exist or not."""
    match = _SHARD.match(header.path.name)
    if header.split_count < 2 or match is None:
        return (header.path,)
    stem, count = match["stem"], match["count"]
    parts = range(1, min(int(count), header.split_count) + 1)
    return tuple(header.path.with_name(f"{stem}-{part:05d}-of-{count}.gguf") for part in parts)


def _refuse(header: GgufHeader, what: str, *, hint: str = _DAMAGED_HINT) -> NoReturn:
    raise InvalidInput(f"{shown(header.path)} cannot be loaded: {what}.", hint=hint)


def _check_types(header: GgufHeader) -> None:
    """llama.cpp ends the process when it is to multiply by whole numbers, or by 64-bit ones."""
    for tensor in header.tensors:
        if tensor.type_name in _NOT_MULTIPLIED and _MATRIX.search(tensor.name):
            what = f"its weights {tensor.name[:80]} are of the type {tensor.type_name}"
            _refuse(header, f"{what}, with which no model is computed")


def _check_part(header: GgufHeader) -> None:
    """Later parts of a split model state almost nothing, so this is checked first."""
    if header.split_index > 0:
        first = _SHARD.sub(r"\g<stem>-00001-of-\g<count>.gguf", header.path.name)
        raise InvalidInput(
            f"{shown(header.path)} is part {header.split_index + 1} of {header.split_count}.",
            hint=f"Import the first part: {first}",
        )


def _check_kind(header: GgufHeader) -> None:
    if header.kind in _NO_MODELS:
        what, hint = _NO_MODELS[header.kind]
        _refuse(header, what, hint=hint)
    if not header.architecture:
        _refuse(header, "it does not state its architecture")
    if "draft" in header.capabilities:
        _refuse(
            header,
            "it is a draft model, which cannot answer by itself",
            hint="Choose the model it was made for.",
        )


def _check_parts(header: GgufHeader) -> None:
    if header.split_count < 2:
        return
    parts = shard_paths(header)
    if len(parts) != header.split_count:
        _refuse(
            header,
            f"it is the first of {header.split_count} parts, but its name does not show it",
            hint="Name the parts NAME-00001-of-00003.gguf and so on.",
        )
    missing = [shown(part) for part in parts if not part.is_file()]
    if missing:
        _refuse(
            header,
            f"{len(missing)} of its {len(parts)} parts are missing ({', '.join(missing[:3])})",
            hint="Put all parts into one folder.",
        )


def _bounded(header: GgufHeader, key: str, lowest: int, highest: int) -> int:
    full_key = f"{header.architecture}.{key}"
    value = header.key_values.get(full_key)
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(header, f"{full_key} is missing or not a number")
    if not lowest <= value <= highest:
        _refuse(header, f"{full_key} is {value}, outside {lowest} to {highest}")
    return value


def _optional(header: GgufHeader, key: str, highest: int) -> int:
    if f"{header.architecture}.{key}" not in header.key_values:
        return 0
    return _bounded(header, key, 0, highest)


def _numbers(header: GgufHeader, key: str, highest: int) -> tuple[int, ...]:
    """One number, or one for each layer; () when it is not there."""
    full_key = f"{header.architecture}.{key}"
    value = header.key_values.get(full_key)
    if value is None:
        return ()
    items = value if isinstance(value, tuple) else (value,)
    if isinstance(value, tuple) and len(value) < header.block_count:
        _refuse(header, f"{full_key} has {len(value)} items for {header.block_count} layers")
    numbers = []
    for item in items:
        if not isinstance(item, int) or not 0 <= item <= highest:
            _refuse(header, f"{full_key} holds {item!r:.40}, outside 0 to {highest}")
        numbers.append(int(item))
    return tuple(numbers)


def _check_layers(header: GgufHeader) -> None:
    layers = _bounded(header, "block_count", 1, _MAX_LAYERS)
    _optional(header, "nextn_predict_layers", layers)
    if header.architecture == "wavtokenizer-dec":
        _bounded(header, "posnet.block_count", 0, layers)
        _bounded(header, "convnext.block_count", 0, layers)


def _check_widths(header: GgufHeader) -> None:
    _bounded(header, "context_length", 1, _MAX_CONTEXT)
    _bounded(header, "embedding_length", 1, _MAX_WIDTH)
    for key in ("attention.head_count", "attention.head_count_kv"):
        _numbers(header, key, _MAX_HEADS)
    _numbers(header, "feed_forward_length", 1 << 24)
    for key in ("attention.key_length", "attention.value_length"):
        _optional(header, key, _MAX_WIDTH)


def _check_experts(header: GgufHeader) -> None:
    count = _optional(header, "expert_count", _MAX_EXPERTS)
    used = max(_numbers(header, "expert_used_count", _MAX_EXPERTS), default=0)
    groups = _optional(header, "expert_group_count", _MAX_EXPERTS)
    groups_used = _optional(header, "expert_group_used_count", _MAX_EXPERTS)
    if header.architecture in ("hunyuan_vl", "hunyuan-dense") and count <= 1:
        count = used = 0
    if used > count or (count and not used):
        _refuse(header, f"it has {count} experts and uses {used} of them")
    uneven = groups > 1 and (count % groups or not 0 < groups_used < groups)
    if groups and (groups >= count or uneven):
        _refuse(header, f"its {count} experts cannot form {groups} groups with {groups_used} used")


def _check_fractions(header: GgufHeader) -> None:
    prefix = f"{header.architecture}."
    for key, value in header.key_values.items():
        if not isinstance(value, float) or not key.startswith(prefix):
            continue
        if math.isnan(value) or ("epsilon" in key and not 0.0 <= value < 1.0):
            _refuse(header, f"{key} is {value}")


def _check_alignment(header: GgufHeader) -> None:
    for tensor in header.tensors:
        if (header.data_offset + tensor.offset) % _TENSOR_ALIGNMENT:
            _refuse(header, f'the tensor "{tensor.name}" is not at a multiple of 32 bytes')


def _check_rope(header: GgufHeader) -> None:
    scaling = header.key_values.get(f"{header.architecture}.rope.scaling.type", "linear")
    if scaling not in _ROPE_SCALINGS:
        _refuse(
            header,
            f"it asks for an unknown position scaling ({scaling!r:.40})",
            hint="A newer Lockhouse may know it; otherwise the file is damaged.",
        )


def _check_vocabulary(header: GgufHeader) -> None:
    if not header.tokenizer_model:
        _refuse(header, "it does not state its tokenizer")
    vocabulary = header.vocabulary
    if header.tokenizer_model in ("none", "no_vocab"):
        _optional(header, "vocab_size", _MAX_VOCABULARY)
        return
    if vocabulary is None or vocabulary.count == 0:
        _refuse(header, "it has no vocabulary")
    faults = vocabulary_faults(header.path, vocabulary)
    if faults.duplicate is not None:
        _refuse(header, f"the token {faults.duplicate[:40]!r} is in its vocabulary twice")
    if faults.invalid_index is not None:
        _refuse(header, f"token {faults.invalid_index} of its vocabulary is not valid text")


_PIECE_BYTES: Final = 1 << 20


class VocabularyFaults(msgspec.Struct, frozen=True):
    """Tokens that would make llama.cpp abort."""

    duplicate: str | None = None  # a token that occurs twice
    invalid_index: int | None = None  # a token that is not UTF-8


def vocabulary_faults(path: Path, vocabulary: Vocabulary) -> VocabularyFaults:
    """Check that the tokens are distinct and valid text, as llama.cpp reads them.

    Raises InvalidInput when the file has changed.
    """
    with reading(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        file.seek(vocabulary.offset)
        data = file.read(vocabulary.size_bytes)
    tokens: list[bytes] = []
    index, unpack = 0, struct.Struct("<Q").unpack_from
    try:
        for _ in range(vocabulary.count):
            (length,) = unpack(data, index)
            tokens.append(data[index + 8 : index + 8 + length])
            index += 8 + length
    except (struct.error, OverflowError):
        index = -1
    if index != len(data):
        raise InvalidInput(
            f"{shown(path)} was changed while it was read.", hint="Try again in a moment."
        )
    del data  # the tokens are a copy of it
    return _faults(tokens)


def _faults(tokens: list[bytes]) -> VocabularyFaults:
    joined = b"\n".join(tokens)
    as_read = tokens
    if b"\0" in joined or b"" in tokens:
        # It reads C strings, which end at a zero byte, and gives empty tokens a name.
        cut = (token.partition(b"\0")[0] for token in tokens)
        as_read = [token or b"[EMPTY_%d]" % index for index, token in enumerate(cut)]
    duplicate = None
    if len(set(as_read)) != len(as_read):
        seen: set[bytes] = set()
        for token in as_read:
            if token in seen:
                duplicate = token.decode("utf-8", "replace")
                break
            seen.add(token)
    del as_read
    invalid = None
    if not _is_text(joined):  # in one go; the line ends keep tokens apart
        invalid = next(index for index, token in enumerate(tokens) if not _is_text(token))
    return VocabularyFaults(duplicate, invalid)


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8; piece by piece, since decoded text can take four times the room."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            decoder.decode(data[start : start + _PIECE_BYTES])
        decoder.decode(b"", True)  # noqa: FBT003 - nothing follows
    except UnicodeDecodeError:
        return False
    return True
