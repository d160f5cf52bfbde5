"""What a Space runs: a short app.py over the page that comes with the toolkit, and the toolkit itself, pinned.

The page's own files are not copied: they come with the toolkit, so page and toolkit are always of one version. Where
that version is not on PyPI, its wheel goes along, and app.py unpacks it: a Space's build sees requirements.txt alone,
so a wheel beside it could not be installed. A wheel of any platform will do: where its compiled kernel does not fit,
NumPy does the work.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from toolkit import __version__
from toolkit.errors import HubError
from toolkit.hub.contents import SPACE

DISTRIBUTION = "cogsym-toolkit"
PAGE = "toolkit/space/app.py"
_UNPACK = """import tempfile
import zipfile
from pathlib import Path

# This version of the toolkit is not on PyPI, so it came along.
unpacked = tempfile.mkdtemp(prefix="cogsym-")
zipfile.ZipFile(Path(__file__).with_name({wheel!r})).extractall(unpacked)
sys.path.insert(0, unpacked)
"""
_APP = '''"""The translation page of cogsym-toolkit over these deltas; made, and renewed, by `cogsym space push`."""

import os
import runpy
import sys
{unpack}
DELTAS = """
{deltas}
"""

os.environ.setdefault("COGSYM_DELTAS", DELTAS)

from toolkit.cli.space import page_folder  # noqa: E402

sys.path.insert(0, str(page_folder()))
runpy.run_path(str(page_folder() / "app.py"), run_name="__main__")
'''


def app_file(deltas: Sequence[str], wheel: Path | None = None) -> str:
    """The text of app.py.

    Args:
        deltas: as `org/name@commit`.
        wheel: of the toolkit, beside app.py; None where requirements.txt installs it.
    """
    return _APP.format(deltas="\n".join(deltas), unpack=_UNPACK.format(wheel=wheel.name) if wheel else "")


def requirements(wheel: Path | None = None) -> str:
    """The text of requirements.txt: this toolkit and the transformers it was tried with; Gradio comes with the SDK.

    Raises:
        HubError: if this toolkit can be had from nowhere, so that a wheel is needed; or if the wheel is none of it.
    """
    lines = _wheel_dependencies(wheel) if wheel else [_from_elsewhere()]
    lines = [line for line in lines if not line.startswith("transformers")]
    return "\n".join([*lines, f"transformers=={metadata.version('transformers')}"]) + "\n"


def _from_elsewhere() -> str:
    try:
        return pip_requirement(metadata.distribution(DISTRIBUTION))
    except metadata.PackageNotFoundError:
        return pip_requirement(None)


def pip_requirement(here: metadata.Distribution | None) -> str:
    """How pip finds exactly the toolkit that runs here, from what the installation says of its origin (PEP 610).

    Raises:
        HubError: if it came from files of this machine.
    """
    origin = json.loads(here.read_text("direct_url.json") or "null") if here else None
    if here and origin is None and here.version == __version__ and "+" not in __version__:
        return f"{DISTRIBUTION}=={__version__}"
    commit, url = (origin or {}).get("vcs_info", {}).get("commit_id"), str((origin or {}).get("url", ""))
    if commit and url.startswith("https://") and "@" not in urlsplit(url).netloc:
        return f"{DISTRIBUTION} @ git+{url}@{commit}"
    raise HubError(
        f"this {DISTRIBUTION} {__version__} was installed from files of this machine, so a Space cannot install it",
        "build a wheel (`python -m build --wheel` in its source) and send it along: "
        f"--wheel dist/cogsym_toolkit-{__version__}-...whl; or install a release from PyPI",
    )


def _wheel_dependencies(wheel: Path) -> list[str]:
    """What the wheel requires without its extras, as requirements.txt spells it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            name = next(name for name in names if name.endswith(".dist-info/METADATA"))
            fields = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    except (OSError, zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        raise HubError(f"{wheel} is no wheel", "build one: python -m build --wheel") from error
    if fields["Name"] != DISTRIBUTION or PAGE not in names or not SPACE.holds(wheel.name):
        raise HubError(
            f"{wheel.name} is not a wheel of {DISTRIBUTION} with its page", "build one: python -m build --wheel"
        )
    if fields["Version"] != __version__:
        raise HubError(f"{wheel.name} is of version {fields['Version']}, but {__version__} runs here", "build it again")
    wanted = fields.get_all("Requires-Dist") or []
    return [line for line in wanted if "extra ==" not in line and not line.startswith("gradio")]
