"""An ablation in every form: the document fits its schema, every form tells all of it, and no name is obeyed."""

import csv
import io
import json
from copy import deepcopy
from dataclasses import fields
from importlib.resources import files

import jsonschema
import pytest

from oodkit.ablation import Ablation, Failure, Figures, Gain, Row, Spread, Trial
from oodkit.errors import InputError
from oodkit.report.ablation_forms import ablation_csv, ablation_markdown
from oodkit.report.ablation_settings import settings_in_words
from oodkit.report.ablation_sheets import ablation_sheets
from oodkit.report.ablations import best_row, remarks_on, spread, title_of
from oodkit.report.console import file_console
from oodkit.report.html import render_html, write_html
from oodkit.report.loading import EVERY_KIND, load_document
from oodkit.report.runs import Run, load_run, save_run
from oodkit.report.terminal import print_ablation

from .made_ablation import GROUPS, RECIPES, document_of, hostile_document, made

SCHEMA = json.loads(files("oodkit.report").joinpath("schemas/ablate.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FAILED = Failure("cutmix", 2, "the loss became nan at step 12")


@pytest.fixture
def document() -> dict:
    return document_of(made(failures=(FAILED,), notes=("a note",)))


def text_of(document: dict) -> str:
    file = io.StringIO()
    print_ablation(document, file_console(file))
    return file.getvalue()


def test_it_is_a_schema_whose_objects_are_closed_and_described():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for one in (SCHEMA, *SCHEMA["$defs"].values()):
        assert one["title"]
        assert one["description"]
        assert one["additionalProperties"] is False
        assert list(one["required"]) == list(one["properties"])
        assert all(value["description"] for value in one["properties"].values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("figures", Figures), ("trial", Trial), ("spread", Spread), ("gain", Gain), ("row", Row), ("failure", Failure)],
)
def test_its_keys_are_those_of_the_dataclasses_in_their_order(name, kind):
    assert list(SCHEMA["$defs"][name]["properties"]) == [one.name for one in fields(kind)]


def test_the_document_is_the_ablation_with_a_heading():
    keys = list(SCHEMA["properties"])
    assert keys[keys.index("arch") :] == [one.name for one in fields(Ablation)]


@pytest.mark.parametrize(
    "ablation",
    [
        made(),
        made(failures=(FAILED,), notes=("a note",)),
        made(("v1", "mixup"), (7,), {"svhn": "far"}, ("mls",)),
        made(("v1",), (0, 1)),
        made(("v1", "mixup"), (0,), failures=(Failure("v1", 0, "out of memory"),)),
        made(("v1",), (0,), failures=(Failure("v1", 0, "out of memory"),)),
    ],
    ids=["whole", "failures", "one seed, one set", "baseline alone", "no baseline", "nothing"],
)
def test_every_ablation_fits_and_is_told_in_every_form(ablation, tmp_path):
    document = document_of(ablation)
    VALIDATOR.validate(document)
    for told in (text_of(document), ablation_markdown(document), render_html(Run(document))):
        assert all(recipe in told.replace("<wbr>", "").replace("\\", "") for recipe in {row["recipe"] for row in document["rows"]})
        assert all(one.reason in told for one in ablation.failures)
    assert ablation_csv(document).count("\n") >= 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one["rows"][0].update(head="other"),
        lambda one: one["rows"][0]["accuracy"].update(mean="high"),
        lambda one: one["trials"][0].pop("before"),
        lambda one: one.update(groups={"svhn": "middle"}),
        lambda one: one.update(extra=1),
        lambda one: one["failures"].append({"recipe": "v1"}),
        lambda one: one["rows"][2].update(gain={"mls": None}),
    ],
)
def test_nothing_else_fits(document, spoil):
    other = deepcopy(document)
    spoil(other)
    assert not VALIDATOR.is_valid(other)


def test_a_figure_is_told_with_its_deviation_of_one_seed_without():
    assert spread({"mean": 0.83081, "sd": 0.0041, "n": 5}) == "83.08 ± 0.41"
    assert spread({"mean": 0.83081, "sd": 0.0, "n": 1}) == "83.08"
    assert spread({"mean": -0.0061, "sd": 0.0041, "n": 2}, 3, 1) == "−0.006 ± 0.004"
    assert spread(None) == "–"


def test_the_tables_hold_the_figures(document):
    """Of the mean of mls: as they stand in the document; the baseline has no difference, every other row has one."""
    accuracy, mls, mls_sets, knn, _, shift, failed = ablation_sheets(document, intervals=True)
    assert (failed.title, failed.rows) == ("Trials without figures", [["cutmix", "2", "the loss became nan at step 12"]])
    assert [sheet.title for sheet in (accuracy, mls, mls_sets, knn, shift)] == [
        "ID accuracy", "mls by recipe", "mls, set by set", "knn by recipe", "Shift of the maximal logit",
    ]  # fmt: skip
    assert [row[:2] for row in mls.rows[:3]] == [["v1", "as trained"], ["v1", "AugDelete"], ["label-smoothing", "as trained"]]
    row = document["rows"][2]
    auroc, gain = row["aurocs"]["mls"]["mean"], row["gain"]["mls"]
    assert mls.rows[2][4] == f"{100 * auroc['mean']:.2f} ± {100 * auroc['sd']:.2f}"
    expected = f"{100 * gain['mean']:+.2f} ({100 * gain['low']:+.2f} to {100 * gain['high']:+.2f})"
    assert mls.rows[2][5] == expected.replace("-", "−")
    assert mls.rows[0][5:7] == ["–", "–"]
    assert len(accuracy.rows) == len(mls.rows) == 2 * len(RECIPES)
    assert list(shift.head[1:]) == ["cifar100 (near)", "tin (near)", "svhn (far)"]
    assert [one[0] for one in shift.rows] == list(RECIPES[1:])


def test_the_best_row_alone_is_set_off(document):
    best = best_row(document, "mls")
    assert best["aurocs"]["mls"]["mean"]["mean"] == max(row["aurocs"]["mls"]["mean"]["mean"] for row in document["rows"])
    (sheet,) = (one for one in ablation_sheets(document, intervals=False) if one.title == "mls by recipe")
    assert {line for line, _ in sheet.bold} == {document["rows"].index(best)}


def test_one_group_of_sets_has_one_mean():
    (sheet, *_) = ablation_sheets(document_of(made(groups={"svhn": "far", "dtd": "far"})), intervals=False)[1:]
    assert list(sheet.head) == ["recipe", "head", "mean", "minus v1", "p", "FPR@95"]


def test_what_failed_and_what_rests_on_fewer_seeds_is_told(document):
    assert remarks_on(document) == ["cutmix: figures of 2 of 3 seeds", "a note"]


def test_a_failure_is_told_once_in_every_form_and_its_recipe_not_counted():
    why = tuple(Failure("regmixup", seed, f"why {seed}") for seed in (0, 1, 2))
    document = document_of(made(failures=why))
    for told in (text_of(document), ablation_markdown(document), render_html(Run(document))):
        assert [told.count(one.reason) for one in why] == [1, 1, 1]
        assert "7 recipes on resnet18" in told
        assert "regmixup: figures of 0 of 3 seeds" in told.replace("\n", " ")


def test_why_a_recipe_has_no_shift_is_told_below_those_of_the_others():
    document = document_of(made(unlike=("cutmix", "regmixup")))
    VALIDATOR.validate(document)
    why = "No shift is told of cutmix or regmixup: their logits are of another kind than those of v1"
    for told in (text_of(document), ablation_markdown(document), render_html(Run(document))):
        assert " ".join(told.split()).count(why) == 1
    (shift,) = (sheet for sheet in ablation_sheets(document, intervals=True) if sheet.title == "Shift of the maximal logit")
    assert [row[0] for row in shift.rows] == [one for one in RECIPES[1:] if one not in {"cutmix", "regmixup"}]
    alone = document_of(made(("v1", "cutmix"), unlike=("cutmix",)))
    (remark,) = remarks_on(alone)
    assert (
        remark
        == "No shift is told of cutmix: its logits are of another kind than those of v1, and have no scale in common with them."
    )
    assert "Shift of the maximal logit" not in render_html(Run(alone))


SETTINGS = {
    "epochs": 60,
    "lr": 0.1,
    "weight_decay": 5e-4,
    "norm_weight_decay": None,
    "ema": False,
    "flip": True,
    "input_size": [3, 32, 32],
    "mean": [0.5, 0.25],
    "model_args": {},
    "of_recipes": {"v2": {"norm_weight_decay": 0.0, "ema": True, "warmup": 3.0}},
}


def test_settings_are_told_in_words():
    assert settings_in_words(SETTINGS) == [
        "epochs 60, learning rate 0.1, weight decay 0.0005, average of the weights no, mirrored at random yes, "  # noqa: ISC004
        "input size 3 × 32 × 32, mean (0.5, 0.25)",
        "v2: weight decay of normalisation layers 0, average of the weights yes, warmup 3",
    ]
    document = document_of(made(("v1", "v2"), (0,))) | {"settings": SETTINGS}
    for told in (ablation_markdown(document), render_html(Run(document))):
        assert "mirrored at random yes" in told
        assert "None" not in told
        assert "{'" not in told


def test_one_seed_has_no_interval_and_says_so():
    told = text_of(document_of(made(seeds=(4,))))
    assert "with one seed no difference has an interval: --seeds 5 trains five" in told
    assert "±" not in told
    assert title_of(document_of(made(("v1",), (4,)))) == "1 recipe on resnet18 (cifar10:train), 1 seed"


def test_csv_has_a_line_for_each_recipe_head_scorer_and_set_and_every_figure(document):
    lines = list(csv.DictReader(io.StringIO(ablation_csv(document))))
    assert len(lines) == 8 * 2 * 2 * (len(GROUPS) + 3)
    by_place = {(one["recipe"], one["head"], one["scorer"], one["ood_set"]): one for one in lines}
    row = next(one for one in document["rows"] if (one["recipe"], one["head"]) == ("augrevise", "as trained"))
    mean, svhn = (by_place["augrevise", "as trained", "mls", name] for name in ("mean", "svhn"))
    assert float(mean["auroc"]) == row["aurocs"]["mls"]["mean"]["mean"]
    assert float(mean["auroc_gain_low"]) == row["gain"]["mls"]["low"]
    assert float(mean["accuracy_gain"]) == row["accuracy_gain"]["mean"]
    assert (mean["against"], svhn["against"], svhn["auroc_gain"]) == ("v1", "", "")
    assert float(svhn["shift_ratio"]) == row["shift"]["svhn"]["mean"]
    assert (mean["shift_ratio"], by_place["v1", "as trained", "mls", "mean"]["auroc_gain"]) == ("", "")


def test_no_form_obeys_a_name():
    document = hostile_document()
    VALIDATOR.validate(document)
    for told in (text_of(document), ablation_markdown(document), ablation_csv(document), render_html(Run(document))):
        assert not set("\x1b\x07\u202e") & set(told)
    page, markdown = render_html(Run(document)), ablation_markdown(document)
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "<img" not in markdown.replace("\\<", "").partition("<details>")[0]


def test_it_is_stored_and_read_again(document, tmp_path):
    save_run(Run(document), tmp_path)
    assert load_run(tmp_path, EVERY_KIND).document == document
    write_html(load_run(tmp_path, EVERY_KIND), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == render_html(Run(document))


def test_where_models_are_asked_for_an_ablation_is_refused_with_what_to_do(document, tmp_path):
    save_run(Run(document), tmp_path)
    expected = r"is of the kind 'ablate', expected 'diagnose' or 'augdelete'; diagnose its trials, each with oodkit diagnose "
    with pytest.raises(InputError, match=rf"{expected}local-dir:{tmp_path}/0-seed0, and give these runs$"):
        load_run(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({**document, "trials": None}))
    with pytest.raises(InputError, match=rf"{expected}local-dir:{tmp_path}/TRIAL, and give these runs$"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 0}, r"was made by an older oodkit \(schema 0, now 1\); make it again: oodkit ablate resnet18"),
        ({"schema": 2}, r"was made by a newer oodkit \(schema 2, here 1\); update oodkit"),
        ({"rows": None}, r"has rows not as it must be \(type: array\); make it again: oodkit ablate resnet18"),
    ],
)
def test_a_damaged_one_is_told(document, tmp_path, change, problem):
    (tmp_path / "result.json").write_text(json.dumps({**document, **change}))
    with pytest.raises(InputError, match=problem):
        load_document(tmp_path / "result.json", EVERY_KIND)
    (tmp_path / "result.json").write_text(json.dumps({key: one for key, one in document.items() if key != "trials"}))
    with pytest.raises(InputError, match="lacks trials; make it again"):
        load_document(tmp_path / "result.json", EVERY_KIND)


def test_one_seed_is_no_seeds():
    document = document_of(made(("v1", "mixup"), (0,), failures=(Failure("v1", 0, "out of memory"),)))
    assert remarks_on(document)[0] == "v1: figures of 0 of 1 seed"
    assert "- seed 0\n" in ablation_markdown(document)
    assert "<b>seed</b> 0" in render_html(Run(document))
