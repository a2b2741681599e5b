"""A hub of models on two loopback ports: its interface and pages on one, the files on the other.

Speaks what the huggingface_hub client speaks: /api/models with filters and Link paging, model
info with and without blobs, tree, resolve with a redirect, ETag, X-Linked-*, X-Repo-Commit and
Range. Misbehaves as the files' faults say. ``python -m tests.hub.server`` serves a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.hub.content import Blob, Fault, Repo, commit_of

PAGE = 20
TOKEN = "hf_the_right_one"
_CHUNK = 1 << 20


@dataclass(slots=True)
class Request:
    """One request that came."""

    port: str  # "hub" or "cdn"
    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class HubServer:
    """The two servers. A context manager."""

    repos: dict[str, Repo] = field(default_factory=dict)
    page: int = PAGE
    requests: list[Request] = field(default_factory=list)
    busy: list[tuple[int, int]] = field(default_factory=list)
    """(status, Retry-After) of the next requests to /api, one each."""
    sent_bytes: int = 0
    tls: ssl.SSLContext | None = None
    _servers: list[ThreadingHTTPServer] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        for name in ("hub", "cdn"):
            handler = type(f"{name}Handler", (_Handler,), {"hub": self, "port_name": name})
            server = _Server(("127.0.0.1", 0), handler)
            server.daemon_threads = True
            if self.tls is not None:  # the handshake is made by the thread of the connection
                server.socket = self.tls.wrap_socket(
                    server.socket, server_side=True, do_handshake_on_connect=False
                )
            self._servers.append(server)
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """For HF_ENDPOINT."""
        return f"{self._scheme}://127.0.0.1:{self._servers[0].server_port}"

    @property
    def _scheme(self) -> str:
        return "http" if self.tls is None else "https"

    @property
    def cdn_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._servers[1].server_port}"

    @property
    def hosts(self) -> tuple[str, str]:
        """Both, as host:port."""
        return self.url.partition("//")[2], self.cdn_url.partition("//")[2]

    def add(self, name: str, files: dict[str, bytes | Path | Blob], **more: Any) -> Repo:
        """A repository with one commit."""
        blobs = {
            file: content if isinstance(content, Blob) else Blob(content, lfs=_is_large(file))
            for file, content in files.items()
        }
        repo = Repo(name, {commit_of(name, "first"): blobs}, **more)
        self.repos[name] = repo
        return repo

    def content_requests(self, file: str = "") -> list[Request]:
        """The requests for content of a file, HEAD left out."""
        return [
            each
            for each in self.requests
            if each.port == "cdn" and each.method == "GET" and file in unquote(each.path)
        ]


def _is_large(file: str) -> bool:
    return file.endswith((".gguf", ".safetensors", ".bin"))


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error here."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    port_name: str
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        with self.hub.lock:
            request = Request(self.port_name, self.command, self.path, headers)
            self.hub.requests.append(request)
        parts = [unquote(part) for part in path.path.split("/") if part]
        if self.port_name == "cdn":
            self._serve_content(parts)
        elif parts[:2] == ["api", "models"]:
            self._serve_api(parts[2:], parse_qs(path.query))
        elif len(parts) >= 5 and parts[2] in ("resolve", "raw"):
            self._serve_resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._refuse(404, "", "Sorry, we can't find the page you are looking for.")

    # The interface

    def _serve_api(self, parts: list[str], query: dict[str, list[str]]) -> None:
        if self.hub.busy:
            status, wait_s = self.hub.busy.pop(0)
            more = {"Retry-After": str(wait_s)} if wait_s else {}
            self._refuse(status, "", "Try again later.", more)
        elif not parts:
            self._serve_list(query)
        elif len(parts) == 2:
            self._serve_info("/".join(parts), "main", query)
        elif len(parts) == 4 and parts[2] == "revision":
            self._serve_info("/".join(parts[:2]), parts[3], query)
        elif len(parts) >= 4 and parts[2] == "tree":
            self._serve_tree("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._refuse(404, "", "Not found")

    def _serve_list(self, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].lower().split()
        wanted = [word for each in query.get("filter", []) for word in each.split(",")]
        kind = query.get("pipeline_tag", [""])[0]
        found = [
            repo
            for repo in self.hub.repos.values()
            if all(word in repo.name.lower() for word in words)
            and all(tag in repo.all_tags for tag in wanted)
            and kind in ("", repo.pipeline_tag)
            and not repo.private
        ]
        key = query.get("sort", ["downloads"])[0]
        order = {"likes": lambda repo: repo.likes, "lastModified": lambda repo: repo.modified}
        found.sort(key=order.get(key, lambda repo: repo.downloads), reverse=True)
        limit = min(int(query.get("limit", ["1000"])[0]), self.hub.page)
        start = int(query.get("cursor", ["0"])[0])
        page = found[start : start + limit]
        headers = {}
        if start + limit < len(found):
            following = {key: values for key, values in query.items() if key != "cursor"}
            following["cursor"] = [str(start + limit)]
            address = f"{self.hub.url}/api/models?{urlencode(following, doseq=True)}"
            headers["Link"] = f'<{address}>; rel="next"'
        expand = query.get("expand", [])
        self._send_json([self._entry(repo, expand) for repo in page], headers)

    def _entry(self, repo: Repo, expand: Iterable[str]) -> dict[str, Any]:
        entry = {
            "_id": commit_of(repo.name)[:24],
            "id": repo.name,
            "modelId": repo.name,
            "author": repo.name.split("/")[0],
            "private": repo.private,
            "gated": repo.gated or False,
            "downloads": repo.downloads,
            "likes": repo.likes,
            "lastModified": repo.modified,
            "tags": list(repo.all_tags),
            "pipeline_tag": repo.pipeline_tag or None,
            "sha": repo.main,
            "gguf": dict(repo.gguf) or None,
            "cardData": dict(repo.card) or None,
        }
        always = {"_id", "id", "modelId"}
        chosen = always | set(expand) if expand else set(entry) - {"gguf", "cardData", "sha"}
        return {key: value for key, value in entry.items() if key in chosen and value is not None}

    def _serve_info(self, name: str, revision: str, query: dict[str, list[str]]) -> None:
        repo, commit = self._find(name, revision)
        if repo is None or commit is None:
            return
        siblings = []
        for file, blob in repo.commits[commit].items():
            sibling: dict[str, Any] = {"rfilename": file}
            if "blobs" in query:
                sibling |= {"blobId": blob.oid, "size": blob.size_bytes}
                if blob.lfs:
                    sibling["lfs"] = {
                        "sha256": blob.sha256,
                        "size": blob.size_bytes,
                        "pointerSize": 135,
                    }
            siblings.append(sibling)
        entry = self._entry(repo, ())
        entry |= {"sha": commit, "siblings": siblings, "disabled": False}
        entry |= repo.poses_as
        entry |= {"gguf": dict(repo.gguf)} if repo.gguf else {}
        entry |= {"cardData": dict(repo.card)} if repo.card else {}
        self._send_json(entry)

    def _serve_tree(self, name: str, revision: str, folder: str) -> None:
        repo, commit = self._find(name, revision)
        if repo is None or commit is None:
            return
        rows = []
        for file, blob in repo.commits[commit].items():
            if not file.startswith(folder):
                continue
            row: dict[str, Any] = {
                "type": "file",
                "oid": blob.oid,
                "size": blob.size_bytes,
                "path": file,
            }
            if blob.lfs:
                row["lfs"] = {"oid": blob.sha256, "size": blob.size_bytes, "pointerSize": 135}
            rows.append(row)
        self._send_json(rows)

    def _find(self, name: str, revision: str) -> tuple[Repo | None, str | None]:
        """The repository and the commit that are meant, or a refusal sent."""
        repo = self.hub.repos.get(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token != TOKEN:
            self._refuse(401, "", "Invalid credentials in Authorization header")
            return None, None
        if repo is None or (repo.private and not token):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return None, None
        commit = repo.commit(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repo, commit

    # Files

    def _serve_resolve(self, name: str, revision: str, file: str) -> None:
        repo, commit = self._find(name, revision)
        if repo is None or commit is None:
            return
        blob = repo.commits[commit].get(file)
        if blob is None:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        if repo.gated and not self.headers.get("Authorization"):
            text = f"Access to model {name} is restricted. You must be authenticated to access it."
            self._refuse(401, "GatedRepo", text)
            return
        if repo.gated == "manual":
            text = f"Access to model {name} is restricted and you are not in the authorized list."
            self._refuse(403, "GatedRepo", text)
            return
        head = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not blob.lfs:
            self._send_blob(blob, {**head, "ETag": f'"{blob.oid}"'}, [])
            return
        faults = [fault for fault in blob.faults if fault.kind in ("elsewhere", "changed")]
        struck = [fault for fault in faults if self.command == "GET" and fault.strikes(0, 1)]
        target = f"{self.hub.cdn_url}/{quote(name)}/{commit}/{quote(file)}?signature=x"
        linked, size = blob.sha256, blob.size_bytes
        for fault in struck:
            if fault.kind == "elsewhere":
                target = target.replace(self.hub.cdn_url, fault.text)
            else:
                linked = commit_of(blob.sha256) + "0" * 24
        head |= {
            "X-Linked-Size": str(size),
            "X-Linked-ETag": f'"{linked}"',
            "ETag": f'"{linked}"',
            "Location": target,
        }
        self._refuse(302, "", "", head)

    def _serve_content(self, parts: list[str]) -> None:
        repo = self.hub.repos.get("/".join(parts[:2]))
        blob = repo.commits.get(parts[2], {}).get("/".join(parts[3:])) if repo else None
        if blob is None:
            self._refuse(404, "", "No such key")
            return
        self._send_blob(blob, {"ETag": f'"{blob.sha256[:32]}"'}, blob.faults)

    def _send_blob(self, blob: Blob, head: dict[str, str], faults: list[Fault]) -> None:
        size = blob.size_bytes
        start, end, ranged = 0, size, False
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and "," not in asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else size, size)
            ranged = True
        struck = []
        if self.command == "GET":
            with self.hub.lock:
                struck = [
                    fault
                    for fault in faults
                    if fault.kind not in ("elsewhere", "changed") and fault.strikes(start, end)
                ]
        by_kind = {fault.kind: fault for fault in struck}
        if "no range" in by_kind:
            start, end, ranged = 0, size, False
        if (refusal := by_kind.get("status")) is not None:
            more = {"Retry-After": str(refusal.length)} if refusal.length else {}
            self._refuse(refusal.at, "", "refused", more)
            return
        if start >= size and ranged:
            self._refuse(416, "", "", {"Content-Range": f"bytes */{size}"})
            return
        total = by_kind["other length"].length if "other length" in by_kind else size
        self.send_response_only(206 if ranged else 200)
        self.send_header("Date", formatdate(usegmt=True))
        self.send_header("Content-Type", "application/octet-stream")
        announced = end - start if ranged or total == size else total
        self.send_header("Content-Length", str(announced))
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        for key, value in head.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self._send_body(blob, start, min(end, start + announced), by_kind)

    def _send_body(self, blob: Blob, start: int, end: int, faults: dict[Any, Fault]) -> None:
        self.connection.settimeout(None)
        stops = [each for each in ("reset", "stall", "too short") if each in faults]
        if stops:
            end = max(start, min(end, faults[stops[0]].at))
        position = start
        for flipped in [faults[each] for each in ("wrong bytes",) if each in faults]:
            low, high = max(position, flipped.at), min(end, flipped.at + flipped.length)
            if low < high:
                self._send_plain(blob, position, low, faults)
                self._count(high - low)
                wrong = bytes(255 - each for each in _read(blob, low, high))
                self.connection.sendall(wrong)
                position = high
        self._send_plain(blob, position, end, faults)
        if not stops:
            return
        self.close_connection = True
        if stops[0] == "stall":
            self._wait_for_the_client()
        elif stops[0] == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _send_plain(self, blob: Blob, start: int, end: int, faults: dict[Any, Fault]) -> None:
        if start >= end:
            return
        if (drip := faults.get("drip")) is not None:
            self._drip(blob, start, end, drip)
        elif isinstance(blob.source, bytes):
            self.connection.sendall(memoryview(blob.source)[start:end])
            self._count(end - start)
        else:
            with blob.source.open("rb") as file:
                while start < end:
                    sent = os.sendfile(
                        self.connection.fileno(), file.fileno(), start, min(end - start, 16 << 20)
                    )
                    start += sent
                    self._count(sent)

    def _drip(self, blob: Blob, start: int, end: int, fault: Fault) -> None:
        step = max(1, fault.length // 50)
        if start < fault.at:
            self.connection.sendall(_read(blob, start, min(end, fault.at)))
            start = fault.at
        while start < end and not self.hub.stopping.is_set():
            self.connection.sendall(_read(blob, start, min(end, start + step)))
            self._count(min(end, start + step) - start)
            start += step
            time.sleep(0.02)

    def _wait_for_the_client(self) -> None:
        while not self.hub.stopping.is_set():
            if select.select([self.connection], [], [], 0.05)[0]:
                return

    def _count(self, sent: int) -> None:
        with self.hub.lock:
            self.hub.sent_bytes += sent

    # Answers

    def _send_json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(
        self, status: int, code: str, text: str, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps({"error": text}).encode() if text else b""
        self.send_response_only(status)
        if code:
            self.send_header("X-Error-Code", code)
        if text:
            self.send_header("X-Error-Message", text)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _read(blob: Blob, start: int, end: int) -> bytes:
    if isinstance(blob.source, bytes):
        return blob.source[start:end]
    with blob.source.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _main() -> None:
    """Serve one file, so that a benchmark has the server in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--repo", default="bench/model-GGUF")
    arguments = parser.parse_args()
    with HubServer() as hub:
        blob = Blob(arguments.file, sha256=arguments.sha256)
        repo = hub.add(arguments.repo, {arguments.file.name: blob})
        print(hub.url, hub.cdn_url, repo.main, flush=True)
        hub.stopping.wait()


if __name__ == "__main__":
    _main()
