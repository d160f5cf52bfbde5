"""cogsym-toolkit: adapt Llama-2 to a language, publish the exact delta, use it anywhere.

The public names are loaded when first used, so that `import toolkit` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.delta import LanguageSwitcher, extract, load_delta, merge, verify
    from toolkit.pretrained import from_pretrained
    from toolkit.sharing import push_to_hub
    from toolkit.translator import Translator

__version__ = "0.1.0"

_HOME = {
    "LanguageSwitcher": "toolkit.delta",
    "Translator": "toolkit.translator",
    "extract": "toolkit.delta",
    "from_pretrained": "toolkit.pretrained",
    "load_delta": "toolkit.delta",
    "merge": "toolkit.delta",
    "push_to_hub": "toolkit.sharing",
    "verify": "toolkit.delta",
}

__all__ = [
    "LanguageSwitcher",
    "Translator",
    "__version__",
    "extract",
    "from_pretrained",
    "load_delta",
    "merge",
    "push_to_hub",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'toolkit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
