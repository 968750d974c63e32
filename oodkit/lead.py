"""How far a feature score is ahead of the maximal logit, here and at a baseline: what the verdict rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oodkit.delong import Comparison, Placements, compare_paired, growth, place, weigh
from oodkit.evaluation import mean_weights
from oodkit.metrics import Estimate
from oodkit.scorers.knn import Knn, beyond_the_class, neighbours
from oodkit.scoring import Scored

MARGIN = 0.01  # with enough images any difference lies beyond its interval; below one point of AUROC nobody would act on it
ENOUGH = 20  # images of a class: of random banks of a digits network with 3 to 8 KNN led by −16 to +9 points; from 10 on it stays


@dataclass(frozen=True)
class Lead:
    """How far KNN on the features is ahead of the maximal logit.

    spec: which KNN. comparison: its mean AUROC minus that of the maximal logit, paired. problem: why there is none to trust.
    remedy: the options that would give one. k: which neighbour it looks at. each: how many images of a class its bank holds, on
    average; None where not known. placed: KNN's images and the maximal logit's, which the comparison was made of.
    """

    spec: str = "knn"
    comparison: Comparison | None = None
    problem: str | None = None
    remedy: str = ""
    k: int = 50
    each: float | None = None
    placed: tuple[Placements, Placements] | None = field(default=None, repr=False)

    @property
    def rests_on_few(self) -> bool:
        """Whether the bank is so small that a KNN which is not ahead says nothing of the features."""
        return self.each is not None and self.each < ENOUGH


@dataclass(frozen=True)
class Against:
    """The same measured against a baseline.

    shift: the mean over OOD sets of (r_id − r_ood)/(1 − r_ood), None where undefined. loss: the mean AUROC of the baseline's
    maximal logit minus the model's, paired; None without the same images. accuracy, lead: the baseline's. growth: how much further
    KNN is ahead of the maximal logit at the model than at the baseline; None where one of the two leads is not there.
    """

    name: str
    shift: Estimate | None
    loss: Comparison | None
    accuracy: Estimate
    lead: Lead
    growth: Estimate | None = None


def knn_lead(scored: Sequence[Scored], groups: Mapping[str, str], num_classes: int, *, fit_given: bool = False) -> Lead:
    """KNN against the maximal logit. Of several KNN the first whose neighbours belong to one class is taken.

    fit_given: whether there were ID training images, so that another reason keeps a KNN from scoring.
    """
    mls = next((one for one in scored if one.name == "mls" and one.reason is None), None)
    found = [one for one in scored if one.name == "knn" and one.reason is None]
    if mls is None or not found:
        knn = next((one for one in reversed(scored) if one.name == "knn"), None)  # the plain one, where diagnose had to add it
        k = neighbours(knn.settings["k"] if knn else Knn().k, num_classes)
        return Lead(problem=_no_feature_score(knn), remedy="" if fit_given else "--train SET", k=k)
    far = {one.spec: beyond_the_class(one.settings["k"], _bank(one), num_classes) for one in found}
    knn = next((one for one in found if far[one.spec] is None), found[0])
    each = _bank(knn) / num_classes
    if problem := far[knn.spec]:
        return Lead(
            knn.spec, None, problem, f"--scorer knn:k={int(each) // 2}" if each >= 2 else "--train SET", knn.settings["k"], each
        )
    placed = _placed(knn, groups), _placed(mls, groups)
    return Lead(knn.spec, compare_paired(*placed), k=knn.settings["k"], each=each, placed=placed)


def lead_growth(lead: Lead, before: Lead) -> Estimate | None:
    """How much larger the lead is than the one before, of the same OOD sets; see ``delong.growth``. None where one is missing."""
    return None if lead.placed is None or before.placed is None else growth(lead.placed, before.placed)


def _placed(one: Scored, groups: Mapping[str, str]) -> Placements:
    sets = sorted(one.ood_scores)  # the sets of another model may stand in another order
    return weigh([place(one.id_scores, one.ood_scores[name]) for name in sets], mean_weights(sets, groups))


def _no_feature_score(knn: Scored | None) -> str:
    return f"no feature score from {knn.spec}: {knn.reason}" if knn else "no feature score: KNN needs ID training images"


def _bank(knn: Scored) -> int:
    return round(knn.fitted_on * float(knn.settings["fraction"]))


def is_ahead(comparison: Comparison) -> bool:
    """Beyond the interval, and by enough to act on."""
    return comparison.low > 0 and comparison.difference >= MARGIN
