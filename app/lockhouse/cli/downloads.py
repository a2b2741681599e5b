"""``lockhouse models search``, ``get``, ``updates``, ``catalogue``, and ``transfers``: downloads.

A download is a row in the queue that the window shows too: stopped with Ctrl-C, killed or
interrupted, the same command resumes it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, as_json, json_option
from lockhouse.cli.stream_printer import Answer, signals_stop
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import (
    Cancelled,
    InvalidInput,
    LockhouseError,
    NetworkRefused,
    NoRoom,
    StorageError,
    UsageMistake,
)

if TYPE_CHECKING:
    from lockhouse.gate.hub import HubModel, HubRepo, Reference
    from lockhouse.gate.hub_requests import Capability, Sort
    from lockhouse.library.catalogue import Entry
    from lockhouse.library.file_choice import FileChoice
    from lockhouse.library.model_info import ModelInfo
    from lockhouse.library.transfers import Transfer
    from lockhouse.workspace import Workspace

_GROUPS = ("Small", "Balanced", "Large", "Original")
_INVALID = frozenset({"changed", "hash_mismatch", "exists", "invalid_input"})
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


@click.command(short_help="Search the hub for models.")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--license", "license_name", default="", help="Only this licence, such as mit.")
@click.option(
    "--capability",
    type=click.Choice(["chat", "reasoning", "vision", "embedding", "tools"]),
    default=None,
    help="Only models with this capability.",
)
@click.option("--language", default="", help="Only models for this language, such as de.")
@click.option(
    "--sort",
    type=click.Choice(["downloads", "likes", "updated", "created", "trending"]),
    default="downloads",
    show_default=True,
)
@as_json
def search(
    cli: CliContext,
    words: tuple[str, ...],
    *,
    limit: int,
    license_name: str,
    capability: Capability | None,
    language: str,
    sort: Sort,
) -> None:
    """Search the hub for repositories with GGUF files whose name contains WORDS."""
    with cli.workspace() as workspace:
        _require_open(workspace)
        found = workspace.hub.search(
            " ".join(words),
            limit=limit,
            license=license_name,
            capability=capability or "",
            language=language,
            sort=sort,
        )
    if output.write_list(
        found,
        ("REPOSITORY", "SIZE", "KIND", "LICENCE", "DOWNLOADS", "UPDATED", ""),
        _search_row,
        empty=f'No model on the hub matches "{" ".join(words)}". Try fewer words.',
    ):
        output.note("Get one: lockhouse models get REPOSITORY")


def _search_row(model: HubModel) -> Sequence[object]:
    return (
        model.repo,
        _billions(model.parameters),
        model.architecture,
        model.license,
        model.downloads,
        model.updated_at[:10],
        "gated" if model.gated else "",
    )


def _billions(parameters: int) -> str:
    if parameters >= 1e9:
        return f"{parameters / 1e9:.1f} B"
    return f"{parameters / 1e6:.0f} M" if parameters else ""


@click.command(short_help="Download a model.")
@click.argument("reference", metavar="REPO[:FILE or QUANT][@REVISION]")
@click.option("--dry-run", is_flag=True, help="Only show which files there are.")
@click.option("--yes", is_flag=True, help="Do not ask; take the recommended file.")
@as_json
def get(cli: CliContext, reference: str, *, dry_run: bool, yes: bool) -> int:
    """Download a model, given by the name of its repository, its address or that of a file.

    Without a file or quantization, the one recommended for this machine is suggested. A download
    that was stopped is resumed.
    """
    wanted = reference_of(reference)
    with cli.workspace() as workspace:
        _require_open(workspace)
        repo = workspace.hub.repo(wanted.repo, wanted.revision)
        _note_token(repo)
        found = _choices(workspace, repo)
        if dry_run:
            _show_plan(repo, found, wanted)
            return 0
        chosen = _chosen(found, wanted, yes=yes)
        here = [
            model
            for model in workspace.models.list()
            if chosen.here and model.sha256 == chosen.files[0].sha256
        ]
        if here and not yes:
            return _write_here(here[0])
        transfer = workspace.transfers.add(repo, chosen.files, label=chosen.label)
        if transfer.state in ("paused", "failed"):
            workspace.transfers.resume(transfer.id)
        (ended,) = _run(workspace, [transfer.id], resume=f"models get {reference}")
        if ended.state != "done" or ended.destination is None:
            raise _as_error(ended)
        model = workspace.models.get(str(ended.destination))
    if not output.wrote_json(model):
        was_here = any(place.path == ended.destination for one in here for place in one.places)
        what = "already here" if was_here else output.size(ended.size_bytes)
        output.write_line(f"{model.name}: {what}, hash verified")
        output.note(f'Ask it: lockhouse ask -m {model.name} "..."')
    return 0


def reference_of(text: str) -> Reference:
    """The repository that was named. A short name, as Ollama has them, is looked up by hand."""
    from lockhouse.gate.hub import parse_reference
    from lockhouse.library.catalogue import catalogue as bundled

    try:
        return parse_reference(text)
    except UsageMistake as error:
        if "/" in text or not text.strip():
            raise
        meant = [entry.repo for entry in bundled().models if entry.is_called(text)][:3]
        known = f"Well-known: {', '.join(meant)}. " if meant else ""
        words = text.partition(":")[0]
        raise UsageMistake(
            error.message, hint=f"{known}Search the hub: lockhouse models search {words}"
        ) from error


def _write_here(model: ModelInfo) -> int:
    """The same file is on this machine; nothing needs to be downloaded."""
    from lockhouse.library.model_info import OWN

    own = next((place.path for place in model.places if place.owner == OWN), None)
    output.write_outcome(model, f"Already downloaded: {own or model.path}")
    if own is None and not output.is_json():
        output.note(f"It is in the folder of {model.owner}. To download your own copy, add --yes.")
    return 0


def _require_open(workspace: Workspace) -> None:
    if not workspace.hub.is_open:
        raise workspace.hub.why_closed()


def _note_token(repo: HubRepo) -> None:
    if repo.token_refused:
        output.note(
            "note: the hub does not accept the saved token; what is public comes without it."
            " Replace it: lockhouse keys set huggingface"
        )


def _choices(workspace: Workspace, repo: HubRepo) -> list[FileChoice]:
    """The files of the repository, judged by the header of one of them where it can be read."""
    from lockhouse.library.file_choice import choices, remote_header, smallest
    from lockhouse.library.fit import machine_now

    headers = {}
    example = smallest(repo)
    status = output.StatusLine()
    if example is not None:
        status.show("Reading the header of the model")
        try:
            headers[example.name] = remote_header(workspace.hub, repo, example)
        except LockhouseError as error:
            if error.code == "gated":
                raise
            output.note(f"note: {error.message} What fits is estimated from the file sizes.")
        finally:
            status.clear()
    here = {model.sha256 for model in workspace.models.list() if model.sha256}
    return choices(repo, machine_now(workspace.engines), headers, here=here)


def _chosen(found: Sequence[FileChoice], wanted: Reference, *, yes: bool) -> FileChoice:
    """The file to download; asks only at a terminal."""
    from lockhouse.library.file_choice import pick

    named = bool(wanted.file or wanted.quantization)
    can_ask = all(map(output.is_terminal, (sys.stdin, sys.stderr))) and not output.is_json()
    chosen = pick(found, wanted)
    if named:
        if chosen.fit.word == "won't fit" and not yes:
            if not can_ask:
                raise NoRoom(
                    f"{chosen.label} would not run here. {chosen.fit.reason}",
                    hint="Download it anyway with --yes, or choose a smaller one.",
                    code="no_fit",
                )
            output.note(f"{chosen.label} would not run here. {chosen.fit.reason}")
            click.confirm("Download it anyway?", abort=True, err=True)
        return chosen
    if yes or len(found) == 1:
        return chosen
    if not can_ask:
        raise UsageMistake(
            f"{wanted.repo} has {len(found)} files to choose from.",
            hint=f"Name one, as {wanted.repo}:{chosen.label}, or take the recommended one"
            f" ({chosen.label}) with --yes. See all of them with --dry-run.",
            code="needs_confirmation",
        )
    _write_choices(found, to_stderr=True)
    while True:
        answer = click.prompt("Which one?", default=chosen.label, err=True)
        try:
            return pick(found, _answered(wanted, str(answer)))
        except LockhouseError as error:
            output.note(f"{error.message} {error.hint}")


def _answered(wanted: Reference, answer: str) -> Reference:
    """The same repository, with the file that the user typed."""
    import msgspec

    is_file = answer.lower().endswith(".gguf")
    return msgspec.structs.replace(
        wanted, file=answer if is_file else "", quantization="" if is_file else answer
    )


def _show_plan(repo: HubRepo, found: Sequence[FileChoice], wanted: Reference) -> None:
    from lockhouse.library.file_choice import pick

    try:
        chosen = pick(found, wanted)
    except InvalidInput:  # nothing fits; the files can be shown anyway
        chosen = None
    listed = [{**output.plain(each), "chosen": each is chosen} for each in found]
    head = output.plain(repo)
    del head["files"]
    if output.wrote_json({**head, "choices": listed}):
        return
    _write_choices(found)
    if repo.gated:
        output.note("Gated: available only after you accept the terms of its owner.")
    output.note(f"{repo.repo} at {repo.revision[:12]}, licence: {repo.license or 'not stated'}")
    if chosen is not None:
        output.note(f"Would download {chosen.label}, {output.size(chosen.size_bytes)}.")


def _write_choices(found: Sequence[FileChoice], *, to_stderr: bool = False) -> None:
    rows = []
    for group in _GROUPS:
        rows += [
            [
                each.quality,
                each.label,
                output.size(each.size_bytes),
                each.loss,
                each.fit.word,
                "recommended" if each.recommended else "here" if each.here else "",
            ]
            for each in found
            if each.quality == group
        ]
    headings = ["", "QUANT", "SIZE", "LOSS", "FIT", ""]
    if to_stderr:
        for row in rows:
            output.note("  ".join(str(cell).ljust(11) for cell in row).rstrip())
    else:
        output.write_table(headings, rows)
    for each in found:
        if each.recommended:
            output.note(f"{each.label}: {each.reason}")


@click.command(short_help="Check the hub for newer revisions.")
@click.argument("names", nargs=-1, metavar="[MODEL]...", shell_complete=models_here)
@as_json
def updates(cli: CliContext, names: tuple[str, ...]) -> None:
    """Check whether the hub has newer files of downloaded models. Downloads nothing."""
    from lockhouse.library.updates import find_newer

    with cli.workspace() as workspace:
        _require_open(workspace)
        models = workspace.models
        asked = [models.get(name) for name in names] if names else models.list()
        checked = find_newer(workspace.hub, models, asked)
    if output.wrote_json(checked):
        return
    newer = [each for each in checked if each.newer_revision]
    for each in newer:
        size = "here already" if each.here_as else output.size(each.size_bytes)
        output.write_line(f"{each.name}: newer at {each.newer_revision[:12]} ({size})")
        if each.here_as:
            output.note(f"  lockhouse models use {each.name} {each.here_as[:12]}")
        else:
            output.note(f"  lockhouse models get {each.repo}:{each.file}")
    for each in checked:
        if each.problem:
            output.note(f"{each.name}: {each.problem}")
    if not newer:
        count = len(checked) - sum(bool(each.problem) for each in checked)
        none = "No model was downloaded from a hub."
        output.note(f"Nothing newer: {output.count(count, 'model')} checked." if checked else none)


@click.command(short_help="List well-known models; works offline.")
@click.argument("words", nargs=-1)
@json_option
def catalogue(words: tuple[str, ...]) -> None:
    """List well-known models with licence and size. Works without a network."""
    from lockhouse.library.catalogue import catalogue as bundled

    known = bundled()
    found = [entry for entry in known.models if entry.matches(words)]
    if output.write_list(
        found,
        ("MODEL", "SIZE", "QUANTIZATIONS (ABOUT)", "LICENCE", "CAN", "REPOSITORY"),
        _catalogue_row,
        empty=f'No model in the catalogue matches "{" ".join(words)}".',
    ):
        output.note(known.about)


def _catalogue_row(entry: Entry) -> Sequence[object]:
    forms = (f"{form.quantization} {output.size(form.size_bytes)}" for form in entry.forms)
    return (
        entry.title,
        f"{entry.parameters / 1e9:.1f} B",
        ", ".join(forms),
        entry.license,
        ", ".join(entry.capabilities),
        entry.repo,
    )


# Transfers


def _run(workspace: Workspace, ids: Sequence[str], *, resume: str) -> list[Transfer]:
    """Work on transfers until they end, but for cancelled ones; the first Ctrl-C pauses them."""
    cancel = CancelToken()
    stopped = Answer()
    status = output.StatusLine()

    def show(transfers: Sequence[Transfer]) -> None:
        active = [each for each in transfers if each.state in ("downloading", "checking")]
        status.show("   ".join(_line(each) for each in active[:2]) or "Waiting")

    with signals_stop(cancel, stopped):
        try:
            ended = workspace.transfers.run(ids, progress=show, cancel=cancel)
        finally:
            status.clear()
    if stopped.stopped_by:
        for each in ended:
            if each.state in ("paused", "waiting"):
                share = each.done_bytes / max(1, each.size_bytes)
                output.note(f"Paused at {share:.0%}. Resume it with: lockhouse {resume}")
        raise Cancelled
    if not ended:
        raise NetworkRefused(
            "The download was cancelled by another program.",
            hint="Start it again with the same command.",
            code="cancelled",
        )
    return ended


def _line(transfer: Transfer) -> str:
    size = output.size(transfer.size_bytes)
    if transfer.state == "checking":
        share = transfer.checked_bytes / max(1, transfer.size_bytes)
        return f"{transfer.title} {transfer.label}: checking, {share:.0%} of {size}"
    share = transfer.done_bytes / max(1, transfer.size_bytes)
    speed = f", {output.size(int(transfer.speed_bytes_per_s))}/s"
    left = f", {_duration(transfer.left_s)} left" if transfer.left_s else ""
    return f"{transfer.title} {transfer.label}: {share:.0%} of {size}{speed}{left}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _as_error(transfer: Transfer) -> LockhouseError:
    """Why a transfer did not finish, with the exit code of its kind."""
    if transfer.state == "paused" and not transfer.code:
        message, code = "The download was paused by another program.", "paused"
        return NetworkRefused(message, hint="Resume it: lockhouse transfers resume", code=code)
    kind: type[LockhouseError] = NetworkRefused
    if transfer.code in ("disk_full", "no_room"):
        kind = NoRoom
    elif transfer.code in _INVALID:
        kind = InvalidInput
    elif transfer.code == "moving":
        kind = UsageMistake
    elif transfer.code.startswith("database") or transfer.code == "storage":
        kind = StorageError
    return kind(transfer.problem, hint=transfer.hint, code=transfer.code)


@click.group()
def transfers() -> None:
    """Show and manage downloads. An open window works on the same queue."""


@transfers.command("list")
@as_json
def list_transfers(cli: CliContext) -> None:
    """List downloads."""
    with cli.workspace() as workspace:
        found = workspace.transfers.list()
        is_worked_on = workspace.transfers.is_worked_on_elsewhere
    if not output.write_list(
        found,
        ("ID", "MODEL", "QUANT", "STATE", "DONE", "SIZE", "SPEED"),
        _transfer_row,
        empty="There are no downloads. Get a model: lockhouse models get REPOSITORY",
    ):
        return
    for each in found:
        if each.problem:
            output.note(f"{each.id[:6]}: {each.problem} {each.hint}".rstrip())
    if not is_worked_on and any(each.state == "waiting" and not each.is_running for each in found):
        output.note("No program is working on them. Resume them: lockhouse transfers resume")


def _transfer_row(transfer: Transfer) -> Sequence[object]:
    speed = int(transfer.speed_bytes_per_s)
    return (
        transfer.id[:6],
        transfer.title,
        transfer.label,
        transfer.state,
        f"{transfer.done_bytes / max(1, transfer.size_bytes):.0%}",
        output.size(transfer.size_bytes),
        f"{output.size(speed)}/s" if speed else "",
    )


@transfers.command(short_help="Pause downloads.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@as_json
def pause(cli: CliContext, ids: tuple[str, ...]) -> None:
    """Pause downloads, all of them without ID. What was downloaded is kept."""
    with cli.workspace() as workspace:
        chosen = ids or tuple(
            each.id
            for each in workspace.transfers.list()
            if each.state in ("waiting", "downloading", "checking")
        )
        paused = [workspace.transfers.pause(each) for each in chosen]
    _write_transfers(paused, "Paused")


@transfers.command(short_help="Resume or retry downloads.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@as_json
def resume(cli: CliContext, ids: tuple[str, ...]) -> int:
    """Resume paused and failed downloads, all of them without ID."""
    with cli.workspace() as workspace:
        service = workspace.transfers
        chosen = ids or tuple(each.id for each in service.list() if each.state != "done")
        if not chosen:
            _write_transfers([], "Resumed")
            return 0
        _require_open(workspace)
        resumed = [service.resume(each) for each in chosen]
        if service.is_worked_on_elsewhere:
            output.note("An open window continues them.")
            ended = resumed
        else:
            ids_now = [each.id for each in resumed]
            ended = _run(workspace, ids_now, resume="transfers resume")
        failed = [each for each in ended if each.state == "failed"]
    _write_transfers(ended, "")
    return _as_error(failed[0]).exit_code if failed else 0


@transfers.command(short_help="Cancel a download.")
@click.argument("id", metavar="ID")
@as_json
def cancel(cli: CliContext, id: str) -> None:  # noqa: A002 - click names it after the argument
    """Cancel a download and delete its unfinished files. A finished model is kept."""
    with cli.workspace() as workspace:
        transfer = workspace.transfers.get(id)
        workspace.transfers.cancel(transfer.id)
    done = "Removed from the list" if transfer.state == "done" else "Cancelled"
    said = f"{done}: {transfer.title} {transfer.label}"
    output.write_result({"cancelled": transfer.id}, said)


@transfers.command(short_help="Change the order of the queue.")
@click.argument("id", metavar="ID")
@click.argument("position", type=click.IntRange(1))
@as_json
def move(cli: CliContext, id: str, position: int) -> None:  # noqa: A002
    """Move a download to another place in the queue; 1 is the first."""
    with cli.workspace() as workspace:
        workspace.transfers.move(id, position - 1)
        found = workspace.transfers.list()
    order = ", ".join(f"{each.title} {each.label}" for each in found)
    output.write_result(found, f"The order is now: {order}")


@transfers.command(short_help="Show or set the speed limit.")
@click.argument("speed", required=False, metavar="[SPEED]")
@as_json
def limit(cli: CliContext, speed: str | None) -> None:
    """Show or set the speed limit of all downloads together, per second: 500k, 10M, or none."""
    with cli.workspace() as workspace:
        if speed is not None:
            workspace.transfers.speed_limit_bytes_per_s = _bytes_per_s(speed)
        now = workspace.transfers.speed_limit_bytes_per_s
    output.write_outcome(
        {"speed_limit_bytes_per_s": now}, f"{output.size(now)}/s" if now else "no limit"
    )


def _bytes_per_s(text: str) -> int:
    plain = text.strip().lower().removesuffix("/s").removesuffix("b").strip()
    if plain in ("none", "off", "0"):
        return 0
    number, unit = (plain[:-1], plain[-1]) if plain[-1:] in tuple("kmg") else (plain, "")
    try:
        speed = int(float(number) * _UNITS[unit])
    except (ValueError, OverflowError) as error:
        raise UsageMistake(
            f'"{text}" is not a speed.', hint="Give bytes per second as 500k, 10M or 1.5M, or none."
        ) from error
    if speed < 1000:
        raise UsageMistake("The minimum speed is 1 kB/s.")
    return speed


def _write_transfers(found: Sequence[Transfer], done: str) -> None:
    if output.wrote_json(found):
        return
    if not found:
        output.note("There is nothing to do.")
    for each in found:
        what = done or each.state.capitalize()
        output.note(f"{what}: {each.title} {each.label}")
        if each.problem:
            output.note(f"  {each.problem} {each.hint}".rstrip())
