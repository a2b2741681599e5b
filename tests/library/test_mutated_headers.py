"""Two thousand broken files read in this process, and the same metadata as the ``gguf`` package."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import gguf
import pytest

from lockhouse.core.errors import InvalidInput
from lockhouse.library.gguf.header import GgufHeader, read_header, read_header_start
from lockhouse.library.gguf.layout import NeedMore, Unread
from lockhouse.library.gguf.loadable import check_loadable
from tests.library.mutations import Source, mutated, put, sources
from tests.library.synthetic import SHAPES, write

COUNT = 2000
MEMORY_BYTES = 100 << 20
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def origins(starter: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return sources(starter, tmp_path_factory.mktemp("sources"))


def test_each_of_them_reads_or_names_its_fault_soon_and_in_little_memory(
    starter: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.library.mutations", str(COUNT), tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'app'}{os.pathsep}{ROOT}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    slowest_s, grown_kib, refused = json.loads(done.stdout)
    # Processor time of one file in one process: a bound on work, not on the machine.
    assert slowest_s < 1.0
    assert grown_kib << 10 < MEMORY_BYTES
    causes = set()
    for name, message, hint in refused:
        cause = message.partition(": ")[2]
        assert name in message, message  # says which file
        assert len(cause) > 10, message
        assert hint, message
        causes.add(re.sub(r"\d+|\".*?\"|'.*?'", "_", cause))
    assert COUNT * 2 / 3 < len(refused) < COUNT  # damage in a name alone leaves a model
    assert len(causes) > 40  # told apart, not all called damaged


def assert_same(header: GgufHeader, path: Path) -> None:
    """What both readers know of a file is the same."""
    other = gguf.GGUFReader(path)
    fields = {name: field for name, field in other.fields.items() if not name.startswith("GGUF.")}
    assert set(fields) == set(header.key_values)
    for name, field in fields.items():
        ours, theirs = header.key_values[name], field.contents()
        if isinstance(ours, Unread):
            assert ours.count == len(theirs), name
        elif isinstance(ours, tuple):
            assert list(ours) == list(theirs), name
        else:
            assert ours == theirs or (ours != ours and theirs != theirs), name
    assert len(other.tensors) == len(header.tensors)
    for tensor, same in zip(header.tensors, other.tensors, strict=True):
        assert (tensor.name, tensor.type_name) == (same.name, same.tensor_type.name)
        assert tensor.shape == tuple(same.shape.tolist())
        assert tensor.size_bytes == same.n_bytes
        assert header.data_offset + tensor.offset == same.data_offset


def test_the_gguf_package_reads_the_same(starter: Path, tmp_path: Path) -> None:
    for name, shape in SHAPES.items():
        path = write(shape(), tmp_path / f"{name}.gguf")
        assert_same(read_header(path), path)
    assert_same(read_header(starter), starter)


def test_what_both_read_of_the_broken_ones_is_the_same(
    origins: list[Source], tmp_path: Path
) -> None:
    compared = 0
    for name, header, size in mutated(origins, 400, seed=7):
        path = put(tmp_path / f"{name}.gguf", header, size)
        try:
            ours = read_header(path)
        except InvalidInput:
            path.unlink()
            continue
        try:
            assert_same(ours, path)
        except (ValueError, KeyError, IndexError, OverflowError, UnicodeDecodeError, TypeError):
            continue  # it cannot read this one
        compared += 1
        path.unlink()
    assert compared > 20


def vocabulary_files() -> list[Path]:
    """Those of llama.cpp's source, where the packages' cache still has it unpacked."""
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)  # the suite may have another home
    cache = Path(os.environ.get("UV_CACHE_DIR") or own / ".cache" / "uv")
    pattern = "sdists-*/pypi/llama-cpp-python/*/*/src/vendor/llama.cpp/models/*.gguf"
    given = os.environ.get("LLAMA_CPP_SOURCE")
    found = [*(Path(given).glob("models/*.gguf") if given else ()), *cache.glob(pattern)]
    return sorted({path.name: path for path in found}.values())


def test_the_vocabularies_of_llama_cpps_source_all_read() -> None:
    found = vocabulary_files()
    if not found:
        pytest.skip(
            "llama.cpp's source is not here: neither in uv's cache nor named by LLAMA_CPP_SOURCE"
        )
    for path in found:
        header = read_header(path)
        assert header.kind == "vocab", path.name
        assert header.architecture
        assert header.vocabulary is not None
        assert header.vocabulary.count == header.vocabulary_size > 30_000
        with pytest.raises(InvalidInput, match="no weights"):
            check_loadable(header)
        if header.vocabulary_size < 31_000:  # the other reader takes a second for 15,000 words
            assert_same(header, path)


@pytest.mark.parametrize("name", ["gqa", "recurrent"])
def test_a_header_is_read_from_a_files_first_bytes(name: str, tmp_path: Path) -> None:
    path = write(SHAPES[name](), tmp_path / "model.gguf")
    data, size = path.read_bytes()[: 1 << 20], path.stat().st_size
    whole = read_header(path)
    have, asked = 1000, 0
    start = None
    while start is None:
        try:
            start = read_header_start(data[:have], size, path)
        except NeedMore as more:
            wanted = more.size_bytes
            asked += 1
        else:
            break
        assert have < wanted <= size
        have = wanted
    assert start == whole
    assert 0 < asked < 12
    with pytest.raises(InvalidInput, match="weights need"):
        read_header_start(data[:have], size - 1)
    with pytest.raises(InvalidInput, match="GGUF"):
        read_header_start(b"<html>not found</html>", size)


def test_first_bytes_of_any_length_are_asked_for_or_refused(
    origins: list[Source],
) -> None:
    """Never an answer from half a header, and never an endless question."""
    for source in origins:
        for have in range(0, len(source.header), 997):
            with pytest.raises(NeedMore) as asked:
                read_header_start(source.header[:have], source.size_bytes)
            assert have < asked.value.size_bytes <= source.size_bytes
