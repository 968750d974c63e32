"""An ablation as one self-contained HTML file."""

from oodkit.report.ablation_settings import settings_in_words
from oodkit.report.ablation_sheets import against
from oodkit.report.ablations import (
    as_figure,
    best_row,
    means_of,
    recipes_of,
    remarks_on,
    scorers_of,
    sets_of,
    title_of,
    without_shift,
)
from oodkit.report.document import Document
from oodkit.report.glossary import terms_named
from oodkit.report.markup import drawn, environment_with, frame
from oodkit.report.papers import source_of
from oodkit.report.pictures import recipes_svg, shift_svg
from oodkit.wording import counted

ALWAYS = {"id", "ood", "groups", "accuracy", "logits", "scorer", "maximal-logit", "auroc", "fpr95", "recipe", "repair", "seeds"}


def ablation_html(document: Document) -> str:
    """The page's text. Everything that comes from the user's files is escaped, and no script but the report's own can run."""
    scorers, several = scorers_of(document), len(document["seeds"]) > 1
    shifted = [row for row in document["rows"] if row["shift"]]
    keys = ALWAYS | ({"gain"} if several else set()) | ({"shift", "ratio"} if shifted else set())
    terms = terms_named(keys | ({"mean"} if len(means_of(document)) > 1 else set()) | ({"knn"} & set(scorers)))
    environment = environment_with({one["key"] for one in terms})
    environment.filters["figure_of"] = as_figure
    groups = {name: document["groups"][name] for name in sets_of(document)}
    rendered: str = environment.get_template("ablation.html.j2").render(
        document=document,
        title=title_of(document),
        recipes=counted(len(recipes_of(document)), "recipe", "recipes"),
        settings=settings_in_words(document["settings"]),
        several=several,
        against=against(document),
        means=means_of(document),
        groups=groups,
        scorers=[
            {
                "name": scorer,
                "source": source_of(scorer),
                "best": best_row(document, scorer),
                "picture": drawn(recipes_svg(document["rows"], scorer)),
            }
            for scorer in scorers
        ],
        shifted=shifted,
        without_shift=" ".join(without_shift(document)),
        shifts=drawn(shift_svg(document["rows"], groups)),
        remarks=remarks_on(document),
        terms=terms,
        **frame(environment),
    )
    return rendered
