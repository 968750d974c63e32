"""The document as a section of a Hugging Face model card, with the figures in the front matter that the Hub reads."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.evaluation import GROUPS, MEANS
from oodkit.report.document import Document
from oodkit.report.gfm import bullets, escape, fenced, section, table
from oodkit.report.markdown import made
from oodkit.report.numerals import with_interval
from oodkit.report.remarks import remarks, scorers_best_first, summary_result, useful_means
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repairs import repair_of
from oodkit.report.sheets import auroc_and_fpr
from oodkit.scorers import parse_scorer, read_spec
from oodkit.wording import counted, printable

BEST = 3  # scorers in the table, beside the two that need nothing but logits
ALWAYS = ("msp", "mls")
LEARNT_FROM = {"train": "ID training images", "val": "ID validation images"}
PAPER = "Xiong et al., Diagnosing Pretrained Models for Out-of-distribution Detection, ICCV 2025, Algorithm 1"
CLASSIFYING = {"type": "image-classification", "name": "Image classification"}
DETECTING = {"type": "out-of-distribution-detection", "name": "Out-of-distribution detection"}
LOADING = ("arch", "checkpoint", "input_size", "mean", "std", "model_args", "allow_pickle")  # what load_classifier takes

Model = Mapping[str, Any]


def render_model_card(document: Document) -> str:
    """The section, below the metadata where the run is of one model, or of one and its repair: then it is the repaired model's.

    The metadata is a ``model-index`` as https://github.com/huggingface/hub-docs/blob/main/modelcard.md has it, in fractions. A
    card is one model's: of several each has a section of its own to take, and no metadata.
    """
    models = document["models"][1:] if repair_of(document) else document["models"]
    blocks = ["\n".join(["---", *model_index(models[0], document["sets"]), "---"])] if len(models) == 1 else []
    for model in models:
        blocks += _section(model, document, alone=len(models) == 1)
    return "\n\n".join([*blocks, *made(document)]) + "\n"


def model_index(model: Model, sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of YAML that have the model's figures on the document's sets, as the Hub reads them."""
    specs = {one["name"]: one["spec"] for one in sets}
    accuracy = {"type": "accuracy", "name": "Accuracy", "value": model["accuracy"]["value"]}
    lines = ["model-index:", f"- name: {scalar(model['name'])}", "  results:"]
    lines += _result(CLASSIFYING, _dataset("in-distribution", specs.get("id", "")), [accuracy])
    means = useful_means(model["results"])
    for name in dict.fromkeys(row["ood_set"] for row in model["results"]):
        found = {row["scorer"]: row for row in model["results"] if row["ood_set"] == name}
        metrics = _metrics([found[scorer] for scorer in _headline(model) if scorer in found])
        if metrics and (name not in MEANS or name in means):
            lines += _result(DETECTING, _dataset(name, specs.get(name, "")), metrics)
    return lines


def _result(task: Mapping[str, str], dataset: Mapping[str, str], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"  - task: {_flow(task)}",
        f"    dataset: {_flow(dataset)}",
        "    metrics:",
        *(f"    - {_flow(one)}" for one in metrics),
    ]


def _metrics(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    metrics = []
    for row in (one for one in rows if one["auroc"]):
        metrics.append({"type": "roc_auc", "name": f"AUROC, {row['scorer']}", "value": row["auroc"]["value"]})
        metrics.append({"type": "fpr95", "name": f"FPR@95, {row['scorer']}", "value": row["fpr95_ood"]["value"]})
    return metrics


def _dataset(name: str, spec: str) -> dict[str, str]:
    """Its id on the Hub where it is from there, as the Hub asks for, else its name: results of one type are taken for one set's."""
    if not spec.startswith("hf:") or spec[3:4] in {"/", "."}:
        return {"type": name, "name": name}
    path, _, split = spec[3:].partition(":")
    owner_and_name, config = "/".join(path.split("/")[:2]), "/".join(path.split("/")[2:])
    return {"type": owner_and_name, "name": name, **({"config": config} if config else {}), **({"split": split} if split else {})}


def _flow(facts: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in facts.items()) + "}"


def scalar(value: str | float) -> str:
    """A value as YAML on one line, whatever it holds."""
    # a JSON string is a YAML one, but for two characters that YAML will not have unescaped
    if not isinstance(value, str):
        return f"{value:.4f}"
    return json.dumps(printable(value), ensure_ascii=False).replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def _headline(model: Model) -> list[str]:
    return list(dict.fromkeys(scorer for scorer in (model["best"], *ALWAYS) if scorer))


def _section(model: Model, document: Document, *, alone: bool) -> list[str]:
    return [
        "## Out-of-distribution detection" + ("" if alone else f": {escape(model['name'])}"),
        *measured(model, document),
        *(_before_and_after(document) if repair_of(document) else []),
        *_how_to_score(model, document),
        "### Limits",
        bullets(limits(model)),
    ]


def _before_and_after(document: Document) -> list[str]:
    """What was done to the model, and every scorer's figures before and after it."""
    repair = document["repair"]
    data, taken = repair["train"]["spec"], counted(repair["train"]["taken"], "image", "images")
    first, *_ = repair_sheets(document, intervals=True)
    return [
        "### What was done",
        escape(
            f"The last layer of {repair['before']} was refitted by plain cross-entropy on {taken} of {data} (AugDelete, {PAPER})."
        ),
        f"**{escape(repair['sentence'])}**",
        *section(first),
    ]


def measured(model: Model, document: Document) -> list[str]:
    """What was measured of the model and what it comes to: blocks to be set apart by empty lines."""
    sets = {one["name"]: one for one in document["sets"]}
    seen = ", ".join(f"{name} ({counted(one['read'], 'image', 'images')})" for name, one in sets.items() if one["role"] in GROUPS)
    question = f"How well does the classifier notice images that belong to none of its {model['facts']['num_classes']} classes?"
    tested_on = counted(sets["id"]["read"], "in-distribution test image", "in-distribution test images")
    against = f"Measured by oodkit {document['oodkit']} on {tested_on} against {seen}."
    shown = [*scorers_best_first(model)[:BEST], *ALWAYS]
    notes = remarks(model, shown)
    return [
        f"{question} {escape(against)} ID accuracy: {with_interval(model['accuracy'], unit=' %')}.",
        f"**{escape(model['verdict']['sentence'])}**",
        bullets(model["verdict"]["evidence"]),
        _table(model, shown),
        "AUROC / FPR@95 in percent, OOD being the positive class; in brackets 95 % intervals.",
        *([bullets(notes)] if notes else []),
    ]


def _table(model: Model, shown: Sequence[str]) -> str:
    found = [row for row in model["results"] if row["scorer"] in shown and row["auroc"]]
    columns = [name for name in dict.fromkeys(row["ood_set"] for row in found) if name not in MEANS]
    rows = []
    for scorer in (one for one in scorers_best_first(model) if one in {row["scorer"] for row in found}):
        cells = {row["ood_set"]: row for row in found if row["scorer"] == scorer}
        summary = summary_result(model, scorer) or {}
        learns = next(iter(cells.values()))["fits_on"]
        figures = [with_interval(summary.get(name), unit=" %") for name in ("auroc", "fpr95_ood")]
        rows.append([scorer, LEARNT_FROM.get(learns, "nothing"), *(auroc_and_fpr(cells.get(name)) for name in columns), *figures])
    head = ("scorer", "learns from", *columns, f"{model['summary']} AUROC", f"{model['summary']} FPR@95")
    return table(head, rows, words=2)


def _how_to_score(model: Model, document: Document) -> list[str]:
    """Python that makes the best scorer's scores of new images."""
    best = summary_result(model, model["best"])
    if best is None:
        return []
    preset = document["settings"]["preset"]
    scorer, settings = read_spec(best["spec"])
    probe = parse_scorer(best["spec"], preset).probe()
    probes = f", probes=[{probe!r}]" if probe else ""
    given = {"preset": preset, **settings} if preset != "openood" else settings
    made_as = f"oodkit.make_scorer({', '.join([repr(scorer), *_keywords(given)])})"
    loading = {name: value for name in LOADING if (value := document["inputs"]["loading"][name])}  # no other key is code
    repair = repair_of(document)
    name = model["name"] if repair is None else repair["before"]
    refitted = [] if repair is None else ['model = model.with_head(oodkit.Head.load("head.safetensors"))']
    learn = f'learn = oodkit.extract(model, oodkit.open_images("{LEARNT_FROM.get(best["fits_on"])}"){probes})'
    lines = [
        "import oodkit",
        "",
        f"model = oodkit.load_classifier({', '.join([repr(name), *_keywords(loading)])})",
        *refitted,
        *([learn] if best["fits_on"] else []),
        f'images = oodkit.extract(model, oodkit.open_images("new images"), labelled=False{probes})',
        f"scorer = {made_as}" + (".fit(learn)" if best["fits_on"] else ""),
        "scores = scorer.score(images)  # higher means more in-distribution",
    ]
    return ["### How to score with it", fenced(*lines, language="python")]


def _keywords(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values.items()]


def limits(model: Model) -> list[str]:
    """What the figures do not tell."""
    scorers = {row["scorer"] for row in model["results"] if row["auroc"]}
    picked = f"{model['best']} was picked as the best of {len(scorers)} scorers on these very image sets: confirm it on others."
    return [
        "The figures hold for these image sets and this preprocessing; other images can be noticed better or worse.",
        "The intervals tell how far so many images can mislead, and nothing of how far another training run would differ.",
        *([picked] if len(scorers) > 1 else []),
        "A threshold does not transfer: choose it on in-distribution images of the place where the classifier is used.",
    ]
