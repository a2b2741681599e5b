"""Maps errors of the network, of hosts and of libraries to what the user can do about them.

Codes are stable: ``host_not_allowed``, ``key_unencrypted``, ``dns``, ``connection_refused``,
``tls``, ``timed_out``, ``connection_lost``, ``network_unreachable``, ``too_large``,
``unauthorized``, ``forbidden``, ``gated``, ``not_there``, ``rate_limited``, ``remote_failed``.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping

import httpx2

from lockhouse.core.errors import LockhouseError, NoRoom
from lockhouse.gate.dialects.provider_errors import clean, retry_after_s
from lockhouse.gate.protocol import RemoteFailure

# What the libraries of the broker raise when they mean it; anything else is a bug.
KNOWN = (LockhouseError, OSError, httpx2.HTTPError, httpx2.InvalidURL)

_LATER = "Try again in a while."
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def map_error(error: BaseException) -> LockhouseError | None:
    """The error in the user's words; None for a bug."""
    if isinstance(error, LockhouseError):
        return error
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response) and response.status_code >= 400:
        return for_status(
            response.status_code, response.headers, response.url.host, type(error).__name__
        )
    where = _host_of(error)
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return RemoteFailure(
            f"{where} did not answer in time.",
            hint="The host or the network is slow or down. " + _LATER,
            code="timed_out",
        )
    if isinstance(error, httpx2.ConnectError):
        return _not_connected(_system_error(error), where)
    if isinstance(error, httpx2.TransportError | ConnectionError | ssl.SSLError):
        return RemoteFailure(
            f"The connection to {where} was lost: {str(error) or type(error).__name__}.",
            hint="What came so far is kept where it can be. Try again.",
            code="connection_lost",
        )
    if isinstance(error, httpx2.TooManyRedirects):
        return RemoteFailure(f"{where} redirects without end.")
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL):
        return RemoteFailure(f"The request to {where} failed: {error}.", code="remote_failed")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom("The disk is full.", hint="Free some space, then continue.", code="disk_full")
    return None


def _host_of(error: BaseException) -> str:
    # httpx raises when the error of a request that was never sent is asked for it
    request = getattr(error, "_request", None)
    return request.url.netloc.decode() if isinstance(request, httpx2.Request) else "the host"


def _system_error(error: BaseException) -> BaseException:
    """The system's error below those of the libraries."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        # httpcore's pool raises "from None", which hides a cause and leaves the context
        found = found.__cause__ or found.__context__
    return found or error


def _not_connected(cause: BaseException, where: str) -> LockhouseError:
    if isinstance(cause, socket.gaierror):
        return RemoteFailure(
            f"The address of {where} could not be found.",
            hint="Check the name and that this machine is connected.",
            code="dns",
        )
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
        return RemoteFailure(
            f"{where} could not prove its identity: {reason}.",
            hint="The connection may be intercepted. If this is your own server, add its "
            "certificate to the system's.",
            code="tls",
        )
    if isinstance(cause, ConnectionRefusedError):
        return RemoteFailure(
            f"{where} refuses connections.",
            hint="Check the port and that the server is running.",
            code="connection_refused",
        )
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return RemoteFailure(
            f"{where} cannot be reached from this machine.",
            hint="Check that this machine is connected.",
            code="network_unreachable",
        )
    return RemoteFailure(f"No connection to {where}: {cause}.", hint=_LATER)


def for_status(status: int, headers: Mapping[str, str], host: str, name: str = "") -> RemoteFailure:
    """The error for an HTTP status. ``name`` is the class of the hub library's error, if any."""
    said = clean(headers.get("x-error-message", ""))
    code, message, hint = "remote_failed", f"{host} answered with the error {status}.", _LATER
    wait_s = 0.0
    if name == "GatedRepoError" or headers.get("x-error-code") == "GatedRepo":
        code, message = "gated", "The authors of this model have to grant you access first."
        hint = (
            "Accept the terms on the model's page, then save your access token: "
            "lockhouse keys set huggingface"
        )
    elif status == 401:
        code, message = "unauthorized", f"{host} requires a valid key for this."
        hint = "Check that the name is right; for private models: lockhouse keys set huggingface"
    elif status == 403:
        code, message = "forbidden", f"{host} does not allow you to read this."
        hint = "Your key may not have access to it: lockhouse keys set huggingface"
    elif status in (404, 410):
        code, message = "not_there", f"{host} has nothing under this name."
        hint = "Check the name and the revision."
    elif (status in (429, 503) and (wait_s := retry_after_s(headers))) or status == 429:
        code, message = "rate_limited", f"{host} asks to wait before the next request."
        hint = f"Try again in {wait_s:.0f} seconds." if wait_s else _LATER
    elif status == 407:
        code, message, hint = "proxy", "The proxy requires a login, which is not supported.", ""
    if said:
        message = f"{message.rstrip('.')}: {said}"
    return RemoteFailure(message, hint=hint, code=code, status=status, retry_after_s=wait_s)
