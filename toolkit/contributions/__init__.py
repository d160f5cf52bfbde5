"""What a person brings who adds a language: sentences split for training and testing, a language file, its checks."""

from toolkit.contributions.splitting import Split, split_corpus

__all__ = ["Split", "split_corpus"]
