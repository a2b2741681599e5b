"""Keyrings that must not be trusted, or that cannot be: found by the variable of keyring itself."""

from __future__ import annotations

import os
from pathlib import Path

from keyring.backend import KeyringBackend


class PlainText(KeyringBackend):
    """Keeps what it is given in a file that anyone can read."""

    priority = 9

    def set_password(self, service: str, username: str, password: str) -> None:
        Path(os.environ["PLAIN_TEXT_FILE"]).write_text(password)

    def get_password(self, service: str, username: str) -> str | None:
        file = Path(os.environ["PLAIN_TEXT_FILE"])
        return file.read_text() if file.exists() else None

    def delete_password(self, service: str, username: str) -> None:
        Path(os.environ["PLAIN_TEXT_FILE"]).unlink()
