"""The page before its model: what it shows, who waits, and what becomes of a model that cannot be loaded."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Outcome
from hub_server import HubServer, Refuse

from toolkit.cli.space import page_folder
from toolkit.errors import BaseModelError, CogsymError, HubError
from toolkit.languages import Direction
from toolkit.translator import Translator

sys.path.insert(0, str(page_folder()))

import app
import facts
import visits
from catalogue import Catalogue, foresee, open_catalogue
from loading import Loading
from settings import Settings

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def settings(tiny_base: Path, tiny_deltas: dict[str, Path]) -> Settings:
    return Settings(base=str(tiny_base), deltas=tuple(map(str, tiny_deltas.values())), refresh_seconds=0)


@pytest.fixture
def held(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Catalogue, threading.Event]]:
    """A catalogue that is loading, and goes on once the event is set."""
    go_on = threading.Event()
    load = Translator.from_pretrained

    def slow(*arguments: Any, **options: Any) -> Translator:
        assert go_on.wait(60)
        return load(*arguments, **options)

    monkeypatch.setattr(Translator, "from_pretrained", slow)
    catalogue = foresee(settings)
    catalogue.load_soon()
    yield catalogue, go_on
    go_on.set()
    catalogue.wait()


def failing(settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Catalogue:
    """A catalogue whose model could not be loaded."""

    def fail(*_: Any, **__: Any) -> Translator:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(Translator, "from_pretrained", fail)
        catalogue = foresee(settings)
        catalogue.load_soon()
        with pytest.raises(type(error)):
            catalogue.wait()
    return catalogue


# Before


def test_all_that_is_offered_is_shown_before_anything_is_loaded(settings: Settings) -> None:
    before, after = foresee(settings), open_catalogue(settings)
    assert before.state == "not begun"
    assert before.directions == after.directions
    assert [one.code for one in before.targets("eng")] == [one.code for one in after.targets("eng")]
    assert before.first_direction() == Direction("eng", "jav")
    assert before.base_id == after.base_id
    assert facts.languages_table(before, "en") == facts.languages_table(after, "en")
    assert facts.what_changed(before, "en") == facts.what_changed(after, "en")
    assert "The model is still loading" in facts.model_note(before, "en")
    assert facts.model_note(after, "en") == ""
    assert before.edition != after.edition


def test_no_heavy_library_is_loaded_before_the_page(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    code = f"""
import sys
from catalogue import foresee
from settings import Settings
assert foresee(Settings(deltas=({str(tiny_deltas["jav"])!r},), base={str(tiny_base)!r}), strict=True).directions
import page
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(page_folder())}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_gradio_is_imported_whole_without_its_stubs() -> None:
    code = """
from gradio_import import FUNCTION, MODULE, import_gradio
import sys
gradio = import_gradio()
assert not [one for one in sys.meta_path if type(one).__module__ == "gradio_import"]
assert getattr(sys.modules[MODULE], FUNCTION).__module__ == "gradio_import", "Gradio has no such function any more"
assert callable(gradio.Textbox.change) and gradio.Textbox.__module__ == "gradio.components.textbox"
with gradio.Blocks() as page:
    box = gradio.Textbox()
    box.change(lambda text: text, box, box)
assert len(page.config["dependencies"]) == 1
assert import_gradio() is gradio
"""
    environment = {**os.environ, "PYTHONPATH": str(page_folder())}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# While it loads


def test_who_translates_meanwhile_waits_and_is_served(held: tuple[Catalogue, threading.Event]) -> None:
    catalogue, go_on = held
    views = visits.translate(catalogue, visits.Running(), "me", "sun.", "eng", "jav", False, "en")
    first = next(views)
    assert first.running
    assert "still loading" in first.status
    go_on.set()
    assert list(views)[-1].translation == "moon."


def test_who_waits_can_stop_alone(held: tuple[Catalogue, threading.Event]) -> None:
    catalogue, _ = held
    running = visits.Running()
    views = visits.translate(catalogue, running, "me", "sun.", "eng", "jav", False, "en")
    next(views)
    running.stop("me")
    last = list(views)[-1]
    assert "Stopped" in last.status
    assert not last.running


def test_a_sentence_that_is_too_long_is_told_once_somebody_can_tell(held: tuple[Catalogue, threading.Event]) -> None:
    catalogue, go_on = held
    views = visits.translate(catalogue, visits.Running(), "me", "sun moon " * 100, "eng", "jav", False, "en")
    assert not next(views).problem
    go_on.set()
    last = list(views)[-1]
    assert "One sentence has" in last.problem
    assert not last.running


def test_a_delta_that_turns_out_to_be_damaged_is_told_to_who_waited_for_it(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(tiny_deltas["jav"], tmp_path / "damaged"))
    data = (damaged / "delta.safetensors").read_bytes()
    (damaged / "delta.safetensors").write_bytes(data[: len(data) // 2])
    catalogue = foresee(Settings(base=str(tiny_base), deltas=(str(damaged), str(tiny_deltas["sun"]))), strict=True)
    assert catalogue.served("eng", "jav")
    views = visits.translate(catalogue, visits.Running(), "me", "sun.", "eng", "jav", False, "en")
    next(views)
    catalogue.load_soon()
    assert "No model here translates" in list(views)[-1].problem
    assert [one.name for one in catalogue.skipped] == ["damaged"]


def test_programs_wait_too(held: tuple[Catalogue, threading.Event]) -> None:
    from gradio_client import Client
    from space_pages import served

    catalogue, go_on = held
    with served(catalogue) as address:
        client = Client(address, verbose=False)
        assert len(client.predict(api_name="/languages")) == 4
        job = client.submit("sun.", "eng", "jav", api_name="/translate")
        time.sleep(0.3)
        assert not job.done()
        go_on.set()
        assert job.result(timeout=60) == "moon."


# Where it cannot be loaded


def test_what_loading_fails_with_is_in_the_log_and_on_the_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        catalogue = failing(settings, monkeypatch, BaseModelError("base model /a/b/tiny cannot be loaded: cut"))
    assert "base model /a/b/tiny cannot be loaded: cut" in caplog.text
    assert "Traceback" not in caplog.text
    note = facts.model_note(catalogue, "en")
    assert 'role="alert"' in note
    assert "base model tiny cannot be loaded: cut" in note
    last = list(visits.translate(catalogue, visits.Running(), "me", "sun.", "eng", "jav", False, "en"))[-1]
    assert "could not be loaded" in last.problem
    assert "base model tiny cannot be loaded: cut" in last.problem
    assert not last.running


def test_what_nobody_expected_is_in_the_log_with_its_traceback_and_tells_visitors_no_details(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        catalogue = failing(settings, monkeypatch, RuntimeError("secret detail"))
    assert "Traceback" in caplog.text
    assert "secret" not in facts.model_note(catalogue, "en")
    assert "RuntimeError" in facts.model_note(catalogue, "en")


def test_a_program_is_told_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradio_client import Client
    from space_pages import served

    catalogue = failing(settings, monkeypatch, BaseModelError("base model tiny cannot be loaded: cut"))
    with served(catalogue) as address, pytest.raises(Exception, match="could not be loaded"):
        Client(address, verbose=False).predict("sun.", "eng", "jav", api_name="/translate")


def test_a_hub_that_was_away_is_asked_again_when_somebody_visits(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = failing(settings, monkeypatch, HubError("cannot download the base: the Hub is away"))
    catalogue.look_soon()
    assert catalogue.wait()
    assert catalogue.state == "ready"
    assert facts.model_note(catalogue, "en") == ""


def test_a_base_that_is_broken_is_not_loaded_again_and_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = failing(settings, monkeypatch, BaseModelError("cut"))
    catalogue.look_soon()
    assert catalogue.state == "failed"


def test_what_is_made_once_is_made_once() -> None:
    made: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def make() -> int:
        begun.set()
        assert go_on.wait(60)
        made.append(1)
        return 7

    loading = Loading(make)
    loading.start()
    assert begun.wait(60)
    loading.start()
    go_on.set()
    assert (loading.run(), loading.wait(), made) == (7, 7, [1])


# The command


@pytest.fixture
def command(cogsym: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `cogsym space serve ARGS...` stops with, before it imports what serves a page."""

    def never() -> None:
        pytest.fail("it was about to make a page")

    monkeypatch.setattr(app, "import_gradio", never)

    def stop(*arguments: object) -> str:
        done = cogsym("space", "serve", "--no-open", *arguments)
        assert done.code == 1
        assert "Traceback" not in done.err
        return done.err

    return stop


def test_the_command_stops_at_a_delta_that_is_not_there(
    command: Callable[..., str], tmp_path: Path, tiny_base: Path, tiny_deltas: dict[str, Path]
) -> None:
    assert "no delta at" in command("--delta", tmp_path / "nothing")
    deltas = ("--delta", tiny_deltas["jav"], "--delta", tmp_path)
    assert "no config.json" in command("--base", tiny_base, *deltas)


@pytest.mark.parametrize(
    ("change", "message"),
    [("{", "config.json"), ({"language": "xxx"}, "xxx"), ({"prompt": "{{ x }}"}, "prompt"), ({"base": 1}, "base")],
)
def test_the_command_stops_at_a_damaged_config(
    command: Callable[..., str],
    tiny_base: Path,
    tiny_deltas: dict[str, Path],
    tmp_path: Path,
    change: Any,
    message: str,
) -> None:
    delta = Path(shutil.copytree(tiny_deltas["jav"], tmp_path / "damaged"))
    config = json.loads((delta / "config.json").read_text())
    (delta / "config.json").write_text(change if isinstance(change, str) else json.dumps(config | change))
    assert message in command("--base", tiny_base, "--delta", delta)


def test_the_command_stops_at_a_base_without_weights(
    command: Callable[..., str], tiny_base: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "model.safetensors" in command("--base", base)


def test_the_command_asks_the_hub_for_what_is_not_here(command: Callable[..., str], hub: HubServer) -> None:
    assert "org/nothing" in command("--delta", "org/nothing")
    assert "org/no-base" in command("--base", "org/no-base")


def test_a_space_comes_up_without_asking_the_hub(hub: HubServer, tiny_base: Path) -> None:
    hub.faults.from_request(0, Refuse())
    catalogue = foresee(Settings(base=str(tiny_base), deltas=("org/javanese",), owners=("org",)))
    assert hub.faults.requests == []
    assert catalogue.directions == ()
    assert facts.what_changed(catalogue, "en")


def test_what_was_downloaded_before_is_shown_without_asking_the_hub(
    hub: HubServer, tiny_base: Path, tiny_deltas: dict[str, Path]
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_deltas["jav"].iterdir() if path.is_file()}
    hub.store.add_files("org/javanese", files)
    settings = Settings(base=str(tiny_base), deltas=("org/javanese",))
    open_catalogue(settings)
    hub.faults.from_request(0, Refuse())
    asked = len(hub.faults.requests)
    assert foresee(settings).served("eng", "jav")
    assert len(hub.faults.requests) == asked
    again = open_catalogue(settings)
    assert again.translator.translate("sun.", "eng>jav") == "moon."
    hub.faults.clear()
    again.look()
    assert len(hub.faults.requests) == 1, "the same commit is not read again"


def test_where_cards_are_lent_the_model_is_there_before_the_page(
    tiny_base: Path, tiny_deltas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import app
    from device import Device

    monkeypatch.setattr(Translator, "move", lambda *_: None)
    monkeypatch.setattr(Translator, "allow_forks", lambda _: None)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda place: SimpleNamespace(total_memory=70 * 2**30))
    settings = Settings(base=str(tiny_base), deltas=(str(tiny_deltas["jav"]),))
    _, catalogue = app.make_page(settings, Device("zerogpu", lambda duration: lambda function: function))
    assert catalogue.state == "ready"
    _, catalogue = app.make_page(settings, Device("own"))
    assert catalogue.state == "not begun"
    with pytest.raises(CogsymError):
        app.make_page(Settings(base=str(tiny_base / "nothing")), Device("own"))
