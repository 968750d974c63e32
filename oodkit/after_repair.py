"""What to do after a repair: use the repaired model, or keep the one that was there."""

from dataclasses import replace

from oodkit.advice import INPUT_CHECKS, Advice, score_with_the_best
from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import Result, best
from oodkit.repair import Repair
from oodkit.repair_words import worse_than_chance
from oodkit.scorers import parse_scorer
from oodkit.verdict import Verdict


def verdict_after(repair: Repair, before: Diagnosis, after: Diagnosis) -> Verdict:
    """The verdict on the repaired model, its advice by the outcome: the command is never the same refit again.

    Of a model that was repaired, or that the refit makes no difference to, first its detector; of one that was harmed the detector
    of the model as it was, after a check of the classes where those may be what is wrong, and a larger share; of one that
    the refit left as it was, that model with its best scorer.
    """
    if after.verdict.code == "input-suspect" and repair.outcome != "harmed":
        return after.verdict
    if repair.outcome == "harmed":
        check = [INPUT_CHECKS[0]] if worse_than_chance(repair.refit) else []
        return replace(after.verdict, advice=(*check, *_deployed(before, "Keep the model as it was. "), *_larger_share(repair)))
    if not repair.changed:
        kept = [replace(one, model=before.model) for one in score_with_the_best(before.rows, before.rivals)]
        return replace(after.verdict, advice=tuple(kept))
    scored = score_with_the_best(after.rows, after.rivals)
    rest = [one for one in after.verdict.advice if one not in scored]
    return replace(after.verdict, advice=(*_deployed(after, last=" RUN is the folder of this run."), *rest))


def export_flags(row: Result, *, val_given: bool = True) -> str:
    """The options of ``oodkit export`` that make a detector of this scorer. val_given: whether there were validation images."""
    source = "train" if row.fits_on == "val" and not val_given else row.fits_on
    return f"--scorer {row.spec}{'' if source is None else f' --{source} SET'} --calibrate SET"


def _deployed(diagnosis: Diagnosis, first: str = "", last: str = "") -> list[Advice]:
    """The best scorer, with the command that makes a detector of it; without one where it runs the network again."""
    top = best(diagnosis.rows)
    if top is None:
        return []
    (told,) = score_with_the_best(diagnosis.rows, diagnosis.rivals)
    if parse_scorer(top.spec).probe() is not None:
        return [Advice(f"{first}{told.text} It runs the network again on each image, which no detector does.")]
    text = f"{first}{told.text} Its threshold needs ID images, SET, that neither network nor scorer has learnt from.{last}"
    return [Advice(text, model=diagnosis.model, flags=export_flags(top), command="export")]


def _larger_share(repair: Repair) -> list[Advice]:
    """Nothing where all training images were taken already, or where they may have the wrong labels."""
    frac = repair.shares[-1].frac
    if frac == 1 or worse_than_chance(repair.refit):
        return []
    held = "" if repair.refit.judged_by == "val" else " --val SET, images that the network has not learnt from, judges it better."
    text = f"Or refit on all training images instead of {100 * frac:g} %, and see whether that repairs it.{held}"
    return [Advice(text, model=repair.before, flags="--frac 1", command="augdelete")]
