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

from toolkit.corpus import clean
from toolkit.decoding import Answer, answer_greedily
from toolkit.environment import memory_bytes
from toolkit.errors import TranslationError
from toolkit.languages import Direction, get_language, parse_direction
from toolkit.pretrained import POCKET, Download, base_of, load_base, resolve_base, resolve_delta
from toolkit.prompts import ALPACA, LINES, Template
from toolkit.records import DeltaConfig
from toolkit.routing import BASE, Adaptation, read_adaptation, require_route, routes
from toolkit.sentences import Piece, split_text
from toolkit.tokens import plain_ids, prompt_ids

if TYPE_CHECKING:
    import torch

    from toolkit.delta import LanguageSwitcher

BATCH_SENTENCES = 16
STREAM_SENTENCES = 8  # as many lines as a reader watches; fewer wait less for each other
_RESIDENT_SHARE = 0.2  # of the memory, for deltas that stay decoded and so switch in milliseconds
# An answer may be this much longer than its text: scripts that the tokenizer spells in bytes take many tokens.
_ANSWER_FACTOR, _ANSWER_SPARE_TOKENS = 8, 48


_Step = dict[str, Answer]  # sentence -> what the model has said to it


@dataclass(frozen=True)
class Partial:
    """A translation as far as it has come. Each one's text begins with the text of the one before."""

    text: str
    tokens: int  # generated so far
    sentences: int  # in the whole text
    finished: int  # sentences of these that are done
    unended: tuple[str, ...] = ()  # source sentences whose answer ran into the token limit


@dataclass(frozen=True)
class Length:
    """How long a text is for a model, and how long it may be."""

    sentences: int
    longest_tokens: int
    limit_tokens: int
    longest: str  # the sentence

    @property
    def fits(self) -> bool:
        return self.longest_tokens <= self.limit_tokens


@dataclass(frozen=True)
class _Plan:
    """One text on its way through one model; `prompts` holds each distinct sentence once."""

    model: str
    stop: str
    pieces: tuple[Piece, ...]
    prompts: dict[str, list[int]]
    max_new_tokens: dict[str, int]


class Translator:
    """One base model in memory, and the deltas that can be switched on over it. Threads may share one."""

    def __init__(
        self, model: Any, tokenizer: Any, switcher: LanguageSwitcher, *, base_id: str, known: Iterable[str] = ()
    ) -> None:
        """
        Args:
            switcher: over the same model.
            base_id: what the base is called.
            known: ISO 639-3 codes of the languages that the base knows.
        """
        self.model, self.tokenizer, self.base_id = model, tokenizer, base_id
        self._switcher, self._known = switcher, tuple(known)
        self._adaptations: dict[str, Adaptation] = {}
        self._routes: dict[Direction, tuple[str, ...]] = routes({}, self._known)
        self._tokenizing = threading.Lock()  # a fast tokenizer's settings are not its callers' own

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
            download: `token`, `cache_dir`, `force_download` and `local_files_only`, as in `toolkit.from_pretrained`.

        Raises:
            WrongBaseError: if a delta was made for another base.
        """
        from toolkit.delta import LanguageSwitcher

        wanted = [deltas] if isinstance(deltas, (str, os.PathLike)) else list(deltas)
        runs = [resolve_delta(delta, revision, **download) for delta in wanted]
        if base is not None:
            folder = resolve_base(base, base_revision, **download)
            base_id = os.fspath(base) if not Path(base).is_dir() else Path(base).resolve().name
        elif runs:
            folder, base_id = base_of(runs[0], **download), runs[0].read_config().base.id
        else:
            folder, base_id = resolve_base(POCKET), POCKET
        model, tokenizer = load_base(folder, device=device, dtype=dtype)
        known = ("eng", "ind") if base_id == POCKET else ()
        translator = cls(model, tokenizer, LanguageSwitcher(model, folder), base_id=base_id, known=known)
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
        adaptation = read_adaptation(name or self._free_name(run.read_config().language), run)
        self._switcher.add(
            adaptation.name, run.root / adaptation.config.delta_file, resident=self._has_room(adaptation.config)
        )
        adaptations = {**self._adaptations, adaptation.name: adaptation}
        self._adaptations, self._routes = adaptations, routes(adaptations, self._known)
        return adaptation

    def remove(self, name: str) -> None:
        """Forget a delta."""
        adaptations = {key: one for key, one in self._adaptations.items() if key != name}
        self._adaptations, self._routes = adaptations, routes(adaptations, self._known)
        self._switcher.remove(name)

    def models(self, direction: Direction | str) -> tuple[str, ...]:
        """Names of the models that serve a direction, the best first; the unadapted base is `base`."""
        return self._routes.get(_direction(direction), ())

    def length(self, text: str, direction: Direction | str, *, model: str | None = None) -> Length:
        """How many sentences a text has, and whether its longest fits the model."""
        direction = _direction(direction)
        template = self._template(require_route(self._routes, direction, model, self._adaptations))
        sentences = [clean(piece.text) for piece in split_text(text) if piece.is_sentence]
        sizes = [len(self._ids(sentence)) for sentence in sentences]
        limit = self._limit_tokens(template, direction)
        longest = max(range(len(sizes)), key=sizes.__getitem__, default=None)
        if longest is None:
            return Length(0, 0, limit, "")
        return Length(len(sizes), sizes[longest], limit, sentences[longest])

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
        plans = [self._plan(one, direction, model) for one in texts]
        answers: dict[str, Answer] = {}
        for batch in _batches({sentence: plan for plan in plans for sentence in plan.prompts}, BATCH_SENTENCES):
            answers.update(self._answer(batch, plans[0].model, None, None))
        translations = [_assemble(plan, answers, set(answers)) for plan in plans]
        for translation in translations:
            if translation.unended:
                raise TranslationError(
                    f"the model found no end to its translation of {_quote(translation.unended[0])}",
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
        return self._stream(self._plan(text, _direction(direction), model), cancel or threading.Event())

    def _stream(self, plan: _Plan, cancel: threading.Event) -> Iterator[Partial]:
        answers: dict[str, Answer] = {}
        done: set[str] = set()
        yield _assemble(plan, answers, done)
        stop = _Either(cancel)
        for batch in _batches(dict.fromkeys(plan.prompts, plan), STREAM_SENTENCES, by_length=False):
            with closing(self._watched(batch, plan.model, stop)) as steps:
                for current in steps:
                    answers.update(current)
                    yield _assemble(plan, answers, done | {key for key, answer in current.items() if answer.ended})
            if stop():
                return
            done.update(batch)
            yield _assemble(plan, answers, done)

    def _watched(self, batch: Mapping[str, _Plan], model: str, stop: _Either) -> Generator[_Step, None, None]:
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
        batch: Mapping[str, _Plan],
        model: str,
        watch: Callable[[dict[str, Answer]], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> dict[str, Answer]:
        sentences = list(batch)
        plans = [batch[sentence] for sentence in sentences]
        with self._switcher.use(None if model == BASE else model):
            answers = answer_greedily(
                self.model,
                self.tokenizer,
                [plan.prompts[sentence] for plan, sentence in zip(plans, sentences, strict=True)],
                max_new_tokens=[plan.max_new_tokens[sentence] for plan, sentence in zip(plans, sentences, strict=True)],
                stop=plans[0].stop,
                watch=(lambda now: watch(dict(zip(sentences, now, strict=True)))) if watch else None,
                cancelled=cancelled,
            )
        return dict(zip(sentences, answers, strict=True))

    def _plan(self, text: str, direction: Direction, model: str | None) -> _Plan:
        model = require_route(self._routes, direction, model, self._adaptations)
        template = self._template(model)
        source, target = get_language(direction.source), get_language(direction.target)
        limit = self._limit_tokens(template, direction)
        pieces, prompts, longest_answers = tuple(split_text(text)), {}, {}
        for sentence in {clean(piece.text): None for piece in pieces if piece.is_sentence}:
            size = len(self._ids(sentence))
            if size > limit:
                raise TranslationError(
                    f"a sentence is too long: {size} tokens, and at most {limit} fit ({_quote(sentence)})",
                    "divide it with full stops or line breaks",
                )
            with self._tokenizing:
                prompts[sentence] = prompt_ids(self.tokenizer, template.translate(sentence, source, target))
            room = self._context_tokens - len(prompts[sentence])
            longest_answers[sentence] = max(1, min(room, _ANSWER_FACTOR * size + _ANSWER_SPARE_TOKENS))
        return _Plan(model, template.stop, pieces, prompts, longest_answers)

    def _limit_tokens(self, template: Template, direction: Direction) -> int:
        """Longest sentence, in tokens, that leaves as much room again for its translation."""
        frame = template.translate("", get_language(direction.source), get_language(direction.target))
        return max(1, (self._context_tokens - len(self._ids(frame)) - 2) // 2)

    @property
    def _context_tokens(self) -> int:
        return int(self.model.config.max_position_embeddings)

    def _ids(self, text: str) -> list[int]:
        with self._tokenizing:
            return plain_ids(self.tokenizer, text)

    def _template(self, model: str) -> Template:
        """The wording that a model was trained on; the base is asked as the adaptations are, to compare them fairly."""
        if model in self._adaptations:
            return self._adaptations[model].template
        first = next(iter(self._adaptations.values()), None)
        return first.template if first else (LINES if self.base_id == POCKET else ALPACA)

    def _has_room(self, config: DeltaConfig) -> bool:
        """Whether this delta's weights may stay decoded in memory beside those of the others."""
        import torch

        device = self.model.device
        total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else memory_bytes()
        configs = [config, *(adaptation.config for adaptation in self._adaptations.values())]
        wanted = sum(one.selection.trained_weights for one in configs) * self.model.dtype.itemsize
        return total is not None and wanted <= _RESIDENT_SHARE * total

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._adaptations:
            number += 1
            name = f"{wanted}-{number}"
        return name


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


def _batches(plans: Mapping[str, _Plan], size: int, *, by_length: bool = True) -> Iterator[dict[str, _Plan]]:
    """Sentences in groups; those of like length together, so that little is padding."""
    order = sorted(plans, key=lambda sentence: len(plans[sentence].prompts[sentence])) if by_length else list(plans)
    for begin in range(0, len(order), size):
        yield {sentence: plans[sentence] for sentence in order[begin : begin + size]}


def _assemble(plan: _Plan, answers: Mapping[str, Answer], done: set[str]) -> Partial:
    """The text in reading order, as far as its first sentence that still grows."""
    text: list[str] = []
    for piece in plan.pieces:
        if not piece.is_sentence:
            text.append(piece.text)
            continue
        sentence = clean(piece.text)
        if sentence in answers:
            text.append(clean(answers[sentence].text))
        if sentence not in done:
            break
    mine = {sentence: answers[sentence] for sentence in plan.prompts if sentence in answers}
    return Partial(
        text="".join(text),
        tokens=sum(answer.tokens for answer in mine.values()),
        sentences=len(plan.prompts),
        finished=len(done & set(plan.prompts)),
        unended=tuple(sentence for sentence, answer in mine.items() if sentence in done and not answer.ended),
    )


def _quote(sentence: str) -> str:
    return f"“{sentence[:60]}…”" if len(sentence) > 60 else f"“{sentence}”"
