"""Models from a file of weights and the name of an architecture."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.models import from_timm, from_torchvision
from oodkit.models.adapted import NORMALISED, SMALL_STEM, adapt
from oodkit.models.base import AUGDELETE, Loaded, Options, Size, Transform, full_size
from oodkit.models.modest import require_modest_network, require_modest_size, require_rows
from oodkit.models.names import demo_names, torchvision_names, unknown_model
from oodkit.models.preprocessing import timm_transform, torchvision_transform
from oodkit.models.state import State, classes_in, count_unfilled, fit_state, looked_for, read_state, without_prefixes
from oodkit.wording import in_short, printable

OF_A_TRAINING = {"step", "optimizer", "tally"}  # in the metadata of what a training goes on from
BUILT_FOR = 1000  # classes of the network that the state is held against to learn its own number


def load_file(name: str, options: Options) -> Loaded:
    """A checkpoint file. Its architecture is ``options.arch`` or what the metadata of a safetensors file says.

    Safetensors metadata that is read: architecture; as JSON model_args, num_classes, input_size, mean, std, class_names, class_ids
    (by default the names), recipe; interpolation and crop_pct; method, where it is AugDelete; stem and head, the changes of
    ``oodkit.models.adapted``; note, what is to be said of the logits. What the user said goes before what the file says, and that
    before the architecture's default.
    """
    options.refuse(name, "checkpoint")
    state, metadata, taken = read_state(Path(name), allow_pickle=options.allow_pickle)
    if metadata.get("format", "").startswith("oodkit-head-"):
        raise CheckpointError(f"{name} is a head, not a network; oodkit export MODEL --head {name} --as timm writes the two as one")
    if metadata.keys() >= OF_A_TRAINING:
        trained = Path(name).with_name("model.safetensors")
        raise CheckpointError(f"{name} is for going on with its training, no network alone; the trained network is {trained}")
    facts = _facts(metadata, name)
    arch = options.arch or facts.get("architecture")
    if arch is None:
        raise UsageError(f"{name} does not say which architecture it belongs to; add --arch ARCH (oodkit list models shows names)")
    size = full_size(facts.get("input_size"))
    if size is not None and options.input_size is None:
        require_modest_size(name, size)
    if options.num_classes is None:
        require_rows(name, state, facts)
    options = _completed(options, facts)
    if own := facts.get("model_args"):
        stored = sum(tensor.numel() for tensor in state.values())
        for one in _kinds(arch):
            require_modest_network(f"the metadata of {name}", stored, own, partial(build, one, options, BUILT_FOR))
    net, kind = _fitted(arch, state, options, facts)
    transform, size, preprocessing = fed(net, kind, options)
    names, ids = _classes(facts, name)
    about = {"source": "file", "architecture": kind, **{key: facts[key] for key in TOLD if key in facts}}
    about |= {"model_args": dict(options.model_args)} if options.model_args else {}
    about |= {"taken": taken} if taken else {}
    return Loaded(name, net, transform, size, preprocessing, names, ids, about, metadata.get("method") == AUGDELETE)


def load_folder(name: str, options: Options) -> Loaded:
    """``local-dir:PATH``: a folder of timm's, or one whose ``model.safetensors`` says what it is, as ``oodkit train`` writes it."""
    folder = Path(name.removeprefix("local-dir:"))
    weights = folder / "model.safetensors"
    with looked_for(str(folder)):
        is_timms = (folder / "config.json").is_file() or not folder.is_dir()
    if is_timms:
        return from_timm.load_from_folder(name, options)
    options.refuse(name, "arch", "checkpoint")
    if not weights.is_file():
        best = folder / "best.safetensors"
        ways = trained_below(folder) or "give the folder of a training that has ended"
        ways = f"load {best}, the best so far" if best.is_file() else ways
        expected = f"{name}: expected config.json, as timm writes it, or model.safetensors, and neither is there"
        raise ModelNotFoundError(f"{expected}; {ways}")
    return replace(load_file(str(weights), options), name=name)


def trained_below(folder: Path) -> str | None:
    """What to say of a folder that is no training and holds some, as an ablation's does; None of any other."""
    first = min(folder.glob("*/model.safetensors"), default=None)
    return None if first is None else f"its folders hold trainings, name one: local-dir:{printable(str(first.parent))}"


def load_demo(name: str, options: Options) -> Loaded:
    """A checkpoint that oodkit ships."""
    from importlib.resources import as_file, files

    if name not in demo_names():
        raise ModelNotFoundError(f"no model {name!r}; there are: {', '.join(demo_names())}")
    options.refuse(name, "arch", "checkpoint")
    with as_file(files("oodkit.demo") / f"{name.removeprefix('demo:')}.safetensors") as path:
        loaded = load_file(str(path), options)
    loaded.name, loaded.about = name, {**loaded.about, "source": "shipped with oodkit"}
    return loaded


def _facts(metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"architecture": metadata["architecture"]} if "architecture" in metadata else {}
    for key, (suits, words) in WORDS.items():
        if key in metadata:
            facts[key] = metadata[key]
            if not suits(facts[key]):
                raise CheckpointError(f"the metadata of {name} has {key}={_quoted(facts[key])}, expected {words}")
    for key, (fits, expected) in JSON_FACTS.items():
        if key in metadata:
            found = f"the metadata of {name} has {key}={_quoted(metadata[key])}"
            try:
                facts[key] = json.loads(metadata[key])
            except (ValueError, RecursionError) as error:
                raise CheckpointError(f"{found}, which is no JSON") from error
            if not fits(facts[key]):
                raise CheckpointError(f"{found}, expected {expected}")
    return facts


def _quoted(value: object) -> str:
    return in_short(repr(value), LONGEST_QUOTE)


def _classes(facts: Mapping[str, Any], name: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Names and ids of the classes, as far as the file says them."""
    names = facts.get("class_names")
    ids = facts.get("class_ids", names)
    if names is not None and len(ids) != len(names):
        raise CheckpointError(f"the metadata of {name} has {len(names)} class_names and {len(ids)} class_ids, expected as many")
    return None if names is None else tuple(map(str, names)), None if ids is None else tuple(map(str, ids))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_row_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_number, value))


def _is_size(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, list) and len(value) in {2, 3} and all(map(_is_count, value)))


def _is_recipe(value: Any) -> bool:
    if not isinstance(value, dict) or not all(isinstance(value.get(key, ""), str) for key in ("loss", "name")):
        return False
    strengths = [value.get(name, 0) for name in ("label_smoothing", "mixup", "cutmix")]
    return all(strength in ("yes", "unknown") or (_is_number(strength) and strength >= 0) for strength in strengths)


TOLD = ("recipe", "stem", "head", "note")  # of what a file says that which stays known of its model
LONGEST_NOTE = 500
LONGEST_QUOTE = 60  # characters of a value that an error quotes
INTERPOLATIONS = ("bicubic", "bilinear", "box", "hamming", "lanczos", "nearest")
WORDS: dict[str, tuple[Callable[[str], bool], str]] = {
    "interpolation": (lambda word: word in INTERPOLATIONS, f"one of {', '.join(INTERPOLATIONS)}"),
    "stem": (lambda word: word == SMALL_STEM, f"'{SMALL_STEM}'"),
    "head": (lambda word: word == NORMALISED, f"'{NORMALISED}'"),
    "note": (lambda text: 0 < len(text) <= LONGEST_NOTE, f"a text of at most {LONGEST_NOTE} characters"),
}
JSON_FACTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model_args": (lambda value: isinstance(value, dict), "an object of arguments by name"),
    "num_classes": (_is_count, "a whole number above 0"),
    "input_size": (_is_size, "a whole number, or a list of channels, height and width"),
    "mean": (_is_row_of_numbers, "a list of numbers"),
    "std": (_is_row_of_numbers, "a list of numbers"),
    "crop_pct": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "class_names": (lambda value: isinstance(value, list), "a list of names"),
    "class_ids": (lambda value: isinstance(value, list), "a list of ids"),
    "recipe": (
        _is_recipe,
        'an object in which loss and name are words and label_smoothing, mixup and cutmix are numbers, "yes" or "unknown"',
    ),
}


def _completed(options: Options, facts: Mapping[str, Any]) -> Options:
    """The user's options, and where they say nothing, those of the file."""
    own = {key: facts[key] for key in ("num_classes", "interpolation", "crop_pct") if key in facts}
    own |= {key: tuple(facts[key]) for key in ("mean", "std") if key in facts}
    own |= {"input_size": full_size(facts["input_size"])} if "input_size" in facts else {}
    missing = {key: value for key, value in own.items() if getattr(options, key) is None}
    return replace(options, model_args={**facts.get("model_args", {}), **options.model_args}, **missing)


def _fitted(arch: str, state: State, options: Options, facts: Mapping[str, Any]) -> tuple[nn.Module, str]:
    """The network with the weights in it, and the architecture's full name.

    A bare name that timm and torchvision both have means the one whose parameters fit; where both do, torchvision's, whose
    default preprocessing is the plain 224 pixels.
    """
    attempts = []
    for kind in _kinds(arch):
        net = _sized(kind, state, options, facts)
        own = _named_as_in(net, state)
        attempts.append((count_unfilled(net, own), net, own, kind))
    _, net, own, kind = min(attempts, key=lambda attempt: attempt[0])
    fit_state(net, own, kind)
    return net, kind


def _kinds(arch: str) -> list[str]:
    """The architectures that a name may mean, each as ``torchvision:ARCH``, as ``timm:ARCH`` or as a timm name."""
    if arch.startswith("torchvision:"):
        from_torchvision.weights_of(arch)
        return [arch]
    if arch.startswith("timm:"):
        from_timm.known_tag(arch.removeprefix("timm:"))
        return [arch]
    import timm

    kinds = [f"torchvision:{arch}"] if arch in torchvision_names() else []
    if timm.is_model(arch):
        from_timm.known_tag(arch)
        kinds.append(arch)
    if not kinds:
        raise unknown_model(arch)
    return kinds


def build(kind: str, options: Options, num_classes: int) -> nn.Module:
    """An untrained network of ``torchvision:ARCH``, ``timm:ARCH`` or a timm name, as large as the images that it will be given."""
    if kind.startswith("torchvision:"):
        return from_torchvision.build(kind, options, num_classes=num_classes)
    return from_timm.build(kind.removeprefix("timm:"), options, num_classes=num_classes)


def _sized(kind: str, state: State, options: Options, facts: Mapping[str, Any]) -> nn.Module:
    """The untrained network with as many classes as the state's head, unless the user said how many."""

    def changed(classes: int) -> nn.Module:
        net = build(kind, options, classes)
        adapt(net, state, facts.get("stem"), facts.get("head"))
        return net

    told = options.num_classes or options.model_args.get("num_classes")
    net = changed(told or BUILT_FOR)
    classes = told or classes_in(net, _named_as_in(net, state), BUILT_FOR)
    return net if classes == (told or BUILT_FOR) else changed(classes)


def _named_as_in(net: nn.Module, state: State) -> State:
    """The state without wrappers' prefixes, and in timm's names where timm knows what a model's authors called them."""
    state = without_prefixes(state, net.state_dict())
    convert = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    if convert is None or not count_unfilled(net, state, by_name=True):
        return state
    try:
        converted: State = convert(dict(state), net)
    except Exception:  # noqa: BLE001 (written for the authors' own files, a filter may trip over anything else)
        return state
    return converted


def fed(net: nn.Module, kind: str, options: Options) -> tuple[Transform, Size, dict[str, Any]]:
    """Transform, input size and description: the architecture's default, or what was said instead."""
    if kind.startswith("torchvision:"):
        return torchvision_transform(from_torchvision.weights_of(kind)[1], options)
    config = from_timm.describe(net, options)
    transform, preprocessing = timm_transform(config)
    return transform, config["input_size"], preprocessing
