"""``lockhouse models search``, ``models get`` and ``transfers``: models from a hub.

A download is a row in the queue that the window shows too: stopped with Ctrl-C, killed or cut
off, the same command goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lockhouse.cli import output
from lockhouse.cli.context import CliContext, as_json, pass_door
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
    from lockhouse.library.file_choice import FileChoice
    from lockhouse.library.transfers import Transfer
    from lockhouse.workspace import Workspace

_GROUPS = ("Small", "Balanced", "Large", "Original")
_INVALID = frozenset({"changed", "hash_mismatch", "exists", "invalid_input"})
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


@click.command(short_help="Find models on the hub.")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--license", "license_name", default="", help="Only this licence, such as mit.")
@click.option(
    "--capability",
    type=click.Choice(["chat", "reasoning", "vision", "embedding", "tools"]),
    default=None,
    help="Only what can do this.",
)
@click.option("--language", default="", help="Only this language, such as de.")
@click.option(
    "--sort",
    type=click.Choice(["downloads", "likes", "updated", "created", "trending"]),
    default="downloads",
    show_default=True,
)
@as_json
@pass_door
def search(
    door: CliContext,
    words: tuple[str, ...],
    *,
    limit: int,
    license_name: str,
    capability: Capability | None,
    language: str,
    sort: Sort,
    is_json: bool,
) -> None:
    """Find repositories with GGUF files whose name holds WORDS."""
    with door.workspace() as workspace:
        _require_open(workspace)
        found = workspace.hub.search(
            " ".join(words),
            limit=limit,
            license=license_name,
            capability=capability or "",
            language=language,
            sort=sort,
        )
    if is_json:
        output.write_json(found)
    elif found:
        _write_found(found)
    else:
        output.note("The hub has nothing under these words. Fewer words find more.")


def _write_found(found: Sequence[HubModel]) -> None:
    rows = [
        [
            model.repo,
            _billions(model.parameters),
            model.architecture,
            model.license,
            model.downloads,
            model.updated_at[:10],
            "gated" if model.gated else "",
        ]
        for model in found
    ]
    headings = ["REPOSITORY", "SIZE", "KIND", "LICENCE", "DOWNLOADS", "UPDATED", ""]
    output.write_table(headings, rows)
    output.note("Get one: lockhouse models get REPOSITORY")


def _billions(parameters: int) -> str:
    if parameters >= 1e9:
        return f"{parameters / 1e9:.1f} B"
    return f"{parameters / 1e6:.0f} M" if parameters else ""


@click.command(short_help="Download a model.")
@click.argument("reference", metavar="REPO[:FILE or QUANT][@REVISION]")
@click.option("--dry-run", is_flag=True, help="Only show what there is and what would be taken.")
@click.option("--yes", is_flag=True, help="Ask nothing; take the recommended file.")
@as_json
@pass_door
def get(door: CliContext, reference: str, *, dry_run: bool, yes: bool, is_json: bool) -> int:
    """Download a model: by its repository's name, or a pasted address of it or of a file.

    Without a file or quantization named, the one recommended for this machine is proposed. A
    download that was stopped goes on where it was.
    """
    from lockhouse.gate.hub import parse_reference

    wanted = parse_reference(reference)
    with door.workspace() as workspace:
        _require_open(workspace)
        repo = workspace.hub.repo(wanted.repo, wanted.revision)
        found = _choices(workspace, repo)
        if dry_run:
            _show_plan(repo, found, wanted, is_json=is_json)
            return 0
        chosen = _chosen(found, wanted, yes=yes, is_json=is_json)
        if chosen.here and not yes:
            return _tell_here(workspace, chosen, is_json=is_json)
        transfer = workspace.transfers.add(repo, chosen.files, label=chosen.label)
        if transfer.state in ("paused", "failed"):
            workspace.transfers.resume(transfer.id)
        ended = _follow(workspace, [transfer.id], how_to_go_on=f"models get {reference}")[0]
        if ended.state != "done" or ended.destination is None:
            raise _as_error(ended)
        model = workspace.models.get(str(ended.destination))
    if is_json:
        output.write_json(model)
    else:
        output.write_line(f"{model.name}: {output.size(ended.size_bytes)}, hash verified")
        output.note(f'Ask it: lockhouse ask -m {model.name} "..."')
    return 0


def _tell_here(workspace: Workspace, chosen: FileChoice, *, is_json: bool) -> int:
    """The very same bytes are on this machine; nothing has to come."""
    model = next(each for each in workspace.models.list() if each.sha256 == chosen.files[0].sha256)
    if is_json:
        output.write_json(model)
    else:
        output.write_line(f"{model.name}: here already, {model.path}")
        output.note("To have it in Lockhouse's own folder too, add --yes.")
    return 0


def _require_open(workspace: Workspace) -> None:
    if not workspace.hub.is_open:
        raise workspace.hub.why_closed()


def _choices(workspace: Workspace, repo: HubRepo) -> list[FileChoice]:
    """What the repository offers, judged by the header of one file where it can be read."""
    from lockhouse.library.file_choice import choices, remote_header, smallest
    from lockhouse.library.fit import machine_now

    headers = {}
    example = smallest(repo)
    status = output.StatusLine()
    if example is not None:
        status.show("Looking at the model's header")
        try:
            headers[example.name] = remote_header(workspace.hub, repo, example)
        except LockhouseError as error:
            if error.code == "gated":
                raise
            output.note(f"note: {error.message} What fits is guessed from the sizes.")
        finally:
            status.clear()
    here = {model.sha256 for model in workspace.models.list() if model.sha256}
    return choices(repo, machine_now(workspace.engines), headers, here=here)


def _chosen(
    found: Sequence[FileChoice], wanted: Reference, *, yes: bool, is_json: bool
) -> FileChoice:
    """The file to take; asks only where there is a person to answer."""
    from lockhouse.library.file_choice import pick

    named = bool(wanted.file or wanted.quantization)
    asks = output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr) and not is_json
    chosen = pick(found, wanted)
    if named:
        if chosen.fit.word == "won't fit" and not yes:
            if not asks:
                raise NoRoom(
                    f"{chosen.label} would not run here. {chosen.fit.reason}",
                    hint="Get it all the same with --yes, or choose a smaller one.",
                    code="no_fit",
                )
            output.note(f"{chosen.label} would not run here. {chosen.fit.reason}")
            click.confirm("Get it all the same?", abort=True, err=True)
        return chosen
    if yes or len(found) == 1:
        return chosen
    if not asks:
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
    """The same repository, with the file that was answered."""
    import msgspec

    is_file = answer.lower().endswith(".gguf")
    return msgspec.structs.replace(
        wanted, file=answer if is_file else "", quantization="" if is_file else answer
    )


def _show_plan(
    repo: HubRepo, found: Sequence[FileChoice], wanted: Reference, *, is_json: bool
) -> None:
    from lockhouse.library.file_choice import pick

    try:
        chosen = pick(found, wanted)
    except InvalidInput:  # nothing fits; what there is can be shown all the same
        chosen = None
    if is_json:
        listed = [{**output.plain(each), "chosen": each is chosen} for each in found]
        head = output.plain(repo)
        del head["files"]
        output.write_json({**head, "choices": listed})
        return
    _write_choices(found)
    if repo.gated:
        output.note("Gated: its owner gives it only to people who have accepted the terms.")
    output.note(f"{repo.repo} at {repo.revision[:12]}, licence: {repo.license or 'not stated'}")
    if chosen is not None:
        output.note(f"Would get {chosen.label}, {output.size(chosen.size_bytes)}.")


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


@click.command(short_help="Ask the hub for newer revisions.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@as_json
@pass_door
def updates(door: CliContext, names: tuple[str, ...], *, is_json: bool) -> None:
    """Ask the hub whether it has newer files for models that came from it. Fetches nothing."""
    from lockhouse.library.updates import find_newer

    with door.workspace() as workspace:
        _require_open(workspace)
        models = workspace.models
        asked = [models.get(name) for name in names] if names else models.list()
        told = find_newer(workspace.hub, models, asked)
    if is_json:
        output.write_json(told)
        return
    newer = [each for each in told if each.newer_revision]
    for each in newer:
        size = output.size(each.size_bytes)
        output.write_line(f"{each.name}: newer at {each.newer_revision[:12]} ({size})")
        output.note(f"  lockhouse models get {each.repo}:{each.file}")
    for each in told:
        if each.problem:
            output.note(f"{each.name}: {each.problem}")
    if not newer:
        count = len(told) - sum(bool(each.problem) for each in told)
        output.note(f"Nothing newer: {count} asked for." if told else "None came from a hub.")


# Transfers


def _follow(workspace: Workspace, ids: Sequence[str], *, how_to_go_on: str) -> list[Transfer]:
    """Work on transfers until they end; the first Ctrl-C pauses them."""
    cancel = CancelToken()
    stopped = Answer()
    status = output.StatusLine()

    def show(transfers: Sequence[Transfer]) -> None:
        active = [each for each in transfers if each.state in ("downloading", "checking")]
        status.show("   ".join(_line(each) for each in active[:2]) or "Waiting for its turn")

    with signals_stop(cancel, stopped):
        try:
            ended = workspace.transfers.run(ids, progress=show, cancel=cancel)
        finally:
            status.clear()
    if stopped.stopped_by:
        for each in ended:
            if each.state in ("paused", "waiting"):
                share = each.done_bytes / max(1, each.size_bytes)
                output.note(f"Paused at {share:.0%}. Go on with: lockhouse {how_to_go_on}")
        raise Cancelled
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
    """Why a transfer did not end well, with the exit code of its kind."""
    if transfer.state == "paused" and not transfer.code:
        message, code = "The download was paused elsewhere.", "paused"
        return NetworkRefused(message, hint="Go on: lockhouse transfers resume", code=code)
    kind: type[LockhouseError] = NetworkRefused
    if transfer.code in ("disk_full", "no_room"):
        kind = NoRoom
    elif transfer.code in _INVALID:
        kind = InvalidInput
    elif transfer.code.startswith("database") or transfer.code == "storage":
        kind = StorageError
    return kind(transfer.problem, hint=transfer.hint, code=transfer.code)


@click.group(short_help="Show and steer downloads.")
def transfers() -> None:
    """Downloads, finished and under way. An open window works on the same queue."""


@transfers.command("list")
@as_json
@pass_door
def list_transfers(door: CliContext, *, is_json: bool) -> None:
    """List downloads."""
    with door.workspace() as workspace:
        found = workspace.transfers.list()
        is_worked_on = workspace.transfers.is_worked_on_elsewhere
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("There are no downloads. Get a model: lockhouse models get REPOSITORY")
        return
    rows = [
        [
            each.id[:6],
            each.title,
            each.label,
            each.state,
            f"{each.done_bytes / max(1, each.size_bytes):.0%}",
            output.size(each.size_bytes),
            f"{output.size(int(each.speed_bytes_per_s))}/s" if each.speed_bytes_per_s else "",
        ]
        for each in found
    ]
    output.write_table(["ID", "MODEL", "QUANT", "STATE", "DONE", "SIZE", "SPEED"], rows)
    for each in found:
        if each.problem:
            output.note(f"{each.id[:6]}: {each.problem} {each.hint}".rstrip())
    if not is_worked_on and any(each.state == "waiting" and not each.is_running for each in found):
        output.note("Nothing works on them now. Go on: lockhouse transfers resume")


@transfers.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@as_json
@pass_door
def pause(door: CliContext, ids: tuple[str, ...], *, is_json: bool) -> None:
    """Stop downloads for now; all of them when none is named. What came is kept."""
    with door.workspace() as workspace:
        chosen = ids or tuple(
            each.id
            for each in workspace.transfers.list()
            if each.state in ("waiting", "downloading", "checking")
        )
        paused = [workspace.transfers.pause(each) for each in chosen]
    _tell(paused, "Paused", is_json=is_json)


@transfers.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@as_json
@pass_door
def resume(door: CliContext, ids: tuple[str, ...], *, is_json: bool) -> int:
    """Go on with downloads, failed ones too; with all of them when none is named."""
    with door.workspace() as workspace:
        service = workspace.transfers
        chosen = ids or tuple(each.id for each in service.list() if each.state != "done")
        if not chosen:
            _tell([], "Resumed", is_json=is_json)
            return 0
        _require_open(workspace)
        resumed = [service.resume(each) for each in chosen]
        if service.is_worked_on_elsewhere:
            output.note("An open window goes on with them.")
            ended = resumed
        else:
            ids_now = [each.id for each in resumed]
            ended = _follow(workspace, ids_now, how_to_go_on="transfers resume")
        failed = [each for each in ended if each.state == "failed"]
    _tell(ended, "", is_json=is_json)
    return _as_error(failed[0]).exit_code if failed else 0


@transfers.command()
@click.argument("id", metavar="ID")
@pass_door
def cancel(door: CliContext, id: str) -> None:  # noqa: A002 - click names it after the argument
    """Forget a download and delete what came of it. A finished model stays."""
    with door.workspace() as workspace:
        transfer = workspace.transfers.get(id)
        workspace.transfers.cancel(transfer.id)
    done = "Taken off the list" if transfer.state == "done" else "Cancelled"
    output.note(f"{done}: {transfer.title} {transfer.label}")


@transfers.command()
@click.argument("id", metavar="ID")
@click.argument("position", type=click.IntRange(1))
@pass_door
def move(door: CliContext, id: str, position: int) -> None:  # noqa: A002
    """Give a download another place in the queue; 1 is the first."""
    with door.workspace() as workspace:
        workspace.transfers.move(id, position - 1)


@transfers.command()
@click.argument("speed", required=False, metavar="[SPEED]")
@as_json
@pass_door
def limit(door: CliContext, speed: str | None, *, is_json: bool) -> None:
    """Show or set how many bytes a second all downloads take together: 500k, 10M, or none."""
    with door.workspace() as workspace:
        if speed is not None:
            workspace.transfers.speed_limit_bytes_per_s = _bytes_per_s(speed)
        now = workspace.transfers.speed_limit_bytes_per_s
    if is_json:
        output.write_json({"speed_limit_bytes_per_s": now})
    else:
        output.write_line(f"{output.size(now)}/s" if now else "no limit")


def _bytes_per_s(text: str) -> int:
    plain = text.strip().lower().removesuffix("/s").removesuffix("b").strip()
    if plain in ("none", "off", "0"):
        return 0
    number, unit = (plain[:-1], plain[-1]) if plain[-1:] in tuple("kmg") else (plain, "")
    try:
        speed = int(float(number) * _UNITS[unit])
    except (ValueError, OverflowError) as error:
        raise UsageMistake(
            f'"{text}" is no speed.', hint="Write it as 500k, 10M or 1.5M bytes a second, or none."
        ) from error
    if speed < 1000:
        raise UsageMistake("That is too slow to get anything.", hint="The least is 1k.")
    return speed


def _tell(told: Sequence[Transfer], done: str, *, is_json: bool) -> None:
    if is_json:
        output.write_json(told)
        return
    if not told:
        output.note("There is nothing to do.")
    for each in told:
        what = done or each.state.capitalize()
        output.note(f"{what}: {each.title} {each.label}")
        if each.problem:
            output.note(f"  {each.problem} {each.hint}".rstrip())
