"""MOS: classes in groups, each with a class for all that belongs to other groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner, linear_head
from oodkit.training.recipes.base import Recipe


@dataclass
class MOS(Recipe):
    """L = Σ_g −log p_g[y where y is in g, else "others"], p_g the softmax over the classes of group g and its class "others".

    Images are cropped and flipped, as in v1. Huang and Li, MOS: Towards Scaling Out-of-distribution Detection for Large Semantic
    Space, CVPR 2021, arXiv:2105.01879, section 3. The sum over groups is unweighted, as the authors' and OpenOOD v1.5's.
    groups: how many, 2 or more and at most the classes; none = √C, and at least 2. They are runs of neighbours in the order of
    the classes, as equal in size as can be; ImageNet's, in the order of WordNet ids, are akin. The paper has 8 for ImageNet's
    1000 classes, by taxonomy, and compares clusters of features and random groups with it.

    In training the last layer has C + G rows, and the answer is the class with the largest p_g. The trained network has C rows,
    w_c − w_others(g): the logit r_c is the log-odds of c against "others" of its group, from which all p_g follow, since −log
    p_g[others] = softplus(lse of r over g). The paper's score −min_g p_g[others] ranks images as max_g lse of r over g does:
    between the maximal logit and that plus the logarithm of the largest group's size. The largest logit may name another class
    than the largest p_g where two groups claim an image: the accuracy in training is by p_g, that on validation images by logits.
    Left out: the authors' schedule for fine-tuning BiT and its mixup. OpenOOD too starts from networks that were trained by
    cross-entropy, for 30 epochs on CIFAR at a learning rate of 0.003; ``oodkit finetune`` with the same classes does so.
    """

    name = "mos"
    title = "Minimum others score"
    paper = "arXiv:2105.01879"
    scored_by = ("mls", "ebo")
    note = (
        "log-odds of each class against the others of its group; mls and ebo are close to the paper's score, "
        "and the softmax over all classes, which msp takes, was never trained"
    )
    needs_linear_head = True

    groups: int | None = None

    def __post_init__(self) -> None:
        self.require(self.groups is None or self.groups >= 2, "groups of 2 or more")

    def count(self, num_classes: int) -> int:
        """G, the number of groups of that many classes. Raises UsageError where there are fewer classes."""
        groups = max(2, round(num_classes**0.5)) if self.groups is None else self.groups
        self.require(groups <= num_classes, f"at most as many groups as the {num_classes} classes")
        return groups

    def adapt(self, net: nn.Module, head: str, num_classes: int) -> None:
        layer = linear_head(net, head)
        groups = self.count(num_classes)
        wider = nn.Linear(layer.in_features, num_classes + groups).to(layer.weight)
        with torch.no_grad():
            for grown, rows in ((wider.weight, layer.weight), (wider.bias, layer.bias)):
                grown.zero_()  # "others" start at 0
                if rows is not None:
                    grown[:num_classes] = rows
        net.set_submodule(head, wider, strict=True)

    def modules(self, num_classes: int, num_features: int) -> nn.Module:
        return Groups(num_classes, self.count(num_classes))

    def loss(self, learner: Learner, batch: Batch) -> Found:
        odds, groups = self._odds(learner, batch.images)
        total = softplus(groups.log_sums(odds)).sum(1) - odds.gather(1, batch.labels[:, None]).squeeze(1)
        return Found({"group softmax": total.mean()}, groups.answers(odds) == batch.labels)

    def predict(self, learner: Learner, images: Tensor) -> Tensor:
        return self._odds(learner, images)[0].argmax(1)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        assert isinstance(extra, Groups)
        wide = linear_head(net, head)
        plain = nn.Linear(wide.in_features, extra.num_classes).to(wide.weight)
        with torch.no_grad():
            plain.weight.copy_(extra.against_others(wide.weight.T).T)
            plain.bias.copy_(extra.against_others(wide.bias[None])[0])
        net.set_submodule(head, plain, strict=True)
        return {}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy by groups of classes"}

    def _odds(self, learner: Learner, images: Tensor) -> tuple[Tensor, "Groups"]:
        assert isinstance(learner.extra, Groups)
        return learner.extra.against_others(learner.logits(images).float()), learner.extra


class Groups(nn.Module):
    """Which of C classes stand in which of G groups: runs of neighbours. Nothing in it is learnt."""

    def __init__(self, num_classes: int, num_groups: int) -> None:
        super().__init__()
        self.num_classes, self.num_groups = num_classes, num_groups

    def of_classes(self, device: torch.device) -> Tensor:
        """(C,) the group of each class. Made anew each time: an average of the weights (EMA) would round a buffer of it."""
        return torch.arange(self.num_classes, device=device) * self.num_groups // self.num_classes

    def against_others(self, logits: Tensor) -> Tensor:
        """(n, C): r, each class's log-odds against "others" of its group, of logits (n, C + G): the classes, then the "others"."""
        others = logits[:, self.num_classes :]
        return logits[:, : self.num_classes] - others[:, self.of_classes(logits.device)]

    def log_sums(self, odds: Tensor) -> Tensor:
        """(n, G): the log-sum-exp of log-odds (n, C) over the classes of each group; −log p_g[others] is its softplus."""
        places = torch.arange(-(-self.num_classes // self.num_groups), device=odds.device)
        starts = -(-torch.arange(self.num_groups + 1, device=odds.device) * self.num_classes // self.num_groups)
        members = starts[:-1, None] + places  # (G, the largest group's size)
        members = members.where(members < starts[1:, None], self.num_classes)
        none = odds.new_full((len(odds), 1), -torch.inf)  # what stands where a group is smaller than the largest
        return torch.cat([odds, none], dim=1)[:, members].logsumexp(2)

    def answers(self, odds: Tensor) -> Tensor:
        """(n,) the classes of the largest p_g."""
        others = softplus(self.log_sums(odds))
        return (odds - others[:, self.of_classes(odds.device)]).argmax(1)
