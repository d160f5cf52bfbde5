"""Recipes: what is read, refused, suggested, and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import CogsymError, RecipeError
from toolkit.recipe import Recipe, make_recipe, portable, read_recipe, write_recipe
from toolkit.recipes import shipped_recipes

SMALL = {"language": "jav", "base": "pocket", "data": [{"path": "train.tsv", "directions": ["eng>jav"]}]}


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"lerning_rate": 1}, "unknown key `lerning_rate`", "did you mean `learning_rate`?"),
        ({"data": [{"path": "a", "colums": {}}]}, "unknown key `data.0.colums`", "did you mean `columns`?"),
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0 (got -1)", "mend"),
        ({"data": []}, "data: ", "mend"),
        ({"language": "jaw"}, "unknown language 'jaw'", "did you mean 'jav'?"),
        ({"language": "jw"}, "unknown language 'jw'", "jav"),
        ({"prompt": "chat"}, "unknown prompt template 'chat'", "alpaca"),
        ({"replay_share": 1.5}, "replay_share", "mend"),
        ({"batch_size": 8, "micro_batch_size": 3}, "not a multiple of micro_batch_size 3", "mend"),
        ({"method": "lora", "final_norm": True}, "a norm can have no LoRA adapter", "mend"),
        ({"lora_rank": 8}, "lora_rank has no effect without method: lora", "mend"),
        ({"order": "beg_end"}, "order: Input should be 'together', 'front_then_rear'", "mend"),
        ({"frozen": "8bit"}, "frozen: Input should be '16bit' or '4bit'", "mend"),
        ({"data": [{"path": "a", "directions": ["eng-jav"]}]}, "'eng-jav' is not a direction", "eng>jav"),
        ({"evaluation": [{"path": "a", "directions": ["eng>jav"], "shots": 2}]}, "shots need shots_path", "mend"),
        (
            {"evaluation": [{"path": f"{folder}/t.tsv", "directions": ["eng>jav"]} for folder in "ab"]},
            "two test sets of kind translation are called 't' in eng>jav; give each a `name:`",
            "mend",
        ),
    ],
)
def test_a_bad_field_is_named_with_its_value(change: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(CogsymError) as caught:
        make_recipe(SMALL | change)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("change", "rate"),
    [
        ({}, 2e-5),
        ({"method": "lora"}, 2e-4),
        ({"select": "subnetwork:1%"}, 1e-4),
        ({"method": "lora", "learning_rate": 2e-5}, 2e-5),
    ],
)
def test_the_usual_learning_rate_is_that_of_the_method(tmp_path: Path, change: dict[str, object], rate: float) -> None:
    recipe = make_recipe(SMALL | {"data": [{"path": "/d/t.tsv", "directions": ["eng>jav"]}]} | change)
    assert recipe.learning_rate == rate
    assert ("learning_rate" in recipe.changes()) == ("learning_rate" in change)
    write_recipe(recipe, tmp_path / "r.yaml", opening="x")
    assert read_recipe(tmp_path / "r.yaml") == recipe


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RecipeError, match="`base` is missing"):
        make_recipe({"language": "jav", "data": [{"path": "a"}]})


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1, 2]", "holds no fields"), ("a: [", "cannot be read"), (None, "no recipe at")],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "r.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_recipe(path)


def test_paths_are_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "my").mkdir()
    path = tmp_path / "my" / "r.yaml"
    write_recipe(make_recipe(SMALL), path, opening="cogsym train")
    assert path.read_text().startswith("# cogsym train\n")
    assert read_recipe(path).data[0].path == str(tmp_path / "my" / "train.tsv")


def test_a_written_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = make_recipe(SMALL | {"data": [{"path": "/d/train.tsv", "directions": ["eng>jav"]}], "learning_rate": 5e-3})
    write_recipe(recipe, tmp_path / "r.yaml", opening="x")
    assert read_recipe(tmp_path / "r.yaml") == recipe


def test_a_published_recipe_names_no_path_of_this_machine() -> None:
    recipe = make_recipe(
        {
            "language": "jav",
            "base": "/home/me/models/llama",
            "data": [{"path": "/home/me/secret/train.tsv", "directions": ["eng>jav"]}],
            "evaluation": [
                {"path": "/home/me/t.tsv", "directions": ["eng>jav"], "shots": 1, "shots_path": "/home/me/d.tsv"}
            ],
        }
    )
    text = portable(recipe).model_dump_json()
    assert "/home" not in text
    assert portable(recipe).base == "llama"


def published_files(recipe: Recipe) -> list[str | None]:
    made = portable(recipe)
    return [source.path for source in (*made.data, *made.replay, *made.evaluation)]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("/d/train.tsv", "/d/known/train.tsv", "/d/test.tsv", "/d/known/test.tsv"),
         ["train.tsv", "known-train.tsv", "test.tsv", "known-test.tsv"]),
        (("/d/known/train.tsv", "/d/train.tsv", "/d/a/b/train.tsv", "/d/train.tsv"),
         ["known-train.tsv", "train.tsv", "a-b-train.tsv", "train.tsv"]),
        (("/home/maria/a.tsv", "/home/juan/a.tsv", "/mnt/a.tsv", "/mnt/a-2.tsv"),
         ["a-3.tsv", "a-4.tsv", "a.tsv", "a-2.tsv"]),
        (("/home/maria/a.tsv", "/home/juan/A.tsv", "/data/b.tsv", "/data/c.tsv"),
         ["a.tsv", "A-2.tsv", "b.tsv", "c.tsv"]),
    ],
)  # fmt: skip
def test_files_of_one_name_have_names_of_their_own_in_a_published_recipe_and_no_folder_of_a_person(
    paths: tuple[str, str, str, str], names: list[str]
) -> None:
    taught, replayed, *tests = paths
    recipe = make_recipe(
        {
            "language": "jav",
            "base": "pocket",
            "data": [{"path": taught, "directions": ["eng>jav"]}],
            "replay": [{"path": replayed, "directions": ["eng>ind"]}],
            "evaluation": [
                {"path": path, "directions": [direction]}
                for path, direction in zip(tests, ("eng>jav", "eng>ind"), strict=True)
            ],
        }
    )
    assert published_files(recipe) == names
    # Found under the same names in tables, whatever the files are called.
    assert [test.dataset for test in portable(recipe).evaluation] == [test.dataset for test in recipe.evaluation]
    assert published_files(portable(recipe)) == names, "what is published is published the same again"


def test_only_what_differs_from_the_defaults_counts_as_a_change() -> None:
    assert set(make_recipe(SMALL).changes()) == {"language", "base", "data"}
    assert make_recipe(SMALL | {"seed": 3}).changes()["seed"] == 3


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid_and_opens_with_its_command(name: str) -> None:
    path = shipped_recipes()[name]
    assert path.read_text().startswith("# cogsym train --recipe ")
    recipe = read_recipe(path)
    assert recipe.base_revision or "/" not in recipe.base, "a base on the Hub is pinned"
