"""``oodkit cache``: the extracted outputs that are kept between runs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from oodkit.cli.options import CacheOption, JsonOption
from oodkit.wording import counted, printable, size

if TYPE_CHECKING:
    from oodkit.cache import Entry  # which the help of other commands need not wait for

app = typer.Typer(help="List or clear the extracted outputs that are kept between runs.", no_args_is_help=True)


@app.command("list")
def list_entries(cache: CacheOption = None, json_: JsonOption = False) -> None:
    """One line an entry: key, model, image set, precision, images, size, and whether it is complete."""
    from oodkit.cache import cache_entries, cache_root

    root = cache or cache_root()
    entries = cache_entries(root)
    if json_:
        rows = [
            {"key": entry.key, "folder": str(entry.folder), "bytes": entry.bytes, "missing_shards": entry.missing}
            | ({"count": entry.manifest.count, **entry.manifest.about} if entry.manifest else {})
            for entry in entries
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    for entry in entries:
        images = counted(entry.manifest.count if entry.manifest else 0, "image", "images")
        probe = [] if (spec := entry.about("probe")) == "?" else [f"probe {spec}"]
        of = [str(entry.about(fact)) for fact in ("model", "images", "dtype")]
        typer.echo(printable("  ".join([entry.key, *of, *probe, images, size(entry.bytes), _state(entry.missing)])))
    typer.echo(f"{_all(entries)} in {printable(str(root))}")


@app.command("clear")
def clear(
    keys: Annotated[
        list[str] | None, typer.Argument(help="Keys, or how they begin; without any, everything goes.", show_default=False)
    ] = None,
    cache: CacheOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before clearing everything.")] = False,
) -> None:
    """Delete entries; a later run makes them again. Do so where images were replaced and kept their sizes and times of change."""
    from oodkit.cache import cache_root, clear_cache

    root = cache or cache_root()
    if not keys and not yes:
        typer.confirm(f"Delete everything in {root}?", abort=True, err=True)
    gone = clear_cache(keys or None, root)
    typer.echo(f"deleted {_all(gone)}")


def _state(missing: int | None) -> str:
    if missing is None:
        return "its manifest can't be read"
    return f"{counted(missing, 'shard', 'shards')} missing" if missing else "complete"


def _all(entries: "Sequence[Entry]") -> str:
    return f"{counted(len(entries), 'entry', 'entries')}, {size(sum(entry.bytes for entry in entries))}"
