"""What an ablation says beside its figures, of the trainings that they come from."""

import pytest

from oodkit.ablation import trials
from oodkit.ablation.planning import How, plan_ablation
from oodkit.ablation.trial import Judge
from oodkit.ablation.trials import ablate
from oodkit.training.recipes import RECIPES
from oodkit.training.recipes.vos import NEVER_FULL

from .stand_in import Trainer, demo_images


@pytest.mark.parametrize("recipe", ["vos", "npos"])
def test_a_training_that_was_not_what_its_recipe_means_is_told_of(tmp_path, monkeypatch, recipe):
    """Where no outlier was synthesised, the recipe's row is that of another one. What holds of all its networks is told once."""
    own = RECIPES[recipe].note
    said = {f"{recipe}-seed1": f"{own}; {NEVER_FULL}".removeprefix("; "), f"{recipe}-seed0": own}
    monkeypatch.setattr(trials, "read_run", lambda folder: {"result": {"seconds": 2.0, "note": said.get(folder.name, "")}})
    how, judge = How(settings={"epochs": 2}, device="cpu", workers=0), Judge(("mls",), device="cpu", workers=0)
    planned = plan_ablation("test_resnet", [recipe], [0, 1], demo_images(), how, judge)
    found = ablate(planned, tmp_path, train=Trainer())
    assert f"{recipe} seed 1: {NEVER_FULL}" in found.notes
    assert [note for note in found.notes if NEVER_FULL in note] == [f"{recipe} seed 1: {NEVER_FULL}"]
    assert [note for note in found.notes if own and own in note] == ([f"{recipe}: {own}"] if own else [])
    assert ablate(planned, tmp_path, train=Trainer()).notes == found.notes
