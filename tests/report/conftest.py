"""A document with everything in it that a report has to tell, and names that try to get out of it."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from hashlib import blake2b
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.after_repair import verdict_after
from oodkit.changes import gain, share_of
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.evaluation import best
from oodkit.extremes import Extreme, Extremes, ShownImage, most_accepted, most_rejected
from oodkit.head import Head
from oodkit.mixed_curve import MixedCurve, diagnose_mixed
from oodkit.outputs import Outputs
from oodkit.refitting import refit
from oodkit.repair import Repair, compare_repair, shown_in_shares
from oodkit.report.compare import make_comparison
from oodkit.report.document import Asked, Found, make_document
from oodkit.report.runs import Run
from oodkit.scoring import by_label

from .compared_runs import MIXED, PLAIN, VALIDATOR, pair_of

SET_NAME = "[red]\x1b[31m\x9b2J--><script>alert('set')</script>"
FILE_NAME = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\r\n[bold]\udcff.png"
FACTS = {"num_classes": 3, "num_features": 4, "head_layers": ["fc"], "preprocessing": {"mean": "<i>"}, "recipe": "<b>&recipe"}
SETTINGS = {"preset": "openood", "seed": 0, "device": "cpu", "dtype": "auto", "thumbnails": 12}


def outputs_of(rows: int, seed: int, shift: float, aside: float = 0) -> Outputs:
    """Signed features, which ASH cautions of; the class's own is ``shift`` larger, and the one that no logit sees ``aside``."""
    features = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(rows) % 3
    features[torch.arange(rows), labels] += shift
    features[:, 3] += aside
    return Outputs(features, labels, head=Head(torch.eye(3, 4), torch.zeros(3)))


def image_set(name: str, role: str, files: int = 0, notes: tuple[str, ...] = ()) -> dict:
    skipped = [{"index": i, "name": f"{i:02}{FILE_NAME}", "reason": "not an <image>\x1b[2J"} for i in range(files)]
    counts = {"images": 40 + files, "read": 40, "skipped": files}
    known = {
        "name": name,
        "role": role,
        "spec": f"folder/{name}",
        "fingerprint": blake2b(name.encode(), digest_size=16).hexdigest(),
    }
    return {**known, **counts, "skipped_files": skipped, "notes": list(notes)}


def picture(seed: int) -> bytes:
    """A PNG of 8 × 6 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


THUMBNAILS = {f"{seed:032x}.png": picture(seed) for seed in range(3)}


def extremes_of(diagnosis: Diagnosis, count: int = 4) -> Extremes:
    """Those of the best scorer; of each set the first three images have thumbnails, the others could not be read any more."""
    top = best(diagnosis.rows)
    scored = by_label(diagnosis.scored)[top.scorer]

    def shown(found: list[Extreme], label: int | None) -> list[ShownImage]:
        known = (1, "<b>cat</b>, \x1b[31mfelis", label, None if label is None else "dog & <i>pup</i>")
        names = [*THUMBNAILS, *[None] * count]
        return [
            ShownImage(one.row, f"{one.row:02}{FILE_NAME}", *known, one.score, one.below, name)
            for one, name in zip(found, names, strict=False)
        ]

    accepted = {name: shown(most_accepted(scored.id_scores, scores, count), None) for name, scores in scored.ood_scores.items()}
    rejected = shown(most_rejected(scored.id_scores, count), 0)
    return Extremes(top.scorer, accepted, rejected)


def inputs_of(diagnoses: Sequence[Diagnosis]) -> dict:
    named = {"id_test": "folder/id", "near": {}, "far": {SET_NAME: "x"}, "tune": {}, "tune_benchmark": False}
    unnamed = dict.fromkeys(("fit", "val", "benchmark", "data_root", "limit"))
    options = {**dict.fromkeys(("arch", "checkpoint", "input_size", "mean", "std")), "model_args": {}, "allow_pickle": False}
    names = {"models": [one.model for one in diagnoses], "baselines": [one.baseline for one in diagnoses]}
    return {**names, "sets": {**named, **unnamed}, "loading": options}


def run_of(
    *diagnoses: Diagnosis,
    baselines: Sequence[Diagnosis] = (),
    mixed: Mapping[str, MixedCurve] | None = None,
    repair: Repair | None = None,
) -> Run:
    """As the command line makes it. All models have read the same images."""
    sets = list(diagnoses[0].scored[0].ood_scores)
    rows = [image_set("id", "id", notes=("classes are matched by <name>",))]
    rows += [image_set(name, "near" if number else "far", files=12) for number, name in enumerate(sets)]
    read = {name: {"n": 40, "images": f"{number:032x}"} for number, name in enumerate(["id", *sets])}
    found = [
        Found(
            one,
            {**FACTS, "name": one.model, "weights": f"{weights:032x}", "notes": ["no baseline: none is <known>"]},
            read,
            (mixed or {}).get(one.model),
            extremes_of(one),
        )
        for one, weights in zip(diagnoses, range(2) if repair else [0] * len(diagnoses), strict=True)
    ]
    command, base = ("augdelete", "--id x --train y") if repair else ("diagnose", "--id x")
    asked = Asked(f"oodkit {command} {SET_NAME}", SETTINGS, inputs_of(diagnoses), advice_base=base)
    train = {"spec": SET_NAME, "images": 300, "taken": 240, "views": 0} if repair else None
    document = make_document(found, rows, asked, baselines=baselines, repair=repair, train=train)
    scores = {
        one.model: {label: {"id": own.id_scores, **own.ood_scores} for label, own in by_label(one.scored).items()}
        for one in diagnoses
    }
    return Run(document, scores, THUMBNAILS, {one.model: one.correct for one in diagnoses})


@pytest.fixture(scope="session")
def made_run() -> Run:
    scorers = ["mls", "ash-b", "react", "knn:k=5", "knn:k=7", "mds"]
    unlabelled = outputs_of(60, 2, 3).with_labels(torch.full((60,), -1))
    found = diagnose("net<br>", outputs_of(40, 0, 3), {SET_NAME: outputs_of(40, 1, 0)}, fit=unlabelled, scorers=scorers)
    before = diagnose_mixed(found, {lam: outputs_of(20, 3, 3 * (1 - lam)) for lam in (0.1, 0.5)})
    mixed = {"net<br>": diagnose_mixed(found, {lam: outputs_of(20, 4, 3 * (1 - 2 * lam)) for lam in (0.1, 0.5)}, before)}
    return run_of(found, mixed=mixed)


@pytest.fixture
def run(made_run: Run) -> Run:
    """One model with everything but a baseline; a copy that a test may change."""
    return deepcopy(made_run)


@pytest.fixture(scope="session")
def made_compared_run() -> Run:

    def diagnosed(model: str, shift: float, aside: float, baseline: Diagnosis | None) -> Diagnosis:
        ood = {SET_NAME: outputs_of(40, 1, 0, aside), "near": outputs_of(40, 5, 1, aside)}
        groups = {SET_NAME: "far", "near": "near"}
        fit = outputs_of(60, 2, shift)
        scorers = ["mls", "msp", "ebo", "knn:k=5", "knn:k=7", "mds"]
        return diagnose(model, outputs_of(40, 0, shift), ood, fit=fit, groups=groups, scorers=scorers, baseline=baseline)

    plain = diagnosed("net<br>", 3, 0, None)
    return run_of(plain, diagnosed("softened & <mixed>", 2, 3, plain), baselines=[plain])


@pytest.fixture
def compared_run(made_compared_run: Run) -> Run:
    """Two models on a far and a near set; the second has the first for its baseline, and its features know more than its logits.

    A copy that a test may change.
    """
    return deepcopy(made_compared_run)


@pytest.fixture
def pair(compared_run) -> dict[str, Run]:
    """A run of each of its models, by the model's name."""
    return pair_of(compared_run)


@pytest.fixture
def compare(pair):
    def made(**options):
        document = make_comparison([("first", pair[PLAIN]), ("second", pair[MIXED])], command="oodkit compare a b", **options)
        VALIDATOR.validate(document)
        return document

    return made


FRACS = (0.05, 0.25, 1.0)


@pytest.fixture(scope="session")
def made_repaired_run() -> Run:
    """All logits hold what no class is told by, the fourth feature; a head that starts from zeros learns to leave it out."""
    ood = {SET_NAME: outputs_of(40, 1, 0, 2), "near": outputs_of(40, 5, 1, 1)}
    groups, id_test, train = {SET_NAME: "far", "near": "near"}, outputs_of(40, 0, 2), outputs_of(240, 2, 2)
    softened = Head(torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]), torch.zeros(3))
    scorers = ["mls", "msp", "ebo", "knn:k=5", "knn:k=7", "residual", "mds"]

    def diagnosed(name: str, head: Head, before: Diagnosis | None = None) -> Diagnosis:
        inside, outside = id_test.with_head(head), {name: one.with_head(head) for name, one in ood.items()}
        fit = train.with_head(head)
        return diagnose(
            name, inside, outside, fit=fit, groups=groups, scorers=scorers, baseline=before, refitted=before is not None
        )

    before = diagnosed("py:data/<net>.py:small", softened)
    refits = {frac: refit(train.with_head(softened).subset(torch.arange(int(240 * frac))), init="zeros") for frac in FRACS}
    found = {frac: diagnosed(f"{before.model} + AugDelete", one.head, before) for frac, one in refits.items()}
    after, last = found[1.0], refits[1.0]
    shown = shown_in_shares(after)
    shares = [share_of(0, 0, before.accuracy, before.rows, shown)]
    shares += [
        share_of(frac, one.n_fit, found[frac].accuracy, found[frac].rows, shown, one, 0.25 * frac, gain(before, found[frac].placed))
        for frac, one in refits.items()
    ]
    made = compare_repair(before, after, last, shares, seconds=0.25, softeners=["<b>mixup 0.2"])
    return run_of(before, replace(after, verdict=verdict_after(made, before, after)), repair=made)


@pytest.fixture
def repaired_run(made_repaired_run: Run) -> Run:
    """A model before and after its repair, on three shares of the training images; a copy that a test may change."""
    return deepcopy(made_repaired_run)


@pytest.fixture
def document(run: Run) -> dict:
    return run.document
