"""Networks from files of weights and the name of an architecture, and with another head."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

from oodkit.classifier import Classifier, Origin, available_models, load_classifier
from oodkit.errors import CheckpointError, OutputsError, UnsupportedModelError, UsageError
from oodkit.head import Head

from .models.trained import assert_whole, trained

WEIGHTS = Path(__file__).parents[2] / "shared" / "data" / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason=f"needs the real weights in {WEIGHTS}")


def authors_name(name: str) -> str:
    """timm's ConvNeXt parameter names as facebookresearch/ConvNeXt spells them."""
    name = name.replace("stem.", "downsample_layers.0.").replace(".blocks.", ".")
    name = name.replace("conv_dw", "dwconv").replace("mlp.fc1", "pwconv1").replace("mlp.fc2", "pwconv2")
    name = name.replace("head.norm.", "norm.").replace("head.fc.", "head.")
    if ".downsample." in name:
        stage = name.split(".")[1]
        name = f"downsample_layers.{stage}.{name.split('.downsample.')[1]}"
    return name


class TestFiles:
    @pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".safetensors"])
    def test_a_file_and_its_architecture_make_the_network_that_was_saved(self, tmp_path: Path, suffix: str) -> None:
        net, path = trained(num_classes=7), tmp_path / f"weights{suffix}"
        save_file(net.state_dict(), path) if suffix == ".safetensors" else torch.save(net.state_dict(), path)
        model = load_classifier(str(path), arch="test_resnet")
        assert_whole(model)
        assert model.num_classes == 7
        assert model.class_names is None
        assert model.about["architecture"] == "test_resnet"
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    @pytest.mark.parametrize("wrapping", ["state_dict", "model", "model_ema", "net"])
    @pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
    def test_wrappings_and_prefixes_of_training_code_are_undone(self, tmp_path: Path, wrapping: str, prefix: str) -> None:
        net, path = trained(num_classes=7), tmp_path / "checkpoint.pth"
        state = {prefix + name: tensor for name, tensor in net.state_dict().items()}
        torch.save({wrapping: state, "epoch": 3, "optimizer": {"lr": 0.1}}, path)
        torch.testing.assert_close(load_classifier(str(path), arch="test_resnet").head.weight, net.fc.weight)

    def test_averaged_weights_go_before_raw_ones_as_in_timm(self, tmp_path: Path) -> None:
        averaged, path = trained(num_classes=7), tmp_path / "checkpoint.pth"
        torch.save({"state_dict": timm.create_model("test_resnet").state_dict(), "state_dict_ema": averaged.state_dict()}, path)
        torch.testing.assert_close(load_classifier(str(path), arch="test_resnet").head.weight, averaged.fc.weight)

    def test_a_bare_name_of_both_libraries_means_the_one_whose_parameters_fit(self, tmp_path: Path) -> None:
        """efficientnet_b0 has conv_stem in timm and features.0 in torchvision."""
        for name, net in {
            "torchvision:efficientnet_b0": torchvision.models.get_model("efficientnet_b0", weights=None, num_classes=5),
            "efficientnet_b0": timm.create_model("efficientnet_b0", num_classes=5),
        }.items():
            torch.save(net.state_dict(), tmp_path / "mine.pth")
            model = load_classifier(str(tmp_path / "mine.pth"), arch="efficientnet_b0", input_size=64)
            assert (model.about["architecture"], model.num_classes) == (name, 5)

    def test_where_both_libraries_fit_torchvisions_plain_transform_is_used(self, tmp_path: Path) -> None:
        torch.save(torchvision.models.get_model("resnet18", weights=None, num_classes=6).state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="resnet18")
        assert model.about["architecture"] == "torchvision:resnet18"
        assert model.num_classes == 6
        assert model.preprocessing["resize_size"] == 256
        assert_whole(model)

    def test_an_architectures_tag_chooses_the_preprocessing(self, tmp_path: Path) -> None:
        torch.save(torchvision.models.get_model("resnet18", weights=None).state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="resnet18.tv_in1k")
        assert (model.preprocessing["crop_pct"], model.preprocessing["interpolation"]) == (0.875, "bilinear")
        assert load_classifier(str(tmp_path / "mine.pth"), arch="resnet18.a1_in1k").preprocessing["interpolation"] == "bicubic"

    def test_preprocessing_given_by_hand_goes_first_and_crops_nothing(self, tmp_path: Path) -> None:
        torch.save(trained(num_classes=7).state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet", input_size=32, mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
        assert model.input_size == (3, 32, 32)
        shown = {key: model.preprocessing[key] for key in ("input_size", "crop_pct", "mean")}
        assert shown == {"input_size": [3, 32, 32], "crop_pct": 1.0, "mean": [0.1, 0.2, 0.3]}
        white = model.transform(Image.new("RGB", (32, 32), "white"))
        torch.testing.assert_close(white.mean((1, 2)), torch.tensor([0.9, 0.8, 0.7]))

    def test_preprocessing_given_by_hand_goes_first_for_torchvision_too(self, tmp_path: Path) -> None:
        net = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=4)
        torch.save(net.state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="shufflenet_v2_x0_5", input_size=(3, 64, 64), mean=(0, 0, 0))
        assert_whole(model)
        assert model.preprocessing["resize_size"] == 64
        assert model.preprocessing["mean"] == [0, 0, 0]

    def test_a_vision_transformer_is_built_for_the_size_that_was_given(self, tmp_path: Path) -> None:
        torch.save(trained("test_vit", num_classes=7, img_size=64).state_dict(), tmp_path / "mine.pth")
        assert_whole(load_classifier(str(tmp_path / "mine.pth"), arch="test_vit", input_size=64))

    def test_a_grey_network_gets_grey_images(self, tmp_path: Path) -> None:
        torch.save(trained(num_classes=7, in_chans=1).state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet", input_size=(1, 28, 28), mean=[0.5], std=[0.5])
        assert_whole(model)
        with pytest.raises(UsageError, match="1 input channels needs --mean and --std of 1 numbers each"):
            load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet", input_size=(1, 28, 28))

    def test_a_thousand_logits_are_taken_for_imagenets_classes(self, tmp_path: Path) -> None:
        torch.save(trained().state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet")
        assert model.class_ids is not None
        assert model.class_names is not None
        assert (model.class_ids[0], model.class_names[0]) == ("n01440764", "tench, Tinca tinca")

    def test_class_names_can_be_given_and_must_be_as_many_as_logits(self, tmp_path: Path) -> None:
        torch.save(trained(num_classes=3).state_dict(), tmp_path / "mine.pth")
        model = load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet", class_names=["a", "b", "c"])
        assert model.class_names == ("a", "b", "c")
        with pytest.raises(UsageError, match=r"has 3 classes, got 2 class names"):
            load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet", class_names=["a", "b"])

    def test_half_precision_weights_run_in_full(self, tmp_path: Path) -> None:
        torch.save(trained(num_classes=7).half().state_dict(), tmp_path / "mine.pth")
        assert load_classifier(str(tmp_path / "mine.pth"), arch="test_resnet").head.weight.dtype == torch.float32

    def test_the_original_authors_parameter_names_are_translated_where_timm_can(self, tmp_path: Path) -> None:
        """ConvNeXt's authors wrote downsample_layers and dwconv."""
        net = trained("test_convnext", num_classes=7)
        renamed = {authors_name(name): tensor for name, tensor in net.state_dict().items()}
        torch.save({"model": renamed}, tmp_path / "official.pth")
        model = load_classifier(str(tmp_path / "official.pth"), arch="test_convnext")
        torch.testing.assert_close(model.head.weight, net.head.fc.weight)


@needs_weights
class TestRealWeights:
    @pytest.mark.parametrize("depth", [20, 56])
    def test_a_network_of_ones_own_with_a_checkpoint(self, depth: int) -> None:
        model = load_classifier(
            f"py:{WEIGHTS}/cifar_resnet.py:resnet{depth}",
            checkpoint=WEIGHTS / f"resnet{depth}_cifar10_akamaster.pth",
            input_size=32,
        )
        assert_whole(model)
        assert (model.num_classes, model.head.num_features, model.head.layers) == (10, 64, ("linear",))

    @pytest.mark.parametrize("arch", ["mobilenet_v2", "torchvision:mobilenet_v2", "torchvision:mobilenet_v2/IMAGENET1K_V1"])
    def test_torchvision_weights_with_an_architecture(self, arch: str) -> None:
        model = load_classifier(str(WEIGHTS / "mobilenet_v2_imagenet_ptiosdemo_int8dequant.pth"), arch=arch)
        assert_whole(model)
        assert (model.num_classes, model.head.num_features) == (1000, 1280)
        assert model.preprocessing["resize_size"] == (256 if arch.endswith("V1") else 232)

    def test_squeezenet_is_refused_with_the_reason(self) -> None:
        with pytest.raises(UnsupportedModelError, match=r"deepcompression\.pth: classifier\.1 scores each of 169 positions"):
            load_classifier(str(WEIGHTS / "squeezenet1_0_imagenet_deepcompression.pth"), arch="squeezenet1_0")

    def test_a_checkpoint_of_another_depth_does_not_fit(self) -> None:
        with pytest.raises(CheckpointError, match=r"does not fit py:.*resnet20: 180 are unexpected \(layer1\.3\.conv1\.weight"):
            load_classifier(
                f"py:{WEIGHTS}/cifar_resnet.py:resnet20", checkpoint=WEIGHTS / "resnet56_cifar10_akamaster.pth", input_size=32
            )


def test_available_models_are_the_names_that_load() -> None:
    names = available_models()
    assert {"demo:digits-v1", "torchvision:resnet50/IMAGENET1K_V2", "resnet50.tv2_in1k"} <= set(names)
    assert "torchvision:vgg16/IMAGENET1K_FEATURES" not in names
    assert len(names) == len(set(names))


def test_a_wrong_input_size_is_an_error_of_use() -> None:
    for size in [(1, 2, 3, 4), (4, 32, 32), 0]:
        with pytest.raises(UsageError, match="can't use input size"):
            load_classifier("demo:digits-v1", input_size=size)


def test_a_checkpoints_fingerprint_is_that_of_its_weights() -> None:
    one, same, other = (load_classifier(f"demo:digits-{version}").fingerprint() for version in ("v1", "v1", "v2"))
    assert one == same != other


class TestWithHead:
    def other(self, model: Classifier) -> Head:
        weight = torch.randn(model.head.weight.shape, generator=torch.Generator().manual_seed(3))
        return replace(model.head, weight=weight, bias=torch.arange(float(model.num_classes)))

    def test_a_copy_has_the_other_head_and_the_model_stays_as_it_is(self, tiny_model: Classifier) -> None:
        before, images = tiny_model.weights_hash(), torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(4))
        repaired = tiny_model.with_head(self.other(tiny_model))
        features = tiny_model.net.body(images.flatten(1)).relu()
        torch.testing.assert_close(repaired.net(images), repaired.head(features))
        assert tiny_model.weights_hash() == before
        assert repaired.name == "tiny + another head"
        assert repaired.origin == tiny_model.as_loaded() == Origin("tiny", before)
        assert tiny_model.origin is None
        assert repaired.fingerprint() != tiny_model.fingerprint()

    def test_only_a_head_of_augdelete_makes_it_a_refitted_one(self, tiny_model: Classifier) -> None:
        head = self.other(tiny_model)
        repaired = tiny_model.with_head(head, method="AugDelete")
        assert (repaired.name, repaired.refitted) == ("tiny + AugDelete", True)
        assert not tiny_model.refitted
        assert not tiny_model.with_head(head).refitted
        assert not repaired.with_head(tiny_model.head).refitted

    def test_its_origin_is_the_network_as_loaded_however_often_the_head_is_replaced(self, tiny_model: Classifier) -> None:
        once = tiny_model.with_head(self.other(tiny_model), method="AugDelete")
        twice = once.with_head(self.other(tiny_model), method="AugDelete")
        assert (twice.name, twice.origin) == ("tiny + AugDelete", once.origin)
        assert twice.as_loaded().weights == tiny_model.weights_hash() != twice.weights_hash()

    def test_its_hash_is_made_anew_once_a_weight_has_changed(self, tiny_model: Classifier) -> None:
        before = tiny_model.weights_hash()
        assert tiny_model.weights_hash() == before != tiny_model.fingerprint()
        with torch.no_grad():
            tiny_model.net.head.bias += 1
        assert tiny_model.weights_hash() != before

    def test_a_head_of_no_layer_is_taken_to_be_of_the_models_own(self, tiny_model: Classifier) -> None:
        head = self.other(tiny_model)
        assert torch.equal(tiny_model.with_head(Head(head.weight, head.bias), "mine").net.head.weight, head.weight)

    def test_a_head_of_other_layers_or_classes_is_refused(self, tiny_model: Classifier) -> None:
        own = "does not fit tiny, whose own has 3 classes from head; give one that was made of this architecture"
        with pytest.raises(OutputsError, match=rf"a head of 3 classes from top\\x1b {own}"):
            tiny_model.with_head(replace(tiny_model.head, layers=("top\x1b",)))
        with pytest.raises(OutputsError, match=f"a head of 2 classes from no layer {own}"):
            tiny_model.with_head(Head(torch.ones(2, 6), torch.ones(2)))
        with pytest.raises(OutputsError, match="a head of 3 classes and 5 features does not fit the network's head"):
            tiny_model.with_head(Head(torch.ones(3, 5), torch.ones(3)))
