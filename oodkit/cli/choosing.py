"""``--tune``: settings are chosen on images that no test set holds, before the test sets are looked at."""

from collections.abc import Mapping, Sequence

from oodkit.classifier import Classifier
from oodkit.cli.inputs import Running, Sets
from oodkit.cli.overlaps import such_as
from oodkit.cli.progress import status_line
from oodkit.errors import UsageError
from oodkit.images.base import ImageSet
from oodkit.images.overlap import Comparison
from oodkit.outputs import Outputs
from oodkit.scorers import read_spec
from oodkit.tuning import Tuning, tune


def judged_by(sets: Sets) -> str:
    """The ID set that a setting is judged by: val or, a share of it, fit. Raises UsageError where there is neither."""
    if sets.val is None and sets.fit is None:
        raise UsageError("--tune needs ID images that are not --id's to judge settings by: give --val SET, or --train SET")
    return "fit" if sets.val is None else "val"


def chosen_on(sets: Sets) -> set[str]:
    """The names of all sets that the choice rests on: what scorers learn from, and what they are judged by."""
    return {*sets.tune} | {name for name in ("fit", "val") if name in sets.named()}


def images_to_withhold(sets: Sets, running: Running) -> list[int]:
    """Positions in the ID set that settings are judged by of images that a test set holds too; they take no part in the choice.

    A benchmark may hold a few images twice, which is no reason to refuse it. Raises UsageError where that leaves none, and where an
    image of a ``--tune`` set is in any other set, whatever it is called there: such a set was not made for choosing.
    """
    inside, comparison = judged_by(sets), Comparison()
    tests = {"id": sets.id_test, **sets.ood}
    with status_line("comparing image sets", quiet=running.quiet) as say:
        for name, images in sets.tune.items():
            for other, others in sets.named().items():
                if other not in sets.tune:
                    if say:
                        say(f"{name} with {other}")
                    _refuse_shared(comparison, name, images, _described(sets, other), others, is_test=other in tests)
        positions: set[int] = set()
        for other, others in tests.items():
            if say:
                say(f"{inside} with {other}")
            positions |= comparison.shared_images(sets.named()[inside], others).keys()
    if len(positions) == len(sets.named()[inside]):
        raise UsageError(f"every image of --{inside} is in a test set, which settings can't be chosen on; give another --{inside}")
    return sorted(positions)


def choose(
    model: Classifier,
    sets: Sets,
    found: Mapping[str, Outputs],
    withheld: Sequence[int],
    *,
    scorers: Sequence[str],
    preset: str,
    seed: int,
    quiet: bool,
    shown: bool,
) -> list[Tuning]:
    """The settings of each scorer for this model, from its outputs on the sets of ``chosen_on``.

    shown: whether its figures are; of a mere baseline, where they are not, only the scorers that the verdict rests on are searched.
    """
    if not shown:
        rests_on = [name for name in ("mls", "knn") if name == "mls" or "fit" in found]
        own = [one for one in scorers if read_spec(one)[0] in rests_on]
        scorers = own + [name for name in rests_on if name not in {read_spec(one)[0] for one in own}]
    with status_line(f"{model.name}: choosing settings", quiet=quiet) as progress:
        return tune(
            {name: found[name] for name in sets.tune},
            scorers=scorers,
            fit=found.get("fit"),
            val=found.get("val"),
            preset=preset,
            withheld=withheld,
            seed=seed,
            progress=progress,
        )


def _described(sets: Sets, name: str) -> str:
    return f"--{sets.role(name)} {name}" if name in sets.ood else f"--{name}"


def _refuse_shared(comparison: Comparison, name: str, images: ImageSet, other: str, others: ImageSet, *, is_test: bool) -> None:
    shared = comparison.shared_images(images, others)
    if not shared:
        return
    found = f"{len(shared)} of {len(images)} images of --tune {name} are in {other} too, {such_as(shared, images, others)}"
    why = "settings must not be chosen on test images" if is_test else "in-distribution images are no OOD images"
    raise UsageError(f"{found}; {why}: leave them out of --tune, or give it another set")
