"""What a rented machine installs, to run the toolkit that is installed here: a release, a commit, or the source.

Which one it is, pip has written down (`direct_url.json`, PEP 610): nothing for a package from the index, repository and
commit for one from git, and the folder for one that was installed from a folder, whose source is then sent along.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from huggingface_hub.constants import HF_JOBS_ARTIFACTS_MOUNT_PATH

from toolkit import __version__

NAME = "cogsym-toolkit"
ARCHIVE = f"{NAME}-{__version__}.tar.gz"
PARTS = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "toolkit", "hub_cards", "spaces/translator")


@dataclass(frozen=True)
class Package:
    """Where the toolkit comes from on the rented machine."""

    where: str  # in words
    requirement: str  # what follows name and extras
    source: Path | None = None  # folder that has to be packed and sent along

    def with_extras(self, extras: tuple[str, ...]) -> str:
        """As pip and uv read it."""
        return f"{NAME}[{','.join(extras)}]{self.requirement}" if extras else f"{NAME}{self.requirement}"


def installed_package() -> Package:
    """The toolkit as it is installed here."""
    released = Package(f"release {__version__} on the package index", f"=={__version__}")
    try:
        written = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        written = None
    if not written:
        return released
    origin = json.loads(written)
    if "vcs_info" in origin:
        kind, commit = origin["vcs_info"]["vcs"], origin["vcs_info"]["commit_id"]
        return Package(f"{origin['url']} at {commit[:7]}", f" @ {kind}+{origin['url']}@{commit}")
    folder = Path(url2pathname(urlsplit(origin["url"]).path))
    if "dir_info" in origin and all((folder / part).exists() for part in PARTS):
        return Package(
            "the source that is installed here", f" @ file://{HF_JOBS_ARTIFACTS_MOUNT_PATH}/{ARCHIVE}", folder
        )
    return released


def pack_source(source: Path, folder: Path) -> Path:
    """The toolkit's source as an archive that can be installed, in this folder."""
    archive = folder / ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        for part in PARTS:
            tar.add(source / part, f"{NAME}-{__version__}/{part}", filter=_only_source)
    return archive


def _only_source(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without what Python and the compiler left, and without the name of whoever packs."""
    name = Path(member.name).name
    if name == "__pycache__" or name.startswith(".") or name.endswith((".pyc", ".so", ".pyd")):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
