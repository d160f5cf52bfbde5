"""Training on a rented machine: a recipe with its files as one Hugging Face Job that publishes what it trained."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub.constants import HF_JOBS_ARTIFACTS_BUCKET_NAME
from huggingface_hub.utils import get_token

from toolkit.errors import HubError, RecipeError, TrainingError
from toolkit.hub.client import hub_client
from toolkit.hub.failures import LOG_IN, hub_errors
from toolkit.hub.target import parse_target
from toolkit.jobs import job_script
from toolkit.jobs.flavors import FLAVORS, smallest_with
from toolkit.jobs.shipping import ARCHIVE, Package, installed_package, pack_source
from toolkit.recipe import Recipe, portable, portable_files, write_recipe

if TYPE_CHECKING:
    from toolkit.training import Requirements

DEFAULT_FLAVOR = "l40sx1"  # the cheapest on which the recipes for Llama-2-7B fit; cards of 24 GB are too small for them
DEFAULT_TIMEOUT = "8h"
RECIPE_NAME = "recipe.yaml"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# What unsloth is known to allow; a test holds it to constraints/gpu.txt, which is not installed along.
UNSLOTH_PINS = ("torch==2.13.0", "transformers==5.17.0", "unsloth==2026.10.7", "unsloth_zoo==2026.10.9", "trl<=1.15")
WANDB_KEY = "WANDB_API_KEY"


@dataclass(frozen=True)
class JobPlan:
    """A job that has not been started."""

    recipe: Recipe
    files: dict[str, Path]  # data, test and language files that go with it, by the name that they get
    target: str  # where the run will be published, org/name
    private: bool
    flavor: str
    timeout: str
    package: Package  # the toolkit
    dependencies: tuple[str, ...]  # the toolkit with its extras, and what else the recipe needs
    needs: Requirements | None  # against the flavor's card and disk; None where it has no card, or is not known here
    kept: str  # ORG/BUCKET/FOLDER for a copy of the run folder while the job runs
    force: bool = False

    @property
    def namespace(self) -> str:
        """Who pays."""
        return self.target.partition("/")[0]

    @property
    def cards(self) -> int:
        """GPUs of the rented machine; of a kind that is not known here, only one trains."""
        return max(1, FLAVORS[self.flavor].cards) if self.flavor in FLAVORS else 1

    @property
    def commands(self) -> tuple[str, ...]:
        """What the rented machine will do."""
        steps = job_script.steps(
            RECIPE_NAME,
            self.target,
            self.private,
            force=self.force,
            cards=self.cards,
            measures=bool(self.recipe.evaluation),
        )
        return tuple(" ".join(step) for step in steps)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of what the job must know and nobody may see."""
        return ("HF_TOKEN", WANDB_KEY) if "wandb" in self.recipe.report_to else ("HF_TOKEN",)

    @property
    def may_be_cut_short(self) -> bool:
        """Whether training alone may take longer than the job is given."""
        if self.needs is None or self.needs.time is None or self.needs.time.whole is None:
            return False
        return self.needs.time.whole.most > duration_seconds(self.timeout)


def plan_job(
    recipe: Recipe,
    target: str,
    *,
    private: bool = False,
    flavor: str = DEFAULT_FLAVOR,
    timeout: str = DEFAULT_TIMEOUT,
    force: bool = False,
) -> JobPlan:
    """Everything that would be sent, checked; nothing leaves this machine.

    Args:
        recipe: with absolute paths, as `read_recipe` gives it.
        target: Hub repository `org/name` in which the trained run will be published; the organisation pays.
        flavor: the Hub's name for a kind of machine, e.g. `l40sx1` or `a100-large`.
        timeout: after which the job is ended: seconds, or a number with s, m, h or d.
        force: plan it even where it looks too large for the flavor.

    Raises:
        HubError: if the target is no Hub repository, or the timeout no duration.
        RecipeError: if a file is missing, has a name that cannot be sent, the base is a folder of this machine, or the
            batch cannot be shared out among the machine's cards.
        CorpusError: if the data cannot be used.
        TrainingError: if it does not fit on the flavor's card or disk.
    """
    from toolkit.training.distributed import accumulation_steps

    repo_id = parse_target(target).repo_id
    if repo_id is None:
        raise HubError(f"'{target}' is a folder, and a job can publish to the Hub alone", "write org/name")
    duration_seconds(timeout)
    if Path(recipe.base).is_absolute():
        raise RecipeError(f"the base {recipe.base} is on this machine alone", "name a base on the Hub, or pocket")
    if "wandb" in recipe.report_to and not os.environ.get(WANDB_KEY):
        raise RecipeError(
            "`report_to: [wandb]` needs a key on the rented machine, and there is none here to send along",
            f"set {WANDB_KEY}, or leave wandb out: metrics.jsonl has the same numbers",
        )
    files = portable_files(recipe)
    _check_files(files)
    package = installed_package()
    needs = _requirements(recipe, flavor)
    if needs is not None and not force:
        _refuse_what_does_not_fit(needs, flavor)
    namespace, _, name = repo_id.partition("/")
    kept = f"{namespace}/{HF_JOBS_ARTIFACTS_BUCKET_NAME}/cogsym/{name}-{_fingerprint(recipe, files)}"
    plan = JobPlan(
        recipe, files, repo_id, private, flavor, timeout, package, _dependencies(recipe, package), needs, kept, force
    )
    accumulation_steps(recipe, plan.cards)
    return plan


def start_job(plan: JobPlan, *, endpoint: str | None = None) -> str:
    """Send the recipe and its files, and start the job; the address where it can be watched.

    The job gets the token of this login as a secret, to read the base and to publish.

    Raises:
        HubError: if there is no login, or the Hub refuses.
    """
    token = get_token()
    if token is None:
        raise HubError("cannot start a job: you are not logged in", LOG_IN)
    secrets = {name: token if name == "HF_TOKEN" else os.environ[name] for name in plan.secrets}
    with tempfile.TemporaryDirectory(prefix="cogsym-job-") as folder:
        recipe = Path(folder) / RECIPE_NAME
        write_recipe(portable(plan.recipe), recipe, opening=plan.commands[0])
        files = [_called(name, path, Path(folder)) for name, path in plan.files.items()]
        if plan.package.source is not None:
            files.append(pack_source(plan.package.source, Path(folder)))
        # One argument each with its value: the client takes every argument that names a file here for that file.
        options = [f"--target={plan.target}", f"--kept={plan.kept}"]
        options += [f"--cards={plan.cards}"] * (plan.cards > 1)
        given = {"--private": plan.private, "--force": plan.force, "--unmeasured": not plan.recipe.evaluation}
        options += [option for option, wanted in given.items() if wanted]
        with hub_errors("start a job", plan.target, writing=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the client calls its jobs experimental
            job = hub_client(endpoint).run_uv_job(
                str(Path(job_script.__file__)),
                # The client sends along every argument that is a file, and puts its new place there.
                script_args=[str(recipe), *map(str, files), *options],
                dependencies=list(plan.dependencies),
                secrets=secrets,
                flavor=plan.flavor,
                timeout=plan.timeout,
                namespace=plan.namespace,
            )
    return str(job.url)


def duration_seconds(written: str) -> float:
    """Seconds of a duration as the Hub's client reads it: `90m`, `8h`, `1.5d`, or bare seconds.

    Raises:
        HubError: if it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", written)
    if found is None or not float(found[1]):
        raise HubError(f"the timeout '{written}' is no duration", "write a number with s, m, h or d, e.g. 90m or 8h")
    return float(found[1]) * SECONDS[found[2] or "s"]


def _called(name: str, path: Path, folder: Path) -> Path:
    """The file under this name, because the client sends each under its own: itself, or a link to it in `folder`."""
    if path.name == name:
        return path
    link = folder / name
    link.symlink_to(path.absolute())
    return link


def _check_files(files: Mapping[str, Path]) -> None:
    """Raise unless each file is there, with a name that it can keep in the one folder where all will lie."""
    missing = [path for path in files.values() if not path.is_file()]
    if missing:
        raise RecipeError(f"no file at {missing[0]}", "check the recipe's paths")
    taken = {RECIPE_NAME, Path(job_script.__file__).name, ARCHIVE}
    for name in files:
        if name in taken:
            raise RecipeError(f"a job has a file called {name} itself, and so has the recipe", "rename the recipe's")
        if " " in name:
            raise RecipeError(f"the Hub would rename the file '{name}' on the way", "leave out the spaces in its name")


def _dependencies(recipe: Recipe, package: Package) -> tuple[str, ...]:
    """What the rented machine has to install for this recipe."""
    unsloth = recipe.backend == "unsloth"
    needed = {
        "8bit": recipe.optimizer == "adamw_8bit" or recipe.frozen == "4bit",
        "lora": recipe.method == "lora",
        "unsloth": unsloth,
        "langid": any(test_set.kind == "consistency" for test_set in recipe.evaluation),
    }
    extras = tuple(extra for extra, is_needed in needed.items() if is_needed)
    return (package.with_extras(extras), *recipe.report_to, *(UNSLOTH_PINS if unsloth else ()))


def _requirements(recipe: Recipe, flavor: str) -> Requirements | None:
    """What the recipe needs against what this kind of machine has; None where nothing can be said.

    Data that lies here is read, so that what is wrong with it is told before a machine is rented, and its rows count.
    """
    from toolkit.training import mix_if_here, refuse_repetition, requirements_of

    mixture = mix_if_here(recipe)
    if mixture:
        refuse_repetition(mixture)
    rented = FLAVORS.get(flavor)
    if rented is None or not rented.cards:
        return None
    needs = requirements_of(
        recipe, examples=mixture.examples if mixture else None, card_bytes=rented.card_bytes, measure=False
    )
    return replace(needs, free_disk_bytes=rented.disk_bytes)


def _refuse_what_does_not_fit(needs: Requirements, flavor: str) -> None:
    """Raise where a rented machine would run out of memory or disk."""
    if needs.fits and needs.fits_disk:
        return
    if needs.fits:
        wanted, there = f"{needs.disk_bytes / 1e9:.1f} GB of disk", f"{needs.free_disk_bytes / 1e9:.0f} GB"
    else:
        wanted, there = f"{needs.needed_bytes / 1e9:.1f} GB of GPU memory", f"{(needs.free_bytes or 0) / 1e9:.1f} GB"
    larger = smallest_with(needs.needed_bytes, needs.disk_bytes)
    changes = [f"--flavor {larger}"] if larger else []
    changes += needs.remedies
    advice = "; or ".join(changes) or "train a smaller base"
    raise TrainingError(
        f"this needs about {wanted}, and {flavor} has {there} to use", f"{advice}. To try all the same: --force"
    )


def _fingerprint(recipe: Recipe, files: Mapping[str, Path]) -> str:
    """Of the recipe and what is in its files, so that a job goes on with a run of the very same."""
    digest = hashlib.sha256(portable(recipe).model_dump_json().encode())
    for path in files.values():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
