"""An assessment of synthetic images with everything in it that a report has to tell, its figures drawn by a seed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from typing import Any

import jsonschema
import numpy as np
from PIL import Image

from oodkit.report.document import plain
from oodkit.report.qualities import classes_worst_first, document_of_quality, mean_above
from oodkit.report.runs import Run
from oodkit.synth.quality.found import FLOOR, ClassQuality, Copy, Nearest, Quality, SetQuality

from .made_ablation import stored

CLASSES = ("zero", "one", "two", "three")
SETS = ("fitted", "biggan", "ddpm")
SIDE = 12
SCHEMA = json.loads(files("oodkit.report").joinpath("schemas/quality.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def nearest(flagged: bool, copies: Sequence[Copy] = ()) -> Nearest:
    return Nearest(
        searched=200,
        images=200,
        median=1.2,
        ratio=0.38 if flagged else 0.97,
        near_copies=len(copies),
        p=0.0002 if flagged else 1.0,
        flagged=flagged,
        copies=copies,
    )


def above(place: int, at: int) -> float | None:
    """The second class of every set is the worst, and the first within error; of the floor there is none."""
    return 1.5 + 2.0 * place * (at % 4 and 5 - at % 4) if place else None


def of_set(name: str, place: int, classes: Sequence[str] = CLASSES, *, labelled: bool = True, flagged: bool = False) -> SetQuality:
    """The place says how far from the real images it lies; the floor's is 0."""
    rng = np.random.default_rng(place)
    rows = [
        ClassQuality(
            one, 50, float(0.004 * place + rng.normal(0, 0.001)), 0.0007, 0.95 - 0.1 * place, 0.9 - 0.1 * place, above(place, at)
        )
        for at, one in enumerate(classes)
    ]
    copies = [Copy(f"{name}/{at}.png", f"real/{at}.png", 0.1 * at, 0.01 * at) for at in range(3)] if flagged else []
    return SetQuality(
        name=name,
        spec=f"sets/{name}",
        images=400,
        missing=(),
        frechet=0.5 + 1.25 * place,
        kid=0.0001 + 0.004 * place,
        kid_sd=0.0003,
        density=1.02 - 0.1 * place,
        coverage=0.968 - 0.11 * (place if place < 3 else 1.5),
        agreement=0.97 - 0.09 * place if labelled else None,
        confidence=0.95 - 0.08 * place if labelled else None,
        probe=0.96 - 0.05 * place if labelled else None,
        nearest=nearest(flagged, copies),
        classes=sorted(rows, key=lambda one: one.above or 0),
        rank=place,
        coverage_rank={3: 2, 2: 3}.get(place, place),
    )


def made(names: Sequence[str] = SETS, classes: Sequence[str] = CLASSES, *, labelled: bool = True, **other: Any) -> Quality:
    """The last of the sets copies."""
    sets = [of_set(name, at, classes, labelled=labelled, flagged=at == len(names)) for at, name in enumerate(names, 1)]
    found = Quality(
        extractor="demo:digits-v1",
        features=64,
        real="demo:digits:train",
        held_out=None,
        n=200,
        asked=None,
        seed=0,
        class_names=tuple(classes),
        expected_coverage=0.969,
        probed_on=350,
        unseen=None,
        frechet_noise=0.3 if len(names) > 1 else None,
        floor=of_set(FLOOR, 0, classes, labelled=labelled),
        sets=sets,
        notes=("8 images of sets/ddpm could not be read",),
    )
    return replace(found, **other)


def picture(seed: int) -> tuple[str, bytes]:
    """A thumbnail by the name that a run gives it."""
    content, pixels = BytesIO(), np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return f"{seed:032x}.png", content.getvalue()


def run_of(quality: Quality, shown: int = 8, command: str = "oodkit synth quality --real a --synthetic b") -> Run:
    """With samples of every class, and the near-copies beside what they copy; the last image can't be shown."""
    files: dict[str, bytes] = {}

    def images(of: str, count: int) -> list[dict[str, Any]]:
        found = []
        for at in range(count):
            made = picture(len(files)) if at < 7 else None
            files.update([made] if made else [])
            found.append({"name": f"{of}/{at}.png", "thumbnail": made and made[0]})
        return found

    names = [FLOOR, *(one.name for one in quality.sets)]
    ordered: list[str | None] = [*classes_worst_first(plain(quality))] or [None]
    measured = len(mean_above(plain(quality)["sets"]))
    samples = [
        {
            "class": name,
            "place": measured - at if at < measured else None,
            "rows": [{"set": one, "images": images(f"{one}/{name}", shown)} for one in names],
        }
        for at, name in enumerate(ordered)
    ]
    copies = [
        {"set": one.name, "rows": [{"set": name, "images": images(name, len(one.nearest.copies))} for name in (one.name, FLOOR)]}
        for one in quality.sets
        if one.nearest.copies
    ]
    sets = [{"name": FLOOR, "role": "real", "spec": quality.real}]
    sets += [{"name": one.name, "role": "synthetic", "spec": one.spec} for one in quality.sets]
    document = document_of_quality(
        quality,
        command=command,
        settings={"count": None, "limit": None, "seed": 0, "samples": shown},
        model={"name": quality.extractor, "weights": "00ff"},
        sets=[{**one, "fingerprint": "00ff", "images": 400, "made_by": _maker(one["name"])} for one in sets],
        samples=samples,
        copies=copies,
    )
    return Run(stored(document), thumbnails=files)


def _maker(name: str) -> dict[str, str] | None:
    return {"generator": name, "licence": "apache-2.0"} if "ddpm" in name or "dit" in name else None


def hostile_run() -> Run:
    """In which every name from outside tries to get out of the page."""
    bad = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\u202e[red]"
    found = made([f"<b>{bad}", f"dit{bad}"], [f"<i>zero{bad}", f"one{bad}"])
    found = replace(found, extractor=f"net{bad}", real=f"data{bad}", held_out=f"held{bad}", notes=(f"a note {bad}",))
    return run_of(found, command=f"oodkit synth quality '{bad}'")
