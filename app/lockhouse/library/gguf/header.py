"""Interprets a GGUF header: name, size, quantization and capabilities of the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from lockhouse.core.thinking import writes_reasoning
from lockhouse.library.gguf.layout import (
    Layout,
    TensorInfo,
    Value,
    Vocabulary,
    read_layout,
    read_layout_start,
)
from lockhouse.library.gguf.types import FILE_TYPES

_EMBEDDING_ARCHITECTURES: Final = frozenset(
    {
        "bert",
        "modern-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "eurobert",
        "gemma-embedding",
        "llama-embed",
        "t5encoder",
    }
)
_RANK_POOLING: Final = 4  # LLAMA_POOLING_TYPE_RANK
_DRAFT_ARCHITECTURES: Final = frozenset({"dflash", "eagle3", "gemma4-assistant"})
_TOOLS: Final = re.compile(r"\btools\b")


class GgufHeader(msgspec.Struct, frozen=True):
    """A model as described by its header. Empty text, 0 and None mean not stated."""

    path: Path
    size_bytes: int
    version: int
    key_values: dict[str, Value]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    vocabulary: Vocabulary | None
    kind: str  # "model", "mmproj", "adapter", "imatrix", "vocab"
    architecture: str
    name: str
    parameter_count: int
    weights_bytes: int
    quantization: str
    bits_per_weight: float
    context_length: int
    block_count: int
    embedding_length: int
    vocabulary_size: int
    chat_template: str
    tokenizer_model: str
    license: str
    base_model: str
    source_url: str
    capabilities: tuple[str, ...]
    split_index: int  # from 0
    split_count: int  # 1 when the model is one file

    def number(self, key: str, default: int = 0) -> int:
        """A whole number under the prefix of the architecture; the first of a list."""
        value = self.key_values.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple) and value:
            value = value[0]
        return _whole(value, default)

    def per_layer(self, key: str, default: int = 0) -> tuple[int, ...]:
        """A number for each layer, given once for all or one by one."""
        layers = min(max(self.block_count, 0), 512)
        value = self.key_values.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            numbers = tuple(_whole(item, default) for item in value[:layers])
            return numbers + (default,) * (layers - len(numbers))
        return (_whole(value, default),) * layers


def read_header(path: Path) -> GgufHeader:
    """Read and interpret the header of the file at ``path``.

    Takes milliseconds and a few megabytes whatever the file claims. Raises NotFound when there
    is no such file, InvalidInput with the position and the reason when it is not usable.
    """
    return _interpret(read_layout(path))


def read_header_start(data: bytes, total_bytes: int, path: Path = Path("model.gguf")) -> GgufHeader:
    """The header of a remote file, from its first bytes.

    ``total_bytes`` is the stated length of the whole file, ``path`` its name in errors. Raises
    NeedMore, with how many bytes are needed, when the header is longer than ``data``;
    InvalidInput as :func:`read_header` does.
    """
    return _interpret(read_layout_start(data, total_bytes, path))


def _interpret(layout: Layout) -> GgufHeader:
    values = layout.key_values
    architecture = _text(values, "general.architecture")
    elements = sum(tensor.elements for tensor in layout.tensors)
    weights_bytes = sum(tensor.size_bytes for tensor in layout.tensors)
    template = _text(values, "tokenizer.chat_template")
    kind = _kind(layout, architecture)
    return GgufHeader(
        path=layout.path,
        size_bytes=layout.size_bytes,
        version=layout.version,
        key_values=values,
        tensors=layout.tensors,
        data_offset=layout.data_offset,
        vocabulary=layout.vocabulary,
        kind=kind,
        architecture=architecture,
        name=_text(values, "general.name"),
        parameter_count=elements,
        weights_bytes=weights_bytes,
        quantization=_quantization(layout),
        bits_per_weight=round(weights_bytes * 8 / elements, 3) if elements else 0.0,
        context_length=_whole(values.get(f"{architecture}.context_length")),
        block_count=_whole(values.get(f"{architecture}.block_count")),
        embedding_length=_whole(values.get(f"{architecture}.embedding_length")),
        vocabulary_size=_vocabulary_size(layout, architecture),
        chat_template=template,
        tokenizer_model=_text(values, "tokenizer.ggml.model"),
        license=_text(values, "general.license"),
        base_model=_text(values, "general.base_model.0.name"),
        source_url=_text(values, "general.repo_url", "general.source.url"),
        capabilities=_capabilities(values, kind, architecture, template),
        split_index=_whole(values.get("split.no")),
        split_count=max(1, _whole(values.get("split.count"), 1)),
    )


def _text(values: dict[str, Value], *keys: str) -> str:
    for key in keys:
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _whole(value: object, default: int = 0) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return default


def _kind(layout: Layout, architecture: str) -> str:
    stated = _text(layout.key_values, "general.type")
    if stated == "mmproj" or architecture == "clip":
        return "mmproj"
    if stated in ("adapter", "imatrix"):
        return stated
    return "model" if layout.tensors or _whole(layout.key_values.get("split.count")) else "vocab"


def _quantization(layout: Layout) -> str:
    """The usual name of the file type if the tensors confirm it, else their main type."""
    matrices: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for tensor in layout.tensors:
        if len(tensor.shape) > 1:
            kind = tensor.type_name
            matrices[kind] = matrices.get(kind, 0) + tensor.elements
            if tensor.name.startswith("blk."):
                blocks[kind] = blocks.get(kind, 0) + tensor.elements
    count = blocks or matrices or {tensor.type_name: 1 for tensor in layout.tensors[:1]}
    if not count:
        return ""
    main = max(count, key=count.__getitem__)
    name, confirmed_by = FILE_TYPES.get(
        _whole(layout.key_values.get("general.file_type"), -1), ("", ())
    )
    return name if main in confirmed_by else main


def _vocabulary_size(layout: Layout, architecture: str) -> int:
    if layout.vocabulary is not None:
        return layout.vocabulary.count
    return _whole(layout.key_values.get(f"{architecture}.vocab_size"))


def _capabilities(
    values: dict[str, Value], kind: str, architecture: str, template: str
) -> tuple[str, ...]:
    if kind == "mmproj":
        return _projector_capabilities(values)
    if kind != "model":
        return ()
    pooling = _whole(values.get(f"{architecture}.pooling_type"))
    if pooling == _RANK_POOLING:
        return ("reranking",)
    if architecture in _EMBEDDING_ARCHITECTURES or pooling > 0:
        return ("embedding",)
    if architecture in _DRAFT_ARCHITECTURES:
        return ("draft",)
    found = []
    if template:
        found.append("chat")
        if writes_reasoning(template):
            found.append("reasoning")
        if _TOOLS.search(template):
            found.append("tools")
    if _whole(values.get(f"{architecture}.nextn_predict_layers")) > 0:
        found.append("mtp")  # layers that predict the tokens after the next
    return tuple(found)


def _projector_capabilities(values: dict[str, Value]) -> tuple[str, ...]:
    """What a projector adds to a model; old ones do not state it and are for images."""
    hears = values.get("clip.has_audio_encoder") is True
    sees = values.get("clip.has_vision_encoder", not hears) is True
    return ("vision",) * sees + ("audio",) * hears or ("vision",)
