"""The classes of a pipeline are ImageNet's only where nothing speaks against it."""

from types import SimpleNamespace

import pytest
from torch import nn

from oodkit.synth.classes import imagenet_classes
from oodkit.synth.pipeline_classes import classes_of


class Network(nn.Module):
    def __init__(self, **config: object) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)


def pipe(**config: object) -> SimpleNamespace:
    return SimpleNamespace(components={"scheduler": object(), "vae": Network(latent_channels=4), "net": Network(**config)})


@pytest.fixture(scope="module")
def labels() -> dict[str, str]:
    """As a pipeline's index holds ImageNet's: by text numbers, with synonyms."""
    return {str(one.label): one.name for one in imagenet_classes()}


@pytest.mark.parametrize("config", [{"num_embeds_ada_norm": 1000}, {"num_class_embeds": 1000}, {"num_classes": 1001}])
def test_a_thousand_without_labels_are_imagenets(config: dict[str, int]) -> None:
    """The 1,001st is the one that guidance takes for no class."""
    assert classes_of(pipe(**config), {}, None) == (imagenet_classes(), "ImageNet-1k, by their number")


def test_a_thousand_with_imagenets_labels(labels: dict[str, str]) -> None:
    """A list of names that differs in 100 of 1,000 is ImageNet's still."""
    for number in range(100):
        labels = {**labels, str(number): "another name"}
    assert classes_of(pipe(num_embeds_ada_norm=1000), {"id2label": labels}, None) == (
        imagenet_classes(),
        "ImageNet-1k, by the pipeline's labels",
    )


def test_a_thousand_in_another_order_are_the_pipelines_own(labels: dict[str, str]) -> None:
    """A generator whose ids are shifted by one would give each image the label of its neighbour."""
    shifted = {number: labels[str((int(number) + 1) % 1000)] for number in labels}
    found, how = classes_of(pipe(num_embeds_ada_norm=1000), {"id2label": shifted}, None)
    assert how == "the pipeline's labels"
    assert found[206].name == imagenet_classes()[207].name == "golden retriever"
    assert found[206].label == 206


def test_labels_of_another_set_name_folders() -> None:
    found, how = classes_of(pipe(num_class_embeds=3), {"id2label": {"0": "cat", "2": "a/b"}}, 3)
    assert how == "the pipeline's labels"
    assert [(one.name, one.label) for one in found] == [("cat", 0), ("1", 1), ("a/b", 2)]
    assert len({one.folder for one in found}) == 3
    assert "/" not in found[2].folder


def test_others_are_numbered() -> None:
    found, how = classes_of(pipe(num_class_embeds=10), {}, None)
    assert how == "numbered"
    assert [(one.folder, one.label) for one in found] == [(str(number), number) for number in range(10)]


def test_the_user_may_say_how_many() -> None:
    assert len(classes_of(pipe(), {}, 7)[0]) == 7


def test_nothing_tells_how_many() -> None:
    assert classes_of(pipe(num_class_embeds=None), {}, None) is None
