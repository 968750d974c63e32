"""Matching of the softmax with templates."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import require_finite


@dataclass
class Klm(Scorer):
    """−min_c KL(p ‖ d_c), p = softmax(z), d_c the mean p of the ID validation images that are predicted as c; at most 0.

    Hendrycks, Basart, Mazeika, Zou, Kwon, Mostajabi, Steinhardt and Song, ICML 2022, arXiv 1911.11132. Learns the templates d_c,
    from predictions and without labels; a class that is never predicted has the one-hot template of its own. No settings.
    In float64, with 0 · log 0 = 0 and log d of at least −708, that of the smallest normal number. Both presets agree.

    OpenOOD calls a function for each image and each class and gives the same. pytorch-ood learnt by true class and compared with
    the template of the predicted class alone, which is another score.

    Fails with few validation images, whose templates are noise, and where ``msp`` does, since it reads the softmax alone.
    """

    name = "klm"
    title = "KL matching"
    paper = "arXiv:1911.11132"
    uses = "logits"
    fits_on = "val"

    def _fit(self, outputs: Outputs) -> State:
        classes = outputs.num_classes
        sums = torch.zeros(classes, classes, dtype=torch.float64, device=outputs.device)
        for chunk in outputs.chunks():
            require_finite(chunk.logits, what="logits")
            sums.index_add_(0, chunk.logits.argmax(1), chunk.logits.double().softmax(1))
        counts = sums.sum(1)
        never = counts == 0
        counts[never] = sums[never, never] = 1
        templates = sums.div_(counts[:, None])  # in place, and so below: of 21,841 classes they are 3.6 GiB
        return {"log_templates": templates.clamp_(min=torch.finfo(torch.float64).tiny).log_()}

    def _score(self, chunk: Outputs) -> Tensor:
        p = chunk.logits.double().softmax(1)
        entropy: Tensor = torch.special.entr(p).sum(1)
        return (p @ self.learnt("log_templates", p).mT).amax(1) + entropy
