"""Simplified Hopfield energy."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import class_sums, mean_feature, require_labels


@dataclass
class She(Scorer):
    """⟨f, m_ŷ⟩: the product of the features with the stored pattern of the predicted class.

    Zhang et al., ICLR 2023, "Out-of-distribution detection based on in-distribution data patterns memorization with modern
    Hopfield energy" (OpenReview); zjs975584714/SHE_ood_detection. m_c is the mean feature of the ID training images of class c
    that the network classifies correctly. Learns from labelled training images; no settings.

    Deviation: a class without a correct image is NaN in OpenOOD. Here its pattern is the mean of its images, right or wrong, and
    for a class without any image the mean of all training images. The product grows with the length of the features, so it fails
    where OOD images have long ones.
    """

    name = "she"
    title = "SHE"
    paper = "ICLR 2023 (OpenReview)"
    uses = "both"
    fits_on = "train"

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        labels = outputs.labels.cpu()
        correct = outputs.with_labels(torch.where(outputs.predictions() == labels, labels, -1))
        patterns = mean_feature(outputs).expand(outputs.num_classes, -1)
        for images in (outputs, correct):
            counts, sums = class_sums(images)
            counts, sums = counts[:-1, None], sums[:-1]
            patterns = torch.where(counts > 0, sums / counts.clamp(min=1), patterns)
        return {"patterns": patterns}

    def _score(self, chunk: Outputs) -> Tensor:
        own = self.learnt("patterns", chunk.features)[chunk.logits.argmax(1)]
        return (chunk.features.double() * own).sum(1)
