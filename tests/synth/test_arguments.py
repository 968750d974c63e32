"""What --generator-arg can say is what the generator's class or function takes."""

from typing import Any, Literal

import pytest

from oodkit.errors import UsageError
from oodkit.synth.arguments import checked_arguments, known_arguments


class Maker:
    def __init__(
        self,
        spec: str,
        *,
        device: str = "auto",
        size: Literal[128, 256] = 256,
        weights: str | None = None,
        truncation: float = 1.0,
    ) -> None: ...


class Open:
    def __init__(self, spec: str, *, steps: int = 1, **call: Any) -> None: ...


def test_the_keywords_of_a_class_are_its_arguments():
    assert list(known_arguments(Maker)) == ["size", "weights", "truncation"]


def test_values_come_as_the_types_say():
    given = checked_arguments(Maker, {"size": 128, "weights": "a.bin", "truncation": 1}, "biggan")
    assert given == {"size": 128, "weights": "a.bin", "truncation": 1.0}
    assert type(given["truncation"]) is float
    assert checked_arguments(Maker, {"weights": None}, "biggan") == {"weights": None}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"trunc": 1}, "unknown argument of biggan: 'trunc'; did you mean truncation?"),
        ({"x": 1}, "unknown argument of biggan: 'x'; there are size, weights, truncation"),
        ({"device": "cpu"}, "unknown argument of biggan: 'device'; there are size, weights, truncation"),
        ({"size": 64}, "biggan:size takes 128 or 256, got 64"),
        ({"truncation": "high"}, "biggan:truncation takes a number, got 'high'"),
        ({"weights": 3}, "biggan:weights takes a text or none, got 3"),
    ],
)
def test_what_it_does_not_take_is_refused(given, told):
    with pytest.raises(UsageError) as caught:
        checked_arguments(Maker, given, "biggan")
    assert str(caught.value) == told


def test_a_class_that_takes_any_keywords_judges_them_by_itself():
    assert checked_arguments(Open, {"guidance_scale": 2}, "diffusers:x") == {"guidance_scale": 2}
    with pytest.raises(UsageError, match="diffusers:x:steps takes a whole number"):
        checked_arguments(Open, {"steps": "many"}, "diffusers:x")
