"""The detector that a repair leaves beside its head."""

from collections.abc import Mapping

import numpy as np

from oodkit.after_repair import export_flags
from oodkit.classifier import Classifier
from oodkit.cli.request import Request
from oodkit.detector import Detector
from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import best_first
from oodkit.images.base import ImageSet
from oodkit.outputs import Outputs
from oodkit.report.runs import DETECTOR
from oodkit.scorers import parse_scorer
from oodkit.scoring import by_label, learnt_from
from oodkit.wording import without_folders


def best_detector(
    model: Classifier, diagnosis: Diagnosis, outputs: Mapping[str, Outputs], id_test: ImageSet, alpha: float, request: Request
) -> tuple[Detector | None, str]:
    """Of the best scorer that runs the network once and gives finite scores, and what is to be said of it."""
    scored = by_label(diagnosis.scored)
    for row in best_first(diagnosis.rows):
        scorer, scores = parse_scorer(row.spec, request.preset), scored[row.scorer].id_scores
        if row.doubted or scorer.probe() is not None or not np.isfinite(scores).all():
            continue
        images = learnt_from(scorer.fits_on, outputs["fit"], outputs.get("val"), request.seed)
        if images is not None:
            scorer.fit(images)
        detector = Detector.calibrated(model, scorer, outputs["id"], alpha, without_folders(id_test.spec))
        flags = export_flags(row, val_given="val" in outputs)
        note = (
            f"{DETECTOR} scores with {row.scorer} and is calibrated, at alpha {alpha:g}, on the ID test images that the scorer was "
            f"picked on: calibrate one on other images with oodkit export {flags}"
        )
        return detector, f"{note}; {caution}" if (caution := detector.calibration.caution()) else note
    return None, "no detector: no scorer that runs the network once gives finite scores"
