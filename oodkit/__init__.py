"""oodkit: will a pretrained image classifier notice images from outside its classes?"""

from importlib import import_module
from typing import Any

_HOME = {
    "Calibration": "calibration",
    "Classifier": "classifier",
    "Detector": "detector",
    "Diagnosis": "diagnosis",
    "Head": "head",
    "ImageSet": "images.base",
    "OodkitError": "errors",
    "Outputs": "outputs",
    "Result": "evaluation",
    "Scorer": "scorers",
    "Tuning": "tuning",
    "augdelete": "refitting",
    "auroc": "metrics",
    "diagnose": "diagnosis",
    "evaluate": "evaluation",
    "extract": "extraction",
    "fit_generator": "synth.fit.run",
    "load_classifier": "classifier",
    "load_scorer": "scorers",
    "make_generator": "synth",
    "make_recipe": "training.recipes",
    "make_scorer": "scorers",
    "open_images": "images",
    "score_stream": "streaming",
    "synthesize": "synth.run",
    "train": "training.run",
    "tune": "tuning",
}
__all__ = sorted(_HOME)  # noqa: PLE0605 (a list of names; one table serves names and homes)


def __getattr__(name: str) -> Any:
    """Names resolve when first used: torch takes seconds to import."""
    if name not in _HOME:
        raise AttributeError(f"module 'oodkit' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"oodkit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
