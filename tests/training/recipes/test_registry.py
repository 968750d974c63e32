"""Getting a recipe by its name or a spec."""

import re

import pytest

import oodkit
from oodkit.errors import UsageError
from oodkit.training.recipes import RECIPES, make_recipe, parse_recipe


def test_the_recipes_of_the_papers_are_there():
    assert set(RECIPES) >= {"v1", "label-smoothing", "random-erasing", "trivial-augment", "mixup", "v2", "regmixup", "augrevise"}
    assert all(name == recipe.name for name, recipe in RECIPES.items())


def test_the_public_name_is_the_registry_s():
    assert oodkit.make_recipe is make_recipe


def test_a_spec_sets_typed_values():
    assert parse_recipe(" mixup: alpha=1 ") == make_recipe("mixup", alpha=1.0)
    assert type(parse_recipe("mixup:alpha=1").alpha) is float
    assert parse_recipe("v2:mixup=0,p=0.2") == make_recipe("v2", mixup=0.0, p=0.2)


def test_a_spec_says_what_was_changed():
    assert make_recipe("v2").spec() == "v2"
    assert make_recipe("v2", mixup=0, p=0.2).spec() == "v2:mixup=0.0,p=0.2"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mixupp", "unknown recipe: 'mixupp'; did you mean mixup, regmixup?"),
        ("AugRevise", "unknown recipe: 'AugRevise'; did you mean augrevise?"),
        ("label_smoothing", "unknown recipe: 'label_smoothing'; did you mean label-smoothing?"),
        ("zzz", "unknown recipe: 'zzz'; there are v1, label-smoothing, random-erasing"),
        ("", "unknown recipe: ''; there are v1"),
        ("cutmix:beta=1", "unknown setting of cutmix: 'beta'; there are alpha"),
        ("v1:alpha=1", "unknown setting of v1: 'alpha'; there are none"),
        ("mixup:alpha", "'mixup:alpha' has 'alpha' where a setting=value belongs, as in mixup:alpha=1.0"),
        ("mixup:alpha=much", "mixup:alpha takes a number, got 'much'"),
        ("mixup:alpha=nan", "mixup:alpha takes a number, got nan"),
        ("randaugment:n=1.5", "randaugment:n takes a whole number, got 1.5"),
        ("mixup:alpha=-1", "recipe mixup needs an alpha above 0, got alpha=-1.0"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong_and_what_there_is(spec, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_recipe(spec)


def test_settings_of_python_are_checked_as_those_of_a_spec():
    with pytest.raises(UsageError, match="mixup:alpha takes a number, got '1'"):
        make_recipe("mixup", alpha="1")
