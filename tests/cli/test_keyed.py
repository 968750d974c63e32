"""What K=V options pass on."""

import pytest
import typer

from oodkit.cli.keyed import keyed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=0.5", 0.5),
        ("a=true", True),
        ("a=False", False),
        ("a=null", None),
        ("a=None", None),
        ("a=[1, 2]", [1, 2]),
        ("a=weights.bin", "weights.bin"),
        ('a="3"', "3"),
        ("a=b=c", "b=c"),
        ("a=", ""),
        ("a=nan", "nan"),
    ],
)
def test_values_are_read_as_python_or_json_writes_them(text, value):
    assert keyed([text], "--x") == {"a": value}
    assert keyed([text.replace("a=", "guidance-scale=", 1)], "--x") == {"guidance_scale": value}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a"], "'a' is not K=V"),
        (["=2"], "'=2' is not K=V"),
        (["a b=2"], "'a b=2' is not K=V"),
        (["a=1", "a=2"], "a comes twice; give it once"),
        (["a=NaN"], "can't stand in the result"),
        (["a=1e999"], "can't stand in the result"),
        (["a={1, 2}"], "can't stand in the result"),
    ],
)
def test_what_can_not_be_passed_on(texts, message):
    with pytest.raises(typer.BadParameter, match=message):
        keyed(texts, "--x")
