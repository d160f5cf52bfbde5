"""A recipe: everything that determines a training run, read from one YAML file and saved with the run."""

from toolkit.recipe.fields import DataSource, Recipe
from toolkit.recipe.files import make_recipe, make_tests, read_recipe, read_tests, write_recipe
from toolkit.recipe.paths import local_files, own_languages, portable, portable_files, resolve_paths

__all__ = [
    "DataSource",
    "Recipe",
    "local_files",
    "make_recipe",
    "make_tests",
    "own_languages",
    "portable",
    "portable_files",
    "read_recipe",
    "read_tests",
    "resolve_paths",
    "write_recipe",
]
