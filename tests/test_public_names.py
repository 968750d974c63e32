"""The public names of oodkit: exactly these, each resolved when it is first used."""

import subprocess
import sys
from pathlib import Path

import pytest

import oodkit

PUBLIC = [
    "Calibration",
    "Classifier",
    "Detector",
    "Diagnosis",
    "Head",
    "ImageSet",
    "OodkitError",
    "Outputs",
    "Result",
    "Scorer",
    "Tuning",
    "augdelete",
    "auroc",
    "diagnose",
    "evaluate",
    "extract",
    "fit_generator",
    "load_classifier",
    "load_scorer",
    "make_generator",
    "make_recipe",
    "make_scorer",
    "open_images",
    "score_stream",
    "synthesize",
    "train",
    "tune",
]


def test_the_public_names_are_exactly_these() -> None:
    assert oodkit.__all__ == PUBLIC
    assert dir(oodkit) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_resolves_and_explains_itself(name: str) -> None:
    assert getattr(oodkit, name).__doc__ or name == "OodkitError"  # the errors are explained by the tree in their module


def test_no_module_has_the_name_of_a_public_function() -> None:
    """Importing a submodule binds it to its name in the package, and ``oodkit.extract`` would turn from function to module."""
    modules = {path.stem for path in Path(oodkit.__file__).parent.iterdir()}
    assert not modules & set(PUBLIC)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'diagnos'; it has Calibration, Classifier, .*open_images"):
        oodkit.diagnos  # noqa: B018


def test_importing_oodkit_does_not_import_torch() -> None:
    script = "import sys, oodkit; oodkit.__all__; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path(oodkit.__file__).parents[1]
    )
    assert done.returncode == 0, done.stderr
