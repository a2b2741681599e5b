"""Line icons drawn from bundled SVG files, in any colour, size and pixel ratio.

Hides the SVG text (``currentColor`` and stroke width are replaced before drawing) and the cache:
asking twice for the same icon costs one dictionary look-up. Colours come in as hex; which colour
an icon should have is the theme's business, so widgets call ``Theme.icon`` and not this module.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from lockhouse.bundled import resource
from lockhouse.core.errors import NotFound

# Stroke width in Lucide's 24-unit view box for each drawn size.
ICON_STROKES = {12: 2.25, 14: 2.0, 16: 1.75, 20: 1.6, 24: 1.75}


@lru_cache(maxsize=256)
def _source(name: str) -> str:
    path = resource("icons", f"{name}.svg")
    if not path.is_file():
        raise NotFound(f"There is no icon named {name}.", hint="Add its SVG to resources/icons.")
    return path.read_text(encoding="utf-8")


def stroke_for(size: int) -> float:
    """The stroke width, in the 24-unit view box, for an icon of this size."""
    nearest = min(ICON_STROKES, key=lambda known: abs(known - size))
    return ICON_STROKES[nearest]


@lru_cache(maxsize=2048)
def icon_pixmap(
    name: str, size: int, colour: str, ratio: float = 1.0, pad_right: int = 0, stroke: float = 0.0
) -> QPixmap:
    """One icon as a pixmap of ``size`` units; ``pad_right`` leaves empty units beside it."""
    text = _source(name).replace("currentColor", colour)
    text = text.replace('stroke-width="2"', f'stroke-width="{stroke or stroke_for(size):g}"')
    pixmap = QPixmap(max(1, round((size + pad_right) * ratio)), max(1, round(size * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer = QSvgRenderer(QByteArray(text.encode()))
    renderer.render(painter, QRectF(0, 0, round(size * ratio), round(size * ratio)))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
