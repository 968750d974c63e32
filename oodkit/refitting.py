"""AugDelete: the last layer refitted on cached features by plain cross-entropy, without label smoothing and without mixup."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.solvers import Init, Solver, lbfgs, sgd
from oodkit.solvers.cross_entropy import mean_loss
from oodkit.stats import class_sums, require_labels, stratified_rows

JudgedBy = Literal["val", "train"]
Say = Callable[[str], None]
Choice = tuple[float, Tensor | None, float | None, "tuple[Strength, ...]"]

STRENGTHS = tuple(10.0**power for power in range(1, -6, -1))  # over C: about 1 / C is the curvature of the loss itself
GAIN = 0.02  # nats that a strength must bring. The network has seen the held-out images too, and their loss falls on for too long
WITHOUT_HELD_OUT = 0.01  # over C, where no image can be held out: what the path chose on most networks it was measured on
HELD_OUT = 0.2  # of the training images
ROUGH_GAP = 0.01  # nats from the optimum, where strengths are compared
SELECTION_IMAGES = 131_072  # to choose the strength on at most, copied to memory; of a quarter too weak a one was chosen


@dataclass(frozen=True)
class Strength:
    """A strength of the penalty that was tried: the loss of the held-out images in nats, and the passes over the others it took."""

    l2: float
    held_out_loss: float
    steps: int


@dataclass(frozen=True, eq=False)
class Refit:
    """A refitted head and how it came about.

    l2: the strength used. n_fit: the images of the last fit; n_held_out: those that the strength was chosen on, judged_by:
    validation or held-out training images. start_loss, held_out_loss: their mean cross-entropy in nats, of the starting head and of
    this one; held-out images are in the last fit, so theirs is as the strength was chosen, before it. None where there were none.
    tried: the strengths from strong to weak. steps: of the last fit, passes over all images for lbfgs, batches for sgd. gradient:
    the Euclidean norm of the objective's gradient at the end; gap: at most so many nats the objective lies above its minimum; both
    None for sgd. notes: what else is to know, a sentence each.
    """

    head: Head
    solver: Solver
    init: Init
    l2: float
    n_fit: int
    n_held_out: int
    start_loss: float | None
    held_out_loss: float | None
    tried: tuple[Strength, ...]
    steps: int
    gradient: float | None
    gap: float | None
    converged: bool
    notes: tuple[str, ...]
    judged_by: JudgedBy | None = None


def augdelete(
    train: Outputs,
    *,
    solver: Solver = "lbfgs",
    init: Init = "head",
    l2: float | None = None,
    val: Outputs | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Head:
    """The last layer refitted by plain cross-entropy on the cached features of labelled training images, as a new ``Head``.

    Repairs the logits of a network trained with label smoothing, mixup or cutmix: give it to ``outputs.with_head``. Algorithm 1 of
    "Diagnosing Pretrained Models for Out-of-distribution Detection" (ICCV 2025), section 5.1. The features stay as they are.

    solver: "lbfgs" goes through all images in every step, is deterministic and ends where its objective is proven to lie within
    0.001 nats of its minimum; "sgd" goes by batches, as in the paper (20 epochs, 512 images each). init: where it starts, and
    what the penalty of lbfgs pulls to: the present head, or zeros. l2: the strength of the penalty, above 0; without it lbfgs
    chooses one by the loss of held-out images, and sgd takes 1e-4. val: labelled images that the network was not trained on, to
    choose it by; else a fifth of ``train``. seed: draws the images held out, and the batches. progress: called with a line for
    each step.

    Raises NotApplicableError where images have no label or features are not finite, OutputsError where a label has no class,
    UsageError for settings that can't be used, for outputs without a head, and where ``val`` comes from another network.
    """
    return refit(train, solver=solver, init=init, l2=l2, val=val, seed=seed, progress=progress).head


def refit(
    train: Outputs,
    *,
    solver: Solver = "lbfgs",
    init: Init = "head",
    l2: float | None = None,
    val: Outputs | None = None,
    views: int = 1,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Refit:
    """``augdelete`` with an account of what it did.

    The penalty of lbfgs is l2/2 · ‖θ‖², θ the change of the head in whitened coordinates (``solvers.lbfgs.Problem``). Its strength
    is chosen along 10 / C, 1 / C, 0.1 / C, …, from strong to weak, each starting where the one before it ended, up to the first
    after the strongest that does not lower the held-out loss by 0.02 nats more; of too many images on a stratified draw of 131,072.
    Then all images, those held out among them, are fitted with it. With ``l2`` nothing is held out. For sgd l2 is its weight
    decay, on weights and bias as they are. views: of each image in ``train``, whose number is its index // views; all of an image
    are held out, or none.
    """
    require_settings(solver, init, l2)
    start = _start(train, init)
    images = _labelled(train, start)
    val = None if val is None else _of_same_network(val, train, start)
    counts = class_sums(train)[0][:-1]  # and refuses features that are not finite
    say = progress or (lambda _: None)
    made = (_by_sgd if solver == "sgd" else _by_lbfgs)(_Job(images, val, start, init, l2, views, seed, say))
    made = replace(made, judged_by=None if made.start_loss is None else "train" if val is None else "val")
    notes = _notes(made, counts)
    like = torch.float64 if start.weight.dtype == torch.float64 else torch.float32
    weight, bias = made.head.weight.to(start.weight.device, like), made.head.bias.to(start.bias.device, like)
    head = replace(made.head, weight=weight, bias=bias)
    return replace(made, head=head, notes=(*notes, *made.notes))


@dataclass(frozen=True, eq=False)
class _Job:
    train: Outputs
    val: Outputs | None
    start: Head
    init: Init
    l2: float | None
    views: int
    seed: int
    say: Say


def _by_sgd(job: _Job) -> Refit:
    settings = sgd.Settings() if job.l2 is None else sgd.Settings(weight_decay=job.l2)
    show = lambda done, steps: job.say(f"sgd: {done} of {steps} batches")  # noqa: E731
    head, steps = sgd.descend(job.train, job.start, settings, seed=job.seed, progress=show)
    if not (head.weight.isfinite().all() and head.bias.isfinite().all()):
        raise NotApplicableError("sgd diverged: features of this size need a smaller learning rate; take the solver lbfgs")
    before, after = (None if job.val is None else mean_loss(job.val, one) for one in (job.start, head))
    account = (len(job.train), len(job.val or ()), before, after, (), steps)
    return Refit(head, "sgd", job.init, settings.weight_decay, *account, None, None, True, ())


def _by_lbfgs(job: _Job) -> Refit:
    chosen_on, judged_by, note = _selection(job)
    problem = lbfgs.Problem(chosen_on, job.start, lbfgs.Coordinates.of(chosen_on))
    start_loss = None if judged_by is None else mean_loss(judged_by, job.start)
    path = _Path(problem, judged_by, start_loss, job)
    l2, correction, held_out_loss, tried = path.fixed() if job.l2 is not None or judged_by is None else path.walk()
    whole = replace(problem, outputs=job.train)
    job.say(f"refitting on {len(job.train)} images with l2 = {l2:.3g}")
    show = lambda passes, gap: job.say(f"lbfgs: pass {passes}, within {gap:.2g} nats of the optimum")  # noqa: E731
    found = lbfgs.solve(whole, l2, start=correction, progress=show)
    head = problem.coordinates.corrected(job.start, found.correction)
    if job.val is not None:
        held_out_loss = mean_loss(job.val, head)
    account = (len(job.train), 0 if judged_by is None else len(judged_by), start_loss, held_out_loss, tried)
    end = (found.passes, found.gradient, found.gap, found.converged)
    return Refit(head, "lbfgs", job.init, l2, *account, *end, (note,) if note else ())


def _selection(job: _Job) -> tuple[Outputs, Outputs | None, str | None]:
    """The images to try strengths on, those to judge them by, None where there are none, and a note."""
    train, note = job.train, None
    if job.l2 is not None:
        return train, job.val, None
    labels, indices = train.labels.cpu(), train.indices.cpu()
    rows = torch.arange(len(train))
    if len(train) > SELECTION_IMAGES:
        rows = stratified_rows(labels, SELECTION_IMAGES / len(train), job.seed, ids=indices)
        note = f"the strength was chosen on a stratified draw of {len(rows)} of the {len(train)} images"
    if job.val is not None:
        return (train if len(rows) == len(train) else train.subset(rows)), job.val, note
    held_out = _held_out(labels[rows], indices[rows], job.views, job.seed)
    if not held_out.any():
        l2 = WITHOUT_HELD_OUT / train.num_classes
        return train, None, f"no class has two images, so none could be held out to choose the strength by: took l2 = {l2:.3g}"
    return train.subset(rows[~held_out]), train.subset(rows[held_out]), note


def _held_out(labels: Tensor, indices: Tensor, views: int, seed: int) -> Tensor:
    """(N,) bool, all views of a share of the images of every class that has two."""
    numbers, image_of = indices, torch.arange(len(indices))  # joined outputs may have an index twice: of two images
    if views > 1:
        numbers, image_of = torch.unique(indices // views, return_inverse=True)
    own = torch.empty_like(numbers)
    own[image_of] = labels
    repeated = (torch.bincount(own)[own] > 1).nonzero().flatten()
    if not len(repeated):
        return torch.zeros(len(labels), dtype=torch.bool)
    drawn = repeated[stratified_rows(own[repeated], HELD_OUT, seed, ids=numbers[repeated])]
    return torch.isin(image_of, drawn)


@dataclass(frozen=True, eq=False)
class _Path:
    problem: lbfgs.Problem
    judged_by: Outputs | None
    start_loss: float | None
    job: _Job

    def fixed(self) -> Choice:
        return self.job.l2 or WITHOUT_HELD_OUT / self.problem.head.num_classes, None, None, ()

    def walk(self) -> Choice:
        """The chosen strength, the correction found with it, and its held-out loss; and all that were tried."""
        assert self.judged_by is not None
        assert self.start_loss is not None
        tried: list[Strength] = []
        best, kept, correction = self.start_loss, 0, None
        found: lbfgs.Solution | None = None
        for number, strength in enumerate(STRENGTHS):
            l2 = strength / self.problem.head.num_classes
            found = lbfgs.solve(self.problem, l2, start=found, gap=ROUGH_GAP)
            at = found.correction
            loss = mean_loss(self.judged_by, self.problem.coordinates.corrected(self.problem.head, at))
            tried.append(Strength(l2, loss, found.passes))
            self.job.say(f"l2 = {l2:.3g}: held-out loss {loss:.4f}, from {self.start_loss:.4f}, after {found.passes} passes")
            if number == 0:
                best, correction = min(best, loss), at
            elif best - loss >= GAIN:
                best, kept, correction = loss, number, at
            else:
                break
        return tried[kept].l2, correction, tried[kept].held_out_loss, tuple(tried)


def _notes(made: Refit, counts: Tensor) -> list[str]:
    notes, classes, present = [], len(counts), int((counts > 0).sum())
    if present < classes:
        notes.append(
            f"{classes - present} of {classes} classes have no training images: they keep their place, but the refit lowers their "
            "logits on all images, so that they will hardly be predicted; give images of every class"
        )
    if made.start_loss is not None and made.start_loss > math.log(classes) and made.init == "head":
        notes.append(f"the present head does worse than chance ({made.start_loss:.2f} nats): check the order of the classes")
    if made.start_loss is not None and made.init == "head" and made.tried and made.l2 == made.tried[0].l2:
        notes += _unmoved(made, made.start_loss)
    if not made.converged:
        notes.append(f"it ended {made.gap:.2g} nats above its minimum at most, before it was proven to lie within {lbfgs.GAP:g}")
    return notes


def _unmoved(made: Refit, start_loss: float) -> list[str]:
    """Where the strongest penalty was kept. A network knows its training images by heart, whatever its head is like."""
    if start_loss - made.tried[0].held_out_loss >= GAIN:
        return []
    images = "validation images" if made.judged_by == "val" else "held-out training images"
    if made.judged_by == "train" and start_loss < GAIN:
        so = f"the loss of {images} is {start_loss:.4f} nats from the start, so that no penalty can lower it by {GAIN}"
        remedy = "give --val SET, images that the network was not trained on"
        return [f"{so}: they can't tell whether there is something to repair; {remedy}"]
    return [f"no penalty lowers the loss of {images} by {GAIN} nats: there is next to nothing to repair in this head"]


def require_settings(solver: str, init: str, l2: float | None) -> None:
    """Raise UsageError for settings of ``refit`` that can't be used."""
    for what, got, known in (("solver", solver, get_args(Solver)), ("init", init, get_args(Init))):
        if got not in known:
            raise UsageError(f"{what} is one of {', '.join(known)}, got {got!r}")
    if l2 is not None and not (math.isfinite(l2) and (l2 > 0 or (l2 == 0 and solver == "sgd"))):
        raise UsageError(f"l2 is a number above 0, got {l2:g}; sgd alone can do with 0")


def _start(train: Outputs, init: Init) -> Head:
    if train.head is None:
        raise UsageError("these outputs have logits and no head to refit; make them with Outputs(features, labels, head=head)")
    head = train.head
    if init == "head":
        return head
    return replace(head, weight=torch.zeros_like(head.weight), bias=torch.zeros_like(head.bias))


def _labelled(outputs: Outputs, head: Head) -> Outputs:
    """With features and labels alone: stored logits and what probes found would only be copied along."""
    if len(outputs) == 0:
        raise NotApplicableError("got no images to refit the head on; give training images in class folders")
    require_labels(outputs)
    return outputs.with_head(head)


def _of_same_network(val: Outputs, train: Outputs, head: Head) -> Outputs:
    if (val.num_features, val.num_classes) != (train.num_features, train.num_classes):
        got, expected = (f"{one.num_features} features and {one.num_classes} classes" for one in (val, train))
        raise UsageError(f"the validation images come from another network: {got}, the training images have {expected}")
    if len(val) == 0:
        raise NotApplicableError("got no validation images to judge the refit by; give some with labels, or leave them out")
    return _labelled(val, head)
