"""Single tasks forwarded to an API from the real window, and a chat that goes there.

    forward_journey.py SHOTS HOME HOST COMMAND...

The home knows the provider "cloudy" at HOST and is open for it. Prints one line a step.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from window_hands import Hands
from window_journey import answered, ask, say


def pick(hands: Hands, words: str = "") -> None:
    """Take from the list of targets that has opened."""
    hands.find("Search models")
    if words:
        hands.type(words)
    hands.key("Return")


def sheet(hands: Hands) -> None:
    """Wait until the sheet shows what would leave."""
    hands.wait(
        lambda: hands.sees("SHA-256 of the body") and is_enabled(hands, "Send once"), "the sheet"
    )


def is_enabled(hands: Hands, name: str) -> bool:
    node = hands.look(name)
    return node is not None and hands.is_enabled(node)


def forwarded(hands: Hands, command: list[str], home: Path, host: str) -> None:
    badge = f"API · {host}"
    hands.start(command, home=home)
    hands.until_sees("A model is ready on this machine")
    hands.click("Start chatting")
    ask(hands, "What is the capital of France? Answer in one sentence.")
    answered(hands)
    hands.until_sees("Paris")
    say("answered here")

    hands.click_at(hands.last("Ask another model…"))
    hands.find("Search models")
    hands.shot("ask-this-of")
    pick(hands)
    sheet(hands)
    assert hands.sees(host), "the recipient is not named"
    hands.shot("sheet-turn")
    hands.click("Send once")
    hands.until_sees("Goes where it was sent")
    answered(hands)
    hands.wait(lambda: hands.sees(badge), "the mark of the answer")
    hands.shot("forwarded-turn")
    say("forwarded one turn")

    hands.key("ctrl+i")
    hands.until_sees("Source")
    hands.until_sees("Host: ")
    hands.click("Show what was sent")
    hands.until_sees("What was sent")
    hands.shot("what-was-sent")
    hands.key("Escape")
    hands.key("ctrl+i")
    say("read who got what")

    hands.double_click(hands.last("Goes where it was sent", exact=False))
    hands.click("Ask another model about the selection")
    pick(hands)
    sheet(hands)
    hands.click("Explain")
    sheet(hands)
    hands.shot("sheet-selection")
    hands.click("Send once")
    hands.wait(lambda: len(hands.shown(badge, exact=False)) >= 2, "a second answer from there")
    answered(hands)
    assert hands.sees("A model on this machine answers"), "the chat itself did not stay here"
    hands.shot("forwarded-selection")
    say("forwarded a selection")

    hands.click("A model on this machine answers. Choose a model")
    pick(hands, "cloudy")
    hands.until_sees(f"The next message goes to {host}")
    hands.click("Message", role="text")
    hands.type("And what is beyond?")
    hands.until_sees(f"Goes to {host}")
    hands.shot("composer-elsewhere")
    hands.key("Return")
    sheet(hands)
    hands.key("Escape")
    hands.wait(lambda: hands.look("Send once") is None, "the end of the sheet")
    assert hands.sees("And what is beyond?"), "the draft is gone"
    hands.click("Message", role="text")
    hands.key("Return")
    sheet(hands)
    hands.shot("sheet-message")
    hands.click("Send, and do not ask again before sending to Cloudy")
    hands.wait(lambda: len(hands.shown(badge, exact=False)) >= 3, "a third answer from there")
    answered(hands)
    hands.shot("chat-elsewhere")
    say("sent after looking twice")

    hands.quit()
    hands.start(command, home=home)
    hands.wait(lambda: hands.sees(badge), "the marks after a restart")
    hands.shot("reopened")
    hands.quit()
    say("marked for good")


def main() -> None:
    shots, home, host, *command = sys.argv[1:]
    shutil.rmtree(shots, ignore_errors=True)
    Path(shots).mkdir(parents=True)
    hands = Hands(Path(shots))
    try:
        forwarded(hands, command, Path(home), host)
    finally:
        if hands.process is not None and hands.process.poll() is None:
            hands.shot("where-it-ended")
            hands.process.terminate()
            hands.process.wait(timeout=30)


if __name__ == "__main__":
    main()
