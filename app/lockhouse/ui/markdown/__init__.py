"""Markdown parsed into values to draw: no HTML, no files, no network, no Qt.

``parse`` reads a whole text, ``MarkdownStream`` one that still grows; both cut it into the same
segments, so a text looks the same however it arrived. Raw HTML is shown as the text it is, images
become a line of words, links carry their host. Hostile input costs bounded time: segments have a
largest size, nesting a largest depth, and what is too odd is shown as plain text.
"""

from __future__ import annotations

from lockhouse.ui.markdown.blocks import (
    Block,
    CodeBlock,
    Paragraph,
    RuleBlock,
    Run,
    TableBlock,
    TextBlock,
    plain_text,
)
from lockhouse.ui.markdown.stream import MarkdownStream, parse

__all__ = [
    "Block",
    "CodeBlock",
    "MarkdownStream",
    "Paragraph",
    "RuleBlock",
    "Run",
    "TableBlock",
    "TextBlock",
    "parse",
    "plain_text",
]
