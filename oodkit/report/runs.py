"""A run on disk: its document, every image's scores, and the thumbnails that its report shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from oodkit.report.document import Document

Scores = Mapping[str, Mapping[str, Mapping[str, np.ndarray[Any, Any]]]]


@dataclass(frozen=True)
class Run:
    """What a finished run leaves, and all that a report is made of.

    scores: by model, scorer label, and ``"id"`` or OOD set the scores of all images that were read, (n,), in their order and in
    the precision they were made in. thumbnails: PNG or JPEG files by name.
    """

    document: Document
    scores: Scores = field(default_factory=dict)
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
