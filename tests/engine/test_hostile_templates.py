"""Chat templates that a stranger wrote: see :mod:`tests.engine.template_fuzz`."""

from __future__ import annotations

from .template_fuzz import run


def test_templates_put_together_at_random_give_a_text_or_a_reason() -> None:
    ends, wrong, _ = run(150, seed=7)
    assert wrong == []
    assert ends["rendered"] > 5
    assert ends["refused"] > 50
