"""A fitted network on the disk: unet/ and scheduler/ as diffusers lays them out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from oodkit.atomic import write_atomically
from oodkit.errors import CheckpointError, OutputsError
from oodkit.run_folder import FIT
from oodkit.synth.fit.denoiser import Architecture, Denoiser
from oodkit.synth.fit.folder import SCHEDULER, UNET_CONFIG, UNET_WEIGHTS
from oodkit.synth.fit.sampler import scheduler_config
from oodkit.tensor_file import load_stored, save_stored


def save_denoiser(folder: Path, denoiser: Denoiser) -> None:
    """Each file whole or not at all, the weights last. Raises OodkitError where the disk is full or the folder can't be written."""
    from diffusers import EDMDPMSolverMultistepScheduler

    unet: Any = denoiser.unet
    scheduler: Any = EDMDPMSolverMultistepScheduler(**scheduler_config(denoiser.shape.sigma_data))  # type: ignore[no-untyped-call]  # diffusers'
    for name, one in ((UNET_CONFIG, unet), (SCHEDULER, scheduler)):
        write_atomically(folder / name, one.to_json_file)
    save_stored(folder / UNET_WEIGHTS, denoiser.unet.state_dict(), {"format": "pt"})


def load_denoiser(folder: Path, network: Mapping[str, Any]) -> Denoiser:
    """The network of a finished fit, in evaluation mode on the CPU. network: as fit.json has it.

    Raises CheckpointError where that, or the weights, are missing or damaged, or don't fit each other.
    """
    try:
        numbers = {"widths": tuple(network["widths"]), "sigma_data": float(network["sigma_data"])}
        with torch.device("meta"):  # what a damaged file says is larger than any memory takes none
            denoiser = Denoiser(Architecture(**{**network, **numbers}))
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder / FIT} is damaged: its network can't be built; fit again into another folder") from error
    path = folder / UNET_WEIGHTS
    try:
        tensors, _ = load_stored(path, "a fitted network")
        denoiser.unet.load_state_dict(tensors, assign=True)
    except OutputsError as error:
        raise CheckpointError(f"{error}; fit again into another folder") from error
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} has the weights of another network than {FIT} names; fit again into another folder"
        ) from error
    if not all(bool(torch.isfinite(one).all()) for one in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite; fit again into another folder")
    return denoiser.eval()
