"""Draw the pictures of concepts.md, _static/*.svg, from the demo's checkpoints and image sets: every number in them is measured.

python docs/make_pictures.py        takes ten seconds
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image

import oodkit
from oodkit.calibration import Calibration
from oodkit.curves import densities, robust_edges
from oodkit.demo import FAR, ID_TEST, MODELS, NEAR, VAL
from oodkit.images import ImageSet
from oodkit.max_logits import relative_decrease
from oodkit.metrics import Vector, auroc, fpr95_id, fpr95_ood
from oodkit.report.pictures.palette import DARK_PAGE, GROUPS, ID, INK
from oodkit.report.pictures.svg import WIDTH, picture, plot_area

STATIC = Path(__file__).parent / "_static"
SVG = "http://www.w3.org/2000/svg"
STYLE = (  # a picture in an <img> does not see its page's colours: it brings its own, in pairs, and reads on either page
    "svg{color:#16202a;background:#fff;font-family:system-ui,sans-serif}"
    f"@media(prefers-color-scheme:dark){{svg{{color:#e5eaee;background:{DARK_PAGE}}}}}"
)
SIZE, SIDES, HEIGHT = 11, 8, 200  # points: the letters, the room left and right of a plot, a histogram's picture
NEAR_SET, FAR_SET = *NEAR.values(), *FAR.values()


class Scores(NamedTuple):
    """One checkpoint's maximal logits, a vector for each image set."""

    id: Vector
    near: Vector
    far: Vector
    val: Vector


def main() -> None:
    for name, svg in pictures().items():
        (STATIC / name).write_text(svg, encoding="utf-8")


def pictures() -> dict[str, str]:
    """All of them, SVG by file name."""
    plain, softened = both = [maximal_logits(name) for name in MODELS]
    edges = [robust_edges(one.id, [one.near, one.far], bins=40) for one in both]
    span = min(one[0] for one in edges), max(one[-1] for one in edges)
    single = {"near-and-far.svg": near_and_far(), "scorer.svg": scorer(plain)}
    paired = {
        "maximal-logit-v1.svg": maximal_logit(MODELS[0], plain, edges[0], span),
        "maximal-logit-v2.svg": maximal_logit(MODELS[1], softened, edges[1], span, baseline=plain),
        "fpr95-ood.svg": fpr95_of_ood(plain),
        "fpr95-id.svg": fpr95_of_id(plain),
    }
    sized = {name: standing_alone(svg, 1.35) for name, svg in single.items()}
    return sized | {name: standing_alone(svg, 1.1) for name, svg in paired.items()}


def maximal_logits(name: str) -> Scores:
    model, mls = oodkit.load_classifier(name), oodkit.make_scorer("mls")
    sets = (oodkit.open_images(spec) for spec in (ID_TEST, NEAR_SET, FAR_SET, VAL))
    return Scores(*(mls.score(oodkit.extract(model, one, cache=False, workers=0)).double().numpy() for one in sets))


def scorer(scores: Scores) -> str:
    """Two histograms and a threshold, calibrated on validation images."""
    threshold = Calibration(scores.val, alpha=0.05).threshold
    ood, inside = (np.mean(one < threshold) for one in (scores.near, scores.id))

    def draw(figure: Any) -> None:
        axes = histograms(figure, scores)
        cut(axes, threshold, "threshold")
        beside(axes, threshold, "left", ["called OOD:", f"{percent(ood)} of OOD", f"{percent(inside)} of ID"])
        beside(axes, threshold, "right", ["called ID:", f"{percent(1 - ood)} of OOD", f"{percent(1 - inside)} of ID"])

    return picture(draw, HEIGHT, "Histograms of the maximal logit of ID and OOD images, parted by a threshold")


def fpr95_of_ood(scores: Scores) -> str:
    """The share of ID at or below the smallest threshold that at least 95 % of OOD do not exceed."""
    threshold = float(np.quantile(scores.near, 0.95, method="inverted_cdf"))
    share = percent(fpr95_ood(scores.id, scores.near).value)

    def draw(figure: Any) -> None:
        axes = histograms(figure, scores, shaded=(ID, -np.inf, threshold))
        named(axes, "fpr95_ood")
        cut(axes, threshold, "t")
        beside(axes, threshold, "left", ["rejected:", "95 % of OOD", f"{share} of ID"])
        pointed(axes, threshold - 1)

    return picture(draw, HEIGHT, f"fpr95_ood: at the threshold that rejects 95 % of OOD images, {share} of ID images are rejected")


def fpr95_of_id(scores: Scores) -> str:
    """The share of OOD at or above the largest threshold that at least 95 % of ID reach."""
    threshold = -float(np.quantile(-scores.id, 0.95, method="inverted_cdf"))
    share = percent(fpr95_id(scores.id, scores.near).value)

    def draw(figure: Any) -> None:
        axes = histograms(figure, scores, shaded=(GROUPS["near"], threshold, np.inf))
        named(axes, "fpr95_id")
        cut(axes, threshold, "t")
        beside(axes, threshold, "right", ["accepted:", "95 % of ID", f"{share} of OOD"])
        pointed(axes, threshold + 1)

    return picture(draw, HEIGHT, f"fpr95_id: at the threshold that accepts 95 % of ID images, {share} of OOD images are accepted")


def histograms(figure: Any, scores: Scores, shaded: tuple[str, float, float] | None = None) -> Any:
    """The axes with OOD and ID as areas, named in place. shaded: the colour of the one that is shaded, from where, to where."""
    axes = plot_area(figure, left=SIDES, right=SIDES, bottom=36, top=20)
    edges = robust_edges(scores.id, [scores.near], bins=36)
    for vector, colour, name in ((scores.near, GROUPS["near"], "OOD"), (scores.id, ID, "ID")):
        density = densities(vector, edges)
        axes.stairs(density, edges, fill=True, color=colour, alpha=0.25, linewidth=0)
        axes.stairs(density, edges, color=colour, linewidth=1.4)
        if shaded and shaded[0] == colour:
            axes.stairs(density, np.clip(edges, *shaded[1:]), fill=True, color=colour, alpha=0.75, linewidth=0)
        axes.text(np.median(vector), 0.5 * density.max(), name, ha="center", fontsize=SIZE, weight="bold")
    across(axes, edges[0], edges[-1])
    axes.set_ylim(0, 1.6 * max(densities(vector, edges).max() for vector in (scores.id, scores.near)))
    return axes


def maximal_logit(name: str, scores: Scores, edges: Vector, span: tuple[float, float], baseline: Scores | None = None) -> str:
    """A row of density for each set, to its own peak, with its mean. edges: of the bins; span: of the axis, the same for both."""
    sets = (("ID", scores.id, ID), ("near-OOD", scores.near, GROUPS["near"]), ("far-OOD", scores.far, GROUPS["far"]))
    row, peak = 52, 26  # points

    def draw(figure: Any) -> None:
        axes = plot_area(figure, left=SIDES, right=SIDES, bottom=36, top=20)
        named(axes, name)
        for place, (shown, vector, colour) in enumerate(sets):
            bottom = row * (len(sets) - 1 - place)
            heights = densities(vector, edges)
            heights = bottom + peak * heights / heights.max()
            axes.stairs(heights, edges, baseline=bottom, fill=True, color=colour, alpha=0.3, linewidth=0)
            axes.stairs(heights, edges, baseline=bottom, color=colour, linewidth=1.4)
            axes.vlines(vector.mean(), bottom, bottom + peak + 4, color=INK, linewidth=1.4)
            along = {"y": bottom + row - 6, "va": "top", "fontsize": SIZE, "transform": axes.get_yaxis_transform()}
            axes.text(0, s=shown, ha="left", **along)
            axes.text(1, s=about(scores, place, baseline), ha="right", **along)
            axes.hlines(bottom, *span, color=INK, alpha=0.4, linewidth=0.8)
        axes.set_ylim(0, row * len(sets))
        across(axes, *span)

    return picture(draw, row * len(sets) + 56, f"The maximal logit of {name} on ID, near-OOD and far-OOD images")


def about(scores: Scores, place: int, baseline: Scores | None) -> str:
    """What is written in the row of a set: the mean, its fall since the baseline's, and the AUROC of ID over an OOD set."""
    mean = f"mean {scores[place].mean():.1f}"
    if baseline and (fall := relative_decrease(baseline[place], scores[place])):
        mean += f" (−{100 * fall.value:.0f} %)"
    return mean if place == 0 else f"{mean}, AUROC {percent(auroc(scores.id, scores[place]))}"


def across(axes: Any, left: float, right: float) -> None:
    """An axis of scores, and nothing else around the plot."""
    axes.set_xlim(left, right)
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.tick_params(left=False, labelleft=False, labelsize=SIZE - 1)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("maximal logit", fontsize=SIZE)


def cut(axes: Any, threshold: float, name: str) -> None:
    """A line at a threshold, with its name and value above."""
    axes.axvline(threshold, color=INK, linewidth=1.4)
    axes.text(threshold, 1.02, f"{name} = {threshold:.1f}", ha="center", fontsize=SIZE, transform=axes.get_xaxis_transform())


def beside(axes: Any, threshold: float, side: str, lines: Sequence[str]) -> None:
    """Lines of text on one side of a threshold."""
    place = {"ha": "right" if side == "left" else "left", "va": "top", "fontsize": SIZE, "textcoords": "offset points"}
    for row, line in enumerate(lines):
        shift = (-6 if side == "left" else 6, -14 * row)
        axes.annotate(line, (threshold, 0.98), shift, xycoords=axes.get_xaxis_transform(), **place)


def pointed(axes: Any, x: float) -> None:
    """A line from below what stands beside a threshold down into what is shaded there."""
    axes.vlines(x, 0.02, 0.66, color=INK, linewidth=0.8, transform=axes.get_xaxis_transform())


def named(axes: Any, name: str) -> None:
    axes.text(0, 1.02, name, fontsize=SIZE, weight="bold", transform=axes.transAxes)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def near_and_far() -> str:
    """Tiles of the demo's images, as the network gets them: the first of every class, and OOD ones from all over their set."""
    digits, unseen, patches = map(oodkit.open_images, (ID_TEST, NEAR_SET, FAR_SET))
    rows = {
        "ID: digits 0 to 7, the classes": [digits.load(int(one)) for one in np.unique(digits.labels, return_index=True)[1]],
        "Near-OOD: digits 8 and 9, never seen": eight_of(unseen),
        "Far-OOD: patches of two photographs": eight_of(patches),
    }
    return tiles(rows, "Images of the demo: eight in-distribution, eight near-OOD, eight far-OOD")


def eight_of(images: ImageSet) -> list[Image.Image]:
    return [images.load(round(one)) for one in np.linspace(0, len(images) - 1, 8)]


def tiles(rows: Mapping[str, Sequence[Image.Image]], title: str) -> str:
    """A line of text above each row of eight images."""
    side, apart, line = 37.0, 2.6, 20.0
    height = len(rows) * (line + side + 6)
    svg = ET.Element("svg", {"xmlns": SVG, "viewBox": f"0 0 {WIDTH} {height:g}", "role": "img", "fill": "currentColor"})
    ET.SubElement(svg, "title").text = title
    for row, (text, images) in enumerate(rows.items()):
        top = row * height / len(rows)
        ET.SubElement(svg, "text", {"x": f"{SIDES}", "y": f"{top + 15:g}", "font-size": f"{SIZE}"}).text = text
        for column, image in enumerate(images):
            place = {
                "x": f"{SIDES + column * (side + apart):g}",
                "y": f"{top + line:g}",
                "width": f"{side:g}",
                "height": f"{side:g}",
            }
            ET.SubElement(svg, "image", {"href": as_png(image), **place})
    return ET.tostring(svg, encoding="unicode")


def as_png(image: Image.Image) -> str:
    data = BytesIO()
    image.save(data, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(data.getvalue()).decode()}"


def standing_alone(svg: str, scale: float) -> str:
    """A picture made to stand in a page, with colours, letters and a size of its own. scale: CSS pixels a point."""
    ET.register_namespace("", SVG)
    root = ET.fromstring(svg)  # noqa: S314 (drawn above)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    root.set("width", f"{scale * width:g}")
    root.set("height", f"{scale * height:g}")
    style = ET.Element("style")
    style.text = STYLE
    root.insert(1, style)
    return ET.tostring(root, encoding="unicode") + "\n"


if __name__ == "__main__":
    main()
