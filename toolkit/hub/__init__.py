"""The only place that talks to the Hub: publish a run, bring a delta or a base back, find what others published."""

from __future__ import annotations

from toolkit.hub.fetch import fetch_base, fetch_config, fetch_delta
from toolkit.hub.newest import newest_commit, newest_commits
from toolkit.hub.published import PublishedDelta, find_published, read_published
from toolkit.hub.publishing import publish
from toolkit.hub.pulling import PullReport, pull
from toolkit.hub.report import PublishReport, Smoke
from toolkit.hub.searching import FoundDelta, search
from toolkit.hub.spaces import push_space
from toolkit.hub.target import Target, parse_target

__all__ = [
    "FoundDelta",
    "PublishReport",
    "PublishedDelta",
    "PullReport",
    "Smoke",
    "Target",
    "fetch_base",
    "fetch_config",
    "fetch_delta",
    "find_published",
    "newest_commit",
    "newest_commits",
    "parse_target",
    "publish",
    "pull",
    "push_space",
    "read_published",
    "search",
]
