"""An example library: model files with true headers, and holes where weights would be.

The names and shapes are those of published open models. A file takes no room on the disk, however
large it says it is. Needs the development tool ``gguf``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np

_KIND = gguf.GGMLQuantizationType
_F32 = _KIND.F32
_FILE_TYPES = {
    "Q2_K": (_KIND.Q2_K, 10),
    "Q3_K_M": (_KIND.Q3_K, 12),
    "Q4_K_M": (_KIND.Q4_K, 15),
    "Q5_K_M": (_KIND.Q5_K, 17),
    "Q6_K": (_KIND.Q6_K, 18),
    "Q8_0": (_KIND.Q8_0, 7),
    "F16": (_KIND.F16, 1),
}
_THINKS = "{%- if enable_thinking %}<think>{%- endif %}"
_TOOLS = "{%- if tools %}{{ tools | tojson }}{%- endif %}"
_CHAT = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{%- endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
)


@dataclass(frozen=True, slots=True)
class Demo:
    """A model on paper."""

    title: str
    repo: str
    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    inner: int
    quantization: str
    license: str
    context: int = 32_768
    vocabulary: int = 32_000
    head: int = 128
    base: str = ""
    marks: str = "chat tools"

    @property
    def file_name(self) -> str:
        return f"{self.title.replace(' ', '-')}-{self.quantization}.gguf"


DEMOS = (
    Demo("Qwen3 8B", "Qwen/Qwen3-8B-GGUF", "qwen3", 36, 4096, 32, 8, 12_288, "Q4_K_M",
         "apache-2.0", 40_960, 151_936, marks="chat tools reasoning"),
    Demo("Gemma 3 12B it", "ggml-org/gemma-3-12b-it-GGUF", "gemma3", 48, 3840, 16, 8, 15_360,
         "Q4_K_M", "gemma", 131_072, head=256),
    Demo("Devstral Small 2 24B", "mistralai/Devstral-Small-2-24B-GGUF", "llama", 40, 5120, 32, 8,
         32_768, "Q4_K_M", "apache-2.0", 262_144, 131_072),
    Demo("Phi-4", "microsoft/phi-4-gguf", "llama", 40, 5120, 40, 10, 17_920, "Q8_0", "mit", 16_384),
    Demo("Qwen2.5 Coder 32B", "Qwen/Qwen2.5-Coder-32B-Instruct-GGUF", "qwen2", 64, 5120, 40, 8,
         27_648, "Q5_K_M", "apache-2.0", 32_768),
    Demo("Llama 3.3 70B Instruct", "meta-llama/Llama-3.3-70B-Instruct", "llama", 80, 8192, 64, 8,
         28_672, "Q3_K_M", "llama3.3", 131_072),
    Demo("Mistral 7B Instruct v0.3", "mistralai/Mistral-7B-Instruct-v0.3", "llama", 32, 4096, 32,
         8, 14_336, "Q4_K_M", "apache-2.0", 32_768),
    Demo("DeepSeek R1 Distill 14B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "qwen2", 48, 5120,
         40, 8, 13_824, "Q4_K_M", "mit", 131_072, marks="chat reasoning"),
    Demo("Qwen3 4B", "Qwen/Qwen3-4B-GGUF", "qwen3", 36, 2560, 32, 8, 9728, "Q6_K", "apache-2.0",
         40_960, marks="chat tools reasoning"),
    Demo("Llama 3.2 3B Instruct", "meta-llama/Llama-3.2-3B-Instruct", "llama", 28, 3072, 24, 8,
         8192, "Q8_0", "llama3.2", 131_072),
)  # fmt: skip


def demos(count: int) -> Iterator[Demo]:
    """So many models: those above, then the same in other quantizations and sizes."""
    kinds = list(_FILE_TYPES)
    for number in range(count):
        demo = DEMOS[number % len(DEMOS)]
        turn = number // len(DEMOS)
        if turn:
            kind = kinds[turn % len(kinds)]
            title = f"{demo.title} v{turn}"
            demo = replace(demo, title=title, quantization=kind, vocabulary=64)
        yield demo


def write(demo: Demo, path: Path) -> Path:
    """The file: its header, then nothing but zeros that take no room."""
    kind, file_type = _FILE_TYPES[demo.quantization]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, demo.architecture)
    writer.add_name(demo.title)
    writer.add_file_type(file_type)
    writer.add_license(demo.license)
    writer.add_source_url(f"https://huggingface.co/{demo.repo}")
    writer.add_context_length(demo.context)
    writer.add_block_count(demo.layers)
    writer.add_embedding_length(demo.width)
    writer.add_feed_forward_length(demo.inner)
    writer.add_head_count(demo.heads)
    writer.add_head_count_kv(demo.kv_heads)
    writer.add_key_length(demo.head)
    writer.add_value_length(demo.head)
    writer.add_layer_norm_rms_eps(1e-6)
    if demo.architecture == "gemma3":
        writer.add_sliding_window(1024)
    _add_vocabulary(writer, demo)
    total = 0
    for name, shape in _tensors(demo):
        total += _add_tensor(writer, name, shape, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = path.stat().st_size
    os.truncate(path, -(-header // 32) * 32 + total)
    return path


def _tensors(demo: Demo) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, queries, keys = demo.width, demo.heads * demo.head, demo.kv_heads * demo.head
    yield "token_embd.weight", (width, demo.vocabulary)
    yield "output_norm.weight", (width,)
    yield "output.weight", (width, demo.vocabulary)
    for layer in range(demo.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (width,)
        yield block + "ffn_norm.weight", (width,)
        yield block + "attn_q.weight", (width, queries)
        yield block + "attn_k.weight", (width, keys)
        yield block + "attn_v.weight", (width, keys)
        yield block + "attn_output.weight", (queries, width)
        yield block + "ffn_gate.weight", (width, demo.inner)
        yield block + "ffn_up.weight", (width, demo.inner)
        yield block + "ffn_down.weight", (demo.inner, width)
        if demo.architecture == "qwen2":
            yield block + "attn_q.bias", (queries,)
            yield block + "attn_k.bias", (keys,)
            yield block + "attn_v.bias", (keys,)
        if demo.architecture in ("qwen3", "gemma3"):
            yield block + "attn_q_norm.weight", (demo.head,)
            yield block + "attn_k_norm.weight", (demo.head,)
        if demo.architecture == "gemma3":
            yield block + "post_attention_norm.weight", (width,)
            yield block + "post_ffw_norm.weight", (width,)


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], wanted: gguf.GGMLQuantizationType
) -> int:
    kind = _F32 if len(shape) == 1 else wanted
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    if shape[0] % block:
        kind = _KIND.Q8_0
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    size = int(np.prod(shape)) // block * block_bytes
    reverse = tuple(reversed(shape))
    if kind in (_F32, _KIND.F16):
        dtype = np.dtype(np.float32 if kind == _F32 else np.float16)
        writer.add_tensor_info(name, reverse, dtype, size)
    else:
        packed = (*reverse[:-1], reverse[-1] // block * block_bytes)
        writer.add_tensor_info(name, packed, np.dtype(np.uint8), size, raw_dtype=kind)
    return -(-size // 32) * 32


def _add_vocabulary(writer: gguf.GGUFWriter, demo: Demo) -> None:
    tokens = ["<unk>", "<s>", "</s>", *(chr(97 + letter) for letter in range(26))]
    tokens += [f"t{number}" for number in range(demo.vocabulary - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * (len(tokens) - 3)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if "chat" in demo.marks:
        thinks = _THINKS if "reasoning" in demo.marks else ""
        tools = _TOOLS if "tools" in demo.marks else ""
        writer.add_chat_template(_CHAT + tools + thinks)
