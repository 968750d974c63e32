"""The verdict: a rule on measured quantities and the known recipe, with its evidence and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oodkit.delong import Comparison, compare_aurocs
from oodkit.evaluate import Result, Scored, mean_weights
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


def give_verdict(
    model: str,
    accuracy: Estimate,
    num_classes: int,
    scored: Sequence[Scored],
    groups: Mapping[str, str],
    *,
    rows: Sequence[Result],
    softeners: Sequence[str] | None = None,
    baseline: str | None = None,
    shift: float | None = None,
    delta_p: float | None = None,
) -> Verdict:
    """Judge a model by its scores.

    The logits are impaired where KNN on the features beats the maximal logit by MARGIN and beyond the 95 % interval of the paired
    DeLong test (unless the recipe is known to be plain: then the features are merely ahead), or where the recipe is known to
    soften the labels and the maximal logit fell more on ID than on OOD images against the baseline (Xiong et al., ICCV 2025,
    sections 4 and 5). accuracy is a fraction; shift and delta_p are the means over OOD sets of (r_id − r_ood)/(1 − r_ood) and
    of the AUROC that the maximal logit lost against the baseline.
    """
    comparison = _knn_against_mls(scored, groups)
    evidence = [*_accuracy_evidence(accuracy, num_classes), *_comparison_evidence(comparison)]
    evidence += _recipe_evidence(softeners) + _shift_evidence(baseline, shift, delta_p)
    code = _code(accuracy, num_classes, comparison, shift, softeners)
    plainer = baseline if delta_p is not None and delta_p >= MARGIN else None
    advice = _advice(code, rows, comparison is None, plainer)
    return Verdict(code, SENTENCES[code].format(model=model), tuple(evidence), tuple(advice))


SENTENCES: dict[Code, str] = {
    "input-suspect": "The accuracy of {model} is near chance: class order or preprocessing is wrong; nothing here can be trusted.",
    "impaired-logits": "The logits of {model} are impaired: its last layer separates unknown images worse than its features allow.",
    "features-ahead": "The features of {model} separate unknown images better than its logits, though its recipe is plain.",
    "sound-logits": "The logits of {model} are sound: no feature score separates unknown images better than they do.",
    "undetermined": "Whether the logits of {model} are impaired can't be told: there is no feature score to hold against them.",
}


def _code(
    accuracy: Estimate, num_classes: int, comparison: Comparison | None, shift: float | None, softeners: Sequence[str] | None
) -> Code:
    if _near_chance(accuracy, num_classes):
        return "input-suspect"
    features_win = comparison is not None and comparison.low > 0 and comparison.difference >= MARGIN
    if softeners and (features_win or (shift is not None and shift > 0)):
        return "impaired-logits"
    if features_win:
        return "features-ahead" if softeners is not None else "impaired-logits"
    return "undetermined" if comparison is None else "sound-logits"


def _near_chance(accuracy: Estimate, num_classes: int) -> bool:
    """Chance lies within the interval or above it; of ten classes and more, twice chance is near it too."""
    return accuracy.low <= 1 / num_classes or (num_classes >= 10 and accuracy.value < 2 / num_classes)


def _knn_against_mls(scored: Sequence[Scored], groups: Mapping[str, str]) -> Comparison | None:
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


def _accuracy_evidence(accuracy: Estimate, num_classes: int) -> list[str]:
    interval = f"95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}"
    return [f"ID accuracy {accuracy.value:.1%} ({interval}); chance is {1 / num_classes:.1%}"]


def _comparison_evidence(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return ["no feature score: KNN needs ID training images (--fit SET)"]
    interval = (
        f"95 % interval {100 * comparison.low:+.2f} to {100 * comparison.high:+.2f}, paired DeLong p = {comparison.p_value:.2g}"
    )
    return [
        f"mean AUROC of KNN on the features minus that of the maximal logit: {100 * comparison.difference:+.2f} points ({interval})"
    ]


def _recipe_evidence(softeners: Sequence[str] | None) -> list[str]:
    if softeners is None:
        return ["training recipe unknown"]
    return [f"trained with {', '.join(softeners)}"] if softeners else ["trained without label smoothing, mixup or cutmix"]


def _shift_evidence(baseline: str | None, shift: float | None, delta_p: float | None) -> list[str]:
    if baseline is None or delta_p is None:
        return []
    loss = f"against {baseline} the maximal logit's mean AUROC changes by {-100 * delta_p:+.2f} points"
    if shift is None:
        return [f"{loss}; its shift is undefined, as a mean maximal logit of the baseline is not positive"]
    more = "more" if shift > 0 else "less"
    return [f"{loss}; it fell {more} on ID than on OOD images, mean (r_id − r_ood)/(1 − r_ood) = {shift:+.3f}"]


def _advice(code: Code, rows: Sequence[Result], no_feature_score: bool, plainer: str | None) -> list[Advice]:
    if code == "input-suspect":
        return [Advice("Check that the class folders are named as the model names its classes, and the preprocessing shown above.")]
    best = _best(rows)
    advice = []
    if best is not None and best.auroc is not None:
        found = f"mean AUROC {best.auroc.value:.1%}"
        advice.append(Advice(f"Score with {best.scorer}: the best of those tried here, {found}.", flags=f"--scorer {best.scorer}"))
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
    if best is not None and best.auroc is not None and best.auroc.value < WEAK:
        advice.append(
            Advice(f"No scorer here reaches {WEAK:.0%}: the features themselves do not separate these images; retrain the network.")
        )
    return advice


def _best(rows: Sequence[Result]) -> Result | None:
    summaries = {row.ood_set for row in rows if row.auroc is not None}
    summary = next((name for name in ("mean", "near mean", "far mean") if name in summaries), None)
    candidates = [row for row in rows if row.ood_set == summary and row.auroc is not None]
    return max(candidates, key=lambda row: row.auroc.value if row.auroc else 0.0, default=None)
