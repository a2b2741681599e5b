"""The look of the window: colours, type, sizes, icons, light and dark.

How to use it::

    theme = Theme(app, choice="system")        # once, in ui/app.py; styles the whole application
    label.setFont(theme.font("title"))         # roles of tokens.TYPE, scaled by the text zoom
    painter.fillRect(rect, theme.color("bg-1"))    # tokens of tokens.LIGHT / DARK
    button.setFixedHeight(theme.px(28))        # every pixel figure goes through px()
    theme.bind_icon(button, "copy")            # stays right when the theme changes
    theme.changed.connect(self._retheme)       # fonts, sizes and painted things: set them again

Ordinary widgets need no call at all; they are dressed by the style sheet (``sheet.py``) through
object names and these dynamic properties (set them before the widget is shown, or call
``repolish(widget)`` afterwards; ``setProperty(name, value)``):

- ``tone``  on QFrame/QWidget: ``bg-0 bg-1 bg-2 surface bubble accent-tint warning-tint card``
  (card: surface, border, radius 10; a plain QWidget also needs ``WA_StyledBackground``)
- ``line``  on a toned QFrame: ``left right top bottom``, a hairline on that side
- ``role``  on QLabel: ``caption body strong reading h3 title display code code-small``
- ``ink``   on QLabel: ``2 3 accent success warning danger`` (default is text-1)
- ``kind``  on QPushButton: ``primary quiet danger link``; ``compact="true"`` for 28 px
- ``kind``  on QToolButton: ``icon`` (28 x 28), ``rail`` (40 x 40), ``text`` (28 high, label)
- ``ring``  is kept by the theme itself: true while a control has focus from the keyboard

Light and dark follow the system unless set; ``set_choice``, ``set_scale`` and
``set_reduce_motion`` take effect at once and emit ``changed``. ``less_motion`` is true when
nothing may move: timers that only animate must not run then.
"""

from __future__ import annotations

from lockhouse.ui.theme import tokens
from lockhouse.ui.theme.theme import MotionChoice, Theme, ThemeChoice, repolish

__all__ = ["MotionChoice", "Theme", "ThemeChoice", "repolish", "tokens"]
