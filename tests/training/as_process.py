"""A training for one process or several: ``torchrun --nproc-per-node 2 as_process.py OUT SPOILED IMAGES``. Each step has 8 images
in all; the learner has no batch normalisation. Into OUT all goes well; then, into SPOILED, the loss of the second process is nan
from the third step on.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from oodkit.errors import TrainingError
from oodkit.images import open_images
from oodkit.training.batch import Batch
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.learner import Learner
from oodkit.training.log import Log
from oodkit.training.loop import learn
from oodkit.training.processes import join_processes
from oodkit.training.recipes import make_recipe
from oodkit.training.settings import Settings
from oodkit.training.validation import Validation

TOGETHER, STEPS, EPOCHS = 8, 2, 2
V1 = make_recipe("v1")


def to_tensor(image):
    return (
        torch.frombuffer(bytearray(image.resize((32, 32)).tobytes()), dtype=torch.uint8).view(32, 32, 3).permute(2, 0, 1) / 255
        - 0.5
    )


def main(folder: Path, images: str, *, spoiled: bool = False) -> None:
    accelerator = join_processes(device="cpu")
    world, rank = accelerator.num_processes, accelerator.process_index

    def batches(start, stop):
        for step in range(start, stop):
            generator = torch.Generator().manual_seed(step)
            pixels = torch.randn(TOGETHER, 3, 32, 32, generator=generator)
            labels = torch.randint(3, (TOGETHER,), generator=generator)
            if spoiled and rank == 1 and step >= STEPS:
                pixels = pixels * float("nan")
            yield Batch((pixels[rank::world],), labels[rank::world])

    torch.manual_seed(0)
    blocks = (nn.Conv2d(3, 16, 8, 8), nn.GELU(), nn.Flatten(), nn.LayerNorm(256), nn.Linear(256, 16), nn.GELU(), nn.Linear(16, 3))
    learner = Learner(nn.Sequential(*blocks), "6", 16, nn.Module(), V1.loss)
    given = open_images(images)
    validation = Validation(given, given.labels, to_tensor, V1, accelerator=accelerator, batch_size=3, workers=0)
    learn(
        learner,
        batches,
        Settings(epochs=EPOCHS, batch_size=TOGETHER // world, lr=0.05, ema=True),
        steps_per_epoch=STEPS,
        accelerator=accelerator,
        checkpoints=Checkpoints(folder),
        log=Log(folder),
        evaluate=validation,
        log_every=1,
    )
    normalised = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3 * 32 * 32), nn.Linear(3 * 32 * 32, 3))
    normalised[1].running_mean.fill_(rank)
    validation(Learner(normalised, "2", 3 * 32 * 32, nn.Module(), V1.loss))
    save_file({"mean": normalised[1].running_mean}, folder / f"of_{rank}.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    whole, spoiled, images = sys.argv[1:]
    try:
        main(Path(whole), images)
        main(Path(spoiled), images, spoiled=True)
    except TrainingError as error:
        sys.exit(f"told: {error}")
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
