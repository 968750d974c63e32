"""A pipeline that brings code of its own: it runs only with trust, and says what it lacks."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from oodkit.errors import GeneratorError, UsageError
from oodkit.synth.pipelines import Pipeline

from .tiny_pipelines import made, requests_of

OWN_CODE = '''
import torch
from diffusers import DiffusionPipeline


class Own(DiffusionPipeline):
    """Grey images, brighter by class; noise from the global generator, and no other."""

    def __init__(self, unet, scheduler):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    def __call__(self, class_labels, brightness=0.1):
        noise = torch.rand(len(class_labels), 3, 8, 8) * 0.1
        return (noise + brightness * torch.tensor(class_labels).reshape(-1, 1, 1, 1),)
'''


class TestOwnCode:
    @pytest.fixture
    def folder(self, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
        folder = shutil.copytree(folders["ddpm"], tmp_path / "own")
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": ["own_grey", "Own"]}))
        (folder / "own_grey.py").write_text(OWN_CODE)
        return folder

    def test_it_runs_only_with_trust(self, folder: Path) -> None:
        with pytest.raises(UsageError, match=r"brings code of its own \(own_grey\.py\)"):
            Pipeline(str(folder), device="cpu", num_classes=4)

    def test_without_a_random_generator_of_its_own_a_batch_shares_one_seed(self, folder: Path) -> None:
        """The global generator is seeded by the batch's first image, and is as before afterwards."""
        generator = Pipeline(str(folder), device="cpu", trust_remote_code=True, num_classes=4, brightness=0.2)
        assert generator.seed_scope == "batch"
        assert [one.folder for one in generator.classes or ()] == ["0", "1", "2", "3"]
        requests = requests_of(generator, (5, 6, 7))
        torch.manual_seed(1)
        before = torch.get_rng_state()
        images = made(generator, requests)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        assert torch.equal(images, made(generator, requests))
        assert not torch.equal(images[1], made(generator, requests[1:])[0])
        noise = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(5)) * 0.1
        expected = noise + 0.2 * torch.tensor([1, 2, 3]).reshape(3, 1, 1, 1)
        assert torch.equal(images, (expected * 255).round().int())

    def test_it_is_told_to_ask_for_one_random_generator_where_it_fails_with_a_list(self, folder: Path) -> None:
        code = OWN_CODE.replace("brightness=0.1)", "generator=None, brightness=0.1)")
        (folder / "own_grey.py").write_text(code.replace("3, 8, 8)", "3, 8, 8, generator=generator)"))
        generator = Pipeline(str(folder), device="cpu", trust_remote_code=True, num_classes=4)
        with pytest.raises(
            GeneratorError, match=r"failed: TypeError: .*; if it takes no list of generators: --generator-arg seeds=batch$"
        ):
            generator.generate(requests_of(generator, (1, 2)))
        generator = Pipeline(str(folder), device="cpu", trust_remote_code=True, num_classes=4, seeds="batch")
        assert made(generator, requests_of(generator, (1, 2))).shape == (2, 3, 8, 8)

    def test_how_many_classes_must_be_said_where_nothing_tells(self, folder: Path) -> None:
        with pytest.raises(UsageError) as caught:
            Pipeline(str(folder), device="cpu", trust_remote_code=True)
        assert str(caught.value) == "Own does not say how many classes it has; give --generator-arg num_classes=N"

    def test_its_arguments_are_checked(self, folder: Path) -> None:
        with pytest.raises(UsageError, match=r"^Own takes no argument 'brightnes'; did you mean brightness\?$"):
            Pipeline(str(folder), device="cpu", trust_remote_code=True, num_classes=4, brightnes=1)
