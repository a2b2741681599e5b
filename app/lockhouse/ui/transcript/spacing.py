"""The gaps between blocks of an answer, and which blocks are a single short line."""

from __future__ import annotations

from lockhouse.ui.markdown import Block, CodeBlock, TableBlock, TextBlock


def gap(before: Block, block: Block) -> int:
    """Pixels between two blocks."""
    if _is_heading(before) or (_is_list(before) and _is_list(block)):
        return 4
    if _is_heading(block):
        return 16
    if isinstance(before, (CodeBlock, TableBlock)) or isinstance(block, (CodeBlock, TableBlock)):
        return 12
    return 10


def _is_list(block: Block) -> bool:
    """Items on both sides of a cut belong to one list."""
    return isinstance(block, TextBlock) and all(each.indent for each in block.paragraphs)


def _is_heading(block: Block) -> bool:
    return isinstance(block, TextBlock) and block.paragraphs[-1].kind in ("h1", "h2", "h3", "h4")


def one_line(block: Block | None) -> str:
    """The text of a short single line, "" for anything longer."""
    if isinstance(block, TextBlock):
        text = "".join(run.text for run in block.paragraphs[0].runs)
        if len(text) < 160 and "\n" not in text and text:
            return text
    return ""
