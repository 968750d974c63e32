"""Where a scorer's paper is read."""

from oodkit.scorers import SCORERS

# Sources without a number of arXiv or a DOI, by the words that stand in ``Scorer.paper`` and ``Recipe.paper``.
PAGES = {
    "CVPR 2023": "https://openreview.net/forum?id=Sie7oeTABS",  # GEN: its own record there
    "ICLR 2023 (OpenReview)": "https://openreview.net/forum?id=KkazG4lgKL",  # SHE
    "AAAI 2024, pp. 19858–19866": "https://ojs.aaai.org/index.php/AAAI/article/view/29961",  # FS-EBO
    "OpenOOD v1.5, gmm_postprocessor.py": (
        "https://github.com/Jingkang50/OpenOOD/blob/main/openood/postprocessors/gmm_postprocessor.py"
    ),
    "pytorch/vision issue 3995": "https://github.com/pytorch/vision/issues/3995",  # torchvision's second recipe
    "ICCV 2025, pp. 1836–1845": "https://github.com/xhp-hust-2018-2011/DiagPMOOD",  # AugRevise: its code
}


def paper_url(paper: str) -> str | None:
    """The page of a source such as ``arXiv:1610.02136`` or ``doi:10.1002/…``; None where there is none to name."""
    scheme, _, number = paper.partition(":")
    bases = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
    return bases[scheme] + number if scheme in bases else PAGES.get(paper)


def source_of(label: str) -> dict[str, str | None]:
    """Of a scorer by its label in a result, such as ``knn:k=5``: ``title``, ``paper`` and the paper's ``url``; None if unknown."""
    scorer = SCORERS.get(label.partition(":")[0])
    if scorer is None:
        return {"title": None, "paper": None, "url": None}
    return {"title": scorer.title, "paper": scorer.paper, "url": paper_url(scorer.paper)}
