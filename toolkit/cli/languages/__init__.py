"""`cogsym languages`: the languages that the toolkit knows, and the way in for one that it does not."""

from __future__ import annotations

import typer

from toolkit.cli.languages import check, listing, new, review, search, show, table

app = typer.Typer(no_args_is_help=True, help="List, find, show, add and check languages.")
app.command("list")(listing.list_)
for verb in (search.search, show.show, new.new, check.check, table.table, review.review, review.comment):
    app.command()(verb)
