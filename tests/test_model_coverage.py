"""Every family of timm and every classifier of torchvision: its head is found, or it is refused for a known reason."""

import gc
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import timm
import torch

from oodkit.errors import UnsupportedModelError
from oodkit.heads import features_and_logits, find_head

DOCS = Path(__file__).parents[1] / "docs"
REFUSED = {
    "volo_d1_224": "head and aux_head make 1000 outputs each, but the logits are neither one of these nor their mean",
    "squeezenet1_0": "something non-linear lies between",
    "squeezenet1_1": "something non-linear lies between",
}


def models_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_models_page", DOCS / "make_models_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = models_page()


def test_the_page_covers_every_module_of_timm() -> None:
    """A new family in timm fails here, and joins the list."""
    assert {*PAGE.FAMILIES, *PAGE.WITHOUT_CLASSIFIER} == set(timm.list_modules())
    assert all(name in timm.list_models(module=family) for family, name in [*PAGE.FAMILIES.items(), *PAGE.MORE])


def test_families_without_a_classifier_have_none_among_their_weights() -> None:
    for family in PAGE.WITHOUT_CLASSIFIER:
        sizes = {timm.get_pretrained_cfg(name).num_classes for name in timm.list_models(module=family)}
        assert 1000 not in sizes, family


def test_the_page_shows_every_network_and_refuses_the_known_ones_only() -> None:
    lines = (DOCS / "models.md").read_text("utf-8").splitlines()
    shown = [(line.split("`")[1], "refused" in line) for line in lines if line.startswith("| ") and "`" in line]
    assert [name for name, _ in shown] == [name for _, _, name in PAGE.networks()]
    assert {name for name, refused in shown if refused} == set(REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize(("source", "name"), [(source, name) for source, _, name in PAGE.networks()])
def test_the_head_makes_the_logits_of_images_that_it_was_not_found_on(source: str, name: str) -> None:
    net, size = PAGE.build(source, name)
    images = torch.randn(2, *size, generator=torch.Generator().manual_seed(5))
    gc.collect()
    if name in REFUSED:
        with pytest.raises(UnsupportedModelError, match=REFUSED[name]):
            find_head(net, size)
        return
    head = find_head(net, size)
    with torch.no_grad():
        features, logits = features_and_logits(net, head, images)
    torch.testing.assert_close(head(features), logits, rtol=0, atol=1e-4 * float(logits.abs().max()))
    assert " at 0x" not in repr(net), "the fingerprint would differ from process to process"
