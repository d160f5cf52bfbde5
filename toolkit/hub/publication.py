"""One publication to one Hub repository: planned, pushed, read back, and pointed to."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from huggingface_hub import HfApi
from huggingface_hub.utils import get_token

from toolkit.errors import CogsymError, HubError
from toolkit.hub.checks import Check
from toolkit.hub.contents import Contents
from toolkit.hub.failures import LOG_IN, hub_errors
from toolkit.hub.push import plan_push, push, verify_pushed
from toolkit.hub.remote import RemoteState, validate_on_hub
from toolkit.hub.report import PublishReport, Smoke, refusal
from toolkit.hub.surroundings import add_to_collection, point_to_new_version
from toolkit.run_folder import RunFolder


@dataclass(frozen=True)
class HubPublication:
    """One publication to one Hub repository."""

    api: HfApi
    repo_id: str
    run: RunFolder
    contents: Contents
    _: KW_ONLY
    create_pr: bool
    private: bool
    revision: str | None

    def plan(self, report: PublishReport) -> tuple[PublishReport, RemoteState]:
        """What would change there, and what the Hub thinks of the card; writes nothing."""
        complaints = validate_on_hub(self.api, self.run.card.read_text(encoding="utf-8"))
        state = plan_push(self.api, self.repo_id, title=self._title, create_pr=self.create_pr, revision=self.revision)
        report = replace(
            report,
            checks=(*report.checks, Check("card, by the Hub", complaints)),
            uploads=tuple(file.path for file in state.uploads(self.contents)),
            deletions=state.deletions(self.contents),
            url=f"{self.api.endpoint}/{self.repo_id}",
            pull_request=state.pull_request,
        )
        return report, state

    def push(self, report: PublishReport) -> PublishReport:
        """Plan, and push in one commit."""
        if get_token() is None:
            raise HubError(f"cannot publish to {self.repo_id}: you are not logged in", LOG_IN)
        report, state = self.plan(report)
        if not report.ok:
            raise refusal(self.run.root.name, report.checks)
        pushed = push(
            self.api,
            self.repo_id,
            self.contents,
            state,
            title=self._title,
            create_pr=self.create_pr,
            private=self.private,
        )
        return replace(
            report, changed=pushed.changed, url=pushed.url, commit=pushed.commit, pull_request=pushed.pull_request
        )

    def verify(self, report: PublishReport, smoke: Smoke | None) -> PublishReport:
        """Read back what is there now, and try it out."""
        assert report.commit is not None
        verified, said = verify_pushed(self.api, self.repo_id, report.commit, self.contents, smoke)
        return replace(report, verified_files=verified, smoke=said)

    def update_surroundings(self, collection: str | None, replaces: str | None) -> tuple[str, ...]:
        """List it in the collection, and point to it from the older card; where that fails, say so and go on."""
        notes = []
        if collection:
            try:
                with hub_errors(f"update the collection '{collection}'", collection, writing=True):
                    place = add_to_collection(self.api, collection, self.repo_id, _summary(self.run))
                notes.append(f"listed in {place}")
            except CogsymError as error:
                notes.append(str(error))
        if replaces:
            try:
                with hub_errors(f"point from {replaces} to the new version", replaces, writing=True):
                    point_to_new_version(self.api, replaces, self.repo_id)
                notes.append(f"{replaces} points to {self.repo_id}")
            except CogsymError as error:
                notes.append(str(error))
        return tuple(notes)

    @property
    def _title(self) -> str:
        """The same for every version, as a pull request is found again by it."""
        return f"Publish the CogSym delta for {self.run.read_config().language}"


def _summary(run: RunFolder) -> str:
    """Language, base and scores in one line, for lists."""
    config = run.read_config()
    adapted = [
        record
        for record in run.read_evaluations()
        if (record.model, record.role, record.kind) == ("adapted", "target", "translation")
    ]
    scores = [f"{r.direction} {score.metric} {score.value:.1f}" for r in adapted for score in r.scores[:1]]
    return f"{config.language} on {config.base.id}: {', '.join(scores) or 'not measured'}"
