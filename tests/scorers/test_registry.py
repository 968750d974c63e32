"""Getting a scorer by its name, a spec or a file."""

import pytest
import torch
from safetensors.torch import save_file

from oodkit.errors import OutputsError, UsageError
from oodkit.scorers import SCORERS, _value, load_scorer, make_scorer, parse_scorer, read_spec, spec_of


def test_the_first_scorers_are_there():
    assert {"msp", "mls", "ebo", "react", "ash-b", "ash-p", "ash-s", "knn", "nnguide", "vim", "mds"} <= set(SCORERS)


def test_a_spec_sets_typed_values_over_the_presets():
    scorer = parse_scorer("nnguide: k=7 , fraction=0.5", preset="paper")
    assert scorer.settings() == {"k": 7, "fraction": 0.5, "seed": 0, "index": "exact"}
    assert parse_scorer("nnguide:seed=3", preset="paper").settings() == {"k": 10, "fraction": None, "seed": 3, "index": "exact"}
    assert parse_scorer("vim:dim=none").settings() == {"dim": None}
    assert parse_scorer("vim:dim=paper").settings() == {"dim": "paper"}
    assert parse_scorer("react:fits_on=train").fits_on == "train"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kn", "unknown scorer: 'kn'; did you mean knn"),
        ("ash", "unknown scorer: 'ash'; did you mean ash-"),
        ("zzz", "unknown scorer: 'zzz'; there are msp, mls"),
        ("", "unknown scorer: ''"),
        ("knn:kk=5", "unknown setting of knn: 'kk'; did you mean k"),
        ("knn:neighbours=5", "unknown setting of knn: 'neighbours'; there are k, fraction, seed"),
        ("nnguide:fractoin=1", "did you mean fraction"),
        ("msp:k=5", "unknown setting of msp: 'k'; there are none"),
        ("knn:k", "'k' where a setting=value belongs"),
        ("knn:k=5.5", "knn:k takes a whole number or paper, got '5.5'"),
        ("knn:fraction=lots", "takes a number or none, got 'lots'"),
        ("react:fits_on=test", "takes train or val, got 'test'"),
        ("knn:k=0", "knn expects k of at least 1"),
        ("knn:fraction=nan", "knn:fraction takes a number or none, got 'nan'"),
        ("ebo:temperature=inf", "ebo:temperature takes a number, got 'inf'"),
        ("nnguide:k=-1", "nnguide expects k of at least 1"),
        ("react:percentile=101", "between 0 and 100, got percentile=101"),
        ("ash-s:percentile=100", "at least 0 and below 100"),
        ("ebo:temperature=0", "temperature > 0, got temperature=0"),
        ("vim:dim=0", "vim expects dim above 0"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong_and_what_there_is(spec, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        parse_scorer(spec)


@pytest.mark.parametrize("spec", ["msp", "knn:k=7,fraction=0.5", "vim:dim=none", "react:percentile=99.0,fits_on=train"])
def test_a_spec_is_read_and_written_the_same(spec):
    assert spec_of(*read_spec(spec)) == spec


def test_true_and_false_are_written_as_they_are_read():
    assert spec_of("x", {"on": True, "off": False, "one": 1, "none": None}) == "x:on=true,off=false,one=1,none=none"


def test_an_unknown_preset_is_named():
    with pytest.raises(UsageError, match="unknown preset 'best'; there are openood, paper"):
        make_scorer("msp", "best")


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [("true", bool, True), ("false", bool, False), ("2", int | None, 2), ("none", int | None, None), ("2", float, 2.0)],
)
def test_values_are_read_as_the_fields_type(text, hint, value):
    assert _value(text, hint, "x") == value
    assert type(_value(text, hint, "x")) is type(value)


def test_a_file_that_is_no_scorer_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(OutputsError, match="can't read a scorer"):
        load_scorer(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(OutputsError, match="can't read a scorer"):
        load_scorer(path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(OutputsError, match="is no oodkit scorer"):
        load_scorer(path)
    facts = {"format": "oodkit-scorer-1", "settings": "{}", "fitted": "false", "fitted_on": "0"}
    save_file({}, path, {**facts, "scorer": "of-tomorrow"})
    with pytest.raises(OutputsError, match="unknown scorer: 'of-tomorrow'"):
        load_scorer(path)
