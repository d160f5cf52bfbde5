"""Every figure that the delta promises, measured side by side in one run.

    python tests/benchmarks/delta/run.py --data DIR --work DIR --out tests/benchmarks/delta/results

DIR of --data holds finetune_pair/ (a base and two real fine-tunes); without it those rows say so. --work needs 15 GB.
With the 32 layers of Llama-2-7B it needs 45 GB. Languages are switched on the GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import peers
import synthetic

from toolkit.delta import base_fingerprint, extract, kernel, load_delta, verify
from toolkit.delta.bits import LAYOUTS
from toolkit.delta.blas import one_thread_each
from toolkit.delta.checkpoint import Reader, open_checkpoint
from toolkit.delta.comparison import Pair
from toolkit.delta.extraction import _TensorCoder
from toolkit.delta.progress import Meter

THREADS = int(os.environ.get("BENCHMARK_THREADS", "2"))
Rows = list[dict[str, Any]]


def best(action: Any, times: int = 3) -> tuple[float, float]:
    """Shortest wall-clock and processor seconds of several runs: the least disturbed ones."""
    wall, processor = [], []
    for _ in range(times):
        started, used = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return min(wall), min(processor)


def read_bits(file: Path) -> dict[str, np.ndarray]:
    spans = open_checkpoint(file).tensors.values()
    return {s.name: np.fromfile(s.file, np.uint16, s.weights, offset=s.start).reshape(s.shape) for s in spans}


def sizes_of(name: str, base: Path, trained: Path, work: Path) -> dict[str, Any]:
    """Our size, the bound, and the peers', on one pair of files."""
    out = work / f"{name}.delta.safetensors"
    info = extract(base, trained, out, threads=THREADS, overwrite=True)
    verify(out, base, full=True, threads=THREADS)
    old, new = read_bits(base), read_bits(trained)
    changed = {n: bits for n, bits in new.items() if not np.array_equal(bits, old[n])}
    weights = sum(bits.size for bits in changed.values())
    bound = sum(peers.bound_bits(old[n], bits) for n, bits in changed.items()) / 8
    row: dict[str, Any] = {"data": name, "weights": weights, "ours": info.size_bytes, "bound H(d|exponent)": int(bound)}
    for peer, size in peers.PEERS.items():
        found = [size(old[n], bits) for n, bits in changed.items()]
        row[peer] = None if None in found else sum(found)
    row["ours/bound"] = round(info.size_bytes / bound, 4)
    row["bits per weight"] = round(8 * info.size_bytes / weights, 3)
    return row


def speeds_of(name: str, base: Path, trained: Path, work: Path) -> Rows:
    """Encode and decode in GB/s of bfloat16, for either kernel, and per second of processor time of one thread."""
    old, new = open_checkpoint(base).tensors, open_checkpoint(trained).tensors
    gigabytes = sum(span.size_bytes for span in new.values()) / 1e9
    out, layout, rows = work / "speed.delta.safetensors", LAYOUTS["BF16"], []
    for wanted in ("compiled", "numpy"):
        os.environ["COGSYM_DELTA_KERNEL"] = wanted
        with Reader() as reader, ThreadPoolExecutor(THREADS) as pool, one_thread_each():
            coder = _TensorCoder(reader, pool, Meter(None, "", 0))

            def code(tensor: str, coder: _TensorCoder = coder, reader: Reader = reader) -> None:
                coder.coded(Pair(reader, old[tensor], new[tensor], layout), layout)

            # As in extract: while one tensor's chunks are coded, the next one is planned.
            with ThreadPoolExecutor(THREADS + 1) as tensors:
                encoding = best(lambda tensors=tensors, code=code: list(tensors.map(code, new)), 5)
        extracting = best(lambda: extract(base, trained, out, threads=THREADS, overwrite=True), 2)
        with load_delta(out) as delta, ThreadPoolExecutor(THREADS) as pool:
            chunks = []
            for tensor in delta:
                span = old[tensor.name]
                data = np.fromfile(span.file, np.uint8, span.size_bytes, offset=span.start)
                chunks += [(tensor, c, data[slice(*tensor.chunk_range(c))]) for c in range(tensor.head.n_chunks)]

            def apply(item: Any, delta: Any = delta) -> None:
                tensor, chunk, data = item
                delta.apply(tensor, chunk, memoryview(bytearray(data)))

            decoding = best(lambda pool=pool, apply=apply, chunks=chunks: list(pool.map(apply, chunks)), 7)
        row: dict[str, Any] = {"data": name, "kernel": kernel.name()}
        for what, (wall, processor) in (("encode", encoding), ("extract", extracting), ("decode+apply", decoding)):
            row[f"{what} GB/s"] = round(gigabytes / wall, 3)
            row[f"{what} GB/CPU-s"] = round(gigabytes / processor, 3)
        rows.append(row)
    os.environ.pop("COGSYM_DELTA_KERNEL")
    return rows


def timed_child(command: list[str]) -> tuple[float, float | None]:
    """Seconds of a child process, and the peak memory in MB that it reports of itself, where it does."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{command} failed: {done.stderr}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    return seconds, int(peak[1]) / 1024 if peak else None


# `cogsym`, which at its end says how much memory it has had at most: the kernel's own count for this program alone.
COGSYM = """
import sys
from toolkit.cli import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write(open("/proc/self/status").read())
"""


def large_checkpoint(work: Path, layers: int) -> tuple[Path, Path]:
    """A checkpoint with layers of the shape of Llama-2-7B, and a delta of its outermost quarter, made once."""
    each = max(1, layers // 8)  # at both ends
    changed = (*range(each), *range(layers - each, layers))
    base, trained = synthetic.write_checkpoint(work / "large", layers, changed, 2e-4)
    delta = work / "large" / "delta.safetensors"
    if not delta.exists():
        extract(base, trained, delta, threads=THREADS)
    return base, delta


def merge_against_cp(work: Path, layers: int, rounds: int) -> Rows:
    """A checkpoint of >= 4 GB merged, against `cp -r` of it, in turns; both with and without waiting for the disk."""
    base, delta = large_checkpoint(work, layers)
    out = work / "large" / "out"
    cogsym = [sys.executable, "-c", COGSYM, "merge", str(delta), "--base", str(base), "--out", str(out)]
    cogsym += ["--threads", str(THREADS)]
    ways = {
        "cp": ["cp", "-r", str(base), str(out)],
        "merge, untouched shards linked": cogsym,
        "merge, everything copied": [*cogsym, "--copy"],
        "cp, then sync to disk": ["sh", "-c", f"cp -r {base} {out} && sync -f {out}"],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    memory: dict[str, float] = dict.fromkeys(ways, 0.0)
    base_fingerprint(base)  # everything is in the page cache from here on
    for _ in range(rounds):
        for way, command in ways.items():
            shutil.rmtree(out, ignore_errors=True)
            os.sync()
            took, peak = timed_child(command)
            seconds[way].append(took)
            memory[way] = max(memory[way], peak or 0)
    shutil.rmtree(out, ignore_errors=True)
    total = sum(f.path.stat().st_size for f in open_checkpoint(base).files) / 1e9
    with load_delta(delta) as opened:
        changed = sum(tensor.size_bytes for tensor in opened) / 1e9
    best_cp, usual_cp = min(seconds["cp"]), float(np.median(seconds["cp"]))
    return [
        {
            "way": way,
            "seconds": round(min(took), 2),
            "median": round(float(np.median(took)), 2),
            "best against cp's best": round(min(took) / best_cp, 2),
            "median against cp's median": round(float(np.median(took)) / usual_cp, 2),
            "peak memory MB": round(memory[way]) or None,
            "checkpoint GB": round(total, 2),
            "changed": f"{100 * changed / total:.0f}%",
        }
        for way, took in seconds.items()
    ]


def switching(work: Path, layers: int) -> Rows:
    """Resident and cold switches of the same checkpoint on the GPU, or on the CPU, against loading another model."""
    import torch
    from transformers import AutoModelForCausalLM

    from toolkit.delta import LanguageSwitcher

    torch.set_num_threads(THREADS)
    base, delta = large_checkpoint(work, layers)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def load() -> torch.nn.Module:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, device_map={"": device})
        finish()
        return model

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    model = load()
    switcher = LanguageSwitcher(model, base, threads=THREADS)
    checking = best(lambda: switcher.add("cold", delta), 1)[0]
    adding = best(lambda: switcher.add("resident", delta, resident=True), 1)[0]

    def swap() -> None:
        switcher.activate("resident")
        switcher.deactivate()
        finish()

    def switch_cold() -> None:
        switcher.deactivate()
        switcher.forget_working_copy()
        switcher.activate("cold")
        finish()

    resident = best(swap, 10)[0] / 2
    switch_cold()  # the first time also allocates
    cold = best(switch_cold)[0]
    with load_delta(delta) as opened:
        gigabytes = sum(tensor.size_bytes for tensor in opened) / 1e9
        for name in opened.names:
            bits = model.get_parameter(name).detach().view(torch.uint8).cpu().numpy()
            if sha256(bits.data).hexdigest() != opened.files.manifest.changed[name].sha256:
                raise SystemExit(f"{name} is not exact after switching")
    ways = {
        "resident": resident,
        "cold, decoded from the delta": cold,
        "add the first language, which checks the base": checking,
        "add another one, resident": adding,
    }
    if device.type == "cuda":  # on a CPU the file is mapped, and read when it is used
        del model, switcher
        ways["instead: load a model of this size"] = best(load, 2)[0]
    return [
        {
            "switch": way,
            "on": device.type,
            "ms": round(1000 * seconds, 2),
            "GB/s": round(gigabytes / seconds, 2) if way.startswith("cold") else None,
        }
        for way, seconds in ways.items()
    ]


def table(rows: Rows) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    heading = [key.replace("|", "\\|") for key in keys]
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(keys)]
    for row in rows:
        cells = [row.get(key) for key in keys]
        lines.append(
            "| " + " | ".join("-" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in cells) + " |"
        )
    return "\n".join(lines)


def environment() -> dict[str, str]:
    found = {"date": date.today().isoformat(), "python": platform.python_version(), "cpu": platform.processor() or "?"}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found["cpu"] = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    found["threads"] = f"{THREADS} of {os.cpu_count()}"
    found["load before"] = f"{os.getloadavg()[0]:.1f}"
    found["kernel"] = kernel.name()
    for package in ("numpy", "pcodec", "torch", "transformers", "zipnn", "zstandard"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with finetune_pair/")
    parser.add_argument("--work", type=Path, required=True, help="folder for temporary data, kept for the next run")
    parser.add_argument("--out", type=Path, required=True, help="written as .json and .md")
    parser.add_argument("--layers", type=int, default=10, help="of the large checkpoint; 10 make 4.6 GB")
    parser.add_argument("--rounds", type=int, default=5, help="of merging and copying, in turns")
    parser.add_argument("--only", nargs="*", default=["sizes", "speeds", "merge", "switch"])
    arguments = parser.parse_args()
    work = arguments.work
    pairs: dict[str, tuple[Path, Path]] = {}
    if arguments.data:
        real = arguments.data / "finetune_pair"
        pairs = {
            f"real, {n}": (real / "model.safetensors", real / f"tuned_{n}.safetensors") for n in ("lr5e-6", "lr1e-4")
        }
    for rms in (2e-4, 5e-5):
        matrices = {str(i): synthetic.pair((4096, 4096), rms, i) for i in range(2)}
        pairs[f"simulated 4096-wide, RMS {rms:g}"] = synthetic.write_matrices(work / f"rms{rms:g}", matrices)
    matrices = {str(i): synthetic.low_rank_pair((4096, 4096), 2e-4, 16, 0.8, i) for i in range(2)}
    low_rank = "simulated 4096-wide, RMS 0.0002, 80% of it in 16 directions"
    pairs[low_rank] = synthetic.write_matrices(work / "low_rank", matrices)
    results: dict[str, Any] = {"environment": environment()}
    if "sizes" in arguments.only:
        results["size"] = [sizes_of(name, *files, work) for name, files in pairs.items()]
    if "speeds" in arguments.only:
        names = [name for name in pairs if name.startswith("simulated")]
        results["speed"] = [row for name in names for row in speeds_of(name, *pairs[name], work)]
    if "merge" in arguments.only:
        results["merge"] = merge_against_cp(work, arguments.layers, arguments.rounds)
    if "switch" in arguments.only:
        results["switch"] = switching(work, arguments.layers)
    results["environment"]["load after"] = f"{os.getloadavg()[0]:.1f}"
    arguments.out.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = "# Delta benchmark\n\n" + ", ".join(f"{k} {v}" for k, v in results["environment"].items()) + "\n"
    for title in ("size", "speed", "merge", "switch"):
        if title in results:
            text += f"\n## {title}\n\n{table(results[title])}\n"
    arguments.out.with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
