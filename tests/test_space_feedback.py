"""What visitors tell, on its way to a data set on the Hub, and when that way is blocked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, Refuse, Status

from toolkit.cli.space import page_folder

sys.path.insert(0, str(page_folder()))

import feedback
from feedback import LIMIT_ALL_A_MINUTE, Entry, FeedbackStore, open_feedback
from feedback_dataset import DatasetSender
from settings import Settings

pytest_plugins = ("hub_server.fixtures",)

SAID = "org/said"


def entry(text: str, suggestion: str | None = None) -> Entry:
    opinion = "suggestion" if suggestion else "good"
    return Entry("eng", "jav", text, "moon.", "jav", "tiny", opinion, suggestion)  # type: ignore[arg-type]


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Callable[..., tuple[FeedbackStore, DatasetSender]]]:
    """Makes a store that sends when it is told to, as a page that starts on a fresh disk does."""
    senders: list[DatasetSender] = []

    def make(folder: str = "feedback") -> tuple[FeedbackStore, DatasetSender]:
        sender = DatasetSender(tmp_path / folder, SAID, every_minutes=60)
        senders.append(sender)
        return FeedbackStore(tmp_path / folder, sender), sender

    yield make
    for sender in senders:
        sender.stop()


def sent(hub: HubServer) -> list[dict[str, object]]:
    """All rows in the data set, of all its files."""
    files = hub.store.files(SAID)
    lines = [line for path in sorted(files) if path.startswith("data/") for line in files[path].decode().splitlines()]
    return [json.loads(line) for line in lines]


def wait_for(state: str, store: FeedbackStore) -> None:
    deadline = time.monotonic() + 60
    while store.health.state != state:
        assert time.monotonic() < deadline, store.health
        time.sleep(0.02)


def test_opinions_arrive_in_a_private_data_set_that_says_whose_words_are_whose(
    hub: HubServer, sending: Callable[..., tuple[FeedbackStore, DatasetSender]]
) -> None:
    store, sender = sending()
    assert store.add(entry("sun.", "bulan."), "me") == "thanks"
    sender.send_now()
    (row,) = sent(hub)
    assert (row["text"], row["model_output"], row["suggestion"]) == ("sun.", "moon.", "bulan.")
    assert hub.store.repositories[SAID].private
    card = hub.store.files(SAID)["README.md"].decode()
    assert "| `model_output` | what the model answered | a model's" in card
    assert set(row) - {"time"} <= {part.strip("` ") for line in card.splitlines() for part in line.split("|")} | {
        "source",
        "target",
        "model",
        "base",
        "base_licence",
    }
    assert store.health.state == "sent"
    assert store.add(entry("moon."), "me") == "thanks"
    sender.send_now()
    assert [row["text"] for row in sent(hub)] == ["sun.", "moon."]


def test_a_page_that_starts_again_replaces_nothing(
    hub: HubServer, sending: Callable[..., tuple[FeedbackStore, DatasetSender]]
) -> None:
    for folder, text in (("first disk", "sun."), ("second disk", "moon.")):
        store, sender = sending(folder)
        store.add(entry(text), "me")
        sender.send_now()
    assert sorted(str(row["text"]) for row in sent(hub)) == ["moon.", "sun."]


def test_a_card_that_somebody_wrote_stays(
    hub: HubServer, sending: Callable[..., tuple[FeedbackStore, DatasetSender]]
) -> None:
    hub.store.add_files(SAID, {"README.md": b"mine"})
    store, sender = sending()
    store.add(entry("sun."), "me")
    sender.send_now()
    assert hub.store.files(SAID)["README.md"] == b"mine"
    assert len(sent(hub)) == 1


@pytest.mark.parametrize("fault", [Refuse(), Status(500), Status(403), Status(413)])
def test_what_cannot_be_sent_is_kept_here_told_and_sent_later(
    hub: HubServer, fault: Refuse | Status, sending: Callable[..., tuple[FeedbackStore, DatasetSender]]
) -> None:
    store, sender = sending()
    sender.send_now()
    hub.faults.from_request(0, fault)
    assert store.add(entry("sun."), "me") == "thanks"
    with pytest.raises(Exception):  # noqa: B017 - each fault is another of the client's errors
        sender.send_now()
    assert store.health.state == "not_sent"
    assert store.health.since
    assert "sun." in store.path.read_text()
    hub.faults.clear()
    sender.send_now()
    assert store.health.state == "sent"
    assert [row["text"] for row in sent(hub)] == ["sun."]


def test_a_page_opens_although_the_data_set_cannot_be_reached(
    hub: HubServer, sending: Callable[..., tuple[FeedbackStore, DatasetSender]]
) -> None:
    hub.faults.from_request(0, Refuse())
    store, sender = sending()
    wait_for("not_sent", store)
    assert store.add(entry("sun."), "me") == "thanks"
    hub.faults.clear()
    sender.send_now()
    assert [row["text"] for row in sent(hub)] == ["sun."]


def test_a_full_disk_is_told_and_nothing_half_is_sent(
    hub: HubServer,
    sending: Callable[..., tuple[FeedbackStore, DatasetSender]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, sender = sending()
    store.add(entry("sun."), "me")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("feedback.os.fsync", full)
        assert store.add(entry("second"), "me") == "feedback_failed"
    sender.send_now()
    assert [row["text"] for row in sent(hub)] == ["sun."]


def test_a_file_that_has_grown_too_large_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "LIMIT_BYTES", 1_000)
    store = FeedbackStore(tmp_path)
    answers = [store.add(entry(f"{n} " * 60), "me") for n in range(8)]
    assert answers[0] == "thanks"
    assert answers[-1] == "feedback_failed"
    assert store.path.stat().st_size <= 1_000


def test_a_flood_of_new_visitors_is_held_back(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path)
    answers = [store.add(entry(f"{n}"), f"visitor {n}") for n in range(LIMIT_ALL_A_MINUTE + 5)]
    assert answers == ["thanks"] * LIMIT_ALL_A_MINUTE + ["slow_down"] * 5


def test_a_page_that_starts_again_knows_what_it_was_told(tmp_path: Path) -> None:
    assert FeedbackStore(tmp_path).add(entry("sun."), "me") == "thanks"
    (tmp_path / "feedback.jsonl").open("a").write("no json\n[]\n{}\n")
    again = FeedbackStore(tmp_path)
    assert again.add(entry("sun."), "me") == "known_already"
    assert again.add(entry("moon."), "me") == "thanks"


def test_where_feedback_goes_is_a_setting(tmp_path: Path) -> None:
    assert open_feedback(Settings()) is None
    store = open_feedback(Settings(feedback=tmp_path))
    assert store is not None
    assert store.health.state == "kept_here"
