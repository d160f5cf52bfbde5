"""A run folder on a machine that may be ended at any time: copied to a bucket while it grows, and brought back.

Through the Hub's client, not through a mounted folder, whose writes become durable at a time of their own choosing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from toolkit.background import repeating
from toolkit.run_folder import RunFolder

log = logging.getLogger(__name__)

EVERY_SECONDS = 60
SMALL_BYTES = 2**20  # files that may grow while they are sent, such as metrics.jsonl, are small: sent as read at once
# Written last, so where it is, a checkpoint is whole. The trainer's own name for it, which a test compares.
STATE_FILE = "trainer_state.json"


class KeptRun:
    """A run folder and its copy.

    In the copy, too, a checkpoint gets its `trainer_state.json` last, and what is gone here goes there after what is
    new has arrived: whenever the machine ends, the copy is a run that can be resumed.
    """

    def __init__(self, run: Path, place: str, client: HfApi) -> None:
        """
        Args:
            place: `ORG/BUCKET/FOLDER`.
        """
        self.run = run
        owner, bucket, self.folder = place.split("/", 2)
        self.bucket = f"{owner}/{bucket}"
        self.client = client
        self._sent: dict[str, tuple[int, int]] = {}  # name -> size and time of change of what the copy holds

    def bring_back(self) -> bool:
        """Fetch the copy; whether there was one."""
        kept = self._copied()
        if not kept:
            return False
        self.client.download_bucket_files(self.bucket, [(path, self.run / name) for name, path in kept.items()])
        self._sent = {name: _stamp(self.run / name) for name in kept}
        return True

    def save(self) -> None:
        """Bring the copy up to date."""
        here = self._whole()
        stamps = {name: _stamp(path) for name, path in here.items()}
        changed = [name for name in here if self._sent.get(name) != stamps[name]]
        last = [name for name in changed if Path(name).name == STATE_FILE]
        for names in ([name for name in changed if name not in last], last):
            if names:
                add: list[tuple[str | Path | bytes, str]] = [
                    (_content(here[name]), f"{self.folder}/{name}") for name in names
                ]
                self.client.batch_bucket_files(self.bucket, add=add)
        gone = [name for name in self._sent if name not in here]
        if gone:
            self.client.batch_bucket_files(self.bucket, delete=[f"{self.folder}/{name}" for name in gone])
        self._sent = stamps

    def forget(self) -> None:
        """Remove the copy."""
        kept = list(self._copied().values())
        if kept:
            self.client.batch_bucket_files(self.bucket, delete=kept)

    @contextmanager
    def saved_meanwhile(self, every_seconds: float = EVERY_SECONDS) -> Iterator[None]:
        """Bring the copy up to date again and again, and once more at the end; a failure is told and tried again."""
        try:
            with repeating(self._try_to_save, every_seconds):
                yield
        finally:
            self._try_to_save()

    def _try_to_save(self) -> None:
        try:
            self.save()
        except Exception as error:  # whatever it is, training must go on
            log.warning("the run could not be copied to %s just now: %s", self.bucket, error)

    def _copied(self) -> dict[str, str]:
        """Name in the run folder -> path in the bucket."""
        try:
            found = list(self.client.list_bucket_tree(self.bucket, prefix=self.folder, recursive=True))
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                return {}
            raise
        start = f"{self.folder}/"
        return {
            file.path[len(start) :]: file.path for file in found if file.type == "file" and file.path.startswith(start)
        }

    def _whole(self) -> dict[str, Path]:
        """Every file of the run by its name, but those of checkpoints that are still being written."""
        checkpoints = RunFolder(self.run).checkpoints
        files = {}
        for path in sorted(self.run.rglob("*")):
            inside = [folder for folder in path.parents if folder.name.startswith("checkpoint-")]
            unfinished = checkpoints in path.parents and any(not (folder / STATE_FILE).is_file() for folder in inside)
            if path.is_file() and not unfinished:
                files[path.relative_to(self.run).as_posix()] = path
        return files


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _content(path: Path) -> Path | bytes:
    return path.read_bytes() if path.stat().st_size <= SMALL_BYTES else path
