"""The document as Markdown, to be pasted into a pull request on GitHub.

No paragraph is broken into lines: in comments GitHub shows the breaks.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.gfm import bullets, escape, fenced, how_made, section, table
from oodkit.report.numerals import with_interval
from oodkit.report.remarks import in_pairs, set_remarks, summary_result, versions_and_date
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repairs import repair_notes, repair_of
from oodkit.report.sheets import comparison_sheet, model_sheets

Model = Mapping[str, Any]


def render_markdown(document: Document) -> str:
    """The report's text, with a line break at its end. Whatever comes from the user's files is text in it, and nothing else."""
    models = document["models"]
    blocks = _repair(document)
    if not blocks and len(models) > 1:
        blocks = section(comparison_sheet(models, intervals=True), level=2)
    for model in models:
        blocks += _model(model)
    return "\n\n".join([*blocks, *made(document)]) + "\n"


def _repair(document: Document) -> list[str]:
    """What a repair changed; nothing of a diagnosis."""
    if (repair := repair_of(document)) is None:
        return []
    notes = repair_notes(repair)
    return [
        f"## {escape(repair['before'])}: repair of the last layer",
        f"**{escape(repair['sentence'])}**",
        *(block for sheet in repair_sheets(document, intervals=True) for block in section(sheet)),
        *([bullets(notes)] if notes else []),
    ]


def _figures(model: Model) -> str:
    """The four that matter, with their 95 % intervals."""
    best = summary_result(model, model["best"])
    lines = [("ID accuracy", with_interval(model["accuracy"], unit=" %"))]
    if best:
        lines.append((f"{model['summary']} AUROC of {model['best']}, the best scorer", with_interval(best["auroc"], unit=" %")))
        lines.append((f"its {model['summary']} FPR@95", with_interval(best["fpr95_ood"], unit=" %")))
    gaps = [(row["image_set"], row["gap"]) for row in model["max_logits"] if row["gap"] is not None]
    lines += [(f"maximal-logit gap to {name}", with_interval(gap, 2, 1, sign=True)) for name, gap in gaps]
    return table(("figure", "value (95 % interval)"), lines)


def _model(model: Model) -> list[str]:
    verdict, facts = model["verdict"], model["facts"]
    described = f"{facts['num_classes']} classes; recipe: {facts['recipe']}"
    return [
        f"## {escape(model['name'])}: out-of-distribution diagnosis",
        escape(", ".join([*([facts["architecture"]] if facts.get("architecture") else []), described])),
        f"**{escape(verdict['sentence'])}**",
        bullets(verdict["evidence"]),
        _figures(model),
        *_advice(verdict["advice"]),
        *(block for sheet in model_sheets(model, intervals=True) for block in section(sheet)),
    ]


def _advice(advice: Iterable[Mapping[str, Any]]) -> list[str]:
    blocks = ["### What to do"]
    for number, one in enumerate(advice, 1):
        blocks.append(f"{number}. {escape(one['text'])}")
        if one["command"]:
            blocks.append(_indented(fenced(one["command"]), f"{number}. "))
    return blocks


def made(document: Document) -> list[str]:
    """How it was made, folded: command, image sets with the files that were skipped, preprocessing, settings, versions."""
    rows = [(one["name"], one["role"], one["spec"], str(one["read"]), str(one["skipped"])) for one in document["sets"]]
    notes = [f"{one['name']}: {line}" for one in document["sets"] for line in set_remarks(one)]
    facts = [f"preprocessing of {one['name']}: {in_pairs(one['facts']['preprocessing'])}" for one in document["models"]]
    facts += [f"settings: {in_pairs(document['settings'])}", versions_and_date(document)]
    return how_made(
        fenced(document["command"]),
        table(("set", "role", "source", "images read", "skipped"), rows, words=3),
        bullets([*notes, *facts]),
    )


def _indented(block: str, under: str) -> str:
    """The block as part of the list item that begins with ``under``."""
    return "\n".join(" " * len(under) + line for line in block.splitlines())
