"""The paths of bundled files: fonts, icons, lists of models, providers and prices, documents.

Hides the difference between a checkout (``resources/`` at the root of the project) and an
installed package (``lockhouse/resources``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lockhouse.core.errors import NotFound


@cache
def resource_folder() -> Path:
    """The folder of all bundled files."""
    package = Path(__file__).resolve().parent
    for folder in (package / "resources", package.parents[1] / "resources"):
        if (folder / "icons").is_dir():
            return folder
    raise NotFound(
        "Files of the program are missing: fonts, icons, lists.",
        hint="Install Lockhouse again; its folder is incomplete.",
    )


def resource(*parts: str) -> Path:
    """The path of one bundled file, for example ``resource("app", "lockhouse-64.png")``."""
    return resource_folder().joinpath(*parts)


def document(name: str) -> str:
    """A document: a checkout has it in ``docs/``, an installed package among its resources.

    Raises NotFound.
    """
    folder = resource_folder()
    for path in (folder / name, folder.parent / "docs" / name):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise NotFound(
        f"The document {name} is missing from this installation.",
        hint="Install Lockhouse again; its folder is incomplete.",
    )
