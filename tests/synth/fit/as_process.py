"""A fit for one process or several: ``as_process.py SET DIR``."""

import sys
from pathlib import Path

import torch

from oodkit import open_images
from oodkit.synth.fit.run import fit_generator

if __name__ == "__main__":
    torch.set_num_threads(1)
    images, folder = sys.argv[1:]
    try:
        fit_generator(
            open_images(images), output=Path(folder), channels=8, batch_size=4, epochs=2, amp="no", device="cpu", workers=0
        )
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
