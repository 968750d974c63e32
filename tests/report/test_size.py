"""The largest report that anyone is likely to ask for stays a small file, and takes little memory to make."""

import json
import re
import tracemalloc
from functools import cache
from importlib.resources import files
from io import BytesIO

import jsonschema
import numpy as np
import pytest
from PIL import Image

from oodkit.report.html import render_html
from oodkit.report.runs import Run
from oodkit.scorers import SCORERS

SETS, IMAGES = 8, 36  # two models with as many images have more than there is room for
LIMIT = 5_000_000  # bytes
FIGURE = {"value": 0.912345678, "low": 0.898765432, "high": 0.923456789}


@cache
def noise(seed: int) -> bytes:
    """A JPEG thumbnail of 9 kB, about twice what a photograph takes."""
    content, pixels = BytesIO(), np.random.default_rng(seed).integers(64, 192, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "JPEG", quality=82)
    return content.getvalue()


def group_of(place: int) -> str:
    return "far" if place % 2 else "near"


def results(pattern: dict, sets: list[str]) -> list[dict]:
    figures = {name: FIGURE for name, value in pattern.items() if isinstance(value, dict) and "low" in value}
    columns = {name: group_of(place) for place, name in enumerate(sets)} | {
        name: name for name in ("near mean", "far mean", "mean")
    }
    return [
        {**pattern, **figures, "scorer": scorer, "ood_set": name, "group": group, "reason": None}
        for scorer in SCORERS
        for name, group in columns.items()
    ]


def curve(scorer: str, ood_set: str, seed: int) -> dict:
    x, y = (np.sort(np.random.default_rng([seed, side]).random(101)).round(6).tolist() for side in (0, 1))
    return {"scorer": scorer, "ood_set": ood_set, "ood_accepted": x, "id_accepted": y}


def density(pattern: dict, sets: list[str]) -> dict:
    random = np.random.default_rng(0)
    return {**pattern, "sets": {name: random.random(48).round(6).tolist() for name in ("ID", *sets)}}


def extremes(pattern: dict, sets: list[str], names: list[str]) -> dict:
    unused = iter(names)
    image = {**pattern["rejected"][0], "name": "n02123045_tabby/ILSVRC2012_val_00012345.JPEG"}
    lists = [[{**image, "index": place, "thumbnail": next(unused)} for place in range(IMAGES)] for _ in range(SETS + 1)]
    return {**pattern, "accepted": dict(zip(sets, lists, strict=False)), "rejected": lists[-1]}


def large(pattern: dict, models: int) -> Run:
    """Models on 8 OOD sets by every scorer, each with a baseline, and 36 thumbnails of every set."""
    sets = [f"an-openood-set-{place}" for place in range(SETS)]
    groups = {name: group_of(place) for place, name in enumerate(sets)}
    each = (SETS + 1) * IMAGES
    thumbnails = {f"{place:032x}.jpg": noise(place % 50) for place in range(models * each)}
    (id_set, ood_set, *_), model = pattern["sets"], pattern["models"][1]
    (id_row, ood_row, *_) = model["max_logits"]
    document = {
        **pattern,
        "sets": [id_set, *({**ood_set, "name": name, "role": group} for name, group in groups.items())],
        "models": [
            {
                **model,
                "name": f"vit_large_patch16_224.augreg_in21k_ft_in1k_{place}",
                "max_logits": [id_row, *({**ood_row, "image_set": name, "group": group} for name, group in groups.items())],
                "shifts": [{**model["shifts"][0], "ood_set": name, "group": group} for name, group in groups.items()],
                "results": results(model["results"][0], sets),
                "densities": [density(one, sets) for one in model["densities"]],
                "roc": [curve(scorer, name, place) for scorer in list(SCORERS)[:5] for name in sets],
                "extremes": extremes(model["extremes"], sets, list(thumbnails)[place * each :]),
            }
            for place in range(models)
        ],
    }
    schema = json.loads(files("oodkit.report").joinpath("schemas/diagnose.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    return Run(document, {}, thumbnails)


@pytest.fixture(scope="module")
def pages(made_compared_run) -> list[str]:
    """The reports of one and of two models."""
    return [render_html(large(made_compared_run.document, models)) for models in (1, 2)]


def without_images(page: str) -> int:
    """Its size in bytes."""
    return len(re.sub(r"data:image/jpeg;base64,[^\"]*", "", page).encode())


def test_images_beyond_5_mb_are_left_out(pages):
    """As many of the 648 thumbnails as there is room for, of each set alike."""
    assert LIMIT - 500_000 < len(pages[1].encode()) < LIMIT
    images = pages[1].count("<img ")
    assert images < 2 * (SETS + 1) * IMAGES
    assert images % (2 * (SETS + 1)) == 0


def test_ten_models_take_a_megabyte_less_than_that_with_one_image_of_each_set(pages):
    """More sets or longer names do not push it over the limit at once. Every model takes what the second does."""
    one, two = map(without_images, pages)
    images = 10 * (SETS + 1) * 4 * len(noise(0)) / 3
    assert one + 9 * (two - one) + images < LIMIT - 1_000_000


def test_it_takes_a_few_times_its_size_in_memory(made_compared_run):
    """15 pages of 5 MB; matplotlib's own tens of megabytes are left out: the models have nothing to draw."""
    run = large(made_compared_run.document, 2)
    for model in run.document["models"]:
        model |= {"densities": [], "roc": [], "mixed": None}
    tracemalloc.start()
    try:
        render_html(run)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 15 * LIMIT
