"""Specs: names with settings as scorers, probes and recipes are asked for."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from oodkit.errors import UsageError
from oodkit.specs import changed_settings, checked, checked_settings, read_spec, spec_of, value_of


@dataclass
class Slow:
    """A kind with a setting of each type."""

    title: ClassVar[str] = "Slow and steady"

    steps: int = 3
    pace: float | None = None
    careful: bool = True
    gait: Literal["walk", "trot"] = "walk"


@dataclass
class VeryFast:
    """A kind without settings, and without a title."""


KINDS = {"slow": Slow, "very-fast": VeryFast}


def read(spec):
    return read_spec(spec, KINDS, "animal", "slow:steps=2")


def test_a_spec_gives_name_and_typed_settings():
    assert read("slow: steps=5 , pace=2,careful=false,gait=trot ") == (
        "slow",
        {"steps": 5, "pace": 2.0, "careful": False, "gait": "trot"},
    )
    assert read(" very-fast ") == ("very-fast", {})


@pytest.mark.parametrize("spec", ["slow", "very-fast", "slow:steps=7,pace=0.5,careful=false,gait=trot", "slow:pace=none"])
def test_a_spec_is_read_and_written_the_same(spec):
    assert spec_of(*read(spec)) == spec


def test_true_false_and_none_are_written_as_they_are_read():
    assert spec_of("x", {"on": True, "off": False, "one": 1, "none": None}) == "x:on=true,off=false,one=1,none=none"


def test_only_what_was_changed_is_told():
    assert changed_settings(Slow()) == {}
    assert changed_settings(Slow(pace=1.0, careful=False)) == {"pace": 1.0, "careful": False}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("slo", "unknown animal: 'slo'; did you mean slow?"),
        ("slow and steady", "unknown animal: 'slow and steady'; did you mean slow?"),
        ("Steady", "unknown animal: 'Steady'; did you mean slow?"),
        ("and", "unknown animal: 'and'; there are slow, very-fast"),
        ("SLO", "unknown animal: 'SLO'; did you mean slow?"),
        ("VERY-FAST", "unknown animal: 'VERY-FAST'; did you mean very-fast?"),
        ("zzz", "unknown animal: 'zzz'; there are slow, very-fast"),
        ("slow:step=1", "unknown setting of slow: 'step'; did you mean steps?"),
        ("slow:zzz=1", "unknown setting of slow: 'zzz'; there are steps, pace, careful, gait"),
        ("very-fast:steps=1", "unknown setting of very-fast: 'steps'; there are none"),
        ("slow:steps", "'slow:steps' has 'steps' where a setting=value belongs, as in slow:steps=2"),
        ("slow:", "'slow:' has no settings after its colon; write slow, or settings as in slow:steps=2"),
        ("very-fast: ", "'very-fast: ' has no settings after its colon; write very-fast, or settings as in slow:steps=2"),
        ("slow:steps=1,pace=2,steps=1", "'slow:steps=1,pace=2,steps=1' gives steps twice; give it once"),
        ("slow:steps=1.5", "slow:steps takes a whole number, got 1.5"),
        ("slow:steps=true", "slow:steps takes a whole number, got True"),
        ("slow:pace=inf", "slow:pace takes a number or none, got inf"),
        ("slow:careful=1", "slow:careful takes true or false, got 1"),
        ("slow:gait=run", "slow:gait takes walk or trot, got 'run'"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong_and_what_there_is(spec, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        read(spec)


def test_settings_of_python_are_checked_as_those_of_a_spec():
    assert checked_settings("slow", KINDS, "animal", {"pace": 2}) == {"pace": 2.0}
    with pytest.raises(UsageError, match="slow:pace takes a number or none, got '2'"):
        checked_settings("slow", KINDS, "animal", {"pace": "2"})


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [("true", bool, True), ("false", bool, False), ("2", int | None, 2), ("none", int | None, None), ("2", float, 2.0)],
)
def test_values_are_read_as_the_fields_type(text, hint, value):
    found = checked(value_of(text), hint, "x")
    assert found == value
    assert type(found) is type(value)
