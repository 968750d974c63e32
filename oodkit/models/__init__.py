"""Where models come from: one file a source. ``load`` looks the scheme of a name up."""

from collections.abc import Callable
from pathlib import Path

from oodkit.errors import UsageError
from oodkit.models import from_file, from_python, from_timm, from_torchvision
from oodkit.models.base import Loaded, Options
from oodkit.models.reach import require_torchvision
from oodkit.models.state import SUFFIXES, looked_for

SOURCES: dict[str, Callable[[str, Options], Loaded]] = {
    "demo": from_file.load_demo,
    "hf-hub": from_timm.load_from_hub,
    "local-dir": from_file.load_folder,
    "py": from_python.load_function,
    "torchvision": from_torchvision.load_name,
}


def load(name: str, options: Options) -> Loaded:
    """The network of any name: a scheme of ``SOURCES``, a file of weights, or else a timm name."""
    require_torchvision()
    if not name:  # an unset variable of a shell leaves it, and as a path it would mean here
        raise UsageError("the name of the model is empty; oodkit list models PATTERN shows names")
    scheme, separator, _ = name.partition(":")
    if separator and scheme in SOURCES:
        return SOURCES[scheme](name, options)
    if Path(name).suffix.lower() in SUFFIXES:
        return from_file.load_file(name, options)
    with looked_for(name):
        is_folder = Path(name).is_dir()
    if is_folder:
        loads = f"local-dir:{name} loads what timm or oodkit train has saved, FILE --arch ARCH a file of weights"
        raise UsageError(f"{name} is a folder; {from_file.trained_below(Path(name)) or loads}")
    if separator:
        known = ", ".join(f"{one}:" for one in SOURCES)
        raise UsageError(f"can't read the model name {name!r}: its scheme is none of {known}; names without one are timm's")
    if "/" in name:
        raise UsageError(
            f"can't read the model name {name!r}: write hf-hub:OWNER/NAME, torchvision:ARCH/WEIGHTS or a file with its suffix"
        )
    return from_timm.load_name(name, options)
