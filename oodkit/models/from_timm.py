"""Models by timm's names: ``resnet50.tv2_in1k``, ``hf-hub:OWNER/NAME[@REV]``, ``local-dir:PATH``."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from oodkit.errors import CheckpointError, ModelNotFoundError, OodkitError, UnsupportedModelError, UsageError
from oodkit.models.base import AUGDELETE, Loaded, Options, Size
from oodkit.models.modest import require_modest_size
from oodkit.models.names import unknown_model
from oodkit.models.preprocessing import overrides, timm_transform
from oodkit.models.reach import hub_or_cache, is_of_transport, why_no_download
from oodkit.models.timm_config import require_modest_config
from oodkit.wording import in_short

EMBEDDING_BELOW = 10_000  # timm's own classifiers have 1,000 classes or more than 10,000; other sizes are those of CLIP embeddings
FACTS = ("license", "origin_url", "hf_hub_id")


def load_name(name: str, options: Options) -> Loaded:
    """A timm architecture with its tag, or with its default tag."""
    options.refuse(name, "arch", "checkpoint")
    full, facts = known_tag(name)
    if not facts["has_weights"]:
        raise ModelNotFoundError(f"timm has no weights for {full}; give a file of yours: FILE --arch {full}")
    classes = facts["num_classes"]
    if classes < EMBEDDING_BELOW and classes != 1000:
        what = f"its {classes} outputs are an image embedding" if classes else "it was trained without one and ends in features"
        raise UnsupportedModelError(f"{full} is no classifier: {what}; choose a tag that was fine-tuned")
    return _load(full, full, options)


def load_from_hub(name: str, options: Options) -> Loaded:
    """A timm model on the Hugging Face Hub, ``hf-hub:OWNER/NAME[@REV]``."""
    options.refuse(name, "arch", "checkpoint")
    return _load(name, name, options)


def load_from_folder(name: str, options: Options) -> Loaded:
    """A folder with timm's ``config.json`` and weights, as ``timm.models.save_for_hf`` and ``oodkit export`` write it."""
    options.refuse(name, "arch", "checkpoint")
    loaded = _load(name, name, options)
    config = json.loads((Path(name.removeprefix("local-dir:")) / "config.json").read_text("utf-8"))
    return replace(loaded, refitted=config.get("method") == AUGDELETE)


def known_tag(name: str) -> tuple[str, dict[str, Any]]:
    """A timm name with its tag, and its pretrained config. Raises ModelNotFoundError, with near names or the valid tags."""
    import timm
    from timm.models import get_deprecated_models

    arch, _, tag = name.partition(".")
    if arch in (old := get_deprecated_models()):
        if old[arch] is None:
            raise ModelNotFoundError(f"timm has removed {arch} without a successor; oodkit list models shows what it has")
        arch, _, renamed_tag = old[arch].partition(".")
        tag = tag or renamed_tag
    if not timm.is_model(arch):
        raise unknown_model(name)
    try:
        config = timm.get_pretrained_cfg(f"{arch}.{tag}" if tag else arch)
    except RuntimeError as error:
        tags = ", ".join(one.partition(".")[2] for one in timm.list_pretrained(f"{arch}.*")) or "none"
        raise ModelNotFoundError(f"timm has no weights {name!r}; the tags of {arch} are: {tags}") from error
    full = f"{arch}.{config.tag}" if config.tag else arch
    return full, {**config.to_dict(), "has_weights": bool(config.has_weights)}


def build(arch: str, options: Options, **arguments: Any) -> nn.Module:
    """An untrained network of a timm architecture; where its input size is fixed, of the size that was asked for."""
    import timm

    full, facts = known_tag(arch)
    given = {**_size_arguments(facts, options), **arguments, **options.model_args}
    try:
        net = timm.create_model(full, pretrained=False, **given)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UsageError(f"can't build {full} with {in_short(given)}: {in_short(error)}") from error
    assert isinstance(net, nn.Module)
    return net


def describe(net: nn.Module, options: Options) -> dict[str, Any]:
    """The data config of a timm network: at the test size where it takes images of that size, else at the training size."""
    from timm.data import resolve_model_data_config

    said = overrides(options)
    try:
        config = resolve_model_data_config(net, args=said, use_test_size=True)
        if not _takes(net, config["input_size"]):
            config = resolve_model_data_config(net, args=said, use_test_size=False)
    except (AssertionError, TypeError, KeyError) as error:
        reason = in_short(error) or "expected a mean and a std for each channel"
        raise UsageError(f"can't prepare images with {in_short(said)}: {reason}") from error
    return dict(config)


def _load(name: str, source: str, options: Options) -> Loaded:
    if "num_classes" in options.model_args:
        raise UsageError(
            f"{name} has a trained head: with --model-arg num_classes it would be replaced by an untrained one; leave it out"
        )
    net = _pretrained(name, source, options)
    try:
        return _described(name, net, options)
    except OodkitError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"can't load {name}: its config.json says what can't be used: {in_short(error)}") from error


def _pretrained(name: str, source: str, options: Options) -> Any:
    """The network that timm makes and fills with its weights."""
    import timm

    try:
        with hub_or_cache():
            if ":" in name:
                require_modest_config(name, options)
            given = _size_arguments(known_tag(name)[1], options) if ":" not in name else {}
            return timm.create_model(source, pretrained=True, **{**given, **options.model_args})
    except OSError as error:
        if name.startswith("local-dir:"):
            raise ModelNotFoundError(f"{name}: {in_short(error)}; expected a folder with config.json and weights") from error
        arch = None if ":" in name else name
        raise why_no_download(name, arch, error) from error
    except KeyError as error:
        raise CheckpointError(f"{name} is no timm model: its config.json has no {in_short(error)}") from error
    except TypeError as error:
        raise UsageError(f"can't build {name} with {in_short(dict(options.model_args))}: {in_short(error)}") from error
    except (SafetensorError, RuntimeError, ValueError, AssertionError, AttributeError) as error:
        raise CheckpointError(f"can't load {name}: {in_short(error)}") from error
    except Exception as error:
        if not is_of_transport(error):
            raise
        raise why_no_download(name, None if ":" in name else name, error) from error


def _described(name: str, net: Any, options: Options) -> Loaded:
    told = net.pretrained_cfg
    if options.input_size is None:
        require_modest_size(name, told["input_size"])
        require_modest_size(name, told.get("test_input_size") or told["input_size"])
    config = describe(net, options)
    transform, preprocessing = timm_transform(config)
    names, ids = _class_names(told, int(net.num_classes))
    about = {"source": "timm", "architecture": told["architecture"]}
    about |= {key: told[key] for key in FACTS if told.get(key)}
    return Loaded(name, net, transform, config["input_size"], preprocessing, names, ids, about)


def _size_arguments(facts: Mapping[str, Any], options: Options) -> dict[str, Any]:
    if options.input_size is None:
        return {}
    channels, height, width = options.input_size
    arguments: dict[str, Any] = {"img_size": (height, width)} if facts.get("fixed_input_size") else {}
    return arguments if channels == 3 else {**arguments, "in_chans": channels}


@torch.no_grad()
def _takes(net: nn.Module, size: Size) -> bool:
    config: Any = net.pretrained_cfg
    if tuple(size) == tuple(config["input_size"]):
        return True
    try:
        net.eval()(torch.zeros(1, *size))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return True


def _class_names(config: Mapping[str, Any], num_classes: int) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Names and ids from the checkpoint's config, where it has them."""
    names = config.get("label_names")
    if isinstance(names, Mapping):
        names = [names.get(str(index), names.get(index)) for index in range(num_classes)]
    if names and len(names) == num_classes and all(names):
        descriptions = config.get("label_descriptions") or {}
        return tuple(str(descriptions.get(name, name)) for name in names), tuple(map(str, names))
    return None, None
