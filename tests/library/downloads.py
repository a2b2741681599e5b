"""What the tests of downloads share: a home, its queue, and a hub to fetch from."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

from lockhouse.gate.hub import Hub
from lockhouse.library.file_download import RetryPolicy
from lockhouse.library.models import Models
from lockhouse.library.transfers import Transfer, Transfers
from lockhouse.storage.database import Database
from tests.hub.content import Blob, Fault
from tests.hub.direct import DirectGate
from tests.hub.server import HubServer

QUICK = RetryPolicy(attempts=3, first_wait_s=0.01, idle_timeout_s=0.5)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no two places of a file share."""
    return random.Random(seed).randbytes(size)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Home:
    """A models folder with its queue, as one program sees them."""

    folder: Path
    hub_server: HubServer
    models: Models
    database: Database
    transfers: Transfers = field(init=False)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.hub = Hub(DirectGate(self.hub_server.url))
        self.transfers = self.program()

    def program(self, retry: RetryPolicy = QUICK) -> Transfers:
        """Another program of the same home."""
        return Transfers(self.database, self.hub, self.models, retry=retry)

    def serve(
        self, content: bytes, *faults: Fault, name: str = "org/Tiny-GGUF", sha256: str = ""
    ) -> None:
        """One repository with one file."""
        self.hub_server.add(
            name, {"tiny-Q4_K_M.gguf": Blob(content, sha256=sha256, faults=list(faults))}
        )

    def get(self, name: str = "org/Tiny-GGUF") -> Transfer:
        """Put the whole repository into the queue and work on it."""
        repo = self.hub.repo(name)
        added = self.transfers.add(repo, repo.files)
        return self.run(added.id)

    def run(self, id: str) -> Transfer:  # noqa: A002
        return self.transfers.run([id])[0]

    @property
    def gguf_files(self) -> list[Path]:
        """Whatever anybody could take for a model."""
        return sorted(self.folder.rglob("*.gguf"))
