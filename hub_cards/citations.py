"""BibTeX of what a card builds on: the method always, metrics and test sets where they were used."""

from __future__ import annotations

from hub_cards.facts import CardFacts

COGSYM = """@misc{cogsym,
  title = {Positional Cognitive Specialization: Where Do {LLMs} Learn To Comprehend and Speak Your Language?},
  year = {2026},
  eprint = {2604.00923},
  archivePrefix = {arXiv},
  url = {https://arxiv.org/abs/2604.00923}
}"""

TOOLKIT = """@software{cogsym_toolkit,
  title = {cogsym-toolkit: adapt a language model to your language and publish what changed},
  author = {{The cogsym-toolkit contributors}},
  url = {https://github.com/cogsym/cogsym-toolkit}
}"""

_CHRF = """@inproceedings{popovic-2017-chrf,
  title = {chrF++: words helping character n-grams},
  author = {Popovi{\\'c}, Maja},
  booktitle = {Proceedings of the Second Conference on Machine Translation},
  year = {2017},
  pages = {612--618},
  url = {https://aclanthology.org/W17-4770}
}"""

_SACREBLEU = """@inproceedings{post-2018-call,
  title = {A Call for Clarity in Reporting {BLEU} Scores},
  author = {Post, Matt},
  booktitle = {Proceedings of the Third Conference on Machine Translation},
  year = {2018},
  pages = {186--191},
  url = {https://aclanthology.org/W18-6319}
}"""

_COMET22 = """@inproceedings{rei-etal-2022-comet,
  title = {{COMET}-22: Unbabel-{IST} 2022 Submission for the Metrics Shared Task},
  author = {Rei, Ricardo and de Souza, Jos{\\'e} G. C. and Alves, Duarte and Zerva, Chrysoula and Farinha, Ana C
            and Glushkova, Taisiya and Lavie, Alon and Coheur, Luisa and Martins, Andr{\\'e} F. T.},
  booktitle = {Proceedings of the Seventh Conference on Machine Translation},
  year = {2022},
  pages = {578--585},
  url = {https://aclanthology.org/2022.wmt-1.52}
}"""

_LLAMA2 = """@misc{touvron2023llama2,
  title = {Llama 2: Open Foundation and Fine-Tuned Chat Models},
  author = {Touvron, Hugo and others},
  year = {2023},
  eprint = {2307.09288},
  archivePrefix = {arXiv},
  url = {https://arxiv.org/abs/2307.09288}
}"""

_NUSAX = """@inproceedings{winata-etal-2023-nusax,
  title = {{NusaX}: Multilingual Parallel Sentiment Dataset for 10 {I}ndonesian Local Languages},
  author = {Winata, Genta Indra and others},
  booktitle = {Proceedings of the 17th Conference of the European Chapter of the Association for Computational
               Linguistics},
  year = {2023},
  url = {https://aclanthology.org/2023.eacl-main.57}
}"""

_FLORES = """@article{nllb2022,
  title = {No Language Left Behind: Scaling Human-Centered Machine Translation},
  author = {{NLLB Team}},
  journal = {arXiv preprint arXiv:2207.04672},
  year = {2022},
  url = {https://arxiv.org/abs/2207.04672}
}"""

_BY_METRIC = {"chrF++": (_CHRF, _SACREBLEU), "BLEU": (_SACREBLEU,), "COMET-22": (_COMET22,)}
_BY_DATA = {"nusax": _NUSAX, "flores": _FLORES}


def citations(facts: CardFacts) -> list[str]:
    """One BibTeX entry each, the method first, without repetitions."""
    entries = [COGSYM, TOOLKIT]
    if facts.base_licence == "llama2":
        entries.append(_LLAMA2)
    names = [row.dataset for row in facts.scores]
    names += [source.name for source in facts.training.data] if facts.training else []
    entries += [entry for key, entry in _BY_DATA.items() if any(key in name.lower() for name in names)]
    for row in facts.scores:
        entries += _BY_METRIC.get(row.metric, ())
    return list(dict.fromkeys(entries))
