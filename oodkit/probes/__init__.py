"""The probes, one file each, and how to get one by its spec."""

from collections.abc import Callable

from oodkit.probes.adascale import AdaScaleProbe
from oodkit.probes.base import Probe
from oodkit.probes.odin import OdinProbe
from oodkit.probes.rankfeat import RankFeatProbe
from oodkit.specs import read_spec

__all__ = ["PROBES", "Probe", "parse_probe"]

_ALL: tuple[type[Probe], ...] = (OdinProbe, AdaScaleProbe, RankFeatProbe)
PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in _ALL}


def parse_probe(spec: str) -> Probe:
    """The probe of a spec such as ``odin`` or ``odin:noise=0.0028``. Raises UsageError where it is unknown or impossible."""
    name, settings = read_spec(spec, PROBES, "probe", "odin:noise=0.0028")
    make: Callable[..., Probe] = PROBES[name]
    return make(**settings)
