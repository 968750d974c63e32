"""An ablation's folder is no model: where one is given as such, one of its trials is named."""

import pytest

import oodkit
from oodkit.errors import ModelNotFoundError, UsageError


@pytest.mark.parametrize(("scheme", "kind"), [("local-dir:", ModelNotFoundError), ("", UsageError)])
def test_of_a_folder_of_trainings_one_is_named(tmp_path, scheme, kind):
    for trial in ("v1-seed1", "v1-seed0"):
        (tmp_path / "abl" / trial).mkdir(parents=True)
        (tmp_path / "abl" / trial / "model.safetensors").touch()
    with pytest.raises(kind, match=r"its folders hold trainings, name one: local-dir:[^\n]+abl/v1-seed0$"):
        oodkit.load_classifier(f"{scheme}{tmp_path}/abl")
