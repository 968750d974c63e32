"""A run as one self-contained HTML file."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.evaluation import MEANS
from oodkit.report.ablation_page import ablation_html
from oodkit.report.ablations import KIND as ABLATION
from oodkit.report.glossary import terms_of
from oodkit.report.markup import drawn, environment_with, frame
from oodkit.report.model_names import named_after, short_names
from oodkit.report.papers import source_of
from oodkit.report.pictures import mixed_svg, ridges_svg, roc_svg, scatter_svg
from oodkit.report.qualities import KIND as QUALITY
from oodkit.report.quality_page import quality_html
from oodkit.report.remarks import (
    mixed_table,
    remarks,
    scorers_best_first,
    set_remarks,
    summary_result,
    tuning_remarks,
    tuning_rows,
    tuning_title,
    useful_means,
)
from oodkit.report.repair_view import repair_view
from oodkit.report.repairs import repair_of
from oodkit.report.runs import Run
from oodkit.report.tiles import all_lists, lists_of, tiles, within_limits

Model = Mapping[str, Any]


def write_html(run: Run, path: Path) -> None:
    """Write the report. It opens offline: pictures and images stand in the page itself, and its policy forbids every request."""
    html = render_html(run)
    write_atomically(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))


def render_html(run: Run) -> str:
    """The report's text. Everything that comes from the user's files is escaped, and no script but the report's own can run."""
    document, thumbnails = run.document, run.thumbnails
    if document["kind"] == ABLATION:
        return ablation_html(document)
    if document["kind"] == QUALITY:
        return quality_html(document, thumbnails)
    terms = terms_of(document)
    environment = environment_with({one["key"] for one in terms})
    short = short_names(dict.fromkeys(name for model in document["models"] for name in (model["name"], model["baseline"]) if name))
    if repair_of(document):
        short = named_after(short, *(model["name"] for model in document["models"][:2]))
    shortly = [{**model, "name": short[model["name"]]} for model in document["models"]]
    known = {
        "document": document,
        "short": short,
        "data": _data(document["sets"]),
        "sets": [{**one, "remarks": set_remarks(one)} for one in document["sets"]],
        "repair": (repair := repair_view(document, short)),
        "scatter": drawn(scatter_svg(shortly)) if len(shortly) > 1 and repair is None else None,
        "terms": terms,
        **frame(environment),
    }
    models = [_model(f"m{place}", model, short[model["name"]]) for place, model in enumerate(document["models"])]

    def page(shown: int) -> str:
        with_images = [{**model, "images": _images(model, thumbnails, shown)} for model in models]
        rendered: str = environment.get_template("report.html.j2").render(known, models=with_images, images_shown=shown)
        return rendered

    return within_limits(page, all_lists(models), thumbnails)


def _data(sets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The image sets that are tested on, by role."""
    return [{"role": role, "sets": own} for role in ("id", "near", "far") if (own := [one for one in sets if one["role"] == role])]


def _model(key: str, model: Model, short: str) -> dict[str, Any]:
    """A model as the templates read it, but for its images: all that the document says, and what is made of it."""
    table = _by_scorer(model)
    view = {
        **model,
        "id": key,
        "sentence": model["verdict"]["sentence"].replace(model["name"], short),
        "top": summary_result(model, model["best"]),
        "mls": summary_result(model, "mls"),
        "gaps": _widest_apart([row for row in model["max_logits"] if row["gap"] is not None]),
        "columns": _columns(model),
        "table": table,
        "by_auroc": _is_by_auroc(model),
        "sources": {scorer: source_of(scorer) for scorer in table},
        "remarks": remarks(model),
        "searched": model["tuning"]
        and {"title": tuning_title(model), "rows": tuning_rows(model), "remarks": tuning_remarks(model)},
        "mixed": model["mixed"] and _mixed(model["mixed"], model["summary"]),
        **_pictures(model),
    }
    return {**view, "sections": _sections(view)}


def _sections(view: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the page's bar leads to: the key of each section that there is, and its title."""
    every = {"images": "Images", "max-logits": "Maximal logit", "scorers": "Scorers", "mixed": "Mixed images", "tuning": "Settings"}
    left_out = {"images": not _has_images(view), "mixed": not view["mixed"], "tuning": not view["searched"]}
    return [("summary", "Verdict"), *((key, title) for key, title in every.items() if not left_out.get(key))]


def _widest_apart(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The smallest and the largest gap; one alone where there is but one."""
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: row["gap"]["value"])
    return [ordered[0]] if len(ordered) == 1 else [ordered[0], ordered[-1]]


def _has_images(model: Model) -> bool:
    return bool(model["extremes"]) and any(lists_of(model["extremes"]))


def _images(model: Model, thumbnails: Mapping[str, bytes], shown: int) -> dict[str, Any] | None:
    """The images of each list, ``shown`` at most, each with what is said of it; None where there are none."""
    extremes, groups = model["extremes"], _groups(model)
    if not _has_images(model):
        return None
    return {
        "scorer": extremes["scorer"],
        "accepted": [
            {"name": name, "group": groups[name], "note": _kept_out(model, name), "images": tiles(images[:shown], thumbnails)}
            for name, images in extremes["accepted"].items()
        ],
        "rejected": tiles(extremes["rejected"][:shown], thumbnails, of=_id_images(model)),
        "classes_are_named": any(one["predicted_name"] is not None for images in lists_of(extremes) for one in images),
        "left_out": max(map(len, lists_of(extremes))) > shown,
    }


def _kept_out(model: Model, name: str) -> str:
    """Where even the images that come first come to nothing: what is seen there slips through no threshold that is of use."""
    of = (model["extremes"]["scorer"], name)
    row = next((row for row in model["results"] if (row["scorer"], row["ood_set"]) == of), None)
    if row is None or row["fpr95_id"] is None or row["fpr95_id"]["value"] > 0:
        return ""
    return "Even these stand below nearly all ID images: a threshold that accepts 95 % of those rejects this whole set."


def _id_images(model: Model) -> int:
    count: int = next(row["n"] for row in model["max_logits"] if row["group"] == "id")
    return count


def _groups(model: Model) -> dict[str, str]:
    return {row["image_set"]: row["group"] for row in model["max_logits"]}


def _pictures(model: Model) -> dict[str, Any]:
    groups, densities = _groups(model), model["densities"]
    curves = {name: [one for one in model["roc"] if one["ood_set"] == name] for name in groups}
    return {
        "ridges": [{"caption": one["model"], "svg": drawn(ridges_svg(one, groups))} for one in densities if one["scorer"] == "mls"],
        "best_ridges": [drawn(ridges_svg(one, groups)) for one in densities if one["scorer"] != "mls"],
        "curves": [{"name": name, "group": groups[name], "svg": drawn(roc_svg(own, name))} for name, own in curves.items() if own],
        "mixed_curve": model["mixed"] and drawn(mixed_svg(model["mixed"])),
    }


def _columns(model: Model) -> list[tuple[str, str]]:
    """Set and group: the mean that all is compared by, the means of groups of several sets, then the sets, near before far."""
    groups = {row["ood_set"]: row["group"] for row in model["results"]}
    return [(name, groups[name]) for name in _means_first(groups, useful_means(model["results"]), model["summary"])]


def _means_first(names: Iterable[str], means: Sequence[str], summary: str) -> list[str]:
    """What a table has no room for scrolls away at its right: that should tell the least."""
    shown = [name for name in names if name not in MEANS or name in means]
    return sorted(shown, key=lambda name: (name != summary, name not in MEANS))


def _mixed(mixed: Mapping[str, Any], summary: str) -> dict[str, Any]:
    """With its table, which begins with ID and the mean that the curve draws."""
    table = mixed_table(mixed)
    own, *others = table["columns"]
    return {**mixed, **table, "columns": [own, *_means_first(others, others, summary)]}


def _is_by_auroc(model: Model) -> bool:
    """Whether scorers, best first, stand by their AUROC alone: no one in doubt has a higher one than another that is not."""
    rows = (summary_result(model, scorer) for scorer in scorers_best_first(model))
    aurocs = [row["auroc"]["value"] for row in rows if row and row["auroc"]]
    return aurocs == sorted(aurocs, reverse=True)


def _by_scorer(model: Model) -> dict[str, dict[str, Mapping[str, Any]]]:
    table: dict[str, dict[str, Mapping[str, Any]]] = {scorer: {} for scorer in scorers_best_first(model)}
    for row in model["results"]:
        table[row["scorer"]][row["ood_set"]] = row
    return table
