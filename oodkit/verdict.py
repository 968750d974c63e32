"""The verdict: a rule on measured quantities and the known recipe, with its evidence and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oodkit.delong import Comparison, compare_aurocs
from oodkit.evaluation import Result, Scored, best, mean_weights
from oodkit.metrics import Estimate

Code = Literal["input-suspect", "impaired-logits", "features-ahead", "sound-logits", "undetermined"]
MARGIN = 0.01  # with enough images any difference lies beyond its interval; below one point of AUROC nobody would act on it
WEAK = 0.75  # below this mean AUROC no scorer is worth deploying; a repair of the last layer won't mend the features


@dataclass(frozen=True)
class Advice:
    """Something to do. model, flags: the model and the options to diagnose with, for a command line; "" = as before."""

    text: str
    model: str = ""
    flags: str = ""


@dataclass(frozen=True)
class Verdict:
    """code: for programs; sentence: for people; evidence: the measurements it rests on; advice: what to do, best first."""

    code: Code
    sentence: str
    evidence: tuple[str, ...]
    advice: tuple[Advice, ...]


@dataclass(frozen=True)
class Against:
    """The same measured at a baseline. shift, delta_p: means over OOD sets of (r_id − r_ood)/(1 − r_ood), None where undefined,
    and of the AUROC that the model's maximal logit lost against it. lead: KNN against the maximal logit at the baseline.
    """

    name: str
    shift: float | None
    delta_p: float
    lead: Comparison | None


def give_verdict(
    model: str,
    accuracy: Estimate,
    num_classes: int,
    lead: Comparison | None,
    rows: Sequence[Result],
    *,
    softeners: Sequence[str] | None = None,
    against: Against | None = None,
) -> Verdict:
    """Judge a model: are its logits impaired, as label smoothing, mixup and cutmix impair them (Xiong et al., ICCV 2025)?

    accuracy: a fraction. lead: what ``knn_lead`` found, None without a KNN score. softeners: see ``diagnose``.

    They are, where KNN on the features beats the maximal logit by MARGIN and beyond the 95 % interval of the paired DeLong test,
    unless the recipe is known to be plain or KNN is as far ahead at the baseline: then the features are merely ahead. They are too
    where the recipe is known to soften the labels and, against the baseline, the maximal logit fell more on ID than on OOD images
    (Proposition 4.2) and its AUROC by MARGIN.
    """
    harmed = against is not None and against.delta_p >= MARGIN
    evidence = [*_accuracy_evidence(accuracy, num_classes), *_lead_evidence(lead, against)]
    evidence += _recipe_evidence(softeners) + _shift_evidence(against)
    code = "input-suspect" if _near_chance(accuracy, num_classes) else _code(lead, softeners, against, harmed=harmed)
    advice = _advice(code, rows, lead is None, against.name if against and harmed else None)
    return Verdict(code, SENTENCES[code].format(model=model), tuple(evidence), tuple(advice))


def knn_lead(scored: Sequence[Scored], groups: Mapping[str, str]) -> Comparison | None:
    """Mean AUROC of KNN minus that of the maximal logit, paired; None where either was not scored."""
    by_name = {one.name: one for one in scored if one.reason is None}
    if "knn" not in by_name or "mls" not in by_name:
        return None
    knn, mls = by_name["knn"], by_name["mls"]
    sets = list(mls.ood_scores)
    return compare_aurocs(
        knn.id_scores,
        [knn.ood_scores[name] for name in sets],
        mls.id_scores,
        [mls.ood_scores[name] for name in sets],
        mean_weights(sets, groups),
    )


SENTENCES: dict[Code, str] = {
    "input-suspect": "The accuracy of {model} is near chance: class order or preprocessing is wrong; nothing here can be trusted.",
    "impaired-logits": "The logits of {model} are impaired: its last layer separates unknown images worse than its features allow.",
    "features-ahead": "The features of {model} separate unknown images better than its logits, and softened labels are not why.",
    "sound-logits": "The logits of {model} are sound: KNN on its features separates unknown images no better.",
    "undetermined": "Whether the logits of {model} are impaired can't be told: there is no feature score to hold against them.",
}


def _code(lead: Comparison | None, softeners: Sequence[str] | None, against: Against | None, *, harmed: bool) -> Code:
    if lead is not None and lead.low > 0 and lead.difference >= MARGIN:
        at_baseline = against.lead.difference if against and against.lead else None
        grown = at_baseline is None or lead.difference - at_baseline >= MARGIN
        return "features-ahead" if softeners == () or not grown else "impaired-logits"
    if softeners and against and harmed and against.shift is not None and against.shift > 0:
        return "impaired-logits"
    return "undetermined" if lead is None else "sound-logits"


def _near_chance(accuracy: Estimate, num_classes: int) -> bool:
    """Chance lies within the interval or above it; of ten classes and more, twice chance is near it too."""
    return accuracy.low <= 1 / num_classes or (num_classes >= 10 and accuracy.value < 2 / num_classes)


def _accuracy_evidence(accuracy: Estimate, num_classes: int) -> list[str]:
    interval = f"95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}"
    return [f"ID accuracy {accuracy.value:.1%} ({interval}); chance is {1 / num_classes:.1%}"]


def _lead_evidence(lead: Comparison | None, against: Against | None) -> list[str]:
    if lead is None:
        return ["no feature score: KNN needs ID training images (--fit SET)"]
    points = [f"{100 * value:+.2f}" for value in (lead.difference, lead.low, lead.high)]
    interval = f"95 % interval {points[1]} to {points[2]}, paired DeLong p = {lead.p_value:.2g}"
    before = f"; at {against.name}: {100 * against.lead.difference:+.2f}" if against and against.lead else ""
    return [f"mean AUROC of KNN on the features minus that of the maximal logit: {points[0]} points ({interval}){before}"]


def _recipe_evidence(softeners: Sequence[str] | None) -> list[str]:
    if softeners is None:
        return ["training recipe unknown"]
    return [f"trained with {', '.join(softeners)}"] if softeners else ["trained without label smoothing, mixup or cutmix"]


def _shift_evidence(against: Against | None) -> list[str]:
    if against is None:
        return []
    change = f"against {against.name} the maximal logit's mean AUROC changes by {-100 * against.delta_p:+.2f} points"
    if against.shift is None:
        return [f"{change}; its shift is undefined, as a mean maximal logit of the baseline is not positive"]
    more = "more" if against.shift > 0 else "less"
    return [f"{change}; it fell {more} on ID than on OOD images, mean (r_id − r_ood)/(1 − r_ood) = {against.shift:+.3f}"]


def _advice(code: Code, rows: Sequence[Result], no_feature_score: bool, plainer: str | None) -> list[Advice]:
    if code == "input-suspect":
        return [Advice("Check that the class folders are named as the model names its classes, and the preprocessing shown above.")]
    top = best(rows)
    advice = []
    if top is not None and top.auroc is not None:
        found = f"mean AUROC {top.auroc.value:.1%}"
        advice.append(Advice(f"Score with {top.scorer}: the best of those tried here, {found}.", flags=f"--scorer {top.scorer}"))
    if code == "impaired-logits":
        advice.append(
            Advice(
                "Refit the last layer with plain cross-entropy, without label smoothing or mixup (AugDelete): "
                "the features stay as they are, and the accuracy nearly so (Xiong et al. 2025, Table 3: 80.92 to 80.31 %)."
            )
        )
        if plainer:
            advice.append(Advice(f"Or start from the plain checkpoint, {plainer}, if its accuracy suffices.", model=plainer))
    if no_feature_score:
        advice.append(Advice("Give some hundreds of ID training images, so that feature scores can be tried.", flags="--fit SET"))
    if top is not None and top.auroc is not None and top.auroc.value < WEAK:
        advice.append(
            Advice(f"No scorer here reaches {WEAK:.0%}: the features themselves do not separate these images; retrain the network.")
        )
    return advice
