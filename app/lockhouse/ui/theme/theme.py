"""The current look of everything, applied to the application.

Hides font loading, the choice between light and dark, zoom, the palette and the style sheet,
and which control shows a focus ring (only one that got its focus from the keyboard).
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Literal

import shiboken6
from PySide6.QtCore import QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QStyle,
    QTabBar,
    QWidget,
)

from lockhouse.bundled import resource
from lockhouse.ui.icons import icon_pixmap
from lockhouse.ui.theme import sheet, tokens
from lockhouse.ui.theme.tokens import Scheme, TypeRole

ThemeChoice = Literal["system", "light", "dark"]
MotionChoice = Literal["system", "on", "off"]

_SCALES = (0.75, 2.0)


def repolish(widget: QWidget) -> None:
    """Apply the style sheet again after a property of the widget changed."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


class Theme(QObject):
    """Current colours, fonts and icons; emits ``changed`` when any of them changes."""

    changed = Signal()

    def __init__(
        self,
        app: QApplication,
        *,
        choice: ThemeChoice = "system",
        scale: float = 1.0,
        reduce_motion: MotionChoice = "system",
    ) -> None:
        super().__init__(app)
        self._app = app
        self._choice: ThemeChoice = choice
        self._scale = _clamped(scale)
        self._motion: MotionChoice = reduce_motion
        self._scheme: Scheme = "light"
        self._colours: dict[str, QColor] = {}
        self._fonts: dict[tuple[TypeRole, int, bool], QFont] = {}
        self._sizes: dict[float, int] = {}
        self._icons: dict[tuple[str, int, str, int, float], QIcon] = {}
        self._ringed: QWidget | None = None
        _load_fonts()
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._follow_system)
        app.focusChanged.connect(self._move_ring)
        self._apply()

    # current values

    @property
    def scheme(self) -> Scheme:
        """Whether light or dark is shown."""
        return self._scheme

    @property
    def is_dark(self) -> bool:
        return self._scheme == "dark"

    @property
    def choice(self) -> ThemeChoice:
        """What the user asked for; ``system`` follows the desktop."""
        return self._choice

    @property
    def scale(self) -> float:
        """Zoom of text and everything around it, 1.0 is the drawn size."""
        return self._scale

    @property
    def less_motion(self) -> bool:
        """True when animations are unwanted."""
        if self._motion != "system":
            return self._motion == "on"
        hint = QStyle.StyleHint.SH_Widget_Animation_Duration
        return self._app.style().styleHint(hint) == 0

    # changes

    def set_choice(self, choice: ThemeChoice) -> None:
        if choice != self._choice:
            self._choice = choice
            self._apply()

    def set_scale(self, scale: float) -> None:
        scale = _clamped(scale)
        if scale != self._scale:
            self._scale = scale
            self._apply()

    def set_reduce_motion(self, motion: MotionChoice) -> None:
        if motion != self._motion:
            self._motion = motion
            self.changed.emit()

    # colours, sizes, type

    def hex(self, token: str) -> str:
        """The colour of a token as ``#RRGGBB``."""
        return tokens.PALETTES[self._scheme][token]

    def color(self, token: str) -> QColor:
        """The colour of a token. Shared: do not change the object."""
        colour = self._colours.get(token)
        if colour is None:
            colour = self._colours[token] = QColor(self.hex(token))
        return colour

    def px(self, size: float) -> int:
        """A drawn size in pixels at the present zoom; never 0 for something above 0."""
        drawn = self._sizes.get(size)  # asked some thousand times for a screenful of a table
        if drawn is None:
            drawn = max(1, round(size * self._scale)) if size > 0 else 0
            self._sizes[size] = drawn
        return drawn

    def line_height(self, role: TypeRole) -> int:
        return self.px(tokens.TYPE[role].line_height)

    def font(self, role: TypeRole, *, weight: int = 0, tabular: bool = False) -> QFont:
        """The font of a type role. ``weight`` 0 keeps the role's own; ``tabular`` aligns digits."""
        key = (role, weight, tabular)
        font = self._fonts.get(key)
        if font is None:
            font = self._fonts[key] = self._make_font(role, weight, tabular=tabular)
        return QFont(font)

    def _make_font(self, role: TypeRole, weight: int, *, tabular: bool) -> QFont:
        style = tokens.TYPE[role]
        family = tokens.CODE_FAMILY if style.mono else tokens.TEXT_FAMILY
        font = QFont()
        font.setFamilies([family, *_fallbacks()])
        font.setPixelSize(self.px(style.size))
        font.setWeight(QFont.Weight(weight or style.weight))
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        font.setStyleStrategy(QFont.StyleStrategy.PreferAntialias)
        if style.letter_spacing:
            font.setLetterSpacing(
                QFont.SpacingType.AbsoluteSpacing, style.letter_spacing * self._scale
            )
        if style.mono:  # ligatures would draw != as one sign
            font.setFeature(QFont.Tag("calt"), 0)
            font.setFeature(QFont.Tag("liga"), 0)
            font.setStyleHint(QFont.StyleHint.Monospace)
        elif tabular:
            font.setFeature(QFont.Tag("tnum"), 1)
        return font

    # icons

    def pixmap(
        self, name: str, size: int = 16, role: str = "text-2", *, ratio: float = 0.0
    ) -> QPixmap:
        """An icon for painting. Pass the widget's ``devicePixelRatioF()`` as ``ratio``."""
        return icon_pixmap(
            name, self.px(size), self.hex(role), ratio or self._app.devicePixelRatio()
        )

    def icon(self, name: str, size: int = 16, role: str = "text-2", *, pad_right: int = 0) -> QIcon:
        """An icon for a control: ``role`` at rest, text-1 under the pointer, text-3 disabled."""
        ratio = self._app.devicePixelRatio()
        key = (name, size, role, pad_right, ratio)
        icon = self._icons.get(key)
        if icon is None:
            icon = self._icons[key] = self._make_icon(name, size, role, pad_right, ratio)
        return icon

    def _make_icon(self, name: str, size: int, role: str, pad_right: int, ratio: float) -> QIcon:
        lively = "text-1" if role in ("text-2", "text-3") else role
        pad = self.px(pad_right)
        result = QIcon()
        for mode, token in (
            (QIcon.Mode.Normal, role),
            (QIcon.Mode.Active, lively),
            (QIcon.Mode.Selected, lively),
            (QIcon.Mode.Disabled, "text-3"),
        ):
            drawn = icon_pixmap(name, self.px(size), self.hex(token), ratio, pad)
            result.addPixmap(drawn, mode, QIcon.State.Off)
            if mode is not QIcon.Mode.Disabled:
                drawn = icon_pixmap(name, self.px(size), self.hex(lively), ratio, pad)
            result.addPixmap(drawn, mode, QIcon.State.On)
        return result

    def bind_icon(
        self, button: QAbstractButton, name: str, *, size: int = 16, role: str = "text-2"
    ) -> None:
        """Set an icon that follows the theme; call again to show another.

        On a button that also has a label, a gap of 4 px is drawn into the icon, because Qt puts
        the two too close together.
        """
        binding = button.findChild(_IconBinding, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if binding is None:
            binding = _IconBinding(self, button)
        binding.show(name, size, role)

    # apply

    @Slot()
    def _follow_system(self) -> None:
        if self._choice == "system":
            self._apply()

    def _wanted_scheme(self) -> Scheme:
        if self._choice != "system":
            return self._choice
        dark = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return "dark" if dark else "light"

    def _apply(self) -> None:
        self._scheme = self._wanted_scheme()
        self._colours.clear()
        self._fonts.clear()
        self._sizes.clear()
        self._icons.clear()
        self._app.setPalette(_palette(self))
        self._app.setFont(self.font("body"))
        self._app.setStyleSheet(sheet.build(tokens.PALETTES[self._scheme], self.px))
        self.changed.emit()

    @Slot(QWidget, QWidget)
    def _move_ring(self, _old: QWidget | None, now: QWidget | None) -> None:
        before, self._ringed = self._ringed, None
        if before is not None and shiboken6.isValid(before):
            _set_ring(before, shown=False)
        if not isinstance(now, (QAbstractButton, QComboBox, QTabBar)):
            return
        if now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            self._ringed = now
            _set_ring(now, shown=True)


class _IconBinding(QObject):
    """Child of a button; sets its icon again when the theme changes."""

    def __init__(self, theme: Theme, button: QAbstractButton) -> None:
        super().__init__(button)
        self._theme = theme
        self._button = button
        self._wanted = ("", 16, "text-2")
        theme.changed.connect(self._draw)

    def show(self, name: str, size: int, role: str) -> None:
        self._wanted = (name, size, role)
        self._draw()

    def _draw(self) -> None:
        name, size, role = self._wanted
        gap = 4 if self._button.text() else 0
        self._button.setIcon(self._theme.icon(name, size, role, pad_right=gap))
        side = self._theme.px(size)
        self._button.setIconSize(QSize(side + self._theme.px(gap), side))


def _clamped(scale: float) -> float:
    return min(_SCALES[1], max(_SCALES[0], round(scale, 2)))


def _set_ring(widget: QWidget, *, shown: bool) -> None:
    widget.setProperty("ring", shown)
    repolish(widget)


@cache
def _load_fonts() -> None:
    """Register the bundled fonts, once per process. Windows and macOS have emoji of their own."""
    for path in sorted(resource("fonts").glob("*.ttf")):
        if path.stem != "NotoColorEmoji":
            QFontDatabase.addApplicationFont(str(path))
        elif sys.platform not in ("win32", "darwin"):
            added = QFontDatabase.addApplicationFont(str(path))
            for family in QFontDatabase.applicationFontFamilies(added):
                QFontDatabase.addApplicationEmojiFontFamily(family)


@cache
def _fallbacks() -> tuple[str, ...]:
    """Installed font families for other scripts. A missing one costs Qt a second of search."""
    installed = set(QFontDatabase.families())
    return tuple(name for name in tokens.FALLBACK_FAMILIES if name in installed)


def _palette(theme: Theme) -> QPalette:
    roles = QPalette.ColorRole
    palette = QPalette()
    for role, token in (
        (roles.Window, "bg-2"),
        (roles.Base, "surface"),
        (roles.AlternateBase, "bg-1"),
        (roles.Text, "text-1"),
        (roles.WindowText, "text-1"),
        (roles.ButtonText, "text-1"),
        (roles.BrightText, "danger"),
        (roles.PlaceholderText, "text-3"),
        (roles.Button, "surface"),
        (roles.Highlight, "selection"),
        (roles.HighlightedText, "text-1"),
        (roles.Link, "accent-text"),
        (roles.LinkVisited, "accent-text"),
        (roles.ToolTipBase, "surface"),
        (roles.ToolTipText, "text-1"),
        (roles.Light, "surface"),
        (roles.Midlight, "hover"),
        (roles.Mid, "border"),
        (roles.Dark, "border-strong"),
        (roles.Shadow, "border-strong"),
        (roles.Accent, "accent"),
    ):
        palette.setColor(role, theme.color(token))
    for role in (roles.Text, roles.WindowText, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.color("text-3"))
    return palette
