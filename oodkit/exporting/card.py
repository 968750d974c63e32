"""The model card of an export: what it is, what was done and measured, how to load it, what it is for and what it is not."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oodkit.classifier import Classifier
from oodkit.exporting.head_file import Making
from oodkit.exporting.loading_code import loading_code
from oodkit.exporting.target import MARK
from oodkit.models.file_facts import architecture_of
from oodkit.report.gfm import bullets, escape, section
from oodkit.report.model_card import ALWAYS, PAPER, limits, measured, model_index, scalar
from oodkit.report.model_names import renamed
from oodkit.report.numerals import with_interval
from oodkit.report.remarks import scorers_best_first, summary_result
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repairs import repair_of, share_name
from oodkit.wording import counted, without_folders

Document = Mapping[str, Any]

# those of https://huggingface.co/docs/hub/repositories-licenses that timm's weights are under; any other is "other" there
ON_THE_HUB = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0"}
CLASSES_NAMED = 5
BEST = 5  # scorers in the table, beside the two that need nothing but logits
LIBRARIES = {"timm": "timm", "onnx": "onnx"}  # by the form; every other one is oodkit's own to read
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
FORMS = {
    "head": "the last layer alone",
    "timm": "a whole timm model",
    "state-dict": "the weights by parameter name",
    "onnx": "an ONNX graph",
    "detector": "a detector: the last layer, a fitted scorer and a calibrated threshold",
}


def card_text(
    model: Classifier,
    form: str,
    file: str,
    *,
    making: Making,
    document: Document | None = None,
    scoring: Sequence[str] = (),
    scorer: str | None = None,
) -> str:
    """The card. form: a key of ``FORMS``. file: the export's own name. document: of the run whose figures it is to show.

    scoring: of a detector, sentences on its scorer and threshold. scorer: its spec; the card tells of its figures first, and of no
    scorer that was picked in its place.
    """
    shown = None if document is None else _as_told(document, model)
    told = shown if shown is None or scorer is None else _of_scorer(shown, scorer)
    blocks = [
        "\n".join(["---", *_front_matter(model, form, told, document), "---"]),
        MARK,
        f"# {escape(without_folders(model.name))}",
        _what_it_is(model, form),
        "## What was done",
        bullets([*_done(model, making), *scoring]),
        "## What was measured",
        *([] if shown is None or scorer is None else [_of_the_exported(shown, scorer)]),
        *_figures(making, document, shown, scorer),
        "## How to load it",
        *loading_code(model, form, file),
        "## Intended use",
        bullets(_intended(model)),
        "## Limits",
        bullets([*([] if told is None else limits(told)), *_limits(model)]),
        "## Licence",
        escape(_licence_in_words(model)),
    ]
    return "\n\n".join(blocks) + "\n"


def _front_matter(model: Classifier, form: str, shown: Mapping[str, Any] | None, document: Document | None) -> list[str]:
    base = base_model(model)
    facts = {"library_name": LIBRARIES.get(form, "oodkit"), "pipeline_tag": "image-classification"}
    if licence := _licence(model):
        known = licence.lower() in ON_THE_HUB
        facts |= {"license": licence.lower()} if known else {"license": "other", "license_name": licence}
    facts |= {} if base is None else {"base_model": base}
    facts |= {"base_model_relation": "finetune"} if base is not None and model.origin else {}
    lines = [f"{name}: {scalar(value)}" for name, value in facts.items()]
    lines += ["tags:", "- image-classification", "- out-of-distribution-detection", "- oodkit"]
    return lines + ([] if shown is None or document is None else model_index(shown, document["sets"]))


def base_model(model: Classifier) -> str | None:
    """The id that the source weights have on the Hub, if they are from there."""
    source = model.as_loaded().name
    found = source.removeprefix("hf-hub:").partition("@")[0] if source.startswith("hf-hub:") else model.about.get("hf_hub_id")
    return found if isinstance(found, str) and HUB_NAME.fullmatch(found) else None


def _what_it_is(model: Classifier, form: str) -> str:
    source = escape(without_folders(model.as_loaded().name))
    classes = f"an image classifier of {model.num_classes} classes"
    head = "with another last layer" if model.origin else "as it was loaded"
    return f"{FORMS[form][0].upper()}{FORMS[form][1:]}, of {source}, {classes}, {head}. Written by oodkit."


def _done(model: Classifier, making: Making) -> list[str]:
    of = model.as_loaded()
    architecture = architecture_of(model)
    lines = [f"source: {without_folders(of.name)}" + (f", architecture {architecture}" if architecture else "")]
    lines.append(f"hash of the source's weights: {of.weights}")
    layers = ", ".join(model.head.layers)
    if model.origin is None:
        return [*lines, "nothing was changed: the weights are the source's own"]
    if making.method == "AugDelete":
        how = f"refitted by plain cross-entropy, without label smoothing or mixup (AugDelete: {PAPER})"
    else:
        how = f"replaced ({making.method})" if making.method else "replaced"
    lines.append(f"the last layer ({layers}) was {how}; all else is as it was")
    if making.fraction is not None or making.data is not None:
        share = "" if making.fraction is None else f"{share_name(making.fraction)} of "
        lines.append(
            f"it was fitted on {share}the training images{'' if making.data is None else f' {without_folders(making.data)}'}"
        )
    return lines


def _as_told(document: Document, model: Classifier) -> Mapping[str, Any]:
    """The model as the run tells of it, the repaired one of a repair; its name, and its baseline's, without folders."""
    told = document["models"][-1 if repair_of(document) else 0]
    names = [name for name in (told["name"], told["baseline"]) if name]
    verdict, facts = told["verdict"], told["facts"]
    sentence, evidence = _without_folders(verdict["sentence"], names), [_without_folders(one, names) for one in verdict["evidence"]]
    notes = [_without_folders(note, names) for note in facts["notes"]]
    own = {"verdict": {**verdict, "sentence": sentence, "evidence": evidence}, "facts": {**facts, "notes": notes}}
    return {**told, **own, "name": without_folders(model.name)}


def _without_folders(text: str, names: Iterable[str]) -> str:
    """The text with these names cut."""
    return renamed(text, {name: without_folders(name) for name in names})


def _label(shown: Mapping[str, Any], scorer: str) -> str | None:
    """What the run calls the scorer; None where it did not measure it with these settings."""
    return next((row["scorer"] for row in shown["results"] if row["spec"] == scorer), None)


def _of_scorer(shown: Mapping[str, Any], scorer: str) -> Mapping[str, Any]:
    """The model with the figures of this scorer, the best one of itself; other figures only where it is the best of all.

    Its rivals are the best one's, and say nothing of this scorer.
    """
    label = _label(shown, scorer)
    if label is not None and label == shown["best"]:
        return shown
    return {**shown, "best": label, "rivals": [], "results": [row for row in shown["results"] if row["scorer"] == label]}


def _of_the_exported(shown: Mapping[str, Any], scorer: str) -> str:
    label = _label(shown, scorer)
    row = None if label is None else summary_result(shown, label)
    if row is None or not row["auroc"]:
        return escape(
            f"The scorer of this export, {scorer}, was not measured with these settings; the figures are of other scorers."
        )
    figures = f"AUROC {with_interval(row['auroc'], unit=' %')}, FPR@95 {with_interval(row['fpr95_ood'], unit=' %')}"
    return f"The scorer of this export, {escape(scorer)}: {shown['summary']} {figures}."


def _figures(making: Making, document: Document | None, shown: Mapping[str, Any] | None, scorer: str | None) -> list[str]:
    if document is None or shown is None:
        told = [f"{name}: {json.dumps(value)}" for name, value in making.metrics.items()]
        return [bullets(told) if told else "Nothing was measured; `oodkit diagnose` does."]
    exported = None if scorer is None else _label(shown, scorer)
    if (repair := repair_of(document)) is None:
        return measured(shown if exported is None or scorer is None else _of_scorer(shown, scorer), dict(document))
    sentence = _without_folders(repair["sentence"], [repair["before"]])
    few = {*scorers_best_first(shown)[:BEST], *ALWAYS, exported}
    changes = sorted((row for row in repair["changes"] if row["scorer"] in few), key=lambda row: row["scorer"] != exported)
    others = len({row["scorer"] for row in repair["changes"]} - few)
    sheets = repair_sheets({**document, "repair": {**repair, "changes": changes}}, intervals=True)
    told = [block for sheet in sheets if sheet.title.startswith("Before and after") for block in section(sheet)]
    rest = [f"Measured and not shown: {counted(others, 'scorer', 'scorers')}."] if others else []
    return [f"**{escape(sentence)}**", *told, *rest]


def _intended(model: Classifier) -> list[str]:
    names = model.class_names or ()
    more = "; …" if len(names) > CLASSES_NAMED else ""
    which = f" ({'; '.join(names[:CLASSES_NAMED])}{more})" if names else ""
    return [
        f"classifying images into {model.num_classes} classes{which}",
        "noticing images that belong to none of them, by a score of its features or logits: the lower, the less it belongs",
    ]


def _limits(model: Classifier) -> list[str]:
    head = ["Only the last layer was changed: images that its features do not tell apart are not told apart now."]
    return [
        *(head if model.origin else []),
        "A score says that an image is unusual, not why; do not rest on it alone where an image that slips through does harm.",
    ]


def _licence(model: Classifier) -> str | None:
    """None where it is not known; a stranger's config.json may hold anything in its place."""
    found = model.about.get("license")
    return found if isinstance(found, str) and found != "unknown" else None


def _licence_in_words(model: Classifier) -> str:
    licence, origin = _licence(model), model.about.get("origin_url")
    if licence is None:
        return "The licence of the source weights is not known to oodkit: look it up where they come from before you pass this on."
    where = f" (from {origin})" if origin else ""
    return f"The source weights{where} are under {licence}; what is made of them stays under its terms."
