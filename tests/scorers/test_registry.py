"""Getting a scorer by its name, a spec or a file."""

from dataclasses import fields
from typing import get_type_hints

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from oodkit.errors import OutputsError, UsageError
from oodkit.scorers import PRESETS, SCORERS, load_scorer, make_scorer, parse_scorer, read_spec
from oodkit.specs import checked, spec_of


def test_the_first_scorers_are_there():
    assert {"msp", "mls", "ebo", "react", "ash-b", "ash-p", "ash-s", "knn", "nnguide", "vim", "mds"} <= set(SCORERS)


def test_a_spec_sets_typed_values_over_the_presets():
    scorer = parse_scorer("nnguide: k=7 , fraction=0.5", preset="paper")
    assert scorer.settings() == {"k": 7, "fraction": 0.5, "seed": 0, "index": "exact", "recall": 0.95}
    assert parse_scorer("nnguide:seed=3", preset="paper").settings() == {
        "k": 10,
        "fraction": None,
        "seed": 3,
        "index": "exact",
        "recall": 0.95,
    }
    assert parse_scorer("vim:dim=none").settings() == {"dim": None}
    assert parse_scorer("vim:dim=paper").settings() == {"dim": "paper"}
    assert parse_scorer("react:fits_on=train").fits_on == "train"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kn", "unknown scorer: 'kn'; did you mean knn"),
        ("KNN", "did you mean knn\\?"),
        ("energy", "unknown scorer: 'energy'; did you mean ebo\\?"),
        ("mahalanobis", "unknown scorer: 'mahalanobis'; did you mean mds, rmds, mds\\+\\+, rmds\\+\\+\\?"),
        ("ash", "unknown scorer: 'ash'; did you mean ash-"),
        ("zzz", "unknown scorer: 'zzz'; there are msp, mls"),
        ("", "unknown scorer: ''"),
        ("knn:kk=5", "unknown setting of knn: 'kk'; did you mean k"),
        ("knn:neighbours=5", "unknown setting of knn: 'neighbours'; there are k, fraction, seed"),
        ("nnguide:fractoin=1", "did you mean fraction"),
        ("msp:k=5", "unknown setting of msp: 'k'; there are none"),
        ("knn:k", "'k' where a setting=value belongs"),
        ("knn:k=5.5", "knn:k takes a whole number or paper, got 5.5"),
        ("knn:fraction=lots", "takes a number or none, got 'lots'"),
        ("react:fits_on=test", "takes train or val, got 'test'"),
        ("knn:k=0", "knn expects k of at least 1"),
        ("knn:fraction=nan", "knn:fraction takes a number or none, got nan"),
        ("ebo:temperature=inf", "ebo:temperature takes a number, got inf"),
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


def test_an_unknown_preset_is_named():
    with pytest.raises(UsageError, match="unknown preset 'best'; there are openood, paper"):
        make_scorer("msp", "best")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("neco", {"length": "foo"}, "neco:length takes standardised or raw, got 'foo'"),
        ("react", {"fits_on": "tset"}, "react:fits_on takes train or val, got 'tset'"),
        ("knn", {"k": 2.5}, "knn:k takes a whole number or paper, got 2.5"),
        ("knn", {"k": True}, "knn:k takes a whole number or paper, got True"),
        ("knn", {"k": None}, "knn:k takes a whole number or paper, got None"),
        ("knn", {"seed": 2**63}, "knn:seed takes a whole number, got 9223372036854775808"),
        ("relation", {"exponent": 1.5}, "relation:exponent takes a whole number, got 1.5"),
        ("vim", {"dim": "foo"}, "vim:dim takes a whole number or paper or none, got 'foo'"),
        ("ebo", {"temperature": "1"}, "ebo:temperature takes a number, got '1'"),
        ("ebo", {"temperature": np.float64("nan")}, "ebo:temperature takes a number, got nan"),
        ("ebo", {"temperature": float("inf")}, "ebo:temperature takes a number, got inf"),
        ("ebo", {"temperature": 10**400}, "ebo:temperature takes a number, got 1000"),
        ("ebo", {"temperature": [1.0]}, r"ebo:temperature takes a number, got \[1.0\]"),
    ],
)
def test_a_value_of_another_type_is_a_usage_error_in_the_words_of_a_spec(name, settings, message):
    with pytest.raises(UsageError, match=message):
        make_scorer(name, **settings)


def test_whole_numbers_are_numbers_and_numpy_s_are_python_s():
    temperature, k = make_scorer("ebo", temperature=2).temperature, make_scorer("knn", k=np.int32(7)).k
    assert (temperature, type(temperature), k, type(k)) == (2.0, float, 7, int)
    assert make_scorer("neco", logit=np.bool_(True)).logit is True


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_scorer_s_own_values_are_of_their_fields_types(name, preset):
    own = make_scorer(name, preset)
    given = {one.name: getattr(own, one.name) for one in fields(own)}
    assert make_scorer(name, **given) == own
    hints = get_type_hints(type(own))
    assert all(checked(value, hints[setting], setting) == value for setting, values in own.grid.items() for value in values)


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
    facts = {"format": "oodkit-scorer-2", "settings": "{}", "learnt": "null", "fitted_on": "0"}
    save_file({}, path, {**facts, "scorer": "of-tomorrow"})
    with pytest.raises(OutputsError, match="unknown scorer: 'of-tomorrow'"):
        load_scorer(path)
    save_file({}, path, {**facts, "scorer": "knn", "settings": '{"k": 2.5}'})
    with pytest.raises(OutputsError, match=r"can't read a scorer from .*knn:k takes a whole number or paper, got 2.5"):
        load_scorer(path)


def rewritten(path, change):
    """The scorer's file with other tensors or metadata, and no checksum, as whoever crafts one leaves it out."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        changed, facts = change(tensors, file.metadata())
    save_file(changed, path, {name: fact for name, fact in facts.items() if name != "checksum"})


def test_a_file_without_all_that_the_scorer_learnt_is_refused(toy, tmp_path):
    path = tmp_path / "scorer.safetensors"
    make_scorer("mds").fit(toy.train).save(path)
    rewritten(path, lambda tensors, facts: ({"mean": tensors["mean"]}, facts))
    with pytest.raises(OutputsError, match=r"can't read a scorer from .*centres"):
        load_scorer(path)


def test_a_file_of_another_version_that_named_things_otherwise_is_refused(toy, tmp_path):
    path = tmp_path / "scorer.safetensors"
    make_scorer("mds").fit(toy.train).save(path)
    rewritten(path, lambda tensors, facts: ({"middle": tensors["mean"]}, {**facts, "learnt": '["middle"]'}))
    with pytest.raises(
        OutputsError, match="this mds has not learnt its 'whitener': another version of oodkit saved it; fit it again"
    ):
        load_scorer(path)


def test_a_file_whose_tensors_do_not_fit_together_is_refused_before_it_scores(toy, tmp_path):
    path = tmp_path / "scorer.safetensors"
    make_scorer("she").fit(toy.train).save(path)
    for crafted, reason in (
        (lambda patterns: patterns[:3], "index 3 is out of bounds"),
        (lambda patterns: patterns[:, :5], "must match the size"),
        (lambda patterns: patterns * torch.nan, "it holds NaN"),
    ):
        rewritten(path, lambda tensors, facts, crafted=crafted: ({"patterns": crafted(tensors["patterns"]).contiguous()}, facts))
        with pytest.raises(OutputsError, match=f"can't read a scorer from .*what she has learnt does not fit together: .*{reason}"):
            load_scorer(path)
        make_scorer("she").fit(toy.train).save(path)


def test_a_file_says_what_its_scorer_learnt_from(toy, tmp_path):
    path = tmp_path / "scorer.safetensors"
    make_scorer("react").fit(toy.val).save(path)
    for shape, reason in (
        ("[1000000, 1000000]", "are of no network"),
        ("null", "do not go together"),
        ('["a", 1]', "not as it must"),
    ):
        rewritten(path, lambda tensors, facts, shape=shape: (tensors, {**facts, "learnt_shape": shape}))
        with pytest.raises(OutputsError, match=f"can't read a scorer from .*{reason}"):
            load_scorer(path)
