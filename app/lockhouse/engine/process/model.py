"""A loaded model and its context, as typed Python over the C functions.

Every integer is checked before it reaches C: llama.cpp answers most misuse by ending the
process. One context belongs to one thread.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockhouse.core.errors import InvalidInput, NoRoom
from lockhouse.engine.process.native import as_c_string, context_parameters, lib, system_info, why
from lockhouse.engine.protocol import LoadSettings

Logits = NDArray[np.float32]
_CONTROL, _UNUSED, _UNKNOWN = 1 << 3, 1 << 1, 1 << 0  # llama_token_attr
_SPELLED_OUT = True


class Model:
    """Weights and vocabulary."""

    def __init__(self, handle: Any, *, extra_buffers: bool) -> None:
        """``handle`` as :func:`native.load_model` gives it, loaded with or without
        ``extra_buffers``. Raises InvalidInput for a kind of model that cannot chat."""
        self._model = handle
        self.vocabulary = Vocabulary(lib.llama_model_get_vocab(self._model))
        self.trained_context: int = lib.llama_model_n_ctx_train(self._model)
        self.window: int = lib.llama_model_n_swa(self._model)
        self.rewindable: bool = not (
            lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model)
        )
        # A recurrent graph multiplies one matrix by the tokens of each sequence in turn. The AMX
        # kernels of llama.cpp move on in the matrix, too (ggml-cpu/amx/mmq.cpp, src0_offset):
        # from the second sequence on they compute with memory beyond the weights, or crash.
        self.one_sequence_at_a_time: bool = (
            not self.rewindable and extra_buffers and "AMX_INT8 = 1" in system_info()
        )
        template = lib.llama_model_chat_template(self._model, None)
        self.chat_template: str = template.decode("utf-8", "replace") if template else ""
        self.template_sha256 = hashlib.sha256(self.chat_template.encode()).hexdigest()
        if lib.llama_model_has_encoder(self._model):
            raise InvalidInput(
                "This model has an encoder; only decoder models can chat.",
                hint="Choose a chat model.",
                code="model_unsupported",
            )

    @property
    def handle(self) -> Any:
        """The C pointer."""
        return self._model

    @property
    def pooling(self) -> int:
        """How its file says to make one vector of a text (llama_pooling_type); 0 for not at all."""
        value = self._metadata(f"{self._metadata('general.architecture')}.pooling_type")
        return int(value) if value.isdecimal() else 0

    def _metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_meta_val_str(self._model, key.encode(), buffer, 256)
        return buffer.value.decode("utf-8", "replace")

    def description(self) -> str:
        """One line about the model, by llama.cpp."""
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self._model, buffer, 256)
        return buffer.value.decode("utf-8", "replace")


class Vocabulary:
    """Tokens to text and back."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.size: int = lib.llama_vocab_n_tokens(handle)
        self.bos: int = lib.llama_vocab_bos(handle)
        self.eos: int = lib.llama_vocab_eos(handle)
        self.adds_bos: bool = bool(lib.llama_vocab_get_add_bos(handle))
        self._pieces: dict[int, bytes] = {}
        self._plain: dict[int, str] = {}
        self._ends: dict[int, bool] = {}
        self._buffer = ctypes.create_string_buffer(512)
        self._control: dict[int, str] = {
            token: self.text_of(token)
            for token in range(self.size)
            if lib.llama_vocab_get_attr(handle, token) & (_CONTROL | _UNKNOWN)
        }

    @property
    def control_texts(self) -> dict[int, str]:
        """Texts of the control tokens, by token."""
        return self._control

    def is_control(self, token: int) -> bool:
        """Whether a token steers the model instead of being text."""
        return token in self._control

    def is_text(self, token: int) -> bool:
        """Whether a token may stand in an answer as what it spells."""
        unused = lib.llama_vocab_get_attr(self.handle, token) & _UNUSED
        return not (unused or self.is_control(token) or self.ends(token))

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        known = self._ends.get(token)
        if known is None:
            known = self._ends[token] = bool(lib.llama_vocab_is_eog(self.handle, token))
        return known

    def text_of(self, token: int) -> str:
        """A token as the vocabulary spells it; "" for one that does not exist."""
        if not 0 <= token < self.size:
            return ""
        return (lib.llama_vocab_get_text(self.handle, token) or b"").decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, control tokens spelled out. May end inside a character."""
        known = self._pieces.get(token)
        if known is not None:
            return known
        length = lib.llama_token_to_piece(self.handle, token, self._buffer, 512, 0, _SPELLED_OUT)
        if length < 0:
            self._buffer = ctypes.create_string_buffer(-length)
            length = lib.llama_token_to_piece(
                self.handle, token, self._buffer, -length, 0, _SPELLED_OUT
            )
        piece = self._buffer.raw[: max(length, 0)]
        self._pieces[token] = piece
        return piece

    def plain(self, token: int) -> str:
        """The text of a token that is ASCII and no control token; "" for every other."""
        known = self._plain.get(token)
        if known is None:
            piece = self.piece(token)
            known = piece.decode() if piece.isascii() and not self.is_control(token) else ""
            self._plain[token] = known
        return known

    def tokenize_on(self, text: str) -> list[int]:
        """Tokens of a text in the middle of another; control tokens are recognised.

        Vocabularies of SentencePiece put a space before every text, which would come between the
        halves of a word. Behind a line break, which is a token of its own, they put none.
        """
        tokens, head = self.tokenize(f"\n{text}", special=True), self.tokenize("\n", special=True)
        if len(head) > 1 and tokens[: len(head)] == head:
            return tokens[len(head) :]
        return self.tokenize(text, special=True)

    def tokenize(self, text: str, *, special: bool, with_bos: bool = False) -> list[int]:
        """Tokens of a text; ``special`` lets it spell control tokens."""
        data = as_c_string(text)
        room = len(data) + 8
        buffer = (lib.llama_token * room)()
        count = lib.llama_tokenize(self.handle, data, len(data), buffer, room, with_bos, special)
        if count < 0:
            room = -count
            buffer = (lib.llama_token * room)()
            count = lib.llama_tokenize(
                self.handle, data, len(data), buffer, room, with_bos, special
            )
        return list(buffer[: max(count, 0)])


class AbortFlag:
    """A request to abort that native code can read by itself.

    llama.cpp asks some 500 times a token; a Python callback would take the interpreter's lock
    each time. Its question ``bool ask(void *data)`` is answered by the C library's own ``atoi``
    over a string that is "0" or "1".
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(b"0")
        atoi = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).atoi
        self.callback = ctypes.cast(atoi, lib.ggml_abort_callback)
        self.data = ctypes.cast(self._text, ctypes.c_void_p)

    def set(self, *, wanted: bool) -> None:
        """From any thread."""
        self._text[0] = b"1" if wanted else b"0"

    @property
    def wanted(self) -> bool:
        """Whether the computation is to end."""
        return bool(self._text[0] == b"1")


class _FirstRow:
    """The first row of a batch, for the batch of one that every token of a lone answer is."""

    def __init__(self, batch: Any) -> None:
        self._fields = [
            kind.from_address(ctypes.addressof(pointer.contents))
            for kind, pointer in (
                (ctypes.c_int32, batch.token),
                (ctypes.c_int32, batch.pos),
                (ctypes.c_int32, batch.n_seq_id),
                (ctypes.c_int32, batch.seq_id[0]),
                (ctypes.c_int8, batch.logits),
            )
        ]

    def set(self, token: int, position: int, sequence: int, wanted: bool) -> None:  # noqa: FBT001
        """Fill it."""
        fields = self._fields
        fields[0].value, fields[1].value, fields[2].value = token, position, 1
        fields[3].value, fields[4].value = sequence, wanted


def _address_of_logits() -> Any:
    """llama_get_logits_ith giving a plain address: a typed pointer costs ten times as much."""
    found = lib._lib["llama_get_logits_ith"]  # noqa: SLF001 - a function object of our own
    found.argtypes, found.restype = (ctypes.c_void_p, ctypes.c_int32), ctypes.c_void_p
    return found


_logits_address = _address_of_logits()


class Context:
    """The KV cache and the computation over it, for several sequences at once."""

    def __init__(
        self,
        model: Model,
        settings: LoadSettings,
        *,
        context_length: int,
        threads: int,
        abort: AbortFlag,
    ) -> None:
        """Raises NoRoom when llama.cpp cannot allocate it."""
        self._model = model
        self.vocabulary_size = model.vocabulary.size
        parameters = context_parameters(settings, context_length, threads=threads)
        self.abort = abort  # kept alive as long as native code may look at it
        parameters.abort_callback = abort.callback
        parameters.abort_callback_data = abort.data
        self._context: Any = lib.llama_init_from_model(model.handle, parameters)
        if not self._context:
            raise NoRoom(
                f"A context of {context_length:,} tokens does not fit: {why()}.",
                hint="Choose a smaller context length.",
                code="context_too_large",
            )
        self.length: int = lib.llama_n_ctx(self._context)
        self.batch_size: int = parameters.n_batch
        self._memory = lib.llama_get_memory(self._context)
        self.remembers: bool = bool(self._memory)  # or it reads whole texts only
        self._batch = lib.llama_batch_init(self.batch_size, 0, 1)
        self.sequences = settings.parallel
        self._views: dict[int, Logits] = {}  # making one costs as much as choosing a token
        self._row = _FirstRow(self._batch)

    def set_threads(self, threads: int) -> None:
        """From the next decode on, for one token and for many alike."""
        lib.llama_set_n_threads(self._context, threads, threads)

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> int:
        """Compute (token, position, sequence, wants logits) rows, at most ``batch_size``.

        Returns llama.cpp's code: 0 done, 1 no room in the cache, 2 aborted, below 0 a fault.
        """
        assert 0 < len(rows) <= self.batch_size
        batch = self._batch
        if len(rows) == 1:
            self._row.set(*rows[0])
            batch.n_tokens = 1
            return int(lib.llama_decode(self._context, batch))
        tokens, positions, outputs = batch.token, batch.pos, batch.logits
        counts, sequences = batch.n_seq_id, batch.seq_id
        for index, (token, position, sequence, wanted) in enumerate(rows):
            tokens[index] = token
            positions[index] = position
            counts[index] = 1
            sequences[index][0] = sequence
            outputs[index] = wanted
        batch.n_tokens = len(rows)
        return int(lib.llama_decode(self._context, batch))

    def logits(self, index: int) -> Logits:
        """The logits of row ``index`` of the last decode: valid until the next one."""
        address = _logits_address(self._context, index)
        view = self._views.get(address)
        if view is None:
            values = (ctypes.c_float * self.vocabulary_size).from_address(address)
            view = self._views[address] = np.ctypeslib.as_array(values)
        return view

    def forget(self, sequence: int, start: int = 0) -> bool:
        """Drop a sequence's cache from a position on. False where the model cannot rewind."""
        return bool(lib.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def clear(self) -> None:
        """Drop every sequence and begin at the first cell again, as a new context would."""
        lib.llama_memory_clear(self._memory, False)  # noqa: FBT003 - the call's own shape

    def copy_prefix(self, source: int, target: int, length: int) -> None:
        """Let one sequence share the first tokens of another."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def first_position(self, sequence: int) -> int:
        """The oldest position still in the cache; -1 for an empty sequence."""
        return int(lib.llama_memory_seq_pos_min(self._memory, sequence))

    def last_position(self, sequence: int) -> int:
        """The newest position in the cache; -1 for an empty sequence."""
        return int(lib.llama_memory_seq_pos_max(self._memory, sequence))
