"""A chat template that cannot be rendered."""

from __future__ import annotations


class TemplateFailed(Exception):
    """The template could not be rendered; the message says why.

    ``lasting``: it hung or broke its process, so trying it again would only cost time.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting
