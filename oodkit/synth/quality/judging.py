"""One set of images held against the same half of the real ones as every other set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from oodkit.images.base import ImageSet
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.copying import Bank
from oodkit.synth.quality.found import NEIGHBOURS, ClassQuality, Nearest, SetQuality
from oodkit.synth.quality.gaussian import Gaussian, frechet
from oodkit.synth.quality.kernel import Kernels, kernel_distance, strata_of
from oodkit.synth.quality.labels import Agreement, probe_accuracy
from oodkit.synth.quality.neighbours import Balls, density_and_coverage

LEAST_KERNEL = 3  # images of a class, for a kernel distance with its error


@dataclass(frozen=True, eq=False)
class Judge:
    """What every set is held against. real: half of the real images. names, each: of the classes, and how many images of each.

    known: the extractor's numbers of the classes, None where it does not know them. test: what new heads are tested on.
    """

    real: Sample
    names: Sequence[str]
    each: Sequence[int]
    known: Tensor | None
    bank: Bank
    test: Sample
    seed: int

    def judge(self, name: str, images: ImageSet, sample: Sample, missing: Sequence[str], nearest: Nearest) -> SetQuality:
        """missing: the classes that the set has no image of. nearest: what was found of its images among the real ones."""
        features = sample.features
        kernels = Kernels.of(features, self._kernels.strata)
        kid, kid_sd = kernel_distance(self._kernels, kernels)
        density, coverage = density_and_coverage(self._balls, features)
        agreement = None if self.known is None else Agreement.of(sample, self.known)
        return SetQuality(
            name=name,
            spec=images.spec,
            images=len(images),
            missing=missing,
            frechet=frechet(self._gaussian, Gaussian.of(sample.outputs)),
            kid=kid,
            kid_sd=kid_sd,
            density=density,
            coverage=coverage,
            agreement=None if agreement is None else float(agreement.right.double().mean()),
            confidence=None if agreement is None else agreement.confidence,
            probe=probe_accuracy(sample, self.test, self.seed),
            nearest=nearest,
            classes=self._classes(features, kernels, None if agreement is None else agreement.right),
            rank=0,
            coverage_rank=0,
        )

    @cached_property
    def _gaussian(self) -> Gaussian:
        return Gaussian.of(self.real.outputs)

    @cached_property
    def _kernels(self) -> Kernels:
        return Kernels.of(self.real.features, strata_of(self.real.labels))

    @cached_property
    def _balls(self) -> Balls:
        return Balls.of(self.real.features)

    def _classes(self, features: Tensor, kernels: Kernels, right: Tensor | None) -> list[ClassQuality]:
        found, start = [], 0
        for name, n in zip(self.names, self.each, strict=True):
            rows = slice(start, start + n)
            start += n
            if n:
                kid = kid_sd = coverage = None
                if n >= LEAST_KERNEL:
                    kid, kid_sd = kernel_distance(self._kernels.stratum(rows), kernels.stratum(rows))
                if n > NEIGHBOURS:
                    coverage = density_and_coverage(Balls.of(self.real.features[rows]), features[rows])[1]
                agreement = None if right is None else float(right[rows].double().mean())
                found.append(ClassQuality(name, n, kid, kid_sd, coverage, agreement))
        return sorted(found, key=lambda one: (one.kid is None, one.kid or 0.0))
