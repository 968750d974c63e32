"""What a safetensors file says of its network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError, ModelNotFoundError

from .trained import assert_whole, trained


class TestMetadata:
    def save(self, path: Path, **metadata: str) -> nn.Module:
        net = trained(num_classes=2)
        save_file(net.state_dict(), path, {"architecture": "test_resnet", **metadata})
        return net

    def test_a_safetensors_file_can_say_all_of_it(self, tmp_path: Path) -> None:
        net = self.save(
            tmp_path / "a.safetensors",
            input_size="[3, 32, 32]",
            mean="[0.5, 0.5, 0.5]",
            std="[0.25, 0.25, 0.25]",
            interpolation="bicubic",
            class_names='["cat", "dog"]',
            recipe='{"label_smoothing": 0.1}',
        )
        model = load_classifier(str(tmp_path / "a.safetensors"))
        assert_whole(model)
        torch.testing.assert_close(model.head.weight, net.fc.weight)
        assert model.input_size == (3, 32, 32)
        assert model.class_names == ("cat", "dog")
        assert model.about["recipe"] == {"label_smoothing": 0.1}
        assert {key: model.preprocessing[key] for key in ("interpolation", "crop_pct", "std")} == {
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "std": [0.25, 0.25, 0.25],
        }

    def test_what_the_user_says_goes_before_what_the_file_says(self, tmp_path: Path) -> None:
        self.save(tmp_path / "a.safetensors", input_size="[3, 32, 32]", mean="[0.5, 0.5, 0.5]")
        model = load_classifier(str(tmp_path / "a.safetensors"), input_size=48)
        assert (model.input_size, model.preprocessing["mean"]) == ((3, 48, 48), [0.5, 0.5, 0.5])

    def test_broken_metadata_is_named(self, tmp_path: Path) -> None:
        self.save(tmp_path / "a.safetensors", mean="half")
        with pytest.raises(CheckpointError, match="has mean='half', which is no JSON"):
            load_classifier(str(tmp_path / "a.safetensors"))

    @pytest.mark.parametrize("name", ["demo:digits-v1", "demo:digits-v2"])
    def test_the_shipped_checkpoints_load_from_their_metadata(self, name: str) -> None:
        model = load_classifier(name)
        assert_whole(model)
        assert model.name == name
        assert model.num_classes == len(model.class_names or ()) == 8

    def test_a_demo_that_is_not_there(self) -> None:
        with pytest.raises(ModelNotFoundError, match=r"no model 'demo:letters'; there are: demo:digits-v1, demo:digits-v2"):
            load_classifier("demo:letters")
