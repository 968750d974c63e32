"""What ``oodkit augdelete`` refuses, in one clear line and before any image is read."""

import pytest
from PIL import Image

from .repairing import BARE, SETS, SMALL, TEST, V2


def test_nothing_that_can_be_refused_early_is_refused_late(run, forwarded):
    for arguments, message in (
        (("--alpha", "1"), "alpha, the share of ID images that may be rejected, lies above 0 and below 1, got 1.0"),
        (("--l2", "-1"), "l2 is a number above 0, got -1; sgd alone can do with 0"),
        (("--l2", "0"), "l2 is a number above 0, got 0"),
        (("--scorer", "knm"), "knn"),
        (("--views", "2", "--seed", "-1"), "--views draws with a seed of 0 or more, got -1"),
    ):
        ran = run("augdelete", V2, *SETS, *arguments)
        assert ran.code == 2
        assert message in ran.err
        assert len(ran.err.splitlines()) == 1
    assert forwarded == []


@pytest.mark.parametrize("name", ["head.safetensors", "detector.safetensors", "scores.safetensors", "result.json"])
@pytest.mark.parametrize("command", ["augdelete", "diagnose", "demo"])
def test_files_of_the_users_own_are_not_replaced(run, forwarded, tmp_path, name, command):
    (tmp_path / name).write_text("mine")
    ran = run(command, *(() if command == "demo" else (V2, *SETS)), "-o", ".")
    message = f"error: . has a {name} and no result of oodkit's beside it; give --output FOLDER, a new one\n"
    assert (ran.code, ran.err, (tmp_path / name).read_text(), forwarded) == (2, message, "mine", [])


@pytest.mark.parametrize(
    ("frac", "message"),
    [
        ("0.2,0.2", "the share 0.2 comes twice; give each once"),
        ("0.2,0.20", "the share 0.2 comes twice"),
        ("0", "'0' is no share; above 0, since the head as it is stands beside every share anyway"),
        ("-0.1", "'-0.1' is no share"),
        ("1.5", "'1.5' is more than all training images, which are 1; did you mean 0.015?"),
        ("20", "'20' is more than all training images, which are 1; did you mean 0.2?"),
        ("200", "'200' is more than all training images, which are 1; 20 % of them are 0.2"),
        ("abc", "'abc' is no number; give a share such as 0.2, or several: 0.05,0.1,0.2"),
        ("0.2,", "'' is no number"),
        ("nan", "'nan' is no number"),
        ("inf", "'inf' is more than all training images"),
    ],
)
def test_shares_that_are_none(run, frac, message):
    ran = run("augdelete", V2, *SETS, f"--frac={frac}")
    assert ran.code == 2
    assert message in " ".join(ran.err.replace("│", " ").split())


def test_shares_that_come_to_the_same_images_are_refused(run, forwarded):
    ran = run("augdelete", V2, *SETS, *BARE, "--frac", "0.5,0.2001,0.2002")
    message = "error: the shares 0.2001 and 0.2002 of 60 training images come to the same 12: give one of them\n"
    assert (ran.code, ran.err) == (2, message)
    assert forwarded == []


@pytest.mark.parametrize(
    ("sets", "code", "message"),
    [
        (TEST, 2, f"no training images to refit {V2} on: give --train SET, a folder of class folders for example"),
        ((*TEST, "--train", "none"), 2, f"no training images to refit {V2} on"),
        (
            (*TEST, "--train", "demo:digits:val", "--val", "demo:digits:val"),
            2,
            "the training images are the very set given as --val, which is to judge the refit: give others, or --val none",
        ),
        ((*TEST, "--train", "flat"), 3, "3 of 3 training images of flat have no label; give class folders"),
        ((*TEST, "--train", "nowhere"), 3, "nowhere"),
    ],
)
def test_training_images_that_are_none(run, forwarded, tmp_path, sets, code, message):
    (tmp_path / "flat").mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(tmp_path / "flat" / f"{i}.png")
    ran = run("augdelete", V2, *sets, *SMALL, *BARE)
    assert (ran.code, len(ran.err.splitlines())) == (code, 1), ran.err
    assert message in ran.err
    assert forwarded == []


@pytest.mark.parametrize("command", ["diagnose", "augdelete"])
@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (("--train", "demo:digits"), "the training images are the very set given as --id: give images that are not tested on"),
        (("--train", "demo:digits:test"), "the training images are the very set given as --id"),
        (
            ("--train", "demo:digits:train", "--val", "demo:digits"),
            "the set given as --id is the very set given as --val, from which scorers and repairs learn: give others, or --val",
        ),
        (
            ("--train", "demo:photo-patches"),
            "the OOD set 'patches' is the very set given as training images; name images of other things",
        ),
    ],
)
def test_no_set_is_learnt_from_and_tested_on(run, forwarded, command, sets, message):
    ran = run(command, V2, *TEST, *sets, *SMALL, *BARE)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran.err
    assert message in ran.err
    assert forwarded == []
