"""NPOS: classes gathered around prototypes on a sphere, and outliers synthesised beyond the loneliest features of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from oodkit.images.base import ImageSet
from oodkit.training.batch import Batch, Found
from oodkit.training.class_queue import ClassQueue, same_class_around
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe, View
from oodkit.training.recipes.vos import NEVER_FULL, apart
from oodkit.training.settings import SMALL

MOST_NUMBERS = 2**27  # among which a step's outliers are chosen: 512 MiB


@dataclass
class NPOS(Recipe):
    """L = −log softmax(z·μ / temperature)[y] + dispersion · mean_c log mean_{j≠c} exp(μ_c·μ_j / temperature) + weight · R.

    z = p(f) / ‖p(f)‖, with f what the last layer reads and p an MLP of ``width`` outputs; the prototype μ_c is the unit average
    of the z of class c, μ_c ← momentum μ_c + (1 − momentum) z, through which the second term reaches z. R is the mean of −log
    σ(φ(f)) over images and −log σ(−φ(f)) over outliers, φ an MLP. Tao et al., Non-Parametric Outlier Synthesis, ICLR 2023,
    arXiv:2303.02966, section 3; the second term is that of CIDER (Ming et al., arXiv:2203.04450), as in the authors' code for
    training from scratch.
    An outlier comes of ``picks`` random ones of the ``select`` features of a class's queue whose ``k``-th nearest neighbour
    there, of features made unit, is furthest: of ``sample_from`` draws N(f, sigma² I) around each, the ``keep`` whose own k-th
    neighbour is furthest. Queues hold the latest ``sample_number`` features of each class; R begins once all are full and the
    share ``start`` is done, and is 0 before. All defaults are OpenOOD v1.5's for CIFAR, where start is 40 of 100 epochs.

    Each image is shown twice, in one pass: a resized crop of 20 to 100 % up to 64 pixels, then colour jitter and greyscale, as in
    OpenOOD. Above 64 pixels both views share the random crop that all recipes make. No last layer is trained, so that AugDelete
    makes it; the paper judges by the k-th neighbour's distance. The answers in training are the nearest prototypes.
    Simplified: prototypes are made unit once a step, not after each image; they start at the first embeddings, not at class
    means. φ starts at 0 and has the learning rate of the rest, where OpenOOD gives it a tenth; batch size and warm-up (OpenOOD:
    256, and 10 epochs) are those of the settings. Where queues would take more than 512 MiB (see ``ClassQueue``) they are
    shorter, and k and select in proportion; where candidates would take more than 512 MiB, a step's outliers are of as many
    classes as fit, drawn at random: 111 with the defaults, up to 1000 features.
    """

    name = "npos"
    title = "Non-parametric outlier synthesis"
    paper = "arXiv:2303.02966"
    trained_with: ClassVar = {"augdelete": True, "weight_decay": 1e-4}
    scored_by = ("knn",)
    note = "the last layer is AugDelete's alone and was no part of the training"
    leaves_unused = True
    needs_linear_head = True
    trains_head = False

    weight: float = 0.1
    dispersion: float = 0.5
    temperature: float = 0.1
    momentum: float = 0.95
    width: int = 128
    sample_number: int = 1000
    k: int = 300
    select: int = 200
    picks: int = 2
    sample_from: int = 600
    keep: int = 200
    sigma: float = 0.1
    start: float = 0.4

    def __post_init__(self) -> None:
        self.require(self.weight >= 0 and self.dispersion >= 0, "a weight and a dispersion of 0 or more")
        self.require(self.temperature > 0 and self.sigma > 0, "a temperature and a sigma above 0")
        self.require(0 <= self.momentum < 1, "a momentum from 0, and below 1")
        self.require(self.width >= 1 and self.sample_number >= 2, "a width of 1 or more and a sample_number of 2 or more")
        self.require(1 <= self.k <= self.sample_number, "a k from 1 to sample_number")
        self.require(1 <= self.picks <= self.select <= self.sample_number, "picks from 1 to select, and select up to sample_number")
        self.require(1 <= self.keep <= self.sample_from, "a keep from 1 to sample_from")
        self.require(0 <= self.start < 1, "a start from 0, and below 1")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        from torchvision.transforms import v2

        colours = (v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8), v2.RandomGrayscale(0.2))
        crop = (v2.RandomResizedCrop(side, scale=(0.2, 1.0)),) if side <= SMALL else ()
        return (View(on_image=crop + colours),) * 2

    def modules(self, num_classes: int, num_features: int) -> nn.Module:
        return Sphere(num_classes, num_features, self.width, self.sample_number)

    def loss(self, learner: Learner, batch: Batch) -> Found:
        labels = batch.labels.repeat(len(batch.views))
        features, _ = learner.features_and_logits(torch.cat(batch.views))
        sphere = learner.extra
        assert isinstance(sphere, Sphere)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            embedded = sphere.embed(features)
            prototypes = moved(sphere.prototypes, embedded, labels, self.momentum)
            if learner.training:
                sphere.remember(prototypes, features, labels)
            cosines = embedded @ prototypes.detach().T
            parts = {
                "compactness": cross_entropy(cosines / self.temperature, labels),
                "dispersion": self.dispersion * nearness(prototypes, self.temperature),
                "outliers": cosines.new_zeros(()),
            }
            if batch.progress >= self.start and sphere.queue.is_full:
                outliers = self.synthesised(sphere.queue)
                parts["outliers"] = self.weight * apart(sphere.odds(features), sphere.odds(outliers))
        return Found(parts, cosines.argmax(1) == labels)

    def synthesised(self, queue: ClassQueue) -> Tensor:
        """Outliers (classes · picks · keep, D) of full queues, of all classes or as many as the memory allows."""
        share = queue.length / self.sample_number
        classes, length, width = queue.rows.shape
        most = max(1, MOST_NUMBERS // (self.picks * self.sample_from * max(length, width)))
        rows = queue.rows
        if classes > most:
            rows = rows[torch.randperm(classes, device=rows.device)[:most]]
        k = max(1, round(share * self.k))
        centres = lonely(rows, k, max(1, round(share * self.select)), self.picks)
        return around(centres, rows, k, self.sigma, self.sample_from, self.keep)

    def predict(self, learner: Learner, images: Tensor) -> Tensor:
        """By the nearest prototype: the last layer is not trained yet."""
        features, _ = learner.features_and_logits(images)
        sphere = learner.extra
        assert isinstance(sphere, Sphere)
        with torch.autocast(features.device.type, enabled=False):
            return (sphere.embed(features.float()) @ normalize(sphere.prototypes).T).argmax(1)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        untouched = not extra.get_parameter("critic.2.weight").any()
        return {"note": f"{self.note}; {NEVER_FULL}"} if untouched and self.weight else {}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "compactness and dispersion with synthesised outliers"}


class Sphere(nn.Module):
    """The projection p, the prototypes (C, E), zeros until a class is seen, φ, and the queues of features."""

    prototypes: Tensor

    def __init__(self, num_classes: int, num_features: int, width: int, sample_number: int) -> None:
        super().__init__()
        self.queue = ClassQueue(num_classes, num_features, sample_number)
        self.projection = nn.Sequential(nn.Linear(num_features, num_features), nn.ReLU(), nn.Linear(num_features, width))
        self.register_buffer("prototypes", torch.zeros(num_classes, width))
        last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        self.critic = nn.Sequential(nn.Linear(num_features, width), nn.ReLU(), last)

    def embed(self, features: Tensor) -> Tensor:
        """(n, E): unit z of features (n, D)."""
        return normalize(self.projection(features), dim=1)

    def odds(self, features: Tensor) -> Tensor:
        """φ (n,) of features (n, D): the log-odds that they are of an image."""
        odds: Tensor = self.critic(features)
        return odds.squeeze(1)

    @torch.no_grad()
    def remember(self, prototypes: Tensor, features: Tensor, labels: Tensor) -> None:
        self.prototypes.copy_(prototypes)
        self.queue.push(features, labels)


def moved(prototypes: Tensor, embedded: Tensor, labels: Tensor, momentum: float) -> Tensor:
    """Prototypes (C, E) after images with embeddings z (n, E) of classes (n,), one after the other: unit; the same without images.

    Of a class with m images it is the unit vector along momentum^m μ + Σ_i momentum^(m − i) (1 − momentum) z_i, i from 1.
    """
    _, later = same_class_around(labels)
    shares = (1 - momentum) * momentum ** later.to(embedded)
    kept = momentum ** torch.bincount(labels, minlength=len(prototypes)).to(embedded)
    return normalize((kept[:, None] * prototypes).index_add(0, labels, shares[:, None] * embedded), dim=1)


def nearness(prototypes: Tensor, temperature: float) -> Tensor:
    """The mean over classes c of log mean_{j≠c} exp(μ_c·μ_j / τ), of prototypes (C, E), C of 2 or more."""
    cosines = prototypes @ prototypes.T / temperature
    others = cosines.masked_fill(torch.eye(len(cosines), dtype=torch.bool, device=cosines.device), -torch.inf)
    count = torch.tensor(len(cosines) - 1.0, device=cosines.device)
    return others.logsumexp(1).mean() - count.log()


def lonely(rows: Tensor, k: int, select: int, picks: int) -> Tensor:
    """(C, picks, D): of rows (C, n, D), in each class random ones of the ``select`` whose k-th neighbour is furthest.

    A row is its own first neighbour, as in the authors' code.
    """
    unit = normalize(rows, dim=2)
    lonely = kth_cosine(unit, unit, k).topk(select, dim=1, largest=False).indices
    drawn = torch.rand(lonely.shape, device=rows.device).argsort(1)[:, :picks]
    chosen = lonely.gather(1, drawn)
    return rows.gather(1, chosen[:, :, None].expand(-1, -1, rows.shape[2]))


def around(centres: Tensor, rows: Tensor, k: int, sigma: float, sample_from: int, keep: int) -> Tensor:
    """(C · picks · keep, D): of draws around centres (C, picks, D), those whose k-th neighbour among rows (C, n, D) is furthest.

    The same noise is drawn around every centre, as in the authors' code.
    """
    classes, picks, width = centres.shape
    noise = sigma * torch.randn(sample_from, width, device=centres.device)
    drawn = centres[:, :, None] + noise
    near = kth_cosine(normalize(drawn, dim=3).flatten(1, 2), normalize(rows, dim=2), k)
    kept = near.view(classes, picks, sample_from).topk(keep, dim=2, largest=False).indices
    return drawn.gather(2, kept[..., None].expand(-1, -1, -1, width)).reshape(-1, width)


def kth_cosine(queries: Tensor, rows: Tensor, k: int) -> Tensor:
    """(C, m): the k-th largest cosine of unit queries (C, m, D) with unit rows (C, n, D); of unit vectors the k-th nearest."""
    return (queries @ rows.mT).topk(k, dim=2, sorted=False).values.amin(2)
