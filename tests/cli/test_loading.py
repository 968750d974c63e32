"""From the names of models on a command line to networks: each once, and none as a baseline of itself."""

from types import SimpleNamespace

import pytest

from oodkit.cli import loading
from oodkit.cli.loading import Loading, load_subjects, load_told, loading_of

TAGGED = {"net": "net.a", "net.a": "net.a", "other": "other.b"}  # as load_classifier names what is asked for by these


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.setattr(
        loading, "load_classifier", lambda name, **_: SimpleNamespace(name=TAGGED[name], about={"taken": f"of {name} the average"})
    )


@pytest.mark.usefixtures("networks")
def test_a_model_that_is_named_in_two_ways_is_one_and_no_baseline_of_itself():
    subjects = load_subjects(["net", "other", "net.a"], "net.a", Loading())
    baselines = {one.model.name: one.baseline and one.baseline.name for one in subjects}
    assert (len(subjects), baselines) == (2, {"net.a": None, "other.b": "net.a"})


@pytest.mark.usefixtures("networks")
def test_of_several_processes_the_first_alone_says_which_weights_it_took(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, told in (("0", "note: of net the average\n"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        load_told("net", Loading())
        assert capsys.readouterr().err == told


@pytest.mark.parametrize("text", ["a=3", 'a="3"', "a=gelu", 'a="true"', "a=null", "a=[1, 'x']", "a=", "a={'b': 0.5}", "a=it's"])
def test_the_options_of_a_model_mean_the_same_when_they_are_typed_again(text):
    from shlex import split

    first = loading_of(None, None, None, None, None, [text], allow_pickle=False)
    option, again = split(first.flags())
    assert option == "--model-arg"
    assert loading_of(None, None, None, None, None, [again], allow_pickle=False) == first
