"""Makes the database of the present release, to be kept when the next one changes its shape.

Run once per release: ``PYTHONPATH=app python tests/data/db/make.py VERSION``. A file that is
there already is history and is never made again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from lockhouse.answer.target import TargetInfo
from lockhouse.chat.conversations import Conversations, Provenance
from lockhouse.core.events import Failed, Finished, Usage
from lockhouse.core.messages import Image, ToolCall
from lockhouse.storage.database import Database

TINY = TargetInfo("tiny", "local", title="Tiny 1B", sha256="ab" * 32)
DONE = Finished("stop", usage=Usage(4, 0, 6), parameters={"seed": 7}, model_sha256="ab" * 32)


def fill(conversations: Conversations) -> None:
    """Something of everything that is kept."""
    folder = conversations.create_folder("Travel")
    chat = conversations.create(title="Paris", target="tiny", folder_id=folder.id)
    question = conversations.add_user(chat.id, "What is the capital of France?", parent_id=None)
    for text in ("Paris.", "It is Paris."):
        begun = conversations.begin_answer(chat.id, question.id, target=TINY)
        conversations.finish_answer(
            begun.id,
            content=text,
            reasoning="France has one capital.",
            status="complete",
            provenance=Provenance(TINY, DONE),
        )
    picture = Image("image/png", b"\x89PNG\r\n\x1a\nmap", "map.png")
    more = conversations.add_user(chat.id, "And of Spain?", parent_id=begun.id, images=[picture])
    broken = conversations.begin_answer(chat.id, more.id, target=TINY)
    conversations.finish_answer(
        broken.id,
        content="Mad",
        reasoning="",
        status="failed",
        error=Failed("engine_crashed", "The engine ended."),
        tool_calls=[ToolCall("c1", "look", '{"where": "Madrid"}')],
    )
    conversations.set_label(chat.id, "internal")
    conversations.set_pinned(chat.id, pinned=True)
    conversations.save_draft(chat.id, "And of")
    conversations.set_parameters(chat.id, {"temperature": 0.2})
    conversations.delete([conversations.create(title="Deleted").id])


def main(version: str) -> None:
    """Writes lockhouse-VERSION.db beside this file."""
    place = Path(__file__).with_name(f"lockhouse-{version}.db")
    if place.exists():
        raise SystemExit(f"{place} is kept as it is.")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "lockhouse.db", backups=Path(folder) / "backups")
        fill(Conversations(database))
        shutil.copy(database.backup(), place)
        database.close()


if __name__ == "__main__":
    main(sys.argv[1])
