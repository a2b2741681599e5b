"""One person's first hour with the window, on a virtual screen.

    window_journey.py SHOTS HOME COMMAND...

Prints one line a step. Ends with an error where something is not as a person would expect it.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from window_hands import Hands

LONG = "Tell me a very long story about a river."


def say(step: str) -> None:
    print(step, flush=True)


def answered(hands: Hands) -> None:
    """Wait until nothing is being answered any more."""
    hands.wait(
        lambda: hands.look("Stop the answer") is None and hands.look("Send") is not None,
        "the end of the answer",
    )
    hands.pause()


def ask(hands: Hands, question: str) -> None:
    hands.click("Message", role="text")
    hands.type(question)
    hands.key("Return")


def first_hour(hands: Hands, command: list[str], home: Path) -> None:
    hands.start(command, home=home)
    hands.until_sees("A model is ready on this machine")
    hands.wait(lambda: hands.sees("of memory"), "the memory of the starter model")
    hands.shot("first-start")
    say("first start")

    hands.click("Start chatting")
    hands.find("Message", role="text")
    hands.shot("empty-chat")
    hands.type(LONG)
    hands.key("Return")
    hands.find("Stop the answer")
    hands.wait(lambda: hands.sees("river") and answer_length(hands) > 200, "streamed text")
    hands.shot("streaming")
    say("asked, and watched it stream")

    hands.click("Stop the answer")
    answered(hands)
    assert answer_length(hands) > 100, "what came was not kept"
    hands.shot("stopped")
    say("stopped")

    ask(hands, "What is the capital of France? Answer in one sentence.")
    answered(hands)
    hands.until_sees("Paris")
    hands.shot("answered")
    say("answered")

    hands.click_at(hands.last("Regenerate, keep this version"))
    hands.last("Previous version")
    answered(hands)
    hands.shot("regenerated")
    hands.click_at(hands.last("Previous version"))
    hands.wait(lambda: not enabled(hands, "Previous version"), "the first version")
    hands.until_sees("Paris")
    hands.shot("first-version")
    say("regenerated, and flipped versions")

    hands.hover(hands.find("You: What is the capital of France?", exact=False))
    hands.click_at(hands.last("Edit message"))
    hands.find("Save & send")
    hands.shot("editing")
    hands.key("ctrl+a")
    hands.type("What is the capital of Italy? Answer in one sentence.")
    hands.click("Save & send")
    hands.until_sees("capital of Italy")
    answered(hands)
    hands.shot("edited")
    say("edited the question")

    hands.click_at(hands.last("New chat from here"))
    hands.until_sees("Branched into")
    hands.shot("branched")
    say("branched")

    hands.key("ctrl+k")
    hands.find("Search chats, messages and commands")
    hands.type("italy")
    hands.until_sees("Messages")
    hands.shot("search")
    hands.key("Return")
    hands.wait(lambda: hands.look("Search chats, messages and commands") is None, "the chat")
    hands.until_sees("capital of Italy")
    say("searched")

    hands.key("ctrl+i")
    hands.until_sees("Source")
    hands.shot("details")
    hands.key("ctrl+i")
    hands.click("Sealed: nothing can leave. Open the Gate")
    hands.until_sees("Nothing has left this machine")
    hands.click("Prove it")
    hands.find("Prove it again")
    assert hands.sees("attempts were stopped"), "the seal does not hold"
    assert not hands.sees("attempts were not stopped"), "the seal does not hold"
    hands.shot("gate-proved")
    hands.click("Allow network access")
    hands.click("Stay sealed")
    hands.wait(lambda: hands.look("Stay sealed") is None, "the end of the dialog")
    hands.click("Set key for Anthropic")
    hands.until_sees("Get a key at")
    hands.shot("gate-key")
    hands.key("Escape")
    say("read details, and had the seal proved")

    hands.key("ctrl+2")
    hands.until_sees("Models on this machine")
    hands.shot("models")
    hands.key("ctrl+comma")
    hands.until_sees("Enter sends")
    hands.shot("settings")
    hands.click("Theme: Dark")
    hands.shot("settings-dark")
    hands.key("ctrl+1")
    hands.find("Message", role="text")
    hands.shot("chat-dark")
    say("switched the theme")

    hands.key("ctrl+n")
    ask(hands, LONG)
    hands.wait(lambda: answer_length(hands) > 150, "streamed text")
    seen = answer_start(hands)
    hands.shot("before-closing")
    hands.quit()
    say("closed in mid-answer")

    hands.start(command, home=home)
    hands.wait(lambda: answer_start(hands) != "", "the answer of last time")
    kept = seen[:60]
    hands.wait(lambda: still_there(hands, kept), f"the text from before closing, “{kept}”,")
    assert answer_length(hands) >= 100, "the text was not kept"
    hands.shot("reopened")
    hands.quit()
    say("reopened and found it")


def _answers(hands: Hands) -> list[str]:
    """What stands under each answer, the last at the end."""
    return [hands.words_in(node) for node in hands.shown("Answer from", exact=False)]


def answer_length(hands: Hands) -> int:
    answers = _answers(hands)
    return len(answers[-1]) if answers else 0


def answer_start(hands: Hands) -> str:
    answers = _answers(hands)
    return re.sub(r"\s+", " ", answers[-1])[:100] if answers else ""


def still_there(hands: Hands, text: str) -> bool:
    """Whether the last answer has these words. Only what shows is read: a long one is scrolled."""
    answers = _answers(hands)
    if answers and text in re.sub(r"\s+", " ", answers[-1]):
        return True
    hands.wheel_up(hands.last("Conversation"))
    return False


def enabled(hands: Hands, name: str) -> bool:
    return hands.is_enabled(hands.last(name))


def main() -> None:
    shots, home, *command = sys.argv[1:]
    shutil.rmtree(shots, ignore_errors=True)
    Path(shots).mkdir(parents=True)
    hands = Hands(Path(shots))
    try:
        first_hour(hands, command, Path(home))
    finally:
        if hands.process is not None and hands.process.poll() is None:
            hands.shot("where-it-ended")
            hands.process.terminate()
            hands.process.wait(timeout=30)


if __name__ == "__main__":
    main()
