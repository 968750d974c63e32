"""One training recipe at a time, over several seeds, each before and after AugDelete: what every one does to OOD detection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

AS_TRAINED: Final = "as trained"
AUGDELETED: Final = "AugDelete"
BASELINE = "v1"  # plain cross-entropy: what every other recipe is held against


@dataclass(frozen=True)
class Figures:
    """Of one network with one head; fractions.

    aurocs, fpr95_ood: by scorer, then by OOD set, by "near mean" and "far mean" where there are such sets, and by "mean", which
    of sets of one group is that group's. A scorer that gave no scores is not there. max_logits: the mean maximal logit by image
    set, the ID test images as "id".
    """

    accuracy: float
    aurocs: Mapping[str, Mapping[str, float]]
    fpr95_ood: Mapping[str, Mapping[str, float]]
    max_logits: Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed. folder: of its run. seconds: of the training. after: with the last layer refitted.

    shift: by OOD set ``r_id``, ``r_ood`` and ``ratio`` of the maximal logit against the baseline of the same seed; None of the
    baseline itself, of recipes that are unlike it, and where it has no figures of the seed.
    """

    recipe: str
    seed: int
    folder: str
    seconds: float
    before: Figures
    after: Figures
    shift: Mapping[str, Mapping[str, float | None]] | None


@dataclass(frozen=True)
class Failure:
    """A recipe with a seed that came to no figures, and why, on one line."""

    recipe: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n − 1; 0 of one seed) over n seeds."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class Gain:
    """The mean difference to the baseline as trained, paired by seed, with its 95 % interval and p value of Student's t.

    n: the seeds that both have. Interval and p are None of fewer than two, and where all differences are the same.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One recipe with one head, over the seeds that came to figures.

    gain: by scorer, of the AUROC "mean"; accuracy_gain: of the ID accuracy; both None of the baseline as trained, and where no seed
    has figures of both. shift: the ratio (r_id − r_ood)/(1 − r_ood) by OOD set, None of the baseline, of recipes that
    are unlike it, and of refitted heads.
    """

    recipe: str
    head: Literal["as trained", "AugDelete"]
    accuracy: Spread
    accuracy_gain: Gain | None
    aurocs: Mapping[str, Mapping[str, Spread]]
    fpr95_ood: Mapping[str, Mapping[str, Spread]]
    gain: Mapping[str, Gain] | None
    shift: Mapping[str, Spread] | None


@dataclass(frozen=True)
class Ablation:
    """Everything that was found.

    data: the training images' spec. recipes: their specs, the baseline first. scorers: by their labels, "mls" first. groups:
    "near" or "far" by OOD set. A recipe without a trial has no row, and its failures say why. unlike: the recipes without a shift,
    as their logits are of another kind than the baseline's: cosines or log-odds, for example. notes: what else is to know, a
    sentence each.
    """

    arch: str
    data: str
    baseline: str
    recipes: Sequence[str]
    seeds: Sequence[int]
    scorers: Sequence[str]
    groups: Mapping[str, str]
    trials: Sequence[Trial]
    rows: Sequence[Row]
    failures: Sequence[Failure]
    unlike: Sequence[str]
    notes: Sequence[str]
