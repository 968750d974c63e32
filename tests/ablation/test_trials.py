"""An ablation's trials: made in order, never twice, gone on with, and none lost for another's sake."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import oodkit
from oodkit.ablation.stored import TRIAL
from oodkit.ablation.trial import OUTPUTS, judge_trained
from oodkit.ablation.trials import Shown, ablate
from oodkit.demo import FIT
from oodkit.errors import NotApplicableError, TrainingError, UnsupportedModelError
from oodkit.training.folder import BEFORE

from .stand_in import JUDGE, Trainer, demo_images, planned


def test_the_baseline_is_trained_always_and_first(tmp_path):
    trainer = Trainer()
    found = ablate(planned(["mixup:alpha=1", "label-smoothing"], [0, 7]), tmp_path, train=trainer)
    recipes = ["v1", "mixup:alpha=1.0", "label-smoothing"]
    assert trainer.calls == [(recipe, seed) for seed in (0, 7) for recipe in recipes]
    assert (found.baseline, found.recipes, found.seeds, found.scorers) == ("v1", recipes, [0, 7], ["mls", "knn"])
    assert [one.folder for one in found.trials[:2]] == ["v1-seed0", "mixup-alpha=1.0-seed0"]
    assert (found.failures, found.groups) == ([], {"digits-unseen": "near", "photo-patches": "far"})
    assert trainer.options["epochs"] == 2
    assert planned(["mixup", "v1"], [0]).recipes == ["v1", "mixup"]


def test_figures_are_those_of_a_diagnosis_before_and_after(tmp_path):
    """To 1e-12 what ``oodkit.diagnose`` says of the same network, and of it with the head that ``oodkit.augdelete`` gives."""
    images = demo_images()
    found = ablate(planned(["mixup"], [0]), tmp_path, train=Trainer())
    model = oodkit.load_classifier("demo:digits-v2")
    outputs = {name: oodkit.extract(model, one, cache=False, workers=0) for name, one in images.judged_on().items()}
    head = oodkit.augdelete(outputs["train"], val=outputs["val"])
    for figures, own in (
        (found.trials[1].before, outputs),
        (found.trials[1].after, {name: one.with_head(head) for name, one in outputs.items()}),
    ):
        ood = {name: own[name] for name in images.ood}
        told = oodkit.diagnose("it", own["id"], ood, fit=own["train"], groups=images.groups, scorers=["mls", "knn"])
        assert figures.accuracy == told.accuracy.value
        for row in told.rows:
            assert figures.aurocs[row.scorer][row.ood_set] == pytest.approx(row.auroc.value, abs=1e-12)
            assert figures.fpr95_ood[row.scorer][row.ood_set] == pytest.approx(row.fpr95_ood.value, abs=1e-12)
        for row in told.max_logits:
            assert figures.max_logits[row.image_set.replace("ID", "id")] == row.mean.value


def test_scores_of_features_alone_are_the_same_with_a_refitted_head(tmp_path):
    found = ablate(planned(["mixup"], [0]), tmp_path, train=Trainer())
    for trial in found.trials:
        assert trial.before.aurocs["knn"] == trial.after.aurocs["knn"]
    assert found.trials[1].before.aurocs["mls"] != found.trials[1].after.aurocs["mls"]


def test_sets_of_one_group_have_that_mean_and_the_mean(tmp_path):
    images = demo_images()
    near = replace(images, ood={"digits-unseen": images.ood["digits-unseen"]}, groups={"digits-unseen": "near"})
    found = ablate(planned(["v1"], [0], images=near), tmp_path, train=Trainer())
    aurocs = found.trials[0].before.aurocs["mls"]
    assert list(aurocs) == ["digits-unseen", "near mean", "mean"]
    assert len(set(aurocs.values())) == 1


def test_every_image_goes_through_a_network_once_and_nothing_of_it_stays(tmp_path, monkeypatch):
    from oodkit import forward

    counts, run_batch = [], forward.Runner.run
    monkeypatch.setattr(forward.Runner, "run", lambda self, pixels: counts.append(len(pixels)) or run_batch(self, pixels))
    ablate(planned(["v1"], [0]), tmp_path, train=Trainer())
    assert sum(counts) == sum(map(len, demo_images().judged_on().values()))
    assert [path.name for path in (tmp_path / "v1-seed0").iterdir()] == [TRIAL]


def test_what_is_over_is_not_made_again_and_reads_the_same(tmp_path):
    first = ablate(planned(["mixup"], [0, 1]), tmp_path, train=Trainer())
    trainer, lines = Trainer(), []
    again = ablate(planned(["mixup"], [0, 1]), tmp_path, train=trainer, shown=Shown(lines.append))
    assert trainer.calls == []
    assert again == first
    assert lines[0] == "1 of 4: v1, seed 0: done already"


def test_more_recipes_and_seeds_are_made_beside_those_that_are_there(tmp_path):
    ablate(planned(["mixup"], [0]), tmp_path, train=Trainer())
    trainer = Trainer()
    found = ablate(planned(["mixup", "cutmix"], [1, 0]), tmp_path, train=trainer)
    assert trainer.calls == [("v1", 1), ("mixup", 1), ("cutmix", 1), ("cutmix", 0)]
    assert len(found.trials) == 6


def test_logits_of_another_kind_have_no_shift(tmp_path):
    found = ablate(planned(["godin", "mixup"], [0]), tmp_path, train=Trainer())
    assert found.unlike == ["godin"]
    assert [(one.recipe, one.shift is None) for one in found.trials] == [("v1", True), ("godin", True), ("mixup", False)]
    assert [row.recipe for row in found.rows if row.shift] == ["mixup"]


def test_an_interrupted_trial_goes_on_and_those_before_it_are_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        ablate(planned(["mixup"], [0, 1]), tmp_path, train=Trainer({("v1", 1): KeyboardInterrupt()}))
    trainer = Trainer()
    assert len(ablate(planned(["mixup"], [0, 1]), tmp_path, train=trainer).trials) == 4
    assert trainer.calls == [("v1", 1), ("mixup", 1)]


def test_a_trial_interrupted_while_it_is_judged_goes_on_there(tmp_path, monkeypatch):
    """What was extracted is still there; the network is not run on it again."""
    from oodkit import forward
    from oodkit.ablation import trial

    with monkeypatch.context() as patched:
        patched.setattr(trial, "refit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ablate(planned(["v1"], [0]), tmp_path, train=Trainer())
    assert (tmp_path / "v1-seed0" / OUTPUTS).is_dir()
    monkeypatch.setattr(forward.Runner, "run", lambda *_: pytest.fail("a forward pass was made"))
    assert len(ablate(planned(["v1"], [0]), tmp_path, train=Trainer()).trials) == 1


def test_one_failure_is_told_of_and_costs_no_other(tmp_path):
    why = {("mixup", 1): TrainingError("the loss became nan\nat step 12 \x1b[31m")}
    why |= {("cutmix", 0): UnsupportedModelError("no linear head"), ("cutmix", 1): RuntimeError("CUDA out of memory")}
    found = ablate(planned(["mixup", "cutmix", "label-smoothing"], [0, 1]), tmp_path, train=Trainer(why))
    assert [(one.recipe, one.seed, one.reason) for one in found.failures] == [
        ("cutmix", 0, "no linear head"),
        ("mixup", 1, r"the loss became nan at step 12 \x1b[31m"),
        ("cutmix", 1, "ran out of memory on cpu: CUDA out of memory"),
    ]
    assert not any("nan" in note or "linear head" in note for note in found.notes)
    assert [row.recipe for row in found.rows] == ["v1", "v1", "mixup", "mixup", "label-smoothing", "label-smoothing"]
    assert (found.rows[2].accuracy.n, found.rows[2].gain["mls"].n) == (1, 1)
    trainer = Trainer()
    assert not ablate(planned(["mixup", "cutmix", "label-smoothing"], [0, 1]), tmp_path, train=trainer).failures
    assert trainer.calls == [("cutmix", 0), ("mixup", 1), ("cutmix", 1)]


def test_a_baseline_that_diverges_leaves_the_others_without_gains(tmp_path):
    found = ablate(planned(["mixup"], [0]), tmp_path, train=Trainer({("v1", 0): TrainingError("the loss became nan")}))
    assert [(row.recipe, row.gain, row.shift) for row in found.rows] == [("mixup", None, None)] * 2


def test_what_keeps_the_first_trial_from_being_made_is_raised(tmp_path):
    trainer = Trainer({("v1", 0): UnsupportedModelError("no linear head")})
    with pytest.raises(UnsupportedModelError, match="no linear head"):
        ablate(planned(["mixup"], [0]), tmp_path, train=trainer)
    assert trainer.calls == [("v1", 0)]


def test_a_mistake_in_the_code_is_no_failure_of_a_recipe(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"):
        ablate(planned(["mixup"], [0]), tmp_path, train=Trainer({("mixup", 0): RuntimeError("shapes do not match")}))


def test_without_a_single_trial_there_is_no_result(tmp_path):
    why = {(recipe, 0): TrainingError("the loss became nan") for recipe in ("v1", "mixup")}
    with pytest.raises(TrainingError, match="no trial came to its end; v1, seed 0: the loss became nan"):
        ablate(planned(["mixup"], [0]), tmp_path, train=Trainer(why))


def test_a_run_that_refitted_its_head_is_judged_with_both(tmp_path):
    """As trained: the head of before.safetensors; AugDelete: one made of that as of every recipe's, not that of the network."""
    model = oodkit.load_classifier("demo:digits-v2")
    train = oodkit.extract(model, oodkit.open_images(FIT, limit=40), cache=False, workers=0)
    repaired = model.with_head(oodkit.augdelete(train, l2=1e-3), method="AugDelete")
    (tmp_path / BEFORE).write_bytes((Path(oodkit.demo.__file__).parent / "digits-v2.safetensors").read_bytes())
    images = demo_images()
    judged = judge_trained(repaired, tmp_path, images, JUDGE)
    plain = judge_trained(model, tmp_path / "plain", images, JUDGE)
    assert (judged.before.max_logits, judged.after.max_logits) == (plain.before.max_logits, plain.after.max_logits)
    for figures, own in ((judged.before, model), (plain.before, model)):
        outputs = oodkit.extract(own, images.id_test, cache=False, workers=0)
        assert figures.max_logits["id"] == pytest.approx(float(outputs.logits.double().amax(1).mean()), rel=1e-6)
        assert figures.accuracy == float((outputs.predictions() == outputs.labels).double().mean())


def test_a_scorer_that_can_not_serve_is_left_out_and_told_of_once(tmp_path, monkeypatch):
    from oodkit.scorers.knn import Knn

    def refuse(*_):
        raise NotApplicableError("not today")

    monkeypatch.setattr(Knn, "_fit", refuse)
    found = ablate(planned(["mixup"], [0, 1]), tmp_path, train=Trainer())
    assert found.scorers == ["mls"]
    assert all(set(row.aurocs) == {"mls"} for row in found.rows)
    assert "knn: not today" in found.notes


def test_without_validation_images_augdelete_says_that_it_could_not_tell(tmp_path, monkeypatch):
    from oodkit.ablation import trial

    monkeypatch.setattr(trial, "GAIN", 99.0)
    images = demo_images()
    found = ablate(
        planned(["v1"], [0], images=replace(images, training=replace(images.training, val=None))), tmp_path, train=Trainer()
    )
    assert any("the network knows its training images by heart; give --val SET" in note for note in found.notes)


def test_the_result_is_json_of_finite_numbers(tmp_path):
    from oodkit.report.document import plain

    found = ablate(planned(["mixup"], [0]), tmp_path, train=Trainer())
    assert json.loads(json.dumps(plain(found), allow_nan=False))["rows"][2]["gain"]["mls"]["p"] is None
