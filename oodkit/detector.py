"""A detector: a classifier, a fitted scorer and a calibrated threshold as one torch module and one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from oodkit.calibration import Calibration, judged
from oodkit.classifier import Classifier
from oodkit.columns import HALF, tensor_of
from oodkit.detector_file import read_detector, write_detector
from oodkit.errors import InputError, UnreadableImageError, UsageError
from oodkit.forward import device_of, resolve_device, resolve_dtype
from oodkit.images.decode import upright_rgb
from oodkit.outputs import CHUNK_ROWS, Outputs
from oodkit.scorers.base import Scorer
from oodkit.scorers.module import ScorerModule
from oodkit.tap import Tap

OPEN = " of something else; open files with PIL.Image.open, or give them to oodkit score"
OWN_HEAD = "take extract(model, …), or outputs.with_head(model.head) where only the head was exchanged"
NO_MPS = "a detector computes in float64, which MPS lacks; use cpu here"
Images = Tensor | Image.Image | Sequence[Image.Image]


class Detections(NamedTuple):
    """What a detector says of N images, on the detector's device.

    logits: (N, C). scores: (N,) float64, higher = more in-distribution. p_values: (N,) float64 in (0, 1], small = unusual.
    accepted: (N,) bool, taken to be in-distribution. Where the network gives numbers that are not finite, score and p-value are
    NaN and the image is not accepted.
    """

    logits: Tensor
    scores: Tensor
    p_values: Tensor
    accepted: Tensor


class Detector(nn.Module):
    """A classifier that says of each image whether it is out of distribution: ``Detector.load("detector.safetensors")(images)``.

    model: its network is used and not copied, and from then on in evaluation mode. scorer: fitted on outputs of that network.
    calibration: of the scorer's scores on ID images that it did not learn from.

    A module like others: it moves with ``to``, ``torch.compile`` takes it, and ``torch.export`` follows it for any number of images
    where ``scorer.untraceable()`` is None; ``train()`` leaves it in evaluation mode. Features, scores and p-values carry no
    gradients, as a scorer may learn from a search; for gradients use ``model.net``. Scores are float64 whatever the network runs
    in, so that the module can't move to MPS, which has none; for half precision call it under ``torch.autocast``, as ``half()``
    would round what the scorer has learnt. The same images give the same scores as in ``extract`` and ``Scorer.score``, up to the
    last bits in which the network's own answers differ from batch to batch.

    Raises NotFittedError where the scorer has yet to learn, NotApplicableError where it runs the network again on each image
    (odin, rankfeat, adascale) or learnt from a network of other features or classes.
    """

    def __init__(self, model: Classifier, scorer: Scorer, calibration: Calibration) -> None:
        super().__init__()
        scorer.require_same_network(model.head)
        self.model, self.scorer, self.calibration, self.transform = model, scorer, calibration, model.transform
        self.threshold = calibration.threshold
        self.network = Tap(model.net, model.head)
        self.judge = ScorerModule(scorer, model.head)
        self.ranked: Tensor
        self.register_buffer("ranked", tensor_of("calibration scores", calibration.scores))
        if (device := device_of(model.net)).type == "mps":
            raise UsageError(NO_MPS)
        self.judge.to(device)
        self.ranked = self.ranked.to(device)
        self.eval()

    @classmethod
    def calibrated(cls, model: Classifier, scorer: Scorer, outputs: Outputs, alpha: float = 0.05, images: str = "") -> "Detector":
        """A detector whose threshold comes from ``outputs`` of ID images that ``scorer`` did not learn from.

        alpha, images: as ``Calibration`` has them. Raises UsageError where another head than the model's made the outputs' logits,
        and what ``Scorer.score``, ``Calibration`` and ``Detector`` raise.
        """
        if not model.head.is_same(outputs.head):
            made = "their logits came without a head" if outputs.head is None else "another head made their logits"
            raise UsageError(f"outputs to calibrate {model.name} on come from its own head, and {made}; {OWN_HEAD}")
        dtype = outputs.dtype if outputs.dtype in HALF else torch.float32
        return cls(model, scorer, Calibration(scorer.score(outputs).numpy(), alpha, images, resolve_dtype(dtype)))

    def train(self, mode: bool = True) -> "Detector":
        """Evaluation mode it stays, even where a larger module is trained: its scores were calibrated in it."""
        return super().train(False)

    @property
    def device(self) -> torch.device:
        return self.ranked.device

    @torch.no_grad()
    def forward(self, images: Images) -> Detections:
        """Of a PIL image, a sequence of PIL images, or a batch (N, 3, H, W) as ``transform`` makes it; in one forward pass.

        A batch is taken to the detector's device and the network's precision. Raises UsageError for anything else,
        UnreadableImageError for an image that can't be decoded.
        """
        batch = images if isinstance(images, Tensor) else self._transformed(images)
        if batch.ndim != 4 or tuple(batch.shape[1:]) != tuple(self.model.input_size) or not batch.is_floating_point():
            expected = f"(N, {', '.join(map(str, self.model.input_size))}) of floats, as detector.transform makes of each image"
            raise UsageError(f"expected a batch {expected}, got {tuple(batch.shape)} of {batch.dtype}")
        features, _ = self.network(batch.to(self.device, self._dtype()))
        return self.detections(features)

    @torch.no_grad()
    def detections(self, features: Tensor, logits: Tensor | None = None) -> Detections:
        """Of features (N, D) as the head reads them, such as ``extract`` gives; no forward pass.

        logits: (N, C), those that the head makes of them, which it does now where they are None.
        """
        features = features.to(self.device)
        features = features.float() if features.dtype in HALF else features
        with torch.autocast(self.device.type, enabled=False):
            logits = self.judge.head(features) if logits is None else logits.to(self.device)
            scores = self._scores(features, logits)
        p_values, accepted = judged(scores, self.ranked, self.threshold)
        return Detections(logits, torch.where(scores.isfinite(), scores, torch.nan), p_values, accepted)

    def _dtype(self) -> torch.dtype:
        """Of the network's weights, the first of which the images meet."""
        return next((one.dtype for one in self.network.net.parameters() if one.is_floating_point()), torch.float32)

    def _scores(self, features: Tensor, logits: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or features.shape[0] <= CHUNK_ROWS:
            scores: Tensor = self.judge(features, logits)
            return scores
        scores = torch.empty(features.shape[0], dtype=torch.float64, device=self.device)  # kept from each piece they would scatter
        for own, *piece in zip(*(torch.split(one, CHUNK_ROWS) for one in (scores, features, logits)), strict=True):
            own.copy_(self.judge(*piece))
        return scores

    def _transformed(self, images: Any) -> Tensor:
        images = [images] if isinstance(images, Image.Image) else images
        if not isinstance(images, Sequence) or not all(isinstance(image, Image.Image) for image in images):
            raise UsageError(
                f"expected a PIL image, a list of PIL images or a batch of tensors, got a {type(images).__name__}{OPEN}"
            )
        if not images:
            raise UsageError("expected at least one image, got an empty list")
        made = []
        for number, image in enumerate(images):
            try:
                made.append(self.transform(upright_rgb(image)))
            except UnreadableImageError as error:
                raise UnreadableImageError(f"image {number} of {len(images)}: {error}") from error
        if len(shapes := {tuple(one.shape) for one in made}) > 1:
            raise InputError(f"the transform makes images of different sizes, {sorted(shapes)[:2]}; make it crop")
        return torch.stack(made)

    def save(self, path: str | Path) -> None:
        """Write head, scorer and calibration to one safetensors file; of the network its source and a hash of its weights."""
        write_detector(Path(path), self.model, self.scorer, self.calibration)

    @classmethod
    def load(cls, path: str | Path, *, model: Classifier | None = None, device: str | torch.device = "cpu") -> "Detector":
        """Read what ``save`` wrote, and load the network that it names, unless ``model`` is that network.

        device: where it is to be; "auto" is CUDA where there is one, and else the CPU.
        Safe with a stranger's file: see ``oodkit.models.untrusted``. Raises OutputsError where the file is missing, damaged or
        something else, CheckpointError where the network has other weights or other preprocessing than the one that was
        calibrated, ModelNotFoundError where it is out of reach, InputError where a file may not load it by itself, UsageError where
        there is no such device.
        """
        if str(device).startswith("mps"):
            raise UsageError(NO_MPS)
        where = resolve_device(str(device))
        stored = read_detector(Path(path))
        model = stored.fitted(model if model is not None else stored.network())
        return cls(model, stored.scorer, stored.calibration).to("cpu" if where.type == "mps" else where)
