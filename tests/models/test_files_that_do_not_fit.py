"""Files of weights that fit no network, or hold more than weights: one line each, which says what is in the way."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError, ModelNotFoundError, OodkitError, UsageError
from oodkit.head import Head

from .trained import trained


class TestFilesThatDoNotFit:
    def refused(self, path: Path, message: str, kind: type[OodkitError] = CheckpointError, **options: object) -> None:
        with pytest.raises(kind, match=message) as caught:
            load_classifier(str(path), **{"arch": "test_resnet", **options})
        assert "\n" not in str(caught.value)

    def test_missing_and_unexpected_parameters_are_counted_named_and_matched(self, tmp_path: Path) -> None:
        state = trained(num_classes=7).state_dict()
        state["conv1.0.weigth"] = state.pop("conv1.0.weight")
        torch.save(state, tmp_path / "a.pth")
        missing = r"1 of \d+ parameters are missing \(conv1\.0\.weight\); 1 are unexpected \(conv1\.0\.weigth\)"
        self.refused(tmp_path / "a.pth", f"does not fit test_resnet: {missing}; conv1.0.weigth may be conv1.0.weight")

    def test_another_architecture_is_named_as_such(self, tmp_path: Path) -> None:
        torch.save(trained("test_vit").state_dict(), tmp_path / "a.pth")
        self.refused(
            tmp_path / "a.pth",
            r"does not fit test_resnet: .* parameters are missing \(.*, …\); .*it belongs to another architecture",
        )

    def test_a_head_of_another_size_than_asked_for(self, tmp_path: Path) -> None:
        torch.save(trained(num_classes=7).state_dict(), tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", r"2 have another shape \(fc\.weight \(7, 96\) for \(5, 96\), fc\.bias", num_classes=5)

    def test_a_checkpoint_without_its_head(self, tmp_path: Path) -> None:
        state = trained(num_classes=7).state_dict()
        torch.save({name: tensor for name, tensor in state.items() if not name.startswith("fc.")}, tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", r"2 of \d+ parameters are missing \(fc\.weight, fc\.bias\)")

    def test_more_than_weights_is_refused_with_what_it_needs_and_the_flag(self, tmp_path: Path) -> None:
        net = trained(num_classes=7)
        torch.save({"state_dict": net.state_dict(), "notes": Path("x")}, tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", r"needs more than weights: pathlib\S*Path; .*--allow-pickle, which runs code")
        model = load_classifier(str(tmp_path / "a.pth"), arch="test_resnet", allow_pickle=True)
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    def test_a_whole_pickled_network_gives_its_weights_where_that_is_allowed(self, tmp_path: Path) -> None:
        net = trained(num_classes=7)
        torch.save(net, tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", r"needs more than weights: .*timm\.models\.resnet\.ResNet")
        model = load_classifier(str(tmp_path / "a.pth"), arch="test_resnet", allow_pickle=True)
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    @pytest.mark.parametrize("old_format", [False, True])
    def test_training_arguments_beside_the_weights_are_no_reason_to_refuse(self, tmp_path: Path, old_format: bool) -> None:
        state = {"state_dict": trained(num_classes=7).state_dict(), "args": Namespace(lr=0.1)}
        torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=not old_format)
        assert load_classifier(str(tmp_path / "a.pth"), arch="test_resnet").num_classes == 7

    def test_an_old_file_that_needs_more_says_what(self, tmp_path: Path) -> None:
        torch.save({"state_dict": {}, "notes": Path("x")}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
        self.refused(tmp_path / "a.pth", r"needs more than weights: pathlib\S*Path")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer; fetch the weights with git lfs pull"),
            (b"<!doctype html><html>not found", "a web page; download it again"),
            (b"", "it is 0 bytes"),
            (b"PK\x03\x04 and then nothing", "it is damaged or no PyTorch checkpoint"),
        ],
    )
    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_what_is_no_checkpoint_is_named_for_what_it_is(self, tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        self.refused(path, message if suffix == ".pth" or "damaged" not in message else "can't read .* it is 21 bytes")

    def test_a_dictionary_of_no_tensors(self, tmp_path: Path) -> None:
        torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", "holds a dictionary of epoch, lr, expected a state dict")

    def test_no_architecture(self, tmp_path: Path) -> None:
        save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
        self.refused(
            tmp_path / "a.safetensors", "does not say which architecture it belongs to; add --arch ARCH", UsageError, arch=None
        )

    def test_a_saved_head_is_not_taken_for_a_network(self, tmp_path: Path) -> None:
        Head(torch.ones(2, 3), torch.zeros(2)).save(tmp_path / "head.safetensors")
        self.refused(tmp_path / "head.safetensors", "is a head, not a network")

    def test_an_unknown_architecture_has_near_names(self, tmp_path: Path) -> None:
        torch.save(trained().state_dict(), tmp_path / "a.pth")
        self.refused(
            tmp_path / "a.pth", "no model 'test_resnett'; did you mean test_resnet", ModelNotFoundError, arch="test_resnett"
        )

    def test_no_such_file(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "a.pth", "no file .*a.pth", ModelNotFoundError)

    def test_constructor_arguments_that_do_not_exist(self, tmp_path: Path) -> None:
        torch.save(trained().state_dict(), tmp_path / "a.pth")
        self.refused(tmp_path / "a.pth", "can't build test_resnet.* with .*'colour'", UsageError, model_args={"colour": 1})
