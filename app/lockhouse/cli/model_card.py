"""``lockhouse models card``: what its publisher says of a model."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.completion import models_here
from lockhouse.cli.context import CliContext, as_json
from lockhouse.core.errors import LockhouseError, NotFound


@click.command(short_help="Show the model card on the hub.")
@click.argument("model", metavar="MODEL or REPO", shell_complete=models_here)
@as_json
def card(cli: CliContext, model: str) -> None:
    """Show the model card of REPO on the hub, or of the repository that MODEL came from."""
    from lockhouse.cli.downloads import reference_of

    with cli.workspace() as workspace:
        try:
            source = workspace.models.get(model).source
        except LockhouseError:
            wanted = reference_of(model)
            name, revision = wanted.repo, wanted.revision
        else:
            if source is None or not source.repo:
                raise NotFound(
                    f"The origin of {model} is not known.",
                    hint="Name its repository: lockhouse models card ORG/REPO",
                )
            name, revision = source.repo, source.revision or "main"
        if not workspace.hub.is_open:
            raise workspace.hub.why_closed()
        repo = workspace.hub.repo(name, revision)
        text = workspace.hub.card(repo.repo, repo.revision)
    if not text:
        raise NotFound(f"{repo.repo} has no model card.")
    shown = {"repo": repo.repo, "revision": repo.revision, "license": repo.license, "card": text}
    output.write_outcome(shown, text.rstrip())
