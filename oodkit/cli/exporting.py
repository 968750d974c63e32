"""What ``oodkit export`` does once the command line is understood."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from oodkit.calibration import require_alpha
from oodkit.classifier import Classifier
from oodkit.cli.export import Form
from oodkit.cli.extracting import extract_set
from oodkit.cli.inputs import Running, open_whole
from oodkit.cli.last_run import last_repair, remembered
from oodkit.cli.loading import Loading, load_told
from oodkit.cli.overlaps import without_shared
from oodkit.detector import Detector
from oodkit.errors import InputError, NotApplicableError, OodkitError, UsageError
from oodkit.exporting import hub, onnx, state_dict, timm_folder
from oodkit.exporting.card import card_text
from oodkit.exporting.head_file import Making, making_of, read_head_for, save_head
from oodkit.exporting.target import CARD, card_first, card_of, require_own_place, write_text
from oodkit.images.base import ImageSet
from oodkit.models.base import AUGDELETE
from oodkit.models.names import portable
from oodkit.models.state import SUFFIXES as SUFFIXES_OF_WEIGHTS
from oodkit.models.untrusted import is_named
from oodkit.report.document import REPAIR
from oodkit.report.loading import load_document
from oodkit.report.repairs import before_alone
from oodkit.report.runs import RESULT
from oodkit.scorers import Scorer, parse_scorer
from oodkit.scoring import learnt_from
from oodkit.shards import HEAD_FILE
from oodkit.wording import counted, percent, printable, without_folders

FOLDERS = {Form.timm: timm_folder.FILES, Form.state_dict: state_dict.FILES}
SUFFIXES = {Form.head: ".safetensors", Form.detector: ".safetensors", Form.onnx: ".onnx"}
ENDINGS = {Form.head: "-head.safetensors", Form.timm: "-timm", Form.detector: "-detector.safetensors", Form.onnx: ".onnx"}


@dataclass(frozen=True)
class Wanted:
    """What is to be exported, as what, and where to. model, head: None = those of the run made last."""

    form: Form
    model: str | None
    head: Path | None
    output: Path | None
    scorer: str
    calibrate: str | None
    train: str | None
    val: str | None
    alpha: float
    preset: str
    seed: int
    repository: str | None
    private: bool

    def __post_init__(self) -> None:
        require_alpha(self.alpha)


@dataclass(frozen=True)
class Made:
    """A detector, and what is to be said of it."""

    detector: Detector
    told: Sequence[str]


@dataclass(frozen=True)
class Subject:
    """The network as it was loaded, and as it is exported; how its head was made; and the run that tells of it, if one does.

    flags: the options that load the source.
    """

    source: Classifier
    flags: str
    model: Classifier
    making: Making
    document: Mapping[str, Any] | None


def carry_out(wanted: Wanted, loading: Loading, running: Running) -> None:
    """Write the export and its card, print their paths, and upload them where that is asked for."""
    if wanted.repository is not None:
        hub.require_repository(wanted.repository)
    scorer = _scorer(wanted)
    if wanted.form == Form.onnx:
        onnx.require_exportable(scorer)
    if wanted.output is not None:
        _require_fitting(wanted.output, wanted.form)
    subject = _subject(wanted, loading)
    target = wanted.output or Path(f"{_file_name(subject.model.name)}{ENDINGS.get(wanted.form, '')}")
    require_own_place(target, FOLDERS.get(wanted.form))
    files = _write(wanted, subject, scorer, target, running)
    for path in files.values():
        typer.echo(path)
    if wanted.repository is not None:
        try:
            typer.echo(hub.push(files, wanted.repository, private=wanted.private))
        except OodkitError as error:
            raise type(error)(f"{error}; what was written stays at {target}") from error


def _scorer(wanted: Wanted) -> Scorer | None:
    """The scorer of the detector; None where none is asked for. Raises UsageError for options that don't go together."""
    if wanted.calibrate is None:
        if wanted.form == Form.detector:
            raise UsageError("a detector needs ID images for its threshold: give --calibrate SET")
        return None
    if wanted.form not in {Form.detector, Form.onnx}:
        raise UsageError(f"--calibrate makes a detector, and --as {wanted.form} has none; leave one of them out")
    scorer = parse_scorer(wanted.scorer, preset=wanted.preset)
    if scorer.probe() is not None:
        raise NotApplicableError(f"{scorer.name} runs the network again on each image, which a detector does not; choose another")
    if scorer.fits_on is not None and _learning_set(scorer, wanted) is None:
        sets = "--val SET or --train SET" if scorer.fits_on == "val" else "--train SET"
        raise UsageError(f"{scorer.name} learns from ID images: give {sets} too, or a scorer that learns nothing, such as mls")
    return scorer


def _learning_set(scorer: Scorer, wanted: Wanted) -> tuple[str, str] | None:
    """The role and the words of the set that the scorer learns from, or from a share of; None where there is none."""
    roles = {"val": {"val": wanted.val, "train": wanted.train}, "train": {"train": wanted.train}, None: {}}[scorer.fits_on]
    return next(((role, spec) for role, spec in roles.items() if spec is not None), None)


def _require_fitting(output: Path, form: Form) -> None:
    """Raise UsageError where the name that was given is not that of what the form is."""
    suffix = SUFFIXES.get(form)
    if suffix is None and output.suffix in {".safetensors", ".onnx"}:
        raise UsageError(f"--as {form} is a folder; give -o FOLDER instead of {output}")
    if suffix is not None and output.suffix != suffix:
        raise UsageError(f"--as {form} is a {suffix} file; give -o FILE{suffix} instead of {output}")


def _subject(wanted: Wanted, loading: Loading) -> Subject:
    name, head, run = wanted.model, wanted.head, None
    if name is None:
        if flags := loading.flags():
            raise UsageError(f"{flags} says how a model is loaded: name it, oodkit export MODEL {flags}")
        found = remembered("oodkit export")
        repaired = found.folder if found.kind == REPAIR else None if head else last_repair(found)
        name, loading, run = found.model, found.loading, repaired or found.folder
        head = head or (repaired and _head_of(repaired))
    source = load_told(name, loading)
    if head is None:
        document = _document(run, source)
        alone = before_alone(dict(document)) if document and document["kind"] == REPAIR else document
        return Subject(source, loading.flags(), source, Making(AUGDELETE if source.refitted else None), alone)
    fitting, facts = read_head_for(head, source)
    making = making_of(facts)
    model = source.with_head(fitting, method=AUGDELETE if making.method == AUGDELETE else "")
    document = _document(head.parent, source) if head.name == HEAD_FILE else None
    told = document if document and document["kind"] == REPAIR else None  # figures of another head would be told as this one's
    return Subject(source, loading.flags(), model, making, told)


def _head_of(run: Path) -> Path | None:
    """The head that a repair wrote; None where that did harm. What came of it is told on stderr."""
    repair, head = load_document(run / RESULT)["repair"], run / HEAD_FILE
    typer.echo(printable(repair["sentence"]), err=True)
    if repair["outcome"] != "harmed":
        return head
    typer.echo(f"exported as it was loaded; the refitted head leaves with --head {head}", err=True)
    return None


def _document(folder: Path | None, source: Classifier) -> Mapping[str, Any] | None:
    """The result in the folder, if it tells of this very network."""
    if folder is None or not (folder / RESULT).is_file():
        return None
    try:
        document = load_document(folder / RESULT)
    except InputError as error:
        typer.echo(f"no figures in the card: {error}", err=True)
        return None
    if document["models"][0]["facts"].get("weights") == source.fingerprint():
        return document
    typer.echo(f"no figures in the card: {folder} is of other weights, or was made with other versions of the libraries", err=True)
    return None


def _file_name(name: str) -> str:
    suffixes = "|".join(map(re.escape, SUFFIXES_OF_WEIGHTS))
    return re.sub(r"[^\w.-]+", "-", re.sub(rf"({suffixes})(?= |$)", "", without_folders(name))).strip("-.") or "model"


def _write(wanted: Wanted, subject: Subject, scorer: Scorer | None, target: Path, running: Running) -> dict[str, Path]:
    """The paths by the names that they have on the Hub."""
    model, making = subject.model, subject.making
    made = None if scorer is None else _detector(wanted, subject, scorer, running)
    if made is not None and wanted.form == Form.detector and not is_named(subject.source.source, target):
        made = _with_remedy(made, subject, target)

    def card(scoring: Sequence[str] = ()) -> str:
        spec = None if scorer is None else scorer.spec()
        return card_text(
            model, wanted.form.value, target.name, making=making, document=subject.document, scoring=scoring, scorer=spec
        )

    if wanted.form in FOLDERS:
        if wanted.form == Form.timm:
            timm_folder.export_timm(model, target, card())
        else:
            state_dict.export_state_dict(model, target, card(), making)
        return {name: target / name for name in FOLDERS[wanted.form]}
    return _write_file(wanted.form, model, making, made, target, card)


def _write_file(
    form: Form, model: Classifier, making: Making, made: Made | None, target: Path, card: Callable[[Sequence[str]], str]
) -> dict[str, Path]:
    files = {target.name: target}
    told = list(made.told) if made else []
    beside = card_of(target, folder=False)
    with card_first(beside, card(told)):
        if form == Form.head:
            save_head(target, model, making)
        elif form == Form.onnx:
            graph = onnx.export_onnx(made.detector if made else model, target, making)
            if graph.weights is None:
                onnx.weights_beside(target).unlink(missing_ok=True)  # of an earlier, larger graph
            else:
                files[graph.weights.name] = graph.weights
            told.append(graph.sentence())
        elif made is not None:
            made.detector.save(target)
    if form == Form.onnx:
        write_text(beside, card(told))  # what the check found
    return {**files, CARD: beside}


def _with_remedy(made: Made, subject: Subject, target: Path) -> Made:
    """What the user is to type where the detector can't name its network; the card says it without the user's folders."""
    name, network = str(subject.source.source.get("name", subject.source.name)), shlex.quote
    command = f"oodkit score {network(str(target))} IMAGES --model {network(name)} {subject.flags}".rstrip()
    typer.echo(printable(f"note: the file can't name its network, so say where it is: {command}"), err=True)
    options = ", and the options that load it" if subject.flags else ""
    sentence = f"to score with it, say where its network is: --model {network(portable(name))}, with its folders{options}"
    return replace(made, told=[*made.told, sentence])


def _detector(wanted: Wanted, subject: Subject, scorer: Scorer, running: Running) -> Made:
    """Calibrated on images of its own; features come from the source's network, since the new head reads the very same."""
    assert wanted.calibrate is not None
    images = open_whole(wanted.calibrate)
    head = subject.model.head
    learns = _fit(scorer, wanted, subject, images, running)
    outputs = extract_set(subject.source, "calibrate", images, running, labelled=False).with_head(head)
    detector = Detector.calibrated(subject.model, scorer, outputs, wanted.alpha, without_folders(wanted.calibrate))
    calibration = detector.calibration
    if caution := calibration.caution():
        typer.echo(f"caution: {caution}", err=True)
    if wanted.form == Form.onnx and calibration.dtype != "float32":
        typer.echo(f"caution: calibrated in {calibration.dtype}, and the graph runs in float32; use --dtype float32", err=True)
    scored = f"{counted(len(calibration), 'image', 'images')} of {without_folders(wanted.calibrate)}"
    told = [
        f"scores: {scorer.spec()}{learns}; higher means more in-distribution",
        f"threshold {calibration.threshold:.6g}: at most {percent(wanted.alpha)} of {scored} lie below it (split-conformal)",
    ]
    return Made(detector, told)


def _fit(scorer: Scorer, wanted: Wanted, subject: Subject, calibrating: ImageSet, running: Running) -> str:
    """Let the scorer learn as it does in a diagnosis with the same ``--train`` and ``--val``; returns what the card says of it."""
    found = _learning_set(scorer, wanted)
    if found is None:
        return ""
    role, spec = found
    whole = open_whole(spec)
    if whole.fingerprint() == calibrating.fingerprint():
        raise UsageError(f"{scorer.name} would be calibrated on the images that it learns from: give --calibrate other ID images")
    images, note = without_shared(whole, calibrating, (f"--{role}", "--calibrate"))
    if note:
        too_high = "if the network was trained on them, it will take more ID images than --alpha for OOD ones"
        typer.echo(printable(f"caution: {note}; {too_high}"), err=True)
    given = extract_set(subject.source, role, images, running, labelled=True).with_head(subject.model.head)
    learnt = learnt_from(scorer.fits_on, given if role == "train" else None, given if role == "val" else None, wanted.seed)
    assert learnt is not None
    scorer.fit(learnt)
    name = without_folders(spec)
    if note:
        name = f"those {counted(len(images), 'image', 'images')} of {name} that it was not calibrated on"
    if role == scorer.fits_on:
        return f", which learnt from {name}"
    drawn = f"learnt from {len(learnt)} of the {counted(len(given), 'image', 'images')} of {name}, drawn class by class"
    told = f"without validation images {scorer.name} {drawn}; those that a diagnosis had are given by --val SET"
    typer.echo(printable(f"note: {told}"), err=True)
    return f", which {drawn}"
