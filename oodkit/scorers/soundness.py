"""Whether what a scorer learnt belongs together, tried out: a file can hold tensors of any shape under the right names."""

import torch

from oodkit.errors import OodkitError, OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer
from oodkit.wording import in_short

LARGEST_HEAD = 2**28  # entries of the made-up head that a scorer is tried with, 1 GiB; ImageNet-21k with 4096 features has a third


def made_up_head(width: int, classes: int) -> Head:
    """A head of that shape. Raises OutputsError for a shape that no network has."""
    if width < 1 or classes < 1 or width * classes > LARGEST_HEAD:
        raise OutputsError(f"{width} features and {classes} classes are of no network")
    return Head(torch.ones(1, 1).expand(classes, width), torch.zeros(classes))


def require_sound(scorer: Scorer, head: Head) -> None:
    """Score made-up features with predictions of the first and the last class. Raises OutputsError where that can't be.

    Whatever else the scores may be is not looked at: no image has such features.
    """
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(3, head.num_features, generator=generator)
    logits = torch.rand(3, head.num_classes, generator=generator)
    logits[0, 0] = logits[1, -1] = 9
    try:
        with torch.no_grad():
            if any(bool(tensor.amax().isnan()) for tensor in (scorer.state or {}).values() if tensor.numel()):
                raise ValueError("it holds NaN")
            probed = {scorer.probe() or "": logits if scorer.uses == "logits" else features}
            images = Outputs(features, logits=logits, head=head, extras=probed)
            scores = scorer.score_chunk(images)
            if scores.shape != (3,):
                raise ValueError(f"3 images get scores of shape {tuple(scores.shape)}")
            scorer.settings()
            scorer.caution(images)
    except OodkitError:
        raise
    except Exception as error:  # tensors of any shape and type lead to errors of any type
        reason = in_short(error) or type(error).__name__
        raise OutputsError(f"what {scorer.name} has learnt does not fit together: {reason}") from error
