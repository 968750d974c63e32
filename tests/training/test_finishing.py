"""What comes of a run after its last step: a plain checkpoint that answers as was told, refitted where that was asked for."""

import pytest
import torch

import oodkit
from oodkit import open_images
from oodkit.refitting import refit
from oodkit.training.recipes import RECIPES

from .small import digits, said, tensors, trained

NEEDED = {"outliers": "digits-unseen", "mixing": "photo-patches"}


def test_augdelete_refits_the_last_layer_alone_on_all_training_images(tmp_path):
    trained(tmp_path, augdelete=True)
    before, after = (oodkit.load_classifier(str(tmp_path / name)) for name in ("before.safetensors", "model.safetensors"))
    weights = tensors(tmp_path / "model.safetensors")
    for name, weight in tensors(tmp_path / "before.safetensors").items():
        assert weight.equal(weights[name]) == (not name.startswith("fc.")), name
    assert weights["bn1.num_batches_tracked"] == 9
    sets = {
        name: oodkit.extract(before, one, cache=False, workers=0, device="cpu")
        for name, one in (("train", digits()), ("val", digits("val", 24)))
    }
    expected = refit(sets["train"])  # the validation images, of which the accuracy is told, have no part in it
    torch.testing.assert_close(after.head.weight, expected.head.weight, rtol=1e-4, atol=1e-5)
    assert (before.refitted, after.refitted) == (False, True)
    told = said(tmp_path)["result"]["augdelete"]
    assert (told["images"], told["l2"], told["judged_by"]) == (48, expected.l2, "train")
    assert told["val_accuracy_before"] == (sets["val"].predictions() == sets["val"].labels).double().mean().item()
    assert said(tmp_path)["result"]["val_accuracy"] == told["val_accuracy"]
    assert not (tmp_path / "features").exists()


def test_an_interrupted_refit_goes_on_without_another_step(tmp_path, monkeypatch):
    from oodkit.training import finishing

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(finishing, "refit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, augdelete=True, epochs=1)
    monkeypatch.undo()
    assert said(tmp_path)["status"] == "unfinished"
    steps = []
    trained(tmp_path, augdelete=True, epochs=1, progress=lambda reached: steps.append(reached.step))
    assert steps == []
    assert said(tmp_path)["status"] == "finished"


def test_the_average_of_the_weights_is_the_trained_network(tmp_path):
    trained(tmp_path, ema=True, batch_size=4)  # so many steps that they are averaged
    found, last = tensors(tmp_path / "model.safetensors"), tensors(tmp_path / "last.safetensors")
    assert found["fc.weight"].equal(last["average.module.net.fc.weight"])
    assert not found["fc.weight"].equal(last["learner.net.fc.weight"])


def test_what_a_recipe_says_of_its_logits_is_in_the_file_and_the_result(tmp_path):
    model = trained(tmp_path, "mos", epochs=1)
    note = said(tmp_path)["result"]["note"]
    assert note
    assert model.about["note"] == note


def test_the_network_that_is_kept_as_the_best_answers_as_was_told(tmp_path):
    """Of a recipe whose answers in training are not those of the file; of 8 classes a third is no chance."""
    trained(tmp_path, "mos:groups=4", data=digits(limit=96), val=digits("val", 50), lr=0.3)
    best = said(tmp_path)["result"]["best"]
    assert best["val_accuracy"] > 0.2
    assert_accuracy(oodkit.load_classifier(str(tmp_path / "best.safetensors")), best["val_accuracy"], 50)


def test_what_a_recipe_says_of_its_logits_is_not_said_of_a_refitted_layer(tmp_path):
    for recipe, holds in (("mos", False), ("npos", True)):
        model = trained(tmp_path / recipe, recipe, data=digits(limit=16), epochs=1, batch_size=8, augdelete=True)
        assert (RECIPES[recipe].note in said(tmp_path / recipe)["result"]["note"]) == holds
        assert (RECIPES[recipe].note in model.about.get("note", "")) == holds
        before = oodkit.load_classifier(str(tmp_path / recipe / "before.safetensors"))
        assert RECIPES[recipe].note in before.about["note"]


def assert_accuracy(model, told, images=16):
    """Whichever way rounding turns an answer between two classes that are equally likely."""
    found = oodkit.extract(model, digits("val", images), cache=False, workers=0, device="cpu")
    right, largest = found.predictions() == found.labels, found.logits.topk(2).values
    close = largest[:, 0] - largest[:, 1] < 1e-4
    assert (right & ~close).sum() - 0.5 < told * images < (right | close).sum() + 0.5


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_any_recipe_trains_is_a_plain_checkpoint_that_answers_as_the_recipe_does(tmp_path, recipe):
    needs = {name: open_images(f"demo:{one}", limit=16) for name, one in NEEDED.items() if name in RECIPES[recipe].needs}
    model = trained(tmp_path, recipe, data=digits(limit=16), val=digits("val", 16), epochs=1, batch_size=8, **needs)
    result = said(tmp_path)["result"]
    assert_accuracy(model, result["val_accuracy"])
    assert model.num_classes == 8
    assert model.refitted == (result["augdelete"] is not None)
    best = result["best"]
    assert (best is not None) == RECIPES[recipe].trains_head == (tmp_path / "best.safetensors").is_file()
    if best is not None:
        assert best["before_augdelete"] == model.refitted
        assert_accuracy(oodkit.load_classifier(str(tmp_path / "best.safetensors")), best["val_accuracy"])
    assert model.about["recipe"]["name"] == recipe
