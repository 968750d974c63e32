"""What several tests of synthesis start from."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from oodkit.synth.run import synthesize

from .made_folder import EACH
from .stand_in import StandIn
from .tiny_pipelines import save_consistency, save_ddpm, save_dit, save_text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "made"
    synthesize(StandIn(), folder, **EACH)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pipelines")
    return {
        "dit": save_dit(root / "dit"),
        "consistency": save_consistency(root / "consistency"),
        "ddpm": save_ddpm(root / "ddpm"),
        "ddim": save_ddpm(root / "ddim", scheduler="DDIMScheduler"),
        **({"text": save_text(root / "text")} if find_spec("transformers") else {}),
    }
