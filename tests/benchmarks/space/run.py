"""Measures the page over the pocket model: start, first words, switches of language, fifty visitors at once.

python tests/benchmarks/space/run.py --delta demo/jav --delta demo/sun --out tests/benchmarks/space/results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
from space_visitor import Visit, translate_event, visit

from toolkit import Translator, __version__
from toolkit.delta import LanguageSwitcher
from toolkit.pocket import folder as pocket_folder
from toolkit.pretrained import load_base

PORT = 7953
TARGETS_SECONDS = {"page_ready": 5.0, "first_words": 0.5, "switch": 0.05}
SUBJECTS = ["The farmer", "The teacher", "The child", "The woman", "The man", "My father", "My mother"]
VERBS = ["is planting corn", "wants to drink milk", "will read a newspaper", "is very tired", "is at the market"]


@contextmanager
def page(deltas: list[Path]) -> Iterator[tuple[str, float]]:
    """The page in a process of its own, and the seconds until it answered."""
    address = f"http://127.0.0.1:{PORT}/"
    options = [part for delta in deltas for part in ("--delta", str(delta))]
    command = [sys.executable, "-m", "toolkit", "space", "serve", *options, "--no-open", "--port", str(PORT)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                if httpx.get(f"{address}config", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if process.poll() is not None or time.perf_counter() - begin > 300:
                raise SystemExit("the page did not come up")
            time.sleep(0.02)
        ready = time.perf_counter() - begin
        visit(address, translate_event(address), f"{SUBJECTS[0]} {VERBS[0]}.", "eng", "jav")  # waits for the model
        yield address, ready
    finally:
        process.terminate()
        process.wait(30)


def crowd(address: str, wanted: dict[tuple[str, str], str], visitors: int, each: int) -> dict[str, Any]:
    """Visitors who come at the same moment and translate one text after the other."""
    event, asked = translate_event(address), list(wanted)
    done: list[Visit] = []
    errors: list[str] = []
    wrong = 0
    start = threading.Barrier(visitors + 1)

    def come(number: int) -> None:
        nonlocal wrong
        start.wait()
        for turn in range(each):
            text, target = asked[(number + visitors * turn) % len(asked)]
            try:
                found = visit(address, event, text, "eng", target)
            except Exception as error:
                errors.append(repr(error))
                continue
            done.append(found)
            wrong += found.text != wanted[(text, target)]

    threads = [threading.Thread(target=come, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    waits = sorted(one.seconds for one in done)
    firsts = sorted(one.first_seconds for one in done if one.first_seconds is not None)
    return {
        "visitors": visitors,
        "translations": len(done),
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
        "somebody_elses_or_wrong": wrong,
        "seconds": round(seconds, 2),
        "translations_a_second": round(len(done) / seconds, 2),
        "p50_seconds": round(_share(waits, 0.5), 2),
        "p95_seconds": round(_share(waits, 0.95), 2),
        "first_words_p50_seconds": round(_share(firsts, 0.5), 2),
        "first_words_p95_seconds": round(_share(firsts, 0.95), 2),
    }


def in_a_browser(address: str, texts: list[str]) -> dict[str, list[float]]:
    """Until a fresh page can be used, and from Ctrl+Enter until the first words stand there, by the browser's clock."""
    from playwright.sync_api import sync_playwright

    watch = """() => {
        const out = document.querySelector('#translation textarea');
        window.first = new Promise(done => {
            addEventListener('keydown', event => {
                if (event.key !== 'Enter') return;
                const begin = performance.now(), before = out.value;
                const look = () => out.value && out.value !== before
                    ? done(performance.now() - begin) : requestAnimationFrame(look);
                look();
            }, {capture: true});
        });
    }"""
    opened, first = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for text in texts:
            tab = browser.new_context(locale="en-GB").new_page()
            tab.set_default_timeout(60_000)
            begin = time.perf_counter()
            tab.goto(address)
            tab.wait_for_selector("html[data-ready]", state="attached")
            opened.append(time.perf_counter() - begin)
            tab.locator("#source textarea").fill(text)
            tab.wait_for_timeout(300)
            tab.evaluate(watch)
            tab.keyboard.press("Control+Enter")
            first.append(tab.evaluate("window.first") / 1000)
            tab.context.close()
        browser.close()
    return {"opened": opened, "first_words": first}


def switches(deltas: list[Path], times: int = 50) -> list[float]:
    """Seconds of each switch between languages that are decoded already."""
    model, _ = load_base(pocket_folder(), device="cpu")
    switcher = LanguageSwitcher(model)
    for number, delta in enumerate(deltas):
        switcher.add(str(number), delta / "delta.safetensors", resident=True)
    seconds = []
    for turn in range(times):
        begin = time.perf_counter()
        switcher.activate(str(turn % len(deltas)))
        seconds.append(time.perf_counter() - begin)
    return seconds


def expected(deltas: list[Path]) -> dict[tuple[str, str], str]:
    """What a translator that nobody else uses says to each text in each language."""
    translator = Translator.from_pretrained(deltas, device="cpu")
    texts = [f"{subject} {verb}." for subject in SUBJECTS for verb in VERBS]
    targets = [adaptation.config.language for adaptation in translator.adaptations.values()]
    found = {}
    for text in texts:
        for target in targets:
            *_, last = translator.stream(text, f"eng>{target}")
            found[(text, target)] = last.text
    return found


def summary(seconds: list[float], target: float | None = None) -> dict[str, float]:
    values = {"median": round(statistics.median(seconds), 4), "best": round(min(seconds), 4)}
    values |= {"worst": round(max(seconds), 4), "n": len(seconds)}
    return values | ({"wanted": target} if target is not None else {})


def _share(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delta", type=Path, action="append", required=True, help="run folder of the pocket demo")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--each", type=int, default=2, help="translations of each visitor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    wanted = expected(asked.delta)
    starts, crowds = [], []
    browser: dict[str, list[float]] = {"opened": [], "first_words": []}
    for _ in range(asked.rounds):
        with page(asked.delta) as (address, ready):
            starts.append(ready)
            for name, values in in_a_browser(address, [text for text, _ in list(wanted)[:10:2]]).items():
                browser[name] += values
            crowds.append(crowd(address, wanted, asked.visitors, asked.each))
            print(json.dumps(crowds[-1]), file=sys.stderr)
    result = {
        "machine": f"{os.cpu_count()} cores shared with other work, {platform.processor() or platform.machine()}",
        "load_average": [round(part, 1) for part in os.getloadavg()],
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "version": __version__,
        "process_to_page_seconds": summary(starts, TARGETS_SECONDS["page_ready"]),
        "open_in_browser_seconds": summary(browser["opened"]),
        "ctrl_enter_to_first_words_seconds": summary(browser["first_words"], TARGETS_SECONDS["first_words"]),
        "resident_switch_seconds": summary(switches(asked.delta), TARGETS_SECONDS["switch"]),
        "crowds": crowds,
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
