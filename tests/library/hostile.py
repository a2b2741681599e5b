"""More than 300 files that claim to be models: cut, flipped, absurd and malicious.

All are made from the starter model's own header, with a vocabulary and a layer count small
enough that every file is a few kilobytes on disk; weights are holes in sparse files. The
parser and writer here are the tests' own and share nothing with the program's.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 8: (32, 34), 14: (256, 210)}
KEPT_TOKENS = 1024
KEPT_LAYERS = 4


@dataclass
class Entry:
    key: bytes
    kind: int
    payload: bytes


@dataclass
class Tensor:
    name: bytes
    shape: list[int]
    kind: int
    offset: int = 0

    @property
    def size_bytes(self) -> int:
        elements, block_bytes = _BLOCKS.get(self.kind, (1, 4))
        count = 1
        for extent in self.shape:
            count *= extent
        return count // elements * block_bytes


@dataclass
class Model:
    """A GGUF file in pieces, to be put together rightly or wrongly."""

    entries: list[Entry] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    alignment: int = 32
    tensor_count: int | None = None
    entry_count: int | None = None
    data_bytes: int | None = None
    first_data: bytes = b""

    def entry(self, key: str) -> Entry:
        return next(entry for entry in self.entries if entry.key == key.encode())

    def set(self, key: str, kind: int, payload: bytes) -> None:
        self.drop(key)
        self.entries.append(Entry(key.encode(), kind, payload))

    def drop(self, key: str) -> None:
        self.entries = [entry for entry in self.entries if entry.key != key.encode()]

    def lay_out(self) -> None:
        """Give the tensors the offsets they ought to have."""
        at = 0
        for tensor in self.tensors:
            tensor.offset = at
            at += -(-tensor.size_bytes // self.alignment) * self.alignment

    def header(self) -> bytes:
        tensor_count = len(self.tensors) if self.tensor_count is None else self.tensor_count
        entry_count = len(self.entries) if self.entry_count is None else self.entry_count
        parts = [self.magic, struct.pack("<IQQ", self.version, tensor_count, entry_count)]
        for entry in self.entries:
            parts += [text(entry.key), struct.pack("<I", entry.kind), entry.payload]
        for tensor in self.tensors:
            parts += [text(tensor.name), struct.pack("<I", len(tensor.shape))]
            parts += [struct.pack("<Q", extent % (1 << 64)) for extent in tensor.shape]
            parts.append(struct.pack("<IQ", tensor.kind % (1 << 32), tensor.offset % (1 << 64)))
        return b"".join(parts)

    def write(self, path: Path) -> Path:
        header = self.header()
        start = -(-len(header) // 32) * 32
        data_bytes = self.data_bytes
        if data_bytes is None:
            last = self.tensors[-1] if self.tensors else None
            data_bytes = last.offset + last.size_bytes if last else 0
            if not 0 <= data_bytes < 1 << 28:
                data_bytes = 1 << 20
        with path.open("wb") as file:
            file.write(header)
            if self.first_data:
                file.seek(start)
                file.write(self.first_data)
        os.truncate(path, start + data_bytes)
        return path


def first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def strings(values: list[bytes]) -> bytes:
    return struct.pack("<IQ", STRING, len(values)) + b"".join(map(text, values))


def numbers(kind: int, fmt: str, values: list[int]) -> bytes:
    return struct.pack(f"<IQ{len(values)}{fmt}", kind, len(values), *values)


def parse(path: Path) -> Model:
    """The pieces of a well-formed file."""
    data = first_bytes(path, 8 << 20)
    version, tensor_count, entry_count = struct.unpack_from("<IQQ", data, 4)
    model = Model(version=version)
    at = 24

    def take_text() -> bytes:
        nonlocal at
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length
        return data[at - length : at]

    for _ in range(entry_count):
        key = take_text()
        (kind,) = struct.unpack_from("<I", data, at)
        at += 4
        begin = at
        if kind == STRING:
            take_text()
        elif kind == ARRAY:
            item, count = struct.unpack_from("<IQ", data, at)
            at += 12
            if item == STRING:
                for _item in range(count):
                    take_text()
            else:
                at += count * _SIZES[item]
        else:
            at += _SIZES[kind]
        model.entries.append(Entry(key, kind, data[begin:at]))
    for _ in range(tensor_count):
        name = take_text()
        (dimensions,) = struct.unpack_from("<I", data, at)
        shape = list(struct.unpack_from(f"<{dimensions}Q", data, at + 4))
        kind, offset = struct.unpack_from("<IQ", data, at + 4 + 8 * dimensions)
        at += 16 + 8 * dimensions
        model.tensors.append(Tensor(name, shape, kind, offset))
    return model


def read_strings(entry: Entry) -> list[bytes]:
    (count,) = struct.unpack_from("<Q", entry.payload, 4)
    at = 12
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", entry.payload, at)
        found.append(entry.payload[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def small_model(starter: Path) -> Model:
    """The starter model with 1024 tokens and 4 layers: whole, loadable, and tiny."""
    model = parse(starter)
    tokens = read_strings(model.entry("tokenizer.ggml.tokens"))[:KEPT_TOKENS]
    kept = set(tokens)
    merges = [
        merge
        for merge in read_strings(model.entry("tokenizer.ggml.merges"))
        if all(part in kept for part in (*merge.split(b" "), merge.replace(b" ", b"")))
    ]
    types = struct.unpack_from(
        f"<{KEPT_TOKENS}i", model.entry("tokenizer.ggml.token_type").payload, 12
    )
    model.entry("tokenizer.ggml.tokens").payload = strings(tokens)
    model.entry("tokenizer.ggml.merges").payload = strings(merges)
    model.entry("tokenizer.ggml.token_type").payload = numbers(I32, "i", list(types))
    model.entry("llama.vocab_size").payload = u32(KEPT_TOKENS)
    model.entry("llama.block_count").payload = u32(KEPT_LAYERS)
    gone = tuple(f"blk.{layer}.".encode() for layer in range(KEPT_LAYERS, 64))
    model.tensors = [tensor for tensor in model.tensors if not tensor.name.startswith(gone)]
    for tensor in model.tensors:
        if tensor.name in (b"token_embd.weight", b"output.weight"):
            tensor.shape[1] = KEPT_TOKENS
    model.lay_out()
    return model


Change = Callable[[Model], None]


def variants(starter: Path, out_dir: Path) -> Iterator[tuple[str, Path]]:
    """Write every variant into ``out_dir`` and give its name and path, always in this order."""
    small = small_model(starter)
    for name, content in _plain_files(small):
        path = out_dir / f"{name}.gguf"
        path.write_bytes(content)
        yield name, path
    for name, change in _changes():
        model = deepcopy(small)
        change(model)
        yield name, model.write(out_dir / f"{name}.gguf")
    yield from _cuts(small, out_dir)
    yield from _flips(small, out_dir)
    yield from _real_header_cuts(starter, out_dir)


def _retype(kind: int, model: Model) -> None:
    for tensor in model.tensors:
        if len(tensor.shape) > 1:
            tensor.kind = kind
    model.lay_out()


def _plain_files(small: Model) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(1)
    header = small.header()
    yield "empty", b""
    for length in (1, 3, 4, 8, 12, 16, 20, 23, 24):
        yield f"first-{length}-bytes", header[:length]
    yield "text", b"This is not a model.\n" * 100
    yield "lower-case-magic", b"gguf" + header[4:]
    yield "old-ggml-magic", b"lmgg" + header[4:]
    yield "zip-archive", b"PK\x03\x04" + header[4:]
    yield "zeros", bytes(4096)
    yield "ones", b"\xff" * 4096
    yield "html-page", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "git-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    for seed in range(4):
        yield f"noise-{seed}", chance.randbytes(1 << 14)
        yield f"noise-behind-magic-{seed}", b"GGUF" + chance.randbytes(1 << 14)
        yield f"noise-behind-preamble-{seed}", header[:24] + chance.randbytes(1 << 14)
    yield "big-endian", b"GGUF" + struct.pack(">IQQ", 3, 30, 30) + header[24:]


def _changes() -> Iterator[tuple[str, Change]]:
    yield "unchanged", lambda _model: None
    for kind in (24, 25, 26, 27, 28):  # whole numbers, and 64-bit ones
        yield f"weights-of-kind-{kind}", partial(_retype, kind)
    yield from _preamble_changes()
    yield from _entry_changes()
    yield from _value_changes()
    yield from _vocabulary_changes()
    yield from _template_changes()
    yield from _tensor_changes()
    yield from _kind_changes()


def _attribute(name: str, value: object) -> Change:
    return lambda model: setattr(model, name, value)


def _setter(key: str, kind: int, payload: bytes) -> Change:
    return lambda model: model.set(key, kind, payload)


def _dropper(key: str) -> Change:
    return lambda model: model.drop(key)


def _preamble_changes() -> Iterator[tuple[str, Change]]:
    for version in (0, 1, 2, 4, 999, 0x7FFFFFFF, 0xFFFFFFFF, 0x03000000):
        yield f"version-{version}", _attribute("version", version)
    absurd = (0, 1, 1000, 1 << 31, 1 << 32, 1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1)
    for count in absurd:
        yield f"tensor-count-{count}", _attribute("tensor_count", count)
        yield f"entry-count-{count}", _attribute("entry_count", count)


def _entry_changes() -> Iterator[tuple[str, Change]]:
    def repeat(model: Model) -> None:
        model.entries.append(model.entry("general.name"))

    def nameless(model: Model) -> None:
        model.entries.append(Entry(b"", U32, u32(1)))

    yield "entry-twice", repeat
    yield "entry-without-name", nameless
    yield "entry-name-not-text", lambda m: m.entries.append(Entry(b"\xff\xfe", U32, u32(1)))
    yield "entry-name-long", lambda m: m.entries.append(Entry(b"k" * 70_000, U32, u32(1)))
    yield "entry-name-nul", lambda m: m.entries.append(Entry(b"a\0b", U32, u32(1)))
    for kind in (13, 99, 1 << 20, 0xFFFFFFFF):
        yield f"entry-type-{kind}", _setter("x.y", kind, u32(1))
        yield f"list-type-{kind}", _setter("x.y", ARRAY, struct.pack("<IQ", kind, 1) + bytes(8))
    yield "list-in-list", _setter("x.y", ARRAY, struct.pack("<IQIQ", ARRAY, 1, U32, 0))
    deep = struct.pack("<IQ", ARRAY, 1) * 5000
    yield "list-in-list-5000-deep", _setter("x.y", ARRAY, deep)
    for size in (1 << 20, 1 << 30, 1 << 33, 1 << 61, 1 << 62, (1 << 64) - 1):
        yield f"text-length-{size}", _setter("x.y", STRING, struct.pack("<Q", size))
        yield f"list-of-u8-{size}", _setter("x.y", ARRAY, struct.pack("<IQ", 0, size))
        yield f"list-of-u64-{size}", _setter("x.y", ARRAY, struct.pack("<IQ", U64, size))
        yield f"list-of-text-{size}", _setter("x.y", ARRAY, struct.pack("<IQ", STRING, size))
    long_item = struct.pack("<IQ", STRING, 1) + struct.pack("<Q", 1 << 62)
    yield "text-in-list-2-62", _setter("x.y", ARRAY, long_item)
    many = struct.pack("<IQ", STRING, 400_000) + bytes(8 * 400_000)
    yield "list-of-400000-empty-texts", _setter("x.y", ARRAY, many)
    yield "list-of-nothing", _setter("x.y", ARRAY, struct.pack("<IQ", STRING, 0))
    for entries in (2000, 20_000):
        yield f"{entries}-entries", _many_entries(entries)
    yield "text-not-utf8", _setter("general.name", STRING, text(b"\xff\xfe\xfd" * 9))
    yield "text-with-nul", _setter("general.name", STRING, text(b"a\0b"))
    yield "text-3-megabytes", _setter("general.description", STRING, text(b"x" * (3 << 20)))
    for alignment in (0, 1, 3, 31, 48, 1 << 21, 1 << 31, 0xFFFFFFFF):
        yield f"alignment-{alignment}", _setter("general.alignment", U32, u32(alignment))
    yield "alignment-text", _setter("general.alignment", STRING, text(b"32"))
    yield "alignment-list", _setter("general.alignment", ARRAY, numbers(U32, "I", [32]))


def _many_entries(count: int) -> Change:
    def change(model: Model) -> None:
        model.entries += [Entry(f"x.{index}".encode(), U32, u32(index)) for index in range(count)]

    return change


def _value_changes() -> Iterator[tuple[str, Change]]:
    cases: dict[str, tuple[int, ...]] = {
        "block_count": (0, 1, 3, 5, 31, 512, 513, 10**9, 0xFFFFFFFF),
        "embedding_length": (0, 1, 577, 1 << 31, 0xFFFFFFFF),
        "context_length": (0, 1, 1 << 31, 0xFFFFFFFF),
        "feed_forward_length": (0, 1, 0xFFFFFFFF),
        "attention.head_count": (0, 1, 2, 7, 1 << 31, 0xFFFFFFFF),
        "attention.head_count_kv": (0, 1, 2, 9, 0xFFFFFFFF),
        "attention.key_length": (0, 1, 63, 0xFFFFFFFF),
        "attention.value_length": (0, 0xFFFFFFFF),
        "rope.dimension_count": (0, 1, 63, 128, 0xFFFFFFFF),
        "expert_count": (0, 1, 8, 1025, 0xFFFFFFFF),
        "expert_used_count": (1, 0xFFFFFFFF),
        "expert_group_count": (1, 4),
        "nextn_predict_layers": (1, 600, 0xFFFFFFFF),
        "vocab_size": (0, 10, 1 << 31, 0xFFFFFFFF),
    }
    for key, values in cases.items():
        for value in values:
            name = f"{key.replace('.', '-')}-{value}"
            yield name, _setter(f"llama.{key}", U32, u32(value))
    for key in ("block_count", "embedding_length", "context_length", "attention.head_count"):
        name = key.replace(".", "-")
        yield f"{name}-missing", _dropper(f"llama.{key}")
        yield f"{name}-text", _setter(f"llama.{key}", STRING, text(b"many"))
        yield f"{name}-list", _setter(f"llama.{key}", ARRAY, numbers(U32, "I", [1, 2]))
        yield f"{name}-negative", _setter(f"llama.{key}", I32, struct.pack("<i", -1))
    heads = numbers(I32, "i", [3, 0, -1, 3])
    yield "head-count-list-negative", _setter("llama.attention.head_count_kv", ARRAY, heads)
    yield "rope-scaling-unknown", _setter("llama.rope.scaling.type", STRING, text(b"banana"))
    nan = struct.pack("<f", float("nan"))
    yield "rope-base-nan", _setter("llama.rope.freq_base", F32, nan)
    yield "norm-epsilon-nan", _setter("llama.attention.layer_norm_rms_epsilon", F32, nan)


def _vocabulary_changes() -> Iterator[tuple[str, Change]]:
    tokens_key = "tokenizer.ggml.tokens"

    def edit(work: Callable[[list[bytes]], None]) -> Change:
        def change(model: Model) -> None:
            tokens = read_strings(model.entry(tokens_key))
            work(tokens)
            model.entry(tokens_key).payload = strings(tokens)

        return change

    def put(index: int, value: bytes) -> Change:
        return edit(lambda tokens: tokens.__setitem__(index, value))

    yield "token-twice", edit(lambda tokens: tokens.__setitem__(900, tokens[901]))
    yield "all-tokens-equal", edit(lambda tokens: tokens.__setitem__(slice(None), [b"a"] * 1024))
    yield "token-not-utf8", put(900, b"\xff\xfe")
    yield "token-half-character", put(900, b"\xf0\x9f")
    yield "token-with-nul", put(900, b"a\0b")
    yield (
        "token-named-like-empty",
        edit(lambda tokens: tokens.__setitem__(slice(900, 902), [b"", b"[EMPTY_900]"])),
    )
    yield "token-empty", put(900, b"")
    yield "two-tokens-empty", edit(lambda tokens: tokens.__setitem__(slice(900, 902), [b"", b""]))
    yield "token-2-megabytes", put(900, b"x" * (2 << 20))
    yield "token-half-megabyte", put(900, b"x" * (1 << 19))
    yield "tokens-fewer", edit(lambda tokens: tokens.__delitem__(slice(500, None)))
    yield "tokens-none", edit(list.clear)
    yield "tokens-missing", _dropper(tokens_key)
    yield "tokens-numbers", _setter(tokens_key, ARRAY, numbers(U32, "I", [1, 2, 3]))
    yield "tokens-scalar", _setter(tokens_key, U32, u32(3))
    yield "token-types-short", _setter("tokenizer.ggml.token_type", ARRAY, numbers(I32, "i", [1]))
    yield "token-types-text", _setter("tokenizer.ggml.token_type", STRING, text(b"normal"))
    yield "merges-missing", _dropper("tokenizer.ggml.merges")
    yield "merges-garbage", _setter("tokenizer.ggml.merges", ARRAY, strings([b"", b" ", b"\xff"]))
    yield "tokenizer-missing", _dropper("tokenizer.ggml.model")
    yield "tokenizer-unknown", _setter("tokenizer.ggml.model", STRING, text(b"banana"))
    yield "pre-tokenizer-unknown", _setter("tokenizer.ggml.pre", STRING, text(b"banana"))
    for other in (b"llama", b"bert", b"t5", b"rwkv", b"plamo2", b"none", b"no_vocab"):
        name = f"tokenizer-{other.decode().replace('_', '-')}"
        yield name, _setter("tokenizer.ggml.model", STRING, text(other))
    for which in ("bos", "eos", "unknown", "padding"):
        key = f"tokenizer.ggml.{which}_token_id"
        yield f"{which}-token-2-31", _setter(key, U32, u32(1 << 31))

    def dummy_tokens(model: Model) -> None:
        model.set("tokenizer.ggml.model", STRING, text(b"none"))
        model.set("llama.vocab_size", U32, u32(0xFFFFFFFF))

    yield "tokenizer-none-with-4-billion-tokens", dummy_tokens


TEMPLATES: dict[str, bytes] = {
    "missing-end": b"{% for m in messages %}{{ m.content }}",
    "unknown-name": b"{{ nobody.knows.this }}",
    "unknown-filter": b"{{ messages | banana }}",
    "raises": b"{{ raise_exception('no') }}",
    "loops": b"{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "explodes": b"{{ 'a' * 3000000000 }}",
    "reaches-out": b"{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "nested": b"{% if true %}" * 2000 + b"{% endif %}" * 2000,
    "not-utf8": b"{{ messages[0]['content'] }}\xff\xfe",
    "empty": b"",
    "2-megabytes": b"{{ messages[0]['content'] }}" + b" " * (2 << 20),
}


def _template_changes() -> Iterator[tuple[str, Change]]:
    for name, template in TEMPLATES.items():
        yield f"template-{name}", _setter("tokenizer.chat_template", STRING, text(template))
    yield "template-number", _setter("tokenizer.chat_template", U32, u32(7))
    yield "template-missing", _dropper("tokenizer.chat_template")


def _tensor_changes() -> Iterator[tuple[str, Change]]:
    def on_third(work: Callable[[Tensor], None], *, relaid: bool = False) -> Change:
        def change(model: Model) -> None:
            work(model.tensors[2])
            if relaid:
                model.lay_out()

        return change

    def assign(name: str, value: object, *, relaid: bool = False) -> Change:
        return on_third(lambda tensor: setattr(tensor, name, value), relaid=relaid)

    def add_to_offset(distance: int) -> Change:
        return on_third(lambda tensor: setattr(tensor, "offset", tensor.offset + distance))

    for kind in (4, 5, 31, 33, 36, 43, 255, 999, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"tensor-type-{kind}", assign("kind", kind)
    for distance in (-32, 1, 31, 32, 1 << 20, 1 << 40, 1 << 63, -(1 << 62)):
        yield f"tensor-offset-by-{distance}", add_to_offset(distance)
    shapes: tuple[list[int], ...] = (
        [],
        [0],
        [576],
        [577, 192],
        [576, 0],
        [576, -32],
        [1 << 62, 4],
        [1 << 32, 1 << 32],
        [32] * 4,
        [32] * 5,
        [1] * 9,
        [32] * 100,
    )
    for index, shape in enumerate(shapes):
        yield f"tensor-shape-{index}", assign("shape", list(shape), relaid=True)
    names = {"long": b"n" * 64, "huge": b"n" * 66_000, "empty": b"", "not-text": b"\xff\xfe"}
    for label, name in names.items():
        yield f"tensor-name-{label}", assign("name", name)
    yield "tensor-renamed", assign("name", b"blk.0.banana")
    yield "tensor-twice", assign("name", b"token_embd.weight")
    yield "tensor-missing", lambda model: (model.tensors.pop(), None)[1]
    yield "vocabulary-only", lambda model: model.tensors.clear()
    yield "weights-missing", _attribute("data_bytes", 0)
    yield "weights-half", _attribute("data_bytes", 1 << 20)
    yield "weights-not-numbers", _attribute("first_data", struct.pack("<e", float("nan")) * 65_536)
    yield "weights-noise", _attribute("first_data", random.Random(2).randbytes(1 << 16))


def _kind_changes() -> Iterator[tuple[str, Change]]:
    yield "architecture-missing", _dropper("general.architecture")
    yield "architecture-number", _setter("general.architecture", U32, u32(1))
    for name in (b"banana", b"clip", b"bert", b"", b"a" * 5000, b"../../etc", b"qwen2", b"mamba"):
        label = name.decode()[:10].strip("./").replace("/", "-") or "empty"
        yield f"architecture-{label}", _setter("general.architecture", STRING, text(name))
    for kind in (b"mmproj", b"adapter", b"imatrix", b"banana"):
        yield f"kind-{kind.decode()}", _setter("general.type", STRING, text(kind))
    yield "pooling", _setter("llama.pooling_type", U32, u32(1))
    for count, index in ((3, 0), (3, 1), (65_535, 0), (0xFFFFFFFF, 0), (1, 5)):
        yield f"split-{index}-of-{count}", _split(index, count)


def _split(index: int, count: int) -> Change:
    def change(model: Model) -> None:
        model.set("split.no", U32, u32(index))
        model.set("split.count", U32, u32(count))

    return change


def _cuts(small: Model, out_dir: Path) -> Iterator[tuple[str, Path]]:
    header = small.header()
    chance = random.Random(3)
    for at in sorted(chance.sample(range(25, len(header)), 40)):
        path = out_dir / f"cut-at-{at}.gguf"
        path.write_bytes(header[:at])
        yield path.stem, path
    whole = small.write(out_dir / "cut-in-weights.gguf").stat().st_size
    for missing in (1, 31, 4096, 1 << 20):
        path = small.write(out_dir / f"cut-{missing}-bytes-before-end.gguf")
        os.truncate(path, whole - missing)
        yield path.stem, path


def _flips(small: Model, out_dir: Path) -> Iterator[tuple[str, Path]]:
    """Single bytes changed: half of them in lengths, types and numbers, where it hurts."""
    header = small.header()
    chance = random.Random(4)
    tokens_at = header.index(b"tokenizer.ggml.tokens")
    template_at = header.index(b"tokenizer.ggml.bos_token_id")
    for number in range(80):
        if number % 2:
            at = chance.randrange(4, len(header))
        else:
            at = chance.choice(
                (chance.randrange(4, tokens_at), chance.randrange(template_at, len(header)))
            )
        path = small.write(out_dir / f"flip-{number}-at-{at}.gguf")
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([header[at] ^ (1 << chance.randrange(8))]))
        yield path.stem, path


def _real_header_cuts(starter: Path, out_dir: Path) -> Iterator[tuple[str, Path]]:
    """The starter model itself, cut within the tables of its 49,152 tokens."""
    data = first_bytes(starter, 3 << 19)
    chance = random.Random(5)
    for at in sorted(chance.sample(range(25, len(data)), 8)):
        path = out_dir / f"starter-cut-at-{at}.gguf"
        path.write_bytes(data[:at])
        yield path.stem, path
