"""A training run, from the name of an architecture and image sets to a folder with a trained network."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oodkit.classifier import Classifier, load_classifier
from oodkit.images.base import ImageSet
from oodkit.run_folder import FINISHED, Document, begun_document, no_empty_folder
from oodkit.training.augment import TrainTransform, kept_generators, seeded_generators
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.draws import draws_of
from oodkit.training.feed import Feed
from oodkit.training.finishing import finish, save_trained
from oodkit.training.folder import KIND, SCHEMA, alone_in, is_finished, read_run, require_same, write_run
from oodkit.training.learner import Learner
from oodkit.training.log import Log
from oodkit.training.loop import Reached, learn
from oodkit.training.networks import Stem
from oodkit.training.plan import Alpha, Plan, Sets, Shape, plan
from oodkit.training.processes import join_processes
from oodkit.training.recipes.base import Recipe
from oodkit.training.starting import judge_start
from oodkit.training.unreadable import told_in
from oodkit.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

LIBRARIES = ("oodkit", "torch", "torchvision", "timm", "accelerate")


def train(  # noqa: PLR0913 (one argument an option)
    arch: str | Classifier,
    data: ImageSet,
    *,
    output: str | Path,
    recipe: str | Recipe = "v1",
    val: ImageSet | None = None,
    synthetic: ImageSet | None = None,
    alpha: Alpha = None,
    outliers: ImageSet | None = None,
    mixing: ImageSet | None = None,
    input_size: int | Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    stem: Stem = "auto",
    model_args: Mapping[str, Any] | None = None,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Callable[[Reached], None] | None = None,
    **settings: Any,
) -> Classifier:
    """Train a network from scratch, or on from a classifier's weights, and load what came of it.

    arch: a timm name or ``torchvision:NAME``, or a Classifier whose weights are the start; it stays as it is. data: the training
    images with labels. output: the folder of the run. recipe: a spec such as ``mixup:alpha=0.4``, or what ``make_recipe`` gives.
    val: validation images with labels: their accuracy is in the log after every epoch, and ``best.safetensors`` is kept by it.
    synthetic: generated images of the same classes (SIO, arXiv:2303.14531); alpha: the share of real images in each batch, in
    (0, 1], by default 0.8; "naive" takes the share that merging both sets would give. outliers, mixing: for recipes that train with
    such. input_size, mean, std, stem, model_args: how the network is built, see ``training.networks.build``; not for a Classifier.
    workers: processes that decode. progress: called after each step. settings: fields of ``training.settings.Settings``, such as
    epochs, batch_size, lr, weight_decay, ema, amp, augdelete, seed; what is not given is the recipe's own, or else the default,
    which for a Classifier is 10 epochs with a learning rate of 0.01. With adamw that is 1e-3, for a Classifier 1e-4, and the weight
    decay 0.05.

    The folder gets training.json (all settings as they took effect, and the result), log.jsonl, last.safetensors (to go on from),
    best.safetensors, model.safetensors, which ``load_classifier(f"local-dir:{output}")`` loads, and, where the last layer was
    refitted, before.safetensors. The same call goes on with a run that was not finished, and ends with the same weights as if it
    had not been interrupted; of a finished one it loads the result.

    Raises UsageError for what does not go together, and where the folder holds another run or other files; ImageSetError for images
    that can't be trained on; TrainingError where the loss becomes infinite or the memory does not suffice.
    """
    sets, shape = Sets(data, val, synthetic, outliers, mixing), Shape(input_size, mean, std, stem, model_args)
    with kept_generators():  # a network that is built, were it to be filled with stored weights, draws from them
        planned = plan(arch, sets, recipe, alpha, shape, settings)
        return carry_out(planned, Path(output), device=device, workers=workers, tensorboard=tensorboard, progress=progress)


def carry_out(
    planned: Plan,
    folder: Path,
    *,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Callable[[Reached], None] | None = None,
    say: Callable[[str], None] | None = None,
    accelerator: "Accelerator | None" = None,
) -> Classifier:
    """``train`` for a training that is planned. say: called with a line where something takes long beside the steps.

    accelerator: what ``accelerator_for`` gave, where the caller had to know that there is one.
    """
    before = read_run(folder)
    if before is not None and not require_same(folder, before["asked"], planned.asked):
        before = None  # of an attempt at another training that saved nothing, nothing is told either
    if before is None or not is_finished(folder, before):
        accelerator = accelerator or accelerator_for(planned, device)
        main = accelerator.is_main_process
        with (
            no_empty_folder(folder),
            Log(folder if main else None, tensorboard=tensorboard) as log,
            alone_in(folder) if main else nullcontext(),
            seeded_generators(accelerator.device, planned.settings.seed),
        ):
            document = _document(planned, before, accelerator)
            if main:
                write_run(folder, document)
            _carry_out(planned, folder, document, accelerator, workers, log, progress, say or (lambda _: None))
    return load_classifier(f"local-dir:{folder}")


def accelerator_for(planned: Plan, device: str) -> "Accelerator":
    """Raises UsageError for a device that is not here, and for a precision that it does not train in."""
    return join_processes(device=device, amp=planned.settings.amp, leaves_unused=planned.recipe.leaves_unused)


def _carry_out(
    planned: Plan,
    folder: Path,
    document: Document,
    accelerator: "Accelerator",
    workers: int | None,
    log: Log,
    progress: Callable[[Reached], None] | None,
    say: Callable[[str], None],
) -> None:
    main, on_gpu = accelerator.is_main_process, accelerator.device.type == "cuda"
    feed, settings = _feed(planned, accelerator), planned.settings
    begun = _learner(planned)  # before anything else draws from the generators: whatever is judged, its first weights are the same
    evaluate = _validation(planned, accelerator, workers)

    def save_best(learner: Learner, path: Path) -> None:
        save_trained(path, learner, planned)

    if main:
        judge_start(planned, folder, log, device=str(accelerator.device), workers=workers, say=say)
    with told_in(document, feed, accelerator, partial(write_run, folder)):
        learner = learn(
            begun,
            lambda start, stop: feed.batches(start, stop, workers=workers, pin_memory=on_gpu),
            settings,
            steps_per_epoch=feed.draws.steps_per_epoch,
            accelerator=accelerator,
            checkpoints=Checkpoints(folder, save_best=save_best if planned.recipe.trains_head else None),
            log=log,
            evaluate=evaluate,
            progress=progress,
        )
    if main:
        document["result"] = finish(learner, planned, folder, device=str(accelerator.device), workers=workers, say=say)
        write_run(folder, {**document, "status": FINISHED})
    accelerator.wait_for_everyone()


def _feed(planned: Plan, accelerator: "Accelerator") -> Feed:
    preprocessing, settings = planned.built.preprocessing, planned.settings
    mean, std = (tuple(preprocessing[key]) for key in ("mean", "std"))
    transform = TrainTransform(planned.side, settings.flip, mean, std, planned.recipe.views(planned.side, planned.sets.mixing))
    pools = (planned.real, planned.synthetic, planned.outliers)
    draws = draws_of(settings, *pools, world=accelerator.num_processes, rank=accelerator.process_index)
    return Feed(planned.real, transform, draws, synthetic=planned.synthetic, outliers=planned.outliers)


def _learner(planned: Plan) -> Learner:
    """With the recipe's own layers, whose first weights come from the generators as they were seeded."""
    built, recipe = planned.built, planned.recipe
    return Learner(built.net, planned.head, built.num_features, recipe.modules(built.num_classes, built.num_features), recipe.loss)


def _validation(planned: Plan, accelerator: "Accelerator", workers: int | None) -> Validation | None:
    if planned.val is None:
        return None
    return Validation(
        planned.val.images,
        planned.val.labels.tolist(),
        planned.built.transform,
        planned.recipe,
        accelerator=accelerator,
        batch_size=planned.settings.batch_size,
        workers=workers,
    )


def _document(planned: Plan, before: Document | None, accelerator: "Accelerator") -> Document:
    from importlib.metadata import version

    recipe, built = planned.recipe, planned.built
    return {
        **begun_document(KIND, SCHEMA, planned.asked, before),
        "recipe": {"spec": recipe.spec(), "title": recipe.title, "paper": recipe.paper, "facts": recipe.facts()},
        "naive_mixing": planned.naive,
        "images": {name: len(images) for name, images in planned.sets.given().items()},
        "parameters": sum(one.numel() for one in built.net.parameters()),
        "device": str(accelerator.device),
        "versions": {name: version(name) for name in LIBRARIES},
        "notes": list(planned.notes),
        "unreadable": {} if before is None else before["unreadable"],
        "result": None,
    }
