"""The report's pictures, drawn by matplotlib as SVG that stands in the page itself."""

from oodkit.report.pictures.mixed import mixed_svg
from oodkit.report.pictures.ridges import ridges_svg
from oodkit.report.pictures.roc import roc_svg
from oodkit.report.pictures.scatter import scatter_svg

__all__ = ["mixed_svg", "ridges_svg", "roc_svg", "scatter_svg"]
