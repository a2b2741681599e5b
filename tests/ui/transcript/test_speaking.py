"""What a screen reader is given to say while an answer is written."""

from __future__ import annotations

import pytest

from lockhouse.ui.transcript.screen_reader import Sentences

TEXT = """## Two costs

The **first** is `re.match`. It looks the pattern up!

- one [link](https://example.org/a.b)

```python
x = 1.  # not said
```

Done"""


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_sentences_are_said_once_without_marks_and_without_code(step: int) -> None:
    said: list[str] = []
    sentences = Sentences(said.append)
    for start in range(0, len(TEXT), step):
        sentences.feed(TEXT[start : start + step])
    sentences.finish()
    assert said == [
        "Two costs",
        "The first is re.match.",
        "It looks the pattern up!",
        "one link",
        "Code in python.",
        "Done",
    ]


def test_text_without_an_end_is_said_in_pieces() -> None:
    said: list[str] = []
    sentences = Sentences(said.append)
    sentences.feed("word " * 200)
    assert len(said) == 2
    sentences.finish()
    assert sum(len(piece.split()) for piece in said) == 200
