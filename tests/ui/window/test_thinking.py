"""The switch for thinking: beside the model that has one, kept with its chat."""

from __future__ import annotations

from pathlib import Path

from lockhouse.library.starter import starter_model
from lockhouse.ui.choice_button import ChoiceButton
from lockhouse.workspace import Workspace
from tests.engine.models import with_template
from tests.ui.window.driving import OpenWindow, Window

SWITCHED = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
)


def switch(window: Window) -> ChoiceButton:
    found = window.page.composer.findChild(ChoiceButton, "thinking")
    assert isinstance(found, ChoiceButton)
    return found


def test_thinking_is_switched_where_the_model_has_a_switch_and_kept_with_the_chat(
    open_window: OpenWindow, home: Path, tmp_path: Path
) -> None:
    starter = starter_model()
    assert starter is not None
    path = with_template(starter, tmp_path / "thinker.gguf", SWITCHED)

    def prepare(workspace: Workspace) -> None:
        workspace.models.import_files([path])

    window = open_window(home, prepare=prepare)
    assert not switch(window).isVisible()  # the starter model does not think
    assert not [one for one in window.page.details.prompt._fields if one.isVisible()]
    window.page.start_chatting("thinker")
    window.stored()
    assert switch(window).isVisible()
    assert [key for key, _ in switch(window)._options] == ["", "off", "on"]
    switch(window)._pick("off")
    window.app.settings.set("answer_max_tokens", 4)
    window.ask("Why is the sky blue?")
    chat = window.workspace.conversations.get(window.app.chat.conversation_id)
    assert chat.parameters["thinking"] == "off"
    stored = window.workspace.conversations.path(chat.id)[-1]
    assert stored.provenance is not None
    assert stored.provenance.finished.parameters["thinking"] == "off"
    assert switch(window).text() == "Thinking off"
    window.page.new_chat()
    window.stored()
    assert switch(window).key == ""
    window.open(chat)
    assert switch(window).key == "off"
