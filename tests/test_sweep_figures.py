"""The figures of a sweep: readable on light and dark, with everything a reader needs on them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from toolkit.analysis import PointRecord, SweepRecord, style
from toolkit.analysis.figures import draw_differences, draw_layers, draw_scores
from toolkit.analysis.record import Difference
from toolkit.analysis.report import table, table_of_differences, table_of_panel
from toolkit.analysis.scores import Mark, Panel, _Gathered, _panel, as_csv, cautions_in, intervals_in_words
from toolkit.records import BaseInfo, Score, SelectionInfo

BASE = BaseInfo(id="tiny", architecture="LlamaForCausalLM", dtype="BF16", n_layers=8, n_weights=1, size_bytes=2)
SIGNATURE = "nrefs:1|case:mixed|version:2.5.1"
LINES = {"cogsym": (2, 4, 8), "front": (2, 4, 8), "a $method^{x}$": (2, 4, 8)}
BARS = {"cogsym": (None,), "front_then_rear": (None,), "cogsym (LoRA)": (None,)}


def mark(x: int | None, value: float, seeds: int = 1) -> Mark:
    values = tuple(value + seed for seed in range(seeds))
    return Mark(x, values, tuple(range(seeds)), min(values) - (seeds == 1), max(values) + (seeds == 1))


def panels(places: dict[str, tuple[int | None, ...]], seeds: int = 1, directions: int = 4) -> list[Panel]:
    known = ("eng>jav", "jav>eng", "eng>ind", "xxx>yyy")[:directions]
    return [
        Panel(
            f"phrases_{direction}",
            "phrases",
            direction,
            "known" if direction == "eng>ind" else "target",
            "chrF++",
            False,
            1,
            200,
            2,
            SIGNATURE,
            Mark(None, (12.0,), (), 10.0, 14.0),
            {name: tuple(mark(x, 50.0 + 3 * (x or 0), seeds) for x in xs) for name, xs in places.items()},
            {"full": mark(None, 90.0, seeds)},
        )
        for direction in known
    ]


def record(kind: str) -> SweepRecord:
    points = tuple(
        PointRecord(
            name=f"shifted-4@{x}.seed0",
            series="shifted",
            x=x,
            select=f"shifted:4@{x}",
            method="weights",
            order="together",
            seed=0,
            state="done",
        )
        for x in (0, 2)
    )
    points = points if kind == "positions" else ()
    return SweepRecord(kind=kind, language="jav", base=BASE, recipe={}, data={}, tests={}, points=points)  # type: ignore[arg-type]


def texts(svg: Path) -> str:
    """What stands on a figure; a sentence goes on in the next line where it is too long for one."""
    return " ".join(" ".join(ElementTree.parse(svg).getroot().itertext()).split())


@pytest.mark.parametrize(
    ("kind", "places", "labels"),
    [
        ("budgets", LINES, ("cogsym", "a $method^{x}$", "decoder layers that train, of 8")),
        ("time", LINES, ("cogsym", "training steps")),
        ("methods", BARS, ("cogsym", "cogsym (LoRA)", "50.0")),
        ("order", BARS, ("front, then rear",)),
        ("positions", {"shifted": (0, 2)}, ("layers between each half and its end of the model", "layer")),
    ],
)
def test_a_figure_names_series_axes_references_size_and_signature(
    tmp_path: Path, kind: str, places: dict[str, tuple[int | None, ...]], labels: tuple[str, ...]
) -> None:
    png, svg = style.save(draw_scores(record(kind), panels(places)), tmp_path, kind)
    shown = texts(svg)
    common = (
        "English → Javanese",
        "xxx>yyy",
        "known before",
        "base",
        "full",
        "chrF++",
        "phrases (n = 200), 2-shot",
        SIGNATURE,
    )
    for label in (*labels, *common):
        assert label in shown
    assert png.stat().st_size > 10_000


def test_it_says_whether_seeds_or_sentences_make_the_interval(tmp_path: Path) -> None:
    _, one = style.save(draw_scores(record("budgets"), panels(LINES)), tmp_path, "one")
    _, three = style.save(draw_scores(record("budgets"), panels(LINES, seeds=3)), tmp_path, "three")
    assert "one seed, with 95% bootstrap intervals over sentences" in texts(one)
    assert "means of 3 seeds, with the lowest and the highest" in texts(three)
    (panel,) = panels(BARS, seeds=3, directions=1)
    mixed = replace(panel, series=panel.series | {"cogsym": (mark(None, 50.0),)})
    told = intervals_in_words([mixed])
    assert told.startswith("means of up to 3 seeds")
    assert "of the base and of what has one seed, 95% bootstrap intervals" in told
    apart_of_one = apart("front_then_rear", mixed.task, -1.5)  # full was trained with one of the seeds, say
    heading, lines = table_of_panel(record("methods").model_copy(update={"differences": (apart_of_one,)}), mixed)
    assert [line[0] for line in lines[1:4]] == ["full (3 seeds)", "cogsym (1 seed)", "front_then_rear (3 seeds)"]
    assert lines[3][heading.index("from full")] == "-1.5% [-3.5, +0.5] (1 of 3 seeds)"


def test_losses_far_apart_have_scales_of_their_own_and_scores_share_one_from_zero() -> None:
    def spans(lower_is_better: bool) -> list[tuple[float, float]]:
        shown = [
            replace(
                panel,
                lower_is_better=lower_is_better,
                base=Mark(None, (level + 0.5,), (), level + 0.4, level + 0.6),
                series={"cogsym": (mark(2, level), mark(4, level - 0.1))},
                references={},
            )
            for panel, level in zip(panels(LINES, directions=2), (20.0, 50.0), strict=True)
        ]
        return [axes.get_ylim() for axes in draw_scores(record("budgets"), shown).axes]

    first, second = spans(lower_is_better=True)
    assert 18 < first[0] < 19
    assert 21 < first[1] < 22
    assert second[0] > first[1]
    assert spans(lower_is_better=False)[0] == spans(lower_is_better=False)[1] == (0.0, pytest.approx(1.06 * 51))


@pytest.mark.parametrize("inches", [3.0, 9.0])
def test_what_stands_below_a_figure_is_not_wider_than_the_figure(inches: float) -> None:
    figure = style.canvas(inches, 2.0)
    style.footer(
        figure, ["Mean-pooled states of a sentence; lines: WORDS THAT ARE WIDE; dotted: those that are not. " * 3]
    )
    figure.draw_without_rendering()
    (text,) = [text for text in figure.texts if "pooled" in text.get_text()]
    assert text.get_window_extent().x1 <= figure.bbox.x1


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    files = [
        path.read_bytes()
        for name in ("a", "b")
        for path in style.save(draw_scores(record("order"), panels(BARS)), tmp_path / name, "order")
    ]
    assert files[:2] == files[2:]


def test_backgrounds_are_transparent_and_colours_contrast_with_light_and_dark(tmp_path: Path) -> None:
    from matplotlib.image import imread

    png, _ = style.save(draw_scores(record("budgets"), panels(LINES)), tmp_path, "budgets")
    assert imread(png)[0, 0, 3] == 0
    used = {look.colour for look in style.looks([*style._LOOKS, *(f"other {n}" for n in range(6))]).values()}
    for colour in {*used, style.INK}:
        for page in ("#ffffff", "#0d1117"):
            assert contrast(colour, page) > 3.4, (colour, page)


def test_series_that_are_drawn_together_look_different() -> None:
    looks = style.looks(["cogsym", "front", "rear", "fisher", "alpha", "neurons-count", "middle", "random"])
    assert len({look.colour for look in looks.values()}) == len(looks)
    assert len({look.marker for look in looks.values()}) == len(looks)
    more = style.looks([*looks, "final:5%", "ffn", "subnetwork:1%", "layers:0"])
    assert len({look.marker for look in more.values()}) == len(more)
    assert {name: more[name] for name in looks} == looks
    budgets = style.looks(["cogsym:25%", "cogsym:50%"])
    assert budgets["cogsym:25%"].colour == looks["cogsym"].colour != budgets["cogsym:50%"].colour
    assert style.looks(["cogsym (LoRA)", "cogsym"])["cogsym"].colour == looks["cogsym"].colour
    both = style.looks(["cogsym", "cogsym (LoRA)"])
    assert both["cogsym"].colour == both["cogsym (LoRA)"].colour
    assert both["cogsym (LoRA)"].dashed


def test_end_labels_keep_apart_and_stay_in_the_panel() -> None:
    figure = style.canvas(4, 3)
    axes = figure.subplots()
    axes.set_ylim(0, 100)
    style.label_ends(axes, [(99, "a", "red"), (98, "b", "red"), (98, "c", "red"), (20, "d", "red")], 2.3)
    heights = sorted(text.xy[1] for text in axes.texts)
    assert heights[0] == 20
    assert all(upper - lower > 5 for lower, upper in pairwise(heights))
    assert heights[-1] <= 100


def test_the_layers_of_each_method_are_drawn_with_their_ranks(tmp_path: Path) -> None:
    def selection(layers: tuple[int, ...], scores: tuple[float, ...] | None) -> SelectionInfo:
        return SelectionInfo(
            method="x",
            layers=layers,
            n_layers=4,
            embeddings=True,
            head=True,
            final_norm=False,
            parameters=(),
            scores=scores,
            trained_weights=1,
            total_weights=2,
        )

    chosen = {"cogsym": [selection((0, 3), None)], "fisher": [selection((1, 2), (0.1, 0.4, 0.3, 0.2))]}
    _, svg = style.save(draw_layers(chosen), tmp_path, "layers")
    shown = texts(svg)
    assert "fisher" in shown
    assert "numbers: the method's own ranking" in shown.lower()
    ranks = [text.get_text() for text in draw_layers(chosen).axes[0].texts]
    assert ranks == ["1", "2", "3", "4"]  # layers 1, 2, 3, 0
    assert [round(text.get_position()[0]) for text in draw_layers(chosen).axes[0].texts] == [1, 2, 3, 0]


def test_the_table_says_what_an_interval_lies_between() -> None:
    text = as_csv(panels(LINES, seeds=2, directions=1))
    assert "cogsym,2,56.5,56.0,57.0,lowest and highest seed,0 1,56.0 57.0" in text
    assert "base,,12.0,10.0,14.0,95% interval" in text


def apart(series: str, task: str, percent: float | None, against: str = "full") -> Difference:
    around = None if percent is None else (percent - 2, percent + 2)
    return Difference(
        series=series,
        against=against,
        task=task,
        metric="chrF++",
        value=-1.0,
        low=-2.5,
        high=0.5 if series == "cogsym" else -0.5,
        percent=percent,
        percent_low=around and around[0],
        percent_high=around and around[1],
        seeds=(0,),
        by_seed=(-1.0,),
    )


def test_differences_are_drawn_and_told_against_full(tmp_path: Path) -> None:
    shown = panels(BARS, directions=2)
    found = (
        apart("cogsym", "phrases_eng>jav", -1.5),
        apart("front_then_rear", "phrases_eng>jav", -12.0),
        apart("cogsym", "phrases_jav>eng", None),
        apart("cogsym", "phrases_jav>eng", -3.0, against="base"),
    )
    made = record("methods").model_copy(update={"differences": found})
    figure = draw_differences(made, shown)
    assert figure is not None
    told = texts(style.save(figure, tmp_path, "apart")[1])
    for label in ("-1.5", "-12.0", "front, then rear", "% from full; better to the right", "(full); one seed"):
        assert label in told
    assert "cogsym (LoRA)" not in told  # nothing was compared
    assert draw_differences(record("methods"), shown) is None
    _, lines = table_of_differences(made, shown, base=False)
    assert lines == [
        ["cogsym", "~-1.5% [-3.5, +0.5]", "~-1.0 [-2.5, +0.5]"],  # in points where full scores nothing
        ["front_then_rear", "-12.0% [-14.0, -10.0]", "not measured"],
    ]
    assert table_of_differences(made, shown, base=True)[1] == [["cogsym", "not measured", "~-3.0% [-5.0, -1.0]"]]


def test_a_difference_in_the_unit_of_a_score_agrees_with_the_scores_beside_it() -> None:
    (panel,) = panels({"cogsym": (None,)}, directions=1)
    shown = replace(
        panel,
        base=Mark(None, (3.149,), (), 3.0, 3.3),
        series={"cogsym": (Mark(None, (8.451,), (0,), 8.0, 9.0),)},
    )
    found = apart("cogsym", panel.task, None, "base").model_copy(update={"value": 5.302, "low": 4.7, "high": 6.0})
    made = record("methods").model_copy(update={"differences": (found,)})
    assert [[*line[1:]] for line in table_of_panel(made, shown)[1]] == [
        ["3.1 [3.0, 3.3]", ""],
        ["90.0 [89.0, 91.0]", ""],
        ["8.5 [8.0, 9.0]", "+5.4 [+4.7, +6.0]"],
    ]


def test_a_place_at_zero_is_told_like_the_others() -> None:
    shown = panels({"shifted": (0, 2)}, directions=1)
    found = tuple(apart("shifted", shown[0].task, -1.5).model_copy(update={"x": x}) for x in (0, 2))
    made = record("positions").model_copy(update={"differences": found})
    _, lines = table_of_panel(made, shown[0])
    assert [line[:2] for line in lines] == [["base", ""], ["full", ""], ["shifted", "0"], ["shifted", "2"]]
    assert [line[-1] for line in lines] == ["", "", *["-1.5% [-3.5, +0.5]"] * 2]


def test_small_numbers_are_not_rounded_away() -> None:
    (panel,) = panels({"cogsym": (None,)}, directions=1)
    fine = replace(
        panel,
        metric="bits per byte",
        lower_is_better=True,
        decimals=3,
        base=Mark(None, (2.5124,), (), 2.4, 2.6),
        series={"cogsym": (Mark(None, (1.2345,), (0,), 1.2, 1.3),)},
    )
    _, lines = table(record("methods"), [fine])
    assert ["base", "2.512 [2.400, 2.600]"] in lines
    assert ["cogsym", "1.234 [1.200, 1.300]"] in lines
    drawn = [text.get_text() for text in draw_scores(record("methods"), [fine]).axes[0].texts]
    assert "1.234" in drawn


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_test_sets_of_other_kinds_have_panels_of_their_own(tmp_path: Path) -> None:
    from toolkit.evaluation import Row

    def row(kind: str, metric: str, value: float, *, lower: bool = False) -> Row:
        scores = {"adapted": Score(metric=metric, value=value, low=value - 1, high=value + 1, signature="s")}
        return Row("task", "NusaX", "jav", "target", metric, 400, 3, "s", "0" * 64, kind, 1, lower, scores)  # type: ignore[arg-type]

    found = {("cogsym", 2): _Gathered({0: row("sentiment", "macro-F1", 40.0).scores["adapted"]})}
    sentiment = _panel(row("sentiment", "macro-F1", 40.0), found, record("positions").points, ())
    text = _panel(row("perplexity", "bits per byte", 2.5, lower=True), found, record("positions").points, ("odd",))
    assert cautions_in([sentiment, text, text]) == ["odd"]
    (panel,) = panels(BARS, directions=1)
    assert as_csv([replace(panel, cautions=("odd",))]).splitlines()[1].endswith(",odd")
    assert (sentiment.title, sentiment.metric) == ("Javanese: sentiment", "macro-F1")
    assert (text.title, text.heading, text.decimals) == ("Javanese: perplexity", "bits per byte (lower is better)", 3)
