"""What to do about a verdict, each piece with the options to type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from oodkit.delong import Comparison
from oodkit.evaluation import GROUPS, Result, best
from oodkit.lead import ENOUGH, MARGIN, Against, Lead, is_ahead
from oodkit.metrics import Estimate
from oodkit.rivals import Rival
from oodkit.scorers import SCORERS, parse_scorer
from oodkit.wording import counted, decimal, percent

MOST_TIMES = 100  # nobody finds more than so many times the images
SHARE = 0.2  # of the training images, to refit the last layer on, where a class has so many:
PLENTY = 500  # of 90 of a class a fifth made demo:digits-v2 worse by 1.0 points of AUROC, and all made it better by 0.4
WEAK = 0.75  # below this mean AUROC no scorer is worth deploying; a repair of the last layer won't mend the features


@dataclass(frozen=True)
class Advice:
    """Something to do. model, flags: the model and the options of the command, for a command line; "" = as before."""

    text: str
    model: str = ""
    flags: str = ""
    command: Literal["diagnose", "augdelete", "export"] = "diagnose"


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


def score_with_the_best(rows: Sequence[Result], rivals: Sequence[Rival] = ()) -> list[Advice]:
    """The best scorer with its price, and one that is simpler and as good; nothing where none gave scores."""
    top = best(rows)
    if top is None or top.auroc is None or top.fpr95_ood is None:
        return []
    figures = f"mean AUROC {percent(top.auroc.value)} ({low_to_high(top.auroc)})"
    found = f"the best of those tried: {figures}; {_price(top, rows)}. Picked on these very sets, so confirm it on others"
    return [Advice(f"Score with {top.scorer}, {found}.{_or_simpler(top, rows, rivals)}", flags=f"--scorer {top.spec}")]


def _or_simpler(top: Result, rows: Sequence[Result], rivals: Sequence[Rival]) -> str:
    """The best of those that learn nothing, run the network once, and are not told from the best."""
    simple = {row.scorer for row in rows if row.fits_on is None and parse_scorer(row.spec).probe() is None}
    equal = [one.scorer for one in rivals if one.scorer in simple and not one.is_told]
    if top.scorer in simple or not equal:
        return ""
    return f" {equal[0]}, which learns from no images, is not told apart from it by the paired DeLong test."


def _price(top: Result, rows: Sequence[Result]) -> str:
    """The figure of several sets is no threshold's: each set's own was tuned on its own images."""
    own = {row.ood_set: row.fpr95_ood.value for row in rows if row.scorer == top.scorer and row.group in GROUPS and row.fpr95_ood}
    if top.fpr95_ood is None or len(own) == 1:
        return f"to reject 95 % of the OOD images, it rejects {percent(max(own.values()))} of the ID images too"
    worst = max(own, key=lambda name: own[name])
    return (
        f"to reject 95 % of a set's OOD images, it rejects {percent(top.fpr95_ood.value)} of the ID images too, on average over "
        f"the {len(own)} sets, each at a threshold of its own (worst: {worst}, {percent(own[worst])})"
    )


def repairs(accuracy: Estimate, softeners: Sequence[str] | None, against: Against | None, lead: Lead) -> list[Advice]:
    """Of impaired logits: refit them, take the checkpoint that is better, and find out where the cause is not known."""
    unknown = softeners is None and against is None
    missing = f"{lead.remedy} " if lead.remedy.startswith("--train") else ""
    few = lead.each is not None and lead.each < PLENTY and not missing
    start = "If it was trained with label smoothing, mixup or cutmix, refit" if unknown else "Refit"
    refit = (
        f"{start} the last layer with plain cross-entropy, without label smoothing or mixup (AugDelete): the features stay as "
        "they are, and the accuracy nearly so (Xiong et al. 2025, Table 3: 80.92 to 80.31 %). It takes training images of every "
        f"class; {'all of these, since they are few' if few else 'of many a fifth will do (Figure 6)'}."
    )
    if unknown:
        refit += " KNN is ahead at some plainly trained networks too, for which that repair is not meant."
    advice = [Advice(refit, flags=f"{missing}--frac {1 if few else SHARE}", command="augdelete")]
    if against and against.loss and is_ahead(against.loss):
        gain = f"its maximal logit's mean AUROC is {100 * against.loss.difference:.1f} points higher"
        cost = f"its ID accuracy is {percent(against.accuracy.value)} to this one's {percent(accuracy.value)}"
        advice.append(Advice(f"Or start from the plain checkpoint, {against.name}: {gain}, {cost}.", model=against.name))
    if unknown:
        text = "Name a plainly trained checkpoint of the same architecture, to tell whether the training softened these logits."
        advice.append(Advice(text, flags="--baseline MODEL"))
    return advice


def give_knn_its_due(lead: Lead, num_classes: int) -> Advice:
    """Where there is no KNN to hold the logits against: what it lacks."""
    why = "to tell whether the features know more than the logits"
    if lead.remedy.startswith("--scorer"):
        few = f"; to find the logits sound takes {ENOUGH} of each" if lead.rests_on_few else ""
        return Advice(f"Let KNN look at fewer neighbours than a class has training images, {why}{few}.", flags=lead.remedy)
    if lead.remedy:
        return Advice(f"Give KNN ID training images, {why}: {_bank_for(lead.k, num_classes)}.", flags=lead.remedy)
    return Advice(f"Mend what keeps KNN from scoring, {why}: {lead.problem}.")


def a_larger_bank(num_classes: int, *, refitted: bool) -> Advice:
    """Where KNN is not ahead and had too few images to tell of the features. After a refit its bank is the share that was taken."""
    text = f"Give KNN at least {ENOUGH} training images of each class, {_images(ENOUGH, num_classes)}"
    raised = "raise --frac, or --limit where it" if refitted else "raise --limit where it"
    return Advice(f"{text} ({raised} holds them back): with fewer its neighbours are far whatever the features know.")


def _bank_for(k: int, num_classes: int) -> str:
    enough = f"at least as many of each class as it looks at neighbours, {_images(k, num_classes)} at k = {k}"
    if k <= ENOUGH:
        return enough
    return f"{enough}, or {ENOUGH * num_classes:,} with --scorer knn:k={ENOUGH // 2}"


def _images(each: int, num_classes: int) -> str:
    return f"{each * num_classes:,} for {num_classes:,} classes"


def more_images(lead: Comparison, rows: Sequence[Result]) -> Advice:
    """How many: an interval shrinks with their root. Roughly, since the lead itself moves too as images are added."""
    counts = f"now {counted(rows[0].n_id, 'ID image', 'ID images')}, and {min(row.n_ood for row in rows)} of the smallest OOD set"
    if lead.difference == 0:  # as where both are perfect: that interval does not shrink with the root
        return Advice(
            f"KNN and the maximal logit tell these images apart alike: give more ({counts}), or such as are harder to tell."
        )
    ahead = lead.difference >= MARGIN
    reach = lead.difference - lead.low if ahead else lead.high - lead.difference
    times = (reach / (lead.difference if ahead else MARGIN - lead.difference)) ** 2
    if times > MOST_TIMES:
        return Advice(f"To tell would take more than {MOST_TIMES} times as many images: go by the figures of the scorers.")
    then = "begin above 0" if ahead else f"end below {100 * MARGIN:g} point"
    return Advice(
        f"Give about {max(times, 1.1):.1f} times as many images of every set ({counts}; raise --limit where it holds images back): "
        f"four times as many halve an interval, and that of KNN's lead, if the lead stays, would {then}."
    )


def other_features(rows: Sequence[Result]) -> list[Advice]:
    """Where no scorer, those on features among them, is worth deploying."""
    top = best(rows)
    if top is None or top.auroc is None or top.auroc.value >= WEAK or not _features_were_tried(rows):
        return []
    return [
        Advice(
            f"No scorer here reaches {percent(WEAK, 0)}. Look first, in the report, at the OOD images that the best scores "
            "highest: one that shows a known class is not OOD and must leave the set.",
            flags="--report report.html",
        ),
        Advice(
            "Otherwise the features themselves do not separate these images, and no repair of the last layer will: try another "
            "checkpoint on the same images (oodkit list models 'resnet50*' names some), or retrain the network.",
            model="MODEL",
        ),
    ]


def _features_were_tried(rows: Sequence[Result]) -> bool:
    return any(row.auroc is not None and SCORERS[row.spec.partition(":")[0]].uses != "logits" for row in rows)


def low_to_high(fraction: Estimate) -> str:
    """``88.0 to 92.0 %``."""
    return f"{decimal(100 * fraction.low, 1)} to {percent(fraction.high)}"
