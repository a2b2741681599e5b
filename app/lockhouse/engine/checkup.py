"""The engine's self-test, run once per build and processor, and what it found.

A native build belongs to the processor it was made on: moved to another it may meet an unknown
instruction, and some compilers get the newest kernels wrong. A spare process finds out first.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import platform
from pathlib import Path

import msgspec

from lockhouse.core.errors import EngineCrashed, LockhouseError
from lockhouse.core.json_decoding import decoded
from lockhouse.engine import jobs, protocol
from lockhouse.engine.jobs import JobSpec, Limits

_LIMITS = Limits(time_s=120.0)
_BUILD_AGAIN = (
    "Build it again on this machine: python3 dev.py setup --rebuild, or --portable for one that "
    "runs on all similar processors."
)


class Verdict(msgspec.Struct, frozen=True):
    """What the self-test found. ``extra_buffers``: whether the fast kernels may be used."""

    key: str
    works: bool
    extra_buffers: bool
    problem: str = ""
    remedy: str = ""
    build: str = ""
    features: str = ""


class SelfTestRequest(msgspec.Struct, frozen=True):
    """Try the engine with this model; see :class:`LoadSettings` for ``extra_buffers``."""

    model_path: str
    extra_buffers: bool


class SelfTestResult(msgspec.Struct, frozen=True):
    """The engine works: what it is, and what it wrote."""

    build: str
    features: str
    text: str


class EngineCheckup:
    """Remembers the verdict in a file of the home's cache."""

    def __init__(self, cache: Path) -> None:
        self._file = cache / "engine-checkup.json"

    def verdict(self, model_path: Path, *, again: bool = False) -> Verdict:
        """The verdict for this build on this processor; tests with ``model_path`` if unknown."""
        key = _key()
        if not again:
            try:
                known = decoded(self._file.read_bytes(), Verdict)
            except (OSError, msgspec.DecodeError):
                known = None
            if known is not None and known.key == key:
                return known
        verdict = self._test(key, model_path)
        if verdict.works:  # a failure is tried again: it may have been the machine's bad moment
            with contextlib.suppress(OSError):  # no room: it is tried again next time
                self._file.parent.mkdir(parents=True, exist_ok=True)
                temporary = self._file.with_suffix(".new")
                temporary.write_bytes(msgspec.json.encode(verdict))
                temporary.replace(self._file)
        return verdict

    def require(self, model_path: Path) -> Verdict:
        """The verdict; raises EngineCrashed when the engine does not work here."""
        verdict = self.verdict(model_path)
        if not verdict.works:
            raise EngineCrashed(
                f"The engine failed its self-test on this machine: {verdict.problem}",
                hint=verdict.remedy,
                code="engine_self_test",
            )
        return verdict

    def _test(self, key: str, model_path: Path) -> Verdict:
        problem, remedy = "", ""
        files = tuple(map(str, protocol.model_files(model_path)))
        spec = JobSpec("self_test", "The self-test", read=files, limits=_LIMITS)
        for extra_buffers in (True, False):
            request = SelfTestRequest(str(model_path), extra_buffers)
            try:
                result = jobs.run(spec, request, SelfTestResult)
            except LockhouseError as error:
                problem = error.message
                is_build = error.code not in ("job_no_memory", "out_of_memory", "job_too_slow")
                remedy = _BUILD_AGAIN if is_build else error.hint
                continue
            return Verdict(
                key,
                works=True,
                extra_buffers=extra_buffers,
                problem=problem,
                build=result.build,
                features=result.features,
            )
        return Verdict(key, works=False, extra_buffers=False, problem=problem, remedy=remedy)


def _key() -> str:
    """Changes when the build, the processor or the binding does."""
    spec = importlib.util.find_spec("llama_cpp")
    places = list(spec.submodule_search_locations or []) if spec else []
    libraries = sorted(Path(places[0], "lib").glob("*")) if places else []
    parts = [
        importlib.metadata.version("llama-cpp-python") if places else "",
        *(f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in libraries if p.is_file()),
        platform.machine(),
        _processor(),
        str(protocol.VERSION),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return "\n".join(
        sorted({line for line in text.splitlines() if line.startswith(("flags", "model name"))})
    )
