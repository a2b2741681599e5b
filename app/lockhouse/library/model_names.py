"""Names for models: short, easy to type, and unique."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from lockhouse.library.gguf.types import FILE_TYPES, TENSOR_TYPES

_FORMS: Final = sorted(
    {name for name, _ in FILE_TYPES.values()}
    | {name for name, _, _ in TENSOR_TYPES.values()}
    | {"Q3_K_XL", "Q4_K_XL", "Q2_K_XL", "Q5_K_XL", "Q6_K_L", "Q4_K_L", "Q8_K_XL", "FP16", "FP32"},
    key=len,
    reverse=True,
)
_FORM: Final = re.compile(
    rf"[-._ ](?:UD[-_])?(?:{'|'.join(_FORMS)})(?=$|[-._ ])", flags=re.IGNORECASE
)
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}$")
_MEANINGLESS: Final = re.compile(
    r"^(?:(?:sha256[-_])?[0-9a-f]{16,}|(?:ggml[-_])?model|weights|blob|data|file)$", re.IGNORECASE
)
_UNTYPABLE: Final = re.compile(r"[^a-z0-9._]+")
_MAX_LENGTH: Final = 64
_FAMILIES: Final = (
    ("smollm", "SmolLM"), ("smolvlm", "SmolVLM"), ("deepseek", "DeepSeek"), ("mixtral", "Mixtral"),
    ("ministral", "Mistral"), ("mistral", "Mistral"), ("devstral", "Mistral"),
    ("codestral", "Mistral"), ("magistral", "Mistral"), ("qwq", "Qwen"), ("qwen", "Qwen"),
    ("codegemma", "Gemma"), ("embeddinggemma", "Gemma"), ("gemma", "Gemma"),
    ("granite", "Granite"), ("olmo", "OLMo"), ("gpt-oss", "gpt-oss"), ("glm", "GLM"),
    ("command-r", "Command"), ("cohere", "Command"), ("aya", "Aya"), ("falcon", "Falcon"),
    ("starcoder", "StarCoder"), ("nomic", "Nomic"), ("bge", "BGE"), ("internlm", "InternLM"),
    ("minicpm", "MiniCPM"), ("exaone", "EXAONE"), ("nemotron", "Nemotron"), ("phi", "Phi"),
    ("tinyllama", "Llama"), ("llava", "LLaVA"), ("llama", "Llama"), ("yi", "Yi"),
    ("lfm", "LFM"), ("jamba", "Jamba"), ("mamba", "Mamba"), ("rwkv", "RWKV"), ("gpt2", "GPT-2"),
    ("stablelm", "StableLM"), ("hunyuan", "Hunyuan"), ("ernie", "ERNIE"), ("kimi", "Kimi"),
    ("bert", "BERT"),
)  # fmt: skip
_FAMILY: Final = re.compile(rf"(?<![a-z])({'|'.join(re.escape(mark) for mark, _ in _FAMILIES)})")


def plain_name(stem: str, title: str) -> str:
    """A name from a file's stem, or from the model's title where the stem is meaningless."""
    words = _FORM.sub("", _SHARD.sub("", stem))
    name = slug(title if _MEANINGLESS.match(words) and title else words)
    # Hexadecimal digits alone would look like the beginning of a sha256.
    if not name or re.fullmatch(r"[0-9a-f]{6,}", name):
        name = f"model-{name}".strip("-")
    return name


def plain_title(stem: str, title: str) -> str:
    """A title to show, from the file's name, which says more than most metadata."""
    words = _FORM.sub("", _SHARD.sub("", stem))
    if _MEANINGLESS.match(words) and title:
        return title
    return re.sub(r"[-_ ]+", " ", words).strip() or title or stem


def slug(words: str) -> str:
    """Lower case, with hyphens for what is awkward on a command line."""
    typable = _UNTYPABLE.sub("-", words.lower()).strip("-._")
    return typable[:_MAX_LENGTH].strip("-._")


def family_of(title: str, architecture: str) -> str:
    """The family of a model, from its name or else from its architecture.

    The name comes first, since many families share an architecture.
    """
    for words in (title.lower(), architecture.lower()):
        match = _FAMILY.search(words)
        if match is not None:
            return dict(_FAMILIES)[match[1]]
    return architecture


class Names:
    """Gives unique names, one after the other."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def give(self, plain: str, quantization: str) -> str:
        """``plain``; with the quantization, and then a number, where that is needed."""
        name = plain
        if name in self._taken:
            longer = f"{plain}-{quantization.lower()}" if quantization else plain
            number = self._numbers.get(longer, 1)
            name = longer
            while name in self._taken:
                number += 1
                name = f"{longer}-{number}"
            self._numbers[longer] = number
        self._taken.add(name)
        return name
