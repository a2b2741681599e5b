"""Access to the system's keyring: which backends are trusted, and a time limit for each call.

Hides that the keyring's library calls D-Bus without a time limit, finds backends by trying each
of them, and raises errors of four other libraries.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lockhouse.core.errors import LockhouseError, StorageError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

ANSWER_S = 5.0
UNLOCK_S = 60.0  # a person may be typing the keyring's password
SILENT_S = 2.0  # after this, the person is told why it takes long
_SECRET_SERVICE = "keyring.backends.SecretService"  # noqa: S105 - a module
_TRUSTED = {
    "linux": (_SECRET_SERVICE, "keyring.backends.kwallet", "keyring.backends.libsecret"),
    "darwin": ("keyring.backends.macOS",),
    "win32": ("keyring.backends.Windows",),
}
# The alternative, in the same words wherever no keyring can be used.
FOR_ONE_SESSION = (
    "Until then you can use a key for one session: in the window, or with: lockhouse chat --key"
)
_NOT_SET_UP = ("InitError",)  # by name: the library is loaded only where it is needed
_FoundT = TypeVar("_FoundT")

# Calls that timed out and still wait: no other call is made until they have ended.
_stuck: list[threading.Thread] = []


def ask(
    work: Callable[[KeyringBackend | None], _FoundT],
    *,
    limit_s: float = ANSWER_S,
    on_wait: Callable[[], None] | None = None,
) -> _FoundT:
    """Do ``work`` with the trusted backend, or with None where there is none.

    ``on_wait`` is called once when that takes a while: the keyring is probably asking for its
    password. Raises StorageError: the keyring is locked, or did not answer within the limit.
    """
    _stuck[:] = [thread for thread in _stuck if thread.is_alive()]
    if _stuck:
        raise _silent()
    found: list[_FoundT] = []
    raised: list[Exception] = []

    def carry_out() -> None:
        known: tuple[type[Exception], ...] = (LockhouseError, OSError, EOFError, *_foreign())
        try:
            found.append(work(_backend()))
        except known as error:
            raised.append(error)

    thread = threading.Thread(target=carry_out, name="keyring", daemon=True)
    thread.start()
    whole_s = limit_s
    if on_wait is not None and limit_s > SILENT_S:
        thread.join(SILENT_S)
        limit_s -= SILENT_S
        if thread.is_alive():
            on_wait()
    thread.join(limit_s)
    if thread.is_alive():
        _stuck.append(thread)
        raise _silent(waited_s=whole_s)
    if raised:
        raise _mapped(raised[0]) from raised[0]
    if not found:  # a bug, shown by the thread
        raise _failed("an unexpected error")
    return found[0]


def name_of(backend: KeyringBackend | None) -> str:
    """The name of the keyring; empty for none."""
    return type(backend).__module__.rpartition(".")[2] if backend is not None else ""


def is_locked(backend: KeyringBackend) -> bool:
    """Whether it would have to ask for its password. Shows no prompt; False where unknown."""
    if not _is_secret_service(backend):
        return False
    with _default_collection() as collection:
        return collection is not None and bool(collection.is_locked())


def is_empty(backend: KeyringBackend) -> bool:
    """Whether it does not exist yet. Reading would then create a keyring and ask for a new
    password, so check this first."""
    if not _is_secret_service(backend):
        return False
    with _default_collection() as collection:
        return collection is None


def holds(backend: KeyringBackend, service: str, entry: str) -> bool:
    """Whether there is such an entry; without reading it where the system allows that."""
    if not _is_secret_service(backend):
        return backend.get_password(service, entry) is not None
    wanted = {"service": service, "username": entry}
    with _default_collection() as collection:
        return collection is not None and any(True for _ in collection.search_items(wanted))


def _is_secret_service(backend: KeyringBackend) -> bool:
    return type(backend).__module__ == _SECRET_SERVICE


@contextlib.contextmanager
def _default_collection() -> Iterator[Any]:
    """The default collection, or None: looking must not create one, which asks for a password."""
    import secretstorage

    with contextlib.closing(secretstorage.dbus_init()) as connection:
        try:
            collection = secretstorage.Collection(connection)
        except secretstorage.ItemNotFoundException:
            collection = None
        yield collection


def _backend() -> KeyringBackend | None:
    """The one that the person has chosen for keyring, or the best of this system, if trusted.

    Not asked of keyring itself, which loads the backends of all systems to choose: the one of
    macOS starts a compiler to look for its library.
    """
    from keyring import core

    trusted = _TRUSTED.get(sys.platform, ())
    try:
        chosen: Any = core.load_env() or core.load_config()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise StorageError(
            f"The keyring that was chosen for this system cannot be loaded: {error}.",
            hint="Correct or unset PYTHON_KEYRING_BACKEND, or the file keyringrc.cfg.",
            code="no_keyring",
        ) from error
    if chosen is None:
        return _best_of(trusted)
    chain = getattr(chosen, "backends", None)
    for backend in list(chain) if chain is not None else [chosen]:
        if type(backend).__module__ in trusted:
            found: KeyringBackend = backend
            return found
    return None


def _best_of(modules: Sequence[str]) -> KeyringBackend | None:
    from keyring.backend import KeyringBackend, by_priority

    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    viable = [kind for kind in KeyringBackend.get_viable_backends() if kind.__module__ in modules]
    return max((kind() for kind in viable), key=by_priority, default=None)


def _foreign() -> tuple[type[Exception], ...]:
    """The errors of the keyring's library and of those below it."""
    from keyring.errors import KeyringError

    found: list[type[Exception]] = [KeyringError]
    with contextlib.suppress(ImportError):  # on Linux only
        from jeepney import DBusErrorResponse  # type: ignore[import-untyped]
        from secretstorage import SecretStorageException

        found += [DBusErrorResponse, SecretStorageException]
    return tuple(found)


def _mapped(error: Exception) -> Exception:
    """Maps the error of a library; our own stay as they are."""
    if isinstance(error, LockhouseError):
        return error
    if isinstance(error, OSError | EOFError):
        return _failed(type(error).__name__)
    if type(error).__name__ in _NOT_SET_UP:
        return StorageError(
            "The keyring has never been set up, or its password was not given.",
            hint="Log in to the desktop and unlock it, or set it up with the system's own program "
            "for passwords, then try again. " + FOR_ONE_SESSION,
            code="keyring_locked",
        )
    return StorageError(
        "The keyring is locked.",
        hint="Unlock it, then try again. " + FOR_ONE_SESSION,
        code="keyring_locked",
    )


def _failed(what: str) -> StorageError:
    return StorageError(
        f"The keyring cannot be reached: {what}.",
        hint="Check that the keyring's service runs, or log in again.",
        code="keyring_silent",
    )


def _silent(*, waited_s: float = 0.0) -> StorageError:
    waited = f" after {waited_s:g} seconds" if waited_s >= UNLOCK_S else ""
    return StorageError(
        f"The keyring does not answer{waited}.",
        hint="Its service may hang, or it asks for its password in a window that is hidden. "
        f"Unlock it or log in again, then try again. {FOR_ONE_SESSION}",
        code="keyring_silent",
    )
