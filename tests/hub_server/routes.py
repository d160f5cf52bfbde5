"""The calls of the Hub's protocol that the client makes, each as one function from a call to an answer."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from hub_server.calls import Answer, Call
from hub_server.store import LFS_SUFFIXES, Blob, Commit, Pull, Repository

DATE = "2026-11-20T12:00:00.000Z"


def answer(body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(status, content, {"Content-Type": "application/json", **(headers or {})})


def error(status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    codes = {"X-Error-Code": code} if code else {}
    return answer({"error": message}, status, {"X-Error-Message": message, **codes, **(headers or {})})


def no_repository(call: Call) -> Answer:
    # To strangers the real Hub does not even say that a repository does not exist.
    return error(404 if call.user else 401, "Repository not found", "RepoNotFound")


def no_revision(revision: str) -> Answer:
    return error(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def visible(call: Call, repo_id: str) -> Repository | None:
    repository = call.store.repositories.get(repo_id)
    if repository is None or (repository.private and not call.store.may_write(call.user, repo_id)):
        return None
    return repository


def locked(call: Call, repository: Repository) -> bool:
    """Whether its files are gated for this user."""
    may = call.store.may_write(call.user, repository.repo_id)
    return repository.gated and not may and (call.user, repository.repo_id) not in call.store.granted


def gated_error(call: Call, repo_id: str) -> Answer:
    message = f"Access to model {repo_id} is restricted and you are not in the authorized list."
    return error(403 if call.user else 401, message, "GatedRepo")


def who_am_i(call: Call) -> Answer:
    if call.user is None:
        return error(401, "Invalid credentials in Authorization header")
    return answer({"type": "user", "id": "1", "name": call.user, "orgs": []})


def exchange_identity(call: Call) -> Answer:
    """A trusted publisher's identity for a token that may write to one repository."""
    asked = call.json()
    if asked["subject_token"] != "identity of the workflow" or asked["resource"] not in call.store.trusted:
        return error(403, "no trusted publisher matches this identity")
    call.store.users["hf_jwt_" + "ci" * 20] = call.store.trusted[asked["resource"]]
    return answer({"access_token": "hf_jwt_" + "ci" * 20, "token_type": "bearer", "expires_in": 3600})


def create_repository(call: Call) -> Answer:
    asked = call.json()
    repo_id = f"{asked.get('organization') or call.user}/{asked['name']}"
    if asked.get("type") == "space":
        if asked.get("sdk") not in ("gradio", "docker", "static"):
            return error(400, "a Space needs an sdk")
        repo_id = f"spaces/{repo_id}"
    if call.user is None:
        return error(401, "Invalid username or password.")
    if not call.store.may_write(call.user, repo_id):
        return error(403, f"You don't have the rights to create a model under the namespace {repo_id.split('/')[0]}")
    prefix = "datasets/" if asked.get("type") == "dataset" else ""
    url = f"{call.endpoint}/{prefix}{repo_id}"
    with call.store.lock:
        if repo_id in call.store.repositories:
            return answer({"error": "You already created this model repo", "url": url}, 409)
        private = _wish_for_privacy(asked)
        if private is None:
            private = repo_id.removeprefix("spaces/").split("/")[0] in call.store.private_by_default
        call.store.create(repo_id, private=private)
    return answer({"url": url, "name": repo_id.removeprefix("spaces/"), "id": "1"})


def _wish_for_privacy(asked: dict[str, Any]) -> bool | None:
    """Whether a new repository shall be private; None where the client leaves that to its owner's settings."""
    if asked.get("visibility"):
        return bool(asked["visibility"] == "private")
    return asked.get("private")


def validate_yaml(call: Call) -> Answer:
    match = re.match(r"---\n(.*?)\n---\n", call.json()["content"], re.DOTALL)
    try:
        data = yaml.safe_load(match.group(1)) if match else {}
    except yaml.YAMLError as problem:
        return answer({"errors": [{"message": f"YAML: {problem}"}], "warnings": []}, 400)
    errors = _space_errors(data) if call.json()["repoType"] == "space" else []
    for language in data.get("language") or []:
        if not isinstance(language, str) or not re.fullmatch(r"[a-z]{2,3}", language):
            errors.append({"message": '"language" must only contain ISO 639 codes'})
    if call.store.complaint:
        errors.append({"message": call.store.complaint})
    return answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def _space_errors(data: dict[str, Any]) -> list[dict[str, str]]:
    """What the Hub asks of a Space's front matter."""
    colours = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
    errors = [f'"{key}" must be one of {colours}' for key in ("colorFrom", "colorTo") if data.get(key) not in colours]
    if data.get("sdk") not in ("gradio", "docker", "static"):
        errors.append('"sdk" is required')
    if len(data.get("short_description") or "") > 60:
        errors.append('"short_description" must be at most 60 characters')
    return [{"message": message} for message in errors]


def model_info(call: Call, repo_id: str, revision: str = "main") -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    commit = repository.at(revision)
    if commit is None:
        return no_revision(revision)
    return answer(_info(repository, commit, blobs="blobs" in call.query))


def _info(repository: Repository, commit: Commit, *, blobs: bool = False) -> dict[str, Any]:
    siblings = []
    for path, blob in sorted(commit.files.items()):
        sibling: dict[str, Any] = {"rfilename": path}
        if blobs:
            entry = blob.as_entry(path)
            sibling |= {"size": entry["size"], "blobId": entry["oid"]}
            if "lfs" in entry:
                sibling["lfs"] = {"sha256": blob.oid, "size": blob.size, "pointerSize": 134}
        siblings.append(sibling)
    name = repository.repo_id.removeprefix("spaces/")
    return {
        "_id": "1",
        "id": name,
        "modelId": name,
        "sha": commit.oid,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "tags": repository.tags(),
        "cardData": repository.card_data(),
        "siblings": siblings,
        "downloads": 7,
        "likes": 1,
        "createdAt": DATE,
        "lastModified": DATE,
    }


def list_models(call: Call, *, page_size: int) -> Answer:
    wanted = set(call.query.get("filter", []))
    wanted = {part for text in wanted for part in text.split(",")}
    author = call.first("author")
    found = [
        repository
        for repo_id, repository in sorted(call.store.repositories.items())
        if not repo_id.startswith("spaces/")
        and visible(call, repo_id)
        and wanted <= set(repository.tags())
        and author in (None, repo_id.split("/")[0])
    ]
    start = int(call.first("cursor") or 0)
    size = min(page_size, int(call.first("limit") or page_size))
    page = [_info(repository, repository.main()) for repository in found[start : start + size]]
    return answer(page, headers=_next(call, start + size, len(found)))


def list_tree(call: Call, repo_id: str, revision: str, *, page_size: int) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    commit = repository.at(revision)
    if commit is None:
        return no_revision(revision)
    entries = [blob.as_entry(path) for path, blob in sorted(commit.files.items())]
    start = int(call.first("cursor") or 0)
    return answer(entries[start : start + page_size], headers=_next(call, start + page_size, len(entries)))


def _next(call: Call, start: int, total: int) -> dict[str, str]:
    if start >= total:
        return {}
    rest = "&".join(f"{k}={quote(v)}" for k, values in call.query.items() for v in values if k != "cursor")
    return {"Link": f'<{call.endpoint}{call.path}?{rest}&cursor={start}>; rel="next"'}


def auth_check(call: Call, repo_id: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    return gated_error(call, repo_id) if locked(call, repository) else answer({})


def preupload(call: Call, repo_id: str, revision: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    if call.user is None:
        return error(401, "Invalid username or password.")
    opens = call.first("create_pr") == "1" or revision.startswith("refs/pr/")
    if not opens and not call.store.may_write(call.user, repo_id):
        return error(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
    commit = repository.at(revision)
    if commit is None:
        return no_revision(revision)
    files = []
    for file in call.json()["files"]:
        mode = "lfs" if file["path"].endswith(LFS_SUFFIXES) or file["size"] > 10_000_000 else "regular"
        there = commit.files.get(file["path"])
        known = {"oid": there.oid} if there else {}
        files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **known})
    return answer({"files": files})


def lfs_batch(call: Call, repo_id: str) -> Answer:
    if visible(call, repo_id) is None:
        return no_repository(call)
    objects = []
    for item in call.json()["objects"]:
        known = (call.store.lfs / item["oid"]).exists()
        upload = {
            "upload": {"href": f"{call.endpoint}/upload/{item['oid']}"},
            "verify": {"href": f"{call.endpoint}/{repo_id}.git/info/lfs/verify"},
        }
        objects.append({**item, "authenticated": True, **({} if known else {"actions": upload})})
    return answer({"transfer": "basic", "objects": objects})


def upload(call: Call, oid: str) -> Answer:
    assert isinstance(call.body, Path)
    with call.body.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != oid:
        call.body.unlink()
        return error(400, "the digest does not match")
    os.replace(call.body, call.store.lfs / oid)
    return answer()


def lfs_verify(call: Call, repo_id: str) -> Answer:
    asked = call.json()
    stored = call.store.lfs / asked["oid"]
    if not stored.exists() or stored.stat().st_size != asked["size"]:
        return error(404, "LFS object not found")
    return answer({})


def commit(call: Call, repo_id: str, revision: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    assert isinstance(call.body, bytes)
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    opens = call.first("create_pr") == "1"
    with call.store.lock:
        head = repository.at(revision)
        if head is None:
            return no_revision(revision)
        mine = any(f"refs/pr/{p.num}" == revision and p.author == call.user for p in repository.pulls)
        if call.user is None or not (opens or mine or call.store.may_write(call.user, repo_id)):
            return error(403, "You have no write permission here")
        if header.get("parentCommit") not in (None, head.oid) and not opens:
            return error(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            problem = _apply(call, files, line["key"], line["value"])
            if problem:
                return problem
        if opens:
            repository.pulls.append(Pull(len(repository.pulls) + 1, header["summary"], call.user))
            revision = f"refs/pr/{len(repository.pulls)}"
        made = repository.commit(revision, header["summary"], files, head.oid)
    told = {"success": True, "commitOid": made.oid, "commitUrl": f"{call.endpoint}/{repo_id}/commit/{made.oid}"}
    if opens:
        told["pullRequestUrl"] = f"{call.endpoint}/{repo_id}/discussions/{len(repository.pulls)}"
    return answer(told)


def _apply(call: Call, files: dict[str, Blob], key: str, value: dict[str, Any]) -> Answer | None:
    if key == "file":
        files[value["path"]] = Blob.regular(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        stored = call.store.lfs / value["oid"]
        if not stored.exists():
            return error(400, f"LFS object {value['oid']} was never uploaded")
        files[value["path"]] = Blob.large(stored)
    elif key == "deletedFile":
        if files.pop(value["path"], None) is None:
            return error(404, "A file with this name doesn't exist", "EntryNotFound")
    elif key == "deletedFolder":
        for path in [path for path in files if path.startswith(value["path"].rstrip("/") + "/")]:
            del files[path]
    return None


def create_branch(call: Call, repo_id: str, branch: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    if not call.store.may_write(call.user, repo_id):
        return error(403, "You have no write permission here")
    if branch in repository.refs:
        return error(409, "Reference already exists")
    repository.refs[branch] = repository.refs[call.json().get("startingPoint", "main")]
    return answer({})


def discussions(call: Call, repo_id: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    # The filters of the query are ignored on purpose: not every server heeds them.
    listed = [
        {
            "num": pull.num,
            "title": pull.title,
            "status": pull.status,
            "author": {"name": pull.author},
            "isPullRequest": True,
            "createdAt": DATE,
            "repo": {"name": repo_id, "type": "model"},
        }
        for pull in repository.pulls
    ]
    start = int(call.first("p") or 0)
    return answer({"count": len(listed), "start": start, "discussions": listed[start : start + 1]})


def resolve(call: Call, repo_id: str, revision: str, path: str) -> Answer:
    repository = visible(call, repo_id)
    if repository is None:
        return no_repository(call)
    if locked(call, repository):
        return gated_error(call, repo_id)
    commit = repository.at(revision)
    if commit is None:
        return no_revision(revision)
    blob = commit.files.get(path)
    if blob is None:
        return error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.oid})
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{blob.oid}"', "Accept-Ranges": "bytes"}
    if blob.lfs is None:
        return _ranged(call, blob.content, headers)
    headers |= {"X-Linked-Etag": f'"{blob.oid}"', "X-Linked-Size": str(blob.size)}
    return answer(None, 302, headers | {"Location": f"{call.cdn}/cdn/{blob.oid}"})


def cdn(call: Call, oid: str) -> Answer:
    return _ranged(call, call.store.lfs / oid, {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})


def _ranged(call: Call, body: bytes | Path, headers: dict[str, str]) -> Answer:
    size = body.stat().st_size if isinstance(body, Path) else len(body)
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("Range") or "")
    if match is None:
        return Answer(200, body, headers)
    start = int(match.group(1))
    if start >= size:
        return error(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
    if isinstance(body, Path):
        return Answer(206, body, headers, start)
    return Answer(206, body[start:], headers)


def create_collection(call: Call) -> Answer:
    asked = call.json()
    if not call.store.may_write(call.user, f"{asked['namespace']}/x"):
        return error(403, "You have no write permission here")
    slug = f"{asked['namespace']}/{re.sub('[^a-z0-9]+', '-', asked['title'].lower())}-{'0' * 24}"
    if slug in call.store.collections:
        return answer({"error": "exists", "slug": slug}, 409)
    call.store.collections[slug] = {
        "slug": slug,
        "title": asked["title"],
        "description": asked.get("description", ""),
        "owner": {"name": asked["namespace"]},
        "items": [],
        "lastUpdated": DATE,
        "position": 0,
        "private": False,
        "theme": "green",
        "upvotes": 0,
    }
    return answer(call.store.collections[slug])


def list_collections(call: Call, *, page_size: int) -> Answer:
    owner = call.first("owner")
    found = [c for c in call.store.collections.values() if owner in (None, c["owner"]["name"])]
    found = [{k: v for k, v in c.items() if k != "position"} for c in found]
    return answer(found)


def get_collection(call: Call, slug: str) -> Answer:
    found = call.store.collections.get(slug)
    return answer(found) if found else error(404, "Collection not found")


def add_collection_item(call: Call, slug: str) -> Answer:
    collection, asked = call.store.collections[slug], call.json()
    if not call.store.may_write(call.user, slug):
        return error(403, "You have no write permission here")
    if any(item["id"] == asked["item"]["id"] for item in collection["items"]):
        return error(409, "Item already exists in collection")
    if len(asked.get("note") or "") > 500:
        return error(400, "note is too long")
    number = len(collection["items"])
    item = {"_id": f"item{number}", "position": number, **asked["item"], "note": {"text": asked.get("note")}}
    collection["items"].append(item)
    return answer(collection)


def update_collection_item(call: Call, slug: str, item_id: str) -> Answer:
    for item in call.store.collections[slug]["items"]:
        if item["_id"] == item_id:
            item["note"] = {"text": call.json()["note"]}
            return answer({})
    return error(404, "Item not found")


def start_job(call: Call, namespace: str) -> Answer:
    if call.user is None:
        return error(401, "Invalid credentials in Authorization header")
    if not call.store.may_write(call.user, f"{namespace}/job"):
        return error(403, f"You can't start jobs for {namespace}")
    spec = call.json()
    call.store.jobs.append(spec)
    owner = {"id": "1", "name": namespace, "type": "org"}
    return answer({"id": f"job{len(call.store.jobs)}", "owner": owner, "status": {"stage": "SCHEDULING"}})


ID = r"([\w.-]+/[\w.-]+)"
Handler = Callable[..., Answer]


def of_spaces(handler: Handler) -> Handler:
    """The same call for a Space."""
    return lambda call, repo_id, *rest, **options: handler(call, f"spaces/{repo_id}", *rest, **options)


space_tree = of_spaces(list_tree)


def _routes(*entries: tuple[str, str, Handler]) -> list[tuple[str, re.Pattern[str], Handler]]:
    return [(method, re.compile(pattern), handler) for method, pattern, handler in entries]


ROUTES = _routes(
    ("GET", r"/api/whoami-v2", who_am_i),
    ("POST", r"/oauth/token", exchange_identity),
    ("POST", r"/api/repos/create", create_repository),
    ("POST", r"/api/validate-yaml", validate_yaml),
    ("GET", r"/api/models", list_models),
    ("GET", rf"/api/models/{ID}", model_info),
    ("GET", rf"/api/models/{ID}/revision/([^/]+)", model_info),
    ("GET", rf"/api/models/{ID}/tree/([^/]+)", list_tree),
    ("GET", rf"/api/models/{ID}/auth-check", auth_check),
    ("GET", rf"/api/models/{ID}/discussions", discussions),
    ("POST", rf"/api/models/{ID}/branch/([^/]+)", create_branch),
    ("POST", rf"/api/models/{ID}/preupload/([^/]+)", preupload),
    ("POST", rf"/api/models/{ID}/commit/([^/]+)", commit),
    ("POST", rf"/{ID}\.git/info/lfs/objects/batch", lfs_batch),
    ("POST", rf"/{ID}\.git/info/lfs/verify", lfs_verify),
    ("GET", rf"/api/spaces/{ID}", of_spaces(model_info)),
    ("GET", rf"/api/spaces/{ID}/revision/([^/]+)", of_spaces(model_info)),
    ("GET", rf"/api/spaces/{ID}/tree/([^/]+)", space_tree),
    ("GET", rf"/api/spaces/{ID}/discussions", of_spaces(discussions)),
    ("POST", rf"/api/spaces/{ID}/branch/([^/]+)", of_spaces(create_branch)),
    ("POST", rf"/api/spaces/{ID}/preupload/([^/]+)", of_spaces(preupload)),
    ("POST", rf"/api/spaces/{ID}/commit/([^/]+)", of_spaces(commit)),
    ("POST", rf"/spaces/{ID}\.git/info/lfs/objects/batch", of_spaces(lfs_batch)),
    ("POST", rf"/spaces/{ID}\.git/info/lfs/verify", of_spaces(lfs_verify)),
    ("GET", rf"/spaces/{ID}/resolve/([^/]+)/(.+)", of_spaces(resolve)),
    ("PUT", r"/upload/([0-9a-f]{64})", upload),
    ("GET", rf"/{ID}/resolve/([^/]+)/(.+)", resolve),
    ("GET", r"/cdn/([0-9a-f]{64})", cdn),
    ("POST", r"/api/collections", create_collection),
    ("GET", r"/api/collections", list_collections),
    ("GET", rf"/api/collections/{ID}", get_collection),
    ("POST", rf"/api/collections/{ID}/items", add_collection_item),
    ("PATCH", rf"/api/collections/{ID}/items/(\w+)", update_collection_item),
    ("POST", r"/api/jobs/([\w.-]+)", start_job),
)
ROUTES += _routes(  # data sets, which lie beside the models here
    ("GET", rf"/api/datasets/{ID}", model_info),
    ("GET", rf"/api/datasets/{ID}/revision/([^/]+)", model_info),
    ("POST", rf"/api/datasets/{ID}/preupload/([^/]+)", preupload),
    ("POST", rf"/api/datasets/{ID}/commit/([^/]+)", commit),
    ("POST", rf"/datasets/{ID}\.git/info/lfs/objects/batch", lfs_batch),
    ("POST", rf"/datasets/{ID}\.git/info/lfs/verify", lfs_verify),
    ("GET", rf"/datasets/{ID}/resolve/([^/]+)/(.+)", resolve),
)
PAGED: set[Handler] = {list_models, list_tree, space_tree, list_collections}
