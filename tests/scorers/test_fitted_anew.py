"""A scorer that is fitted again."""

import pytest
import torch

from oodkit.errors import NotApplicableError, NotFittedError
from oodkit.scorers import load_scorer, make_scorer


def test_what_was_learnt_before_is_forgotten_where_there_is_nothing_to_learn(toy, tmp_path):
    """Else its file would say how many images, and of which network, it learnt nothing from, and could not be read."""
    scorer = make_scorer("mds").fit(toy.train)
    with pytest.raises(NotApplicableError, match="have no label"):
        scorer.fit(toy.train.with_labels(torch.full((len(toy.train),), -1)))
    assert (scorer.state, scorer.fitted_on, scorer.learnt_shape) == (None, 0, None)
    scorer.save(tmp_path / "scorer.safetensors")
    with pytest.raises(NotFittedError, match="mds has not been fitted"):
        load_scorer(tmp_path / "scorer.safetensors").score(toy.test)
