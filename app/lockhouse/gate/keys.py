"""Keys of hubs and providers, in the keyring of the system and nowhere else.

Never in a file, an argument, a variable or a log. Backends that keep nothing, or keep it in
plain text, count as none: a key can then be given for the session of a running window only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockhouse.core.errors import InvalidInput, NotFound, StorageError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

PROVIDERS = {"huggingface": "Hugging Face, for gated and private models"}
_SERVICE = "lockhouse"
_TRUSTED = (
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "keyring.backends.libsecret",
    "keyring.backends.macOS",
    "keyring.backends.Windows",
)
_MOST_CHARACTERS = 4096


def backend_name() -> str:
    """The keyring that keeps keys here; empty where there is none to be trusted."""
    backend = _backend()
    return type(backend).__module__.rpartition(".")[2] if backend is not None else ""


def read(provider: str) -> str | None:
    """The key; None where there is none. Raises StorageError when the keyring is locked."""
    backend = _backend()
    if backend is None:
        return None
    with _told():
        return backend.get_password(_SERVICE, _known(provider)) or None


def write(provider: str, key: str) -> None:
    """Keep a key. Raises StorageError without a keyring, InvalidInput for what is none."""
    name, key = _known(provider), checked(key)
    backend = _backend()
    if backend is None:
        raise StorageError(
            "This system has no keyring that could keep the key safely, so it was not kept.",
            hint="Install gnome-keyring or KWallet and log in again, or enter the key in the "
            "window: it then holds until the window closes.",
            code="no_keyring",
        )
    with _told():
        backend.set_password(_SERVICE, name, key)


def remove(provider: str) -> None:
    """Forget a key. Raises NotFound when there is none."""
    if read(provider) is None:
        raise NotFound(f"There is no key for {provider}.")
    backend = _backend()
    assert backend is not None
    with _told():
        backend.delete_password(_SERVICE, provider)


def checked(key: str) -> str:
    """The key without the white space around it; InvalidInput when it cannot be one."""
    key = key.strip()
    if not key:
        raise InvalidInput("The key is empty.")
    if len(key) > _MOST_CHARACTERS or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput("This is no key: keys are one word of plain letters and digits.")
    return key


def require_provider(provider: str) -> None:
    """Raises NotFound for a name that stands for nobody."""
    _known(provider)


def _known(provider: str) -> str:
    if provider not in PROVIDERS:
        raise NotFound(
            f"There is no provider {provider!r}.", hint=f"There is: {', '.join(PROVIDERS)}."
        )
    return provider


def _backend() -> KeyringBackend | None:
    import keyring

    chosen = keyring.get_keyring()
    chain = getattr(chosen, "backends", None)
    backends = list(chain) if chain is not None else [chosen]
    for backend in backends:
        if type(backend).__module__.startswith(_TRUSTED):
            found: KeyringBackend = backend
            return found
    return None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise StorageError(
            f"The keyring did not open: {type(error).__name__}.",
            hint="Unlock it, then try again.",
            code="keyring_locked",
        ) from error
