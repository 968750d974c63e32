"""The search on scorers that are known by hand: its order, its winner, and that it sees nothing but validation images."""

import weakref
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from oodkit import tuning
from oodkit.errors import NotApplicableError, UsageError
from oodkit.evaluation import evaluate
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, Scorer, make_scorer
from oodkit.scoring import held_out_rows
from oodkit.tuning import candidates, tune


@dataclass
class Toy(Scorer):
    """The feature number ``column``, times ``sign``."""

    name = "toy"
    title = "Toy"
    paper = "none"
    uses = "features"
    grid: ClassVar = {"column": (0, 1, 2, 9), "sign": (-1, 1)}
    presets: ClassVar = {"paper": {"sign": -1}}

    column: int = 0
    sign: int = 1
    power: float = 1.0

    def __post_init__(self) -> None:
        self.require(self.sign != -1 or self.column != 1, "a sign of 1 for column 1")

    def _score(self, chunk: Outputs) -> torch.Tensor:
        if self.column >= chunk.num_features:
            raise NotApplicableError(f"toy takes a column below {chunk.num_features}, got {self.column}")
        return self.sign * chunk.features[:, self.column].double()


@dataclass
class Learner(Toy):
    """Says what it learnt from."""

    name = "learner"
    fits_on = "train"
    seen: ClassVar[list] = []

    def _fit(self, outputs: Outputs) -> dict[str, torch.Tensor]:
        self.seen.append(outputs)
        return {"kept": torch.zeros(len(outputs))}


@dataclass
class ValLearner(Learner):
    """The same from validation images."""

    name = "val-learner"
    fits_on = "val"


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for kind in (Toy, Learner, ValLearner):
        monkeypatch.setitem(SCORERS, kind.name, kind)
        monkeypatch.setattr(kind, "seen", [], raising=False)


def outputs(*columns) -> Outputs:
    """Features from columns of numbers; two classes in turn."""
    features = torch.tensor(columns, dtype=torch.float32).T.contiguous()
    return Outputs(features, torch.arange(len(features)) % 2, head=Head(torch.eye(2, len(columns)), torch.zeros(2)))


# Column 0 can't tell (AUROC 0.5), column 1 tells 3 of 4 pairs (0.75), column 2 all of them the wrong way round (0).
VAL = outputs([1, 1], [3, 1], [0, 0])
OOD = outputs([1, 1], [2, 0], [5, 5])


def test_the_first_setting_varies_fastest_as_in_openood():
    assert candidates("toy") == [f"toy:column={column},sign={sign}" for sign in (-1, 1) for column in (0, 1, 2, 9)]
    assert candidates("msp") == []


def test_the_winner_by_hand_with_the_whole_table():
    """−column 2 ranks all pairs right; sign −1 excludes column 1, and there is no column 9."""
    (found,) = tune({"v": OOD}, scorers=["toy"], val=VAL)
    assert [(one.settings["column"], one.settings["sign"], one.auroc) for one in found.tried] == [
        (0, -1, 0.5),
        (1, -1, None),
        (2, -1, 1.0),
        (9, -1, None),
        (0, 1, 0.5),
        (1, 1, 0.75),
        (2, 1, 0.0),
        (9, 1, None),
    ]
    assert found.tried[1].reason == "toy expects a sign of 1 for column 1, got column=1, sign=-1, power=1.0"
    assert found.tried[3].reason == "toy takes a column below 3, got 9"
    assert (found.spec, found.chosen, found.before) == ("toy:column=2,sign=-1", found.tried[2], found.tried[4])
    assert (found.sets, found.n_id, found.n_ood) == (("v",), 2, 2)
    assert found.remark() == "tuned on v: AUROC 50.00 → 100.00"


def test_of_equals_the_setting_asked_for_wins():
    """A gain of nothing is no reason to leave it."""
    level = outputs([1, 1], [1, 1], [1, 1])
    (found,) = tune({"v": level}, scorers=["toy"], val=level)
    assert [one.auroc for one in found.tried if one.auroc is not None] == [0.5] * 5
    assert (found.spec, found.chosen, found.before) == ("toy", found.tried[4], found.tried[4])
    assert found.remark() == "tuned on v: AUROC 50.00, with the settings asked for"


def test_of_equals_without_the_setting_asked_for_the_first_wins():
    """Column 0 can't tell; −column 1 can't be had, columns 1 and 2 tell all."""
    (found,) = tune({"v": outputs([1, 1], [0, 0], [0, 0])}, scorers=["toy"], val=outputs([1, 1], [1, 1], [1, 1]))
    assert [one.settings["column"] for one in found.tried if one.auroc == 1] == [1, 2]
    assert found.spec == "toy:column=1,sign=1"


def test_several_sets_count_alike_whatever_their_sizes():
    """Column 1: 0.75 on the first, 1 on the second, whose five images count no more than the first's two."""
    other = outputs([1] * 5, [0] * 5, [9] * 5)
    (found,) = tune({"v": OOD, "w": other}, scorers=["toy:sign=1,column=1"], val=VAL)
    assert found.tried == ()
    (found,) = tune({"v": OOD, "w": other}, scorers=["toy:sign=1"], val=VAL)
    assert found.chosen.auroc == (0.75 + 1) / 2
    assert (found.n_ood, found.remark()) == (7, "tuned on v, w: AUROC 50.00 → 87.50")


def test_a_setting_that_the_spec_gives_stays():
    (found,) = tune({"v": OOD}, scorers=["toy:sign=1,power=2"], val=VAL)
    assert [one.settings for one in found.tried] == [{"column": column} for column in (0, 1, 2, 9)]
    assert found.spec == "toy:sign=1,power=2.0,column=1"
    assert make_scorer("toy", sign=1, power=2.0, column=1).spec() == "toy:column=1,power=2.0"


def test_nothing_to_search_leaves_the_scorer_as_it_was_asked_for():
    found = tune({"v": OOD}, scorers=["msp", "toy:column=0,sign=1", "mls"], val=VAL)
    assert [(one.asked, one.spec, one.tried, one.remark()) for one in found] == [
        (spec, spec, (), None) for spec in ("msp", "toy:column=0,sign=1", "mls")
    ]


def test_where_no_combination_applies_the_scorer_stays_and_every_row_says_why():
    (found,) = tune({"v": OOD}, scorers=["learner"], val=VAL)
    assert found.spec == "learner"
    assert (found.chosen, found.before.auroc, found.remark()) == (None, None, None)
    assert {one.reason for one in found.tried if one.settings["column"] != 1 or one.settings["sign"] == 1} == {
        "learner learns from ID train images and none were given"
    }


def test_a_setting_asked_for_outside_the_grid_is_tried_last_and_kept_where_it_is_the_best(monkeypatch):
    monkeypatch.setattr(Toy, "grid", {"column": (0, 9)})
    (found,) = tune({"v": OOD}, scorers=["toy:sign=1"], val=VAL)
    assert [one.settings for one in found.tried] == [{"column": 0}, {"column": 9}]
    monkeypatch.setattr(Toy, "presets", {"paper": {"column": 1}})
    (found,) = tune({"v": OOD}, scorers=["toy:sign=1"], val=VAL, preset="paper")
    assert [(one.settings, one.auroc) for one in found.tried] == [
        ({"column": 0}, 0.5),
        ({"column": 9}, None),
        ({"column": 1}, 0.75),
    ]
    assert (found.spec, found.chosen) == ("toy:sign=1", found.before)
    assert found.remark() == "tuned on v: AUROC 75.00, with the settings asked for"


def test_a_default_that_wins_is_written_out_so_that_no_preset_can_take_its_place(monkeypatch):
    """Under ``paper`` the sign is −1; the default +1 wins, and the bare name would read −1 again."""
    monkeypatch.setattr(Toy, "grid", {"sign": (1, -1)})
    (found,) = tune({"v": outputs([0, 0])}, scorers=["toy"], val=outputs([1, 1]), preset="paper")
    assert found.spec == "toy:sign=1"
    row = evaluate([found.spec], outputs([1, 1]), {"x": outputs([0, 0])}, preset="paper")[0]
    assert (row.spec, row.settings["sign"]) == ("toy:sign=1", 1)


def test_a_scorer_learns_from_train_or_val_and_never_from_an_ood_set():
    train = outputs([1] * 7, [2] * 7, [3] * 7)
    tune({"v": OOD}, scorers=["learner", "val-learner"], fit=train, val=VAL)
    assert {len(one) for one in Learner.seen} == {7}
    assert all(one is train for one in Learner.seen)
    assert all(torch.equal(one.features, VAL.features) for one in ValLearner.seen)
    assert len(ValLearner.seen) == 7, "of the eight combinations one can't be made"


def test_without_validation_images_a_tenth_is_held_out_of_what_is_learnt_from():
    """An image that is in the bank is its own nearest neighbour: KNN would judge the bank, not new ID images."""
    fit = outputs(list(range(40)), [0] * 40, [0] * 40)
    (first, *_) = tune({"v": OOD}, scorers=["learner", "val-learner"], fit=fit, seed=3)
    held_out = held_out_rows(fit, 3)
    assert first.n_id == len(held_out) == 4
    learnt, judged = Learner.seen[0].features[:, 0], ValLearner.seen[0].features[:, 0]
    assert judged.tolist() == fit.features[held_out, 0].tolist()
    assert sorted([*learnt.tolist(), *judged.tolist()]) == list(range(40))
    assert first.note == "no validation images given: held out a stratified 10 % of the training images"
    assert first.note in first.remark()


def test_the_copy_of_the_other_nine_keeps_to_its_memory_and_says_so(monkeypatch):
    """An image takes 3 · 4 bytes of features, 8 of its label and 8 of its index: of 36 there is room for 10, of the 4 for all."""
    fit = outputs(list(range(40)), [0] * 40, [0] * 40)
    monkeypatch.setattr(tuning, "FIT_BYTES", 10 * (3 * 4 + 8 + 8))
    (first, *_) = tune({"v": OOD}, scorers=["learner"], fit=fit)
    assert {len(one) for one in Learner.seen} == {10}
    assert torch.bincount(Learner.seen[0].labels).tolist() == [5, 5]
    assert first.n_id == 4
    assert first.note.endswith("held out a stratified 10 % of the training images; learnt from 28 % of the others (2.61e-07 GiB)")
    assert not set(held_out_rows(fit, 0).tolist()) & set(Learner.seen[0].indices.tolist())
    monkeypatch.setattr(tuning, "FIT_BYTES", 2 * (3 * 4 + 8 + 8))
    (first, *_) = tune({"v": OOD}, scorers=["learner"], fit=fit)
    assert first.n_id == 2
    assert ", judged by 50 % of them (" in first.note


def test_withheld_images_are_neither_learnt_from_nor_judged_by():
    fit = outputs(list(range(40)), [0] * 40, [0] * 40)
    tune({"v": OOD}, scorers=["learner", "val-learner"], fit=fit, withheld=range(20))
    learnt, judged = Learner.seen[0].indices.tolist(), ValLearner.seen[0].indices.tolist()
    assert sorted([*learnt, *judged]) == list(range(20, 40))
    assert judged == fit.subset(torch.arange(20, 40)).subset(held_out_rows(fit.subset(torch.arange(20, 40)), 0)).indices.tolist()
    (found,) = tune({"v": OOD}, scorers=["toy"], val=VAL, withheld=[1])
    assert found.n_id == 1


def test_what_a_combination_learnt_is_let_go_before_the_next_learns(monkeypatch):
    """A bank of neighbours can be 10 GB."""
    alive: list[bool] = []
    banks: list[weakref.ref] = []

    def learn(scorer, images):
        alive.extend(bank() is not None for bank in banks[-1:])
        bank = torch.zeros(len(images))
        banks.append(weakref.ref(bank))
        return {"bank": bank}

    monkeypatch.setattr(Learner, "_fit", learn)
    tune({"v": OOD}, scorers=["learner"], fit=VAL, val=VAL)
    assert alive == [False] * 6


def test_logits_are_made_once_for_all_combinations(monkeypatch):
    calls = []
    original = Head.__call__
    monkeypatch.setattr(Head, "__call__", lambda head, features: calls.append(len(features)) or original(head, features))
    monkeypatch.setattr(Toy, "_score", lambda scorer, chunk: chunk.logits.double()[:, 0])
    tune({"v": OOD}, scorers=["toy"], val=VAL)
    assert sorted(calls) == [2, 2]


def test_unusable_calls_are_usage_errors():
    empty = outputs([], [], [])
    with pytest.raises(UsageError, match="a search needs ID images: give val, or fit"):
        tune({"v": OOD}, scorers=["toy"])
    with pytest.raises(UsageError, match="the v set has no images"):
        tune({"v": empty}, scorers=["toy"], val=VAL)
    with pytest.raises(UsageError, match="the in-distribution validation set has no images"):
        tune({"v": OOD}, scorers=["toy"], val=empty)
    with pytest.raises(UsageError, match="got no OOD set"):
        tune({}, scorers=["toy"], val=VAL)
    with pytest.raises(UsageError, match="unknown scorer: 'tyo'"):
        tune({"v": OOD}, scorers=["tyo"], val=VAL)
    with pytest.raises(UsageError, match="a search makes its own scorers: give the name or spec 'gen:m=9', not a Gen"):
        tune({"v": OOD}, scorers=[make_scorer("gen", m=9)], val=VAL)
