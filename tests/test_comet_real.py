"""The real COMET, where its environment is installed: our values are those of its own API, digit for digit."""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hub_server.fixtures import forget_connections
from hub_server.server import TOKEN, HubServer

from toolkit.errors import EvaluationError
from toolkit.evaluation.comet import DEFAULT_MODEL, CometScorer, comet_scores
from toolkit.evaluation.comet.environment import REQUIREMENTS, find, look

TEXT = "the dog is big where is the market asu kuwi gedhe pasare ana ing ngendi ? ꦲꦏ꧀ꦱꦫ 👋"
WORDS = TEXT.split()
SEGMENTS = [
    (" ".join(WORDS[i % 7 : i % 7 + i % 5]), " ".join(WORDS[i % 9 : i % 9 + i % 4]), " ".join(WORDS[i % 3 : 9 - i % 6]))
    for i in range(50)
] + [("", "", ""), ("a" * 3000, "asu " * 300, "\n\t ")]


@pytest.fixture(scope="module")
def python() -> Path:
    found = find()
    if found is None:
        pytest.skip(f"COMET's environment is {look().state}: run `cogsym comet install`, or set COGSYM_COMET_HOME")
    return found


@pytest.fixture(scope="module")
def model(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny COMET model with random weights; do not write into it."""
    folder = tmp_path_factory.mktemp("comet") / "tiny-comet"
    run(python, "make", folder)
    return folder


def run(python: Path, *arguments: object, **options: Any) -> str:
    command = [str(python), str(Path(__file__).with_name("comet_checkpoint.py")), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def test_values_are_those_of_comets_own_api_digit_for_digit(python: Path, model: Path) -> None:
    sizes = (1, 16)
    outputs = json.loads(run(python, "score", model / "checkpoints" / "model.ckpt", *sizes, input=json.dumps(SEGMENTS)))
    with CometScorer(str(model)) as scorer:
        for batch_size, theirs in zip(sizes, outputs, strict=True):
            batches: list[int] = []
            ours = scorer.score(SEGMENTS, batch_size=batch_size, report=batches.append)
            assert list(ours.values) == theirs["values"]
            assert ours.mean == pytest.approx(theirs["mean"], rel=1e-12)
            assert sum(batches) == len(SEGMENTS)
            assert len(batches) == -(-len(SEGMENTS) // batch_size)
    assert len(set(ours.values)) > 30  # a model that says the same of everything would prove nothing
    assert ours.signature.endswith("|dtype:fp32|comet:2.2.7")


def test_a_published_model_is_fetched_by_the_client_of_comets_environment(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubServer(tmp_path / "hub")
    hub.store.create(DEFAULT_MODEL)
    files = ("hparams.yaml", "checkpoints/model.ckpt")
    hub.store.add_files(DEFAULT_MODEL, {name: (model / name).read_bytes() for name in files})
    for name, value in {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    try:
        published = comet_scores(SEGMENTS)
        with pytest.raises(EvaluationError, match="the Hub has no COMET model someone/else: RepositoryNotFoundError"):
            comet_scores(SEGMENTS, model="someone/else")
    finally:
        hub.close()
        forget_connections()
    assert published.values == comet_scores(SEGMENTS, model=str(model)).values
    assert published.signature.startswith("COMET-22|model:Unbabel/wmt22-comet-da|sha256:")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert comet_scores(SEGMENTS) == published


class RunsCode:
    """What a hostile checkpoint may hold."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("truncated", "the checkpoint of damaged cannot be read"),
        ("code", "the checkpoint of damaged holds more than weights, and reading it could run code"),
        ("no tokenizer", "the tokenizer that it needs, is not in the cache, and the Hub cannot be reached"),
    ],
)
def test_a_damaged_model_is_told_and_runs_no_code(
    python: Path, model: Path, tmp_path: Path, damage: str, message: str
) -> None:
    folder = tmp_path / "damaged"
    run(python, "make", folder)
    checkpoint = folder / "checkpoints" / "model.ckpt"
    if damage == "truncated":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-5000])
    elif damage == "code":
        checkpoint.write_bytes(pickle.dumps(RunsCode(tmp_path / "run")))
    else:
        (folder / "encoder").rename(folder / "elsewhere")
    with pytest.raises(EvaluationError) as told:
        comet_scores(SEGMENTS, model=str(folder))
    assert message in told.value.message
    assert not (tmp_path / "run").exists()


def test_the_environment_holds_what_is_pinned(python: Path) -> None:
    code = "import importlib.metadata as m; print({d.metadata['Name'].lower(): d.version for d in m.distributions()})"
    out = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout
    installed = {name.replace("_", "-"): number.partition("+")[0] for name, number in eval(out).items()}
    lines = REQUIREMENTS.read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: installed.get(name.lower().replace("_", "-")) for name in pins} == pins
