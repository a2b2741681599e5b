"""The dimensions of a model that decide how much memory it takes.

From a header they are exact; from a size alone they are a guess from usual models of that size,
and marked as one. Hides how each architecture states which of its layers attend to all tokens, to
a sliding window, or keep a recurrent state (llama.cpp: src/models/*.cpp and llama-hparams.cpp).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import msgspec

from lockhouse.library.gguf.header import GgufHeader
from lockhouse.library.gguf.loadable import shard_paths

# (billions of parameters, layers, width, key/value heads, head, vocabulary) of usual models.
_USUAL: Final = (
    (0.2, 30, 576, 3, 64, 49_152),
    (0.7, 28, 1024, 8, 128, 151_936),
    (1.4, 16, 2048, 8, 64, 128_256),
    (2.2, 28, 2048, 8, 128, 151_936),
    (5.0, 36, 2560, 8, 128, 151_936),
    (9.5, 36, 4096, 8, 128, 151_936),
    (16.0, 40, 5120, 8, 128, 151_936),
    (40.0, 64, 5120, 8, 128, 151_936),
    (80.0, 80, 8192, 8, 128, 128_256),
    (1e9, 88, 12_288, 8, 128, 131_072),
)
_USUAL_BITS: Final = 4.85

_WINDOW_PATTERNS: Final[dict[str, tuple[int, bool]]] = {
    # Layers in a period, one of which has no window; whether that is the first one.
    "afmoe": (4, False),
    "cohere2": (4, False),
    "cohere2moe": (4, True),
    "exaone-moe": (4, False),
    "exaone4": (4, False),
    "gemma2": (2, False),
    "gemma3": (6, False),
    "gemma3n": (5, False),
    "gpt-oss": (2, False),
    "laguna": (4, True),
    "llama4": (4, False),
    "mellum": (4, False),
    "muse-glimmer": (4, False),
    "olmo2": (4, False),
    "plamo3": (8, False),
    "smallthinker": (4, True),
}
_DEFAULT_WINDOWS: Final = {"gemma2": 4096, "llama4": 8192}
_RECURRENT: Final = ("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")
_RECURRENT_WITHOUT_HEADS: Final = (
    "jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe",
    "kimi-linear", "kimi-k3", "bailingmoe3", "glm5-next",
)  # fmt: skip
_RECURRENT_BY_INTERVAL: Final = ("qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01")
_USUAL_INTERVAL: Final = 4
_FALCON_H1: Final = "falcon-h1"  # attention and a state in every layer


class Shape(msgspec.Struct, frozen=True):
    """The dimensions of a model that matter for memory. Widths are numbers of values."""

    architecture: str
    weights_bytes: int
    context_length: int  # trained; 0 when not known
    embedding_length: int
    vocabulary_size: int
    cache_width: int  # keys and values of one token, in layers with full attention
    window_width: int = 0  # and in layers with a sliding window
    window: int = 0
    state_width: int = 0  # recurrent state of one conversation
    query_width: int = 0
    query_heads: int = 0
    inner_width: int = 0  # of the widest feed-forward layer that every token passes
    expert_width: int = 0
    experts_used: int = 0
    scan_width: int = 0  # of the widest recurrent layer
    guessed: bool = False

    @classmethod
    def of(cls, header: GgufHeader) -> Shape:
        """From a header."""
        kinds = _LayerKinds(header)
        heads = max(header.per_layer("attention.head_count"), default=0)
        expert_width, experts_used = _experts(header)
        return cls(
            architecture=header.architecture,
            weights_bytes=weights_bytes(header),
            context_length=header.context_length,
            embedding_length=header.embedding_length,
            vocabulary_size=header.vocabulary_size,
            cache_width=kinds.cache_width,
            window_width=kinds.window_width,
            window=kinds.window if kinds.window_width else 0,
            state_width=kinds.state_width,
            query_width=heads * kinds.key_length,
            query_heads=heads,
            inner_width=_inner_width(header, experts_used),
            expert_width=expert_width,
            experts_used=experts_used,
            scan_width=header.number("ssm.inner_size") if kinds.state_width else 0,
        )

    @classmethod
    def guess(
        cls, size_bytes: int, parameters: int = 0, context_length: int = 0, architecture: str = ""
    ) -> Shape:
        """From the size of a file without a header; 0 and "" mean unknown."""
        billions = (parameters or size_bytes * 8 / _USUAL_BITS) / 1e9
        usual = next(row for row in _USUAL if billions <= row[0] or row is _USUAL[-1])
        _, layers, width, kv_heads, head, vocabulary = usual
        return cls(
            architecture=architecture,
            weights_bytes=size_bytes,
            context_length=context_length,
            embedding_length=width,
            vocabulary_size=vocabulary,
            cache_width=layers * kv_heads * head * 2,
            query_width=width,
            query_heads=width // head,
            inner_width=width * 3,
            guessed=True,
        )


def weights_bytes(header: GgufHeader) -> int:
    """Bytes of the weights, of all parts where the model is split."""
    others = 0
    for path in shard_paths(header):
        if path != header.path:
            with suppress(OSError):  # a missing part is reported when the model is checked
                others += path.stat().st_size
    return header.weights_bytes + others


class _LayerKinds:
    """What each layer keeps: keys and values of all tokens, of a window, or a recurrent state."""

    def __init__(self, header: GgufHeader) -> None:
        self._header = header
        heads = header.per_layer("attention.head_count")
        most_heads = max(heads, default=0)
        head = header.embedding_length // heads[0] if heads and heads[0] else 0
        self.key_length = header.number("attention.key_length", head)
        value_length = header.number("attention.value_length", head)
        if header.number("attention.key_length_mla"):
            value_length = 0  # the values are part of the compressed keys
        # A layer without a number of its own has as many for keys and values as it has in all.
        kv_heads = header.per_layer("attention.head_count_kv", most_heads)
        recurrent = self._recurrent(kv_heads)
        self.window = header.number(
            "attention.sliding_window", _DEFAULT_WINDOWS.get(header.architecture, 0)
        )
        windowed = self._windowed()
        full = self.key_length + value_length
        short = header.number("attention.key_length_swa", self.key_length) + (
            header.number("attention.value_length_swa", value_length)
        )
        self.cache_width = self.window_width = 0
        keeping = self._keeping(recurrent)
        for layer, count in enumerate(kv_heads):
            if not keeping[layer]:
                continue
            if windowed[layer]:
                self.window_width += count * short
            else:
                self.cache_width += count * full
        self.state_width = sum(recurrent) * self._state_of_one()

    def _recurrent(self, kv_heads: tuple[int, ...]) -> tuple[bool, ...]:
        architecture, layers = self._header.architecture, len(kv_heads)
        if architecture in _RECURRENT or architecture == _FALCON_H1:
            return (True,) * layers
        if architecture in _RECURRENT_WITHOUT_HEADS:
            has_feed_forward = (0,) * layers
            if architecture.startswith("nemotron_h"):  # a layer is one of three things there
                has_feed_forward = self._header.per_layer("feed_forward_length")
            return tuple(
                not count and not inner
                for count, inner in zip(kv_heads, has_feed_forward, strict=True)
            )
        if architecture in _RECURRENT_BY_INTERVAL:
            trunk = layers - self._header.number("nextn_predict_layers")
            said = self._header.key_values.get(f"{architecture}.attention.recurrent_layers")
            if isinstance(said, tuple) and len(said) >= layers:
                return tuple(bool(item) for item in said[:layers])
            interval = self._header.number("full_attention_interval", _USUAL_INTERVAL) or 1
            return tuple(i < trunk and (i + 1) % interval != 0 for i in range(layers))
        return (False,) * layers

    def _keeping(self, recurrent: tuple[bool, ...]) -> tuple[bool, ...]:
        """Layers with keys and values of their own."""
        architecture, layers = self._header.architecture, len(recurrent)
        if architecture == _FALCON_H1:
            return (True,) * layers
        own = layers - self._header.number("attention.shared_kv_layers")
        if architecture == "gemma3n":
            own = 20  # llama.cpp's own constant; the layers above use what these keep
        if architecture in _RECURRENT_BY_INTERVAL:
            own = layers - self._header.number("nextn_predict_layers")
        return tuple(i < own and not recurrent[i] for i in range(layers))

    def _windowed(self) -> tuple[bool, ...]:
        header = self._header
        layers = len(header.per_layer("attention.head_count"))
        key = f"{header.architecture}.attention.sliding_window_pattern"
        said = header.key_values.get(key)
        if not self.window:
            return (False,) * layers
        if isinstance(said, tuple) and len(said) >= layers:
            return tuple(bool(item) for item in said[:layers])
        if header.architecture in ("lfm2", "lfm2moe", "deepseek4"):
            return (True,) * layers
        if header.architecture not in _WINDOW_PATTERNS:
            return (False,) * layers
        usual, is_first_full = _WINDOW_PATTERNS[header.architecture]
        period = header.number("attention.sliding_window_pattern", usual)
        if period == 0:
            return (True,) * layers
        full_at = 0 if is_first_full else period - 1
        return tuple(i % period != full_at for i in range(layers))

    def _state_of_one(self) -> int:
        """Values of the state of one recurrent layer for one conversation."""
        number, width = self._header.number, self._header.embedding_length
        heads = max(self._header.per_layer("attention.head_count"), default=0)
        kernel = number("ssm.conv_kernel")
        if wkv := number("wkv.head_size"):
            return width * (number("token_shift_count", 2) + wkv)
        if taps := number("shortconv.l_cache"):
            return width * (taps - 1)
        if kda := number("kda.head_dim"):
            return 3 * (kernel - 1 if kernel else 3) * heads * kda + kda * kda * heads
        inner, state = number("ssm.inner_size"), number("ssm.state_size")
        shifted = max(kernel - 1, 0) * (inner + 2 * number("ssm.group_count") * state)
        if self._header.architecture == "minimax-01":
            return shifted + self.key_length * self.key_length * heads
        return shifted + state * inner


def _experts(header: GgufHeader) -> tuple[int, int]:
    """Width of an expert, and how many of them a token passes."""
    used = max(header.per_layer("expert_used_count"), default=0)
    if not used or not header.number("expert_count"):
        return 0, 0
    usual = max(header.per_layer("feed_forward_length"), default=0)
    return max(header.per_layer("expert_feed_forward_length", usual), default=usual), used


def _inner_width(header: GgufHeader, experts_used: int) -> int:
    """The widest feed-forward layer that every token passes."""
    widest = max(header.per_layer("feed_forward_length"), default=0)
    if not experts_used or header.number("leading_dense_block_count"):
        return widest
    shared = header.number("expert_shared_feed_forward_length")
    return shared or header.number("expert_shared_count") * header.number(
        "expert_feed_forward_length"
    )
