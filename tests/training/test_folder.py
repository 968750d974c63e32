"""What a folder says of the run in it, whoever wrote it."""

from dataclasses import asdict

import pytest

from oodkit.errors import UsageError
from oodkit.training.folder import differences, is_finished, read_run, trained_on, write_run
from oodkit.training.settings import Settings

ASKED = {
    "recipe": "mixup:alpha=0.4",
    "recipe_settings": {"alpha": 0.4, "beta": 0.0},
    "classes": 8,
    "settings": {"epochs": 3, "alpha": 1, "lr": 0.1},
    "sets": {"data": {"spec": "demo:digits:train", "fingerprint": "1"}},
}
RESULT = {"seconds": 1.5, "note": "", "scored_by": ["mls"], "val_accuracy": None, "augdelete": None, "best": None}
RUN = {
    "kind": "training",
    "schema": 1,
    "status": "finished",
    "created": "2026-01-01",
    "asked": ASKED,
    "images": {"data": 48},
    "notes": [],
    "unreadable": {},
    "result": RESULT,
}


def test_what_was_written_is_read(tmp_path):
    write_run(tmp_path, RUN)
    assert read_run(tmp_path) == RUN
    assert trained_on(f"local-dir:{tmp_path}") == "demo:digits:train"


def test_a_run_is_finished_while_its_network_is_there(tmp_path):
    assert not is_finished(tmp_path, RUN)
    (tmp_path / "model.safetensors").touch()
    assert is_finished(tmp_path, RUN)
    assert not is_finished(tmp_path, {**RUN, "status": "unfinished"})


def test_a_folder_without_a_run_is_free(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "nowhere") is None
    for model in ("resnet18", "demo:digits-v1", f"local-dir:{tmp_path}", "local-dir:nowhere"):
        assert trained_on(model) is None


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"kind": "synthesis"}', "[" * 100_000, "\ud800"])
def test_a_training_json_of_somebody_else_is_no_run(tmp_path, text):
    (tmp_path / "training.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(UsageError, match=r"training.json is damaged or no training of oodkit's; give another folder"):
        read_run(tmp_path)
    assert trained_on(f"local-dir:{tmp_path}") is None


@pytest.mark.parametrize(
    ("changes", "unfit"),
    [
        ({"images": {}}, "images data"),
        ({"asked": {**ASKED, "sets": {"data": 3}}}, "asked sets data spec"),
        ({"asked": {**ASKED, "settings": {}}}, "asked settings epochs"),
        ({"asked": 3}, "asked recipe"),
        ({"notes": None}, "notes"),
        ({"status": None}, "status"),
        ({"result": None}, "result seconds"),
        ({"result": {**RESULT, "seconds": "1"}}, "result seconds"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(tmp_path, changes, unfit):
    write_run(tmp_path, {**RUN, **changes})
    with pytest.raises(UsageError) as refused:
        read_run(tmp_path)
    text = f"{tmp_path / 'training.json'} is damaged: {unfit} is missing or no such value; give another folder, a new one"
    assert str(refused.value) == text
    assert trained_on(f"local-dir:{tmp_path}") is None


@pytest.mark.parametrize(("schema", "told"), [(99, "99"), (None, "none"), ("\x1b[2J", r"\x1b[2J")])
def test_a_run_of_another_version_is_refused_in_one_line(tmp_path, schema, told):
    write_run(tmp_path, {**RUN, "schema": schema})
    with pytest.raises(UsageError) as refused:
        read_run(tmp_path)
    text = (
        f"{tmp_path / 'training.json'} is of schema {told}, and this oodkit reads schema 1; take the oodkit that wrote it, or give"
    )
    assert str(refused.value).startswith(text)


def test_an_unfinished_run_needs_no_result(tmp_path):
    write_run(tmp_path, {**RUN, "status": "unfinished", "result": None})
    assert read_run(tmp_path)["result"] is None


def test_a_setting_that_an_older_run_does_not_name_was_the_default():
    older = {**ASKED, "recipe_settings": {"alpha": 0.4}}
    now = {**ASKED, "settings": {**ASKED["settings"], "seed": 0, "flip": True}}
    assert differences(older, now) == []
    assert differences(older, {**now, "settings": {**now["settings"], "flip": False}}) == ["flip True there, False here"]
    assert differences(older, {**ASKED, "recipe_settings": {"alpha": 0.4, "beta": 0.1}}) == [
        "beta of the recipe 0.0 there, 0.1 here"
    ]


def test_a_default_of_a_recipe_that_has_changed_since_is_told():
    plain = {**ASKED, "recipe": "mixup"}
    older = {**plain, "recipe_settings": {"alpha": 1.0, "beta": 0.0}}
    now = {**plain, "recipe_settings": {"alpha": 0.2, "beta": 0.0}}
    assert differences(older, now) == ["alpha of the recipe 1.0 there, 0.2 here"]


def test_another_recipe_is_told_by_its_name_alone():
    other = {**ASKED, "recipe": "v1", "recipe_settings": {}}
    assert differences(ASKED, other) == ["recipe mixup:alpha=0.4 there, v1 here"]
    assert differences({**ASKED, "recipe": "of-another-version"}, other) == ["recipe of-another-version there, v1 here"]


@pytest.mark.parametrize("settings", [3, None, [1], "alpha"])
def test_settings_of_a_recipe_that_are_none_make_another_run(settings):
    assert differences({**ASKED, "recipe_settings": settings}, ASKED)[0].startswith("alpha of the recipe none there, 0.4 here")


@pytest.mark.parametrize("document", ["run.json", "fit.json"])
def test_the_folder_of_a_synthesis_or_a_fit_is_none_to_train_into(tmp_path, document):
    (tmp_path / document).write_text("{}")
    with pytest.raises(UsageError, match=f"has a {document} and no training of oodkit's beside it; give another folder"):
        read_run(tmp_path)


def asked(**settings):
    processes = settings.pop("processes")
    return {"processes": processes, "settings": asdict(Settings(**settings))}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"processes": 1, "batch_size": 128}, []),
        ({"processes": 4, "batch_size": 32}, []),
        ({"processes": 1, "batch_size": 64}, ["processes 2 there, 1 here, which take the same steps with --batch-size 128"]),
        ({"processes": 3, "batch_size": 64}, ["processes 2 there, 3 here"]),
        ({"processes": 2, "batch_size": 32}, ["batch size 64 there, 32 here"]),
        ({"processes": 1, "batch_size": 128, "lr": 0.5}, ["lr 0.1 there, 0.5 here"]),
    ],
)
def test_other_processes_go_on_with_a_training_where_a_step_has_the_same_images(now, told):
    assert differences(asked(processes=2, batch_size=64), asked(**now)) == told


def test_a_step_of_other_processes_has_as_many_real_images_too():
    """With α = 0.6 two processes of 4 take 2 real images each, one of 8 takes 5; with outliers named, as many of these."""
    assert round(0.6 * 4) + round(0.6 * 4) == 4 != round(0.6 * 8)
    differing = differences(asked(processes=2, batch_size=4, alpha=0.6), asked(processes=1, batch_size=8, alpha=0.6))
    assert differing == ["processes 2 there, 1 here", "batch size 4 there, 8 here"], "no batch size makes it the same"
    assert not differences(asked(processes=2, batch_size=5, alpha=0.6), asked(processes=1, batch_size=10, alpha=0.6))
    before = asked(processes=2, batch_size=5, outlier_batch=3)
    assert not differences(before, asked(processes=1, batch_size=10, outlier_batch=6))
    assert differences(before, asked(processes=1, batch_size=10))
