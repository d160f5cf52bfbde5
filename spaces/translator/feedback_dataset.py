"""Takes what visitors tell to a data set on the Hub, every few minutes, and knows whether it arrived."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from feedback import Health
from huggingface_hub import CommitScheduler

from toolkit.hub.client import hub_client

log = logging.getLogger("cogsym.page")

EVERY_MINUTES = 5
CARD = """---
license: other
license_name: mixed-see-columns
pretty_name: What visitors said about translations
configs:
- config_name: default
  data_files: data/*.jsonl
---

# What visitors said about translations

One line of JSON for each opinion, sent by a CogSym translation page. Nobody has reviewed them.

| column | what it holds | whose words |
|---|---|---|
| `text` | what was translated | a visitor's, given to the public domain (CC0) |
| `suggestion` | a better translation; null where none was offered | a visitor's, given to the public domain (CC0) |
| `model_output` | what the model answered | a model's, under the licence in `base_licence` |
| `opinion` | `good`, `poor` or `suggestion` | |
| `source`, `target` | ISO 639-3 codes | |
| `model`, `base`, `base_licence` | which delta, over which base, and its licence | |
| `time` | when, UTC | |

Where `base_licence` is `llama2`, `model_output` may not be used to improve any other large language model.
"""


class DatasetSender:
    """Sends the files of a folder; a Hub that is away is tried again, and the page does not wait for it."""

    def __init__(self, folder: Path, repo_id: str, *, every_minutes: float = EVERY_MINUTES) -> None:
        # A Space forgets its disk when it restarts: a file of the same name would replace what was sent before.
        self.file_name = f"feedback-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}.jsonl"
        self._folder, self._repo_id, self._every = folder, repo_id, every_minutes
        self._scheduler: _Scheduler | None = None
        self._connecting = threading.Lock()
        self._tried: float | None = None
        self._failed_at = ""
        self._connect_soon()

    def writing(self) -> AbstractContextManager[object]:
        self._connect_soon()
        return self._scheduler.lock if self._scheduler else nullcontext()

    def health(self) -> Health:
        if self._scheduler is None:
            return Health("not_sent", self._failed_at) if self._failed_at else Health("waiting")
        return self._scheduler.health

    def send_now(self) -> None:
        """Send what there is, and wait for it; tests and an orderly end need this.

        Raises:
            Exception: whatever the Hub's client raises.
        """
        self._connect()
        if self._scheduler:
            self._scheduler.trigger().result()

    def stop(self) -> None:
        if self._scheduler:
            self._scheduler.stop()

    def _connect_soon(self) -> None:
        now = time.monotonic()
        if self._scheduler is None and (self._tried is None or now - self._tried > 60 * self._every):
            self._tried = now
            threading.Thread(target=self._connect, name="feedback", daemon=True).start()

    def _connect(self) -> None:
        with self._connecting:
            if self._scheduler is not None:
                return
            try:
                self._scheduler = _Scheduler(
                    repo_id=self._repo_id,
                    repo_type="dataset",
                    folder_path=self._folder,
                    path_in_repo="data",
                    allow_patterns="*.jsonl",
                    every=self._every,
                    private=True,  # whoever runs the page decides what of it is published
                    hf_api=hub_client(),
                )
            except Exception as error:  # no network, no login, no right to write: the page goes on without it
                self._failed_at = _now()
                log.warning("the feedback data set %s cannot be reached: %s", self._repo_id, error)


class _Scheduler(CommitScheduler):
    """Remembers how its last upload went, which `CommitScheduler` only logs."""

    health = Health("waiting")
    _described = False

    def push_to_hub(self) -> Any:
        try:
            self._describe()
            sent = super().push_to_hub()
        except BaseException:
            self.health = Health("not_sent", _now())
            raise
        if sent is not None or self.health.state == "not_sent":
            self.health = Health("sent", _now())
        return sent

    def _describe(self) -> None:
        """Give a new data set a card; one that somebody wrote stays."""
        if self._described:
            return
        if not self.api.file_exists(self.repo_id, "README.md", repo_type="dataset"):
            self.api.upload_file(
                path_or_fileobj=CARD.encode(),
                path_in_repo="README.md",
                repo_id=self.repo_id,
                repo_type="dataset",
                commit_message="Say what is in here",
            )
        self._described = True


def _now() -> str:
    return time.strftime("%H:%M", time.gmtime())
