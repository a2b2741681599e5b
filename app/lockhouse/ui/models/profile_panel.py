"""The profiles of a model: the one in use, and its sampling defaults."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtWidgets import QMenu, QWidget

from lockhouse.library.model_info import LoadChoice, Profile
from lockhouse.library.model_names import slug
from lockhouse.library.models import Models
from lockhouse.storage.settings import Settings
from lockhouse.ui.chat.parameters import PARAMETERS
from lockhouse.ui.chat.prompt_panel import ParameterField
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.ui.form_dialog import ask_text
from lockhouse.ui.frame_parts import label, small_button
from lockhouse.ui.layouts import STRETCH, column, holding, row
from lockhouse.ui.models.controller import ModelsController
from lockhouse.ui.theme import Theme

DEFAULT = "default"
_NAMES = {"answer_max_tokens": "max_tokens"}  # of settings, in a profile


class ProfilePanel(QWidget):
    """The profile in use with a menu for the others, and sampling defaults that unfold."""

    def __init__(self, theme: Theme, models: ModelsController) -> None:
        super().__init__()
        self._theme = theme
        self._models = models
        self._model = ""
        self._profiles: tuple[Profile, ...] = ()
        self._button = ChoiceButton(theme, "Profile", (), height=28)
        self._button.setObjectName("profile_button")
        self._button.setFixedWidth(theme.px(152))
        self._button.picked.connect(self._use)
        self._button.opening.connect(self._add_actions)
        self._fold = small_button(
            theme, "Sampling defaults", name="sampling_fold", kind="quiet", icon="chevron-right"
        )
        self._fold.setCheckable(True)
        self._fold.toggled.connect(self._unfold)
        self._thinking = ChoiceButton(theme, "Thinking of this model", (), height=28)
        self._thinking.setObjectName("model_thinking")
        self._thinking.setFixedWidth(theme.px(152))
        self._thinking.picked.connect(lambda _: self._edited())
        self._fields = [
            ParameterField(theme, parameter, holder="this model")
            for parameter in PARAMETERS
            if not parameter.of_chat and parameter.name != "seed"
        ]
        for field in self._fields:
            field.changed.connect(self._edited)
            field.edit.setObjectName(f"model_{field.parameter.name}")
        note = label(
            "Empty fields use the values from Settings.", role="caption", ink="3", wrap=True
        )
        self._thinking_row = holding(
            row(theme, label("Thinking"), STRETCH, self._thinking, 24, gap=4)
        )
        self._inside = holding(column(theme, self._thinking_row, *self._fields, note, gap=4))
        self._inside.hide()
        column(
            theme,
            row(theme, label("Profile"), STRETCH, self._button, gap=4),
            row(theme, self._fold, STRETCH, gap=4),
            self._inside,
            gap=4,
            on=self,
        )
        self.show_profiles("", (), Settings())

    @property
    def active(self) -> Profile:
        """The profile in use; an empty default one when none was saved."""
        return next((one for one in self._profiles if one.active), Profile(DEFAULT, active=True))

    def show_profiles(
        self,
        model: str,
        profiles: tuple[Profile, ...],
        settings: Settings,
        thinking: Sequence[str] = (),
    ) -> None:
        """Show the profiles of a model; ``thinking`` are the choices of its switch."""
        self._model, self._profiles = model, profiles
        active = self.active
        names = [profile.name for profile in profiles] or [DEFAULT]
        self._button.show_options([(name, name.capitalize()) for name in names], active.name)
        words = {"": "Default", **{choice: choice.capitalize() for choice in thinking}}
        self._thinking.show_options(list(words.items()), str(active.sampling.get("thinking", "")))
        self._thinking_row.setVisible(bool(thinking))
        for field in self._fields:
            if field.parameter.of_thinking:
                field.setVisible(bool(thinking))
            name = field.parameter.name
            if not field.edit.hasFocus():
                own = active.sampling.get(_NAMES.get(name, name))
                field.show_value(own, getattr(settings, name, None))

    def save_load(self, load: LoadChoice) -> None:
        """Save load settings in the profile in use."""
        active = self.active
        self._save(msgspec.structs.replace(active, load=load, active=True))

    def delete(self, profile: str) -> None:
        """Delete one of them."""
        self._models.change_model(self._model, Models.delete_profile, profile)

    def _save(self, profile: Profile) -> None:
        self._models.save_profile(self._model, profile)

    def _use(self, profile: str) -> None:
        self._models.change_model(self._model, Models.use_profile, profile)

    def _edited(self) -> None:
        active = self.active
        shown = {
            "thinking": self._thinking.key or None,
            **{
                _NAMES.get(field.parameter.name, field.parameter.name): field.value
                for field in self._fields
            },
        }
        own = {
            name: value
            for name, value in {**active.sampling, **shown}.items()
            if value is not None and (name, value) != ("max_tokens", 0)  # no limit, as without it
        }
        if own != dict(active.sampling):
            self._save(msgspec.structs.replace(active, sampling=own, active=True))

    def _unfold(self, opened: bool) -> None:  # noqa: FBT001 - a slot of toggled(bool)
        self._inside.setVisible(opened)
        icon = "chevron-down" if opened else "chevron-right"
        self._theme.bind_icon(self._fold, icon, role="text-2")

    # the menu

    def _add_actions(self, menu: QMenu) -> None:
        menu.addSeparator()
        menu.addAction("New profile…", self._add)
        menu.addAction("Rename…", self._rename)
        delete = menu.addAction("Delete", lambda: self.delete(self.active.name))
        delete.setEnabled(bool(self._profiles) and self.active.name != DEFAULT)

    def _add(self) -> None:
        name = slug(ask_text(self, self._theme, "New profile", "Name", "Add", ""))
        if name and name not in {one.name for one in self._profiles}:
            active = self.active
            self._save(msgspec.structs.replace(active, name=name, active=False))
            self._use(name)

    def _rename(self) -> None:
        active = self.active
        name = slug(ask_text(self, self._theme, "Rename profile", "Name", "Rename", active.name))
        if name and name != active.name and name not in {one.name for one in self._profiles}:
            after = msgspec.structs.replace(active, name=name)
            self._models.rename_profile(self._model, active, after)
