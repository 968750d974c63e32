"""Random erasing, TrivialAugment and RandAugment: torchvision's transforms, in their place, and plain cross-entropy."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torchvision.transforms import InterpolationMode, v2

from oodkit.errors import UsageError
from oodkit.training.augment import TrainTransform
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe, parse_recipe

from .toy import given_logits

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("trivial-augment", v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR)),
        ("randaugment", v2.RandAugment(num_ops=1, magnitude=14, interpolation=InterpolationMode.BILINEAR)),
        ("randaugment:n=3,m=30", v2.RandAugment(num_ops=3, magnitude=30, interpolation=InterpolationMode.BILINEAR)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_pictures_are_changed_as_torchvision_changes_them(name, transform, seed):
    (view,) = parse_recipe(name).views(32)
    assert view.on_tensor == ()
    (own,) = view.on_image
    torch.manual_seed(seed)
    found = np.array(own(IMAGE))
    torch.manual_seed(seed)
    assert np.array_equal(found, np.array(transform(IMAGE)))


def test_erasing_blanks_a_rectangle_of_the_normalised_image_and_nothing_else():
    (view,) = make_recipe("random-erasing", p=1.0).views(32)
    assert view.on_image == ()
    torch.manual_seed(0)
    (erased,) = TrainTransform(32, False, (0.5,) * 3, (0.25,) * 3, (view,))(IMAGE)
    torch.manual_seed(0)
    (plain,) = TrainTransform(32, False, (0.5,) * 3, (0.25,) * 3)(IMAGE)
    blank = (erased == 0).all(0) & (plain != 0).any(0)
    rows, columns = blank.any(1), blank.any(0)
    assert 0.01 < blank.float().mean() < 0.34
    assert blank.sum() == rows.sum() * columns.sum(), "no rectangle"
    torch.testing.assert_close(erased[:, ~blank], plain[:, ~blank])


def test_about_a_tenth_of_the_images_is_erased():
    (erase,) = make_recipe("random-erasing").views(32)[0].on_tensor
    torch.manual_seed(0)
    erased = sum(bool((erase(torch.ones(3, 8, 8)) == 0).any()) for _ in range(1000))
    assert 70 < erased < 130


@pytest.mark.parametrize("name", ["random-erasing", "trivial-augment", "randaugment"])
def test_the_loss_is_plain_cross_entropy(name):
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    recipe = make_recipe(name)
    found = given_logits(recipe, 3)(Batch((logits,), labels))
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits, labels))
    assert recipe.facts() == make_recipe("v1").facts()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("random-erasing:p=1.5", "recipe random-erasing needs a p from 0 to 1, got p=1.5"),
        ("randaugment:n=0", "recipe randaugment needs an n of at least 1 and an m from 0 to 30, got n=0, m=14"),
        ("randaugment:m=31", "got n=1, m=31"),
    ],
)
def test_settings_out_of_range_are_refused(spec, message):
    with pytest.raises(UsageError, match=message):
        parse_recipe(spec)
