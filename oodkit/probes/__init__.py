"""The probes, one file each, and how to get one by its spec."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from oodkit.errors import UsageError
from oodkit.probes.base import Probe
from oodkit.probes.odin import OdinProbe

__all__ = ["PROBES", "Probe", "parse_probe"]

PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in (OdinProbe,)}


def parse_probe(spec: str) -> Probe:
    """The probe of a spec like ``odin:temperature=1000.0,noise=0.0014``. Raises UsageError where there is none such."""
    name, _, rest = spec.partition(":")
    if name not in PROBES:
        raise UsageError(f"unknown probe {name!r}; there are {', '.join(PROBES)}")
    kind: Callable[..., Probe] = PROBES[name]
    known = [one.name for one in fields(PROBES[name])]  # type: ignore[arg-type]  # every probe is a dataclass
    settings: dict[str, Any] = {}
    for item in rest.split(",") if rest else []:
        setting, _, text = item.partition("=")
        try:
            settings[setting] = dict.fromkeys(known, float)[setting](text)
        except (KeyError, ValueError) as error:
            raise UsageError(f"the probe {name} takes {', '.join(known) or 'no settings'} as numbers, got {item!r}") from error
    return kind(**settings)
