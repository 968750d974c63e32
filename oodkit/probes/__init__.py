"""The probes, one file each, and how to get one by its spec."""

import math
from collections.abc import Callable
from dataclasses import fields

from oodkit.errors import UsageError
from oodkit.probes.adascale import AdaScaleProbe
from oodkit.probes.base import Probe
from oodkit.probes.odin import OdinProbe
from oodkit.probes.rankfeat import RankFeatProbe

__all__ = ["PROBES", "Probe", "parse_probe"]

_ALL: tuple[type[Probe], ...] = (OdinProbe, AdaScaleProbe, RankFeatProbe)
PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in _ALL}


def parse_probe(spec: str) -> Probe:
    """The probe of a spec such as ``odin`` or ``odin:noise=0.0028``. Raises UsageError where it is unknown or impossible."""
    name, _, rest = spec.strip().partition(":")
    if name not in PROBES:
        raise UsageError(f"unknown probe {name!r}; there are {', '.join(PROBES)}")
    make: Callable[..., Probe] = PROBES[name]
    known = [one.name for one in fields(PROBES[name])]  # type: ignore[arg-type]  # every probe is a dataclass
    settings: dict[str, float] = {}
    for item in rest.split(",") if rest else []:
        setting, _, text = (part.strip() for part in item.partition("="))
        value = _number(text)
        if setting not in known or value is None:
            raise UsageError(f"the probe {name} takes {', '.join(known) or 'no settings'}, each =NUMBER; got {item!r}")
        settings[setting] = value
    return make(**settings)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
