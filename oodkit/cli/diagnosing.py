"""What ``oodkit diagnose`` and ``oodkit demo`` do once the command line is understood."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typer

from oodkit import demo
from oodkit.classifier import Classifier
from oodkit.cli.choosing import choose, chosen_on, images_to_withhold, judged_by
from oodkit.cli.inputs import Running, SetNames, Sets, extract_sets, open_sets
from oodkit.cli.loading import Loading, Subject
from oodkit.cli.mixing import mixed_curves
from oodkit.cli.probing import probes_by_set, searched
from oodkit.cli.progress import status_line
from oodkit.cli.runs import save_run
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.images.mixed import mixed_sets
from oodkit.outputs import Outputs
from oodkit.recipe_facts import Recipe, recipe_of
from oodkit.report.document import Document, make_document
from oodkit.scorers import parse_scorer
from oodkit.tuning import Tuning


def run(
    subjects: Sequence[Subject],
    names: SetNames,
    running: Running,
    *,
    scorers: Sequence[str],
    preset: str,
    seed: int,
    loading: Loading,
    baseline: str = "auto",
    mixed: bool = False,
) -> Document:
    """Extract, choose settings where asked to, diagnose, and put everything into one document; with ``mixed`` mixed images too.

    The demo's models bring its image sets where none are named.
    """
    for spec in scorers:
        parse_scorer(spec, preset=preset)
    if not (names.any_set or names.benchmark) and all(one.model.name.startswith("demo:") for one in subjects):
        names = replace(names, id_test=demo.ID_TEST, near=demo.NEAR, far=demo.FAR, fit=demo.FIT, val=demo.VAL)
    sets, names = open_sets(names, subjects[0].model.num_classes)
    for model in [model for one in subjects for model in (one.model, one.baseline) if model is not None]:
        sets.check_labels(model)
    mixed_images = mixed_sets(sets.id_test, seed=seed) if mixed else {}
    withheld = images_to_withhold(sets, running) if sets.tune else []
    shown = {one.model.name for one in subjects}  # of a mere baseline no scorer's figures are shown, so no probe runs on it
    extracted: dict[str, dict[str, Outputs]] = {}
    tunings: dict[str, list[Tuning]] = {}
    diagnoses: dict[str, Diagnosis] = {}

    def extract_and_tune(model: Classifier) -> None:
        """The test sets come last: by then it is settled what they are scored with."""
        found: dict[str, Outputs] = {}
        wanted = scorers if model.name in shown else ()
        if sets.tune:
            probes = probes_by_set(searched(wanted, preset), sets, [judged_by(sets), *sets.tune])
            found = extract_sets(model, sets, running, {name: probes[name] for name in probes if name in chosen_on(sets)})
            tunings[model.name] = choose(
                model, sets, found, withheld, scorers=scorers, preset=preset, seed=seed, quiet=running.quiet
            )
            wanted = [one.spec for one in tunings[model.name]] if wanted else ()
        probes = probes_by_set([parse_scorer(spec, preset) for spec in wanted], sets, ["id", *sets.ood])
        rest = {name: probes[name] for name in probes if name not in found}
        extracted[model.name] = found | extract_sets(model, sets, running, rest)

    def diagnosis_of(model: Classifier, reference: Diagnosis | None) -> Diagnosis:
        if model.name not in extracted:
            extract_and_tune(model)
        own, tuning = extracted[model.name], tunings.get(model.name, [])
        with status_line(f"{model.name}: scoring", quiet=running.quiet) as progress:
            return diagnose(
                model.name,
                own["id"],
                {name: own[name] for name in sets.ood},
                fit=own.get("fit"),
                val=own.get("val"),
                groups=sets.groups,
                scorers=() if tuning else scorers,
                tuning=tuning,
                preset=preset,
                softeners=_recipe(model).softeners,
                baseline=reference,
                id_set=sets.id_test.spec,
                seed=seed,
                progress=progress,
            )

    for one in subjects:
        if one.baseline is not None and one.baseline.name not in diagnoses:
            diagnoses[one.baseline.name] = diagnosis_of(one.baseline, None)
        reference = None if one.baseline is None else diagnoses[one.baseline.name]
        diagnoses[one.model.name] = diagnosis_of(one.model, reference)

    curves = mixed_curves(subjects, mixed_images, diagnoses, running) if mixed else None
    models = [one.model for one in subjects]
    again = {"preset": preset, "seed": seed, "baseline": baseline, "device": running.device, "dtype": running.dtype}
    document = make_document(
        [diagnoses[model.name] for model in models],
        {one.model.name: {**facts_of(one.model), "notes": list(one.notes)} for one in subjects},
        _set_rows(sets, [extracted[model.name] for model in models], models, withheld),
        command=shlex.join(["oodkit", *sys.argv[1:]]),
        advice_base=" ".join(part for part in (names.flags(), loading.flags(), _flags(again)) if part),
        settings={"preset": preset, "seed": seed, "device": running.device, "dtype": running.dtype},
        mixed=curves,
    )
    document["inputs"] = _inputs(subjects, names, loading)
    return document


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


def _recipe(model: Classifier) -> Recipe:
    return recipe_of(model.name, model.about.get("recipe"))


def _flags(settings: dict[str, Any]) -> str:
    """The settings that are not the defaults, as options."""
    defaults = {"preset": "openood", "seed": 0, "baseline": "auto", "device": "auto", "dtype": "auto"}
    return " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in settings.items() if value != defaults[name])


def _inputs(subjects: Sequence[Subject], names: SetNames, loading: Loading) -> dict[str, Any]:
    """What was asked for, so that a later command can ask for it again."""
    told = {key: str(value) if isinstance(value, Path) else value for key, value in {**asdict(names), **asdict(loading)}.items()}
    sets, options = ({key: told[key] for key in asdict(part)} for part in (names, loading))
    baselines = [None if one.baseline is None else one.baseline.name for one in subjects]
    return {"models": [one.model.name for one in subjects], "baselines": baselines, "sets": sets, "loading": options}


def _set_rows(
    sets: Sets, extracted: Sequence[Mapping[str, Outputs]], models: Sequence[Classifier], withheld: Sequence[int]
) -> list[dict[str, Any]]:
    """One row a set; notes that differ between models all stand there."""
    rows = []
    outside = sets.outside()
    for name, images in sets.named().items():
        outputs = [own[name] for own in extracted]
        notes = [sets.ood_notes(name, model) if name in outside else own.notes for own, model in zip(outputs, models, strict=True)]
        if withheld and name == judged_by(sets):
            notes.append([f"{len(withheld)} images are in a test set too: no setting was chosen on them"])
        skipped = dict.fromkeys(one for own in outputs for one in own.skipped)
        rows.append(
            {
                "name": name,
                "role": sets.role(name),
                "spec": images.spec,
                "images": len(images),
                "read": min(len(own) for own in outputs),
                "skipped": len(skipped),
                "skipped_files": [asdict(one) for one in skipped],
                "notes": list(dict.fromkeys(note for own in notes for note in own)),
            }
        )
    return rows
