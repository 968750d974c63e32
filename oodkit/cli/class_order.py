"""Whether class folders that are named by numbers stand in the order that the model learnt them in."""

import numpy as np

from oodkit.classifier import Classifier
from oodkit.images.base import ImageSet
from oodkit.images.classes import places_among, text_order
from oodkit.metrics import accuracy
from oodkit.outputs import Outputs
from oodkit.wording import percent


def order_notes(images: ImageSet, outputs: Outputs, model: Classifier) -> list[str]:
    """A caution where the model has learnt the classes in the order of text, as torchvision's ImageFolder has them.

    Told by its accuracy, which is then higher, beyond both intervals, than in the order of numbers. Of 100 classes 12 stand alike
    in both, so that the accuracy need not be near chance.
    """
    names = images.class_names or ()
    as_text = text_order(names)
    if as_text is None or len(names) != model.num_classes:
        return []
    if max(places_among(names, model.class_names or (), model.class_ids or ())) >= 0:
        return []
    places = np.array([as_text.index(name) for name in names])
    predictions, labels = outputs.predictions().numpy(), outputs.labels.cpu().numpy()
    here, there = accuracy(predictions, labels), accuracy(predictions, np.where(labels < 0, -1, places[labels]))
    if there.low <= here.high:
        return []
    found = f"in the order of text, which is that of torchvision's ImageFolder, the accuracy is {percent(there.value)}"
    remedy = "put a letter before the name of each class folder, here and in the training images, which gives that order"
    return [f"{found}, and {percent(here.value)} in that of numbers: {remedy}; until then believe nothing else"]
