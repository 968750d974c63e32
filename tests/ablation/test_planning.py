"""Which trials that a folder has are of an ablation: those of the same settings; others are refused by name."""

from dataclasses import replace

import pytest

from oodkit.ablation.planning import is_begun_in, with_finished
from oodkit.ablation.stored import TRIAL, folder_name
from oodkit.ablation.trial import Judge
from oodkit.ablation.trials import ablate
from oodkit.errors import InputError, UsageError
from oodkit.training.folder import LAST

from .stand_in import HOW, Trainer, demo_images, planned


def test_finished_trials_of_other_recipes_and_seeds_join_the_result(tmp_path):
    """v1 first, then what is asked for, then what was there; nothing of it is made again, and the order in time does not matter."""
    ablate(planned(["mixup", "cutmix"], [4, 1]), tmp_path, train=Trainer())
    lines, trainer = [], Trainer()
    now = with_finished(planned(["label-smoothing"], [2]), tmp_path, lines.append)
    found = ablate(now, tmp_path, train=trainer)
    assert trainer.calls == [("v1", 2), ("label-smoothing", 2)]
    assert (found.recipes, found.seeds) == (["v1", "label-smoothing", "cutmix", "mixup"], [2, 1, 4])
    assert {(row.recipe, row.accuracy.n) for row in found.rows} == {
        ("v1", 3), ("label-smoothing", 1), ("cutmix", 2), ("mixup", 2)
    }  # fmt: skip
    assert lines == []
    whole = ablate(planned(["v1"], [2, 1, 4]), tmp_path, train=trainer)
    assert len(trainer.calls) == 2
    assert whole.rows[0] == found.rows[0]


def test_trials_of_other_settings_and_unfinished_ones_do_not_join(tmp_path):
    ablate(planned(["mixup"], [0]), tmp_path, train=Trainer())
    with pytest.raises(KeyboardInterrupt):
        ablate(planned(["cutmix"], [0]), tmp_path, train=Trainer({("cutmix", 0): KeyboardInterrupt()}))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / TRIAL).write_text((tmp_path / "v1-seed0" / TRIAL).read_text())
    lines = []
    now = with_finished(planned(["v1"], [1], how=replace(HOW, settings={"epochs": 3})), tmp_path, lines.append)
    assert list(now.asked) == [("v1", 1)]
    assert [line.partition(" there, ")[0] for line in lines] == [
        f"{name} does not join the result: {tmp_path / name} holds another trial: epochs 2" for name in ("mixup-seed0", "v1-seed0")
    ]


def test_a_damaged_trial_that_is_not_asked_for_is_told_and_costs_nothing(tmp_path):
    (tmp_path / "mixup-seed0").mkdir()
    (tmp_path / "mixup-seed0" / TRIAL).write_text("{")
    lines = []
    assert with_finished(planned(["v1"], [0]), tmp_path, lines.append) == planned(["v1"], [0])
    assert lines[0].startswith("mixup-seed0 does not join the result: can't read the trial in ")


def test_what_is_said_of_a_recipe_is_said_when_it_joins(tmp_path):
    ablate(planned(["t2fnorm"], [0]), tmp_path, train=Trainer())
    now = with_finished(planned(["v1"], [0]), tmp_path, print)
    found = ablate(now, tmp_path, train=Trainer())
    assert [note for note in found.notes if note.startswith("t2fnorm: trained on normalised features")]


CHANGES = {
    "epochs 2 there, 3 here": {"how": replace(HOW, settings={"epochs": 3})},
    "lr 0.1 there, 0.2 here": {"how": replace(HOW, settings={"epochs": 2, "lr": 0.2})},
    r"scorers \['mls', 'knn'\] there, \['mls', 'msp'\] here": {"judge": Judge(("msp",), device="cpu", workers=0)},
    "the images of near digits-unseen, demo:digits-unseen, have changed since": {
        "images": replace(demo_images(), ood=demo_images(30).ood)
    },
}


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize(("told", "changed"), CHANGES.items())
def test_changed_settings_are_refused_by_name_before_anything_is_trained(tmp_path, told, changed, unfinished):
    if unfinished:
        with pytest.raises(KeyboardInterrupt):
            ablate(planned(["v1"], [0]), tmp_path, train=Trainer({("v1", 0): KeyboardInterrupt()}))
    else:
        ablate(planned(["v1"], [0]), tmp_path, train=Trainer())
    trainer, other = Trainer(), planned(["mixup", "v1"], [1, 0], **changed)
    with pytest.raises(UsageError, match=told) as refused:
        ablate(other, tmp_path, train=trainer)
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "v1-seed0") in str(refused.value)
    assert trainer.calls == []
    assert (is_begun_in(tmp_path, other), is_begun_in(tmp_path, planned(["mixup"], [0]))) == (False, True)


def test_a_trial_of_which_nothing_was_saved_may_be_made_otherwise(tmp_path):
    """As where the learning rate was too large for the first step."""
    with pytest.raises(KeyboardInterrupt):
        ablate(planned(["v1"], [0]), tmp_path, train=Trainer({("v1", 0): KeyboardInterrupt()}))
    (tmp_path / "v1-seed0" / LAST).unlink()
    assert ablate(planned(["v1"], [0], how=replace(HOW, settings={"epochs": 2, "lr": 0.01})), tmp_path, train=Trainer()).trials


def test_how_it_runs_is_no_setting(tmp_path):
    ablate(planned(["v1"], [0]), tmp_path, train=Trainer())
    trainer = Trainer()
    ablate(planned(["v1"], [0], how=replace(HOW, workers=3, tensorboard=True)), tmp_path, train=trainer)
    assert trainer.calls == []


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "asked": {}, "found": {"seconds": NaN}}', '{"format": 9}'])
def test_a_damaged_trial_is_refused_with_the_way_out(tmp_path, text):
    folder = tmp_path / "v1-seed0"
    folder.mkdir()
    (folder / TRIAL).write_text(text)
    with pytest.raises(InputError, match="to have it made again") as refused:
        ablate(planned(["v1"], [0]), tmp_path, train=Trainer())
    assert "\n" not in str(refused.value)
    assert not is_begun_in(tmp_path, planned(["v1"], [0]))


def test_nothing_is_begun_in_a_folder_without_trials(tmp_path):
    assert not is_begun_in(tmp_path, planned(["v1"], [0]))


@pytest.mark.parametrize("recipe", ["v1", "mixup:alpha=1.0,prob=0.5", "a/b:c=../..", "x:y=" + "z" * 400, "é:ü=\n", ".."])
def test_folder_names_are_safe_for_any_recipe(recipe):
    name = folder_name(recipe, 3)
    assert name.endswith("-seed3")
    assert len(name.encode()) < 200
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>| ')


def test_folders_of_different_recipes_differ():
    recipes = ["x:y=1", "x-y=1", "x:y=1,z=2", "x:y=" + "z" * 400, "x:y=" + "z" * 401, "x/y", "x%2Fy"]
    names = {folder_name(recipe, 0).casefold() for recipe in recipes}
    assert len(names) >= len(recipes) - 1  # x:y=1 and x-y=1, which can't both be recipes
