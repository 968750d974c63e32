"""Models by name: what the libraries' caches hold, since tests download nothing."""

import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError, ModelNotFoundError, OodkitError, UnsupportedModelError, UsageError
from oodkit.models import from_timm, from_torchvision, reach
from oodkit.models.base import Options


@pytest.fixture(autouse=True)
def out_of_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Empty caches, and no server that answers."""
    monkeypatch.setattr(reach, "is_within_reach", lambda url: False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def fill_hub_cache(folder: Path, repository: str, files: dict[str, object]) -> None:
    """The layout of huggingface_hub's cache: refs/main names a snapshot."""
    root = folder / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("0" * 40)
    for name, content in files.items():
        save_file(content, snapshot / name) if isinstance(content, dict) else (snapshot / name).write_text(content)


class TestTimm:
    def test_a_name_without_a_tag_gets_its_default_tag_and_the_test_time_transform(self, tmp_path: Path) -> None:
        """resnet10t.c3_in1k: trained at 176 pixels, tested at 224 with crop 0.95."""
        net = timm.create_model("resnet10t")
        fill_hub_cache(tmp_path, "timm/resnet10t.c3_in1k", {"model.safetensors": net.state_dict()})
        model = load_classifier("resnet10t")
        assert model.name == "resnet10t.c3_in1k"
        assert model.input_size == (3, 224, 224)
        assert model.preprocessing["crop_pct"] == net.pretrained_cfg["test_crop_pct"]
        assert model.class_ids is not None
        assert model.class_ids[0] == "n01440764"
        assert model.about["architecture"] == "resnet10t"
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    def test_a_size_of_ones_own(self, tmp_path: Path) -> None:
        fill_hub_cache(tmp_path, "timm/test_vit.r160_in1k", {"model.safetensors": timm.create_model("test_vit").state_dict()})
        assert load_classifier("test_vit", input_size=96).input_size == (3, 96, 96)

    def test_a_network_that_refuses_its_test_size_runs_at_its_training_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        net = timm.create_model("test_vit", pretrained_cfg_overlay={"test_input_size": (3, 200, 200)})
        assert from_timm.describe(net, Options())["input_size"] == (3, 160, 160)

    def test_a_folder_that_timm_saved(self, tmp_path: Path) -> None:
        net = timm.create_model("test_resnet", num_classes=2)
        config = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat", "n2": "dog"}}
        timm.models.save_for_hf(net, tmp_path / "saved", model_config=config, safe_serialization=True)
        model = load_classifier(f"local-dir:{tmp_path}/saved")
        assert (model.class_names, model.class_ids) == (("cat", "dog"), ("n1", "n2"))
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    def test_a_model_of_the_hub_with_its_label_names(self, tmp_path: Path) -> None:
        net = timm.create_model("test_resnet", num_classes=2)
        timm.models.save_for_hf(net, tmp_path / "saved", model_config={"label_names": ["cat", "dog"]}, safe_serialization=True)
        files = {"model.safetensors": net.state_dict(), "config.json": (tmp_path / "saved" / "config.json").read_text()}
        fill_hub_cache(tmp_path, "me/cats", files)
        assert load_classifier("hf-hub:me/cats").class_names == ("cat", "dog")

    def test_a_repository_that_asks_for_far_more_than_its_weights_is_refused(self, tmp_path: Path) -> None:
        config = '{"architecture": "test_resnet", "num_classes": 1000000000, "pretrained_cfg": {"input_size": [3, 32, 32]}}'
        weights = timm.create_model("test_resnet", num_classes=2).state_dict()
        fill_hub_cache(tmp_path, "me/cats", {"model.safetensors": weights, "config.json": config})
        with pytest.raises(CheckpointError, match=r"^config\.json of hf-hub:me/cats asks for a network of [\d,]{12,} parameters"):
            load_classifier("hf-hub:me/cats")

    def test_a_repository_of_another_library(self, tmp_path: Path) -> None:
        fill_hub_cache(tmp_path, "me/other", {"config.json": '{"architectures": ["ViTForImageClassification"]}'})
        with pytest.raises(CheckpointError, match=r"hf-hub:me/other is no timm model: its config\.json has no 'architecture'"):
            load_classifier("hf-hub:me/other")

    @pytest.mark.parametrize("name", ["resnet10t", "resnet10t.c3_in1k", "hf-hub:me/nothing"])
    def test_no_network_and_no_cache_is_one_line_with_the_ways_round(self, name: str, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(
            ModelNotFoundError, match=r"can't download the weights of .* can't be reached.*FILE --arch .*HF_HOME"
        ) as caught:
            load_classifier(name)
        assert "\n" not in str(caught.value)
        assert capfd.readouterr() == ("", "")

    def test_chosen_offline_mode_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE is set and they are not in the cache"):
            load_classifier("resnet10t")

    @pytest.mark.parametrize(
        ("name", "kind", "message"),
        [
            ("resnet5O", ModelNotFoundError, r"no model 'resnet5O'; did you mean resnet50"),
            ("mobilenet_v2", ModelNotFoundError, r"torchvision has: torchvision:mobilenet_v2"),
            ("resnet50.tv3_in1k", ModelNotFoundError, r"the tags of resnet50 are: a1_in1k, .*tv2_in1k, tv_in1k"),
            ("xyzzyq", ModelNotFoundError, r"no model 'xyzzyq'; oodkit list models"),
            ("vit_small_patch14_dinov2", UnsupportedModelError, r"lvd142m is no classifier: .*ends in features"),
            ("resnet50_clip.openai", UnsupportedModelError, r"its 1024 outputs are an image embedding"),
            ("local-dir:/no/such", ModelNotFoundError, r"expected a folder with config\.json and weights"),
            ("foo:bar", UsageError, r"its scheme is none of demo:, hf-hub:, local-dir:, py:, torchvision:"),
            ("timm/resnet50", UsageError, r"write hf-hub:OWNER/NAME"),
        ],
    )
    def test_a_wrong_name_says_what_there_is(self, name: str, kind: type[OodkitError], message: str) -> None:
        with pytest.raises(kind, match=message):
            load_classifier(name)

    def test_embeddings_are_told_from_classifiers_by_their_size(self) -> None:
        """Among timm's own weights all that have CLIP in their name and no 1,000 or 12k classes are embeddings, and are refused."""
        configs = {name: timm.get_pretrained_cfg(name) for name in timm.list_pretrained()}
        refused = {
            name for name, one in configs.items() if 0 < one.num_classes < from_timm.EMBEDDING_BELOW and one.num_classes != 1000
        }
        assert {name for name in refused if "clip" not in name} == {name for name in configs if name.startswith("vit_pe_core_")}

    def test_options_of_other_kinds_of_models_are_refused(self) -> None:
        with pytest.raises(UsageError, match="resnet50 takes no --arch"):
            load_classifier("resnet50", arch="resnet18")
        with pytest.raises(UsageError, match="resnet50 takes no --checkpoint"):
            load_classifier("resnet50", checkpoint="mine.pth")

    def test_a_trained_head_is_not_replaced_by_an_untrained_one(self) -> None:
        with pytest.raises(UsageError, match="has a trained head"):
            load_classifier("test_resnet", model_args={"num_classes": 10})

    def test_a_folder_is_told_how_to_load(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is a folder; local-dir:"):
            load_classifier(str(tmp_path))

    def test_an_empty_name_is_not_the_folder_at_hand(self) -> None:
        with pytest.raises(UsageError, match=r"^the name of the model is empty; oodkit list models PATTERN shows names$"):
            load_classifier("")


class TestTorchvision:
    def fill(self, folder: Path, arch: str) -> torch.nn.Module:
        net = torchvision.models.get_model(arch, weights=None)
        weights = torchvision.models.get_model_weights(arch).DEFAULT
        (folder / "torch" / "hub" / "checkpoints").mkdir(parents=True)
        torch.save(net.state_dict(), folder / "torch" / "hub" / "checkpoints" / Path(weights.url).name)
        return net

    @pytest.mark.parametrize("name", ["torchvision:shufflenet_v2_x0_5", "torchvision:shufflenet_v2_x0_5/IMAGENET1K_V1"])
    def test_weights_come_with_their_own_transform_and_categories(self, tmp_path: Path, name: str) -> None:
        net = self.fill(tmp_path, "shufflenet_v2_x0_5")
        model = load_classifier(name)
        assert model.name == "torchvision:shufflenet_v2_x0_5/IMAGENET1K_V1"
        assert model.preprocessing == {
            "input_size": [3, 224, 224],
            "interpolation": "bilinear",
            "resize_size": 256,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        }
        assert model.class_names is not None
        assert model.class_ids is not None
        assert (model.class_names[0], model.class_ids[0]) == ("tench", "n01440764")
        torch.testing.assert_close(model.head.weight, net.fc.weight)

    @pytest.mark.parametrize(
        ("name", "kind", "message"),
        [
            ("torchvision:resnt50", ModelNotFoundError, "did you mean torchvision:resnet50"),
            (
                "torchvision:resnet50/IMAGENET1K_V9",
                ModelNotFoundError,
                "has no weights 'IMAGENET1K_V9' for resnet50; it has: IMAGENET1K_V1, ",
            ),
            ("torchvision:vgg16/IMAGENET1K_FEATURES", UnsupportedModelError, "is no classifier: these weights are features only"),
            (
                "torchvision:resnet50",
                ModelNotFoundError,
                r"can't download .*: https://\S+ can't be reached; .*FILE --arch torchvision:resnet50",
            ),
        ],
    )
    def test_a_wrong_name_says_what_there_is(self, name: str, kind: type[OodkitError], message: str) -> None:
        with pytest.raises(kind, match=message):
            load_classifier(name)

    def test_a_network_of_fixed_size_is_built_for_the_images_that_it_will_get(self) -> None:
        """A vision transformer has a position for each 16 × 16 patch and one more: 384 → 24² + 1, 64 → 4² + 1."""
        with torch.device("meta"):
            swag = from_torchvision.build("torchvision:vit_b_16/IMAGENET1K_SWAG_E2E_V1", Options())
            small = from_torchvision.build("torchvision:vit_b_16", Options(input_size=(3, 64, 64)))
        assert swag.encoder.pos_embedding.shape[1] == 24**2 + 1
        assert small.encoder.pos_embedding.shape[1] == 4**2 + 1


class TestReach:
    def test_the_hub_is_put_back_as_it_was(self) -> None:
        before = huggingface_hub.constants.HF_HUB_OFFLINE
        with reach.hub_or_cache():
            assert huggingface_hub.constants.HF_HUB_OFFLINE
        assert before == huggingface_hub.constants.HF_HUB_OFFLINE

    def test_a_torchvision_that_does_not_belong_to_torch_is_explained(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken:
            def find_spec(self, name: str, path: object = None, target: object = None) -> None:
                if name == "torchvision":
                    raise RuntimeError("operator torchvision::nms does not exist")

        monkeypatch.delitem(sys.modules, "torchvision")
        monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
        with pytest.raises(
            OodkitError, match=r"torchvision does not work with torch .*nms does not exist\); install a pair that belongs"
        ):
            load_classifier("resnet50")


def test_a_server_that_is_not_there_is_out_of_reach() -> None:
    """.invalid never resolves (RFC 2606)."""
    assert not IS_WITHIN_REACH("https://hub.invalid")


IS_WITHIN_REACH = reach.is_within_reach
