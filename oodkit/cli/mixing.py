"""``diagnose --mixed``: mixed images through every model and its baseline."""

from collections.abc import Mapping, Sequence

from oodkit.classifier import Classifier
from oodkit.cli.inputs import Running, extract_set
from oodkit.cli.loading import Subject
from oodkit.diagnosis import Diagnosis
from oodkit.images.base import ImageSet
from oodkit.mixed_curve import MixedCurve, diagnose_mixed


def mixed_curves(
    subjects: Sequence[Subject], mixed: Mapping[float, ImageSet], diagnoses: Mapping[str, Diagnosis], running: Running
) -> dict[str, MixedCurve]:
    """The curve of each model, against its baseline's where it has one. mixed: images by λ; diagnoses: by the model's name."""
    curves: dict[str, MixedCurve] = {}

    def curve_of(model: Classifier, baseline: MixedCurve | None) -> MixedCurve:
        outputs = {lam: extract_set(model, f"mixed {lam:g}", images, running, labelled=False) for lam, images in mixed.items()}
        return diagnose_mixed(diagnoses[model.name], outputs, baseline)

    for one in subjects:
        if one.baseline is not None and one.baseline.name not in curves:
            curves[one.baseline.name] = curve_of(one.baseline, None)
        curves[one.model.name] = curve_of(one.model, None if one.baseline is None else curves[one.baseline.name])
    return curves
