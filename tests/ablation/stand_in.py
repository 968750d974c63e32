"""A trainer that trains nothing: it loads the demo's networks, which were trained before, and remembers what it was asked for."""

from functools import partial
from pathlib import Path

import oodkit
from oodkit import demo
from oodkit.ablation.planning import How, plan_ablation
from oodkit.ablation.trial import Images, Judge
from oodkit.training.folder import LAST
from oodkit.training.plan import Sets

NETWORKS = {"v1": "demo:digits-v1"}  # every other recipe's is demo:digits-v2


class Trainer:
    """fails: by recipe and seed what is raised in place of training."""

    def __init__(self, fails=None):
        self.calls, self.fails = [], fails or {}

    def __call__(self, arch, *, output, recipe, seed, **options):
        self.calls.append((recipe, seed))
        self.options = options
        begun = Path(output) / LAST
        begun.parent.mkdir(parents=True, exist_ok=True)
        begun.touch()
        if error := self.fails.get((recipe, seed)):
            raise error
        begun.unlink()
        return oodkit.load_classifier(NETWORKS.get(recipe, "demo:digits-v2"))


def demo_images(limit=40, **training):
    """The demo's sets, a few images of each."""

    def opened(spec):
        return oodkit.open_images(spec, limit=limit)

    near, far = ({name: opened(spec) for name, spec in sets.items()} for sets in (demo.NEAR, demo.FAR))
    groups = {**dict.fromkeys(near, "near"), **dict.fromkeys(far, "far")}
    return Images(Sets(opened(demo.FIT), opened(demo.VAL), **training), opened(demo.ID_TEST), {**near, **far}, groups)


HOW = How(settings={"epochs": 2}, device="cpu", workers=0)
JUDGE = Judge(("mls", "knn"), device="cpu", workers=0)
planned = partial(plan_ablation, "test_resnet", images=demo_images(), how=HOW, judge=JUDGE)
