"""A scorer of your own, in one class, beside those that ship; offline."""

from dataclasses import dataclass

from torch import Tensor

import oodkit
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Margin(Scorer):
    """How far the largest logit lies above the mean of the k next ones."""

    name = "margin"
    title = "Logit margin"
    paper = "none"
    uses = "logits"

    k: int = 3

    def _score(self, chunk: Outputs) -> Tensor:
        largest = chunk.logits.double().topk(self.k + 1, dim=1).values
        return largest[:, 0] - largest[:, 1:].mean(1)


@dataclass
class ClassMean(Scorer):
    """Minus the squared distance to the nearest class mean of the training features."""

    name = "class-mean"
    title = "Nearest class mean"
    paper = "none"
    uses = "features"
    fits_on = "train"

    def _fit(self, outputs: Outputs) -> dict[str, Tensor]:
        sums, counts = outputs.features.new_zeros(outputs.num_classes, outputs.num_features).double(), 0
        for chunk in outputs.chunks():
            sums.index_add_(0, chunk.labels, chunk.features.double())
            counts = counts + chunk.labels.bincount(minlength=outputs.num_classes)
        return {"means": sums / counts[:, None]}

    def _score(self, chunk: Outputs) -> Tensor:
        features = chunk.features.double()
        return -(features[:, None] - self.learnt("means", features)).square().sum(2).amin(1)


model = oodkit.load_classifier("demo:digits-v2")
train, test = (oodkit.extract(model, oodkit.open_images(spec)) for spec in ("demo:digits:train", "demo:digits"))
unseen = oodkit.extract(model, oodkit.open_images("demo:digits-unseen"), labelled=False)
for row in oodkit.evaluate([Margin(k=2), ClassMean(), "mls", "knn"], test, {"unseen": unseen}, fit=train):
    if row.ood_set == "unseen" and row.auroc:
        low, high = row.auroc.low, row.auroc.high
        print(f"{row.scorer:<12} AUROC {100 * row.auroc.value:.2f} % ({100 * low:.2f} to {100 * high:.2f})")
