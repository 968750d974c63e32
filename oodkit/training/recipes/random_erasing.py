"""Random erasing: in some images a random rectangle is blanked."""

from dataclasses import dataclass

from oodkit.images.base import ImageSet
from oodkit.training.recipes.base import Recipe, View


@dataclass
class RandomErasing(Recipe):
    """L = −log softmax(v)[y], on images in which, with probability p, a random rectangle is set to 0, the mean, after normalising.

    Zhong et al., AAAI 2020, arXiv:1708.04896, by torchvision's v2.RandomErasing with its areas, 2 to 33 % of the image, and
    ratios of the sides, 0.3 to 3.3. The paper fills with random values; torchvision's script, and so this, with zeros. p: from 0
    to 1; 0.1 as in torchvision's second recipe and in Xiong et al., ICCV 2025, section 3.2.
    """

    name = "random-erasing"
    title = "Random erasing"
    paper = "arXiv:1708.04896"

    p: float = 0.1

    def __post_init__(self) -> None:
        self.require(0 <= self.p <= 1, "a p from 0 to 1")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        from torchvision.transforms import v2

        return (View(on_tensor=(v2.RandomErasing(p=self.p),)),)
