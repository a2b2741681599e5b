"""Model files of many shapes, made for tests: true headers, weights that are holes in the file.

Every file really loads in llama.cpp. The widths are those of small published models and the
vocabulary is short, so that a file takes no room on the disk and a moment to make.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

Shape = tuple[int, ...]
_VOCABULARY = 2048
_F32 = gguf.GGMLQuantizationType.F32


@dataclass
class Plan:
    """A model on paper: its metadata and its tensors, shapes in llama.cpp's order."""

    architecture: str
    layers: int
    width: int
    vocabulary: int = _VOCABULARY
    numbers: dict[str, int | float | list[int] | list[bool]] = field(default_factory=dict)
    tensors: list[tuple[str, Shape]] = field(default_factory=list)
    context: int = 32768
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F16

    def add(self, name: str, *shape: int) -> None:
        self.tensors.append((name, shape))

    def attention(self, i: int, heads: int, kv_heads: int, head: int, *, norms: bool) -> None:
        b = f"blk.{i}."
        self.add(b + "attn_q.weight", self.width, heads * head)
        self.add(b + "attn_k.weight", self.width, kv_heads * head)
        self.add(b + "attn_v.weight", self.width, kv_heads * head)
        self.add(b + "attn_output.weight", heads * head, self.width)
        if norms:
            self.add(b + "attn_q_norm.weight", head)
            self.add(b + "attn_k_norm.weight", head)

    def feed_forward(self, i: int, inner: int) -> None:
        b = f"blk.{i}."
        self.add(b + "ffn_gate.weight", self.width, inner)
        self.add(b + "ffn_up.weight", self.width, inner)
        self.add(b + "ffn_down.weight", inner, self.width)

    def experts(self, i: int, inner: int, count: int) -> None:
        b = f"blk.{i}."
        self.add(b + "ffn_gate_inp.weight", self.width, count)
        self.add(b + "ffn_gate_exps.weight", self.width, inner, count)
        self.add(b + "ffn_up_exps.weight", self.width, inner, count)
        self.add(b + "ffn_down_exps.weight", inner, self.width, count)

    def norms(self, i: int, *names: str) -> None:
        for name in names:
            self.add(f"blk.{i}.{name}.weight", self.width)

    def ends(self, *, norm: str = "output_norm", tied: bool = True) -> None:
        self.add("token_embd.weight", self.width, self.vocabulary)
        self.add(f"{norm}.weight", self.width)
        if not tied:
            self.add("output.weight", self.width, self.vocabulary)


def gqa(**changes: int) -> Plan:
    """Grouped-query attention, the shape of most models."""
    size = {"layers": 16, "width": 1024, "heads": 16, "kv": 4, "inner": 2816} | changes
    plan = Plan("llama", size["layers"], size["width"], changes.get("vocabulary", _VOCABULARY))
    head = size["width"] // size["heads"]
    plan.numbers = {
        "attention.head_count": size["heads"],
        "attention.head_count_kv": size["kv"],
        "feed_forward_length": size["inner"],
        "rope.dimension_count": head,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    plan.ends(tied=False)
    for i in range(plan.layers):
        plan.norms(i, "attn_norm", "ffn_norm")
        plan.attention(i, size["heads"], size["kv"], head, norms=False)
        plan.feed_forward(i, size["inner"])
    return plan


def moe(**changes: int) -> Plan:
    """Many experts, a few used for each token."""
    size = {"layers": 12, "width": 1024, "heads": 16, "kv": 4, "inner": 384} | changes
    count, used = changes.get("experts", 32), changes.get("used", 4)
    plan = Plan("qwen3moe", size["layers"], size["width"], changes.get("vocabulary", _VOCABULARY))
    plan.numbers = {
        "attention.head_count": size["heads"],
        "attention.head_count_kv": size["kv"],
        "attention.key_length": 128,
        "attention.value_length": 128,
        "feed_forward_length": 3072,
        "expert_feed_forward_length": size["inner"],
        "expert_count": count,
        "expert_used_count": used,
        "attention.layer_norm_rms_epsilon": 1e-6,
    }
    plan.ends()
    for i in range(plan.layers):
        plan.norms(i, "attn_norm", "ffn_norm")
        plan.attention(i, size["heads"], size["kv"], 128, norms=True)
        plan.experts(i, size["inner"], count)
    return plan


def sliding_window(**changes: int) -> Plan:
    """Five layers of six look back over a window only."""
    size = {"layers": 26, "width": 1152, "heads": 4, "kv": 1, "inner": 6912} | changes
    plan = Plan("gemma3", size["layers"], size["width"], changes.get("vocabulary", _VOCABULARY))
    plan.numbers = {
        "attention.head_count": size["heads"],
        "attention.head_count_kv": size["kv"],
        "attention.key_length": 256,
        "attention.value_length": 256,
        "attention.sliding_window": changes.get("window", 512),
        "feed_forward_length": size["inner"],
        "attention.layer_norm_rms_epsilon": 1e-6,
    }
    plan.ends()
    for i in range(plan.layers):
        plan.norms(i, "attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
        plan.attention(i, size["heads"], size["kv"], 256, norms=True)
        plan.feed_forward(i, size["inner"])
    return plan


def recurrent(**changes: int) -> Plan:
    """No attention at all: a state of fixed size."""
    size = {"layers": 24, "width": 768} | changes
    plan = Plan("mamba", size["layers"], size["width"], changes.get("vocabulary", _VOCABULARY))
    inner, state, kernel, rank = 2 * plan.width, 16, 4, plan.width // 16
    plan.numbers = {
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": rank,
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    plan.ends()
    for i in range(plan.layers):
        b = f"blk.{i}."
        plan.norms(i, "attn_norm")
        plan.add(b + "ssm_in.weight", plan.width, 2 * inner)
        plan.add(b + "ssm_conv1d.weight", kernel, inner)
        plan.add(b + "ssm_conv1d.bias", inner)
        plan.add(b + "ssm_x.weight", inner, rank + 2 * state)
        plan.add(b + "ssm_dt.weight", rank, inner)
        plan.add(b + "ssm_dt.bias", inner)
        plan.add(b + "ssm_a", state, inner)
        plan.add(b + "ssm_d", inner)
        plan.add(b + "ssm_out.weight", inner, plan.width)
    return plan


def hybrid(**changes: int) -> Plan:
    """Short convolutions, and attention in every third layer: heads given layer by layer."""
    size = {"layers": 16, "width": 1024} | changes
    plan = Plan("lfm2", size["layers"], size["width"], changes.get("vocabulary", _VOCABULARY))
    heads, kv, inner, kernel = 16, 8, changes.get("inner", 4608), 3
    has_attention = [i % 3 == 2 for i in range(plan.layers)]
    plan.numbers = {
        "attention.head_count": heads,
        "attention.head_count_kv": [kv if there else 0 for there in has_attention],
        "feed_forward_length": inner,
        "shortconv.l_cache": kernel,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    plan.ends(norm="token_embd_norm")
    for i, there in enumerate(has_attention):
        plan.norms(i, "attn_norm", "ffn_norm")
        plan.feed_forward(i, inner)
        if there:
            plan.attention(i, heads, kv, plan.width // heads, norms=True)
        else:
            plan.add(f"blk.{i}.shortconv.conv.weight", kernel, plan.width)
            plan.add(f"blk.{i}.shortconv.in_proj.weight", plan.width, 3 * plan.width)
            plan.add(f"blk.{i}.shortconv.out_proj.weight", plan.width, plan.width)
    return plan


def windows_and_experts(**changes: int) -> Plan:
    """Every second layer has a window, every layer has experts and sinks: as gpt-oss."""
    plan = Plan("gpt-oss", changes.get("layers", 12), changes.get("width", 1024))
    heads, kv, head, inner, count, used = 16, 4, 64, 1024, 16, 4
    plan.numbers = {
        "attention.head_count": heads,
        "attention.head_count_kv": kv,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.sliding_window": 128,
        "feed_forward_length": inner,
        "expert_feed_forward_length": inner,
        "expert_count": count,
        "expert_used_count": used,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    plan.ends(tied=False)
    for i in range(plan.layers):
        b = f"blk.{i}."
        plan.norms(i, "attn_norm", "post_attention_norm")
        plan.attention(i, heads, kv, head, norms=False)
        plan.experts(i, inner, count)
        plan.add(b + "attn_sinks.weight", heads)
        plan.add(b + "attn_output.bias", plan.width)
        plan.add(b + "ffn_gate_inp.bias", count)
        plan.add(b + "ffn_gate_exps.bias", inner, count)
        plan.add(b + "ffn_up_exps.bias", inner, count)
        plan.add(b + "ffn_down_exps.bias", plan.width, count)
    return plan


def states_and_heads(**changes: int) -> Plan:
    """A state in most layers, attention in every fourth: as granitehybrid."""
    plan = Plan("granitehybrid", changes.get("layers", 12), changes.get("width", 1024))
    heads, kv, head, inner = 16, 4, 64, 4096
    kernel, scan, state, ranks, groups = 4, 2 * plan.width, 128, 32, 1
    has_attention = [i % 4 == 3 for i in range(plan.layers)]
    plan.numbers = {
        "attention.head_count": heads,
        "attention.head_count_kv": [kv if there else 0 for there in has_attention],
        "feed_forward_length": inner,
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": scan,
        "ssm.state_size": state,
        "ssm.time_step_rank": ranks,
        "ssm.group_count": groups,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    plan.ends()
    for i, there in enumerate(has_attention):
        b = f"blk.{i}."
        plan.norms(i, "attn_norm", "ffn_norm")
        plan.feed_forward(i, inner)
        if there:
            plan.attention(i, heads, kv, head, norms=False)
            continue
        plan.add(b + "ssm_in.weight", plan.width, 2 * scan + 2 * groups * state + ranks)
        plan.add(b + "ssm_conv1d.weight", kernel, scan + 2 * groups * state)
        plan.add(b + "ssm_conv1d.bias", scan + 2 * groups * state)
        plan.add(b + "ssm_dt.bias", ranks)
        plan.add(b + "ssm_a", 1, ranks)
        plan.add(b + "ssm_d", 1, ranks)
        plan.add(b + "ssm_norm.weight", scan // groups, groups)
        plan.add(b + "ssm_out.weight", scan, plan.width)
    return plan


def compressed(**changes: int) -> Plan:
    """Keys and values kept compressed, as one: as deepseek2."""
    plan = Plan("deepseek2", changes.get("layers", 10), changes.get("width", 1024))
    heads, rank, rope, nope, inner, expert, count, used = 16, 256, 64, 128, 4096, 512, 16, 4
    plan.numbers = {
        "attention.head_count": heads,
        "attention.head_count_kv": 1,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": 384,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.key_length_mla": nope + rope,
        "attention.value_length_mla": nope,
        "rope.dimension_count": rope,
        "feed_forward_length": inner,
        "leading_dense_block_count": 1,
        "expert_feed_forward_length": expert,
        "expert_count": count,
        "expert_used_count": used,
        "expert_shared_count": 2,
        "attention.layer_norm_rms_epsilon": 1e-6,
    }
    plan.ends(tied=False)
    for i in range(plan.layers):
        b = f"blk.{i}."
        plan.norms(i, "attn_norm", "ffn_norm")
        plan.add(b + "attn_q_a.weight", plan.width, 384)
        plan.add(b + "attn_q_a_norm.weight", 384)
        plan.add(b + "attn_q_b.weight", 384, heads * (nope + rope))
        plan.add(b + "attn_kv_a_mqa.weight", plan.width, rank + rope)
        plan.add(b + "attn_kv_a_norm.weight", rank)
        plan.add(b + "attn_k_b.weight", nope, rank, heads)
        plan.add(b + "attn_v_b.weight", rank, nope, heads)
        plan.add(b + "attn_output.weight", heads * nope, plan.width)
        if i == 0:
            plan.feed_forward(i, inner)
            continue
        plan.experts(i, expert, count)
        plan.add(b + "ffn_gate_shexp.weight", plan.width, 2 * expert)
        plan.add(b + "ffn_up_shexp.weight", plan.width, 2 * expert)
        plan.add(b + "ffn_down_shexp.weight", 2 * expert, plan.width)
    return plan


SHAPES: dict[str, Callable[..., Plan]] = {
    "gqa": gqa,
    "moe": moe,
    "sliding window": sliding_window,
    "recurrent": recurrent,
    "hybrid": hybrid,
    "windows and experts": windows_and_experts,
    "states and heads": states_and_heads,
    "compressed": compressed,
}


def write(plan: Plan, path: Path) -> Path:
    """The file: a header by the gguf package, then nothing but zeros that take no room."""
    writer = gguf.GGUFWriter(path, plan.architecture)
    writer.add_name(f"Synthetic {plan.architecture}")
    writer.add_context_length(plan.context)
    writer.add_block_count(plan.layers)
    writer.add_embedding_length(plan.width)
    for key, value in plan.numbers.items():
        full = f"{plan.architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        else:
            writer.add_uint32(full, value)
    _add_vocabulary(writer, plan.vocabulary)
    total = 0
    for name, shape in plan.tensors:
        small = len(shape) == 1 or any(part in name for part in ("conv", "ssm_a", "gate_inp"))
        kind = _F32 if small else plan.kind
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        size = int(np.prod(shape)) // block * block_bytes
        reverse = tuple(reversed(shape))
        if kind in (_F32, gguf.GGMLQuantizationType.F16):
            dtype = np.dtype(np.float32 if kind == _F32 else np.float16)
            writer.add_tensor_info(name, reverse, dtype, size)
        else:
            packed = (*reverse[:-1], reverse[-1] // block * block_bytes)
            writer.add_tensor_info(name, packed, np.dtype(np.uint8), size, raw_dtype=kind)
        total += -(-size // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = path.stat().st_size
    os.truncate(path, -(-header // 32) * 32 + total)
    return path


def _add_vocabulary(writer: gguf.GGUFWriter, count: int) -> None:
    letters = [f"{chr(97 + i)}" for i in range(26)]
    tokens = ["<unk>", "<s>", "</s>", *letters]
    tokens += [f"t{i}" for i in range(count - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens[:count])
    writer.add_token_types([3, 3, 3, *[1] * (count - 3)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
