"""A fit, from an image set to a folder with a trained diffusion model."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from oodkit.images.base import ImageSet
from oodkit.run_folder import FINISHED, Document, begun_document, no_empty_folder
from oodkit.synth.fit.denoiser import Denoiser, edm_loss
from oodkit.synth.fit.folder import KIND, SAMPLES, SCHEMA, is_finished, read_fit, require_same_fit, write_fit
from oodkit.synth.fit.grid import write_grid
from oodkit.synth.fit.plan import HALF, FitPlan, plan_fit
from oodkit.synth.fit.stored import save_denoiser
from oodkit.training.augment import TrainTransform, seeded_generators
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.draws import draws_of
from oodkit.training.feed import Feed
from oodkit.training.folder import alone_in
from oodkit.training.learner import Learner
from oodkit.training.log import Log, read_epochs
from oodkit.training.loop import Reached, learn
from oodkit.training.processes import join_processes
from oodkit.training.unreadable import told_in
from oodkit.wording import counted

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["FitPlan", "carry_out_fit", "fit_generator", "plan_fit"]

LIBRARIES = ("oodkit", "torch", "diffusers", "accelerate")
GRIDS = 8  # pictures while it trains


def fit_generator(
    data: ImageSet,
    *,
    output: str | Path,
    size: int | None = None,
    patch: int | None = None,
    channels: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Callable[[Reached], None] | None = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Path:
    """Train a class-conditional diffusion model on images with labels, and give its folder, which ``FittedDiffusion`` samples.

    EDM (Karras et al., arXiv:2206.00364): preconditioning of equation 7, loss of equation 8, on diffusers' ``UNet2DModel``.

    data: images with labels. output: the folder. size: the side of the images that it makes, in pixels; None = the images' own,
    where that is one square of at most 64. patch: the side of the squares of pixels that the network sees as one, None = 1 up
    to 16 pixels, 2 up to 64, 4 up to 128, 8 beyond; larger is faster and worse. channels: the width of the network, a
    multiple of 8. workers: processes that decode.
    progress: called after each step. say: called with a line about the network. settings: fields of ``plan.FitSettings``, such as
    epochs, batch_size, lr, amp, flip, seed.

    The folder gets fit.json (what was asked for, the classes, the result), log.jsonl, last.safetensors (to go on from), unet/ and
    scheduler/ (as diffusers lays them out), and samples.png, a row a class, renewed while it trains. The same call goes on with a
    fit that was not finished, and ends with the same weights as if it had not been interrupted; of a finished one it gives the
    folder.

    Raises UsageError for what does not go together, and where the folder holds another fit or other files; ImageSetError for
    images that can't be trained on; TrainingError where the loss becomes infinite or the memory does not suffice.
    """
    planned = plan_fit(data, size=size, patch=patch, channels=channels, device=device, **settings)
    return carry_out_fit(planned, Path(output), device=device, workers=workers, tensorboard=tensorboard, progress=progress, say=say)


def carry_out_fit(
    planned: FitPlan,
    folder: Path,
    *,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Callable[[Reached], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """``fit_generator`` for a fit that is planned."""
    before = read_fit(folder)
    if before is not None and not require_same_fit(folder, before["asked"], planned.asked):
        before = None  # of an attempt at another fit that saved nothing, nothing is told either
    if before is not None and is_finished(folder, before):
        return folder
    with no_empty_folder(folder):
        accelerator = join_processes(device=device, amp=planned.settings.amp)
        main = accelerator.is_main_process
        with (
            Log(folder if main else None, tensorboard=tensorboard) as log,
            alone_in(folder) if main else nullcontext(),
            seeded_generators(accelerator.device, planned.settings.seed),
        ):
            denoiser = Denoiser(planned.architecture)
            document = _document(planned, denoiser, before, accelerator)
            if main:
                write_fit(folder, document)
                if say is not None:
                    say(_told(planned, document))
            _carry_out(planned, folder, denoiser, document, accelerator, workers, log, progress)
    return folder


def _carry_out(
    planned: FitPlan,
    folder: Path,
    denoiser: Denoiser,
    document: Document,
    accelerator: "Accelerator",
    workers: int | None,
    log: Log,
    progress: Callable[[Reached], None] | None,
) -> None:
    feed, main = _feed(planned, accelerator), accelerator.is_main_process
    pictures = _Pictures(planned, folder)
    with told_in(document, feed, accelerator, partial(write_fit, folder)):
        learner = learn(
            Learner(denoiser, "", 0, torch.nn.Module(), edm_loss),
            lambda start, stop: feed.batches(start, stop, workers=workers, pin_memory=accelerator.device.type == "cuda"),
            planned.settings,
            steps_per_epoch=feed.draws.steps_per_epoch,
            accelerator=accelerator,
            checkpoints=Checkpoints(folder),
            log=log,
            evaluate=pictures.after_epoch if main else None,
            progress=progress,
        )
    if main:
        trained = learner.net
        assert isinstance(trained, Denoiser)
        pictures.draw(trained)
        save_denoiser(folder, trained)
        write_fit(folder, {**document, "status": FINISHED, "result": _result(folder)})
    accelerator.wait_for_everyone()


class _Pictures:
    """``samples.png`` of the folder, some times while it trains, and in the end."""

    def __init__(self, planned: FitPlan, folder: Path) -> None:
        self._planned, self._path = planned, folder / SAMPLES
        self._every = -(-planned.settings.epochs // GRIDS)
        self._epochs = 0

    def after_epoch(self, learner: Learner) -> None:
        self._epochs += 1
        if self._epochs % self._every == 0:
            assert isinstance(learner.net, Denoiser)
            self.draw(learner.net)

    def draw(self, denoiser: Denoiser) -> None:
        was_training = denoiser.training
        write_grid(self._path, denoiser.eval(), self._planned.classes)
        denoiser.train(was_training)


def _feed(planned: FitPlan, accelerator: "Accelerator") -> Feed:
    transform = TrainTransform(planned.architecture.side, planned.settings.flip, HALF, HALF, shift=False)
    world, rank = accelerator.num_processes, accelerator.process_index
    return Feed(planned.pool, transform, draws_of(planned.settings, planned.pool, None, None, world=world, rank=rank))


def _document(planned: FitPlan, denoiser: Denoiser, before: Document | None, accelerator: "Accelerator") -> Document:
    return {
        **begun_document(KIND, SCHEMA, planned.asked, before),
        "paper": "arXiv:2206.00364",
        "network": asdict(planned.architecture),
        "classes": [asdict(one) for one in planned.classes],
        "images": len(planned.pool),
        "parameters": sum(one.numel() for one in denoiser.parameters()),
        "device": str(accelerator.device),
        "versions": {name: version(name) for name in LIBRARIES},
        "notes": list(planned.notes),
        "unreadable": {} if before is None else before["unreadable"],
        "result": None,
    }


def _told(planned: FitPlan, document: Document) -> str:
    """The network and the training in a line."""
    shape, settings = planned.architecture, planned.settings
    network = f"a U-Net of {document['parameters'] / 1e6:.1f} M parameters on {document['device']}"
    precision = "" if settings.amp == "no" else f" in {settings.amp}"
    epochs = counted(settings.epochs, "epoch", "epochs")
    images = f"{shape.side} × {shape.side} pixels, {counted(shape.classes, 'class', 'classes')}"
    return f"{network}{precision}: {images}; {epochs}, {counted(planned.steps, 'step', 'steps')}"


def _result(folder: Path) -> dict[str, Any]:
    """What the log says: seconds of all epochs, and the loss of the last."""
    epochs = read_epochs(folder)
    return {
        "seconds": sum(line["seconds"] for line in epochs),
        "loss": epochs[-1]["loss"],
        "images_per_second": epochs[-1]["images_per_second"],
    }
