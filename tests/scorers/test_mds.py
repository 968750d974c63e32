import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer

every_one = pytest.mark.parametrize("name", ["mds", "rmds", "mds++", "rmds++", "gmm"])


def test_by_hand():
    """Class 0 at ±1 about (0, 0) on each axis, class 1 the same about (10, 0): Σ = ½ I over both axes, so squared distances double.

    (1, 2) is 1 + 4 = 5 away from (0, 0): −10. (9, 0) is 1 away from (10, 0): −2.
    """
    cross = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    train = Outputs(torch.cat([cross, cross + torch.tensor([10.0, 0])]), torch.arange(8) // 4, logits=torch.zeros(8, 2))
    scores = make_scorer("mds").fit(train).score(Outputs(torch.tensor([[1.0, 2], [9, 0]]), logits=torch.zeros(2, 2)))
    assert scores.tolist() == pytest.approx([-10, -2])


def test_against_the_formula_with_a_loop_over_classes(toy):
    train, labels, test = toy.train.features.double().numpy(), toy.train.labels.numpy(), toy.test.features.double().numpy()
    means = np.stack([train[labels == c].mean(0) for c in range(4)])
    centred = train - means[labels]
    precision = np.linalg.pinv(centred.T @ centred / len(train), hermitian=True)
    distances = [np.einsum("nd,de,ne->n", test - mean, precision, test - mean) for mean in means]
    np.testing.assert_allclose(make_scorer("mds").fit(toy.train).score(toy.test), -np.min(distances, axis=0), rtol=1e-8)


def test_a_far_offset_of_all_features_changes_nothing(toy):
    moved = [Outputs(one.features.double() + 1e4, one.labels, head=toy.head) for one in (toy.train, toy.test)]
    scores = make_scorer("mds").fit(moved[0]).score(moved[1])
    torch.testing.assert_close(scores, make_scorer("mds").fit(toy.train).score(toy.test), rtol=1e-7, atol=0)


def test_images_without_labels_are_a_reason(toy):
    labels = toy.train.labels.clone()
    labels[:3] = -1
    with pytest.raises(NotApplicableError, match="3 of 203 have no label"):
        make_scorer("mds").fit(toy.train.with_labels(labels))


def test_a_class_without_images_draws_no_image_to_itself(toy):
    """Without class 0 its test images are nobody's; a mean of zeros would have been near them."""
    scorer = make_scorer("mds").fit(toy.train.subset(toy.train.labels != 0))
    scores = scorer.score(toy.test)
    assert scores[toy.test.labels == 0].max() < scores[toy.test.labels != 0].min()


@every_one
@pytest.mark.parametrize("images", [1, 2, 4])
def test_images_that_do_not_vary_within_their_classes_are_a_reason(name, images, toy):
    """One image a class: Σ is zero, and every score would be the same."""
    told = "1 image of 1 class" if images == 1 else f"{images} images of {images} classes"
    with pytest.raises(
        NotApplicableError, match=f"{name.replace('+', '.')} has nothing to learn Σ from: {told} without a difference"
    ):
        make_scorer(name).fit(toy.train.subset(torch.arange(images)))


@every_one
@pytest.mark.parametrize(("images", "rank"), [(6, 2), (35, 31)])
def test_images_too_few_for_all_directions_are_a_caution(name, images, rank, toy):
    """Each class takes one direction: N − C are left. A dead feature of many images is none of that."""
    scorer = make_scorer(name).fit(toy.train.subset(torch.arange(images)))
    expected = f"Σ is known in only {rank} of 32 directions: {images} images of 4 classes; give more training images"
    assert scorer.caution(toy.test) == expected
    dead = toy.train.features.clone()
    dead[:, 20:26] = 0
    assert make_scorer(name).fit(Outputs(dead, toy.train.labels, head=toy.head)).caution(toy.test) is None
    assert make_scorer(name).caution(toy.test) is None
