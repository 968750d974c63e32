"""A class becomes a text by the user's template."""

import pytest

from oodkit.errors import UsageError
from oodkit.synth.base import ImageClass
from oodkit.synth.prompts import TEMPLATE, prompt_of, require_template

CRANE = ImageClass("n02012849", "crane, wading_bird", "large long-necked wading bird")
OWN = ImageClass("red_kite", "red_kite")


@pytest.mark.parametrize(
    ("template", "of", "prompt"),
    [
        (TEMPLATE, CRANE, "a photo of a crane, large long-necked wading bird"),
        (TEMPLATE, OWN, "a photo of a red kite"),
        ("{name}: {definition}, outdoors", OWN, "red kite, outdoors"),
        ("{name} ({definition})", OWN, "red kite"),
        ("{name} – {definition}", OWN, "red kite"),
        ("{definition}", CRANE, "large long-necked wading bird"),
        ("a {name} in {{braces}}", OWN, "a red kite in {braces}"),
    ],
)
def test_the_first_name_and_the_definition_where_there_is_one(template: str, of: ImageClass, prompt: str) -> None:
    assert prompt_of(template, of) == prompt


def test_a_name_is_a_name_whatever_it_holds() -> None:
    """Braces in a class name are no fields."""
    assert prompt_of("a {name}", ImageClass("x", "{definition.x}")) == "a {definition.x}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a {label}", "the template 'a {label}' has {label}; it takes {name} and {definition}"),
        ("a {name.__class__}", "the template 'a {name.__class__}' has {name.__class__}; it takes {name} and {definition}"),
        ("a {name!r}", "the template 'a {name!r}' has {name}; it takes {name} and {definition}"),
        ("a {}", "the template 'a {}' has {}; it takes {name} and {definition}"),
        ("a {name", "can't read the template 'a {name': expected '}' before end of string; it takes {name} and {definition}"),
        ("a photo", "the template 'a photo' says no class: it takes {name} and {definition}"),
    ],
)
def test_a_template_that_says_no_class_or_something_else_is_refused(template: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_template(template)
    assert str(caught.value) == message
