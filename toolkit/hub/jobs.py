"""Training on a rented machine: a recipe with its files as one Hugging Face Job that publishes what it trained."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.utils import get_token

from toolkit import __version__
from toolkit.errors import HubError, RecipeError
from toolkit.hub import job_script
from toolkit.hub.client import hub_client
from toolkit.hub.failures import LOG_IN, hub_errors
from toolkit.hub.target import parse_target
from toolkit.recipe import Recipe, local_files, portable, write_recipe

DEFAULT_FLAVOR = "l4x1"  # 24 GB of GPU memory
DEFAULT_TIMEOUT = "8h"
RECIPE_NAME = "recipe.yaml"


@dataclass(frozen=True)
class JobPlan:
    """A job that has not been started."""

    recipe: Recipe
    files: tuple[Path, ...]  # data and test files that go with it
    target: str  # where the run will be published, org/name
    private: bool
    flavor: str
    timeout: str
    dependencies: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Who pays."""
        return self.target.partition("/")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """What the rented machine will do."""
        return tuple(" ".join(step) for step in job_script.steps(RECIPE_NAME, self.target, self.private))


def plan_job(
    recipe: Recipe,
    target: str,
    *,
    private: bool = False,
    flavor: str = DEFAULT_FLAVOR,
    timeout: str = DEFAULT_TIMEOUT,
) -> JobPlan:
    """Everything that would be sent, checked; nothing leaves this machine.

    Args:
        recipe: with absolute paths, as `read_recipe` gives it.
        target: Hub repository `org/name` in which the trained run will be published; the organisation pays.
        flavor: the Hub's name for a kind of machine, e.g. `l4x1` or `a100-large`.
        timeout: after which the job is ended: seconds, or a number with s, m, h or d.

    Raises:
        HubError: if the target is no Hub repository.
        RecipeError: if a file is missing, two have the same name, or the base is a folder of this machine.
    """
    repo_id = parse_target(target).repo_id
    if repo_id is None:
        raise HubError(f"'{target}' is a folder, and a job can publish to the Hub alone", "write org/name")
    if Path(recipe.base).is_absolute():
        raise RecipeError(f"the base {recipe.base} is on this machine alone", "name a base on the Hub, or pocket")
    files = local_files(recipe)
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise RecipeError(f"no file at {missing[0]}", "check the recipe's paths")
    names = [path.name for path in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RecipeError(f"two of the recipe's files are called {twice}", "rename one: they will lie in one folder")
    parts = ["8bit"] if recipe.optimizer == "adamw_8bit" else []
    parts += ["langid"] if any(test_set.kind == "consistency" for test_set in recipe.evaluation) else []
    extra = f"[{','.join(parts)}]" if parts else ""
    dependencies = (f"cogsym-toolkit{extra}=={__version__}",)
    return JobPlan(recipe, files, repo_id, private, flavor, timeout, dependencies)


def start_job(plan: JobPlan, *, endpoint: str | None = None) -> str:
    """Send the recipe and its files, and start the job; the address where it can be watched.

    The job gets the token of this login as a secret, to read the base and to publish.

    Raises:
        HubError: if there is no login, or the Hub refuses.
    """
    token = get_token()
    if token is None:
        raise HubError("cannot start a job: you are not logged in", LOG_IN)
    with tempfile.TemporaryDirectory(prefix="cogsym-job-") as folder:
        recipe = Path(folder) / RECIPE_NAME
        write_recipe(portable(plan.recipe), recipe, opening=plan.commands[0])
        visibility = "private" if plan.private else "public"
        with hub_errors("start a job", plan.target, writing=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the client calls its jobs experimental
            job = hub_client(endpoint).run_uv_job(
                str(Path(job_script.__file__)),
                # The client sends along every argument that is a file, and puts its new place there.
                script_args=[str(recipe), plan.target, visibility, *map(str, plan.files)],
                dependencies=list(plan.dependencies),
                secrets={"HF_TOKEN": token},
                flavor=plan.flavor,
                timeout=plan.timeout,
                namespace=plan.namespace,
            )
    return str(job.url)
