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


def test_an_unknown_probe_names_those_there_are():
    with pytest.raises(UsageError, match="unknown probe 'iodin'; there are odin, adascale, rankfeat"):
        parse_probe("iodin")


@pytest.mark.parametrize("item", ["colour=1", "noise=much", "noise", "noise=nan", "noise=inf"])
def test_an_impossible_setting_names_those_there_are(item):
    with pytest.raises(UsageError, match=f"the probe odin takes temperature, noise, each =NUMBER; got '{item}'"):
        parse_probe(f"odin:{item}")


def test_a_probe_without_settings_takes_none():
    with pytest.raises(UsageError, match="the probe rankfeat takes no settings"):
        parse_probe("rankfeat:rank=2")
