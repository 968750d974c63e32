"""Whether images are of the class that they are labelled with, as the classifier sees them and as a new head would learn them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.errors import ImageSetError
from oodkit.head import Head
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.draws import Classes, Ints
from oodkit.synth.quality.found import SetQuality
from oodkit.wording import printable


def known_as(real: ImageSet, classes: Classes, labels: Ints, extractor: Classifier) -> tuple[Tensor | None, str | None]:
    """(C,) the extractor's number of each class, None unless it knows all that there are images of; and what is to be said."""
    if not classes.labelled:
        return None, "the real images have no classes: agreement, confidence and a new head's accuracy can't be told"
    if real.class_names is None and len(classes.names) != extractor.num_classes:
        counts = f"{len(classes.names)} classes without names, {printable(extractor.name)} has {extractor.num_classes}"
        return None, f"the real images have {counts}: agreement and confidence can't be told"
    try:
        theirs, note = align_labels(real, extractor.class_names, extractor.class_ids, extractor.num_classes)
    except ImageSetError:
        theirs, note = np.full(len(real), -1), None
    there = labels >= 0
    numbers = np.full(len(classes.names), -1)
    numbers[labels[there]] = theirs[there]
    present = np.unique(labels[there])
    if len(missing := present[numbers[present] < 0]):
        unknown = f"{len(missing)} of the {len(present)} classes, such as {classes.names[missing[0]]!r}"
        return None, f"{printable(extractor.name)} does not know {unknown}: agreement and confidence can't be told"
    return torch.from_numpy(numbers), note


@dataclass(frozen=True, eq=False)
class Agreement:
    """right: (n,) bool, whether the most likely class is the label. confidence: the mean largest softmax probability."""

    right: Tensor
    confidence: float

    @classmethod
    def of(cls, sample: Sample, known: Tensor) -> "Agreement":
        """known: (C,) the classifier's number of each class."""
        right, sure = [], 0.0
        start = 0
        for chunk in sample.outputs.chunks():
            probabilities, predicted = chunk.logits.double().softmax(1).max(1)
            labels = sample.labels[start : start + len(predicted)]
            right.append(predicted == known.to(predicted.device)[labels])
            sure += float(probabilities.sum())
            start += len(predicted)
        return cls(torch.cat(right), sure / len(sample))


def without_agreement(found: SetQuality) -> SetQuality:
    """The same of a set whose agreement says nothing."""
    return replace(found, agreement=None, classes=[replace(one, agreement=None) for one in found.classes])


def probe_accuracy(train: Sample, test: Sample, seed: int) -> float | None:
    """The accuracy on ``test`` of a linear head that learnt the features of ``train`` from zeros; None of a single class.

    The solver is AugDelete's, which chooses the strength of its penalty on a fifth of ``train``.
    """
    present, labels = torch.unique(train.labels, return_inverse=True)
    if len(present) < 2:
        return None
    features = train.features
    zeros = Head(torch.zeros(len(present), features.shape[1]), torch.zeros(len(present))).to(features.device)
    learnt = Outputs(features.cpu(), labels.cpu(), head=zeros.to("cpu")).to(features.device)
    head = refit(learnt, init="zeros", seed=seed).head
    predicted = present[torch.cat([head(chunk.features.to(head.weight)).argmax(1) for chunk in test.outputs.chunks()])]
    return float((predicted == test.labels).double().mean())
