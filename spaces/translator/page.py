"""The layout of the page and which event calls what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import facts
import gradio as gr
import visits
from catalogue import Catalogue
from endpoints import add_endpoints
from examples import examples
from feedback import FeedbackStore, Opinion
from interface_texts import INTERFACES, choose_interface, say
from language_names import label
from opinions import Opinions, Rated

from toolkit.languages import Direction, Language, get_language

HERE = Path(__file__).parent
EXAMPLE_BUTTONS = 4
MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 4}
MAX_WAITING = 200  # visitors; the next one is asked to come back, rather than that all of them wait for an hour
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def theme() -> gr.themes.Base:
    """Colours and fonts of the page; every font is one that the visitor's system has."""
    fonts = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=fonts,
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Noto Sans Mono", "monospace"],
    )


def launch_options() -> dict[str, Any]:
    """What `launch` needs for this page: looks, texts, and nothing served but the page itself."""
    return {
        "theme": theme(),
        "css_paths": [HERE / "page.css"],
        "js": (HERE / "page.js").read_text(encoding="utf-8"),
        "i18n": gr.I18n(**INTERFACES),
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": 1,  # bytes: the page takes no files
        "ssr_mode": False,
    }


def build_page(catalogue: Catalogue, feedback: FeedbackStore | None = None) -> gr.Blocks:
    """The page over a catalogue.

    Args:
        feedback: where opinions go; without one the page does not ask.
    """
    return _Page(catalogue, feedback).blocks


class _Page:
    """Holds the components while their events are wired."""

    def __init__(self, catalogue: Catalogue, feedback: FeedbackStore | None) -> None:
        self.catalogue, self.opinions = catalogue, Opinions(catalogue, feedback)
        self.running = visits.Running()
        self.text = gr.I18n(**INTERFACES)
        first = catalogue.first_direction()
        with gr.Blocks(title="CogSym translator", analytics_enabled=False, fill_width=True) as self.blocks:
            self.head = gr.HTML(self._head("en"), elem_id="head", padding=False)
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab(self.text("tab_translate"), id="translate"):
                    self._translate_tab(first)
                with gr.Tab(self.text("tab_languages"), id="languages"):
                    self.table = gr.HTML(facts.languages_table(catalogue, "en"), elem_classes="prose", padding=False)
                with gr.Tab(self.text("tab_changes"), id="changes"):
                    self.changes = gr.HTML(facts.what_changed(catalogue, "en"), elem_classes="prose", padding=False)
            # What a visitor's page shows is of this edition; its script presses the button to learn of another.
            self.edition = gr.State(None)
            # What a link asked for that is not here, said until the visitor chooses or translates something.
            self.linked = gr.State(None)
            self.news = gr.Button("", elem_id="news", visible="hidden")
            self._wire()
            add_endpoints(catalogue, MODEL_QUEUE)
        self.blocks.queue(max_size=MAX_WAITING)

    # Layout

    def _translate_tab(self, first: Direction | None) -> None:
        source, target = (first.source, first.target) if first else (None, None)
        with gr.Column(elem_id="card"):
            with gr.Row(elem_id="choice", equal_height=True):
                self.source = _language_choice(self.catalogue.sources(), source, self.text("from"), "source-language")
                self.swap = gr.Button(self.text("swap"), elem_id="swap", min_width=44, scale=0)
                targets = self.catalogue.targets(source) if source else []
                self.target = _language_choice(targets, target, self.text("to"), "target-language")
            with gr.Row(elem_id="panes", equal_height=True):
                with gr.Column(elem_id="source-pane", min_width=280):
                    self.input = gr.Textbox(
                        label=self.text("source"),
                        placeholder=self.text("source_hint"),
                        lines=6,
                        max_lines=16,
                        elem_id="source",
                        autofocus=True,
                        rtl=_rtl(source),
                        html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocorrect="off"),
                    )
                    with gr.Row(elem_id="source-bar"):
                        self.counter = gr.HTML(visits.counter("", "en"), elem_id="counter", padding=False)
                        self.stop = gr.Button(self.text("stop"), elem_id="stop", visible=False, scale=0, min_width=96)
                        self.go = gr.Button(
                            self.text("translate"), variant="primary", elem_id="go", scale=0, min_width=140
                        )
                with gr.Column(elem_id="target-pane", min_width=280):
                    self.output = gr.Textbox(
                        label=self.text("translation"),
                        lines=6,
                        max_lines=16,
                        elem_id="translation",
                        interactive=False,
                        buttons=["copy"],
                        rtl=_rtl(target),
                    )
                    self.base_output = gr.Textbox(
                        label=self.text("base_translation"),
                        lines=2,
                        max_lines=8,
                        elem_id="base-translation",
                        interactive=False,
                        visible=False,
                        rtl=_rtl(target),
                    )
                    with gr.Row(elem_id="target-bar"):
                        self.status = gr.HTML("", elem_id="status", padding=False)
                        self.good = _icon(self.text("helpful"), "good", self.opinions.asked)
                        self.poor = _icon(self.text("unhelpful"), "poor", self.opinions.asked)
                        self.more = gr.Button(
                            self.text("alternatives"), elem_id="more", size="sm", scale=0, min_width=90, visible=False
                        )
                        self.link = gr.Button(self.text("copy_link"), elem_id="link", size="sm", scale=0, min_width=110)
            self.problem = gr.HTML("", elem_id="problem", padding=False)
            self.others = gr.HTML("", elem_id="others", padding=False)
        self.compare = gr.Checkbox(label=self.text("compare"), value=False, elem_id="compare", container=False)
        with gr.Row(elem_id="examples"):
            shown = examples(source or "")
            self.examples = [
                gr.Button(
                    shown[n] if n < len(shown) else "",
                    visible=n < len(shown),
                    size="sm",
                    scale=0,
                    min_width=0,
                    elem_classes="example",
                )
                for n in range(EXAMPLE_BUTTONS)
            ]
        self._suggestion_box(target)
        self.facts = gr.HTML(facts.direction_facts(self.catalogue, first, "en"), elem_id="facts", padding=False)
        self.notes = gr.HTML(facts.skipped_notes(self.catalogue, "en"), elem_id="notes", padding=False)

    def _suggestion_box(self, target: str | None) -> None:
        asked = self.opinions.asked
        with gr.Accordion(self.text("suggest"), open=False, visible=asked, elem_id="suggest"):
            self.suggestion = gr.Textbox(label=self.text("suggestion"), lines=2, elem_id="suggestion", rtl=_rtl(target))
            self.consent = gr.HTML(self.opinions.consent("en"), elem_id="consent", padding=False)
            self.send = gr.Button(self.text("send"), size="sm", scale=0, elem_id="send")
        self.told = gr.HTML("", elem_id="told", padding=False)
        # What was last translated, so that an opinion is about that and not about what was typed since.
        self.rated = gr.State(None)

    # Events

    def _wire(self) -> None:
        choice = [self.source, self.target]
        # What depends on the chosen languages: the targets that the source has, facts, examples, writing direction.
        chosen = [
            self.target,
            self.facts,
            *self.examples,
            self.output,
            self.base_output,
            self.suggestion,
            self.input,
        ]
        self._wire_news(choice, chosen)
        self._wire_choice(choice, chosen)
        self._wire_translation(choice)
        if self.opinions.asked:
            told = [self.told, self.consent]
            self.good.click(self._praise, self.rated, told, **QUIET)
            self.poor.click(self._fault, self.rated, told, **QUIET)
            self.send.click(self._suggest, [self.rated, self.suggestion], told, **QUIET)

    def _wire_news(self, choice: list[Any], chosen: list[Any]) -> None:
        """A visitor comes, and what is offered changes while the page is open."""
        self.blocks.load(
            self._arrive,
            None,
            [
                self.edition,
                self.source,
                self.target,
                self.input,
                self.head,
                self.table,
                self.changes,
                self.notes,
                self.consent,
                self.linked,
            ],
            **QUIET,
        ).then(self._choose, choice, chosen, **QUIET).then(
            # Now, because a visitor may have written something before all of this was there.
            self._typed,
            [self.input, *choice, self.linked],
            [self.counter, self.problem],
            **QUIET,
        ).then(
            None,
            self.problem,
            None,
            js="(problem) => window.cogsym.translateIfLinked(problem)",
            api_visibility="private",
        )
        self.news.click(
            self._renew,
            [self.edition, *choice],
            [
                self.edition,
                self.source,
                self.head,
                self.table,
                self.changes,
                self.notes,
                self.problem,
                *chosen,
            ],
            **QUIET,
        )

    def _wire_choice(self, choice: list[Any], chosen: list[Any]) -> None:
        """Languages are chosen and swapped, and something is typed."""
        self.source.input(self._choose, choice, chosen, **QUIET)
        self.target.input(self._choose, choice, chosen, **QUIET)
        self.swap.click(
            self._swap,
            [*choice, self.input, self.output],
            [self.source, self.target, self.input, self.output],
            js="async (...values) => { await window.cogsym.listsClosed(); return values; }",
            **QUIET,
        ).then(self._choose, choice, chosen, **QUIET)
        self.input.change(  # not `input`, which misses what is pasted
            self._typed,
            [self.input, *choice, self.linked],
            [self.counter, self.problem],
            trigger_mode="always_last",
            **QUIET,
        )
        gr.on([self.source.input, self.target.input, self.swap.click], _nothing, None, self.linked, **QUIET).then(
            self._typed, [self.input, *choice, self.linked], [self.counter, self.problem], **QUIET
        )
        self.compare.change(lambda wanted: gr.update(visible=wanted, value=""), self.compare, self.base_output, **QUIET)

    def _wire_translation(self, choice: list[Any]) -> None:
        """Translate, stop, other ways to say it, and a link to it."""
        # Gradio writes where a visitor stands in the queue into the status.
        waiting: dict[str, Any] = {"show_progress": "minimal", "show_progress_on": self.status, **MODEL_QUEUE}
        translation = {
            "fn": self._translate,
            "inputs": [self.input, *choice, self.compare],
            "outputs": [
                self.output,
                self.base_output,
                self.status,
                self.problem,
                self.go,
                self.stop,
                self.more,
                self.others,
                self.rated,
            ],
            "api_visibility": "private",
            **waiting,
        }
        self.go.click(**translation)
        self.go.click(_nothing, None, self.linked, **QUIET)
        for button in self.examples:
            button.click(lambda text: (text, None), button, [self.input, self.linked], **QUIET).then(**translation)
        self.more.click(
            self._other_ways,
            self.rated,
            [self.others, self.go, self.stop, self.more],
            api_visibility="private",
            **waiting,
        )
        self.stop.click(self._stop, None, None, **QUIET)
        self.link.click(None, None, None, js="() => window.cogsym.copyLink()", api_visibility="private")

    def _arrive(self, request: gr.Request) -> list[Any]:
        """A visitor opens the page, perhaps by a link that names languages and text."""
        self.catalogue.look_soon()
        interface, asked, edition = _interface(request), request.query_params, self.catalogue.edition
        linked = self.catalogue.linked(asked.get("src"), asked.get("tgt"))
        direction = linked or self.catalogue.first_direction(reads=interface)
        source, target = (direction.source, direction.target) if direction else (None, None)
        text = asked.get("q")
        return [
            edition,
            gr.update(choices=_choices(self.catalogue.sources()), value=source),
            gr.update(choices=_choices(self.catalogue.targets(source) if source else []), value=target),
            gr.update() if text is None else text[: 4 * visits.LIMIT_CHARACTERS],
            self._head(interface),
            facts.languages_table(self.catalogue, interface),
            facts.what_changed(self.catalogue, interface),
            facts.skipped_notes(self.catalogue, interface),
            self.opinions.consent(interface),
            visits.problem_with_link(asked.get("src"), asked.get("tgt"), direction, interface),
        ]

    def _renew(
        self, shown: int | None, source: str | None, target: str | None, request: gr.Request
    ) -> list[Any] | dict[str, Any]:
        """What is offered now, to a page that has been open for a while; what is written and chosen there stays."""
        self.catalogue.look_soon()
        edition, interface = self.catalogue.edition, _interface(request)
        if edition == shown:
            return gr.skip()
        direction = self.catalogue.served(source, target)
        problem: Any = gr.skip()
        if direction is None:
            gone = next((code for code in (target, source) if code and not self._offered(code)), None)
            if gone:
                name = get_language(gone).names.own
                problem = visits.problem_html(say(interface, "gone", language=name))
            direction = self.catalogue.first_direction(reads=interface)
        to, now = (direction.source, direction.target) if direction else (None, None)
        chosen = self._choose(to, now, request)
        if (to, now) == (source, target):  # examples and the direction of writing are right as they are
            chosen = [*chosen[:2], *(gr.skip() for _ in chosen[2:])]
        return [
            edition,
            gr.update(choices=_choices(self.catalogue.sources()), value=to),
            self._head(interface),
            facts.languages_table(self.catalogue, interface),
            facts.what_changed(self.catalogue, interface),
            facts.skipped_notes(self.catalogue, interface),
            problem,
            *chosen,
        ]

    def _head(self, interface: str) -> str:
        words = (
            f'data-interface="{interface}" data-copied="{say(interface, "link_copied")}" '
            f'data-queue="{say(interface, "queue")}"'
        )
        tagline = f"<p>{say(interface, 'tagline')}</p>"
        return f"<h1 {words}>{say(interface, 'title')}</h1>{tagline}{facts.model_note(self.catalogue, interface)}"

    def _offered(self, code: str) -> bool:
        return any(code in (direction.source, direction.target) for direction in self.catalogue.directions)

    def _choose(self, source: str | None, target: str | None, request: gr.Request) -> list[Any]:
        """A language was chosen: offer what it can be translated to, its examples and its facts."""
        targets = self.catalogue.targets(source) if source else []
        codes = [language.code for language in targets]
        if target not in codes:
            target = codes[0] if codes else None
        shown = examples(source or "")
        buttons = [
            gr.update(value=shown[n], visible=True) if n < len(shown) else gr.update(visible=False)
            for n in range(EXAMPLE_BUTTONS)
        ]
        served = self.catalogue.served(source, target)
        return [
            gr.update(choices=_choices(targets), value=target),
            facts.direction_facts(self.catalogue, served, _interface(request)),
            *buttons,
            *[gr.update(rtl=_rtl(target))] * 3,
            gr.update(rtl=_rtl(source)),
        ]

    def _swap(self, source: str | None, target: str | None, text: str, translation: str) -> list[Any]:
        """The other way round; what was translated becomes the text, unless there is no translation yet."""
        if not source or not target or self.catalogue.served(target, source) is None:
            return [gr.update(), gr.update(), gr.update(), gr.update()]
        return [
            gr.update(value=target),
            gr.update(choices=_choices(self.catalogue.targets(target)), value=source),
            translation or text,
            text if translation else "",
        ]

    def _typed(self, text: str, source: str, target: str, linked: str | None, request: gr.Request) -> tuple[str, str]:
        interface = _interface(request)
        problem = visits.problem_with(self.catalogue, text, source, target, interface) if text.strip() else None
        return visits.counter(text, interface), visits.problem_html(problem or linked)

    def _translate(
        self, text: str, source: str, target: str, compare: bool, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        views = visits.translate(
            self.catalogue, self.running, _visitor(request), text, source, target, compare, _interface(request)
        )
        for view in views:
            # A problem found before anything was translated leaves the last translation where it is.
            keep = not view.translation and not view.running
            done = None if view.running or keep else (text, source, target, view.translation)
            yield (
                gr.update() if keep else view.translation,
                gr.update() if keep else view.base_translation,
                view.status,
                view.problem,
                gr.update(visible=not view.running),
                gr.update(visible=view.running),
                gr.update(visible=done is not None),
                "",
                done,
            )

    def _other_ways(self, rated: Rated, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Other translations of what was last translated."""
        if rated is None:
            return
        text, source, target, _ = rated
        for shown, running in visits.alternatives(
            self.catalogue, self.running, _visitor(request), text, source, target, _interface(request)
        ):
            yield shown, gr.update(visible=not running), gr.update(visible=running), gr.update(visible=not running)

    def _stop(self, request: gr.Request) -> None:
        self.running.stop(_visitor(request))

    def _praise(self, rated: Rated, request: gr.Request) -> tuple[str, str]:
        return self._keep(rated, "good", None, request)

    def _fault(self, rated: Rated, request: gr.Request) -> tuple[str, str]:
        return self._keep(rated, "poor", None, request)

    def _suggest(self, rated: Rated, words: str, request: gr.Request) -> tuple[str, str]:
        return self._keep(rated, "suggestion", words, request)

    def _keep(self, rated: Rated, opinion: Opinion, words: str | None, request: gr.Request) -> tuple[str, str]:
        interface = _interface(request)
        told = self.opinions.keep(rated, opinion, words, _visitor(request), interface)
        return told, self.opinions.consent(interface)


def _nothing() -> None:
    """Forgets what a state holds."""


def _language_choice(languages: list[Language], value: str | None, name: Any, elem_id: str) -> gr.Dropdown:
    return gr.Dropdown(
        choices=_choices(languages), value=value, label=name, elem_id=elem_id, filterable=True, min_width=140
    )


def _choices(languages: list[Language]) -> list[tuple[str, str]]:
    return [(label(language), language.code) for language in languages]


def _icon(name: Any, elem_id: str, asked: bool) -> gr.Button:
    return gr.Button(name, elem_id=elem_id, size="sm", scale=0, min_width=40, visible=asked)


def _rtl(code: str | None) -> bool:
    return bool(code) and get_language(str(code)).direction == "rtl"


def _interface(request: gr.Request) -> str:
    return choose_interface(request.headers.get("accept-language"))


def _visitor(request: gr.Request) -> str:
    return request.session_hash or (request.client.host if request.client else "")
