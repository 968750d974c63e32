"""What stands beside the code for citation, security and issues agrees with the code."""

import tomllib
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
TEMPLATES = REPOSITORY / ".github" / "ISSUE_TEMPLATE"
FACTS = ("version", "license", "keywords")
pytestmark = pytest.mark.skipif(not (REPOSITORY / ".github").is_dir(), reason="the source archive holds no .github")


def test_the_citation_names_version_licence_and_keywords_of_the_project():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert [citation[fact] for fact in FACTS] == [project[fact] for fact in FACTS]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys(), "what its schema requires"


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_an_issue_template_has_a_name_a_description_and_labelled_fields(name):
    template = yaml.safe_load((TEMPLATES / f"{name}.yml").read_text(encoding="utf-8"))
    fields = [one for one in template["body"] if one["type"] != "markdown"]
    assert template["name"]
    assert template["description"]
    assert len({one["id"] for one in fields}) == len(fields)
    assert all(one["attributes"]["label"] for one in fields)


def test_a_bug_report_asks_for_oodkit_env():
    template = yaml.safe_load((TEMPLATES / "bug.yml").read_text(encoding="utf-8"))
    [asked] = [one for one in template["body"] if one.get("id") == "env"]
    assert "oodkit env" in asked["attributes"]["label"]
    assert asked["validations"]["required"]
