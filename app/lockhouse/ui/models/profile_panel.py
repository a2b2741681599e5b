"""The profiles of a model: the one in use, and its sampling defaults."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from lockhouse.library.model_info import LoadChoice, Profile
from lockhouse.library.model_names import slug
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.parameters import PARAMETERS
from lockhouse.ui.chat.prompt_panel import ParameterField
from lockhouse.ui.choice_button import PickerButton
from lockhouse.ui.frame_parts import ask_text, label, make_menu, push_button
from lockhouse.ui.theme import Theme

DEFAULT = "default"


def _active(profiles: tuple[Profile, ...]) -> Profile:
    """The profile in use; an empty default one when none was saved."""
    return next((one for one in profiles if one.active), None) or Profile(DEFAULT, active=True)


class ProfilePanel(QWidget):
    """The profile in use with a menu for the others, and sampling defaults that unfold."""

    used = Signal(str)  # name of a profile
    saved = Signal(object)  # Profile
    renamed = Signal(object, object)  # before, after
    deleted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._profiles: tuple[Profile, ...] = ()
        px = theme.px
        self._button = PickerButton(theme, height=28)
        self._button.setObjectName("profile_button")
        self._button.setFixedWidth(px(152))
        self._button.clicked.connect(self._open_menu)
        self._fold = push_button(
            theme, "Sampling defaults", name="sampling_fold", kind="quiet", icon="chevron-right",
            compact=True,
        )  # fmt: skip
        self._fold.setCheckable(True)
        self._fold.toggled.connect(self._unfold)
        self._fields = [
            ParameterField(theme, parameter, holder="this model") for parameter in PARAMETERS
        ]
        self._inside = QWidget()
        fields = QVBoxLayout(self._inside)
        fields.setContentsMargins(0, 0, 0, 0)
        fields.setSpacing(px(4))
        for field in self._fields:
            field.changed.connect(self._edited)
            field.edit.setObjectName(f"model_{field.parameter.name}")
            fields.addWidget(field)
        fields.addWidget(
            label("Empty fields use the values from Settings.", role="caption", ink="3", wrap=True)
        )
        self._inside.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(4))
        row = QHBoxLayout()
        row.addWidget(label("Profile"))
        row.addStretch(1)
        row.addWidget(self._button)
        column.addLayout(row)
        folded = QHBoxLayout()
        folded.addWidget(self._fold)
        folded.addStretch(1)
        column.addLayout(folded)
        column.addWidget(self._inside)
        self.show_profiles((), Settings())

    @property
    def active(self) -> Profile:
        """The profile in use."""
        return _active(self._profiles)

    def show_profiles(self, profiles: tuple[Profile, ...], settings: Settings) -> None:
        """Show these profiles."""
        self._profiles = profiles
        active = self.active
        self._button.setText(active.name.capitalize())
        self._button.setAccessibleName(f"Profile: {active.name}")
        self._button.updateGeometry()
        for field in self._fields:
            name = field.parameter.name
            if not field.edit.hasFocus():
                field.show_value(active.sampling.get(name), getattr(settings, name, None))

    def save_load(self, load: LoadChoice) -> None:
        """Save load settings in the profile in use."""
        active = self.active
        self.saved.emit(Profile(active.name, load, active.sampling, active=True))

    def _edited(self) -> None:
        known = {field.parameter.name for field in self._fields}
        active = self.active
        own: dict[str, float | int] = {
            name: value for name, value in active.sampling.items() if name not in known
        }
        for field in self._fields:
            if field.value is not None:
                own[field.parameter.name] = field.value
        if dict(own) != dict(active.sampling):
            self.saved.emit(Profile(active.name, active.load, own, active=True))

    def _unfold(self, opened: bool) -> None:  # noqa: FBT001 - a slot of toggled(bool)
        self._inside.setVisible(opened)
        icon = "chevron-down" if opened else "chevron-right"
        self._theme.bind_icon(self._fold, icon, role="text-2")

    # the menu

    def _open_menu(self) -> None:
        menu = make_menu(self)
        menu.setMinimumWidth(self._button.width())
        group = QActionGroup(menu)
        names = [profile.name for profile in self._profiles] or [DEFAULT]
        for name in names:
            action = QAction(name.capitalize(), menu)
            action.setCheckable(True)
            action.setChecked(name == self.active.name)
            action.triggered.connect(lambda _checked=False, chosen=name: self.used.emit(chosen))
            group.addAction(action)
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction("New profile…", self._add)
        menu.addAction("Rename…", self._rename)
        delete = menu.addAction("Delete", lambda: self.deleted.emit(self.active.name))
        delete.setEnabled(bool(self._profiles) and self.active.name != DEFAULT)
        corner = self._button.mapToGlobal(self._button.rect().bottomLeft())
        corner.setY(corner.y() + 4)
        menu.popup(corner)

    def _add(self) -> None:
        name = slug(ask_text(self, self._theme, "New profile", "Name", "Add", ""))
        if name and name not in {one.name for one in self._profiles}:
            active = self.active
            self.saved.emit(Profile(name, active.load, active.sampling))
            self.used.emit(name)

    def _rename(self) -> None:
        active = self.active
        name = slug(ask_text(self, self._theme, "Rename profile", "Name", "Rename", active.name))
        if name and name != active.name and name not in {one.name for one in self._profiles}:
            self.renamed.emit(active, Profile(name, active.load, active.sampling, active.active))
