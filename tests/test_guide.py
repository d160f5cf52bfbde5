"""The guide "Add your language in an afternoon" does what it says: its blocks are run as they stand, to the page."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent / "toolkit" / "languages" / "ADD_A_LANGUAGE.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVE = "cogsym space serve"


def blocks() -> list[str]:
    return BLOCK.findall(GUIDE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of somebody who has installed the toolkit and is in an empty folder."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "bin").mkdir()
    program = folder / "bin" / "cogsym"
    root = shlex.quote(str(GUIDE.parents[2]))
    python = shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}} exec {python} -m toolkit "$@"\n')
    program.chmod(0o755)
    (folder / "empty").mkdir()
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PWD": str(folder / "empty"),
        "HF_HUB_OFFLINE": "1",
        "BROWSER": "true",
        "COLUMNS": "200",
    }


def run_block(block: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=environment["PWD"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}"
    return done.stdout


def ask_the_page(block: str, environment: dict[str, str]) -> tuple[list[str], str]:
    """Start the page as the guide does, ask it what it translates and for one sentence, and end it by Ctrl-C."""
    import httpx
    from gradio_client import Client

    page = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", f"exec {block}"],
        cwd=environment["PWD"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert page.stdout is not None
        told = next((line for line in page.stdout if "The page is at" in line), "nothing")
        address = re.search(r"http://127\.0\.0\.1:\d+", told)
        assert address, f"the guide promises an address, and the page said: {told}"
        client = Client(address.group(), verbose=False)
        directions = [f"{one['source']}>{one['target']}" for one in client.predict(api_name="/languages")]
        shown = httpx.get(f"{address.group()}/config", timeout=60).text
        answer = client.predict("Where is the book?", "eng", "epo", "", api_name="/translate")
    finally:
        page.send_signal(signal.SIGINT)
        page.wait(timeout=60)
    assert "Your Name" in shown, "the page thanks whoever is named in the language file"
    return directions, str(answer)


@pytest.mark.timeout(1800)  # two minutes of one core; a busy machine takes its time
def test_every_block_works_from_an_empty_folder_to_the_page(reader: dict[str, str]) -> None:
    said = {}
    for block in blocks():
        if block.startswith(SERVE):
            directions, answer = ask_the_page(block.strip(), reader)
            assert {"eng>epo", "epo>eng"} <= set(directions)
            assert answer.strip()
        else:
            said[block.split("\n")[0]] = run_block(block, reader)
    told = "\n".join(said.values())
    for promised in (
        "nothing found for Esperanto; ISO 639-3 has epo",
        "epo.yaml: fine",
        "2,000 sentences in English and Esperanto",
        "kept for testing",
        "of them train",
        "published to",
        "tried out",
    ):
        assert promised in told, promised
    made = Path(reader["PWD"])
    card = (made / "esperanto" / "run" / "README.md").read_text(encoding="utf-8")
    assert "Your Name" in card, "the card thanks whoever is named in the language file"
    assert (made / "published" / "pocket-cogsym-epo" / "delta.safetensors").is_file()
    assert (made / "esperanto" / "recipe.yaml").is_file()


def test_the_guide_goes_to_the_page_in_order() -> None:
    commands = [line.split(" --")[0] for block in blocks() for line in block.strip().splitlines()]
    assert commands[0] == "cogsym languages search Esperanto"
    assert any(command.startswith(SERVE) for command in commands)


def test_the_sentences_of_the_guide_are_right_by_rule() -> None:
    from toolkit.pocket.esperanto import practice_pairs

    pairs = practice_pairs()
    assert len({english for english, _ in pairs}) == len({esperanto for _, esperanto in pairs}) == len(pairs) == 2000
    for english, esperanto in pairs:
        assert "{" not in english + esperanto
        assert english[-1] == esperanto[-1]
        if re.match(r"We (?:are|want|can|must|have|often|never)", english):
            assert esperanto.startswith("Ni ")
    said = dict(pairs)
    assert any(text.startswith("Ni estas ") and text.endswith("j.") for text in said.values()), (
        "plural predicates agree"
    )
    for english, esperanto in pairs:  # what something is done to is in the accusative
        if re.search(r"\b(?:buying|eating|drinking) ", english):
            assert re.search(r"\w+n[.?]$", esperanto), (english, esperanto)
