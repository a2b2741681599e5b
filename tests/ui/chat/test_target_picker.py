"""Who can answer, as it is offered: groups, order, marks, what is in the way."""

from __future__ import annotations

from decimal import Decimal

from lockhouse.answer.target import TargetInfo
from lockhouse.ui.chat.search_list import SearchLine
from lockhouse.ui.chat.target_picker import Destination, target_lines
from lockhouse.ui.outbound.values import Obstacle

LOCAL = Destination(TargetInfo("smol", "local", "SmolLM2", "Balanced, Q4_1"), sees=False)
OFFICE = Destination(
    TargetInfo("office/qwen", "lan", "qwen", leaves_machine=True, host="192.168.1.20:8080")
)
HERE = Destination(TargetInfo("mine/tiny", "lan", "tiny", host="127.0.0.1:8080"))
NO_KEY = Obstacle("key_missing", "No key", "There is no key for OpenAI.", way="key")


def api(name: str, *, obstacle: Obstacle | None = None, provider: str = "mistral") -> Destination:
    info = TargetInfo(
        f"{provider}/{name}" if name else "",
        "api",
        name,
        provider=provider,
        leaves_machine=True,
        host=f"api.{provider}.ai:443",
        provider_title=provider.title(),
        input_price=Decimal("0.4") if name else None,
        output_price=Decimal(2) if name else None,
    )
    return Destination(info, obstacle)


ALL = (LOCAL, api("", obstacle=NO_KEY, provider="openai"), api("small"), api("large"), OFFICE, HERE)


def lines(*destinations: Destination, **wanted: object) -> list[SearchLine]:
    return target_lines(destinations or ALL, **wanted)  # type: ignore[arg-type]


def titles(found: list[SearchLine]) -> list[str]:
    return [line.title for line in found]


def test_they_stand_in_groups_and_who_can_answer_comes_first() -> None:
    assert titles(lines()) == [
        "On this machine",
        "SmolLM2",
        "On your network",
        "qwen",
        "tiny",
        "APIs, prices per million tokens",
        "small",
        "large",
        "Openai",
        "Add provider or server…",
    ]


def test_what_leaves_is_marked_in_words_for_everybody() -> None:
    marks = {
        line.title: line.spoken_pill for line in lines() if isinstance(line.value, Destination)
    }
    assert marks["SmolLM2"] == ""
    assert marks["tiny"] == "Server on this machine"
    for title in ("qwen", "small", "large", "Openai"):
        assert marks[title] == "Leaves this machine"
    spoken = next(line.spoken for line in lines() if line.title == "large")
    assert spoken == "large, Mistral · api.mistral.ai · $0.40 in, $2 out, Leaves this machine"


def test_an_api_that_listens_on_this_machine_leaves_all_the_same() -> None:
    info = TargetInfo("cloudy/large", "api", "large", host="127.0.0.1:9000")
    (_, line, _) = lines(Destination(info))
    assert line.spoken_pill == "Leaves this machine"


def test_what_is_in_the_way_has_its_way_on() -> None:
    line = next(line for line in lines() if line.title == "Openai")
    assert isinstance(line.value, Destination)
    assert (line.value.info.name, line.value.way, line.action) == ("", "key", "Set key…")
    assert "No key" in line.detail


def test_the_search_looks_at_names_and_hosts() -> None:
    assert titles(lines(words="MISTRAL lar")) == ["APIs, prices per million tokens", "large"]
    assert titles(lines(words="192.168")) == ["On your network", "qwen"]
    assert lines(words="nobody") == []


def test_a_task_is_offered_remote_only_and_the_last_one_first() -> None:
    found = lines(remote_only=True, recent=("mistral/large",))
    assert "SmolLM2" not in titles(found)
    apis = [line.title for line in found if isinstance(line.value, Destination)][2:4]
    assert apis == ["large", "small"]


def test_the_present_one_is_told() -> None:
    line = next(line for line in lines(current="office/qwen") if line.is_current)
    assert line.title == "qwen"
    assert line.spoken.endswith("selected")
