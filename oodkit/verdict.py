"""The verdict: a rule on measured quantities and the known recipe, with its evidence and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oodkit.delong import Comparison, compare_aurocs
from oodkit.evaluation import Result, best, mean_weights
from oodkit.metrics import Estimate
from oodkit.scorers import SCORERS
from oodkit.scorers.knn import beyond_the_class
from oodkit.scoring import Scored
from oodkit.wording import decimal, p_value, percent, signed

Code = Literal["input-suspect", "impaired-logits", "features-ahead", "sound-logits", "undetermined"]
MARGIN = 0.01  # with enough images any difference lies beyond its interval; below one point of AUROC nobody would act on it
MOST_TIMES = 100  # nobody finds more than so many times the images
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
class Lead:
    """How far KNN on the features is ahead of the maximal logit.

    spec: which KNN. comparison: its mean AUROC minus that of the maximal logit, paired. problem: why there is none to trust.
    remedy: the options that would give one.
    """

    spec: str = "knn"
    comparison: Comparison | None = None
    problem: str | None = None
    remedy: str = ""


@dataclass(frozen=True)
class Against:
    """The same measured against a baseline.

    shift: the mean over OOD sets of (r_id − r_ood)/(1 − r_ood), None where undefined. loss: the mean AUROC of the baseline's
    maximal logit minus the model's, paired; None without the same images. accuracy, lead: the baseline's.
    """

    name: str
    shift: Estimate | None
    loss: Comparison | None
    accuracy: Estimate
    lead: Lead


def give_verdict(
    model: str,
    accuracy: Estimate,
    num_classes: int,
    lead: Lead,
    rows: Sequence[Result],
    *,
    softeners: Sequence[str] | None = None,
    against: Against | None = None,
) -> Verdict:
    """Judge a model: are its logits impaired, as label smoothing, mixup and cutmix impair them (Xiong et al., ICCV 2025)?

    accuracy: a fraction. lead: what ``knn_lead`` found. softeners: see ``diagnose``.

    They are, where KNN on the features beats the maximal logit by MARGIN and beyond the 95 % interval of the paired DeLong test,
    unless the recipe is known to be plain or KNN is as far ahead at the baseline: then the features are merely ahead. They are too
    where the recipe is known to soften the labels and, against the baseline, the maximal logit fell more on ID than on OOD images
    (Proposition 4.2) and its AUROC by MARGIN and beyond the interval. They are sound only where the interval rules out a lead of
    MARGIN; with too few images for that nothing is told.
    """
    evidence = [*_accuracy_evidence(accuracy, num_classes), *_lead_evidence(lead, against)]
    evidence += _recipe_evidence(softeners) + _shift_evidence(against)
    code = "input-suspect" if _near_chance(accuracy, num_classes) else _code(lead.comparison, softeners, against)
    advice = _advice(code, rows, lead, accuracy, softeners, against)
    return Verdict(code, SENTENCES[code].format(model=model), tuple(evidence), tuple(advice))


def knn_lead(scored: Sequence[Scored], groups: Mapping[str, str], num_classes: int, *, fit_given: bool = False) -> Lead:
    """KNN against the maximal logit. Of several KNN the first whose neighbours belong to one class is taken.

    fit_given: whether there were ID training images, so that another reason keeps a KNN from scoring.
    """
    mls = next((one for one in scored if one.name == "mls" and one.reason is None), None)
    found = [one for one in scored if one.name == "knn" and one.reason is None]
    if mls is None or not found:
        return Lead(problem=_no_feature_score(scored), remedy="" if fit_given else "--fit SET")
    far = {one.spec: _beyond_the_class(one, num_classes) for one in found}
    knn = next((one for one in found if far[one.spec] is None), found[0])
    if problem := far[knn.spec]:
        each = round(knn.fitted_on * knn.settings["fraction"]) // num_classes
        return Lead(knn.spec, None, problem, f"--scorer knn:k={each // 2}" if each >= 2 else "--fit SET")
    sets = list(mls.ood_scores)
    scores = [knn.ood_scores[name] for name in sets], [mls.ood_scores[name] for name in sets]
    return Lead(knn.spec, compare_aurocs(knn.id_scores, scores[0], mls.id_scores, scores[1], mean_weights(sets, groups)))


def _no_feature_score(scored: Sequence[Scored]) -> str:
    """Of several KNN the last one's reason: it is the plain one, where ``diagnose`` had to add it."""
    knn = next((one for one in reversed(scored) if one.name == "knn"), None)
    return f"no feature score from {knn.spec}: {knn.reason}" if knn else "no feature score: KNN needs ID training images"


def _beyond_the_class(knn: Scored, num_classes: int) -> str | None:
    return beyond_the_class(knn.settings["k"], round(knn.fitted_on * knn.settings["fraction"]), num_classes)


SENTENCES: dict[Code, str] = {
    "input-suspect": "The accuracy of {model} can't be told from chance; class order or preprocessing may be wrong.",
    "impaired-logits": "The logits of {model} are impaired: its last layer separates unknown images worse than its features allow.",
    "features-ahead": "The features of {model} separate unknown images better than its logits, and softened labels are not why.",
    "sound-logits": "The logits of {model} are sound: KNN on its features separates unknown images no better.",
    "undetermined": "Whether the logits of {model} are impaired can't be told from these images.",
}


def _code(lead: Comparison | None, softeners: Sequence[str] | None, against: Against | None) -> Code:
    if lead is not None and _is_ahead(lead):
        return "features-ahead" if softeners == () or not _has_grown(lead, against) else "impaired-logits"
    harmed = against is not None and against.loss is not None and _is_ahead(against.loss)
    if softeners and against and harmed and against.shift is not None and against.shift.value > 0:
        return "impaired-logits"
    return "sound-logits" if lead is not None and lead.high < MARGIN else "undetermined"


def _is_ahead(comparison: Comparison) -> bool:
    return comparison.low > 0 and comparison.difference >= MARGIN


def _has_grown(lead: Comparison, against: Against | None) -> bool:
    before = against.lead.comparison if against else None
    return before is None or (lead.difference - before.difference >= MARGIN and lead.low > before.difference)


def _near_chance(accuracy: Estimate, num_classes: int) -> bool:
    """Chance lies within the interval or above it; of ten classes and more, twice chance is near it too."""
    return accuracy.low <= 1 / num_classes or (num_classes >= 10 and accuracy.value < 2 / num_classes)


def _accuracy_evidence(accuracy: Estimate, num_classes: int) -> list[str]:
    interval = f"95 % interval {_low_to_high(accuracy)}"
    return [f"ID accuracy {percent(accuracy.value)} ({interval}); chance is {percent(1 / num_classes)}"]


def _low_to_high(fraction: Estimate) -> str:
    return f"{decimal(100 * fraction.low, 1)} to {percent(fraction.high)}"


def _lead_evidence(lead: Lead, against: Against | None) -> list[str]:
    if lead.comparison is None:
        return [str(lead.problem)]
    found, before = lead.comparison, against.lead.comparison if against else None
    points = [signed(100 * value, 2) for value in (found.difference, found.low, found.high)]
    p = p_value(found.p_value)
    interval = f"95 % interval {points[1]} to {points[2]}, paired DeLong p {p if p.startswith('<') else f'= {p}'}"
    earlier = f"; at {against.name}: {signed(100 * before.difference, 2)}" if against and before else ""
    return [f"mean AUROC of {lead.spec} on the features minus that of the maximal logit: {points[0]} points ({interval}){earlier}"]


def _recipe_evidence(softeners: Sequence[str] | None) -> list[str]:
    if softeners is None:
        return ["training recipe unknown"]
    return [f"trained with {', '.join(softeners)}"] if softeners else ["trained without label smoothing, mixup or cutmix"]


def _shift_evidence(against: Against | None) -> list[str]:
    if against is None:
        return []
    loss = against.loss
    if loss is None:
        return [f"{against.name} did not read the same images, so the maximal logits can't be compared"]
    points = [signed(-100 * value, 2) for value in (loss.difference, loss.high, loss.low)]
    change = f"against {against.name} the maximal logit's mean AUROC changes by {points[0]} points ({points[1]} to {points[2]})"
    if against.shift is None:
        return [f"{change}; its shift is not defined here"]
    more = "more" if against.shift.value > 0 else "less"
    ratio = "{} ({} to {})".format(*(signed(value, 3) for value in against.shift))
    return [f"{change}; relative to it, it fell {more} on ID than on OOD images, mean shift ratio {ratio}"]


def _advice(
    code: Code, rows: Sequence[Result], lead: Lead, accuracy: Estimate, softeners: Sequence[str] | None, against: Against | None
) -> list[Advice]:
    if code == "input-suspect":
        return list(INPUT_CHECKS)
    top = best(rows)
    advice = _score_with(top)
    if code == "impaired-logits":
        advice += _repairs(accuracy, softeners, against)
    if lead.problem:
        advice.append(_give_knn_its_due(lead))
    elif code == "undetermined" and lead.comparison is not None:
        advice.append(_more_images(lead.comparison, rows))
    return advice + (_other_features() if _is_weak(top) and _features_were_tried(rows) else [])


INPUT_CHECKS = (
    Advice(
        "Check the class names: a class folder's name must be the model's own for that class (of ImageNet the WordNet id or the "
        "name), as oodkit.load_classifier(…).class_names lists them; else order decides. Labels beside predictions, in the report, "
        "show a shifted order at once.",
        flags="--report report.html",
    ),
    Advice(
        "Check the preprocessing that the result names against that of the training, and give what differs: the input size, and "
        "the channels' means and standard deviations of pixels in [0, 1] (ImageNet's: 0.485,0.456,0.406 and 0.229,0.224,0.225).",
        flags="--input-size SIZE --mean R,G,B --std R,G,B",
    ),
    Advice("Check that the weights were trained for these very classes: a new head, not yet trained, is at chance too."),
)


def _score_with(top: Result | None) -> list[Advice]:
    if top is None or top.auroc is None or top.fpr95_ood is None:
        return []
    figures = f"mean AUROC {percent(top.auroc.value)} ({_low_to_high(top.auroc)})"
    price = f"to reject 95 % of the OOD images, it rejects {percent(top.fpr95_ood.value)} of the ID images too"
    found = f"the best of those tried: {figures}; {price}. Picked on these very sets, so confirm it on others"
    return [Advice(f"Score with {top.scorer}, {found}.", flags=f"--scorer {top.spec}")]


def _repairs(accuracy: Estimate, softeners: Sequence[str] | None, against: Against | None) -> list[Advice]:
    advice = [
        Advice(
            "Refit the last layer with plain cross-entropy, without label smoothing or mixup (AugDelete): the features stay as "
            "they are, and the accuracy nearly so (Xiong et al. 2025, Table 3: 80.92 to 80.31 %). In Python, scikit-learn's "
            "LogisticRegression on the training features gives weight and bias of an oodkit.Head to score with."
        )
    ]
    if against and against.loss and _is_ahead(against.loss):
        gain = f"its maximal logit's mean AUROC is {100 * against.loss.difference:.1f} points higher"
        cost = f"its ID accuracy is {percent(against.accuracy.value)} to this one's {percent(accuracy.value)}"
        advice.append(Advice(f"Or start from the plain checkpoint, {against.name}: {gain}, {cost}.", model=against.name))
    if softeners is None and against is None:
        text = "Name a plainly trained checkpoint of the same architecture, to tell whether the training softened these logits."
        advice.append(Advice(text, flags="--baseline MODEL"))
    return advice


def _give_knn_its_due(lead: Lead) -> Advice:
    why = "to tell whether the features know more than the logits"
    if lead.remedy.startswith("--scorer"):
        return Advice(f"Let KNN look at fewer neighbours than a class has training images, {why}.", flags=lead.remedy)
    if lead.remedy:
        return Advice(f"Give KNN ID training images, some hundreds and several of each class, {why}.", flags=lead.remedy)
    return Advice(f"Mend what keeps KNN from scoring, {why}: {lead.problem}.")


def _more_images(lead: Comparison, rows: Sequence[Result]) -> Advice:
    """How many: an interval shrinks with their root. Roughly, since the lead itself moves too as images are added."""
    ahead = lead.difference >= MARGIN
    reach = lead.difference - lead.low if ahead else lead.high - lead.difference
    times = (reach / (lead.difference if ahead else MARGIN - lead.difference)) ** 2
    if times > MOST_TIMES:
        return Advice(f"To tell would take more than {MOST_TIMES} times as many images: go by the figures of the scorers.")
    counts = f"now {rows[0].n_id} ID images, and {min(row.n_ood for row in rows)} of the smallest OOD set"
    then = "begin above 0" if ahead else f"end below {100 * MARGIN:g} point"
    return Advice(
        f"Give about {max(times, 1.1):.1f} times as many images of every set ({counts}; raise --limit where it holds images back): "
        f"four times as many halve an interval, and that of KNN's lead, if the lead stays, would {then}."
    )


def _other_features() -> list[Advice]:
    return [
        Advice(
            f"No scorer here reaches {percent(WEAK, 0)}. Look first, in the report, at the OOD images that the best accepts most "
            "firmly: one that shows a known class is not OOD and must leave the set.",
            flags="--report report.html",
        ),
        Advice(
            "Otherwise the features themselves do not separate these images, and no repair of the last layer will: try another "
            "checkpoint on the same images (oodkit list models 'resnet50*' names some), or retrain the network.",
            model="MODEL",
        ),
    ]


def _is_weak(top: Result | None) -> bool:
    return top is not None and top.auroc is not None and top.auroc.value < WEAK


def _features_were_tried(rows: Sequence[Result]) -> bool:
    return any(row.auroc is not None and SCORERS[row.spec.partition(":")[0]].uses != "logits" for row in rows)
