"""How families of models mark their reasoning trace and their answer.

Known from the models' own chat templates and cards. What a template says of itself comes first;
this table is for servers, which do not show theirs, and for templates that drop reasoning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of models marks its trace.

    ``answer`` is what the model writes before its answer, where it writes anything. ``is_words``:
    the marks are words that any answer may hold, so they count only for a model whose template
    has them.
    """

    opening: str
    closing: str
    answer: str = ""
    is_words: bool = False

    @property
    def ending(self) -> str:
        """What to write to end the trace and have the answer begin."""
        if self.answer or self.closing.startswith("<|"):
            return self.closing + self.answer
        return f"\n{self.closing}\n\n"


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Marks around an answer. ``is_soft``: an answer may hold them for reasons of its own."""

    opening: str
    closing: str
    is_soft: bool = False


ANALYSIS = Family(
    "<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant<|channel|>final<|message|>"
)
TO_SELF = Family(
    "<|start|>assistant to=self<|message|>", "<|eom|>", "<|start|>assistant to=user<|message|>"
)
FINAL_RESPONSE = Family(
    "Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]", "\n", is_words=True
)
FAMILIES: tuple[Family, ...] = (
    Family("<think>", "</think>"),
    Family("<thinking>", "</thinking>"),
    Family("<reason>", "</reason>"),
    Family("<reasoning>", "</reasoning>"),
    Family("<thought>", "</thought>"),
    Family("<Thought>", "</Thought>"),
    Family("<seed:think>", "</seed:think>"),
    Family("<mm:think>", "</mm:think>"),
    Family("<think:opensource>", "</think:opensource>"),
    Family("[THINK]", "[/THINK]"),
    Family("◁think▷", "◁/think▷"),
    Family("<|START_THINKING|>", "<|END_THINKING|>"),
    Family("<|inner_prefix|>", "<|inner_suffix|>"),
    Family("<|begin_of_thought|>", "<|end_of_thought|>", "\n\n<|begin_of_solution|>"),
    Family("<|open|>think<|sep|>", "<|close|>think<|sep|>", "<|open|>response<|sep|>"),
    Family("<|channel>thought", "<channel|>"),
    Family("<unused94>thought", "<unused95>"),
    Family("<|think|>", "<|end|>", "<|begin|>assistant<|content|>"),
    FINAL_RESPONSE,
    Family("Here is my thought process:", "Here is my response:", "\n", is_words=True),
    ANALYSIS,
    TO_SELF,
)
WRAPPERS: tuple[Wrapper, ...] = (
    Wrapper("<response>", "</response>", is_soft=True),
    Wrapper("<answer>", "</answer>", is_soft=True),
    Wrapper("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    Wrapper("<|START_TEXT|>", "<|END_TEXT|>"),
    Wrapper("<|begin_of_solution|>", "<|end_of_solution|>"),
    Wrapper("<|open|>response<|sep|>", "<|close|>response<|sep|>"),
    Wrapper("<|begin|>assistant<|content|>", "<|end|>"),
    Wrapper("<|content|>", "<|end|>"),
)
LAST_WORDS = {FINAL_RESPONSE.closing: "[END FINAL RESPONSE]"}
"""What may stand behind the answer, by what ended the trace."""

# Some families write messages: a header, its end, the words, and an end.
MESSAGE_FAMILIES = (ANALYSIS, TO_SELF)
HEADER_STARTS = ("<|start|>assistant", "<|channel|>")
HEADER_END = "<|message|>"
HEADER = re.compile(
    r"(?:<\|start\|>assistant)?[^<\n]{0,100}(?:<\|channel\|>[^<\n]{0,100})?"
    r"(?:<\|constrain\|>[^<\n]{0,50})?<\|message\|>"
)
LONGEST_HEADER = 300
MESSAGE_ENDS = ("<|end|>", "<|eom|>", "<|eot|>", "<|return|>", "<|call|>")

_ALL = (
    *(mark for one in FAMILIES if not one.is_words for mark in (one.opening, one.closing)),
    *(mark for wrapper in WRAPPERS for mark in (wrapper.opening, wrapper.closing)),
    *(*HEADER_STARTS, HEADER_END, *MESSAGE_ENDS, "<|constrain|>"),
)
MARKS: frozenset[str] = frozenset(
    part for mark in _ALL for part in (mark, *re.findall(r"<\|?[A-Za-z:_]+\|?>", mark))
)


def opened_by_prompt(prompt: str, families: tuple[Family, ...] = FAMILIES) -> Family | None:
    """The family whose trace the rendered prompt has already opened, if any."""
    tail = prompt.rstrip()
    return next((family for family in families if tail.endswith(family.opening)), None)


def late_closings(families: tuple[Family, ...]) -> tuple[str, ...]:
    """The marks that end a trace that the answer itself never began."""
    named = (one.closing for one in families if not one.is_words)
    return (*(mark for mark in named if mark not in MESSAGE_ENDS), FINAL_RESPONSE.closing)
