"""Every scorer's paper can be read."""

import re

import pytest

from oodkit.report.papers import paper_url, source_of
from oodkit.scorers import SCORERS


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_has_a_page_to_link_to(name):
    url = source_of(name)["url"]
    assert url is not None
    places = r"arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\S+|openreview\.net/forum\?id=\w+|ojs\.aaai\.org/\S+|github\.com/\S+"
    assert re.fullmatch(f"https://({places})", url)


def test_a_paper_without_a_number_and_a_scorer_of_another_version_have_none():
    assert paper_url("arXiv:1610.02136") == "https://arxiv.org/abs/1610.02136"
    assert paper_url("doi:10.1/x") == "https://doi.org/10.1/x"
    assert paper_url("javascript:alert(1)") is None
    assert source_of("knn:k=5") == source_of("knn")
    assert source_of("no-such") == {"title": None, "paper": None, "url": None}
