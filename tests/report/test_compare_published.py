"""Published figures beside those of a comparison: of the very weights, of the architecture, or a line that says which there are."""

import csv
import io
import re

import pytest

from oodkit.report.compare import make_comparison
from oodkit.report.compare_forms import comparison_csv
from oodkit.report.compare_published import APART, EDGE
from oodkit.report.compare_sheets import remarks_on, sheets
from oodkit.report.numerals import with_interval
from oodkit.report.runs import Run

from .compared_runs import PLAIN, VALIDATOR, model_of, result


def published(pair, benchmark="imagenet-1k", **facts):
    run = pair[PLAIN]
    run.document["inputs"]["sets"]["benchmark"] = benchmark
    model_of(run)["facts"] |= facts
    model_of(run)["name"] = facts.get("name", PLAIN)
    (by_scorer,) = run.scores.values()
    document = make_comparison([("run", Run(run.document, {model_of(run)["name"]: by_scorer}))], command="x", published=True)
    VALIDATOR.validate(document)
    return document


def test_published_figures_stand_beside_those_of_the_very_weights(pair):
    document = published(pair, name="resnet50.tv2_in1k", source="timm", architecture="resnet50")
    (told,) = document["published"]
    (entry,) = told["entries"]
    assert (told["same_weights"], told["missing"]) == (True, None)
    assert (entry["model"], entry["source"]) == ("ResNet-50 v2", "Xiong et al. 2025")
    rows = {(row["scorer"], row["metric"]): row for row in entry["rows"]}
    mls = next(row for row in model_of(pair[PLAIN])["results"] if (row["scorer"], row["ood_set"]) == ("mls", "mean"))
    assert rows["mls", "auroc"]["published"] == pytest.approx(0.7284)
    assert rows["mls", "fpr95_ood"]["published"] == pytest.approx(0.8475)
    assert rows["mls", "auroc"]["measured"] == mls["auroc"]
    assert rows["mls", "auroc"]["group"] == "mean"
    assert rows["mls", "auroc"]["difference"] == pytest.approx(mls["auroc"]["value"] - 0.7284, abs=1e-6)
    assert {scorer for scorer, _ in rows} == {"mls", "knn:k=5", "knn:k=7"}
    accuracy = model_of(pair[PLAIN])["accuracy"]
    assert (entry["accuracy"]["measured"], entry["accuracy"]["published"]) == (accuracy, 0.8092)
    assert entry["accuracy"]["difference"] == pytest.approx(accuracy["value"] - 0.8092, abs=1e-6)
    (sheet,) = sheets(document)[1:]
    assert with_interval(mls["auroc"]) in next(row for row in sheet.rows if row[3:6] == ["mls", "mean", "AUROC"])
    assert EDGE in sheet.below
    assert entry["cautions"] == [APART]
    assert told["cautions"] == ["not the whole benchmark: 40 of 45,000 ID images"]


def test_accuracies_half_a_point_apart_are_no_caution(pair):
    model_of(pair[PLAIN])["accuracy"] = {"value": 0.8139, "low": 0.8, "high": 0.82}
    (told,) = published(pair, name="resnet50.tv2_in1k", source="timm", architecture="resnet50")["published"]
    assert told["entries"][0]["cautions"] == []


def test_a_file_is_held_against_its_architecture_and_that_is_said(pair):
    facts = {"name": "mine.pth", "source": "file", "architecture": "torchvision:resnet50"}
    (told,) = published(pair, **facts)["published"]
    assert told["entries"] == [], "its head takes 4 features"
    document = published(pair, **facts, num_features=2048)
    (told,) = document["published"]
    assert told["same_weights"] is False
    assert {entry["method"] for entry in told["entries"]} >= {"standard", "AugDelete", "AugRevise"}
    assert all("same architecture, not known to be the same weights" in entry["cautions"] for entry in told["entries"])
    own = with_interval(model_of(pair[PLAIN])["accuracy"])
    (sheet,) = sheets(document)[1:]
    accuracies = {(row[2], row[7]): row[6] for row in sheet.rows if row[5] == "accuracy"}
    assert set(accuracies.values()) == {own}
    assert {("AugRevise", "77.70"), ("standard", "76.18")} <= set(accuracies)
    assert {entry["method"] for entry in told["entries"]} == {method for method, _ in accuracies}
    lines = [line for line in csv.DictReader(io.StringIO(comparison_csv(document))) if line["source"] != "measured"]
    assert all("not the whole benchmark: 40 of 45,000 ID images; same" in line["notes"].replace(f"{APART}; ", "") for line in lines)
    assert {line["group"] for line in lines} == {"near mean", "far mean", "mean"}
    assert all(len(line[name]) <= 6 for line in lines for name in ("auroc", "fpr95_ood", "accuracy"))


@pytest.mark.parametrize(
    ("benchmark", "missing"),
    [
        (None, "they are for whole benchmarks, so diagnose with --benchmark NAME and not with sets of your own"),
        (
            "imagenet-1k",
            "none are known of this network on imagenet-1k.*are figures of torchvision:resnet50/IMAGENET1K_V1, .*: resnet50, ",
        ),
        ("imagenet-200", "none are known of this network .*; a file has those of its architecture, given by --arch .*: resnet18$"),
        ("cifar10", "none are known of this network on cifar10, or none of the scorers that were run$"),
    ],
)
def test_where_nothing_matches_one_line_says_what_would(pair, benchmark, missing):
    document = published(pair, benchmark, name="resnet50.a1_in1k", source="timm", architecture="resnet50")
    (told,) = document["published"]
    assert (told["entries"], told["same_weights"]) == ([], None)
    assert re.match(missing, told["missing"])
    assert f"no published figures, A: {told['missing']}" in remarks_on(document)


def test_csv_has_a_line_for_each_result_and_each_published_figure(pair):
    document = published(pair, name="resnet50.tv2_in1k", source="timm", architecture="resnet50")
    lines = list(csv.DictReader(io.StringIO(comparison_csv(document))))
    measured = [line for line in lines if line["source"] == "measured"]
    assert len(measured) == len(document["results"])
    row = result(document, "mls", "mean", "A")
    line = next(line for line in measured if (line["scorer"], line["ood_set"]) == ("mls", "mean"))
    assert (float(line["auroc"]), float(line["fpr95_ood_high"])) == (row["auroc"]["value"], row["fpr95_ood"]["high"])
    told = [line for line in lines if line["source"] == "Xiong et al. 2025, Table 3" and line["scorer"] == "mls"]
    assert [(line["auroc"], line["fpr95_ood"]) for line in told] == [("0.7284", ""), ("", "0.8475")]
