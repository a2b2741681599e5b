"""Runs ``lockhouse`` as a process and reads what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockhouse.processes import own_command


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        """The result; a failed command shows what it said instead."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@dataclass(frozen=True, slots=True)
class Command:
    """The program on one home."""

    home: Path
    environment: dict[str, str]
    python: str = sys.executable

    def __call__(
        self, *arguments: str | bytes | Path, stdin: bytes | None = None, **variables: str
    ) -> Outcome:
        """Run to the end. Without ``stdin`` there is none."""
        done = subprocess.run(
            self.line(*arguments),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**self.environment, **variables},
            capture_output=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    def start(
        self, *arguments: str, stdin: int | None = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        return subprocess.Popen(
            self.line(*arguments), env=self.environment, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def line(self, *arguments: str | bytes | Path) -> list[str | bytes | Path]:
        return [self.python, *own_command()[1:], "--home", self.home, *arguments]

    def end_engines(self) -> None:
        self("engines", "stop")
