"""Which classes images are made of: by index, synset or name, or those of a classifier."""

from collections.abc import Callable, Sequence

from oodkit.classifier import Classifier
from oodkit.synth.base import Generator, ImageClass


def imagenet_classes() -> tuple[ImageClass, ...]:
    """The 1,000 classes of ImageNet-1k in their usual order: folder = synset, name with its synonyms, definition, label = index."""
    raise NotImplementedError


def find_classes(words: Sequence[str], known: Sequence[ImageClass]) -> tuple[ImageClass, ...]:
    """The classes that the words name, each once: a folder or synset, an index, or a name.

    Raises UsageError for a word that names none or several.
    """
    raise NotImplementedError


def classes_like(model: Classifier, generator: Generator, *, say: Callable[[str], None] | None = None) -> tuple[ImageClass, ...]:
    """The model's classes as the generator makes them, in folders that are named as the model names them.

    say: is told in one line where only some of them can be made. Raises UsageError where none can.
    """
    raise NotImplementedError


def classes_named(words: Sequence[str]) -> tuple[ImageClass, ...]:
    """Classes by any words, for a generator that takes a text. Raises UsageError for one that means several of ImageNet's."""
    raise NotImplementedError


def classes_of(model: Classifier) -> tuple[ImageClass, ...]:
    """The model's classes in its order: folder by id or else by name, label = the model's index. What pseudo-labels name."""
    raise NotImplementedError
