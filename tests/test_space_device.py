"""Where the page computes: processors, a card of its own, or cards that ZeroGPU lends; with a stand-in for `spaces`.

Not yet run on ZeroGPU. The stand-in does what the real package does as far as its source says: it asks for the duration
with the very arguments of the call, and hands arguments and results to another process, here through pickle.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from toolkit.cli.space import page_folder
from toolkit.languages import Direction
from toolkit.translator import Translator

sys.path.insert(0, str(page_folder()))

import visits
from catalogue import Catalogue, open_catalogue
from device import MAX_SECONDS, START_SECONDS, Device, find_device, seconds_for
from settings import Settings


class FakeSpaces(ModuleType):
    """Records what cards are asked for, and lends one that is another process as far as values go."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.durations: list[int] = []
        self.calls: list[str] = []
        self.closed = 0
        self.refusal: Exception | None = None

    def GPU(self, task: Any = None, *, duration: Callable[..., int] | int = 60) -> Any:
        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            def lent(*args: Any, **kwargs: Any) -> Iterator[Any]:
                self.durations.append(duration(*args, **kwargs) if callable(duration) else duration)
                self.calls.append(function.__name__)
                if self.refusal:
                    raise self.refusal
                args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
                steps = function(*args, **kwargs)
                try:
                    for step in steps:
                        yield pickle.loads(pickle.dumps(step))
                except GeneratorExit:
                    self.closed += 1
                    steps.close()
                    raise

            return lent

        return decorate if task is None else decorate(task)


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> FakeSpaces:
    fake = FakeSpaces()
    monkeypatch.setitem(sys.modules, "spaces", fake)
    # What the real one lets `cuda` mean before a card is there has no stand-in: the model stays where it is.
    monkeypatch.setattr(Translator, "move", lambda self, place: fake.calls.append(f"move to {place}"))
    monkeypatch.setattr(Translator, "allow_forks", lambda self: fake.calls.append("allow forks"))
    # The real one knows the memory of the cards that it lends, and says it before one is there.
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda place: SimpleNamespace(total_memory=70 * 2**30))
    return fake


@pytest.fixture
def lent(spaces: FakeSpaces, tiny_base: Path, tiny_deltas: dict[str, Path]) -> Catalogue:
    found = find_device({"SPACES_ZERO_GPU": "true"})
    settings = Settings(base=str(tiny_base), deltas=tuple(map(str, tiny_deltas.values())))
    opened = open_catalogue(settings, found)
    assert spaces.calls == ["move to cuda", "allow forks"]
    spaces.calls.clear()
    return opened


@pytest.mark.parametrize(("card_bytes", "resident"), [(70 * 2**30, True), (2**16, False)])
def test_what_is_packed_for_a_card_is_measured_by_the_card_and_not_by_the_machine(
    card_bytes: int,
    resident: bool,
    spaces: FakeSpaces,
    tiny_base: Path,
    tiny_deltas: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda place: SimpleNamespace(total_memory=card_bytes))
    monkeypatch.setattr("toolkit.translator.memory_bytes", lambda: 0 if resident else 70 * 2**30)
    settings = Settings(base=str(tiny_base), deltas=(str(tiny_deltas["jav"]),))
    translator = open_catalogue(settings, Device("zerogpu", spaces.GPU)).translator
    assert str(translator.model.dtype) == "torch.bfloat16"  # the file's, where a processor takes float32
    assert translator._switcher._languages["jav"].resident == resident


def visit(catalogue: Catalogue, text: str, **options: Any) -> list[visits.View]:
    running = options.pop("running", visits.Running())
    compare = options.pop("compare", False)
    return list(visits.translate(catalogue, running, "me", text, "eng", "jav", compare, "en"))


def test_where_to_compute_is_decided_by_what_is_there_and_without_torch(spaces: FakeSpaces) -> None:
    assert find_device({}) == find_device({"SPACES_ZERO_GPU": "false"}) == Device("own")
    assert find_device({"SPACES_ZERO_GPU": "true"}).kind == "zerogpu"
    code = "import sys, device; assert device.find_device({}).kind == 'own'; assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(page_folder())}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


def test_a_folder_named_spaces_is_not_taken_for_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spaces", ModuleType("spaces"))
    assert find_device({"SPACES_ZERO_GPU": "true"}).gpu is None


def test_spaces_is_there_before_torch(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(
        "import sys\n"
        "assert 'torch' not in sys.modules and 'gradio' not in sys.modules, 'too late'\n"
        "def GPU(*a, **k): raise SystemExit('asked')\n"
        "print('first')\n"
    )
    code = "import app; assert app.find_device().kind == 'zerogpu'"
    environment = {**os.environ, "SPACES_ZERO_GPU": "true", "PYTHONPATH": f"{tmp_path}:{page_folder()}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "first\n"), done.stderr


def test_a_card_is_asked_for_once_and_for_as_long_as_the_text_needs(lent: Catalogue, spaces: FakeSpaces) -> None:
    assert visit(lent, "sun.")[-1].translation == "moon."
    words = ("sun", "moon", "river", "stone", "bird", "fish", "house", "tree", "rain", "wind", "fire", "road")
    assert visit(lent, "\n".join(f"{word}." for word in words))[-1].translation.count(".") == 12
    short, long = spaces.durations
    assert START_SECONDS <= short < long <= MAX_SECONDS
    assert spaces.calls == ["_stream_there", "_stream_there"]


def test_nothing_that_can_be_refused_here_asks_for_a_card(lent: Catalogue, spaces: FakeSpaces) -> None:
    for text in ("", "sun moon " * 100, "a. " * 400_000):
        assert visit(lent, text)[-1].problem
    list(visits.translate(lent, visits.Running(), "me", "sun.", "jav", "sun", False, "en"))
    assert spaces.durations == []


def test_the_base_beside_it_and_other_ways_ask_for_a_card_too(lent: Catalogue, spaces: FakeSpaces) -> None:
    assert visit(lent, "sun.", compare=True)[-1].base_translation
    *_, (html, running) = visits.alternatives(lent, visits.Running(), "me", "sun.", "eng", "jav", "en")
    assert "moon." in html
    assert not running
    assert spaces.calls == ["_stream_there", "_stream_there", "_alternatives_there"]


def test_stopping_gives_the_card_back(lent: Catalogue, spaces: FakeSpaces) -> None:
    running = visits.Running()
    views = visits.translate(lent, running, "me", "sun.\nmoon.", "eng", "jav", False, "en")
    next(views)
    next(views)
    running.stop("me")
    assert "Stopped" in list(views)[-1].status
    assert spaces.closed == 1


def test_what_zerogpu_has_to_say_reaches_the_visitor_as_text(lent: Catalogue, spaces: FakeSpaces) -> None:
    import gradio

    spaces.refusal = gradio.Error('Your quota is used up. <a href="https://example.org">Log in</a>')
    problem = visit(lent, "sun.")[-1].problem
    assert "Your quota is used up. Log in" in problem
    assert "<a" not in problem


def test_no_new_delta_is_looked_for_once_the_model_is_packed(lent: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent, "look", lambda: pytest.fail("looked"))
    lent._looked = -1e9
    lent.look_soon()
    assert threading.active_count() < 50


@pytest.mark.parametrize(
    ("sentences", "tokens", "seconds"), [(0, 0, START_SECONDS), (1, 20, 22), (8, 20, 22), (9, 20, 25), (500, 500, 120)]
)
def test_the_duration_grows_with_the_text_and_has_an_end(sentences: int, tokens: int, seconds: int) -> None:
    assert seconds_for(sentences, tokens, at_once=8) == seconds


def test_a_card_of_its_own_is_asked_for_nothing(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    opened = open_catalogue(Settings(base=str(tiny_base), deltas=(str(tiny_deltas["jav"]),)), Device("own"))
    assert opened.device.gpu is None
    (last,) = list(opened.stream("sun.", Direction("eng", "jav"), "jav", threading.Event()))[-1:]
    assert last.text == "moon."


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_fork_inherits_no_lock_that_another_thread_holds(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    code = f"""
import os, threading, time
from toolkit.translator import Translator
translator = Translator.from_pretrained({str(tiny_deltas["jav"])!r}, {str(tiny_base)!r}, device="cpu")
translator.allow_forks()
held = threading.Event()
def hold():
    with translator._reader.lock:
        held.set()
        time.sleep(0.5)
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if translator.length("sun.", "eng>jav").fits else 1)
deadline = time.monotonic() + 60
while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
    assert time.monotonic() < deadline, "the child waits for ever"
    time.sleep(0.05)
assert done[1] == 0, done
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "went on\n", done.stderr
