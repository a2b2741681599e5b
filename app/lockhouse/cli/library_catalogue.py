"""``lockhouse models catalogue``: what to bring to a machine that has no network."""

from __future__ import annotations

import click

from lockhouse.cli import output
from lockhouse.cli.context import as_json
from lockhouse.library.catalogue import catalogue as bundled


@click.command(short_help="Well-known models to bring, known without a network.")
@click.argument("words", nargs=-1)
@as_json
def catalogue(words: tuple[str, ...], *, is_json: bool) -> None:
    """List well-known models with licence and size, for those who have none yet."""
    known = bundled()
    found = [entry for entry in known.models if entry.matches(words)]
    if is_json:
        output.write_json(found)
        return
    if not found:
        output.note("The catalogue has no such model.")
        return
    rows = [
        [
            entry.title,
            f"{entry.parameters / 1e9:.1f} B",
            ", ".join(
                f"{form.quantization} {output.size(form.size_bytes)}" for form in entry.forms
            ),
            entry.license,
            ", ".join(entry.capabilities),
            entry.repo,
        ]
        for entry in found
    ]
    output.write_table(["MODEL", "SIZE", "FORMS (ABOUT)", "LICENCE", "CAN", "REPOSITORY"], rows)
    output.note(known.about)
