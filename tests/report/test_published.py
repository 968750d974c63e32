"""The published figures are those of their sources, and find the models that they were published for."""

import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest

from oodkit.benchmarks import BENCHMARKS
from oodkit.evaluation import MEANS
from oodkit.report.published import (
    FEATURES,
    SOURCES,
    STANDARD,
    figures_of,
    known_architectures,
    known_weights,
    published_figures,
)
from oodkit.scorers import SCORERS

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "benchmarks.md"
BOARD = "OpenOOD v1.5 leaderboard"
PRINTED = {"ASH (ash-b, searched)": "ASH", "ViM (dim 256)": "ViM"}
COLUMNS = (
    ("imagenet-1k", "ResNet-50 v1"),
    ("imagenet-200", "ResNet-18"),
    ("cifar100", "ResNet-18"),
    ("cifar10", "ResNet-18"),
    ("imagenet-1k", "Swin-T"),
    ("imagenet-1k", "ViT-B/16"),
    ("imagenet-1k", "RegNetY-16GF"),
)
needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason=f"{REFERENCE.name} is not beside the checkout, in shared/")


def percents(benchmark, model, printed, metric="auroc", method=STANDARD, source=BOARD):
    found = [
        one
        for one in published_figures()
        if (one.benchmark, one.model, one.printed, one.metric, one.method) == (benchmark, model, printed, metric, method)
        and one.source == source
    ]
    assert len({one.ood_set for one in found}) == len(found), "a figure stands there twice"
    return {one.ood_set: one.percent for one in found}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (("imagenet-1k", "ResNet-50 v1", "MLS"), {"near mean": 76.46, "far mean": 89.57}),
        (("imagenet-1k", "Swin-T", "GradNorm"), {"near mean": 47.58, "far mean": 35.47}),
        (("imagenet-1k", "RegNetY-16GF", "NNGuide"), {"near mean": 84.87, "far mean": 97.17}),
        (("imagenet-1k", "ResNet-50 v1", "NNGuide"), {}),
        (("imagenet-200", "ResNet-18", "RankFeat"), {"near mean": 56.92, "far mean": 38.22}),
        (("cifar100", "ResNet-18", "Relation"), {"near mean": 80.67, "far mean": 80.82}),
        (("cifar10", "ResNet-18", "KNN"), {"near mean": 90.64, "far mean": 92.96}),
        (("imagenet-1k", "ViT-B/16", "", "accuracy"), {"": 81.14}),
        (("cifar10", "ResNet-18", "MSP", "auroc", "LogitNorm"), {"near mean": 92.33, "far mean": 96.74}),
        (("imagenet-1k", "ResNet-50", "SCALE", "auroc", "ISH"), {"near mean": 84.01, "far mean": 96.79}),
        (("imagenet-1k full-spectrum", "ResNet-50 v1", "MSP"), {"near mean": 60.79, "far mean": 72.32}),
    ],
)
def test_a_sample_of_the_leaderboard_read_by_hand(who, expected):
    assert percents(*who) == expected


@pytest.mark.parametrize(
    ("who", "auroc", "fpr", "accuracy"),
    [
        (("imagenet-1k", "ResNet-50 v1", "MLS", STANDARD), 83.02, 53.02, 76.18),
        (("imagenet-1k", "ResNet-50 v2", "NNGuide", STANDARD), 65.77, 72.07, 80.92),
        (("imagenet-1k", "ResNet-50 v2", "MLS", "AugDelete"), 83.08, 63.11, 80.31),
        (("imagenet-1k", "ResNet-50", "KNN", "AugRevise"), 82.56, 49.25, 77.70),
        (("imagenet-200", "ResNet-18", "MLS", STANDARD), 87.00, 46.90, 86.37),
        (("imagenet-200", "ResNet-18", "MLS", "mixup"), 84.00, 57.81, 86.87),
        (("imagenet-200", "ResNet-18", "MLS", "v2 recipe, 100 epochs, AugDelete"), 85.57, 51.87, 86.68),
        (("imagenet-200", "ResNet-18", "MSP", "RegMixup"), 87.47, 49.62, 87.25),
        (("cifar100", "ResNet-18", "FSEBO", STANDARD), 79.97, 57.24, 77.26),
        (("cifar100", "ResNet-18", "MOS", "MOS"), 80.29, 56.67, 76.98),
    ],
)
def test_a_sample_of_xiong_et_al_read_by_hand(who, auroc, fpr, accuracy):
    benchmark, model, printed, method = who
    told = {"method": method, "source": "Xiong et al. 2025"}
    assert percents(benchmark, model, printed, **told) == {"mean": auroc}
    assert percents(benchmark, model, printed, "fpr95_ood", **told) == {"mean": fpr}
    assert accuracy in percents(benchmark, model, "", "accuracy", **told).values()


def test_scale_set_by_set_comes_to_the_leaderboards_means():
    """(77.35 + 85.37)/2 = 81.36 and (98.02 + 97.63 + 93.95)/3 = 96.53."""
    by_set = percents("imagenet-1k", "ResNet-50 v1", "SCALE", source="kai422/SCALE")
    mean = percents("imagenet-1k", "ResNet-50 v1", "SCALE")
    assert (by_set["ssb_hard"] + by_set["ninco"]) / 2 == pytest.approx(mean["near mean"], abs=0.005)
    assert (by_set["inaturalist"] + by_set["textures"] + by_set["openimage_o"]) / 3 == pytest.approx(mean["far mean"], abs=0.005)
    assert percents("imagenet-1k", "ResNet-50 v1", "SCALE", "fpr95_ood", source="kai422/SCALE")["inaturalist"] == 9.51


def test_no_figure_changes_unseen():
    """The two tests below need the reference, which a clone lacks. Whoever corrects a figure runs them and puts its hash here."""
    text = files("oodkit.report").joinpath("published.csv").read_text("utf-8")
    assert sha256(text.encode()).hexdigest()[:16] == "3620c8fc7f546f4d"


@needs_reference
def test_the_whole_leaderboard_is_that_of_the_reference():
    section = REFERENCE.read_text(encoding="utf-8").split("\n## 3. ")[1].split("\n## ")[0]
    head, _, *rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    accuracies = [float(re.search(r"\((?:acc )?([\d.]+)\)", cell)[1]) for cell in head[1:]]
    assert len(accuracies) == len(COLUMNS)
    for (benchmark, model), accuracy in zip(COLUMNS, accuracies, strict=True):
        assert percents(benchmark, model, "", "accuracy") == {"": accuracy}
    cells = 0
    for name, *row in rows:
        for (benchmark, model), cell in zip(COLUMNS, row, strict=True):
            pair = dict(zip(("near mean", "far mean"), map(float, cell.split("/")), strict=True)) if cell != "–" else {}
            assert percents(benchmark, model, PRINTED.get(name, name)) == pair, (name, model)
            cells += len(pair)
    kept = [one for one in published_figures() if one.source == BOARD and one.method == STANDARD and one.metric == "auroc"]
    assert cells == len([one for one in kept if (one.benchmark, one.model) in COLUMNS])


@needs_reference
def test_the_tables_of_xiong_et_al_are_those_of_the_reference():
    """Every number of both tables stands among the figures of their rows; those stand nowhere else."""
    section = REFERENCE.read_text(encoding="utf-8").split("\n## 4. ")[1].split("\n## ")[0]
    known = [one for one in published_figures() if one.source == "Xiong et al. 2025"]
    lines = [line.replace("**", "").strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    models = {"ResNet50-v1": ("ResNet-50 v1", STANDARD), "ResNet50-v2": ("ResNet-50 v2", STANDARD)}
    models["ResNet50-v2 + AugDelete"] = ("ResNet-50 v2", "AugDelete")
    benchmarks, told = ["cifar100", "imagenet-200", "imagenet-1k"], 0
    for first, *cells in lines:
        if first in {"Scorer", "Table 4 (AUROC / FPR@95 / accuracy)"}:
            head = cells
            continue
        for column, cell in zip(head, cells, strict=True):
            if cell == "–":
                continue
            auroc, fpr, *_ = cell.split(" / ")
            if column in models:
                (model, method), benchmark, printed = models[column], "imagenet-1k", first
            else:
                method, _, printed = first.partition(" + ")
                model, method, printed = None, STANDARD if method == "v1" else method, printed or method
                benchmark = benchmarks[head.index(column)]
            found = {
                one.metric: one.percent
                for one in known
                if (one.benchmark, one.method, one.printed, one.ood_set) == (benchmark, method, printed, "mean")
                and model in {None, one.model}
                and (model is not None or one.model != "ResNet-50 v2")
            }
            assert found == {"auroc": float(auroc), "fpr95_ood": float(fpr)}, (first, column)
            told += 1
    assert told == 12 + 13 * 3 - 1


def test_every_row_is_of_a_benchmark_a_scorer_a_set_and_a_source_that_there_are():
    for one in published_figures():
        benchmark = BENCHMARKS[one.benchmark.removesuffix(" full-spectrum")]
        assert one.scorer in {"", *SCORERS}
        assert one.ood_set in {"", *MEANS, *benchmark.near, *benchmark.far}
        assert (one.metric == "accuracy") == (not one.printed) == (not one.ood_set)
        assert one.source in SOURCES
        assert 0 < one.percent < 100
        assert one.architecture or one.note.startswith("disputed")


@pytest.mark.parametrize(
    ("name", "architecture", "source", "features", "same", "model"),
    [
        ("resnet50.tv_in1k", "resnet50", "timm", 2048, True, "ResNet-50 v1"),
        ("hf-hub:timm/resnet50.tv2_in1k", "resnet50", "timm", 2048, True, "ResNet-50 v2"),
        ("torchvision:swin_t/IMAGENET1K_V1", "swin_t", "torchvision", 768, True, "Swin-T"),
        ("resnet50.a1_in1k", "resnet50", "timm", 2048, False, None),
        ("torchvision:resnet50/OTHER", "resnet50", "torchvision", 2048, False, None),
        ("mine.pth", "torchvision:resnet50", "file", 2048, False, "ResNet-50 v1"),
        ("mine.pth", "resnet50.a1_in1k", "file", 2048, False, "ResNet-50 v1"),
        ("mine.pth", "torchvision:resnet50", "file", 64, False, None),
        ("mine.pth", "mine/resnet50", "file", 2048, False, None),
        ("local-dir:mine", "vit_base_patch16_224", "timm", 768, False, "ViT-B/16"),
        ("hf-hub:someone/net", "resnet50", "timm", 2048, False, "ResNet-50 v1"),
        ("py:nets.py:resnet50", "nets.py:resnet50", "python", 2048, False, None),
        ("py:resnet50", "resnet50", "python", 2048, False, None),
    ],
)
def test_weights_are_matched_by_name_and_files_by_architecture_and_features(name, architecture, source, features, same, model):
    exact, found = figures_of(name, {"architecture": architecture, "source": source, "num_features": features}, "imagenet-1k")
    assert exact is same
    assert (model in {one.model for one in found}) if model else not found


def test_a_file_is_matched_on_its_own_benchmark_alone_and_as_its_architecture_is_built_by_default():
    facts = {"architecture": "torchvision:resnet18", "source": "file", "num_features": 512}
    assert {one.benchmark for one in figures_of("mine.pth", facts, "imagenet-200")[1]} == {"imagenet-200"}
    assert figures_of("mine.pth", facts, "cifar10")[1] == []
    assert figures_of("mine.pth", {**facts, "model_args": {"num_classes": 200}}, "imagenet-200")[1]
    assert figures_of("mine.pth", {**facts, "model_args": {"stem_type": "deep"}}, "imagenet-200")[1] == []
    assert figures_of("resnet50.tv_in1k", {"architecture": "resnet50", "source": "timm"}, None)[1] == []
    assert (known_weights("cifar10"), known_architectures("cifar10"), known_architectures("imagenet-200")) == ([], [], ["resnet18"])


def test_a_function_says_nothing_of_its_network_by_its_name():
    """A resnet20 behind a function that is called as OpenOOD calls its ResNet-18."""
    facts = {"architecture": "nets.py:resnet18_32x32", "source": "python", "num_features": 64}
    for features in (64, 512):
        assert figures_of("py:nets.py:resnet18_32x32", {**facts, "num_features": features}, "cifar10") == (False, [])


def test_values_are_fractions_without_a_rounding_error():
    assert all(len(str(one.value)) <= 6 for one in published_figures())


def test_the_numbers_of_features_are_those_of_the_networks():
    import timm
    import torch
    import torchvision

    for name, features in FEATURES.items():
        if name in torchvision.models.list_models() and not name.startswith("regnet"):  # which can't be built without its weights
            with torch.device("meta"):
                net = torchvision.models.get_model(name, weights=None)
            assert [one for one in net.modules() if isinstance(one, torch.nn.Linear)][-1].in_features == features
        if timm.is_model(name):
            with torch.device("cpu" if name.startswith("regnet") else "meta"):  # timm 1.0.26 counts a regnet's widths by values
                assert timm.create_model(name, pretrained=False).num_features == features
    assert {name for one in published_figures() for name in one.architecture} - set(FEATURES) == {
        "resnet18_32x32",
        "resnet18_224x224",
    }


def test_names_of_weights_are_names_that_torchvision_and_timm_have():
    from timm import is_model_pretrained
    from torchvision.models import get_model_weights

    for name in {weights for one in published_figures() for weights in one.weights}:
        arch, _, weights = name.removeprefix("torchvision:").partition("/")
        assert weights in get_model_weights(arch).__members__ if ":" in name else is_model_pretrained(name)
