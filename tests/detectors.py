"""What the tests of detectors share: detectors of the demo and of a tiny network, and files of them that were crafted."""

import json

import torch
from safetensors.torch import save_file

from oodkit.calibration import Calibration
from oodkit.detector import Detector
from oodkit.scorers import make_scorer
from oodkit.tensor_file import load_stored


def detector_of(demo, name="knn", alpha=0.05):
    model, _, outputs = demo
    scorer = make_scorer(name)
    scorer = scorer.fit(outputs[scorer.fits_on]) if scorer.fits_on else scorer
    return Detector(model, scorer, Calibration(scorer.score(outputs["val"]).numpy(), alpha, "demo:digits:val"))


def tiny_detector(model, scorer=None, scores=(-1.0, 0.0, 1.0)):
    return Detector(model, scorer or make_scorer("mls"), Calibration(list(scores), 0.5))


def pixels(count=5, side=8, seed=0):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def crafted(path, tensors=None, **words):
    """The file with other tensors or metadata and no checksum, as whoever crafts one leaves it out. None takes a word away."""
    found, facts = load_stored(path, "it")
    facts |= {name: word if isinstance(word, str) else json.dumps(word) for name, word in words.items() if word is not None}
    facts = {name: fact for name, fact in facts.items() if words.get(name, "") is not None}
    copies = {name: tensor.clone() for name, tensor in found.items()}
    save_file({**copies, **(tensors or {})}, path, facts)
    return path


def same(one, other):
    for own, others in zip(one, other, strict=True):
        torch.testing.assert_close(own, others, rtol=1e-5, atol=1e-5)
