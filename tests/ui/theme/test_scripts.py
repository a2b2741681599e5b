"""What models commonly say is drawn on a bare system, too: no script of it as boxes."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextLayout
from PySide6.QtWidgets import QApplication

from lockhouse.ui.theme import Theme


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, Ελληνικά, Русский, tiếng Việt",
        "这是重点，后面文字。",
        "日本語のひらがなとカタカナ",
        "한국어 문장입니다",
        "हिन्दी पाठ",
        "ภาษาไทย",
        "😀👍🚀✅❤️🇰🇷",
        "∫ ∑ √ ≤ → ★ ✓",
    ],
)
def test_text_is_drawn_with_glyphs(qapp: QApplication, text: str) -> None:
    theme = Theme(qapp, choice="light")
    layout = QTextLayout(text, theme.font("reading"))
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    runs = layout.glyphRuns()
    assert runs
    assert all(all(run.glyphIndexes()) for run in runs), "boxes have no glyph"
