"""Seconds that a delta of 1 GB takes to be pushed and pulled, against plain copies through the same server and disk.

python tests/benchmarks/hub/throughput.py [--gigabytes 1] [--rounds 5] [--out result.json]
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import http.client
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import huggingface_hub  # noqa: E402
from hub_server import TOKEN, HubServer  # noqa: E402
from huggingface_hub import constants  # noqa: E402
from published_run import REPO, make_run  # noqa: E402

import toolkit  # noqa: E402
from toolkit.hub import publish, pull  # noqa: E402
from toolkit.run_folder import RunFolder  # noqa: E402

BLOCK = 1 << 20


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 2)


def plain_put(hub: HubServer, source: Path, sha256: str) -> None:
    """One PUT of the file; the server hashes and stores it, as for every upload."""
    connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, blocksize=BLOCK)
    with source.open("rb") as file:
        connection.request("PUT", f"/upload/{sha256}", file, {"Content-Length": str(source.stat().st_size)})
        assert connection.getresponse().status == 200
    connection.close()


def plain_get(hub: HubServer, sha256: str, target: Path) -> None:
    """One GET into a file."""
    connection = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, blocksize=BLOCK)
    connection.request("GET", f"/cdn/{sha256}")
    with target.open("wb") as file:
        shutil.copyfileobj(connection.getresponse(), file, BLOCK)
    connection.close()


def large_run(folder: Path, size_bytes: int) -> RunFolder:
    """A run whose delta has this size; its content does not repeat, so that nothing can be saved."""
    head = os.urandom(64 << 20)
    delta = b"".join(bytes(block) for block in _varied(head, size_bytes))
    return make_run(folder, delta=delta)


def _varied(head: bytes, size_bytes: int) -> list[bytes]:
    count, rest = divmod(size_bytes, len(head))
    return [head[i * 4096 :] + head[: i * 4096] for i in range(count)] + [head[:rest]]


def measure(folder: Path, size_bytes: int) -> dict[str, float]:
    run = large_run(folder / "run", size_bytes)
    hub = HubServer(folder / "hub")
    os.environ["HF_TOKEN"] = TOKEN
    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_XET = False, True
    constants.HF_HUB_CACHE = str(folder / "cache")
    sha256 = hashlib.sha256(run.delta.read_bytes()).hexdigest()
    found = {
        "cp": seconds(lambda: shutil.copyfile(run.delta, folder / "copy")),
        "sha256": seconds(lambda: hashlib.file_digest(run.delta.open("rb"), "sha256")),
        "plain PUT": seconds(lambda: plain_put(hub, run.delta, sha256)),
        "plain GET": seconds(lambda: plain_get(hub, sha256, folder / "got")),
    }
    (folder / "got").unlink()
    (folder / "copy").unlink()
    hub.store.reset()
    found["publish"] = seconds(lambda: publish(run, REPO, verify=False, endpoint=hub.endpoint))
    found["publish again, nothing changed"] = seconds(lambda: publish(run, REPO, verify=False, endpoint=hub.endpoint))
    found["publish again, with fresh download"] = seconds(lambda: publish(run, REPO, endpoint=hub.endpoint))
    found["pull"] = seconds(lambda: pull(REPO, endpoint=hub.endpoint))
    found["pull again"] = seconds(lambda: pull(REPO, endpoint=hub.endpoint))
    found["pull --out, from the cache"] = seconds(lambda: pull(REPO, out=folder / "out", endpoint=hub.endpoint))
    found["publish to a folder"] = seconds(lambda: publish(run, folder / "published"))
    hub.close()
    return found


def summary(values: list[float]) -> dict[str, float]:
    """Median and best; the machine may be shared, so a single number says little."""
    return {"median": round(statistics.median(values), 2), "best": round(min(values), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured, from the start")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores, {platform.machine()}", help="in words")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    size_bytes = int(options.gigabytes * 1e9)
    rounds = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measure(Path(folder), size_bytes))
        print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
    result = {
        "date": datetime.date.today().isoformat(),
        "size_bytes": size_bytes,
        "rounds": len(rounds),
        "seconds": {line: summary([found[line] for found in rounds]) for line in rounds[0]},
        # Within one round, so that a slow moment of the machine weighs on both sides.
        "push_against_plain_put": summary([found["publish"] / found["plain PUT"] for found in rounds]),
        "pull_against_plain_get": summary([found["pull"] / found["plain GET"] for found in rounds]),
        "versions": {
            "cogsym-toolkit": toolkit.__version__,
            "huggingface_hub": huggingface_hub.__version__,
            "python": platform.python_version(),
        },
        "machine": options.machine,
    }
    print(json.dumps(result, indent=2))
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
