"""The verdict: a rule on measured quantities and the known recipe, with its evidence and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oodkit.advice import (
    INPUT_CHECKS,
    Advice,
    a_larger_bank,
    give_knn_its_due,
    low_to_high,
    more_images,
    other_features,
    repairs,
    score_with_the_best,
)
from oodkit.delong import NO_DIFFERENCE
from oodkit.evaluation import Result
from oodkit.lead import ENOUGH, MARGIN, Against, Lead, is_ahead
from oodkit.metrics import Estimate
from oodkit.rivals import Rival
from oodkit.wording import p_told, percent, signed

Code = Literal["input-suspect", "impaired-logits", "features-ahead", "sound-logits", "undetermined"]


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
    lead: Lead,
    rows: Sequence[Result],
    *,
    rivals: Sequence[Rival] = (),
    softeners: Sequence[str] | None = None,
    against: Against | None = None,
    refitted: bool = False,
) -> Verdict:
    """Judge a model: are its logits impaired, as label smoothing, mixup and cutmix impair them (Xiong et al., ICCV 2025)?

    accuracy: a fraction. lead: what ``knn_lead`` found. rivals: of the best scorer. softeners, refitted: see ``diagnose``.

    They are, where KNN on the features beats the maximal logit by MARGIN and beyond the 95 % interval of the paired DeLong test,
    unless the recipe is known to be plain or KNN's lead has not grown by MARGIN, and beyond the interval of the growth, since the
    baseline: then the features are merely ahead. They are too where the recipe is known to soften the labels and, against the
    baseline, the maximal logit fell more on ID than on OOD images (Proposition 4.2) and its AUROC by MARGIN and beyond the
    interval; but not where the growth's interval rules out that KNN's lead has grown by MARGIN, since features that are ahead as
    they were have lost as much. They are sound only where the interval rules out a lead of MARGIN; with too few images for that
    nothing is told. A last layer that was refitted counts as one of a plain recipe, whatever the features were trained with.
    """
    recipe, softeners = softeners, () if refitted else softeners
    evidence = [*_accuracy_evidence(accuracy, num_classes), *_lead_evidence(lead, against)]
    evidence += [REFITTED] if refitted else _recipe_evidence(softeners)
    evidence += _bank_evidence(lead)
    evidence += _refitted_cause(lead, recipe, accuracy, against) if refitted else _cause_evidence(lead, softeners, against)
    evidence += _shift_evidence(against, refitted=refitted)
    code = "input-suspect" if _near_chance(accuracy, num_classes) else _code(lead, softeners, against)
    advice = _advice(code, rows, rivals, lead, accuracy, num_classes, softeners, against, refitted=refitted)
    if code == "input-suspect" and accuracy.low > 1 / num_classes:
        sentence = NEAR_CHANCE
    else:
        sentence = STILL_UNTOLD if refitted and code == "undetermined" else _sentence(code, softeners, against)
    return Verdict(code, sentence.format(model=model), tuple(evidence), tuple(advice))


SENTENCES: dict[Code, str] = {
    "input-suspect": "The accuracy of {model} can't be told from chance; class order or preprocessing may be wrong.",
    "impaired-logits": "The logits of {model} are impaired: its last layer separates unknown images worse than its features allow.",
    "features-ahead": "The features of {model} separate unknown images better than its logits.",
    "sound-logits": "The logits of {model} are sound: KNN on its features separates unknown images no better.",
    "undetermined": "Whether the logits of {model} are impaired can't be told from these images.",
}


NEAR_CHANCE = "The accuracy of {model} is near chance, as far as these images tell; class order or preprocessing may be wrong."

CAUSE_UNKNOWN = (
    "The last layer of {model} separates unknown images worse than its features allow: impaired, if it was trained with label "
    "smoothing, mixup or cutmix."
)

REFITTED = "its last layer was refitted by plain cross-entropy, without label smoothing or mixup"
STILL_UNTOLD = (
    "Whether the features of {model} still separate unknown images better than its logits can't be told from these images."
)


def _sentence(code: Code, softeners: Sequence[str] | None, against: Against | None) -> str:
    """A network that nothing is known of may have been trained plainly, and KNN be ahead of its logits all the same."""
    return CAUSE_UNKNOWN if code == "impaired-logits" and softeners is None and against is None else SENTENCES[code]


def _code(lead: Lead, softeners: Sequence[str] | None, against: Against | None) -> Code:
    found = lead.comparison
    ahead = found is not None and is_ahead(found)
    softened = _labels_are_why(softeners, against)
    if ahead and softened is not None:
        return "impaired-logits" if softened else "features-ahead"
    harmed = against is not None and against.loss is not None and is_ahead(against.loss)
    if softeners and against and harmed and against.shift is not None and against.shift.value > 0:
        return "impaired-logits"
    if ahead:
        return "features-ahead"
    return "sound-logits" if found is not None and found.high < MARGIN and not lead.rests_on_few else "undetermined"


def _labels_are_why(softeners: Sequence[str] | None, against: Against | None) -> bool | None:
    """Whether softened labels can be why KNN is ahead; None where the growth of its lead is too uncertain. Without one they can."""
    if softeners == ():
        return False
    grown = against.growth if against else None
    if grown is None or (grown.low > 0 and grown.value >= MARGIN):
        return True
    return False if grown.high < MARGIN else None


def _near_chance(accuracy: Estimate, num_classes: int) -> bool:
    """Chance lies within the interval or above it; of ten classes and more, so does twice chance.

    That is what a perfect network has whose class folders 0, 1, 2, … are taken in the order of numbers and were trained on in the
    order of text (torchvision's ImageFolder: 0, 1, 10, …): two classes, the first, stand where they stood.
    """
    return accuracy.low <= (2 if num_classes >= 10 else 1) / num_classes


def _accuracy_evidence(accuracy: Estimate, num_classes: int) -> list[str]:
    interval = f"95 % interval {low_to_high(accuracy)}"
    return [f"ID accuracy {percent(accuracy.value)} ({interval}); chance is {percent(1 / num_classes)}"]


def _lead_evidence(lead: Lead, against: Against | None) -> list[str]:
    if lead.comparison is None:
        return [str(lead.problem)]
    found, before = lead.comparison, against.lead.comparison if against else None
    points = [signed(100 * value, 2) for value in (found.difference, found.low, found.high)]
    interval = f"95 % interval {points[1]} to {points[2]}, paired DeLong {p_told(found.p_value)}"
    earlier = f"; at {against.name}: {signed(100 * before.difference, 2)}" if against and before else ""
    return [f"mean AUROC of {lead.spec} on the features minus that of the maximal logit: {points[0]} points ({interval}){earlier}"]


def _recipe_evidence(softeners: Sequence[str] | None) -> list[str]:
    if softeners is None:
        return ["training recipe unknown"]
    return (
        [f"trained with {', '.join(softeners)}"]
        if softeners
        else ["trained on plain labels, with no label smoothing, mixup or cutmix in their place"]
    )


def _bank_evidence(lead: Lead) -> list[str]:
    if lead.comparison is None or is_ahead(lead.comparison) or not lead.rests_on_few:
        return []
    held = f"KNN had {lead.each:.3g} training images of each class to look for neighbours in"
    return [f"{held}: fewer than {ENOUGH} do not show what the features know, so this can't show the logits to be sound"]


def _refitted_cause(lead: Lead, recipe: Sequence[str] | None, accuracy: Estimate, against: Against | None) -> list[str]:
    """Where KNN is ahead of a last layer that learnt from plain labels: what can be why; nothing where the refit did no good.

    Features learnt from softened labels keep what those did to them, and a refit that leaves the logits as they were, or ruins
    them, tells nothing of labels.
    """
    if lead.comparison is None or not is_ahead(lead.comparison):
        return []
    if against is not None:
        loss = against.loss
        if accuracy.value < against.accuracy.low or (loss is not None and (loss == NO_DIFFERENCE or loss.low > 0)):
            return []
    if recipe == ():
        return ["the recipe left plain labels as they are, so that is not why KNN is ahead"]
    own = f"with {', '.join(recipe)}" if recipe else "by a recipe that is not known"
    return [f"only its last layer was refitted: its features were learnt {own}, which can be why KNN is ahead"]


def _cause_evidence(found: Lead, softeners: Sequence[str] | None, against: Against | None) -> list[str]:
    """Where KNN is ahead: whether softened labels are why, by the recipe or by the growth of its lead."""
    lead = found.comparison
    if lead is None or not is_ahead(lead):
        return []
    if softeners == ():
        return ["the recipe left plain labels as they are, so that is not why KNN is ahead"]
    if against is None or against.growth is None:
        return []
    points = [signed(100 * value, 2) for value in against.growth]
    grown = f"KNN's lead has grown by {points[0]} points since {against.name} (95 % interval {points[1]} to {points[2]})"
    reading = {
        True: "as softened labels would have it",
        False: f"less than {100 * MARGIN:g} point, so softened labels are not why it is ahead",
        None: "whether softened labels are why it is ahead can't be told",
    }
    return [f"{grown}: {reading[_labels_are_why(softeners, against)]}"]


def _shift_evidence(against: Against | None, *, refitted: bool) -> list[str]:
    if against is None:
        return []
    loss = against.loss
    if loss is None:
        return [f"{against.name} did not read the same images, so the maximal logits can't be compared"]
    if refitted and loss == NO_DIFFERENCE:
        return [f"the maximal logit separates these images as it does at {against.name}"]
    points = [signed(0 - 100 * value, 2) for value in (loss.difference, loss.high, loss.low)]
    change = f"against {against.name} the maximal logit's mean AUROC changes by {points[0]} points ({points[1]} to {points[2]})"
    if against.shift is None:
        return [f"{change}; its shift is not defined here"]
    moved = _movement(against.shift, refitted=refitted)
    ratio = "{} ({} to {})".format(*(signed(value, 3) for value in against.shift))
    return [f"{change}; relative to it, {moved}, mean shift ratio {ratio}"]


def _movement(shift: Estimate, *, refitted: bool) -> str:
    """How the maximal logit moved on ID images beside OOD images. Of a refit none is said to fall: there it grows on both."""
    open_still = shift.low <= 0 <= shift.high
    if refitted:
        if open_still:
            return "the ID images' logit moved about as much as the OOD images'"
        return f"the ID images' logit {'fell' if shift.value > 0 else 'rose'} against the OOD images'"
    if open_still:
        return "it fell about as much on ID as on OOD images"
    return f"it fell {'more' if shift.value > 0 else 'less'} on ID than on OOD images"


def _advice(
    code: Code,
    rows: Sequence[Result],
    rivals: Sequence[Rival],
    lead: Lead,
    accuracy: Estimate,
    num_classes: int,
    softeners: Sequence[str] | None,
    against: Against | None,
    *,
    refitted: bool,
) -> list[Advice]:
    if code == "input-suspect":
        return list(INPUT_CHECKS)
    advice = score_with_the_best(rows, rivals)
    if code == "impaired-logits":
        advice += repairs(accuracy, softeners, against, lead)
    if lead.problem:
        advice.append(give_knn_its_due(lead, num_classes))
    elif code == "undetermined" and lead.rests_on_few:
        advice.append(a_larger_bank(num_classes, refitted=refitted))
    elif code == "undetermined" and lead.comparison is not None:
        advice.append(more_images(lead.comparison, rows))
    return advice + other_features(rows)
