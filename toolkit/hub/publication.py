"""One publication to one Hub repository: planned, pushed, and read back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from huggingface_hub import HfApi
from huggingface_hub.utils import get_token

from toolkit.errors import HubError
from toolkit.hub.checks import Check
from toolkit.hub.contents import Contents
from toolkit.hub.failures import LOG_IN
from toolkit.hub.push import place_on_hub, plan_push, push, verify_pushed
from toolkit.hub.remote import RemoteState, validate_on_hub
from toolkit.hub.report import PublishReport, Smoke, refusal


@dataclass(frozen=True)
class HubPublication:
    """One publication to one Hub repository."""

    api: HfApi
    repo_id: str
    contents: Contents
    _: KW_ONLY
    name: str
    """What an error calls that which is published."""
    title: str
    """Of the commit. A pull request is found again by it, so it is the same for every version."""
    create_pr: bool = False
    private: bool | None = None
    revision: str | None = None

    def plan(self, report: PublishReport) -> tuple[PublishReport, RemoteState]:
        """What would change there, and what the Hub thinks of the card; writes nothing."""
        layout, card = self.contents.layout, self.contents.find("README.md")
        assert card is not None
        complaints = validate_on_hub(self.api, card.source.read_text(encoding="utf-8"), layout)
        state = plan_push(
            self.api, self.repo_id, title=self.title, create_pr=self.create_pr, revision=self.revision, layout=layout
        )
        report = replace(
            report,
            checks=(*report.checks, Check("card, by the Hub", complaints)),
            uploads=tuple(file.path for file in state.uploads(self.contents)),
            deletions=state.deletions(self.contents),
            url=place_on_hub(self.api, self.repo_id, layout),
            pull_request=state.pull_request,
        )
        return report, state

    def push(self, report: PublishReport) -> PublishReport:
        """Plan, and push in one commit."""
        if self.api.token is False or (self.api.token is None and get_token() is None):
            raise HubError(f"cannot publish to {self.repo_id}: you are not logged in", LOG_IN)
        report, state = self.plan(report)
        if not report.ok:
            raise refusal(self.name, report.checks)
        pushed = push(
            self.api,
            self.repo_id,
            self.contents,
            state,
            title=self.title,
            create_pr=self.create_pr,
            private=self.private,
        )
        return replace(
            report,
            changed=pushed.changed,
            url=pushed.url,
            commit=pushed.commit,
            commit_url=f"{place_on_hub(self.api, self.repo_id, self.contents.layout)}/commit/{pushed.commit}",
            pull_request=pushed.pull_request,
        )

    def verify(self, report: PublishReport, smoke: Smoke | None) -> PublishReport:
        """Read back what is there now, and try it out."""
        assert report.commit is not None
        verified, said = verify_pushed(self.api, self.repo_id, report.commit, self.contents, smoke)
        return replace(report, verified_files=verified, smoke=said)
