"""Cards: facts from a run's records, rendered into the page and the metadata of a published repository."""

from hub_cards.collect import collect
from hub_cards.facts import CardFacts
from hub_cards.lint import Problem, lint
from hub_cards.render import Card, render
from hub_cards.write import write_card

__all__ = ["Card", "CardFacts", "Problem", "collect", "lint", "render", "write_card"]
