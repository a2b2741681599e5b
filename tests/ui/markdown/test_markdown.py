"""Markdown read into values: what people see, what streaming may not change, what hostile text may
not cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockhouse.ui.markdown import (
    Block,
    CodeBlock,
    MarkdownStream,
    Paragraph,
    RuleBlock,
    Run,
    TableBlock,
    TextBlock,
    parse,
    plain_text,
)
from lockhouse.ui.markdown.blocks import runs_text
from lockhouse.ui.markdown.mathtext import readable
from lockhouse.ui.markdown.parser import host_of, read_segment

ANSWER = """## Two costs dominate

- **The pattern is rebuilt.** `re.match` looks it up
- Every line is *decoded* ~~twice~~

1. First do this:

   ```sh
   make
   ```

2. Then that
   - [x] done
   - [ ] not yet

```python
import re

LINE = re.compile(rb"^(\\S+)")
```

| Change | Time | Faster by |
|---|--:|:-:|
| Pattern compiled once | 24.1 s | 1.7x |

> A quote
> over two lines

---

The end, see [the manual](https://docs.example.org/re).
"""


def only(block: Block) -> Paragraph:
    assert isinstance(block, TextBlock)
    (paragraph,) = block.paragraphs
    return paragraph


def test_an_answer_becomes_the_blocks_it_is_made_of() -> None:
    blocks = parse(ANSWER)
    assert [type(block).__name__ for block in blocks] == [
        "TextBlock",  # heading
        "TextBlock",  # list
        "TextBlock",  # 1.
        "CodeBlock",
        "TextBlock",  # 2. with tasks
        "CodeBlock",
        "TableBlock",
        "TextBlock",  # quote
        "RuleBlock",
        "TextBlock",
    ]
    assert only(blocks[0]).kind == "h2"
    bullets = blocks[1]
    assert isinstance(bullets, TextBlock)
    assert [p.marker for p in bullets.paragraphs] == ["•", "•"]
    assert bullets.paragraphs[0].runs[0] == Run("The pattern is rebuilt.", bold=True)
    assert Run("re.match", code=True) in bullets.paragraphs[0].runs
    assert Run("twice", strike=True) in bullets.paragraphs[1].runs
    assert blocks[3] == CodeBlock("make", "sh", indent=1)
    steps = blocks[4]
    assert isinstance(steps, TextBlock)
    assert [(p.marker, p.indent) for p in steps.paragraphs] == [("2.", 1), ("☑", 2), ("☐", 2)]
    code = blocks[5]
    assert isinstance(code, CodeBlock)
    assert code.language == "python"
    assert code.code.count("\n") == 2
    table = blocks[6]
    assert isinstance(table, TableBlock)
    assert table.aligns == ("left", "right", "center")
    assert table.rows[0][1] == (Run("24.1 s"),)
    assert only(blocks[7]).quote == 1
    assert blocks[8] == RuleBlock()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50])
def test_streaming_ends_with_what_reading_at_once_gives(step: int) -> None:
    stream = MarkdownStream()
    frozen: tuple[Block, ...] = ()
    for start in range(0, len(ANSWER), step):
        stream.feed(ANSWER[start : start + step])
        now = stream.blocks()
        assert now[: len(frozen)] == frozen  # what is frozen never changes
        frozen = now[: stream.frozen]
    assert stream.finish() == parse(ANSWER)
    assert len(frozen) >= 8


@given(
    st.lists(
        st.sampled_from(
            [
                "\n",
                "\n\n",
                "- a",
                "  b",
                "```",
                "~~~",
                "| a | b |",
                "|-|-|",
                "> q",
                "1. ",
                "$$",
                "\\[",
                "**x**",
                "`c`",
                "# h",
                "text ",
                "    code",
                "\\]",
                "[l](http://e.org)",
                "\r\n",
                "\t",
            ]
        ),
        max_size=30,
    ),
    st.integers(1, 9),
)
@settings(max_examples=200)
def test_no_way_of_cutting_the_stream_changes_the_result(pieces: list[str], step: int) -> None:
    text = "".join(pieces).replace("\r\n", "\n")
    stream = MarkdownStream()
    for start in range(0, len(text), step):
        stream.feed(text[start : start + step])
        stream.blocks()
    assert stream.finish() == parse(text)


def test_an_open_fence_is_code_at_once_and_its_end_is_not_shown() -> None:
    stream = MarkdownStream()
    stream.feed("Look:\n```py\nx = 1\n``")
    assert stream.blocks()[-1] == CodeBlock("x = 1", "py", closed=False)
    stream.feed("`\n")
    assert stream.blocks()[-1] == CodeBlock("x = 1", "py", closed=True)
    assert stream.frozen == 2


def test_a_backtick_line_inside_longer_fences_is_code() -> None:
    (block,) = parse("````md\n```py\nx\n```\n````")
    assert block == CodeBlock("```py\nx\n```", "md")


def test_html_is_shown_as_the_text_it_is() -> None:
    text = "<script>alert(1)</script> and <img src='http://x.example/p.png'>"
    (block,) = parse(text)
    assert plain_text([block]) == text


def test_images_are_named_never_loaded() -> None:
    shown = plain_text(parse("![A chart](https://cdn.example.net/a.png?id=7) ![](file:///etc/x)"))
    assert "[image: A chart — not loaded, cdn.example.net]" in shown


def test_links_show_where_they_lead() -> None:
    paragraph = only(parse("See [my bank](https://evil.example/login).")[0])
    link = paragraph.runs[1]
    assert (link.text, link.href) == ("my bank", "https://evil.example/login")
    assert paragraph.runs[2] == Run(" (evil.example)", dim=True)
    same = only(parse("See [example.org](https://example.org/a)")[0])
    assert all(not run.dim for run in same.runs)


def test_only_the_web_and_mail_are_links() -> None:
    for address in ("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "../up"):
        for block in parse(f"[text]({address})"):
            assert all(not run.href for run in only(block).runs)
    assert host_of("https://раypal.com/") == "xn--ypal-43d9g.com"
    assert host_of("mailto:a@example.org") == "example.org"
    assert host_of("https://[broken") == ""


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"x^2 + y_1", "x² + y₁"),
        (r"\frac{a}{b} \le \sqrt{2}", "a/b ≤ √2"),
        (r"\frac{a+b}{2}", "(a+b)/2"),
        (r"\sum_{i=1}^{n} \alpha_i", "∑ᵢ₌₁ⁿ αᵢ"),
        (r"e^{i\pi} = -1", "e^iπ = -1"),
    ],
)
def test_formulas_are_readable(source: str, shown: str) -> None:
    assert readable(source) == shown


def test_formulas_in_all_four_spellings_keep_their_source() -> None:
    for text in ("$x^2$", r"\(x^2\)", "$$x^2$$", "\\[\nx^2\n\\]"):
        (block,) = parse(f"{text}\n")
        (run,) = only(block).runs
        assert (run.text, run.tip) == ("x²", "x^2"), text
    assert plain_text(parse("It costs $5 and then $6.")) == "It costs $5 and then $6."


def test_a_formula_that_cannot_be_read_stays_its_source() -> None:
    deep = "{" * 5000 + "x" + "}" * 5000
    assert readable(deep) == deep


def test_reference_definitions_do_not_disappear() -> None:
    assert "https://example.org" in plain_text(parse("Text.\n\n[1]: https://example.org\n"))


HOSTILE = {
    "quotes": "> " * 100_000 + "x",
    "lists": "- " * 50_000 + "x",
    "line": "a" * 1_000_000,
    "words": "word " * 200_000,
    "brackets": "[" * 100_000,
    "stars": "*a **b " * 30_000,
    "backticks": "`" * 100_000,
    "dollars": "$a" * 50_000,
    "table": "|a" * 3000 + "|\n" + "|-" * 3000 + "|\n" + ("|a" * 3000 + "|\n") * 20,
    "rows": "|a|b|\n|-|-|\n" + "|1|2|\n" * 20_000,
    "fences": "```\nx\n" * 20_000,
    "nesting": "".join("  " * i + "- a\n" for i in range(300)),
    "math": "\\[" + "\\frac{" * 3000 + "\\]",
    "null": "\0\u202e\ud7ff\uffff" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_bounded_and_is_not_lost(name: str) -> None:
    text = HOSTILE[name]
    blocks = parse(text)
    assert blocks
    for block in blocks:
        if isinstance(block, TextBlock):
            assert sum(len(r.text) for p in block.paragraphs for r in p.runs) <= 8_100
        if isinstance(block, TableBlock):
            assert len(block.rows) <= 401
            assert all(len(row) <= 40 for row in block.rows)
    if name in ("line", "quotes", "brackets"):
        shown = sum(
            len(r.text)
            for b in blocks
            if isinstance(b, TextBlock)
            for p in b.paragraphs
            for r in p.runs
        )
        assert shown >= len(text.replace(" ", "")) - 1


def test_a_long_table_is_cut_into_tables_with_the_same_head() -> None:
    text = "| name | size |\n|---|--:|\n" + "".join(f"| row {i} | {i} |\n" for i in range(1000))
    blocks = parse(text)
    assert len(blocks) > 1
    assert all(isinstance(b, TableBlock) and b.header == blocks[0].header for b in blocks)
    rows = [row for b in blocks if isinstance(b, TableBlock) for row in b.rows]
    assert [row[0][0].text for row in rows] == [f"row {i}" for i in range(1000)]


def test_a_long_numbered_list_keeps_its_numbers() -> None:
    items = (f"{i}. item {i} with words\n     - and a second line" for i in range(1, 400))
    blocks = parse("\n".join(items))
    markers = [p.marker for b in blocks if isinstance(b, TextBlock) for p in b.paragraphs]
    assert len(blocks) > 1
    assert [m for m in markers if m != "◦"] == [f"{i}." for i in range(1, 400)]
    assert markers.count("◦") == 399


@given(
    st.lists(
        st.sampled_from(["| 1 | 2 |", "| `a|b` | c", "plain", "> quote", "", "- item", "|", "# h"]),
        max_size=8,
    )
)
@settings(max_examples=150)
def test_a_table_read_row_by_row_is_the_table_read_at_once(rows: list[str]) -> None:
    text = "\n".join(["| a | b |", "|---|--:|", *rows])
    stream = MarkdownStream()
    for start in range(0, len(text), 3):
        stream.feed(text[start : start + 3])
        stream.blocks()
    assert stream.finish() == parse(text)
    whole = read_segment(text.split("\n\n")[0].rstrip("\n"))
    assert parse(text.split("\n\n")[0])[0] == whole[0]


def table(text: str) -> list[list[str]]:
    [block] = parse(text)
    assert isinstance(block, TableBlock)
    return [[runs_text(cell) for cell in row] for row in (block.header, *block.rows)]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `x | y` | (1 | group) |", ["x | y", "(1 | group)"]),
        ("| a \\| b | c |", ["a | b", "c"]),
        ("| a | b | c | d |", ["a", "b|c|d"]),
        ("| ``a | ` | b`` | c |", ["a | ` | b", "c"]),
        ("| `a | b |", ["`a", "b"]),
        ("| `a | b` |", ["`a", "b`"]),  # as many as there are columns: as GFM says
        ("| a |", ["a", ""]),
        ("a | b | c", ["a", "b | c"]),
    ],
)
def test_what_is_too_much_for_the_columns_of_a_row_is_not_lost(row: str, cells: list[str]) -> None:
    found = table(f"| a | b |\n|---|---|\n{row}\n| 1 | 2 |")
    assert [cell.replace("|", " | ").split() for cell in found[1]] == [
        cell.replace("|", " | ").split() for cell in cells
    ]
    assert found[2] == ["1", "2"]


def test_br_breaks_a_line_and_nothing_else_is_html() -> None:
    assert table("| Step | What |\n|---|---|\n| 1 | a<br>b<BR />c `<br>` |")[1] == [
        "1", "a\nb\nc <br>",
    ]  # fmt: skip
    assert plain_text(parse("a<br/>b<i>c</i>")) == "a\nb<i>c</i>"


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("这是**重点：**后面文字，**“引号”**结束", ["重点：", "“引号”"]),
        ("日本語の**「強調」**です", ["「強調」"]),
        ("한국어**(강조)**입니다", ["(강조)"]),
        ("2 ** 3 ** 4, f(**kwargs)", []),
        ("a**b.**c", []),  # as CommonMark says
    ],
)
def test_bold_beside_punctuation_of_scripts_without_spaces(text: str, bold: list[str]) -> None:
    assert [run.text for run in only(parse(text)[0]).runs if run.bold] == bold


@pytest.mark.parametrize(
    "text",
    [
        "A coffee is $5 in US$ terms. Set $PREFIX$SUFFIX.",
        "From $5 to $10, or $5-$10, or US$5/US$6.",
        "echo $HOME:$PATH and ${a}$b",
        "It costs $20 here and there 30$ each",
    ],
)
def test_prices_and_variables_are_no_formulas(text: str) -> None:
    assert plain_text(parse(text)) == text


@pytest.mark.parametrize("formula", ["x", "x^2", "2x", "n", "a+b", "f(x)", "12", "x \\in A", "AB"])
def test_formulas_are_still_formulas(formula: str) -> None:
    runs = only(parse(f"Where ${formula}$ is, ends.")[0]).runs
    assert [run.tip for run in runs if run.tip] == [formula]


def links(text: str) -> list[tuple[str, str]]:
    return [
        (run.text, run.href)
        for block in parse(text)
        if isinstance(block, TextBlock)
        for paragraph in block.paragraphs
        for run in paragraph.runs
        if run.href
    ]


def test_links_find_the_address_that_stands_elsewhere() -> None:
    text = "See [a][1] and [B].\n\npara\n\n[1]: https://example.org\n[b]: https://example.net/b"
    assert links(text) == [("a", "https://example.org"), ("B", "https://example.net/b")]
    assert "[1]:" not in plain_text(parse(text))
    assert links("[1]: https://example.org\n\nSee [a][1].\n\n- [ ] [1]") == [
        ("a", "https://example.org"),
        ("1", "https://example.org"),
    ]


def test_addresses_that_nothing_refers_to_are_shown() -> None:
    text = "Sources:\n\n[1]: https://example.org\n[2]: https://example.net"
    assert plain_text(parse(text)).endswith("[1]: https://example.org\n[2]: https://example.net")


def test_what_streams_has_its_links_at_the_end() -> None:
    text = "See [a][1].\n\nMore.\n\n[1]: https://example.org\n\nThe end."
    stream = MarkdownStream()
    for character in text:
        stream.feed(character)
        stream.blocks()
    assert stream.finish() == parse(text)
    assert stream.frozen == 0
