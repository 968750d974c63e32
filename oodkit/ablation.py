"""One training recipe at a time, over several seeds, each before and after AugDelete: what every one does to OOD detection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

AS_TRAINED, AUGDELETED = "as trained", "AugDelete"


@dataclass(frozen=True)
class Figures:
    """Of one network with one head; fractions. aurocs, fpr95_ood: by scorer, then by OOD set, "near", "far" and "mean".

    max_logits: the mean maximal logit by image set, the ID test images as "id".
    """

    accuracy: float
    aurocs: Mapping[str, Mapping[str, float]]
    fpr95_ood: Mapping[str, Mapping[str, float]]
    max_logits: Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed. folder: of its run. seconds: of the training. after: with the last layer refitted.

    shift: by OOD set ``r_id``, ``r_ood`` and ``ratio`` of the maximal logit against the baseline of the same seed; None of the
    baseline itself.
    """

    recipe: str
    seed: int
    folder: str
    seconds: float
    before: Figures
    after: Figures
    shift: Mapping[str, Mapping[str, float | None]] | None


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n − 1; 0 of one seed) over n seeds."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class Gain:
    """The mean difference to the baseline as trained, paired by seed, with its 95 % interval and p value of Student's t.

    Interval and p are None of fewer than two seeds.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Row:
    """One recipe with one head, over the seeds. gain: by scorer, of the AUROC "mean"; accuracy_gain: of the ID accuracy; both None
    of the baseline as trained. shift: the ratio (r_id − r_ood)/(1 − r_ood) by OOD set, None of the baseline and of refitted heads.
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
    """Everything that was found. data: the training images' spec. groups: "near" or "far" by OOD set."""

    arch: str
    data: str
    baseline: str
    recipes: Sequence[str]
    seeds: Sequence[int]
    scorers: Sequence[str]
    groups: Mapping[str, str]
    trials: Sequence[Trial]
    rows: Sequence[Row]
    notes: Sequence[str]
