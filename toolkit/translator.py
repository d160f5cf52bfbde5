"""Text in, text out, over one base and many deltas; the command line, the page and your own programs use this."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Unpack

from toolkit.beams import Alternative, answer_variously
from toolkit.decoding import Answer, answer_greedily
from toolkit.environment import memory_bytes
from toolkit.errors import TranslationError
from toolkit.languages import Direction, parse_direction
from toolkit.passage import Length, Partial, Passage, Reader, in_batches, quote
from toolkit.pretrained import POCKET, Download, base_of, load_base, resolve_base, resolve_delta
from toolkit.prompts import ALPACA, LINES, Template
from toolkit.records import DeltaConfig
from toolkit.routing import BASE, Adaptation, free_name, read_adaptation, require_route, routes

if TYPE_CHECKING:
    import torch

    from toolkit.delta import LanguageSwitcher

BATCH_SENTENCES = 16
STREAM_SENTENCES = 8  # as many lines as a reader watches; fewer wait less for each other
_RESIDENT_SHARE = 0.2  # of the memory, for deltas that stay decoded and so switch in milliseconds


_Step = dict[str, Answer]  # sentence -> what the model has said to it


@dataclass(frozen=True)
class Alternatives:
    """Several translations of one sentence, the likeliest first."""

    sentence: str
    found: tuple[Alternative, ...]


class Translator:
    """One base model in memory, and the deltas that can be switched on over it. Threads may share one."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        switcher: LanguageSwitcher,
        *,
        base_id: str,
        known: Iterable[str] = (),
        bound_for: str | torch.device | None = None,
    ) -> None:
        """
        Args:
            switcher: over the same model.
            base_id: what the base is called.
            known: ISO 639-3 codes of the languages that the base knows.
            bound_for: the device that `move` will take the model to, whose memory decides which deltas stay decoded.
        """
        self.model, self.tokenizer, self.base_id = model, tokenizer, base_id
        self._switcher, self._known = switcher, tuple(known)
        self._bound_for = bound_for
        self._changing = threading.Lock()
        self._adaptations: dict[str, Adaptation] = {}
        self._routes: dict[Direction, tuple[str, ...]] = routes({}, self._known)
        self._reader = Reader(tokenizer, int(model.config.max_position_embeddings))

    @classmethod
    def from_pretrained(
        cls,
        deltas: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        base: str | os.PathLike[str] | None = None,
        *,
        base_revision: str | None = None,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        bound_for: str | torch.device | None = None,
        **download: Unpack[Download],
    ) -> Translator:
        """A translator over the base that the deltas were made for, or over `base`.

        Args:
            deltas: run folders, downloaded deltas or Hub ids; one or several.
            base: `pocket`, a folder or a Hub id; default the base that the first delta names.
            base_revision: commit of a base on the Hub, with `base`.
            revision: commit of a single delta on the Hub.
            device: see `toolkit.pretrained.load_base`.
            dtype: see `toolkit.pretrained.load_base`.
            bound_for: a card that `move` will take the model to, where it is loaded on the CPU first; the default of
                `dtype` is that of the file then, and the card's memory decides which deltas stay decoded.
            download: `token`, `cache_dir`, `force_download` and `local_files_only`, as in `toolkit.from_pretrained`.

        Raises:
            WrongBaseError: if a delta was made for another base.
        """
        from toolkit.delta import LanguageSwitcher

        wanted = [deltas] if isinstance(deltas, (str, os.PathLike)) else list(deltas)
        runs = [resolve_delta(delta, revision, **download) for delta in wanted]
        if base is not None:
            folder, base_id = resolve_base(base, base_revision, **download), base_name(base)
        elif runs:
            folder, base_id = base_of(runs[0], **download), runs[0].read_config().base.id
        else:
            folder, base_id = resolve_base(POCKET), base_name(None)
        if dtype is None and bound_for is not None:
            dtype = "auto"
        model, tokenizer = load_base(folder, device=device, dtype=dtype)
        switcher = LanguageSwitcher(model, folder)
        known = known_languages(base_id)
        translator = cls(model, tokenizer, switcher, base_id=base_id, known=known, bound_for=bound_for)
        for run in runs:
            translator.add(run.root)
        return translator

    @property
    def adaptations(self) -> Mapping[str, Adaptation]:
        """The deltas that can be switched on, by name."""
        return dict(self._adaptations)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions that some model here serves."""
        return tuple(self._routes)

    def add(
        self,
        id_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        name: str | None = None,
        **download: Unpack[Download],
    ) -> Adaptation:
        """Make one more delta ready, checked whole against the base; its name is its language's code unless given.

        The words for a download are those of `toolkit.from_pretrained`.

        Raises:
            CogsymError: if the delta is damaged, was made for another base, or names an unknown language.
        """
        run = resolve_delta(id_or_path, revision, **download)
        adaptation = read_adaptation(name or free_name(run.read_config().language, self._adaptations), run)
        self._switcher.add(
            adaptation.name, run.root / adaptation.config.delta_file, resident=self._has_room(adaptation.config)
        )
        with self._changing:
            adaptations = {**self._adaptations, adaptation.name: adaptation}
            self._adaptations, self._routes = adaptations, routes(adaptations, self._known)
        return adaptation

    def remove(self, name: str) -> None:
        """Forget a delta."""
        with self._changing:
            adaptations = {key: one for key, one in self._adaptations.items() if key != name}
            self._adaptations, self._routes = adaptations, routes(adaptations, self._known)
        self._switcher.remove(name)

    def move(self, device: str | torch.device) -> None:
        """Take the model and all decoded deltas to another device; deltas that come later are decoded there."""
        self._switcher.move(device)
        # What is no weight, such as rotary frequencies. `model.to` would take the weights once more, and the package of
        # ZeroGPU loses track of a parameter that is moved to where it lies.
        for module in self.model.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(device))

    def allow_forks(self) -> None:
        """From now on this process may fork at any time: no child inherits a lock that another thread holds."""
        for lock in (self._changing, self._reader.lock, self._switcher.lock):
            os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)

    def models(self, direction: Direction | str) -> tuple[str, ...]:
        """Names of the models that serve a direction, the best first; the unadapted base is `base`."""
        return self._routes.get(_direction(direction), ())

    def model_for(self, direction: Direction | str) -> str:
        """Name of the model that translates in a direction unless another one is asked for.

        Raises:
            TranslationError: if no model serves the direction.
        """
        return require_route(self._routes, _direction(direction), None, self._adaptations)

    def length(self, text: str, direction: Direction | str, *, model: str | None = None) -> Length:
        """How many sentences a text has, and whether its longest fits the model."""
        direction = _direction(direction)
        template = self._template(require_route(self._routes, direction, model, self._adaptations))
        return self._reader.length(text, direction, template)

    def translate(
        self, text: str | Sequence[str], direction: Direction | str, *, model: str | None = None
    ) -> str | list[str]:
        """The translation of a text, or of each text of a list; paragraphs and lines stay where they were.

        Args:
            direction: e.g. `eng>jav`.
            model: `base` or the name of a delta; default the best for the direction.

        Raises:
            TranslationError: if no model serves the direction, a sentence is too long, or an answer did not end.
        """
        texts = [text] if isinstance(text, str) else list(text)
        direction = _direction(direction)
        passages = [self._read(one, direction, model) for one in texts]
        answers: dict[str, Answer] = {}
        asked = {sentence: passage for passage in passages for sentence in passage.prompts}
        for batch in in_batches(asked, BATCH_SENTENCES):
            answers.update(self._answer(batch, passages[0].model, None, None))
        translations = [passage.translation(answers, set(answers)) for passage in passages]
        for translation in translations:
            if translation.unended:
                raise TranslationError(
                    f"the model found no end to its translation of {quote(translation.unended[0])}",
                    "put it in other words, or in shorter sentences; `stream` gives what there is",
                )
        return translations[0].text if isinstance(text, str) else [translation.text for translation in translations]

    def stream(
        self,
        text: str,
        direction: Direction | str,
        *,
        model: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Partial]:
        """The translation as it grows, token by token; the text is checked before this returns.

        Closing the iterator, or setting `cancel` from any thread, stops the model at its next step.

        Raises:
            TranslationError: if no model serves the direction, or a sentence is too long.
        """
        return self._stream(self._read(text, _direction(direction), model), cancel or threading.Event())

    def alternatives(
        self,
        text: str,
        direction: Direction | str,
        *,
        count: int = 4,
        model: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Alternatives]:
        """Several translations of each sentence of a text, sentence by sentence, by beam search.

        The text is checked before this returns. Setting `cancel` stops the model at its next step.

        Args:
            count: at most so many for each sentence; fewer where the model finds fewer.

        Raises:
            TranslationError: if no model serves the direction, or a sentence is too long.
        """
        return self._alternatives(self._read(text, _direction(direction), model), count, cancel or threading.Event())

    def _alternatives(self, passage: Passage, count: int, cancel: threading.Event) -> Iterator[Alternatives]:
        for sentence, prompt in passage.prompts.items():
            with self._switcher.use(None if passage.model == BASE else passage.model):
                found = answer_variously(
                    self.model,
                    self.tokenizer,
                    prompt,
                    count=count,
                    max_new_tokens=passage.max_new_tokens[sentence],
                    stop=passage.stop,
                    cancelled=cancel.is_set,
                )
            if cancel.is_set():
                return
            yield Alternatives(sentence, tuple(found))

    def _stream(self, passage: Passage, cancel: threading.Event) -> Iterator[Partial]:
        answers: dict[str, Answer] = {}
        done: set[str] = set()
        yield passage.translation(answers, done)
        stop = _Either(cancel)
        for batch in in_batches(dict.fromkeys(passage.prompts, passage), STREAM_SENTENCES, by_length=False):
            with closing(self._watched(batch, passage.model, stop)) as steps:
                for current in steps:
                    answers.update(current)
                    yield passage.translation(answers, done | {key for key, answer in current.items() if answer.ended})
            if stop():
                return
            done.update(batch)
            yield passage.translation(answers, done)

    def _watched(self, batch: Mapping[str, Passage], model: str, stop: _Either) -> Generator[_Step, None, None]:
        """Answers after every step, while another thread computes them."""
        steps: SimpleQueue[_Step | BaseException | None] = SimpleQueue()

        def work() -> None:
            try:
                self._answer(batch, model, steps.put, stop)
                steps.put(None)
            except BaseException as error:  # handed to the thread that asked, whatever it is
                steps.put(error)

        worker = threading.Thread(target=work, name="translate", daemon=True)
        worker.start()
        try:
            while (step := _latest(steps)) is not None:
                if isinstance(step, BaseException):
                    raise step
                yield step
        except GeneratorExit:
            stop.closed = True
            raise
        finally:
            worker.join()

    def _answer(
        self,
        batch: Mapping[str, Passage],
        model: str,
        watch: Callable[[dict[str, Answer]], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> dict[str, Answer]:
        sentences = list(batch)
        passages = [batch[sentence] for sentence in sentences]
        with self._switcher.use(None if model == BASE else model):
            answers = answer_greedily(
                self.model,
                self.tokenizer,
                [one.prompts[sentence] for one, sentence in zip(passages, sentences, strict=True)],
                max_new_tokens=[
                    one.max_new_tokens[sentence] for one, sentence in zip(passages, sentences, strict=True)
                ],
                stop=passages[0].stop,
                watch=(lambda now: watch(dict(zip(sentences, now, strict=True)))) if watch else None,
                cancelled=cancelled,
            )
        return dict(zip(sentences, answers, strict=True))

    def _read(self, text: str, direction: Direction, model: str | None) -> Passage:
        model = require_route(self._routes, direction, model, self._adaptations)
        return self._reader.read(text, direction, self._template(model), model)

    def _template(self, model: str) -> Template:
        """The wording that a model was trained on; the base is asked as the adaptations are, to compare them fairly."""
        if model in self._adaptations:
            return self._adaptations[model].template
        first = next(iter(self._adaptations.values()), None)
        return first.template if first else (LINES if self.base_id == POCKET else ALPACA)

    def _has_room(self, config: DeltaConfig) -> bool:
        """Whether this delta's weights may stay decoded beside those of the others, where the model is or will be."""
        import torch

        device = torch.device(self._bound_for or self.model.device)
        total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else memory_bytes()
        configs = [config, *(adaptation.config for adaptation in self._adaptations.values())]
        wanted = sum(one.selection.trained_weights for one in configs) * self.model.dtype.itemsize
        return total is not None and wanted <= _RESIDENT_SHARE * total


def base_name(base: str | os.PathLike[str] | None) -> str:
    """What a translator calls the base that it was given; the pocket where it was given none."""
    if base is None:
        return POCKET
    return Path(base).resolve().name if Path(base).is_dir() else os.fspath(base)


def known_languages(base_id: str) -> tuple[str, ...]:
    """ISO 639-3 codes of the languages that a base knows without any delta, as far as that is known."""
    return ("eng", "ind") if base_id == POCKET else ()


def _latest(steps: SimpleQueue[_Step | BaseException | None]) -> _Step | BaseException | None:
    """The newest step, once there is one; a reader who is slower than the model skips some."""
    step = steps.get()
    while isinstance(step, dict) and not steps.empty():
        following = steps.get()
        if following is None:
            steps.put(None)  # its turn comes after the last step
            break
        step = following
    return step


class _Either:
    """True once the caller cancelled, or went away."""

    def __init__(self, event: threading.Event) -> None:
        self._event, self.closed = event, False

    def __call__(self) -> bool:
        return self.closed or self._event.is_set()


def _direction(direction: Direction | str) -> Direction:
    return direction if isinstance(direction, Direction) else parse_direction(direction)
