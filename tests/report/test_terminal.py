"""The terminal's tables: the figures that models and scorers are compared by stand beside their intervals."""

import copy

import pytest

from oodkit.report.remarks import scorers_best_first, summary_result
from oodkit.report.terminal import print_document
from oodkit.wording import printable


@pytest.fixture
def told(document, capsys):
    def tell() -> str:
        print_document(document)
        return capsys.readouterr().out

    return tell


def table_of(printed: str, title: str) -> list[str]:
    """The lines below the table's title, from its heads on."""
    lines = printed.splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith(title)) + 1 :]


def limits(estimate) -> str:
    return f"{100 * estimate['low']:.2f} to {100 * estimate['high']:.2f}"


def test_every_scorer_has_the_interval_of_the_mean_that_it_is_compared_by(document, told):
    """Right after that mean, which is the last column; of scorers without figures a dash."""
    model = document["models"][0]
    heads, *lines = table_of(told(), "Scorers")
    assert heads.rstrip().endswith(f"  {model['summary']} AUROC, 95 % interval")
    for scorer, line in zip(scorers_best_first(model), lines, strict=False):
        estimate = summary_result(model, scorer)["auroc"]
        *_, before, interval = (part.strip() for part in line.split("  ") if part.strip())
        assert interval == ("–" if estimate is None else limits(estimate))
        assert estimate is None or before.startswith(f"{100 * estimate['value']:.2f} / ")


def test_one_image_is_no_images(document, told):
    document["sets"][0]["read"] = 1
    printed = told()
    assert f"1 image of {document['sets'][0]['spec']}" in printed
    assert " 1 images" not in printed


def test_the_heads_say_which_sets_are_near_and_which_are_far(document, told):
    heads, *_ = table_of(told(), "Scorers")
    names = {row["ood_set"]: row["group"] for row in document["models"][0]["results"] if row["group"] in ("near", "far")}
    assert [f"{printable(name)} ({group})" in heads for name, group in names.items()] == [True] * len(names) != []


def test_models_are_compared_with_intervals(document, told):
    document["models"].append(copy.deepcopy(document["models"][0]))
    model = document["models"][0]
    heads, line, *_ = table_of(told(), "2 models compared")
    names = ["model", "verdict", "best scorer", "ID accuracy", "maximal logit, AUROC", "best scorer, AUROC", "FPR@95"]
    assert [part.strip() for part in heads.split("  ") if part.strip()] == names
    mls, top = (summary_result(model, scorer)["auroc"] for scorer in ("mls", model["best"]))
    for estimate in (mls, top):
        assert f" {100 * estimate['value']:.2f} ({limits(estimate)}) " in line


def test_where_nothing_was_scored_a_comparison_has_dashes(document, told):
    model = document["models"][0]
    model["best"] = None
    for row in model["results"]:
        row.update(auroc=None, fpr95_ood=None, reason="none")
    document["models"].append(copy.deepcopy(model))
    _, line, *_ = table_of(told(), "2 models compared")
    assert line.count("–") == 4


def test_the_maximal_logits_tables_show_values_and_dashes_for_what_is_not_defined(document, told):
    model = document["models"][0]
    estimate = {"value": 0.25, "low": 0.125, "high": 0.375}
    chances = dict.fromkeys(("p_baseline", "p_model", "delta_p"), estimate)
    model["shifts"] = [{"ood_set": "far", "group": "far", "r_id": estimate, "r_ood": estimate, "ratio": None, **chances}]
    printed = told()
    _, inside, outside, *_ = table_of(printed, "Maximal logit")
    row = model["max_logits"][1]
    assert inside.rstrip().endswith("–")
    assert outside.split()[-3:] == [f"{row['mean']['value']:.3f}", f"{row['std']:.3f}", f"{row['gap']['value']:+.2f}"]
    _, line, *_ = table_of(printed, "Maximal-logit shift")
    assert line.split() == ["far", "far", "+0.250", "+0.250", "–", "0.250", "0.250", "+0.250"]
