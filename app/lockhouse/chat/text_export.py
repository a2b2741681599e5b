"""What is shown of a conversation, written out for reading or for training.

The HTML page holds no script and fetches nothing: images that are not part of the text are
named instead of loaded, and the page forbids its reader's browser to load anything.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from lockhouse.chat.text_attachments import fenced, with_attachments
from lockhouse.chat.values import Conversation, Message, Picture
from lockhouse.core.messages import Image

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_UNFINISHED = {
    "streaming": "This answer is still being written.",
    "cut": "This answer was cut off.",
    "cancelled": "This answer was stopped.",
    "failed": "This answer failed.",
}


def as_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Front matter, then a heading and the text of each message."""
    parts = [_front_matter(conversation, messages)]
    if conversation.system.strip():
        parts.append(f"## System\n\n{conversation.system.strip()}\n")
    for message in messages:
        parts.append(f"## {_speaker(message)}\n")
        if _remote_origin(message):
            parts.append(f"*{_remote_origin(message)}*\n")
        if message.reasoning.strip():
            # The trace must not be able to end its own frame.
            trace = message.reasoning.strip().replace("</details", "&lt;/details")
            parts.append(
                '<details type="reasoning">\n<summary>Reasoning</summary>\n\n'
                f"{trace}\n\n</details>\n"
            )
        parts += [f"*Picture: {_picture_name(picture)}*\n" for picture in message.pictures]
        parts += [f"*File: {_line(f.name)}*\n\n{fenced(f.text)}\n" for f in message.files]
        parts.append(f"{message.content.strip()}\n")
        if message.status in _UNFINISHED:
            parts.append(f"*{_why(message)}*\n")
    return "\n".join(parts)


def as_jsonl(conversation: Conversation, messages: Sequence[Message]) -> str:
    """One line with the messages as the OpenAI interface takes them."""
    lines: list[dict[str, str]] = []
    if conversation.system.strip():
        lines.append({"role": "system", "content": conversation.system})
    for message in messages:
        text = with_attachments(message.content, message.files)
        line = {"role": message.role, "content": text}
        if message.reasoning:
            line["reasoning_content"] = message.reasoning
        lines.append(line)
    return msgspec.json.encode({"messages": lines}).decode() + "\n"


def as_html(
    conversation: Conversation,
    messages: Sequence[Message],
    *,
    images: Mapping[str, Sequence[Image]],
) -> str:
    """One page that needs nothing else; ``images`` by the id of their message."""
    renderer = _renderer()
    style = resources.files("lockhouse.chat").joinpath("page.css").read_text(encoding="utf-8")
    title = html.escape(conversation.title or "Untitled conversation")
    body = [f"<h1>{title}</h1>", f"<p class='when'>{_day(conversation.created_at)}</p>"]
    if conversation.system.strip():
        system = renderer.render(conversation.system)
        body.append(f"<details class='system'><summary>System</summary>{system}</details>")
    body += [_article(message, images.get(message.id, ()), renderer) for message in messages]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='referrer' content='no-referrer'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _front_matter(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Values are written as JSON, which YAML reads alike."""
    answers = [m for m in messages if m.role == "assistant" and m.target is not None]
    facts: dict[str, object] = {"title": conversation.title or "Untitled conversation"}
    if answers:
        last = answers[-1]
        facts["model"] = last.target.name if last.target else ""
        facts["sha256"] = _sha256(last)
        if last.provenance:
            facts["parameters"] = last.provenance.finished.parameters
        names = list(dict.fromkeys(m.target.name for m in answers if m.target))
        if len(names) > 1:
            facts["models"] = names
    facts["created"] = conversation.created_at.isoformat(timespec="seconds")
    facts["updated"] = conversation.updated_at.isoformat(timespec="seconds")
    lines = (f"{name}: {msgspec.json.encode(fact).decode()}" for name, fact in facts.items())
    return "---\n" + "\n".join(lines) + "\n---\n"


def _article(message: Message, images: Sequence[Image], renderer: MarkdownIt) -> str:
    parts = [f"<article class='{message.role}'>", f"<h2>{html.escape(_speaker(message))}</h2>"]
    if _remote_origin(message):
        parts.append(f"<p class='remote'>{html.escape(_remote_origin(message))}</p>")
    if message.reasoning.strip():
        renderer.options["breaks"] = False
        trace = renderer.render(message.reasoning)
        parts.append(f"<details><summary>Reasoning</summary>{trace}</details>")
    parts += [_embedded(image) for image in images]
    parts += [
        f"<details><summary>File {html.escape(_line(file.name))}</summary>"
        f"<pre>{html.escape(file.text)}</pre></details>"
        for file in message.files
    ]
    # A person's line ends where that person ended it.
    renderer.options["breaks"] = message.role == "user"
    parts.append(renderer.render(message.content))
    if message.status in _UNFINISHED:
        parts.append(f"<p class='unfinished'>{html.escape(_why(message))}</p>")
    parts.append(_origin(message))
    parts.append("</article>")
    return "\n".join(part for part in parts if part)


def _line(name: str) -> str:
    return " ".join(name.split())


def _picture_name(picture: Picture | Image) -> str:
    return " ".join(picture.name.split()) or picture.media_type


def _embedded(image: Image) -> str:
    data = base64.b64encode(image.data).decode()
    name = html.escape(_picture_name(image))
    return f"<p><img alt='{name}' src='data:{html.escape(image.media_type)};base64,{data}'></p>"


def _origin(message: Message) -> str:
    """How an answer came about, in one folded line."""
    if message.role != "assistant" or message.provenance is None:
        return ""
    finished = message.provenance.finished
    facts = {
        "Time": _day(message.created_at),
        "Tokens": f"{finished.usage.completion_tokens:,}",
        "SHA-256": _sha256(message),
        "Engine": f"{finished.engine.name} {finished.engine.version}".strip(),
        **{
            name: f"{value}"
            for name, value in finished.parameters.items()
            if value not in (None, "", [], {})
        },
    }
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>"
        for name, fact in facts.items()
        if fact
    )
    return f"<details class='origin'><summary>How it came about</summary><dl>{rows}</dl></details>"


def _speaker(message: Message) -> str:
    if message.role == "user":
        return "You"
    if message.role == "system":
        return "System"
    named = (message.target.title or message.target.name) if message.target else ""
    return " ".join(named.split()) or "Assistant"


def _remote_origin(message: Message) -> str:
    """The mark of an answer that was not given on this machine."""
    target = message.target
    if target is None or target.kind == "local":
        return ""
    if message.is_imported:
        return f"Imported: {' '.join(target.name.split())}"
    whose = target.host or target.provider_title or target.provider
    return f"From another machine: {' '.join(target.name.split())}{f' at {whose}' if whose else ''}"


def _why(message: Message) -> str:
    told = _UNFINISHED[message.status]
    return f"{told} {message.error.message}" if message.error else told


def _sha256(message: Message) -> str:
    known = message.provenance.finished.model_sha256 if message.provenance else None
    return known or (message.target.sha256 if message.target else None) or ""


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.add_render_rule("image", _image)
    renderer.add_render_rule("link_open", _link)
    return renderer


def _image(_self: Any, tokens: Any, number: int, _options: Any, _env: Any) -> str:
    """An image that is part of the text; any other one by name only."""
    token = tokens[number]
    source, label = str(token.attrs.get("src", "")), str(token.content)
    if source.startswith("data:image/"):
        return f"<img alt='{html.escape(label)}' src='{html.escape(source)}'>"
    return f"<span class='image'>[{html.escape(label or 'Image')}: {html.escape(source)}]</span>"


def _link(self: Any, tokens: Any, number: int, options: Any, env: Any) -> str:
    tokens[number].attrSet("rel", "noopener noreferrer")
    return str(self.renderToken(tokens, number, options, env))
