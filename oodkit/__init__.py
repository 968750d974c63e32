"""oodkit: will a pretrained image classifier notice images from outside its classes?"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_HOME = {
    "Classifier": "classifier",
    "Diagnosis": "diagnosis",
    "Head": "head",
    "ImageSet": "images.base",
    "OodkitError": "errors",
    "Outputs": "outputs",
    "Result": "evaluate",
    "Scorer": "scorers",
    "auroc": "metrics",
    "diagnose": "diagnosis",
    "evaluate": "evaluate",
    "extract": "extract",
    "load_classifier": "classifier",
    "make_scorer": "scorers",
    "open_images": "images",
}
__all__ = sorted(_HOME)  # noqa: PLE0605 (a list of names; one table serves names and homes)


def __getattr__(name: str) -> Any:
    """Names resolve when first used: torch takes seconds to import."""
    if name not in _HOME:
        raise AttributeError(f"module 'oodkit' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"oodkit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Importing ``oodkit.extract`` binds the module to that name; the public name is the function's."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
