"""toolkit/jobs/: what is sent to a rented machine, through the Hub's real client, and what that does with it.

Files for jobs travel through a storage whose protocol (Xet) the small Hub does not speak: those two calls of the client
are replaced, everything else is its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from accelerate.commands.launch import launch_command_parser
from hub_server import HubServer
from hub_server.server import TOKEN
from training_runs import recipe as tiny_recipe
from training_runs import write_corpus

from toolkit import __version__
from toolkit.errors import CorpusError, HubError, RecipeError, TrainingError, TrainingStopped
from toolkit.jobs import job_script, keeping, plan_job, shipping, start_job
from toolkit.jobs.flavors import FLAVORS, smallest_with
from toolkit.jobs.job import DEFAULT_FLAVOR, UNSLOTH_PINS, duration_seconds
from toolkit.jobs.keeping import KeptRun
from toolkit.recipe import Recipe, make_recipe, read_recipe, resolve_paths
from toolkit.run_folder import RunFolder

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    for name, row in (("train.tsv", "One.\tSiji."), ("test.tsv", "Two.\tLoro.")):
        (tmp_path / name).write_text(f"eng\tjav\n{row}\n", encoding="utf-8")
    fields: dict[str, Any] = {
        "language": "jav",
        "base": "pocket",
        "data": [{"path": "train.tsv", "directions": ["eng>jav"]}],
        "evaluation": [{"path": "test.tsv", "directions": ["eng>jav"]}],
        "optimizer": "adamw_8bit",
    }
    return resolve_paths(make_recipe(fields), tmp_path)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Name -> content of every file that went to the storage of jobs."""
    files: dict[str, bytes] = {}

    def batch(self: Any, *, bucket_id: str, add: list[tuple[Path, str]], token: Any) -> None:
        files.update({remote.rpartition("/")[2]: Path(local).read_bytes() for local, remote in add})

    monkeypatch.setattr(shipping, "distribution", lambda name: SimpleNamespace(read_text=lambda file: None))
    bucket = SimpleNamespace(url="bucket")
    monkeypatch.setattr(huggingface_hub.HfApi, "create_bucket", lambda self, **_: bucket)
    monkeypatch.setattr(huggingface_hub.HfApi, "batch_bucket_files", batch)
    return files


def test_a_job_carries_recipe_and_files_and_publishes_what_it_trained(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_job(recipe, "org/jav", private=True, flavor="a10g-large", timeout="2h")
    url = start_job(plan, endpoint=hub.endpoint)
    assert url.endswith("/jobs/org/job1")
    [spec] = hub.store.jobs
    assert (spec["flavor"], spec["timeoutSeconds"]) == ("a10g-large", 7200)
    command = spec["command"]
    assert command[:4] == ["uv", "run", "--with", f"cogsym-toolkit[8bit]=={__version__}"]
    script, arguments = command[4], command[5:]
    folder = str(Path(script).parent)
    assert arguments[:3] == [f"{folder}/recipe.yaml", f"{folder}/train.tsv", f"{folder}/test.tsv"]
    assert arguments[3:] == ["--target=org/jav", f"--kept={plan.kept}", "--private"]
    assert re.fullmatch(r"org/jobs-artifacts/cogsym/jav-[0-9a-f]{12}", plan.kept)
    assert spec["secrets"] == {"HF_TOKEN": TOKEN}
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err + repr(plan) + "".join(command)
    # What arrived there is a whole recipe again.
    (tmp_path / "there").mkdir()
    for name, content in shipped.items():
        (tmp_path / "there" / name).write_bytes(content)
    there = read_recipe(tmp_path / "there" / "recipe.yaml")
    assert Path(there.data[0].path).is_file()
    assert Path(there.evaluation[0].path).is_file()
    assert str(tmp_path).encode() not in shipped["recipe.yaml"]


def test_files_of_one_name_arrive_under_names_of_their_own(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], tmp_path: Path
) -> None:
    """As a draft of `cogsym adapt` has them, with sentences of a known language in a folder below."""
    known = tmp_path / "known" / "train.tsv"
    known.parent.mkdir()
    known.write_text("eng\tind\nOne.\tSatu.\n", encoding="utf-8")
    replay = recipe.data[0].model_copy(update={"path": str(known), "directions": ("eng>ind",)})
    plan = plan_job(recipe.model_copy(update={"replay": (replay,)}), "org/jav")
    start_job(plan, endpoint=hub.endpoint)
    there = tmp_path / "there"
    there.mkdir()
    for name, content in shipped.items():
        (there / name).write_bytes(content)
    arrived = read_recipe(there / "recipe.yaml")
    assert Path(arrived.data[0].path).read_bytes() == (tmp_path / "train.tsv").read_bytes()
    assert arrived.replay[0].path == str(there / "known-train.tsv")
    assert Path(arrived.replay[0].path).read_bytes() == known.read_bytes()


class Bucket:
    """The calls of the Hub's client that a kept run makes, over a dictionary; notes what each call wrote."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.calls: list[list[str]] = []

    def batch_bucket_files(self, bucket: str, *, add: Any = (), delete: Any = ()) -> None:
        added = {remote: local if isinstance(local, bytes) else Path(local).read_bytes() for local, remote in add}
        self.files |= added
        for path in delete:
            del self.files[path]
        self.calls.append([*added, *(f"-{path}" for path in delete)])

    def list_bucket_tree(self, bucket: str, *, prefix: str, recursive: bool) -> list[Any]:
        return [SimpleNamespace(type="file", path=path) for path in self.files if path.startswith(prefix)]

    def download_bucket_files(self, bucket: str, files: list[tuple[str, Path]]) -> None:
        for remote, local in files:
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(self.files[remote])


PLACE = "org/jobs-artifacts/cogsym/jav-1"
ARGUMENTS = ["recipe.yaml", "train.tsv", "--target=org/jav", f"--kept={PLACE}"]


@pytest.fixture
def rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the job's file in an empty folder, where each command leaves a file, until one that fails."""

    def job(bucket: Bucket, *, fails: str = "", arguments: list[str] = ARGUMENTS) -> tuple[list[list[str]], int]:
        called: list[list[str]] = []

        def ran(command: list[str]) -> Any:
            assert command[:3] == [sys.executable, "-m", "toolkit"]
            called.append(command[3:])
            Path("run").mkdir(exist_ok=True)
            made = {"train": "config.json" if fails != "train" else "recipe.yaml", "evaluate": "scores"}
            if command[3] in made:
                Path("run", made[command[3]]).write_text("x", encoding="utf-8")
            return SimpleNamespace(returncode=3 if command[3] == fails else 0)

        folder = tmp_path / f"machine-{len(list(tmp_path.glob('machine-*')))}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(job_script, "hub_client", lambda: bucket)
        monkeypatch.setattr(subprocess, "run", ran)
        try:
            job_script.main(arguments)
        except SystemExit as ended:
            return called, ended.code  # type: ignore[return-value]
        return called, 0

    return job


TRAIN = ["train", "--recipe", "recipe.yaml", "--out", "run"]
OTHERS = [["evaluate", "run"], ["card", "run"], ["publish", "run", "org/jav"]]


def test_the_rented_machine_runs_the_four_commands_and_stops_at_the_first_that_fails(
    rented: Callable[..., Any],
) -> None:
    assert rented(Bucket(), fails="card") == ([TRAIN, *OTHERS[:2]], 3)
    bucket = Bucket()
    assert rented(bucket, arguments=[*ARGUMENTS, "--private", "--force"]) == (
        [[*TRAIN, "--force"], *OTHERS[:2], [*OTHERS[2], "--private"]],
        0,
    )
    assert not bucket.files  # published, so no copy is needed any more


def test_a_recipe_without_test_sets_is_published_unmeasured(
    rented: Callable[..., Any], hub: HubServer, recipe: Recipe, shipped: dict[str, bytes]
) -> None:
    assert rented(Bucket(), arguments=[*ARGUMENTS, "--unmeasured"]) == ([TRAIN, *OTHERS[1:]], 0)
    plan = plan_job(recipe.model_copy(update={"evaluation": ()}), "org/jav")
    assert not any("evaluate" in command for command in plan.commands)
    start_job(plan, endpoint=hub.endpoint)
    assert "--unmeasured" in hub.store.jobs[0]["command"]


def test_a_job_goes_on_where_an_earlier_one_was_ended(rented: Callable[..., Any]) -> None:
    bucket = Bucket()
    assert rented(bucket, fails="train") == ([TRAIN], 3)
    assert rented(bucket, fails="evaluate") == ([["train", "--resume", "run"], OTHERS[0]], 3)
    assert rented(bucket) == (OTHERS, 0)


def test_the_job_runs_its_commands_with_the_python_that_has_the_toolkit() -> None:
    done = subprocess.run(job_script.as_run(["cogsym", "--version"]), capture_output=True, text=True)
    assert __version__ in done.stdout
    launch = subprocess.run(job_script.as_run(["accelerate", "launch", "--help"]), capture_output=True, text=True)
    assert "--num_processes" in launch.stdout


def test_a_machine_with_several_cards_trains_on_all_of_them(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes]
) -> None:
    plan = plan_job(recipe, "org/jav", flavor="l4x4", force=True)
    together = "accelerate launch --num_processes 4 -m toolkit train --recipe recipe.yaml --out run --force"
    assert plan.commands[:2] == (together, "cogsym evaluate run")
    understood = launch_command_parser().parse_args(together.split()[2:])
    assert (understood.num_processes, understood.module, understood.training_script) == (4, True, "toolkit")
    start_job(plan, endpoint=hub.endpoint)
    assert "--cards=4" in hub.store.jobs[0]["command"]


@pytest.mark.usefixtures("shipped")
def test_a_batch_that_the_cards_cannot_share_is_told_before_anything_is_sent(recipe: Recipe) -> None:
    uneven = recipe.model_copy(update={"batch_size": 6, "micro_batch_size": 2})
    with pytest.raises(RecipeError, match="not a multiple of 4 processes"):
        plan_job(uneven, "org/jav", flavor="l4x4", force=True)


def test_the_copy_of_a_run_can_be_resumed_whenever_the_machine_ends(tmp_path: Path) -> None:
    run, bucket = RunFolder(tmp_path / "run"), Bucket()
    old, new = (run.checkpoints / f"checkpoint-{step}" for step in (2, 4))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "trained.safetensors").write_bytes(b"weights")
    (old / keeping.STATE_FILE).write_text("{}", encoding="utf-8")
    run.recipe.write_text("recipe", encoding="utf-8")
    kept = KeptRun(run.root, PLACE, bucket)  # type: ignore[arg-type]
    kept.save()
    start = "cogsym/jav-1/"
    older = f"{start}checkpoints/checkpoint-2"
    # Not the checkpoint that is being written; and what says that one is whole comes after what it consists of.
    assert bucket.calls == [
        [f"{older}/trained.safetensors", f"{start}recipe.yaml"],
        [f"{older}/{keeping.STATE_FILE}"],
    ]
    bucket.calls.clear()
    kept.save()
    assert not bucket.calls
    (new / keeping.STATE_FILE).write_text("{}", encoding="utf-8")
    for path in old.iterdir():
        path.unlink()
    kept.save()
    assert [len(call) for call in bucket.calls] == [1, 1, 2]
    assert {path[0] for path in bucket.calls[2]} == {"-"}
    back = KeptRun(tmp_path / "back", PLACE, bucket)  # type: ignore[arg-type]
    assert back.bring_back()
    assert sorted(path.name for path in (tmp_path / "back").rglob("*") if path.is_file()) == [
        "recipe.yaml",
        "trained.safetensors",
        keeping.STATE_FILE,
    ]
    assert not KeptRun(tmp_path / "none", "org/jobs-artifacts/cogsym/jav-2", bucket).bring_back()  # type: ignore[arg-type]


def test_a_copy_that_fails_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Bucket):
        def batch_bucket_files(self, bucket: str, **options: Any) -> None:
            if not self.calls:
                self.calls.append([])
                raise OSError("no network")
            super().batch_bucket_files(bucket, **options)

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("{}", encoding="utf-8")
    bucket = Failing()
    kept = KeptRun(tmp_path / "run", PLACE, bucket)  # type: ignore[arg-type]
    with kept.saved_meanwhile(every_seconds=60):
        pass
    assert "could not be copied to org/jobs-artifacts just now: no network" in caplog.text
    with kept.saved_meanwhile(every_seconds=60):
        pass
    assert bucket.files == {"cogsym/jav-1/metrics.jsonl": b"{}"}


def test_a_brought_back_run_trains_to_its_end(tmp_path: Path, tiny_base: Path) -> None:
    from toolkit.adaptation import prepare, train_delta
    from toolkit.training.trainer import STATE_FILE

    assert keeping.STATE_FILE == STATE_FILE
    (tmp_path / "data").mkdir()
    chosen = tiny_recipe(write_corpus(tmp_path / "data"), tiny_base, max_steps=6)

    def stop(step: Any) -> None:
        if step.step == 3:
            raise KeyboardInterrupt

    with pytest.raises((TrainingStopped, KeyboardInterrupt)):
        train_delta(prepare(chosen.model_copy(update={"checkpoint_steps": 2}), tmp_path / "first"), report=stop)
    bucket = Bucket()
    KeptRun(tmp_path / "first", PLACE, bucket).save()  # type: ignore[arg-type]
    run = tmp_path / "run"
    assert KeptRun(run, PLACE, bucket).bring_back()  # type: ignore[arg-type]
    train, *_ = job_script.left_to_do(job_script.steps("recipe.yaml", "org/jav", False), run)
    assert train == ["cogsym", "train", "--resume", str(run)]
    done = subprocess.run(job_script.as_run(train), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert RunFolder(run).is_trained
    assert [json.loads(line)["step"] for line in RunFolder(run).metrics.read_text().splitlines()] == [1, 2, 3, 4, 5, 6]
    assert job_script.left_to_do([train, ["cogsym", "evaluate", "run"]], run) == [["cogsym", "evaluate", "run"]]


# --- what the rented machine installs


@pytest.mark.parametrize(
    ("changes", "extras", "others"),
    [
        ({}, "", ()),
        ({"frozen": "4bit"}, "[8bit]", ()),
        ({"method": "lora", "optimizer": "adamw_8bit"}, "[8bit,lora]", ()),
        ({"report_to": ("tensorboard", "trackio")}, "", ("tensorboard", "trackio")),
        ({"backend": "unsloth"}, "[unsloth]", UNSLOTH_PINS),
        ({"backend": "auto"}, "", ()),
    ],
)
@pytest.mark.usefixtures("shipped")
def test_the_job_installs_what_the_recipe_needs(
    recipe: Recipe, changes: dict[str, Any], extras: str, others: tuple[str, ...]
) -> None:
    chosen = recipe.model_copy(update={"optimizer": "adamw", "evaluation": ()} | changes)
    assert plan_job(chosen, "org/jav").dependencies == (f"cogsym-toolkit{extras}=={__version__}", *others)


def test_the_versions_for_unsloth_are_those_of_the_constraints() -> None:
    listed = (Path(__file__).parent.parent / "constraints" / "gpu.txt").read_text(encoding="utf-8").splitlines()
    assert set(UNSLOTH_PINS) <= set(listed)


def test_the_job_gets_the_toolkit_that_is_installed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def package(origin: dict[str, Any] | None) -> shipping.Package:
        written = None if origin is None else json.dumps(origin)
        monkeypatch.setattr(shipping, "distribution", lambda name: SimpleNamespace(read_text=lambda file: written))
        return shipping.installed_package()

    assert package(None).with_extras(("8bit",)) == f"cogsym-toolkit[8bit]=={__version__}"
    address = "https://example.org/cogsym-toolkit"
    commit = {"url": address, "vcs_info": {"vcs": "git", "commit_id": "1234567890"}}
    assert package(commit).with_extras(()) == f"cogsym-toolkit @ git+{address}@1234567890"
    root = Path(__file__).parent.parent
    source = package({"url": root.as_uri(), "dir_info": {"editable": True}})
    assert source.with_extras(("lora",)) == f"cogsym-toolkit[lora] @ file:///data/cogsym-toolkit-{__version__}.tar.gz"
    assert source.source == root
    assert package({"url": tmp_path.as_uri(), "dir_info": {}}) == package(None)  # the folder is not there any more
    with tarfile.open(shipping.pack_source(root, tmp_path)) as archive:
        names = archive.getnames()
        owners = {member.uname for member in archive.getmembers()}
    assert {
        f"cogsym-toolkit-{__version__}/{name}" for name in ("pyproject.toml", "toolkit/pocket/base/config.json")
    } <= {*names}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".so")]
    assert owners == {""}


def test_source_that_was_never_released_is_sent_along(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = json.dumps({"url": (Path(__file__).parent.parent).as_uri(), "dir_info": {}})
    monkeypatch.setattr(shipping, "distribution", lambda name: SimpleNamespace(read_text=lambda file: written))
    start_job(plan_job(recipe, "org/jav"), endpoint=hub.endpoint)
    command = hub.store.jobs[0]["command"]
    assert f"/data/{shipping.ARCHIVE}" in command
    assert command[3] == f"cogsym-toolkit[8bit] @ file:///data/{shipping.ARCHIVE}"
    assert shipping.ARCHIVE in shipped


@pytest.mark.usefixtures("shipped")
def test_a_key_for_wandb_goes_along_only_where_it_is_needed(
    hub: HubServer, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    reporting = recipe.model_copy(update={"report_to": ("wandb",)})
    with pytest.raises(RecipeError, match="needs a key on the rented machine"):
        plan_job(reporting, "org/jav")
    monkeypatch.setenv("WANDB_API_KEY", "mine")
    for chosen in (recipe, reporting):
        start_job(plan_job(chosen, "org/jav"), endpoint=hub.endpoint)
    assert [job["secrets"] for job in hub.store.jobs] == [
        {"HF_TOKEN": TOKEN},
        {"HF_TOKEN": TOKEN, "WANDB_API_KEY": "mine"},
    ]


# --- whether it fits


def llama(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe on Llama-2-7B, whose config comes with the toolkit."""
    fields = {"base": "meta-llama/Llama-2-7b-hf", "base_revision": None, "micro_batch_size": 1}
    return recipe.model_copy(update=fields | changes)


def test_every_llama_recipe_of_the_toolkit_fits_on_the_flavor_that_is_rented_by_itself() -> None:
    from toolkit.pretrained import resolve_config
    from toolkit.recipes import FOLDER
    from toolkit.selection import possible_selections, read_layout
    from toolkit.training import requirements

    flavor = FLAVORS[DEFAULT_FLAVOR]
    for path in FOLDER.glob("llama-*.yaml"):
        chosen = read_recipe(path)
        config = resolve_config(chosen.base, chosen.base_revision)
        layout = read_layout(config)
        needs = requirements(
            chosen, config, layout, possible_selections(chosen, layout), card_bytes=flavor.card_bytes, measure=False
        )
        assert needs.fits
        assert needs.disk_bytes <= flavor.disk_bytes
        assert smallest_with(needs.needed_bytes, needs.disk_bytes) == DEFAULT_FLAVOR


def test_what_does_not_fit_on_the_rented_card_is_refused_unless_forced(recipe: Recipe) -> None:
    with pytest.raises(TrainingError, match=r"GB of GPU memory, and l4x1 has 23\.0 GB to use") as refused:
        plan_job(llama(recipe), "org/jav", flavor="l4x1")
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("--flavor l40sx1; or ")
    plan = plan_job(llama(recipe), "org/jav", flavor="l4x1", force=True)
    assert plan.commands[0].endswith("--force")
    assert plan_job(llama(recipe), "org/jav").needs is not None
    for unknown in ("cpu-basic", "tpu-of-tomorrow"):
        assert plan_job(llama(recipe), "org/jav", flavor=unknown).needs is None


def test_training_that_may_outlast_the_job_is_known_before(recipe: Recipe) -> None:
    assert plan_job(llama(recipe, max_steps=5000), "org/jav", timeout="30m").may_be_cut_short
    assert not plan_job(llama(recipe, max_steps=5), "org/jav", timeout="8h").may_be_cut_short
    assert not plan_job(llama(recipe, epochs=1), "org/jav", timeout="8h").may_be_cut_short  # one row
    assert plan_job(llama(recipe, epochs=500000), "org/jav", timeout="8h").may_be_cut_short


@pytest.mark.parametrize(
    ("written", "seconds"), [("90m", 5400), ("8h", 28800), ("1.5d", 129600), ("300", 300), ("7s", 7)]
)
def test_a_timeout_is_read_as_the_client_reads_it(written: str, seconds: float) -> None:
    from huggingface_hub._jobs_api import _create_job_spec

    assert duration_seconds(written) == seconds
    spec = _create_job_spec(image="i", command=[], env=None, secrets=None, flavor=None, timeout=written)
    assert spec["timeoutSeconds"] == seconds


@pytest.mark.parametrize("written", ["", "h", "8 h", "8hours", "0h", "-1h"])
def test_a_timeout_that_is_none_is_told(recipe: Recipe, written: str) -> None:
    with pytest.raises(HubError, match="is no duration"):
        plan_job(recipe, "org/jav", timeout=written)


def test_the_flavors_are_those_that_the_client_knows() -> None:
    from huggingface_hub._jobs_api import JobHardware

    assert set(FLAVORS) == {flavor.value for flavor in JobHardware}


# --- what is told before


def test_nothing_is_sent_without_a_login(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="not logged in"):
        start_job(plan_job(recipe, "org/jav"), endpoint=hub.endpoint)
    assert not hub.store.jobs
    assert not shipped


def test_a_refusal_is_told(hub: HubServer, recipe: Recipe, shipped: dict[str, bytes]) -> None:
    with pytest.raises(HubError, match="no permission"):
        start_job(plan_job(recipe, "stranger/jav"), endpoint=hub.endpoint)


def test_what_a_job_cannot_do_is_said_before(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(HubError, match="is a folder"):
        plan_job(recipe, "./jav")
    with pytest.raises(RecipeError, match="on this machine alone"):
        plan_job(recipe.model_copy(update={"base": str(tmp_path)}), "org/jav")
    for name, message in (("a test.tsv", "would rename the file"), ("recipe.yaml", "has a file called recipe.yaml")):
        (tmp_path / name).write_text("eng\tjav\nOne.\tSiji.\n", encoding="utf-8")
        changed = recipe.data[0].model_copy(update={"path": str(tmp_path / name)})
        with pytest.raises(RecipeError, match=message):
            plan_job(recipe.model_copy(update={"data": (changed,)}), "org/jav")
    (tmp_path / "train.tsv").write_text("eng\tjav\n", encoding="utf-8")
    with pytest.raises(CorpusError):
        plan_job(recipe, "org/jav")
    (tmp_path / "test.tsv").unlink()
    with pytest.raises(RecipeError, match="no file at"):
        plan_job(recipe, "org/jav")


def test_a_job_goes_on_only_with_the_same_recipe_and_the_same_rows(recipe: Recipe, tmp_path: Path) -> None:
    kept = plan_job(recipe, "org/jav").kept
    assert plan_job(recipe, "org/jav", flavor="a100-large", timeout="20h").kept == kept
    assert plan_job(recipe.model_copy(update={"seed": 1}), "org/jav").kept != kept
    (tmp_path / "train.tsv").write_text("eng\tjav\nOne.\tSawiji.\n", encoding="utf-8")
    assert plan_job(recipe, "org/jav").kept != kept


def test_the_dry_run_shows_what_would_be_sent_and_sends_nothing(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main
    from toolkit.recipe import write_recipe

    write_recipe(recipe, tmp_path / "mine.yaml", opening="cogsym train")
    command = ["train", "--recipe", str(tmp_path / "mine.yaml"), "--on", "jobs", "--target", "org/jav", "--dry-run"]
    with pytest.raises(SystemExit) as finished:
        main(command)
    assert finished.value.code in (None, 0)
    said = capsys.readouterr().out
    for part in (
        "a job of org on l40sx1",
        f"installs cogsym-toolkit[8bit]=={__version__} (release {__version__} on the package index)",
        "copies the run folder to the bucket org/jobs-artifacts/cogsym/jav-",
        "sends train.tsv",
        "runs cogsym publish run org/jav",
        "nothing was sent",
    ):
        assert part in said
    assert TOKEN not in said
    assert not hub.store.jobs
    assert not shipped
