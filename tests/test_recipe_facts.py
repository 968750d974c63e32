from fnmatch import fnmatchcase

import pytest
import timm
import torchvision

from oodkit.models.names import demo_names
from oodkit.recipe_facts import UNKNOWN, Recipe, recipe_of, rows, sibling_of

TORCHVISION = [
    f"torchvision:{arch}/{weights.name}"
    for arch in torchvision.models.list_models(module=torchvision.models)
    for weights in torchvision.models.get_model_weights(arch)
]
NAMES = [*TORCHVISION, *timm.list_pretrained(), *demo_names()]


def test_every_pattern_decides_for_at_least_one_name_that_exists() -> None:
    """A pattern that an earlier one hides, or that the libraries no longer have, is a mistake."""
    decided = {next((pattern for pattern, _ in rows() if fnmatchcase(name, pattern)), None) for name in NAMES}
    assert [pattern for pattern, _ in rows() if pattern not in decided] == []


def test_no_pattern_comes_twice() -> None:
    patterns = [pattern for pattern, _ in rows()]
    assert len(patterns) == len(set(patterns))


@pytest.mark.parametrize("name", TORCHVISION)
def test_every_torchvision_weights_enum_has_a_row(name: str) -> None:
    assert recipe_of(name) is not UNKNOWN


def test_pairs_exist_and_are_plain_where_their_recipe_is_known() -> None:
    pairs = {name: sibling_of(name) for name in NAMES if sibling_of(name)}
    for name, pair in pairs.items():
        assert pair in NAMES, name
        assert recipe_of(name).softeners
        assert recipe_of(pair).softeners == ()
        assert sibling_of(pair) is None


def test_the_pairs_are_as_many_as_the_libraries_have() -> None:
    """torchvision: 24 V2 weights, less efficientnet_b1, whose V1 is no plain recipe. timm: 7 of tv2 and tv, 11 of tv2 and pycls."""
    pairs = {name: sibling_of(name) for name in NAMES if sibling_of(name)}
    assert sum(name.startswith("torchvision:") for name in pairs) == 23
    assert sum(pair.endswith(".tv_in1k") for pair in pairs.values()) == 7
    assert sum(pair.endswith(".pycls_in1k") for pair in pairs.values()) == 11


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_new_recipe_is_where_torchvision_says_it_is(name: str) -> None:
    """torchvision's own metadata link the 24 weights of the new recipe to issue 3995."""
    arch, _, tag = name.removeprefix("torchvision:").partition("/")
    link = torchvision.models.get_model_weights(arch)[tag].meta.get("recipe") or ""
    assert not ("issues/3995" in link and not recipe_of(name).softeners)
    assert ("issues/3995" in link) == name.endswith("_V2")


@pytest.mark.parametrize(
    ("name", "softeners"),
    [
        ("resnet50.tv2_in1k", ("label smoothing 0.1", "mixup 0.2", "cutmix 1")),
        ("resnet50.tv_in1k", ()),
        ("resnet50.a2_in1k", ("mixup 0.1", "cutmix 1")),
        ("resnext101_64x4d.tv_in1k", ("label smoothing", "mixup", "cutmix")),
        ("resnet50.gluon_in1k", ("label smoothing",)),
        ("resnet50.d_in1k", None),
        ("tf_efficientnet_b5.ra_in1k", None),
        ("torchvision:vit_b_16/IMAGENET1K_SWAG_LINEAR_V1", None),
        ("demo:digits-v1", ()),
        ("demo:digits-v2", ("label smoothing 0.1", "mixup 0.2", "cutmix 1")),
        ("my-network.pth", None),
    ],
)
def test_softeners_are_what_the_sources_state(name: str, softeners: tuple[str, ...] | None) -> None:
    assert recipe_of(name).softeners == softeners


@pytest.mark.parametrize(
    ("name", "sibling"),
    [
        ("resnet50.tv2_in1k", "resnet50.tv_in1k"),
        ("hf-hub:timm/resnet50.tv2_in1k", "resnet50.tv_in1k"),
        ("regnety_016.tv2_in1k", "regnety_016.pycls_in1k"),
        ("regnety_008_tv.tv2_in1k", None),
        ("torchvision:regnet_y_400mf/IMAGENET1K_V2", "torchvision:regnet_y_400mf/IMAGENET1K_V1"),
        ("torchvision:efficientnet_b1/IMAGENET1K_V2", None),
        ("demo:digits-v2", "demo:digits-v1"),
        ("demo:digits-v1", None),
        ("resnet50.a1_in1k", None),
    ],
)
def test_siblings_have_the_same_architecture_and_a_plain_recipe(name: str, sibling: str | None) -> None:
    assert sibling_of(name) == sibling


def test_what_a_checkpoint_states_of_itself_goes_before_the_table() -> None:
    recipe = recipe_of("anything.safetensors", {"label_smoothing": 0.2, "mixup": 0, "cutmix": 0, "epochs": 3})
    assert recipe.softeners == ("label smoothing 0.2",)
    assert "the checkpoint's own metadata" in str(recipe)


def test_recipes_read_as_words() -> None:
    assert str(UNKNOWN) == "unknown"
    assert str(recipe_of("resnet50.tv_in1k")).startswith("cross-entropy, no label smoothing, mixup or cutmix (stated: ")
    assert str(recipe_of("resnet50.a1_in1k")) == (
        "binary cross-entropy, label smoothing 0.1, mixup 0.2, cutmix 1 (stated: https://arxiv.org/abs/2110.00476)"
    )
    assert str(recipe_of("resnet50.d_in1k")).startswith("binary cross-entropy, rest unknown")


def test_every_row_keeps_to_the_words_of_the_table() -> None:
    for _, recipe in rows():
        assert recipe.loss in {"ce", "bce", "jsd", "unknown"}
        assert recipe.status in {"stated", "default", "inferred"}
        assert recipe.evidence
        strengths = (recipe.label_smoothing, recipe.mixup, recipe.cutmix)
        assert all(value in {"yes", "unknown"} or 0 <= float(value) <= 1 for value in strengths)
        assert isinstance(recipe, Recipe)
