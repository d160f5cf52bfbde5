"""What is known about a translation's model, as HTML from the delta's records; the unmeasured is left out."""

from __future__ import annotations

import re
from html import escape

from arrivals import reason
from catalogue import Catalogue
from comparison import comparison_tables
from interface_texts import say
from language_names import own_name, tag

from hub_cards.verdict import grade_of
from toolkit.errors import CogsymError
from toolkit.languages import Direction, Language, get_language
from toolkit.records import DeltaInfo, EvaluationRecord, Score
from toolkit.routing import BASE, METRIC, Adaptation

_CAUTIONED = ("weak", "poor", "no gain", "worse")  # words of the cards that a visitor is warned by
_HERE = "\ue000"  # where HTML goes into a sentence; a sign that no text of ours has
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def direction_facts(catalogue: Catalogue, direction: Direction | None, interface: str) -> str:
    """The facts of the model that serves a direction, with a warning where it is weak."""
    if direction is None:
        return ""
    adaptation = catalogue.adaptation(direction)
    record = _record(catalogue, direction, "adapted" if adaptation else BASE)
    rows = [(say(interface, "fact_model"), _model_name(adaptation, interface))]
    rows += _quality(catalogue, direction, adaptation, record, interface)
    base = catalogue.base_id
    rows.append((say(interface, "fact_base"), _hub_link(base)))
    if adaptation:
        rows += _size(adaptation, interface)
        if adaptation.config.base.licence:
            rows.append((say(interface, "fact_licence"), escape(adaptation.config.base.licence)))
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in rows)
    before = _record(catalogue, direction, BASE) if adaptation else None
    told = _warnings(base, record, before, interface)
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in told)
    # The page's script sets these languages on what is written and read, for fonts, spelling and screen readers.
    languages = " ".join(
        f'data-{side}-lang="{escape(tag(get_language(code)))}"'
        for side, code in (("source", direction.source), ("target", direction.target))
    )
    name = escape(say(interface, "facts"))
    return f'<section class="facts" aria-label="{name}" {languages}>{warnings}<dl>{body}</dl></section>'


def skipped_notes(catalogue: Catalogue, interface: str) -> str:
    """One note for each delta that the page goes without."""
    return "".join(
        f'<p class="warning" role="status">{escape(say(interface, "skipped", name=one.name, reason=one.reason))}</p>'
        for one in catalogue.skipped
    )


def model_note(catalogue: Catalogue, interface: str) -> str:
    """How far the model is, where it is not there yet."""
    if catalogue.state == "ready":
        return ""
    if catalogue.trouble is None:  # the page's script looks often while this is there
        return f'<p class="loading" role="status" data-loading>{escape(say(interface, "loading"))}</p>'
    words = say(interface, "not_loaded", reason=reason(catalogue.trouble))
    return f'<p class="warning" role="alert">{escape(words)}</p>'


def languages_table(catalogue: Catalogue, interface: str) -> str:
    """Every direction with its scores before and after; first those that were learnt."""
    served = [(direction, catalogue.adaptation(direction)) for direction in catalogue.directions]
    served.sort(key=lambda one: one[1] is None)
    columns = ["direction", "before", "after", "sentences", "model", "size"]
    thanks = any(adaptation.language.contributors for _, adaptation in served if adaptation)
    if thanks:
        columns.append("contributors")
    head = "".join(f'<th scope="col">{escape(say(interface, f"column_{name}"))}</th>' for name in columns)
    rows = []
    for direction, adaptation in served:
        before = _record(catalogue, direction, BASE)
        after = _record(catalogue, direction, "adapted") if adaptation else None
        measured = after or before
        cells = [
            _bar(before, interface),
            _bar(after, interface) if adaptation else _kept(catalogue, direction, before, interface),
            str(measured.n) if measured else "",
            _model_name(adaptation, interface),
            _delta_size(adaptation) if adaptation else "",
        ]
        if thanks:
            people = adaptation.language.contributors if adaptation else ()
            cells.append(escape(", ".join(person.name for person in people)))
        both = (own_name(get_language(code)) for code in (direction.source, direction.target))
        names = '<span aria-hidden="true">→</span>'.join(both)
        rows.append(f'<tr><th scope="row">{names}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    intro = f"<p>{escape(say(interface, 'languages_intro'))}</p>"
    last = f"<p>{_code(escape(say(interface, 'add_yours')))}</p>"
    table = f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'{intro}<div class="scroll" tabindex="0">{table}</div>{last}'


def what_changed(catalogue: Catalogue, interface: str) -> str:
    """For each delta, how far each part of each layer moved, and what that did to sentences of the test set."""
    parts: list[str] = []
    for adaptation in catalogue.adaptations.values():
        info, tables = _delta_info(adaptation), comparison_tables(adaptation, interface)
        shown = change_map(info, adaptation.language, interface) if info else ""
        if tables:
            shown += f"<p>{escape(say(interface, 'compared_intro'))}</p>{tables}"
        if shown:
            name = f"<summary><h3>{own_name(adaptation.language)}</h3></summary>"
            parts.append(f'<details class="changed"{"" if parts else " open"}>{name}{shown}</details>')
    return "".join(parts) or f"<p>{escape(say(interface, 'changes_none'))}</p>"


def change_map(info: DeltaInfo, language: Language, interface: str) -> str:
    """The heat map of one delta: a row for each part, a column for each layer, the darker the larger the change
    (root mean square)."""
    n_layers = info.base.n_layers
    parts: dict[str, dict[int, float]] = {}
    outside: dict[str, float] = {}
    for tensor in info.tensors:
        if tensor.layer is None:
            outside[tensor.name.removesuffix(".weight").removeprefix("model.")] = tensor.rms
        else:
            part = re.sub(r"^.*?layers\.\d+\.", "", tensor.name).removesuffix(".weight").rpartition(".")[2]
            parts.setdefault(part, {})[tensor.layer] = tensor.rms
    most = max([tensor.rms for tensor in info.tensors], default=0.0) or 1.0
    layer = say(interface, "layer")
    head = "".join(f'<th scope="col" title="{escape(layer)} {n}">{n}</th>' for n in range(n_layers))
    rows = "".join(
        f'<tr><th scope="row">{escape(part)}</th>'
        + "".join(_heat(moved.get(n, 0.0), most, f"{part}, {layer} {n}") for n in range(n_layers))
        + "</tr>"
        for part, moved in parts.items()
    )
    loose = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_heat(rms, most, name)}</tr>' for name, rms in outside.items()
    )
    intro = _about(language, "changes_intro", interface)
    grid = f'<table class="heat"><thead><tr><th>{escape(layer)}</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    caption = escape(say(interface, "part_outer"))
    rest = f'<table class="heat"><caption>{caption}</caption><tbody>{loose}</tbody></table>'
    return f'<p>{intro}</p><div class="scroll" tabindex="0">{grid}{rest if loose else ""}</div>'


def _record(catalogue: Catalogue, direction: Direction, model: str) -> EvaluationRecord | None:
    """The evaluation of the base or of an adaptation in a direction, from the one that serves it where one does."""
    serving = catalogue.adaptation(direction)
    for adaptation in [serving] if serving else catalogue.adaptations.values():
        for record in adaptation.evaluations:
            translated = record.kind == "translation" and record.direction == str(direction)
            if translated and record.model == model and record.score(METRIC):
                return record
    return None


def _quality(
    catalogue: Catalogue,
    direction: Direction,
    adaptation: Adaptation | None,
    record: EvaluationRecord | None,
    interface: str,
) -> list[tuple[str, str]]:
    score = record.score(METRIC) if record else None
    if record is None or score is None:
        return []
    lines = [f"<strong>{escape(METRIC)} {_number(score)}</strong>"]
    before = _record(catalogue, direction, BASE) if adaptation else None
    if before and (base_score := before.score(METRIC)):
        lines.append(escape(say(interface, "fact_before", value=_number(base_score))))
    lines.append(escape(say(interface, "fact_sentences", n=record.n, dataset=record.dataset)))
    return [(say(interface, "fact_quality"), f'<span title="{escape(score.signature)}">{"<br>".join(lines)}</span>')]


def _size(adaptation: Adaptation, interface: str) -> list[tuple[str, str]]:
    info = _delta_info(adaptation)
    if info is None:
        return []
    share = f"{adaptation.config.selection.share:.0%}"
    return [
        (
            say(interface, "fact_size"),
            escape(say(interface, "fact_size_of", size=_megabytes(info.size_bytes), share=share)),
        )
    ]


def _warnings(base: str, record: EvaluationRecord | None, before: EvaluationRecord | None, interface: str) -> list[str]:
    found = []
    score = record.score(METRIC) if record else None
    if record is None or score is None:
        found.append(say(interface, "unmeasured"))
    else:
        comparable = before is not None and _rows(before) == _rows(record)
        grade = grade_of(score, before.score(METRIC) if before and comparable else None)
        if grade in _CAUTIONED:
            found.append(say(interface, grade.replace(" ", "_")))
    if base == "pocket":
        found.append(say(interface, "pocket"))
    return found


def _rows(record: EvaluationRecord) -> tuple[str, str]:
    """What two records share whose scores can be put side by side."""
    return record.task, record.data_fingerprint


def _kept(catalogue: Catalogue, direction: Direction, before: EvaluationRecord | None, interface: str) -> str:
    """What each delta left of a direction that the base itself serves: it has no "after", and each its own."""
    lines = []
    for adaptation in catalogue.adaptations.values():
        for record in adaptation.evaluations:
            same = before is not None and _rows(record) == _rows(before) and record.kind == "translation"
            score = record.score(METRIC) if same and record.model == "adapted" else None
            if score is not None:
                number = f'<span class="score" title="{escape(score.signature)}">{escape(_number(score))}</span>'
                lines.append(f"{_model_name(adaptation, interface)}: {number}")
    return "<br>".join(lines) or f'<span class="quiet">{escape(say(interface, "not_measured"))}</span>'


def _model_name(adaptation: Adaptation | None, interface: str) -> str:
    if adaptation is None:
        return escape(say(interface, "by_base"))
    return f"{_about(adaptation.language, 'by_delta', interface)} <code>{escape(adaptation.name)}</code>"


def _about(language: Language, key: str, interface: str) -> str:
    """A text with a language's own name in it, as HTML."""
    return escape(say(interface, key, language=_HERE)).replace(_HERE, own_name(language))


def _delta_size(adaptation: Adaptation) -> str:
    info = _delta_info(adaptation)
    return f'<span class="score">{escape(_megabytes(info.size_bytes))}</span>' if info else ""


def _delta_info(adaptation: Adaptation) -> DeltaInfo | None:
    try:
        return adaptation.run.read_delta_info()
    except CogsymError:
        return None


def _bar(record: EvaluationRecord | None, interface: str) -> str:
    score = record.score(METRIC) if record else None
    if score is None:
        return f'<span class="quiet">{escape(say(interface, "not_measured"))}</span>'
    width = min(100.0, max(0.0, score.value))
    bar = f'<span class="bar" aria-hidden="true"><i style="width:{width:.0f}%"></i></span>'
    return f'<span class="score" title="{escape(score.signature)}">{escape(_number(score))}</span>{bar}'


def _heat(rms: float, most: float, title: str) -> str:
    # The square root brings small changes out of the white.
    return f'<td style="--heat:{(rms / most) ** 0.5:.3f}" title="{escape(title)}: {rms:.2e}"></td>'


def _number(score: Score) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:.1f}"
    return f"{score.value:.1f} ({score.low:.1f}–{score.high:.1f})"


def _hub_link(name: str) -> str:
    if not _HUB_ID.fullmatch(name):
        return f"<code>{escape(name)}</code>"
    return f'<a href="https://huggingface.co/{escape(name)}" rel="noopener" target="_blank">{escape(name)}</a>'


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.2f} GB"
