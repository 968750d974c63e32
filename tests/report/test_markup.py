"""What a template gets wrong is an error in a test, and nothing that is missing from somebody's page."""

import pytest
from jinja2 import UndefinedError

from oodkit.report.markup import environment_with


def test_what_nobody_gave_a_template_is_no_blank():
    template = environment_with(set()).from_string("{{ model.verdict.sentence }}")
    assert template.render(model={"verdict": {"sentence": "sound"}}) == "sound"
    with pytest.raises(UndefinedError, match="sentence"):
        template.render(model={"verdict": {}})


def test_a_term_is_linked_where_the_page_defines_it_and_a_mistyped_one_is_told():
    environment = environment_with({"auroc"})
    assert environment.from_string("{{ term('auroc', 'A') }}{{ term('mixed') }}").render() == (
        '<a class="term" href="#term-auroc">A</a>mixed'
    )
    with pytest.raises(ValueError, match="the glossary has no term 'aurok'; it has accuracy, "):
        environment.from_string("{{ term('aurok') }}").render()


def test_a_link_to_a_term_spells_what_would_be_obeyed():
    """A scorer's label stands in one, and a result may come from anywhere."""
    environment = environment_with({"auroc"})
    page = environment.from_string("{{ term('auroc', label) }}{{ term('mixed', label) }}").render(label="\x1b]0;\u202e<b>")
    assert page == r'<a class="term" href="#term-auroc">\x1b]0;\u202e&lt;b&gt;</a>\x1b]0;\u202e&lt;b&gt;'
