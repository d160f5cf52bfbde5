#!/usr/bin/env bash
# Puts comment.md under the pull request that a file names, in place of an earlier comment of this kind; only where that
# pull request's head is $HEAD, the commit that was checked, and where it leaves .github as it is. Usage: comment.sh NUMBER_FILE COMMENT_FILE
set -euo pipefail

number="$(head -c 12 "$1" | tr -d '\n')"
if ! [[ "$number" =~ ^[1-9][0-9]{0,8}$ ]]; then
    echo "this is no number of a pull request" >&2
    exit 1
fi
read -r head count <<< "$(gh api "repos/$GH_REPO/pulls/$number" --jq '"\(.head.sha) \(.changed_files)"')"
if [ "$head" != "$HEAD" ]; then
    echo "pull request $number is not at $HEAD (any more): no comment" >&2
    exit 0
fi
# A pull request is checked by its own copy of the workflow: one that changes it could say what it likes of itself.
files="$(gh api "repos/$GH_REPO/pulls/$number/files?per_page=100" --paginate \
    --jq '.[] | .filename, (.previous_filename // empty)')"
if [ "$count" -gt 1000 ] || grep -qi '^\.github/' <<< "$files"; then
    echo "pull request $number changes .github, or very many files: no comment; review it by hand" >&2
    exit 0
fi
marker="$(head -n 1 "$2")"
export marker
earlier="$(gh api "repos/$GH_REPO/issues/$number/comments" --paginate \
    --jq '.[] | select(.user.login == "github-actions[bot]" and (.body | startswith(env.marker))) | .id' | head -n 1)"
if [ -n "$earlier" ]; then
    gh api --silent -X PATCH "repos/$GH_REPO/issues/comments/$earlier" -F "body=@$2"
else
    gh api --silent -X POST "repos/$GH_REPO/issues/$number/comments" -F "body=@$2"
fi
