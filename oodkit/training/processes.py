"""The processes that train together, and the device of each: accelerate's, however they were started."""

from typing import TYPE_CHECKING

from oodkit.training.settings import Amp

if TYPE_CHECKING:
    from accelerate import Accelerator


def join_processes(*, device: str = "auto", amp: Amp = "no", leaves_unused: bool = False) -> "Accelerator":
    """The Accelerator of this process; in one process that was started alone, on the device of that name.

    leaves_unused: some parameters have no gradient in some steps. Raises UsageError for a device that is not here, and for a
    precision that it does not train in.
    """
    raise NotImplementedError
