"""The pictures' colours: each reads on white and on the dark page, and none is the only carrier of what it says.

Between a contrast of 3:1 to white and 3:1 to the dark page only middling luminances are left, too few for colours that every eye
tells apart. So sets are named where they are drawn, and scorers have a line style each beside their colour.
"""

DARK_PAGE = "#14181b"
INK = "black"  # becomes the page's own text colour

ID = "#2a7fc9"
SYNTHETIC = "#8a6fd1"
GROUPS = {"near": "#d55e00", "far": "#009e73"}

Dash = str | tuple[float, tuple[float, ...]]
SCORERS: tuple[tuple[str, Dash], ...] = (  # the k-th best scorer has the k-th, in every picture of a page
    ("#8a6fd1", "-"),
    ("#d55e00", (0, (5, 1.6))),
    ("#009e73", (0, (1.2, 1.2))),
    ("#b5589f", (0, (6, 1.5, 1.2, 1.5))),
    ("#a07a00", (0, (2.6, 1.3))),
)
RECIPES = (  # which recipe it is, its name says; the colour holds its two marks together
    ID,
    "#d55e00",
    "#009e73",
    "#8a6fd1",
    "#b5589f",
    "#a07a00",
    "#d0454f",
    "#7d8488",
    "#6d8a1f",
    "#0f8f9c",
)
