"""The house rules that a machine can check: imports point one way, and light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Lower rooms must not know upper ones. A room may import rooms of its own floor and of the floors below.
FLOORS = (
    {"errors"},
    {
        "languages",
        "prompts",
        "tokens",
        "decoding",
        "sentences",
        "records",
        "run_folder",
        "corpus",
        "recipe",
        "recipes",
        "places",
        "test_sets",
    },
    {"delta", "selection", "pocket", "environment", "freeing", "background"},
    {
        "training",
        "evaluation",
        "pretrained",
        "translator",
        "passage",
        "beams",
        "routing",
        "decoding",
        "hub",
        "jobs",
        "adaptation",
        "analysis",
        "contributions",
        "from_corpus",
        "stages",
        "auditing",
        "hub_cards",
        "sharing",
    },
    {"demo"},
    {"cli", "spaces"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def sources() -> list[Path]:
    folders = [ROOT / "toolkit", ROOT / "hub_cards"]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "hub_cards" if parts[0] == "hub_cards" else parts[1]


def imported_rooms(tree: ast.AST) -> set[tuple[str, int]]:
    rooms = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "toolkit" else [node.module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "hub_cards":
                rooms.add(("hub_cards", node.lineno))
            elif parts[0] == "toolkit" and len(parts) > 1:
                rooms.add((parts[1], node.lineno))
    return rooms


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    assert room in FLOOR_OF, f"room '{room}' is on no floor: put it on one, here and in ARCHITECTURE.md"
    for other, line in imported_rooms(ast.parse(path.read_text(encoding="utf-8"))):
        if other in FLOOR_OF and other != room:
            assert FLOOR_OF[other] <= FLOOR_OF[room], f"{path}:{line}: {room} must not import {other}"


@pytest.mark.parametrize("path", sorted((ROOT / "hub_cards").rglob("*.py")), ids=lambda path: path.name)
def test_cards_know_records_alone(path: Path) -> None:
    rooms = {room for room, _ in imported_rooms(ast.parse(path.read_text(encoding="utf-8")))}
    assert rooms <= {"hub_cards", "records", "run_folder", "errors", "languages", "__version__"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_prints(path: Path) -> None:
    if room_of(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{path}:{node.lineno} prints"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_opens_with_a_sentence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path} does not say what it is"


@pytest.mark.parametrize("module", ["toolkit", "toolkit.cli", "hub_cards", "toolkit.delta"])
def test_light_imports_load_no_heavy_library(module: str) -> None:
    heavy = "{'torch', 'transformers', 'gradio', 'datasets', 'lm_eval', 'matplotlib'}"
    code = f"import sys, {module}; loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_package_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in sources() if path.name == "__init__.py"}
    assert set(listed) == found | {"toolkit.space"}
