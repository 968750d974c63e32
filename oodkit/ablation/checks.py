"""What an ablation refuses before it trains anything."""

from collections.abc import Mapping, Sequence

from oodkit.ablation import BASELINE
from oodkit.ablation.trial import Images
from oodkit.errors import ImageSetError, UsageError
from oodkit.evaluation import rows_planned
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.processes import world_size
from oodkit.scorers import one_pass_scorers, parse_scorer
from oodkit.scoring import require_free_names
from oodkit.training.pools import count_classes
from oodkit.training.recipes import parse_recipe
from oodkit.wording import printable


def checked_recipes(recipes: Sequence[str]) -> list[str]:
    """The recipes as specs, the baseline first. Raises UsageError for one that is unknown or comes twice."""
    specs = [parse_recipe(text).spec() for text in recipes]
    if twice := [spec for spec in specs if specs.count(spec) > 1]:
        raise UsageError(f"the recipe {twice[0]} comes twice; give each once, or with other settings, as mixup:alpha=1")
    return [BASELINE, *(spec for spec in specs if spec != BASELINE)]


def checked_seeds(seeds: Sequence[int]) -> list[int]:
    """Raises UsageError where there is none, one comes twice, or one is below 0."""
    if not seeds or min(seeds) < 0:
        raise UsageError(f"seeds are one or more whole numbers from 0, got {', '.join(map(str, seeds)) or 'none'}")
    if twice := [seed for seed in seeds if list(seeds).count(seed) > 1]:
        raise UsageError(f"the seed {twice[0]} comes twice; give each once")
    return list(seeds)


def checked_scorers(scorers: Sequence[str]) -> list[str]:
    """The scorers as specs, the maximal logit first. Raises UsageError for one that is unknown, or runs the network again."""
    asked = [parse_scorer(spec) for spec in scorers]
    if probing := [one.name for one in asked if one.probe() is not None]:
        others = ", ".join(one_pass_scorers())
        raise UsageError(f"{probing[0]} runs the network again on each image, which an ablation does not do; choose from {others}")
    specs = [one.spec() for one in asked]
    return list(dict.fromkeys(specs if any(one.name == "mls" for one in asked) else ["mls", *specs]))


def require_usable(images: Images, recipes: Sequence[str]) -> None:
    """Raise UsageError or ImageSetError for image sets that the ablation can't use, and in one process of several."""
    if world_size() > 1:
        ways = "start one for each GPU with seeds of its own and the same folder, then one with all seeds, which puts them together"
        raise UsageError(f"an ablation runs in one process: {ways}")
    _require_use(images, recipes)
    if not images.ood:
        raise UsageError("no out-of-distribution images: give --near NAME=SET or --far NAME=SET")
    _require_names(images)
    _require_others(images)
    _require_known_classes(images.training.data, images.id_test)


def _require_use(images: Images, recipes: Sequence[str]) -> None:
    needs = {need for spec in recipes for need in parse_recipe(spec).needs}
    for name in ("outliers", "mixing"):
        if name in images.training.given() and name not in needs:
            raise UsageError(f"none of the recipes trains with --{name}: {', '.join(recipes)}; leave it out, or add one that does")


def _require_names(images: Images) -> None:
    """What a diagnosis refuses too; there it would come after the first training."""
    require_free_names(images.ood, "train")
    rows_planned(list(images.ood), images.groups)


def _require_others(images: Images) -> None:
    """Networks that have seen the images that they are judged on tell nothing."""
    seen = {one.fingerprint(): f"--{name}" for name, one in images.training.given().items()}
    tests: Mapping[str, ImageSet] = {"--id": images.id_test} | {f"the OOD set {name!r}": one for name, one in images.ood.items()}
    for name, one in tests.items():
        fingerprint = one.fingerprint()
        if fingerprint in seen:
            raise UsageError(f"{name} is the very set given as {seen[fingerprint]}; judge by other images")
        seen |= {fingerprint: name} if name == "--id" else {}


def _require_known_classes(data: ImageSet, id_test: ImageSet) -> None:
    classes = count_classes(data)
    labels, _ = align_labels(id_test, data.class_names, data.class_names, classes)
    if unknown := int((labels < 0).sum()):
        what = f"{unknown} of {len(id_test)} images of {id_test.spec} belong to none of the {classes} classes of {data.spec}"
        names = ", ".join(map(printable, (data.class_names or ())[:3]))
        raise ImageSetError(f"{what}{f' ({names}, …)' if names else ''}; name their class folders alike")
