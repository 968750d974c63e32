"""Which classes images are made of: by index, synset or name, or those of a classifier."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from textwrap import shorten

from oodkit.classifier import Classifier
from oodkit.errors import UsageError
from oodkit.images.classes import places_among
from oodkit.images.folder_names import plain, safe_folders
from oodkit.synth.base import Generator, ImageClass
from oodkit.wording import counted, printable

MOST_LISTED = 5


@cache
def imagenet_classes() -> tuple[ImageClass, ...]:
    """The 1,000 classes of ImageNet-1k in the order that networks and generators share.

    folder: the WordNet id. name: with its synonyms, ``tench, Tinca tinca``. definition: WordNet's. label: the index, 0 to 999.
    """
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    names, whole = info.label_descriptions(), info.label_descriptions(detailed=True)
    return tuple(
        ImageClass(synset, name, detailed.removeprefix(f"{name}: "), index)
        for index, (synset, name, detailed) in enumerate(zip(info.label_names(), names, whole, strict=True))
    )


def numbered_classes(names: Sequence[str]) -> tuple[ImageClass, ...]:
    """Classes by their names alone, numbered from 0, in folders that can be called so."""
    return tuple(
        ImageClass(folder, name, "", label) for label, (folder, name) in enumerate(zip(safe_folders(names), names, strict=True))
    )


def find_classes(words: Sequence[str], known: Sequence[ImageClass]) -> tuple[ImageClass, ...]:
    """The classes that the words name, in their order, each once.

    A word is a folder (of ImageNet's classes the synset), or else an index (``ImageClass.label``) where the classes are no numbers
    themselves, or else a name: in whole or by the first of its synonyms, or else by any of them. Letter case does not count and
    ``_`` is a space.
    Raises UsageError for a word that names none, with near names, or several, with all of them.
    """
    return tuple(dict.fromkeys(_meant(word, known) for word in words))


def _meant(word: str, known: Sequence[ImageClass]) -> ImageClass:
    found = next(filter(None, _readings(word, known)), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{word!r} is {len(found)} classes: {_listed(found)}; name one by its folder, such as {printable(found[0].folder)}"
        )
    raise UsageError(f"no class {word!r}; {_hint(word, known)}")


def _readings(word: str, known: Sequence[ImageClass]) -> Iterator[list[ImageClass]]:
    """The classes that a word may mean, reading after reading; the first that finds any holds."""
    key = plain(word)
    yield [one for one in known if plain(one.folder) == key]
    yield [one for one in known if one.label == _number(word) and not _are_numbers(known)]
    yield [one for one in known if key in (plain(one.name), plain(one.name.partition(",")[0]))]
    yield [one for one in known if key in map(plain, one.name.split(","))]


def _number(word: str) -> int | None:
    return int(word) if word.strip().isdecimal() and len(word) < 10 else None


def _listed(classes: Sequence[ImageClass]) -> str:
    more = f" and {len(classes) - MOST_LISTED} more" if len(classes) > MOST_LISTED else ""
    return ", ".join(_told(one) for one in classes[:MOST_LISTED]) + more


def _told(one: ImageClass) -> str:
    """``134 n02012849 (crane: large long-necked wading bird …)``."""
    number = f"{one.label} " if one.label >= 0 else ""
    meaning = f"{one.name}: {one.definition}" if one.definition else one.name
    return printable(f"{number}{one.folder}" + (f" ({shorten(meaning, 60, placeholder=' …')})" if meaning != one.folder else ""))


def _hint(word: str, known: Sequence[ImageClass]) -> str:
    if _number(word) is not None and not _are_numbers(known):
        return f"there are {len(known)}, {known[0].label} to {known[-1].label}"
    names = {plain(name): one for one in known for name in (*one.name.split(","), one.folder)}
    near = list(dict.fromkeys(names[name] for name in get_close_matches(plain(word), names, n=3)))
    return f"did you mean {_listed(near)}?" if near else f"there are {_listed(known)}"


def classes_of(model: Classifier) -> tuple[ImageClass, ...]:
    """The model's classes in its order, which pseudo-labels name: the folder by its id or else its name, label = its index.

    A model that names no classes has folders of their numbers.
    """
    names = model.class_names or model.class_ids or [str(index) for index in range(model.num_classes)]
    folders = safe_folders(model.class_ids or names)
    return tuple(ImageClass(folder, name, "", index) for index, (folder, name) in enumerate(zip(folders, names, strict=True)))


def classes_like(model: Classifier, generator: Generator, *, say: Callable[[str], None] | None = None) -> tuple[ImageClass, ...]:
    """The model's classes as the generator makes them, in folders that ``classes_of`` names, so that sets and model agree.

    They are found among the generator's by id or name, as ``align_labels`` finds them, or else, where none is found and the classes
    of one of the two have numbers for names, by number. A generator that takes a text is given the name, and ImageNet's definition
    of it.
    say: is told in one line where numbers decide, or where only some can be made. Raises UsageError where none can, and for a
    generator that can't be told which class to make.
    """
    tell = say or (lambda _: None)
    if not generator.conditional:
        raise UsageError(f"{generator.spec} can't be told which class to make; label its images with --label-with MODEL")
    own = classes_of(model)
    if generator.classes is None:
        return tuple(_explained(one, place) for one, place in zip(own, _places(model, imagenet_classes()), strict=True))
    theirs, places = generator.classes, _places(model, generator.classes)
    if max(places) < 0:
        places = _by_number(own, theirs)
        found = next(((one, theirs[place]) for one, place in zip(own, places, strict=True) if place >= 0), None)
        if found:
            first = " is ".join(printable(repr(one.name)) for one in reversed(found))
            tell(f"no class of {model.name} is named among {generator.spec}'s; numbers are taken for places in the order ({first})")
    missing = [one for one, place in zip(own, places, strict=True) if place < 0]
    if missing:
        _require_some(model, generator, missing, own)
        such = f"such as {printable(repr(missing[0].name))}; no images are made of {'it' if len(missing) == 1 else 'them'}"
        verb = "is" if len(missing) == 1 else "are"
        tell(f"{len(missing)} of {len(own)} classes of {model.name} {verb} none of {generator.spec}'s, {such}")
    return tuple(replace(theirs[place], folder=one.folder) for one, place in zip(own, places, strict=True) if place >= 0)


def _places(model: Classifier, known: Sequence[ImageClass]) -> list[int]:
    """Where each class of the model is among the known ones, by its id or else by its name; −1 where it is none of them."""
    names, folders = [one.name for one in known], [one.folder for one in known]
    nothing = [-1] * model.num_classes
    by_id = places_among(model.class_ids, names, folders) if model.class_ids else nothing
    by_name = places_among(model.class_names, names, folders) if model.class_names else nothing
    return [first if first >= 0 else second for first, second in zip(by_id, by_name, strict=True)]


def places_in(model: Classifier, classes: Sequence[ImageClass]) -> list[int]:
    """Which of the model's classes each of these is, by its folder or else by its name; −1 where it is none of them.

    Where none is found and the classes of one of the two have numbers for names, numbers decide.
    """
    own = classes_of(model)
    names, folders = [one.name for one in own], [one.folder for one in own]
    by_folder = places_among([one.folder for one in classes], names, folders)
    by_name = places_among([one.name for one in classes], names, folders)
    found = [first if first >= 0 else second for first, second in zip(by_folder, by_name, strict=True)]
    if max(found, default=0) < 0:
        for index, place in enumerate(_by_number(own, classes)):
            if place >= 0:
                found[place] = index
    return found


def _by_number(own: Sequence[ImageClass], theirs: Sequence[ImageClass]) -> list[int]:
    """Where numbers stand for the names of a model's classes, or of a generator's: which of theirs each own is; else −1 for all.

    A number is a place in the order of the other side's names, all of which are −1 where it goes beyond them. A model's numbers are
    places only among as many classes: which of a generator's thousand its ten are, they don't tell.
    """
    numbered, named = (theirs, own) if _are_numbers(theirs) else (own, theirs)
    if not _are_numbers(numbered):
        return [-1] * len(own)
    if not _are_numbers(named) and (max(_keys(numbered)) >= len(named) or (numbered is own and len(own) != len(theirs))):
        return [-1] * len(own)
    places = {key: place for place, key in enumerate(_keys(theirs))}
    return [places.get(key, -1) for key in _keys(own)]


def _keys(classes: Sequence[ImageClass]) -> list[int]:
    return [int(one.name) for one in classes] if _are_numbers(classes) else list(range(len(classes)))


def _are_numbers(classes: Sequence[ImageClass]) -> bool:
    return all(_number(one.name) is not None for one in classes)


def _explained(own: ImageClass, place: int) -> ImageClass:
    if place < 0:
        return replace(own, label=-1)
    theirs = imagenet_classes()[place]
    return replace(own, name=theirs.name if own.name == own.folder else own.name, definition=theirs.definition, label=-1)


def _require_some(model: Classifier, generator: Generator, missing: Sequence[ImageClass], own: Sequence[ImageClass]) -> None:
    if len(missing) == len(own):
        listed = ", ".join(printable(repr(one.name)) for one in missing[:MOST_LISTED]) + ", …" * (len(own) > MOST_LISTED)
        raise UsageError(
            f"{generator.spec} makes none of the {counted(len(own), 'class', 'classes')} of {model.name} ({listed}); "
            "train one on your images with oodkit synth fit, or use a text-to-image generator"
        )


def classes_named(words: Sequence[str]) -> tuple[ImageClass, ...]:
    """Classes by any words, for a generator that takes a text, in their order, each once.

    A word that is a name or a synset of ImageNet's brings ImageNet's definition; whichever other words stand for themselves.
    Raises UsageError for a name that several classes of ImageNet share, and for a number, which is no text of a class.
    """
    unlike: dict[str, str] = {}
    for word in words:
        unlike.setdefault(plain(word), word.strip())
    found = [_named(word) for word in unlike.values()]
    folders = safe_folders([one.folder for one in found])
    return tuple(replace(one, folder=folder) for one, folder in zip(found, folders, strict=True))


def _named(word: str) -> ImageClass:
    known, number = imagenet_classes(), _number(word)
    if number is not None:
        hint = f"; class {number} of ImageNet is {_told(known[number])}" if number < len(known) else ""
        raise UsageError(f"{word!r} is a number, and a generator that takes a text needs a word{hint}")
    text = " ".join(word.replace("_", " ").split())
    if not any(_readings(word, known)):
        return ImageClass(word, text)
    meant = _meant(word, known)
    if plain(word) == plain(meant.folder):
        return replace(meant, label=-1)
    return ImageClass(word, text, meant.definition)
