"""Language-specific neurons by Language Activation Probability Entropy (LAPE, Tang et al. 2024).

A neuron's activation rates, one per language, are normalised to a distribution over languages; where its Shannon
entropy is low, the neuron serves few of them.

K languages, N neurons of the whole model.
"""

from __future__ import annotations

import numpy as np

ACTIVE_PERCENTILE = 95.0  # of all K x N rates; a rate above it counts as active
SPECIFIC_SHARE = 0.01  # of all N neurons: those of lowest entropy


def entropies(rates: np.ndarray) -> np.ndarray:
    """Entropy of each neuron over the languages, in nats; infinite where it is never active.

    Args:
        rates: (K, N), 0 to 1.
    """
    totals = rates.sum(0)
    shares = rates / np.where(totals > 0, totals, 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.where(totals > 0, -(shares * logs).sum(0), np.inf)


def threshold(rates: np.ndarray) -> float:
    """The rate above which a neuron counts as active in a language."""
    return float(np.percentile(rates, ACTIVE_PERCENTILE))


def specific_neurons(rates: np.ndarray) -> np.ndarray:
    """The 1% of all neurons that are lowest in entropy, among those that some language activates.

    Fewer, where fewer are active; of equal entropy the earlier. In rising order of entropy.
    """
    return _lowest(rates, rates.max(0) > threshold(rates))[: round(SPECIFIC_SHARE * rates.shape[1])]


def neurons_of(rates: np.ndarray, language: int) -> np.ndarray:
    """All neurons that this language activates, the most specific first.

    That a neuron belongs to a language whose rate passes the threshold is LAPE's rule. That a budget takes them by
    entropy, instead of the share above cutting them off, is our choice: the paper of the subnetworks names a share of
    the weights, and not how it is reached.
    """
    return _lowest(rates, rates[language] > threshold(rates))


def _lowest(rates: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(entropies(rates), kind="stable")
    return order[wanted[order]]
