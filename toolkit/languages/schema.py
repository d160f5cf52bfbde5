"""The JSON schema of a language file, with which editors complete and check it while it is written.

`python -m toolkit.languages.schema` writes it again after the model has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from toolkit.languages.language import Language

SCHEMA_FILE = Path(__file__).parent / "schema.json"


def schema_text() -> str:
    """The schema as the file beside this module holds it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Language.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
