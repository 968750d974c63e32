"""The report's pictures, drawn by matplotlib as SVG that stands in the page itself."""

from collections.abc import Mapping
from typing import Any

from oodkit.report.pictures.mixed import mixed_svg
from oodkit.report.pictures.ridges import ridges_svg
from oodkit.report.pictures.roc import roc_svg
from oodkit.report.pictures.scatter import scatter_svg

__all__ = ["density_svg", "mixed_svg", "ridges_svg", "roc_svg", "scatter_svg"]


def density_svg(model: Mapping[str, Any]) -> str:
    """The maximal logit's ridges, of a document of schema 1 or 2."""
    found = model["densities"]
    mls = {"scorer": "mls", "title": "maximal logit", "model": model["name"]}
    density = {**found, **mls} if isinstance(found, Mapping) else next(one for one in reversed(found) if one["scorer"] == "mls")
    return ridges_svg(density, {row["image_set"]: row["group"] for row in model["max_logits"]})
