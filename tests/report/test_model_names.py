"""Short names of models."""

from oodkit.report.model_names import named_after, short_names


def test_a_path_is_told_by_its_last_part_and_any_other_name_in_full():
    names = {
        "py:data/weights/cifar_resnet.py:resnet20": "resnet20",
        "local-dir:models/mine/": "mine",
        "runs/one/best.pth": "best.pth",
        "resnet50.tv2_in1k": "resnet50.tv2_in1k",
        "torchvision:resnet50/IMAGENET1K_V2": "torchvision:resnet50/IMAGENET1K_V2",
        "hf-hub:timm/resnet50.a1_in1k": "hf-hub:timm/resnet50.a1_in1k",
        "demo:digits-v1": "demo:digits-v1",
    }
    assert short_names(names) == names


def test_models_of_one_last_part_keep_their_whole_names():
    assert short_names(["a/best.pth", "b/best.pth", "b/last.pth"]) == {
        "a/best.pth": "a/best.pth",
        "b/best.pth": "b/best.pth",
        "b/last.pth": "last.pth",
    }


def test_a_repaired_model_is_called_as_the_one_it_was_made_of():
    """Its own name is no path any more, so that it would be told in full."""
    before, after = "runs/one/best.pth", "runs/one/best.pth + AugDelete"
    assert named_after(short_names([before, after]), before, after) == {before: "best.pth", after: "best.pth + AugDelete"}
    assert named_after(short_names(["a", "b"]), "a", "b") == {"a": "a", "b": "b"}
