"""The report's pictures, drawn by matplotlib as SVG that stands in the page itself."""

from oodkit.report.pictures.ablation import recipes_svg, shift_svg
from oodkit.report.pictures.bars import Bar, bars_svg
from oodkit.report.pictures.dumbbells import dumbbells_svg
from oodkit.report.pictures.mixed import mixed_svg
from oodkit.report.pictures.ridges import ridges_svg
from oodkit.report.pictures.roc import roc_svg
from oodkit.report.pictures.scatter import scatter_svg
from oodkit.report.pictures.shares import shares_svg

__all__ = [
    "Bar",
    "bars_svg",
    "dumbbells_svg",
    "mixed_svg",
    "recipes_svg",
    "ridges_svg",
    "roc_svg",
    "scatter_svg",
    "shares_svg",
    "shift_svg",
]
