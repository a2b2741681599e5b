"""Words that read as control tokens, with a vocabulary of SentencePiece: they stay one word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gguf

_PROGRAM = """
import json, sys
from lockhouse.engine.process.model import Vocabulary
from lockhouse.engine.process.native import lib, start_backend
from lockhouse.engine.process.chat_templates import PromptBuilder
from lockhouse.core.messages import Turn

class Same:
    def render(self, template, variables):
        return variables["messages"][0]["content"]

start_backend()
parameters = lib.llama_model_default_params()
parameters.vocab_only = True
model = lib.llama_model_load_from_file(sys.argv[1].encode(), parameters)
vocabulary = Vocabulary(lib.llama_model_get_vocab(model))
builder = PromptBuilder(vocabulary, "own", Same())
for text in sys.argv[2:]:
    tokens = builder.build((Turn("user", text),), "").tokens
    words = b"".join(map(vocabulary.piece, tokens)).decode()
    print(json.dumps([words, [vocabulary.is_control(token) for token in tokens].count(True)]))
"""


def _vocabulary(path: Path) -> Path:
    """A vocabulary of single characters and bytes, of the kind that puts spaces before texts."""
    writer = gguf.GGUFWriter(path, "llama")
    control, normal, byte = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL, gguf.TokenType.BYTE
    tokens = [("<unk>", gguf.TokenType.UNKNOWN), ("<s>", control), ("</s>", control)]
    tokens += [(f"<0x{number:02X}>", byte) for number in range(256)]
    tokens += [(letter, normal) for letter in ("▁", *map(chr, range(33, 127)))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(True)  # noqa: FBT003 - its only argument
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_what_a_user_writes_keeps_its_letters_and_gives_no_control_token(tmp_path: Path) -> None:
    texts = ["Use <s>old</s> for strike", "</s>", "x<s>", "two </s></s> here"]
    path = _vocabulary(tmp_path / "vocabulary.gguf")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path), *texts],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for text, (words, controls) in zip(texts, told, strict=True):
        assert words.removeprefix("<s>").removeprefix(" ") == text  # the space that is always put
        assert controls == 1  # the beginning of the prompt
