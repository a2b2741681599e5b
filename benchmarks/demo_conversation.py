"""A made-up conversation that shows every state a message can be in; and thousands of plain ones.

Used by the stall benchmark, and to take pictures of the transcript::

    PYTHONPATH=app python benchmarks/demo_conversation.py --out /tmp/shots
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

from lockhouse.ui.transcript.values import TranscriptMessage

ANSWER = """## Two costs dominate

- **The pattern is rebuilt for every line.** `re.match` looks it up in a cache each time; \
compile it once.
- **Every line is decoded to text.** You only need three digits, so read bytes and decode the \
result.

```python
import re
from collections import Counter

LINE = re.compile(rb"^(\\S+) \\S+ (\\d{3})")

def count_status(path: str) -> Counter[bytes]:
    with open(path, "rb", buffering=1 << 20) as log:  # 1 MiB reads
        return Counter(m[2] for line in log if (m := LINE.match(line)))
```

| Change | Time | Faster by |
|---|--:|--:|
| Pattern compiled once | 24.1 s | 1.7× |
| Bytes instead of text, 1 MiB reads | 9.3 s | 4.3× |
"""

EVERYTHING = """Sure:

$$\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$$

Inline \\(e^{x} \\ge 1 + x\\) too.

> Quoted words stand back a little,
> over two lines.

1. First, see [the manual](https://docs.example.org/re)
2. Then:
   - [x] this is done
   - [ ] this is not

![A chart](https://cdn.example.net/chart.png)

Emoji 😀 and 日本語.

---

End."""

PARAGRAPHS = (
    """The **quick** brown fox jumps over the *lazy* dog while `engine` streams tokens into the
view. It keeps running at the same pace through the long grass beside the canal, and nothing on
the other bank takes notice of it until the lock opens.""",
    """What to take along:

- a first item with `code`
- a second one with **bold** words
- a third, which is long enough to need more than a single line of the column that it is set in

and a closing remark.""",
    """### A heading

A paragraph with a [link](https://example.org/page) and some more words to make it wrap over at
least two lines of text in the view.

1. one
2. two
3. three""",
    """| model | size | speed |
|---|--:|--:|
| 135M | 98 MB | 120 t/s |
| 1B | 700 MB | 30 t/s |

The table above has three columns.""",
)
CODE = '''```python
from dataclasses import dataclass


@dataclass
class Point:
    """A place on a plane."""

    x: float = 0.0
    y: float = 0.0


def distance(a: Point, b: Point) -> float:
    # as the crow flies
    return ((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5
```'''


def question(text: str, message_id: str) -> TranscriptMessage:
    return TranscriptMessage(id=message_id, role="user", text=text)


def mock() -> list[TranscriptMessage]:
    """The conversation of the design pictures."""
    return [
        question(
            "This parser needs 40 s for a 2 GB log. Why is it slow, and how would you fix it "
            "without new dependencies?",
            "q1",
        ),
        TranscriptMessage(
            id="a1",
            role="assistant",
            text=ANSWER,
            reasoning="Three candidates: the pattern is rebuilt per line, text decoding, small "
            "reads. Measure each before saying which.\n\nThe cache of compiled patterns hides most "
            "of the first cost, but not the look-up.",
            reasoning_seconds=6.2,
            header_name="Qwen3 8B",
            header_detail="Balanced, Q4_K_M",
            version_index=2,
            version_count=2,
            stats=("412 tokens", "first token 0.9 s", "11.8 tok/s"),
        ),
    ]


def states() -> list[TranscriptMessage]:
    """Every other state."""
    told = [
        question("And a formula, a quote, a picture?", "q2"),
        TranscriptMessage(
            id="a2",
            role="assistant",
            text=EVERYTHING,
            stats=("96 tokens", "first token 0.2 s", "58.1 tok/s"),
        ),
        question("Stop here.", "q3"),
        TranscriptMessage(id="a3", role="assistant", text="I was going to say", status="cancelled"),
        question("Again, longer.", "q4"),
        TranscriptMessage(
            id="a4",
            role="assistant",
            text="",
            status="failed",
            error_message="The engine stopped: it ran out of memory.",
            error_hint="Use a smaller context, or close other programs.",
            retry_safer=True,
        ),
    ]
    return [
        message
        if message.role == "user"
        else replace(message, header_name="SmolLM2 135M Instruct", header_detail="Balanced, Q4_1")
        for message in told
    ]


def long_conversation(count: int) -> list[TranscriptMessage]:
    """Half short questions, half Markdown answers, code in every third."""
    messages = []
    for index in range(count):
        if index % 2 == 0:
            text = f"Question {index}: how far apart are two points on a plane, and why is that so?"
            messages.append(question(text, f"m{index}"))
            continue
        pieces = [PARAGRAPHS[index % 4], PARAGRAPHS[(index // 2) % 4]]
        if index % 3 == 0:
            pieces.insert(1, CODE)
        messages.append(
            TranscriptMessage(
                id=f"m{index}",
                role="assistant",
                text="\n\n".join(pieces),
                header_name="SmolLM2 135M Instruct",
                header_detail="Balanced, Q4_1",
                stats=("120 tokens", "first token 0.2 s", "58.1 tok/s"),
            )
        )
    return messages


def _take_pictures(folder: Path) -> None:
    from PySide6.QtWidgets import QApplication

    from lockhouse.ui.theme import Theme
    from lockhouse.ui.transcript import TranscriptView

    app = QApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    theme = Theme(app, choice="light")
    for scheme in ("light", "dark"):
        theme.set_choice(scheme)
        for name, width, messages in (
            ("mock", 960, mock()),
            ("states", 960, mock() + states()),
            ("narrow", 580, mock() + states()),
        ):
            view = TranscriptView(theme)
            view.setProperty("tone", "bg-2")
            view.resize(width, 620 if name == "mock" else 1000)
            view.set_messages(messages)
            view.show()
            for _ in range(20):
                app.processEvents()
            view.grab().save(str(folder / f"{name}-{scheme}.png"))
            view.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pictures of the transcript.")
    parser.add_argument("--out", type=Path, required=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    _take_pictures(parser.parse_args().out)
