"""The forward pass over a batch: one device, one precision, a batch size that shrinks when memory runs out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.errors import OodkitError, UnsupportedModelError, UsageError
from oodkit.failures import is_out_of_memory
from oodkit.heads import features_and_logits
from oodkit.probes.base import Probe
from oodkit.processes import local_rank, world_size
from oodkit.wording import first_line, raised

Columns = dict[str, Tensor]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; "auto" is the best one here, for each of several processes a GPU of its own.

    Raises UsageError where there is no such device.
    """
    if device == "auto" and torch.cuda.is_available():
        device = f"cuda:{local_rank()}" if world_size() > 1 else "cuda"
    elif device == "auto":
        device = "mps" if torch.backends.mps.is_available() else "cpu"
    ways = "use auto, cpu, cuda, cuda:1 or mps"
    try:
        torch.device(device)
    except RuntimeError as error:  # which would list all that torch was ever built for
        raise UsageError(f"no device {device!r}; {ways}") from error
    try:
        return torch.zeros(1, device=device).cpu().new_empty(0).to(device).device
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"no device {device!r} here ({first_line(error)}); {ways}") from error


def resolve_dtype(dtype: Dtype | torch.dtype) -> str:
    """The name of a precision; "auto" is float32 on every machine. Raises UsageError where the forward pass does not run in it."""
    name = str(dtype).removeprefix("torch.")
    name = "float32" if name == "auto" else name
    if name not in DTYPES:
        raise UsageError(f"no dtype {name!r}; choose from auto, {', '.join(DTYPES)}")
    return name


def default_batch_size(model: Classifier, device: torch.device, probe: Probe | None = None) -> int:
    """64 images of 224 × 224, and as many pixels of other sizes, at most 256 images.

    An eighth of it where gradients are kept on a CPU: they take some 80 MB an image of a ResNet-50, and a machine that runs out
    of memory ends the run, while on a GPU the batch is halved and the run goes on.
    """
    _, height, width = model.input_size
    whole = min(256, 64 * 224 * 224 // (height * width))
    keeps_gradients = probe is not None and probe.differentiates and device.type == "cpu"
    return max(1, whole // 8 if keeps_gradients else whole)


class Runner:
    """Runs a network, or a probe on it, batch by batch.

    columns: the names of the tensors that ``run`` gives: features and logits, or the probe's spec. lenient: rows that are not
    finite are handed on, unless several images are all that was run and none gave finite numbers.
    """

    def __init__(
        self,
        model: Classifier,
        device: torch.device,
        dtype: torch.dtype,
        batch_size: int,
        probe: Probe | None = None,
        *,
        lenient: bool = False,
    ) -> None:
        self._lenient, self._gave_finite = lenient, False
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self.model = model
        self.head = model.head.to(device)
        self.columns: Sequence[str] = ("features", "logits") if probe is None else (probe.spec(),)
        self._probe, self._half = probe, dtype != torch.float32

    @contextmanager
    def network_in_place(self) -> Iterator[None]:
        """While open, the network is on the device, channels last, in evaluation mode and its weights take no gradients;
        afterwards as it was.
        """
        net = self.model.net
        before, training = device_of(net), net.training
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        net.to(self.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        try:
            yield
        finally:
            for weight in learning:
                weight.requires_grad_(True)
            net.to(before).to(memory_format=torch.contiguous_format).train(training)

    def run(self, pixels: Tensor) -> Columns:
        """The columns of a batch on the CPU: features (n, D) in the run's dtype and float32 logits (n, C); or the probe's.

        Raises OodkitError where they are not finite, and where not even one image fits in the memory.
        """
        columns = self._fitting(pixels)
        self._require_finite(columns[self.columns[-1]])  # the logits, as features that are not finite make them so
        return columns

    def _fitting(self, pixels: Tensor) -> Columns:
        while True:
            try:
                pieces = [self._forward(piece) for piece in torch.split(pixels, self.batch_size)]
                return {name: torch.cat([piece[name] for piece in pieces]) for name in self.columns}
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    remedy = "use a smaller model, --dtype float16 or --device cpu"
                    raise OodkitError(f"not even one image fits in the memory of {self.device}; {remedy}") from error
            self.batch_size //= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # not before the exception is gone, whose traceback holds the activations

    def nothing(self) -> Columns:
        """The columns of no image."""
        return {name: tensor[:0] for name, tensor in self.run(_random_image(self.model)).items()}

    def _forward(self, pixels: Tensor) -> Columns:
        pixels = pixels.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.dtype) if self._half else nullcontext():
            columns = self._columns(pixels)
        return {name: tensor.detach().cpu() for name, tensor in columns.items()}

    def _require_finite(self, found: Tensor) -> None:
        finite = found.isfinite()
        if bool(finite.all()):
            self._gave_finite = True
            return
        if self._lenient:
            self._gave_finite |= bool(finite.reshape(len(found), -1).all(1).any())
            if self._gave_finite or len(found) == 1:
                return
        what = "network gives logits" if self._probe is None else f"probe {self._probe.name} gives values"
        hint = "use --dtype float32 or bfloat16" if self._half else "the weights may be damaged"
        raise OodkitError(f"the {what} that are not finite in {str(self.dtype).removeprefix('torch.')}; {hint}")

    def _columns(self, pixels: Tensor) -> Columns:
        if self._probe is not None:
            dtype = self.dtype if self._probe.finds == "features" else torch.float32
            return {self._probe.spec(): self._probe.run(self.model, pixels).to(dtype)}
        with torch.no_grad():
            features, _ = features_and_logits(self.model.net, self.head, pixels)
        features = features.to(self.dtype)
        with torch.autocast(self.device.type, enabled=False):
            return {"features": features, "logits": self.head(features.float())}


def obstacle(model: Classifier, probe: Probe) -> str | None:
    """Why the probe can't run on this network, tried on a random image where the network lies; None where it can."""
    runner = Runner(model, device_of(model.net), torch.float32, 1, probe)
    with runner.network_in_place():
        try:
            runner.run(_random_image(model))
        except UnsupportedModelError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 (a stranger's network may raise anything)
            return f"on a random image it raised {raised(error)}"
    return None


def _random_image(model: Classifier) -> Tensor:
    """(1, channels, H, W); not of zeros, by whose norm a network may divide."""
    return torch.randn(1, *model.input_size, generator=torch.Generator().manual_seed(0))


def device_of(net: nn.Module) -> torch.device:
    """Where the network lies, by its first tensor."""
    return next((tensor.device for tensor in chain(net.parameters(), net.buffers())), torch.device("cpu"))
