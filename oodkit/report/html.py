"""The document as one self-contained HTML file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.evaluation import MEANS
from oodkit.report.document import Document
from oodkit.report.pictures import density_svg, mixed_svg
from oodkit.report.remarks import (
    mixed_table,
    printable,
    remarks,
    scorers_best_first,
    set_remarks,
    settings_in_words,
    summary_result,
    tuning_remarks,
    tuning_rows,
    tuning_title,
    useful_means,
)


def write_html(document: Document, path: Path) -> None:
    """Write the report. It opens offline: pictures are inline SVG, there is no script and no request."""
    html = render_html(document)
    write_atomically(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))


def render_html(document: Document) -> str:
    """The report's text. Everything that comes from the user's files is escaped."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("oodkit.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_finished
    )
    environment.filters["percent"] = _percent
    environment.filters["interval"] = _interval
    environment.filters["shade"] = _shade
    environment.filters["number"] = _number
    environment.filters["settings"] = settings_in_words
    models = [
        {
            **model,
            "top": summary_result(model, model["best"]),
            "mls": summary_result(model, "mls"),
            "columns": _columns(model["results"]),
            "table": _by_scorer(model),
            "remarks": remarks(model),
            "searched": model["tuning"]
            and {"title": tuning_title(model), "rows": tuning_rows(model), "remarks": tuning_remarks(model)},
            "density": Markup(density_svg(model)),  # noqa: S704 (made by matplotlib from numbers; it escapes the set names)
            "mixed": model["mixed"] and {**model["mixed"], **mixed_table(model["mixed"])},
            "mixed_curve": model["mixed"] and Markup(mixed_svg(model["mixed"])),  # noqa: S704 (as above)
        }
        for model in document["models"]
    ]
    sets = [{**one, "remarks": set_remarks(one)} for one in document["sets"]]
    return environment.get_template("report.html.j2").render(document=document, models=models, sets=sets)


def _finished(value: object) -> object:
    """What a template's expression becomes, before it is escaped; markup of our own is left as it is."""
    return printable(value) if type(value) is str else value


def _columns(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Set and group, near before far, each with its mean where that is over several sets."""
    shown = useful_means(results)
    columns = dict.fromkeys((row["ood_set"], row["group"]) for row in results)
    return [(name, group) for name, group in columns if name not in MEANS or name in shown]


def _by_scorer(model: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    table: dict[str, dict[str, Mapping[str, Any]]] = {scorer: {} for scorer in scorers_best_first(model)}
    for row in model["results"]:
        table[row["scorer"]][row["ood_set"]] = row
    return table


def _percent(fraction: float | None, digits: int = 2) -> str:
    return "–" if fraction is None else f"{100 * fraction:.{digits}f}"


def _interval(estimate: Mapping[str, float] | None) -> str:
    return "" if estimate is None else f"95 % interval {100 * estimate['low']:.2f} to {100 * estimate['high']:.2f}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _shade(estimate: Mapping[str, float] | None) -> str:
    """How strongly a heat cell is tinted: nothing at AUROC 0.5 and below, fully at 1."""
    strength = 0.0 if estimate is None else max(0.0, min(1.0, 2 * estimate["value"] - 1))
    return f"{60 * strength**2:.0f}%"
