"""Each result has a folder of its own."""

import json

import pytest

from oodkit.cli import runs
from oodkit.cli.runs import save_run
from oodkit.errors import OodkitError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_are_numbered_by_kind():
    documents = [{"kind": "diagnose"}, {"kind": "diagnose"}, {"kind": "score"}]
    assert [str(save_run(one).parent) for one in documents] == [
        f"oodkit-runs/{name}" for name in ("diagnose-001", "diagnose-002", "score-001")
    ]


def test_a_run_goes_on_after_the_highest_number(here):
    for name in ("diagnose-007", "diagnose-x", "diagnose-002"):
        (here / "oodkit-runs" / name).mkdir(parents=True)
    assert save_run({"kind": "diagnose"}).parent.name == "diagnose-008"


def test_two_runs_that_end_at_once_do_not_share_a_folder(monkeypatch):
    """Both list the folder before either has written."""
    seen = list(runs.RUNS.glob("*"))
    monkeypatch.setattr(type(runs.RUNS), "glob", lambda *_: iter(seen))
    paths = [save_run({"kind": "diagnose", "which": which}) for which in range(2)]
    assert [path.parent.name for path in paths] == ["diagnose-001", "diagnose-002"]
    assert [json.loads(path.read_text())["which"] for path in paths] == [0, 1]


def test_a_place_that_cannot_be_written_says_what_to_do(here):
    (here / "oodkit-runs").write_text("in the way")
    with pytest.raises(OodkitError, match=r"can't make oodkit-runs.diagnose-001: .*; give --output FOLDER"):
        save_run({"kind": "diagnose"})


def test_a_result_that_is_no_json_leaves_no_folder(here):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_run({"kind": "diagnose", "auroc": float("nan")})
    assert list(here.iterdir()) == []
