"""What ``oodkit diagnose`` and ``oodkit demo`` do once the command line is understood."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from oodkit import demo
from oodkit.classifier import Classifier, load_classifier
from oodkit.cli.inputs import Extracted, Running, SetNames, Sets, extract_sets, open_sets
from oodkit.cli.runs import save_run
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.errors import InputError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.outputs import Outputs
from oodkit.recipe_facts import Recipe, recipe_of, sibling_of
from oodkit.report.document import Document, make_document
from oodkit.scorers import parse_scorer


@dataclass(frozen=True)
class Loading:
    """How checkpoints load; None = the checkpoint's own."""

    arch: str | None = None
    checkpoint: Path | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    model_args: Mapping[str, Any] | None = None
    allow_pickle: bool = False

    def load(self, name: str) -> Classifier:
        return load_classifier(name, **vars(self))

    def flags(self) -> str:
        """The same as command-line options."""
        pairs: list[tuple[str, object]] = [
            ("--arch", self.arch),
            ("--checkpoint", self.checkpoint),
            ("--input-size", self.input_size),
        ]
        pairs += [(f"--{name}", ",".join(map(str, values))) for name, values in (("mean", self.mean), ("std", self.std)) if values]
        pairs += [("--model-arg", f"{key}={value}") for key, value in (self.model_args or {}).items()]
        words = [f"{option} {shlex.quote(str(value))}" for option, value in pairs if value is not None]
        return " ".join(words + (["--allow-pickle"] if self.allow_pickle else []))


@dataclass(frozen=True)
class Loaded:
    """A model to diagnose, the baseline to hold it against, and what is to be said of the choice."""

    model: Classifier
    baseline: Classifier | None
    notes: tuple[str, ...] = ()


def load_models(names: Sequence[str], baseline: str, loading: Loading) -> list[Loaded]:
    """Load every model, and its baseline, before any work is done. A model among the others is loaded once."""
    loaded = {name: loading.load(name) for name in dict.fromkeys(names)}
    return [Loaded(model, *_baseline_of(name, baseline, loaded, loading)) for name, model in loaded.items()]


def _baseline_of(
    name: str, choice: str, loaded: Mapping[str, Classifier], loading: Loading
) -> tuple[Classifier | None, tuple[str, ...]]:
    if choice == "none":
        return None, ()
    sibling = sibling_of(loaded[name].name) if choice == "auto" else choice
    if sibling is None:
        return None, ("no baseline: no plain sibling of this checkpoint is known; name one with --baseline MODEL",)
    if sibling in loaded:
        return (loaded[sibling], ()) if sibling != name else (None, ())
    try:
        return loading.load(sibling) if choice != "auto" else load_classifier(sibling), ()
    except InputError as error:
        if choice != "auto":
            raise
        return None, (f"no baseline: the plain sibling {sibling} can't be had ({error})",)


def run(
    loaded: Sequence[Loaded],
    names: SetNames,
    running: Running,
    *,
    scorers: Sequence[str],
    preset: str,
    seed: int,
    loading: Loading,
) -> Document:
    """Extract, diagnose, and put everything into one document. The demo's models bring its image sets where none are named."""
    for spec in scorers:
        parse_scorer(spec, preset=preset)
    if not (names.any_set or names.benchmark) and all(one.model.name.startswith("demo:") for one in loaded):
        names = SetNames(demo.ID_TEST, demo.NEAR, demo.FAR, demo.FIT, demo.VAL, limit=names.limit)
    sets = open_sets(names, loaded[0].model.num_classes)
    extracted: dict[str, Extracted] = {}
    diagnoses: dict[str, Diagnosis] = {}

    def diagnosis_of(model: Classifier, baseline: Diagnosis | None) -> Diagnosis:
        own = extracted[model.name] = extracted.get(model.name) or extract_sets(model, sets, running)
        return diagnose(
            model.name,
            own.id_test,
            own.ood,
            fit=own.fit,
            val=own.val,
            groups=sets.groups,
            scorers=scorers,
            preset=preset,
            softeners=_recipe(model).softeners,
            baseline=baseline,
            id_set=sets.id_test.spec,
            seed=seed,
        )

    for one in loaded:
        reference = None
        if one.baseline is not None:
            name = one.baseline.name
            reference = diagnoses.get(name) or diagnosis_of(one.baseline, None)
        diagnoses[one.model.name] = diagnosis_of(one.model, reference)

    return make_document(
        [diagnoses[one.model.name] for one in loaded],
        {one.model.name: {**facts_of(one.model), "notes": list(one.notes)} for one in loaded},
        _set_rows(sets, extracted[loaded[0].model.name], loaded[0].model),
        command=shlex.join(["oodkit", *sys.argv[1:]]),
        advice_base=" ".join(part for part in (names.flags(), loading.flags()) if part),
        settings={"preset": preset, "seed": seed, "device": running.device, "dtype": running.dtype},
    )


def _recipe(model: Classifier) -> Recipe:
    return recipe_of(model.name, model.about.get("recipe"))


def facts_of(model: Classifier) -> dict[str, Any]:
    """What every result says of the model."""
    return {
        **model.about,
        "name": model.name,
        "num_classes": model.num_classes,
        "num_features": model.head.num_features,
        "head_layers": list(model.head.layers),
        "weights": model.fingerprint(),
        "preprocessing": dict(model.preprocessing),
        "recipe": str(_recipe(model)),
    }


def show(document: Document, *, report: Path | None, output: Path | None, as_json: bool, quiet: bool) -> None:
    """Store the document, write the report, and print what was asked for; with ``quiet`` the paths only."""
    import json

    from oodkit.report.html import write_html
    from oodkit.report.terminal import print_document

    paths = [save_run(document, output)]
    if report is not None:
        write_html(document, report)
        paths.append(report)
    if quiet:
        typer.echo("\n".join(map(str, paths)))
    elif as_json:
        typer.echo(json.dumps(document, indent=1, allow_nan=False))
    else:
        print_document(document)
    if not quiet:
        typer.echo(f"written: {', '.join(map(str, paths))}", err=True)


def _ood_notes(images: ImageSet, model: Classifier) -> list[str]:
    """A caution where an OOD set holds classes that the model knows: those images are not OOD."""
    if images.class_names is None:
        return []
    labels, _ = align_labels(images, model.class_names, model.class_ids, num_classes=0)
    known = int((labels >= 0).sum())
    if not known:
        return []
    which = images.class_names[int(images.labels[int((labels >= 0).argmax())])]
    return [f"{known} of {len(images)} images are of classes that {model.name} knows, such as {which!r}: they are not OOD"]


def _set_rows(sets: Sets, extracted: Extracted, model: Classifier) -> list[dict[str, Any]]:
    outputs: dict[str, Outputs | None] = {"id": extracted.id_test, "fit": extracted.fit, "val": extracted.val, **extracted.ood}
    rows = []
    for name, images in sets.named().items():
        own = outputs[name]
        assert own is not None
        rows.append(
            {
                "name": name,
                "role": sets.groups.get(name, name),
                "spec": images.spec,
                "images": len(images),
                "read": len(own),
                "skipped": len(own.skipped),
                "skipped_files": [asdict(one) for one in own.skipped],
                "notes": list(own.notes) if name not in sets.ood else _ood_notes(images, model),
            }
        )
    return rows
