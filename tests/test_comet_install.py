"""The environment for COMET: made whole or known as unfinished, left alone once finished, and every failure told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from comet_environments import closed_index, fake_environment, fake_python, script
from filelock import FileLock

from toolkit.errors import CogsymError, MissingPartError, OutputError
from toolkit.evaluation.comet import environment
from toolkit.evaluation.comet.environment import find, home, install, look


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the environment goes in each test."""
    monkeypatch.setenv("COGSYM_COMET_HOME", str(tmp_path / "comet"))
    return tmp_path / "comet"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python with which everything goes well."""
    return fake_python(tmp_path / "python")


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_it_goes_where_the_variable_says_else_into_the_users_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home() == folder
    monkeypatch.delenv("COGSYM_COMET_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert home() == tmp_path / "cache" / "cogsym-toolkit" / "comet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "cogsym-toolkit" / "comet"


def test_it_is_made_once_and_then_left_alone(folder: Path, python: Path) -> None:
    assert find() is None
    lines: list[str] = []
    made = install(python=python, report=lines.append)
    assert made.state == "ready"
    assert made.versions == dict.fromkeys(environment.PACKAGES, "1.0")
    assert find() == folder / "bin" / "python"
    assert lines == ["making a virtual environment", f"making {folder}", "Successfully installed", "importing COMET"]

    before = contents(folder)
    assert install(python=python, report=lines.append) == made
    assert contents(folder) == before
    assert len(lines) == 4


def test_an_interrupted_one_is_known_and_made_anew(folder: Path, python: Path) -> None:
    def interrupt(line: str) -> None:
        if line == "Successfully installed":
            (folder / "half").mkdir()
            (folder / "half" / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(python=python, report=interrupt)
    assert look().state == "unfinished"
    assert find() is None
    lines: list[str] = []
    assert install(python=python, report=lines.append).state == "ready"
    assert "removing half of an earlier installation" in lines
    assert not (folder / "half").exists()


def test_one_whose_python_was_removed_is_made_anew(folder: Path, python: Path) -> None:
    install(python=python)
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to(folder / "nowhere")
    assert look().state == "unfinished"
    assert install(python=python).state == "ready"


def test_one_with_other_pins_is_made_anew(
    folder: Path, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(python=python)
    pins = tmp_path / "requirements.txt"
    pins.write_text("unbabel-comet==9.9\n")
    monkeypatch.setattr(environment, "REQUIREMENTS", pins)
    assert look().state == "outdated"
    assert find() is None
    assert install(python=python).state == "ready"


def test_comet_beside_the_toolkit_comes_first(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "version", lambda name: "2.2.7")
    found = install(python=python)
    assert (found.state, found.folder) == ("beside the toolkit", None)
    assert str(find()) == sys.executable
    monkeypatch.setenv("PYTHONPATH", "mine")
    assert environment.worker_surroundings()["PYTHONPATH"] == "mine"


def test_what_leads_python_elsewhere_is_kept_from_the_environment(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "mine")
    assert "PYTHONPATH" not in environment.worker_surroundings()
    assert install(python=fake_python(tmp_path / "python", pip='test -z "$PYTHONPATH"')).state == "ready"


@pytest.mark.parametrize("made", ["a file", "a folder with something"])
def test_what_is_not_ours_is_never_removed(folder: Path, python: Path, made: str) -> None:
    if made == "a file":
        folder.write_text("precious")
    else:
        folder.mkdir()
        (folder / "precious").touch()
    with pytest.raises(OutputError, match="holds something else") as told:
        install(python=python)
    assert "COGSYM_COMET_HOME" in (told.value.hint or "")
    assert folder.read_text() == "precious" if made == "a file" else (folder / "precious").exists()


def test_a_full_disk_is_told_before_anything_is_written(
    folder: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda place: SimpleNamespace(free=1_900_000_000))
    with pytest.raises(OutputError, match=r"needs at least 2 GB of disk, and .* has 1\.9 GB left"):
        install(python=python)
    assert not folder.exists()


def test_two_do_not_install_at_the_same_time(folder: Path, python: Path) -> None:
    with (
        FileLock(folder.with_name("comet.lock")),
        pytest.raises(MissingPartError, match="another process is installing"),
    ):
        install(python=python)
    assert not folder.exists()
    assert install(python=python).state == "ready"


def test_a_fitting_python_is_looked_for_where_this_one_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "PYTHONS", ((3, 98), (3, 99)))
    with pytest.raises(MissingPartError, match=r"COMET 2\.2\.7 needs Python 3\.98 or 3\.99, and here are"):
        install()
    fake_python(tmp_path / "bin" / "python3.99")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert install().state == "ready"


@pytest.mark.parametrize(
    ("pip", "error", "message", "hint"),
    [
        (
            "echo 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'; exit 1",
            OutputError,
            "no room left while installing COMET:\nERROR: Could not install packages",
            "free some space",
        ),
        (
            "echo 'WARNING: Retrying after NameResolutionError'; echo 'ERROR: No matching distribution found'; exit 1",
            MissingPartError,
            "cannot be downloaded:\nWARNING: Retrying after NameResolutionError\nERROR: No matching",
            "check the connection",
        ),
        (
            "for n in 1 2 3 4 5 6 7; do echo line $n; done; echo; exit 1",
            MissingPartError,
            "pip could not install COMET:\nline 3\nline 4\nline 5\nline 6\nline 7",
            "Python 3.11 or 3.12",
        ),
        ("exit 1", MissingPartError, "pip could not install COMET:\nit said nothing", "Python 3.11 or 3.12"),
    ],
)
def test_what_pip_cannot_do_is_told_with_its_last_lines(
    tmp_path: Path, pip: str, error: type[CogsymError], message: str, hint: str
) -> None:
    with pytest.raises(error) as told:
        install(python=fake_python(tmp_path / "python", pip=pip))
    assert message in told.value.message
    assert hint in (told.value.hint or "")
    assert look().state == "unfinished"


def test_a_python_without_venv_is_told(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo 'ensurepip is not available.'\nexit 1\n")
    with pytest.raises(MissingPartError, match=r"virtual environment:\nensurepip is not available\.") as told:
        install(python=python)
    assert "python3-venv" in (told.value.hint or "")


def test_a_comet_that_cannot_be_imported_is_not_called_finished(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "python", check="echo 'ImportError: no pkg_resources'; exit 1")
    with pytest.raises(MissingPartError, match="cannot be imported:\nImportError: no pkg_resources"):
        install(python=python)
    assert find() is None


def test_an_index_that_cannot_be_reached_is_told_by_the_real_pip(
    cogsym: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.version_info[:2] not in environment.PYTHONS:
        pytest.skip("needs Python 3.11 or 3.12, as COMET does")
    for name, value in closed_index().items():
        monkeypatch.setenv(name, value)
    outcome = cogsym("comet", "install")
    assert outcome.code == 1
    assert "error: COMET's packages cannot be downloaded:\n" in outcome.err
    assert "ERROR: No matching distribution found for" in outcome.err
    assert "hint: check the connection" in outcome.err
    assert look().state == "unfinished"


def test_every_package_is_pinned_and_those_that_comet_does_not_name_are_old_enough() -> None:
    lines = environment.REQUIREMENTS.read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert environment.pinned_version() == pins["unbabel-comet"] == "2.2.7"
    assert {"torch", "transformers", "pytorch-lightning"} <= set(pins)
    assert int(pins["setuptools"].split(".")[0]) < 82
    assert tuple(map(int, pins["sentencepiece"].split("."))) < (0, 2, 3)


def test_the_command_says_what_was_installed_where(cogsym: Callable[..., Any], folder: Path, python: Path) -> None:
    outcome = cogsym("comet", "install", "--python", python)
    assert outcome.code == 0
    assert outcome.out.startswith(f"{folder}: unbabel-comet 1.0, torch 1.0")
    assert "importing COMET" in outcome.err
    assert "nothing to do" in cogsym("comet", "install").err


def test_a_mark_that_is_damaged_is_no_mark(folder: Path) -> None:
    fake_environment(folder)
    assert look().state == "ready"
    for text in ("", "[]", '{"versions": 3}'):
        (folder / "cogsym-comet.json").write_text(text)
        assert find() is None
