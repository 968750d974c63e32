"""The largest report that anyone is likely to ask for stays a small file, and takes little memory to make."""

import copy
import resource
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from oodkit.report.html import render_html
from oodkit.report.runs import Run
from oodkit.scorers import SCORERS

MODELS, SETS, IMAGES = 10, 8, 12
LIMIT = 5_000_000  # bytes
FIGURE = {"value": 0.912345678, "low": 0.898765432, "high": 0.923456789}


def noise(seed: int) -> bytes:
    """A JPEG thumbnail of 9 kB, about twice what a photograph takes."""
    content, pixels = BytesIO(), np.random.default_rng(seed).integers(64, 192, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "JPEG", quality=82)
    return content.getvalue()


def repeated(rows: list[dict], key: str, names: list[str]) -> list[dict]:
    """The first row again and again, once for each name."""
    return [{**rows[0], key: name} for name in names]


def results(pattern: dict, sets: list[str]) -> list[dict]:
    figures = {name: FIGURE for name, value in pattern.items() if isinstance(value, dict) and "low" in value}
    means = {"near mean": "near", "far mean": "far", "mean": "mean"}
    columns = {**{name: "far" if place % 2 else "near" for place, name in enumerate(sets)}, **means}
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


@pytest.fixture
def large(compared_run) -> Run:
    """10 models on 8 OOD sets by every scorer, each with a baseline, and 12 thumbnails of every set."""
    sets = [f"an-openood-set-{place}" for place in range(SETS)]
    each = (SETS + 1) * IMAGES
    thumbnails = {f"{place:032x}.jpg": noise(place % 50) for place in range(MODELS * each)}
    document = copy.deepcopy(compared_run.document)
    pattern = document["models"][1]
    document["sets"] = repeated(document["sets"], "name", ["id", *sets])
    document["models"] = [
        {
            **copy.deepcopy(pattern),
            "name": f"vit_large_patch16_224.augreg_in21k_ft_in1k_{place}",
            "max_logits": repeated(pattern["max_logits"][1:], "image_set", ["id", *sets]),
            "shifts": repeated(pattern["shifts"], "ood_set", sets),
            "results": results(pattern["results"][0], sets),
            "densities": [density(one, sets) for one in pattern["densities"]],
            "roc": [curve(scorer, name, place) for scorer in list(SCORERS)[:5] for name in sets],
            "extremes": extremes(pattern["extremes"], sets, list(thumbnails)[place * each :]),
        }
        for place in range(MODELS)
    ]
    return Run(document, {}, thumbnails)


def peak() -> float:
    """The most memory that the process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def test_ten_models_on_eight_sets_by_every_scorer_stay_below_5_mb(large):
    """With as many of the 1080 thumbnails as there is room for, and at least the most extreme of every set."""
    before = peak()
    html = render_html(large)
    assert len(html.encode("utf-8")) < LIMIT
    assert html.count("<img ") >= MODELS * (SETS + 1)
    assert peak() - before < 400


def test_a_megabyte_of_room_is_left_where_one_image_of_each_list_is_shown(large, monkeypatch):
    """More sets or longer names do not push it over the limit at once."""
    monkeypatch.setattr("oodkit.report.html.LARGEST", 0)
    assert len(render_html(large).encode("utf-8")) < LIMIT - 1_000_000
