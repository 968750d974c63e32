"""Probes by their specs."""

import pytest

from oodkit.errors import UsageError
from oodkit.probes import PROBES, parse_probe
from oodkit.probes.odin import OdinProbe


@pytest.mark.parametrize("text", ["odin", "odin:noise=0.0014", " odin: noise=.0014 , temperature=1e3 "])
def test_however_it_is_spelled_the_whole_spec_is_one(text):
    assert parse_probe(text) == OdinProbe()
    assert parse_probe(text).spec() == "odin:temperature=1000.0,noise=0.0014"


@pytest.mark.parametrize("name", PROBES)
def test_a_spec_reads_back(name):
    probe = parse_probe(name)
    assert parse_probe(probe.spec()) == probe
    assert probe.name == name


def test_an_unknown_probe_names_the_nearest():
    with pytest.raises(UsageError, match="unknown probe: 'iodin'; did you mean odin"):
        parse_probe("iodin")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("colour=1", "unknown setting of odin: 'colour'; there are temperature, noise"),
        ("noise=much", "odin:noise takes a number, got 'much'"),
        ("noise", "'noise' where a setting=value belongs, as in odin:noise=0.0028"),
        ("noise=nan", "odin:noise takes a number, got nan"),
        ("noise=inf", "odin:noise takes a number, got inf"),
    ],
)
def test_an_impossible_setting_says_what_is_wrong(item, message):
    with pytest.raises(UsageError, match=message):
        parse_probe(f"odin:{item}")


def test_a_probe_without_settings_takes_none():
    with pytest.raises(UsageError, match="unknown setting of rankfeat: 'rank'; there are none"):
        parse_probe("rankfeat:rank=2")
