"""COMET scores from a process of its own: what it is asked, what it answers, and every way in which it can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import langcodes
import pytest
from comet_environments import FAKE, fake_checkpoint, fake_environment
from hub_server.fixtures import forget_connections
from hub_server.server import TOKEN, HubServer

from toolkit.errors import EvaluationError
from toolkit.evaluation.comet import DEFAULT_MODEL, CometScorer, comet_scores, is_supported
from toolkit.evaluation.comet.languages import _CODES_OF, XLM_R_LANGUAGES
from toolkit.evaluation.comet.models import look_into_cache, resolve_model

SEGMENTS = [
    ("Where is the market?", "Pasar ana ngendi?", "Ing ngendi pasare?"),
    ("", "", ""),
    ('"quoted", tab\tand\nline', "ꦲꦏ꧀ꦱꦫ", "👋 {\\u0041}"),
    ("x" * 20_000, "y", "z"),
] * 5
# As the Hub tags XLM-R.
TAGS = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it "
    "ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq "
    "sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)


def expected(segments: list[tuple[str, str, str]]) -> tuple[float, ...]:
    return tuple(
        (len(source) * 0.1 + len(hypothesis) * 0.01 + sum(map(ord, reference)) % 97) / 3.0
        for source, hypothesis, reference in segments
    )


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COMET is a stand-in here, and nothing else of this machine is looked at."""
    folder = fake_environment(tmp_path / "environment")
    monkeypatch.setenv("COGSYM_COMET_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    return folder


def test_values_come_in_order_and_to_the_last_bit(tmp_path: Path) -> None:
    model = fake_checkpoint(tmp_path / "my-comet")
    batches: list[int] = []
    scores = comet_scores(SEGMENTS, model=str(model), batch_size=8, report=batches.append)
    assert scores.values == expected(SEGMENTS)
    assert batches == [8, 8, 4]
    assert scores.mean == pytest.approx(sum(scores.values) / len(SEGMENTS))


def test_a_model_that_says_nothing_of_its_batches_is_counted_at_the_end(tmp_path: Path) -> None:
    counts: list[int] = []
    comet_scores(SEGMENTS, model=str(fake_checkpoint(tmp_path / "model", "silent")), batch_size=8, report=counts.append)
    assert counts == [20]


def test_a_signature_names_model_checkpoint_dtype_and_version_but_no_path(tmp_path: Path) -> None:
    model = fake_checkpoint(tmp_path / "my-comet")
    digest = sha256((model / "checkpoints" / "model.ckpt").read_bytes()).hexdigest()[:16]
    for given in (model, model / "checkpoints" / "model.ckpt"):
        scores = comet_scores(SEGMENTS[:1], model=str(given))
        assert scores.signature == f"COMET|model:my-comet|sha256:{digest}|dtype:fp32|comet:0.0.1"
        assert scores.metric == "COMET"


def test_several_lots_are_scored_by_a_model_that_is_loaded_once(tmp_path: Path) -> None:
    model = fake_checkpoint(tmp_path / "model", "counted")
    stages: list[str] = []
    with CometScorer(str(model), stage=stages.append) as scorer:
        lots = [scorer.score(SEGMENTS[:count]).values for count in (1, 5, 20)]
    assert lots == [expected(SEGMENTS[:count]) for count in (1, 5, 20)]
    assert (model / "checkpoints" / "loads").read_text() == "once\n"
    assert stages == ["importing COMET", "loading the COMET model"]


@pytest.mark.parametrize(
    ("behaviour", "message", "hint"),
    [
        ("killed", "COMET was killed, most likely because memory ran out", "smaller batch size"),
        ("crashes", "\nnoise while predicting\nthe last words", "cogsym comet status"),
        ("out of memory", "no memory left for COMET: OutOfMemoryError: CUDA out of memory", "smaller batch size"),
        ("fails", "COMET failed: ValueError: no idea", "COMET's own"),
        ("not finite", "19 finite scores for 20 segments", "check the model"),
        ("too few", "19 finite scores for 20 segments", "check the model"),
        ("damaged", "the checkpoint of model cannot be read: RuntimeError: PytorchStreamReader failed", "again"),
        ("unsafe", "holds more than weights, and reading it could run code: Unsupported global: os", "if you trust it"),
        ("no tokenizer", "the tokenizer that it needs, is not in the cache", "check the connection"),
    ],
)
def test_each_failure_is_told_without_a_traceback(tmp_path: Path, behaviour: str, message: str, hint: str) -> None:
    with pytest.raises(EvaluationError) as told:
        comet_scores(SEGMENTS, model=str(fake_checkpoint(tmp_path / "model", behaviour)))
    assert message in told.value.message
    assert hint in (told.value.hint or "")
    assert str(tmp_path) not in told.value.message


def test_a_comet_that_cannot_be_imported_is_told(tmp_path: Path, environment: Path) -> None:
    python = environment / "bin" / "python"
    python.write_text(python.read_text().replace(str(FAKE), str(tmp_path)))
    with pytest.raises(EvaluationError, match="COMET cannot be imported: ModuleNotFoundError: No module named 'comet'"):
        comet_scores(SEGMENTS, model=str(fake_checkpoint(tmp_path / "model")))


def test_what_stands_beside_the_worker_hides_no_other_module(tmp_path: Path, environment: Path) -> None:
    # The worker lies beside `environment.py`, `models.py` and others, whose names any library may use.
    python = environment / "bin" / "python"
    library = tmp_path / "library"
    library.mkdir()
    (library / "models.py").write_text("mark = 'of the library'\n")
    (library / "comet.py").write_text(
        (FAKE / "comet" / "__init__.py").read_text() + "\nimport models\nassert models.mark == 'of the library'\n"
    )
    python.write_text(python.read_text().replace(f'"{FAKE}"', f'"{library}:{FAKE}"'))
    assert comet_scores(SEGMENTS[:1], model=str(fake_checkpoint(tmp_path / "model"))).values == expected(SEGMENTS[:1])


def test_the_worker_ends_with_the_context_whatever_happens(tmp_path: Path) -> None:
    model = str(fake_checkpoint(tmp_path / "model"))

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    scorer = CometScorer(model)
    with pytest.raises(KeyboardInterrupt), scorer:
        scorer.score(SEGMENTS, report=interrupt)
    assert scorer._worker.poll() is not None


def test_nothing_to_score_is_told(tmp_path: Path) -> None:
    with (
        CometScorer(str(fake_checkpoint(tmp_path / "model"))) as scorer,
        pytest.raises(EvaluationError, match="no segments for COMET"),
    ):
        scorer.score([])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("gone", "COMET is not installed"),
        ("interrupted", "the installation of COMET was interrupted"),
        ("old", "COMET was installed by another version of the toolkit"),
    ],
)
def test_without_an_environment_the_command_that_makes_it_is_told(
    tmp_path: Path, environment: Path, damage: str, message: str
) -> None:
    mark = environment / "cogsym-comet.json"
    if damage == "gone":
        mark.unlink()
    else:
        changes = {"versions": None} if damage == "interrupted" else {"requirements": "0" * 64}
        mark.write_text(json.dumps(json.loads(mark.read_text()) | changes))
    with pytest.raises(EvaluationError) as told:
        comet_scores(SEGMENTS, model=str(fake_checkpoint(tmp_path / "model")))
    assert message in told.value.message
    assert told.value.hint == "run `cogsym comet install` once"


@pytest.mark.parametrize(
    ("made", "given", "message"),
    [
        ("nothing", "nowhere.ckpt", "no COMET model at"),
        ("nothing", "wmt22-comet-da", "no COMET model at"),
        ("two", "model", "holds 2 COMET checkpoints, not one"),
        ("none", "model", "holds 0 COMET checkpoints, not one"),
        ("no hparams", "model", "has no hparams.yaml"),
    ],
)
def test_a_model_that_is_none_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, given: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if made != "nothing":
        model = fake_checkpoint(tmp_path / "model")
        checkpoint = model / "checkpoints" / "model.ckpt"
        if made == "two":
            (checkpoint.with_name("other.ckpt")).touch()
        elif made == "none":
            checkpoint.unlink()
        else:
            (model / "hparams.yaml").unlink()
    with pytest.raises(EvaluationError, match=message):
        CometScorer(given)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Hub for the worker's client."""
    server = HubServer(tmp_path / "hub")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.close()
    forget_connections()


def publish(hub: HubServer, folder: Path, repo_id: str) -> None:
    hub.store.create(repo_id)
    files = [path for path in folder.rglob("*") if path.is_file()]
    hub.store.add_files(repo_id, {str(path.relative_to(folder)): path.read_bytes() for path in files})


def test_a_published_model_is_downloaded_once_and_then_found_without_the_hub(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, fake_checkpoint(tmp_path / "model"), DEFAULT_MODEL)
    assert not look_into_cache(DEFAULT_MODEL).checkpoint
    stages: list[str] = []
    with CometScorer(stage=stages.append) as scorer:
        scores = scorer.score(SEGMENTS)
    assert stages[0] == f"downloading {DEFAULT_MODEL}"
    assert scores.values == expected(SEGMENTS)
    assert scores.signature.startswith("COMET-22|model:Unbabel/wmt22-comet-da|sha256:")
    cached = look_into_cache(DEFAULT_MODEL)
    assert (cached.checkpoint, cached.encoder, cached.whole) == (True, "org/encoder", False)

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert comet_scores(SEGMENTS).signature == scores.signature


@pytest.mark.parametrize(
    ("case", "message", "hint"),
    [
        ("unknown", "the Hub has no COMET model someone/name", "check the name"),
        ("gated", "someone/name is gated", "hf auth login"),
        ("bad login", "the Hub refuses to give someone/name: HfHubHTTPError", "hf auth whoami"),
        ("no checkpoint", "the repository has no checkpoints/model.ckpt", "check the name"),
        ("offline", "is not in the cache, and the Hub cannot be reached", "HF_HUB_OFFLINE"),
    ],
)
def test_a_model_that_the_hub_does_not_give_is_told(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, case: str, message: str, hint: str
) -> None:
    if case == "gated":
        hub.store.create("someone/name", gated=True)
        hub.store.add_files("someone/name", {"checkpoints/model.ckpt": b"weights"})
    elif case == "bad login":
        monkeypatch.setenv("HF_TOKEN", "hf_" + "0" * 34)
    elif case == "no checkpoint":
        hub.store.create("someone/name")
        hub.store.add_files("someone/name", {"README.md": b"no model"})
    elif case == "offline":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EvaluationError) as told:
        comet_scores(SEGMENTS, model="someone/name")
    assert message in told.value.message
    assert hint in (told.value.hint or "")


def test_the_cache_is_whole_with_checkpoint_and_tokenizer(tmp_path: Path) -> None:
    assert not look_into_cache("org/comet").whole
    for repository, files in (
        ("org--comet", {"checkpoints/model.ckpt": "x", "hparams.yaml": "pretrained_model: org/encoder"}),
        ("org--encoder", {"config.json": "{}", "tokenizer.json": "{}"}),
    ):
        assert not look_into_cache("org/comet").whole
        folder = tmp_path / "cache" / f"models--{repository}"
        for name, text in files.items():
            path = folder / "snapshots" / ("0" * 40) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0" * 40)
    assert look_into_cache("org/comet").whole


def test_an_encoder_that_was_a_folder_elsewhere_is_not_in_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "models--org--comet"
    (folder / "snapshots" / "1").mkdir(parents=True)
    (folder / "snapshots" / "1" / "hparams.yaml").write_text("pretrained_model: /home/me/a/b")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1")
    assert look_into_cache("org/comet").encoder == "/home/me/a/b"
    assert not look_into_cache("org/comet").encoder_here


def test_a_folder_comes_before_a_hub_id_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_model("org/name").checkpoint is None
    fake_checkpoint(tmp_path / "org" / "name")
    assert resolve_model("org/name").name == "name"
    assert resolve_model("org/name").checkpoint is not None


def test_the_languages_are_those_of_the_encoder() -> None:
    tags = TAGS.split()
    assert len(_CODES_OF) == len(tags) == 93
    assert all(is_supported(langcodes.Language.get(tag).to_alpha3()) for tag in tags)
    named = {langcodes.standardize_tag(code, macro=True) for code in XLM_R_LANGUAGES}
    assert named == {*tags, "fil", "nb", "pbt"} - {"tl"}  # Filipino; Bokmål and Southern Pashto, members of no and ps


def test_javanese_and_sundanese_are_supported_and_their_neighbours_are_not() -> None:
    assert all(map(is_supported, ("jav", "sun", "ind", "eng", "zsm", "cmn", "arb")))
    assert not any(map(is_supported, ("ace", "ban", "mad", "min", "yue", "ary", "yor", "jv", "")))


def samples(path: Path) -> Path:
    rows = [dict(zip(("source", "hypothesis", "reference"), segment, strict=True)) for segment in SEGMENTS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_command_scores_a_file_of_samples(cogsym: Callable[..., Any], tmp_path: Path) -> None:
    model, file = fake_checkpoint(tmp_path / "my-comet"), samples(tmp_path / "samples.jsonl")
    outcome = cogsym("comet", "score", file, "--model", model, "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert tuple(told["values"]) == expected(SEGMENTS)
    assert told["n"] == 20
    line = cogsym("comet", "score", file, "--model", model).out
    assert line == f"{told['score']:.4f}  {told['signature']}  n:20\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\xff\n", "cannot be read"),
        (b'{"source": "a", "hypothesis": "b", "reference": "c"}\nnot json\n', "line 2 is not a sample"),
        (b'{"source": "a", "hypothesis": "b"}\n', "line 1 is not a sample"),
        (b'{"source": "a", "hypothesis": 1, "reference": "c"}\n', "line 1 is not a sample"),
        (b'["a", "b", "c"]\n', "line 1 is not a sample"),
    ],
)
def test_a_file_that_holds_no_samples_is_told(
    cogsym: Callable[..., Any], tmp_path: Path, text: bytes | None, message: str
) -> None:
    file = tmp_path / "samples.jsonl"
    if text is not None:
        file.write_bytes(text)
    outcome = cogsym("comet", "score", file)
    assert outcome.code == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_the_status_shows_where_versions_and_cache(
    cogsym: Callable[..., Any], tmp_path: Path, environment: Path
) -> None:
    told = json.loads(cogsym("comet", "status", "--json").out)
    assert (told["state"], told["folder"], told["versions"]) == ("ready", str(environment), {"unbabel-comet": "0.0.1"})
    assert told["model_cached"] is False
    assert "downloaded when first used" in cogsym("comet", "status").out
    (environment / "cogsym-comet.json").unlink()
    outcome = cogsym("comet", "status")
    assert "missing" in outcome.out
    assert "next: cogsym comet install (unbabel-comet 2.2.7)" in outcome.err
