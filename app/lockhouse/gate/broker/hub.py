"""The broker's handlers for a hub of models, on huggingface_hub.

Hides that library: its types, its errors, that it waits minutes for a busy server, and
what it would tell the hub about this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from lockhouse.core.errors import LockhouseError, NotFound
from lockhouse.core.thinking import writes_reasoning
from lockhouse.gate.broker.context import BrokerContext
from lockhouse.gate.dialects.provider_errors import retry_after_s
from lockhouse.gate.hub_requests import (
    CheckHubKey,
    Gated,
    HubFile,
    HubModel,
    HubRepo,
    ReadCard,
    ReadRepo,
    ReadStart,
    SearchHub,
    is_repo,
    is_safe_file,
)
from lockhouse.gate.protocol import Done, RemoteFailure

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

_MOST_CARD_BYTES: Final = 256 << 10
_START_BYTES: Final = 48 << 20
_MOST_FOUND: Final = 200
_MOST_FILES: Final = 4000
_LISTED: Final = ("author", "downloads", "gated", "gguf", "lastModified", "likes", "tags")
_SORTS: Final = {"updated": "last_modified", "created": "created_at", "trending": "trending_score"}
_TASKS: Final = {"vision": "image-text-to-text", "embedding": "feature-extraction"}
_TAGS: Final = {"reasoning": "reasoning", "tools": "tool-use", "chat": "conversational"}
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHARD: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_FORM: Final = re.compile(
    r"(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_\d|_K)?(?:_(?:X?X?[SML]|XL|NL|XXS))*(?:_\d+)*|TQ\d_\d"
    r"|MXFP4(?:_MOE)?|NVFP4|BF16|F16|FP16|F32|FP32))(?=$|[-._/])",
    re.IGNORECASE,
)
# Linear time, whatever is in the card.
_FRONT_MATTER: Final = re.compile(r"\A---[^\S\n]*\n.*?\n---[^\S\n]*\n", re.DOTALL)
_refused_tokens: set[bytes] = set()  # their hashes, as long as this broker runs
_preparing = threading.Lock()
_prepared: list[bool] = []
_Found = TypeVar("_Found")


def search(request: SearchHub, context: BrokerContext) -> tuple[HubModel, ...]:
    """Repositories with GGUF files."""
    filters = ["gguf"]
    filters += [f"license:{request.license}"] if request.license else []
    filters += [request.language] if request.language else []
    filters += [_TAGS[request.capability]] if request.capability in _TAGS else []
    limit = max(1, min(request.limit, _MOST_FOUND))

    def ask(api: HfApi) -> list[Any]:
        found = api.list_models(
            search=request.words.strip() or None,
            filter=filters,
            pipeline_tag=_TASKS.get(request.capability),
            sort=_SORTS.get(request.sort, request.sort),  # type: ignore[arg-type] # its own words
            limit=limit,
            expand=list(_LISTED),
        )
        return list(found)

    return tuple(_model(found) for found in _asked(context, ask) if is_repo(found.id))


def read_repo(request: ReadRepo, context: BrokerContext) -> HubRepo:
    """A repository with its GGUF files."""
    _require_repo(request.repo)

    def ask(api: HfApi) -> Any:
        return api.model_info(request.repo, revision=request.revision, files_metadata=True)

    info = _asked(context, ask)
    repo = _repo(info, context.endpoint)
    return msgspec.structs.replace(repo, token_refused=has_refused_token(context))


def read_card(request: ReadCard, context: BrokerContext) -> str:
    """The model card."""
    _require_repo(request.repo)
    context.limit(body_bytes=_MOST_CARD_BYTES * 4)
    address = file_address(context.endpoint, request.repo, request.revision, "README.md")
    with opened_file(context, address) as response:
        if response.status_code == 404:
            return ""
        require_file(response, request.repo, "README.md")
        text = _first(response, _MOST_CARD_BYTES).decode("utf-8", "replace")
    return _FRONT_MATTER.sub("", text, count=1).strip()


def read_start(request: ReadStart, context: BrokerContext) -> bytes:
    """The first bytes of a file; the server may ignore the range and send all of it."""
    _require_repo(request.repo)
    count = max(1, min(request.count, _START_BYTES))
    address = file_address(context.endpoint, request.repo, request.revision, request.file)
    context.limit(body_bytes=1 << 50)  # it is not read further than asked for
    with opened_file(context, address, part=f"bytes=0-{count - 1}") as response:
        require_file(response, request.repo, request.file)
        return _first(response, count)


def check_key(_request: CheckHubKey, context: BrokerContext) -> Done:
    """Whether the hub accepts the key."""
    token = context.token()
    if not token:
        raise context.locked or NotFound(
            "There is no key for this hub.", hint="Save one: lockhouse keys set huggingface"
        )
    headers = {"Authorization": f"Bearer {token}"}
    response = context.client.get(f"{context.endpoint}/api/whoami-v2", headers=headers)
    context.require_success(response)
    return Done()


# --- files


def file_address(endpoint: str, repo: str, revision: str, file: str) -> str:
    """Where the hub serves a file."""
    if not is_safe_file(file):
        raise NotFound(f"{file!r} is not a valid file name.")
    return f"{endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(file)}"


@contextlib.contextmanager
def opened_file(
    context: BrokerContext, address: str, *, part: str = ""
) -> Iterator[httpx2.Response]:
    """The answer to a request for a plain file, or for a ``part`` of it.

    The user's token goes along where there is one, unless the hub has refused it.
    """
    headers = {"Accept-Encoding": "identity"} | ({"Range": part} if part else {})
    token = _usable_token(context)
    if token is not None:
        signed = {**headers, "Authorization": f"Bearer {token}"}
        with context.client.stream(
            "GET", address, headers=signed, follow_redirects=True
        ) as response:
            if not _refuses_token(response):
                yield response
                return
        _refused_tokens.add(_mark(token))
    with context.client.stream("GET", address, headers=headers, follow_redirects=True) as response:
        yield response


def _usable_token(context: BrokerContext) -> str | None:
    """The user's token; None where there is none, or where the hub has refused it."""
    token = context.token()
    return None if token is None or _mark(token) in _refused_tokens else token


def has_refused_token(context: BrokerContext) -> bool:
    """Whether there is a token which the hub has refused."""
    token = context.token()
    return token is not None and _mark(token) in _refused_tokens


def _refuses_token(response: httpx2.Response) -> bool:
    """Whether the hub would not take the token. What needs a token is refused in other ways."""
    return response.status_code == 401 and response.headers.get("X-Error-Code", "") != "GatedRepo"


def _mark(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def require_file(response: httpx2.Response, repo: str, file: str) -> None:
    """Raise the error that an answer other than the file means."""
    status = response.status_code
    if status < 400:
        return
    code = response.headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        raise gated(repo, status)
    if code == "RevisionNotFound":
        raise NotFound(f"{repo} has no such revision.", hint="Leave @revision out for the newest.")
    if status in (401, 403):
        raise _no_repo(repo)
    if status in (404, 410):
        raise NotFound(
            f"{repo} has no file {file} at this revision.", hint=f"See: lockhouse models get {repo}"
        )
    raise refused(status, retry_after_s(response.headers))


def refused(status: int, retry_after_s: float) -> RemoteFailure:
    """The error for a hub that is busy or fails."""
    when = f"in {retry_after_s:.0f} s" if retry_after_s else "in a while"
    code, what = "hub_failed", f"The hub answered with an error ({status})."
    if status == 429:
        code, what = "rate_limited", "The hub asks to wait (rate limit)."
    return RemoteFailure(
        what,
        hint=f"Try again {when}.",
        code=code,
        status=status,
        retry_after_s=retry_after_s,
    )


def gated(repo: str, status: int) -> RemoteFailure:
    """The error for a repository whose owner has to grant access."""
    what = f"{repo} requires that you accept its terms first."
    hint = (
        f"Accept them on the page of {repo}, create a token that can read, and save it with:"
        " lockhouse keys set huggingface"
    )
    if status == 403:
        what = f"The owner of {repo} grants access by hand, and your account has none yet."
        hint = f"Request access on the page of {repo}, then try again."
    return RemoteFailure(what, hint=hint, code="gated", status=status)


def _no_repo(repo: str) -> NotFound:
    return NotFound(
        f"The hub has no model {repo}, or it is private.",
        hint=f'Check the spelling, or search: lockhouse models search "{repo.partition("/")[2]}"',
    )


def _require_repo(repo: str) -> None:
    if not is_repo(repo):
        raise NotFound(f"{repo!r} is not the name of a repository.", hint="Write it as org/repo.")


def _first(response: httpx2.Response, count: int) -> bytes:
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) >= count:
            break
    return bytes(data[:count])


# --- huggingface_hub


def _asked(context: BrokerContext, ask: Callable[[HfApi], _Found]) -> _Found:
    """What the library returns, or our error for its own."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    _prepare(context.make_client)
    token = _usable_token(context)
    api = HfApi(endpoint=context.endpoint, token=token or False)
    try:
        return ask(api)
    except HfHubHTTPError as error:
        if token is not None and _refuses_token(error.response):
            _refused_tokens.add(_mark(token))
            return _asked(context, ask)
        raise _naming_token(_mapped(error), context) from error
    except HFValidationError as error:
        raise NotFound("This is not a valid model name for the hub.") from error


def _naming_token(error: LockhouseError, context: BrokerContext) -> LockhouseError:
    """The refusal of what may need a token, when the user's was refused before."""
    if has_refused_token(context) and (isinstance(error, NotFound) or error.code == "gated"):
        bad = "The token saved for the hub is not valid. Replace it: lockhouse keys set huggingface"
        error.hint = f"{bad}\n{error.hint}"
    return error


def _mapped(error: HfHubHTTPError) -> LockhouseError:
    """Our error for one of the library's."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return gated(_repo_of(error), error.response.status_code)
    if isinstance(error, RevisionNotFoundError):
        return NotFound(
            f"{_repo_of(error)} has no such revision.", hint="Leave @revision out for the newest."
        )
    if isinstance(error, RepositoryNotFoundError):
        return _no_repo(_repo_of(error))
    return refused(error.response.status_code, retry_after_s(error.response.headers))


def _prepare(make_client: Callable[[], httpx2.Client]) -> None:
    """Give the library the guarded client, once; it keeps it for all threads."""
    from huggingface_hub import set_client_factory

    with _preparing:
        if not _prepared:
            set_client_factory(lambda: _impatient(make_client()))
            _prepared.append(True)


def _impatient(client: httpx2.Client) -> httpx2.Client:
    """A client with which the library never waits and retries: a person is waiting already."""

    def raise_if_busy(response: httpx2.Response) -> None:
        status = response.status_code
        if (status == 429 or status >= 500) and "/api/" in response.url.path:
            raise refused(status, retry_after_s(response.headers))

    hooks = client.event_hooks
    client.event_hooks = {**hooks, "response": [*hooks.get("response", []), raise_if_busy]}
    return client


def _repo_of(error: Any) -> str:
    return str(getattr(error, "repo_id", "") or "that name")


def _gated(value: object) -> Gated:
    if value == "manual":
        return "manual"
    return "auto" if value else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 1 << 60 else 0


def _text(value: object, limit: int = 300) -> str:
    """Text from the hub, harmless to show in one line."""
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value[:8])
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value if char.isprintable())[:limit]


def _model(found: Any) -> HubModel:
    gguf = found.gguf if isinstance(found.gguf, dict) else {}
    tags = tuple(_text(tag) for tag in (found.tags or ())[:100])
    return HubModel(
        repo=found.id,
        author=_text(found.author) or found.id.split("/")[0],
        title=found.id.split("/")[-1],
        downloads=_number(found.downloads),
        likes=_number(found.likes),
        license=_license(tags, {}),
        tags=tags,
        updated_at=found.last_modified.isoformat() if found.last_modified else "",
        gated=_gated(found.gated),
        parameters=_number(gguf.get("total")),
        architecture=_text(gguf.get("architecture")),
        context_length=_number(gguf.get("context_length")),
    )


def _repo(info: Any, endpoint: str) -> HubRepo:
    name, commit = str(info.id), str(info.sha or "")
    if not is_repo(name) or not _COMMIT.fullmatch(commit):  # both become names of folders
        raise RemoteFailure(
            "The hub sent an invalid name of a repository or revision, so its answer was ignored.",
            hint="Check which address is allowed: lockhouse status",
            code="hub_answer_invalid",
        )
    gguf = info.gguf if isinstance(info.gguf, dict) else {}
    card = info.card_data.to_dict() if info.card_data is not None else {}
    tags = tuple(_text(tag) for tag in (info.tags or ())[:200])
    bases = card.get("base_model")
    languages = card.get("language") or ()
    if isinstance(languages, str):
        languages = (languages,)
    return HubRepo(
        repo=name,
        revision=commit,
        license=_license(tags, card),
        gated=_gated(info.gated),
        files=_files(info.siblings or ()),
        parameters=_number(gguf.get("total")),
        architecture=_text(gguf.get("architecture")),
        context_length=_number(gguf.get("context_length")),
        base_model=_text(bases[0] if isinstance(bases, list) and bases else bases),
        languages=tuple(_text(language, 40) for language in languages[:50]),
        capabilities=_capabilities(info, tags, str(gguf.get("chat_template") or "")),
        updated_at=info.last_modified.isoformat() if info.last_modified else "",
        license_url=_text(card.get("license_link")),
        url=f"{endpoint}/{name}",
    )


def _license(tags: Iterable[str], card: dict[str, Any]) -> str:
    tagged = next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), "")
    named = _text(card.get("license_name"))
    stated = _text(card.get("license")) or tagged
    return named if stated == "other" and named else stated


def _files(siblings: Iterable[Any]) -> tuple[HubFile, ...]:
    files = []
    for sibling in siblings:
        name = str(sibling.rfilename)
        if not name.lower().endswith(".gguf") or not is_safe_file(name):
            continue
        shard = _SHARD.search(name)
        large = sibling.lfs
        size = large.size if large is not None else sibling.size
        files.append(
            HubFile(
                name=name,
                size_bytes=_number(size),
                sha256=large.sha256 if large is not None else "",
                quantization=quantization_of(name),
                shard_index=int(shard[1]) - 1 if shard else 0,
                shard_count=max(1, int(shard[2])) if shard else 1,
                is_projector="mmproj" in name.lower(),
                blob_id=str(sibling.blob_id or ""),
            )
        )
        if len(files) >= _MOST_FILES:
            break
    return tuple(files)


def quantization_of(name: str) -> str:
    """The quantization in a file's name; empty when there is none."""
    found = _FORM.findall(_SHARD.sub("", name).removesuffix(".gguf"))
    form = str(found[-1]).upper() if found else ""
    return {"FP16": "F16", "FP32": "F32"}.get(form, form)


def _capabilities(info: Any, tags: tuple[str, ...], template: str) -> tuple[str, ...]:
    found = []
    if info.pipeline_tag in ("feature-extraction", "sentence-similarity"):
        return ("embedding",)
    if template or "conversational" in tags or info.pipeline_tag == "text-generation":
        found.append("chat")
    if "reasoning" in tags or writes_reasoning(template):
        found.append("reasoning")
    names = [str(sibling.rfilename).lower() for sibling in info.siblings or ()]
    if info.pipeline_tag == "image-text-to-text" or any("mmproj" in name for name in names):
        found.append("vision")
    if "tool-use" in tags or re.search(r"\btools\b", template):
        found.append("tools")
    return tuple(found)
