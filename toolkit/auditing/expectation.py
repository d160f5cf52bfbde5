"""What to expect of so many rows, in plain words: what a paper or our own runs showed, and what is our judgement."""

from __future__ import annotations

from toolkit.auditing.record import Kind

PAPER_ROWS = 52_000  # CogSym, arXiv 2604.00923: machine-translated Alpaca instructions per language
POCKET = (
    "our demo, whose language is one small phrasebook, came from chrF++ 21 to 83 with 3,000 pairs"  # means of 3 seeds
)

# Smallest number of rows, what one may expect of it.
_PAIRS = (
    (0, "Too few to train on. They make a good test set, and worked examples for prompts; collect more, and try again "
        "from about 500."),
    (300, "A beginning. Expect single words and greetings to come out right and most sentences wrong. Keep 100 of them "
        "as a test set that is never trained on, and use the rest to try out the whole way from file to page."),
    (2_000, "Enough for a first model that is worth showing. Expect short everyday sentences like those in the file to "
        "be understood more often than they are well written; other subjects will mostly fail. Keep 200 to 500 as a "
        "test set."),
    (20_000, "A good corpus. Expect usable drafts on the subjects of the file, which a speaker still has to correct. "
        "Keep 500 to 1,000 as a test set, and let speakers judge answers too."),
    (52_000, "As many as the paper behind this method had, or more. Expect the kind of texts in the file to work "
        "well; what the file lacks (other subjects, dialects, ways of speaking) is learnt from other data, not from "
        "more of the same."),
)  # fmt: skip
_TEXT = (
    (0, "Too little text to learn a language from. Sentence pairs teach more per sentence; add some."),
    (2_000, "Some text: it teaches spelling and common words. Sentence pairs or instructions beside it teach the model "
        "to use them."),
    (50_000, "Much text: it helps with fluent sentences. What the model does with them (translate, answer) it learns "
        "from sentence pairs or instructions."),
)  # fmt: skip


def expectation(kind: Kind, usable: int) -> str:
    """What to expect of so many usable rows, and where that comes from."""
    bands = _TEXT if kind == "text" else _PAIRS
    words = next(words for least, words in reversed(bands) if usable >= least)
    what = {"parallel": "sentence pairs", "text": "texts", "instructions": "instructions"}[kind]
    known = (
        f"What is known: the paper (CogSym, arXiv 2604.00923) taught Javanese and Sundanese with {PAPER_ROWS:,} "
        f"machine-translated instructions each; {POCKET}. The rest is our judgement, not a measurement: your own test "
        "set will tell."
    )
    counted = f"One usable {what[:-1]}" if usable == 1 else f"{usable:,} usable {what}"
    return f"{counted}. {words}\n\n{known}"
