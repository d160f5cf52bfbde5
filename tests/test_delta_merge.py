"""merge: never onto a wrong base, never half, never over something else, and never touching the base.

COGSYM_LONG_TESTS=1 kills it at 100 moments rather than 12.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_tiny_base
from delta_files import Tensors, as_read, fine_tuned, read_tensors, small_base, write_file, write_folder

from toolkit.delta import extract, merge, verify
from toolkit.delta import merging as merging_module
from toolkit.errors import BaseModelError, CogsymError, DeltaError, OutputError, WrongBaseError

LONG = os.environ.get("COGSYM_LONG_TESTS") == "1"
UP, NORM = "model.layers.0.mlp.up_proj.weight", "model.norm.weight"
UNTOUCHED = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with base/ (3 shards) and a delta that changes one matrix and the norm."""
    folder = tmp_path_factory.mktemp("made")
    base = small_base()
    write_folder(folder / "base", base, shards=3)
    write_file(folder / "trained.safetensors", fine_tuned(base, [UP, NORM]))
    extract(folder / "base", folder / "trained.safetensors", folder / "delta.safetensors", threads=1)
    return folder


def expected() -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return as_read(fine_tuned(small_base(), [UP, NORM]))


def with_flip(tensors: Tensors, name: str) -> Tensors:
    bits = tensors[name][1].copy()
    bits.reshape(-1)[-1] ^= 1
    return tensors | {name: ("BF16", bits)}


def without(tensors: Tensors, name: str) -> Tensors:
    return {other: value for other, value in tensors.items() if other != name}


WRONG: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "one bit in a changed tensor": (lambda base: with_flip(base, UP), rf"1 of 7 tensors differ: {UP}"),
    "one bit in an untouched tensor": (lambda base: with_flip(base, UNTOUCHED), rf"1 of 7 tensors differ: {UNTOUCHED}"),
    "another model": (lambda base: small_base(seed=9), r"7 of 7 tensors differ: lm_head.weight, .* and 2 more"),
    "another revision": (
        lambda base: fine_tuned(base, [UP, UNTOUCHED], seed=5),
        rf"2 of 7 tensors differ: {UP}, {UNTOUCHED}",
    ),
    "another shape": (lambda base: small_base(width=40), r"7 of 7 tensors are missing or have another shape"),
    "another vocabulary": (
        lambda base: base | {"lm_head.weight": ("BF16", base["lm_head.weight"][1][:-1])},
        r"1 of 7 tensors are missing or have another shape or dtype: lm_head.weight",
    ),
    "another dtype": (
        lambda base: base | {UNTOUCHED: ("F16", base[UNTOUCHED][1])},
        rf"1 of 7 tensors are missing or have another shape or dtype: {UNTOUCHED}",
    ),
    "a tensor missing": (lambda base: without(base, UNTOUCHED), rf"1 of 7 tensors are missing .*: {UNTOUCHED}"),
    "a tensor too many": (lambda base: base | {"extra": ("BF16", np.zeros(3, np.uint16))}, r"1 of 7 tensors .*: extra"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_base_is_refused_before_anything_is_written(made: Path, tmp_path: Path, what: str) -> None:
    change, message = WRONG[what]
    wrong = write_folder(tmp_path / "wrong", change(small_base()))
    before = sorted(tmp_path.rglob("*"))
    for action in (
        lambda: merge(made / "delta.safetensors", wrong, tmp_path / "out" / "merged"),
        lambda: verify(made / "delta.safetensors", wrong),
    ):
        with pytest.raises(WrongBaseError, match=message) as caught:
            action()
        assert "made for base" in caught.value.message
    assert sorted(tmp_path.rglob("*")) == before


def test_the_hint_names_the_revision(made: Path, tmp_path: Path) -> None:
    from toolkit.delta import read_base_info

    info = read_base_info(made / "base", "org/model", "0123456789abcdef")
    extract(made / "base", made / "trained.safetensors", tmp_path / "d.safetensors", base_info=info)
    with pytest.raises(WrongBaseError, match=r"made for org/model@0123456,") as caught:
        merge(tmp_path / "d.safetensors", write_folder(tmp_path / "w", small_base(3)), tmp_path / "out")
    assert caught.value.hint == "pass --base-revision 0123456789abcdef"


def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("link", [True, False])
def test_the_base_is_never_touched(made: Path, tmp_path: Path, link: bool) -> None:
    before = state(made)
    report = merge(made / "delta.safetensors", made / "base", tmp_path / "merged", link=link)
    assert state(made) == before
    assert read_tensors(tmp_path / "merged") == expected()
    assert report.changed_bytes == 2 * (144 * 48 + 48)
    linked = [path for path in (tmp_path / "merged").glob("*.safetensors") if path.stat().st_nlink > 1]
    assert bool(linked) <= link
    assert sum(path.stat().st_size for path in linked) == report.linked_bytes


def test_the_rest_of_the_folder_comes_along(made: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(made / "base", base)
    for name in ("generation_config.json", "tokenizer.model", "chat_template.jinja", "LICENSE.txt", "USE_POLICY.md"):
        (base / name).write_text(name)
    for name in ("pytorch_model.bin", "training_args.bin", "model.py"):
        (base / name).write_text("not this")
    merge(made / "delta.safetensors", base, tmp_path / "merged")
    found = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"generation_config.json", "tokenizer.model", "chat_template.jinja", "LICENSE.txt", "USE_POLICY.md"} <= found
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json"} <= found
    assert not {"pytorch_model.bin", "training_args.bin", "model.py"} & found


@pytest.mark.parametrize("way", ["clone", "copy_file_range", "plain"])
def test_every_way_of_copying_gives_the_same(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(errno.EOPNOTSUPP, "not here")

    if way == "clone":  # what a file system with reflinks would do
        monkeypatch.setattr(merging_module, "clone", lambda source, target: bool(shutil.copyfile(source, target)))
    if way == "plain":
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    merge(made / "delta.safetensors", made / "base", tmp_path / "merged", link=False)
    assert read_tensors(tmp_path / "merged") == expected()


def test_an_existing_target_is_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        merge(made / "delta.safetensors", made / "base", tmp_path / "merged")
    assert [path.name for path in (tmp_path / "merged").iterdir()] == ["precious.txt"]
    (tmp_path / "empty").mkdir()
    merge(made / "delta.safetensors", made / "base", tmp_path / "empty")
    assert read_tensors(tmp_path / "empty") == expected()


def test_a_target_that_cannot_be_written_is_an_expected_error(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (Path("/proc/cogsym/merged"), tmp_path / "file" / "merged"):
        with pytest.raises(OutputError, match="cannot be written"):
            merge(made / "delta.safetensors", made / "base", target)
        with pytest.raises(OutputError, match="cannot be written"):
            extract(made / "base", made / "trained.safetensors", target / "delta.safetensors")


def test_a_full_disk_leaves_nothing_behind(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(OutputError, match=r"GB are needed and 0\.0 GB are free"):
            merge(made / "delta.safetensors", made / "base", tmp_path / "out")
    written = 0
    real = os.pwrite

    def filling(descriptor: int, data: Any, offset: int) -> int:
        nonlocal written
        written += len(data)
        if written > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", filling)
        with pytest.raises(OutputError, match="No space left on device"):
            merge(made / "delta.safetensors", made / "base", tmp_path / "out")
    assert not list(tmp_path.iterdir())
    merge(made / "delta.safetensors", made / "base", tmp_path / "out")
    assert read_tensors(tmp_path / "out") == expected()


def test_a_real_limit_on_file_size_is_an_expected_error(made: Path, tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from toolkit.delta import extract, merge\n"
        "from toolkit.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "made, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "for action in (lambda: merge(made / 'delta.safetensors', made / 'base', out / 'm'),\n"
        "               lambda: extract(made / 'base', made / 'trained.safetensors', out / 'd.safetensors')):\n"
        "    try: action()\n"
        "    except OutputError as error: assert 'File too large' in str(error), error\n"
        "    else: sys.exit('nothing was refused')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(made), str(tmp_path)], check=True, timeout=60)
    assert not list(tmp_path.iterdir())


def forked(action: Callable[[], object], counted: Path, last: int | None = None) -> int:
    """Run in a child process, which dies at its `last` call into C, in whichever thread; its wait status.

    Calls rather than seconds, so that a busy machine does not move the moment. One that lives writes how many it made.
    """
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def step(_frame: object, event: str, _function: object) -> None:
            if event == "c_call" and next(calls) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            threading.setprofile(step)
            sys.setprofile(step)
            action()
            sys.setprofile(None)
            counted.write_text(str(next(calls)))
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_killed_at_any_moment_nothing_half_is_left(made: Path, tmp_path: Path) -> None:
    big = write_folder(tmp_path / "base", base := small_base(width=400), shards=3)
    trained = fine_tuned(base, [UP, NORM, "lm_head.weight"])
    after = write_file(tmp_path / "trained.safetensors", trained)
    delta, merged, counted = (tmp_path / name for name in ("delta.safetensors", "merged", "calls"))

    def extracting() -> None:
        extract(big, after, delta, threads=1, overwrite=True)

    def merging() -> None:
        merge(delta, big, merged, threads=2)

    chance, killed = random.Random(0), 0
    moments = 50 if LONG else 6
    for action in (extracting, merging):
        assert forked(action, counted) == 0
        calls = int(counted.read_text())
        for moment in range(moments):
            shutil.rmtree(merged, ignore_errors=True)
            last = 1 + int(0.97 * calls * (moment + chance.random()) / moments)
            status = forked(action, counted, last)
            assert status in (signal.SIGKILL, 0)  # a merge makes some calls more or less, as it waits for the disk
            killed += status == signal.SIGKILL
            verify(delta, big, full=True, threads=1)  # the new one or still the one before
            if merged.exists():
                assert read_tensors(merged) == as_read(trained)
    assert killed > moments
    shutil.rmtree(merged, ignore_errors=True)
    extracting()
    merging()
    assert read_tensors(merged) == as_read(trained)
    assert not list(tmp_path.glob(".*.tmp")), "drafts of killed runs must be cleared away by the next one"


def test_a_base_that_shrinks_meanwhile_is_an_expected_error(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "base"
    shutil.copytree(made / "base", base)

    def shrink(*_: Any, **__: Any) -> None:
        for path in base.glob("*.safetensors"):
            os.truncate(path, 2000)

    monkeypatch.setattr(merging_module, "check_base", shrink)
    with pytest.raises((BaseModelError, OutputError), match="ended early"):
        merge(made / "delta.safetensors", base, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_full_verification_needs_a_base(made: Path) -> None:
    with pytest.raises(DeltaError, match="needs the base"):
        verify(made / "delta.safetensors", full=True)


def test_progress_counts_up_to_the_total(made: Path, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def note(step: str, done: int, total: int) -> None:
        assert done == 0 or done >= seen[step][0]  # a step may come again, for another verb
        seen[step] = done, total

    extract(made / "base", made / "trained.safetensors", tmp_path / "d.safetensors", progress=note)
    verify(tmp_path / "d.safetensors", made / "base", full=True, progress=note)
    merge(tmp_path / "d.safetensors", made / "base", tmp_path / "merged", progress=note)
    assert set(seen) == {"extract", "check delta", "check base", "check merged", "merge"}
    for step in ("extract", "check delta", "check base", "check merged"):
        assert seen[step][0] == seen[step][1], step
    assert seen["merge"][0] > 0.9 * seen["merge"][1]


def test_merging_needs_neither_torch_nor_much_memory(made: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from toolkit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "import re; peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "loaded = {'torch', 'transformers', 'matplotlib', 'huggingface_hub'} & set(sys.modules)\n"
        "sys.exit(f'{loaded} loaded, {peak} KB' if loaded or peak > 100_000 else 0)"
    )
    arguments = ["merge", made / "delta.safetensors", "--base", made / "base", "--out", tmp_path / "merged"]
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True, timeout=60)
    assert read_tensors(tmp_path / "merged") == expected()


@pytest.mark.parametrize("tied", [False, True])
def test_transformers_loads_a_merged_checkpoint(tmp_path: Path, tied: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = make_tiny_base(tmp_path / "base", tied=tied)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layers.0." in name or "embed" in name:
                parameter += torch.randn_like(parameter) * 1e-3
    model.save_pretrained(tmp_path / "trained")
    info = extract(base, tmp_path / "trained", tmp_path / "delta.safetensors")
    assert {change.layer for change in info.tensors} == {0, None}
    merge(tmp_path / "delta.safetensors", base, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.bfloat16)
    AutoTokenizer.from_pretrained(tmp_path / "merged")
    for (name, live), (_, wanted) in zip(merged.named_parameters(), model.named_parameters(), strict=True):
        assert torch.equal(live, wanted), name


def test_the_command_line_does_it_all(made: Path, tmp_path: Path, cogsym: Callable[..., Any]) -> None:
    delta = tmp_path / "delta.safetensors"
    done = cogsym("extract", made / "base", made / "trained.safetensors", "--out", delta, "--json")
    assert done.code == 0
    assert json.loads(done.out)["file"] == "delta.safetensors"
    again = cogsym("extract", made / "base", made / "trained.safetensors", "--out", delta)
    assert (again.code, "exists already" in again.err) == (1, True)
    done = cogsym("verify", delta, "--base", made / "base", "--full", "--json")
    assert json.loads(done.out)["merged_checked"] is True
    assert "every merged tensor has its digest" in cogsym("verify", delta, "--base", made / "base", "--full").out
    figure = tmp_path / "change.png"
    shown = cogsym("inspect", delta, "--figure", figure)
    assert "bits per weight" in shown.out
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(cogsym("inspect", delta, "--json").out)["tensors"]) == 2
    done = cogsym("merge", delta, "--base", made / "base", "--out", tmp_path / "merged", "--json")
    assert json.loads(done.out)["changed_bytes"] == 2 * (144 * 48 + 48)
    assert read_tensors(tmp_path / "merged") == expected()
    refused = cogsym("merge", delta, "--base", made / "base", "--out", tmp_path / "merged")
    assert refused.code == 1
    assert refused.err.lstrip().startswith("error: ")
    assert "hint: choose another folder" in refused.err
    lost = cogsym("merge", delta, "--out", tmp_path / "other")
    assert "nothing beside delta.safetensors says which base it is for" in lost.err


def test_errors_are_expected_ones(made: Path, tmp_path: Path) -> None:
    with pytest.raises(CogsymError):
        merge(tmp_path / "none.safetensors", made / "base", tmp_path / "merged")
    with pytest.raises(BaseModelError, match="holds no safetensors checkpoint"):
        merge(made / "delta.safetensors", tmp_path, tmp_path / "merged")


def test_a_system_without_copy_in_the_kernel_copies_through_a_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.delta.merging import copy_range

    (tmp_path / "a").write_bytes(bytes(range(256)) * 20_000)
    monkeypatch.delattr("os.copy_file_range", raising=False)
    with open(tmp_path / "a", "rb") as source, open(tmp_path / "b", "w+b") as target:
        copy_range(source.fileno(), 5, target.fileno(), 2, 4_000_000)
    assert (tmp_path / "b").read_bytes() == b"\0\0" + (tmp_path / "a").read_bytes()[5:4_000_005]
