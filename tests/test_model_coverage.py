"""Every architecture of timm and torchvision: its head is found, or it is refused for a known reason."""

import gc
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from oodkit.errors import UnsupportedModelError
from oodkit.heads import features_and_logits, find_head

DOCS = Path(__file__).parents[1] / "docs"
REFUSED = {
    "volo": "head and aux_head make 1000 outputs each, but the logits are neither one of these nor their mean",
    "squeezenet": "something non-linear lies between",
    "_enc": "the network returns (2, ",  # encoders of language models
}
ONE_OF_A_KIND = ("test_vit", "test_resnet", "test_byobnet", "test_coatnet", "resnetv2_18", "pit_ti_distilled_224", "swiftformer_xs")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEADS, PAGE = script("model_heads"), script("make_models_page")
ROWS = PAGE.read()


def known_reason(name: str) -> str | None:
    return next((reason for part, reason in REFUSED.items() if part in name), None)


def smallest_of_each_kind() -> list[tuple[str, str]]:
    """(source, architecture) of the smallest of each family and kind of head, of those that were small enough for numbers."""
    ordered = sorted((row for row in ROWS if row["proof"] == "numbers"), key=lambda row: -float(row["million_parameters"]))
    kinds = {(row["source"], row["family"], row["head"]): row["architecture"] for row in ordered}
    return [(source, name) for (source, _, _), name in sorted(kinds.items())]


def test_the_page_is_what_the_table_says() -> None:
    assert (DOCS / "models.md").read_text("utf-8") == PAGE.page(ROWS), "run: python docs/make_models_page.py"
    assert list(ROWS[0]) == list(HEADS.COLUMNS)


@pytest.mark.parametrize("sources", [{"timm"}, {"timm", "torchvision"}])
def test_99_of_100_weights_with_1000_classes_are_handled(sources: set[str]) -> None:
    rows = [row for row in ROWS if row["source"] in sources]
    handled = PAGE.weights(row for row in rows if row["head"] != PAGE.REFUSED)
    assert handled >= 0.99 * PAGE.weights(rows) > 1300


def test_the_known_architectures_are_refused_and_no_other() -> None:
    refused = {row["architecture"]: row["layers"] for row in ROWS if row["head"] == PAGE.REFUSED}
    assert all((why := known_reason(name)) and why in reason for name, reason in refused.items())
    assert {part for part in REFUSED for name in refused if part in name} == set(REFUSED)


@pytest.mark.parametrize("source", ["timm", "torchvision"])
def test_the_table_has_every_architecture_of_the_installed_library(source: str) -> None:
    """Of the version that it was made with; what another version adds is named, and fails nothing."""
    installed = {name for one, name in HEADS.architectures() if one == source}
    rows = [row for row in ROWS if row["source"] == source]
    version = {"timm": timm.__version__, "torchvision": torchvision.__version__.partition("+")[0]}[source]
    if {row["version"] for row in rows} != {version}:
        new = installed - {row["architecture"] for row in rows}
        pytest.skip(f"{source} {version} has {len(new)} architectures that docs/models.csv lacks: {', '.join(sorted(new)) or '-'}")
    assert [row["architecture"] for row in rows if row["architecture"] not in installed] == []
    assert installed == {row["architecture"] for row in rows}


@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_the_table_says_what_is_found_now(name: str) -> None:
    if not timm.is_model(name):
        pytest.skip(f"timm {timm.__version__} has no {name}")
    (row,) = (row for row in ROWS if (row["source"], row["architecture"]) == ("timm", name))
    now = HEADS.outcome("timm", name)
    assert {column: row[column] for column in now} == now


class Answer(nn.Module):
    """A network of one layer and what is done with its output."""

    def __init__(self, layer: nn.Module, then: str = "nothing") -> None:
        super().__init__()
        self.layer, self.then = layer, then

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.layer(images if isinstance(self.layer, nn.Conv2d) else images.flatten(1))
        if self.then == "written to":
            output += 1
        return output * 2 if self.then == "doubled" else output.flatten(1)


@pytest.mark.parametrize(
    ("net", "head"),
    [
        (Answer(nn.Linear(3, 1000)), "linear"),
        (Answer(nn.Conv2d(3, 1000, 1)), "1×1 convolution"),
        (Answer(nn.Linear(3, 1000), "doubled"), None),
        (Answer(nn.Linear(3, 1000), "written to"), None),
        (Answer(nn.Conv2d(3, 1000, 3, padding=1)), None),
    ],
)
def test_the_trace_accepts_a_layer_whose_output_is_the_answer_alone(net: nn.Module, head: str | None) -> None:
    row = HEADS.traced(net.to("meta"), (3, 1, 1))
    assert (row and (row["head"], row["features"], row["layers"])) == (head and (head, "3", "layer"))


def test_the_trace_refuses_what_is_no_logits() -> None:
    row = HEADS.traced(nn.Conv2d(3, 1000, 1).to("meta"), (3, 2, 2))
    assert (row["head"], row["layers"]) == ("refused", "the network returns (2, 1000, 2, 2) for images (2, 3, 2, 2)")


@pytest.mark.parametrize("name", ["test_vit", "resnetv2_18"])
def test_trace_and_numbers_agree(name: str) -> None:
    (row,) = (row for row in ROWS if row["architecture"] == name)
    traced = HEADS.traced(*HEADS.weightless("timm", name))
    assert traced == {**{column: row[column] for column in traced}, "proof": "trace"}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "name"), smallest_of_each_kind())
def test_the_head_makes_the_logits_of_images_that_it_was_not_found_on(source: str, name: str) -> None:
    """At the size of images that is the network's own."""
    net, size, unfilled = HEADS.built(source, name)
    HEADS.fill(net, unfilled)
    images = torch.randn(2, *size, generator=torch.Generator().manual_seed(5))
    gc.collect()
    if reason := known_reason(name):
        with pytest.raises(UnsupportedModelError, match=re.escape(reason)):
            find_head(net, size)
        return
    head = find_head(net, size)
    with torch.no_grad():
        features, logits = features_and_logits(net, head, images)
    torch.testing.assert_close(head(features), logits, rtol=0, atol=1e-4 * float(logits.abs().max()))
    assert " at 0x" not in repr(net), "the fingerprint would differ from process to process"
