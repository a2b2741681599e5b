"""The page of claims names its tests: each of them has to be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "docs" / "CLAIMS.md"


def there_are() -> set[str]:
    return {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_a_claim_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", CLAIMS.read_text(encoding="utf-8")))
    assert len(named) > 40
    assert named - there_are() == set()


def test_every_claim_says_what_shows_it_and_where_it_ends() -> None:
    parts = CLAIMS.read_text(encoding="utf-8").split("\n## ")[1:]
    claims = [part for part in parts if "**Claim.**" in part]
    assert len(claims) >= 8
    for part in claims:
        title = part.partition("\n")[0]
        assert "`test_" in part, title
        assert "**Not guaranteed.**" in part, title
