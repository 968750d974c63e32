"""What ``oodkit synth`` refuses, in one clear line and before an image is made; and what ends it later."""

import errno
import re
from pathlib import Path

import pytest

from .makers import write_makers

NOISE = ("synth", "--model", "py:makers.py:noise", "--device", "cpu")
FLAT = ("synth", "--model", "py:makers.py:flat", "--device", "cpu")


@pytest.fixture(autouse=True)
def makers(tmp_path):
    write_makers(tmp_path)


def in_one_line(text):
    return " ".join(text.replace("│", "").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--per-class", "3"), "no generator: give --model NAME, one of oodkit list generators or the folder of oodkit synth fit"),
        (("biggan",), "'biggan' is no subcommand of synth (fit, quality); a generator is given as --model biggan"),
        (("qualty",), "'qualty' is no subcommand of synth (fit, quality); did you mean quality?"),
        (("--model", "bigan"), "no generator 'bigan'; did you mean biggan?"),
        (
            ("--seed", "1", "--model", "x", "fit", "--data", "demo:digits"),
            "--model, --seed before fit belong to oodkit synth itself: options of fit stand after its name",
        ),
        ((*NOISE[1:], "--classes", "cat", "--like", "x"), "--classes and --like both say which classes to make: give one of them"),
        ((*NOISE[1:], "--keep-agreeing"), "--keep-agreeing needs a classifier: give --label-with MODEL, or --like MODEL"),
        (
            (*NOISE[1:], "--min-confidence", "0.5"),
            "--min-confidence is a classifier's: give --label-with MODEL, or --like MODEL with --keep-agreeing",
        ),
        (
            (*NOISE[1:], "--quality", "90"),
            "--quality is of jpeg files, and png ones lose nothing: give --save-format jpeg, or leave it out",
        ),
        ((*NOISE[1:], "--classes", "catt"), "no class 'catt'; did you mean 0 cat?"),
        (
            (*NOISE[1:], "--classes", "0,"),
            "--classes '0,' has an empty word, where a comma has no class beside it: name a class there, or leave it out",
        ),
        ((*NOISE[1:], "--classes", " "), "--classes ' ' is empty: name a class there, or leave it out"),
        ((*NOISE[1:], "--generator-arg", "brigthness=3"), "did you mean brightness?"),
        (
            (*NOISE[1:], "--count", "3"),
            "py:makers.py:noise makes images of classes: give --per-class; --count is",
        ),
        (
            ("--model", "py:makers.py:anything"),
            "py:makers.py:anything makes what a text says: name classes, --classes CLASS,…, or take a model's, --like MODEL",
        ),
        (
            (*FLAT[1:], "--classes", "cat"),
            "py:makers.py:flat can't be told which class to make: leave --classes out; --label-with MODEL gives its images labels",
        ),
        (
            (*FLAT[1:], "--like", "demo:digits-v1"),
            "py:makers.py:flat can't be told which class to make: leave --like out; --label-with MODEL gives its images labels",
        ),
        (
            (*FLAT[1:], "--keep-agreeing", "--label-with", "demo:digits-v1"),
            "py:makers.py:flat knows no classes to agree on: leave --keep-agreeing out; --min-confidence drops images",
        ),
        (FLAT[1:], "py:makers.py:flat knows no classes: give --label-with MODEL, which gives its images labels, or --count N"),
        ((*NOISE[1:], "-o", "makers.py"), "makers.py"),
        (("--model", "biggan", "--classes", "crane"), "crane"),  # before weights are looked for
        ((*NOISE[1:], "--device", "cuda:77"), "no device 'cuda:77' here"),
        ((*NOISE[1:], "--trust-remote-code"), "--trust-remote-code"),
    ],
)
def test_what_can_not_be_made_is_one_line(run, words, message):
    ran = run("synth", *words)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert message in ran.err.splitlines()[-1]
    assert ran.err.count("error:") == 1
    assert not Path("oodkit-runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--save-format", "jpg"), "'jpg' is not one of 'png', 'jpeg'; did you mean jpeg?"),
        (("--batch-size", "none"), "'none' is neither auto nor a whole number above 0"),
        (("--generator-arg", "steps"), "'steps' is not K=V, such as depth=2"),
        (("--generator-arg", "a=1", "--generator-arg", "a=2"), "a comes twice; give it once"),
        (("--generator-arg", "a=NaN"), "'a=NaN' can't stand in the result"),
        (("-o", ""), "the path is empty; write . for the folder at hand"),
    ],
)
def test_values_that_are_none_of_an_option(run, words, message):
    ran = run(*NOISE, *words)
    assert ran.code == 2
    assert message in in_one_line(ran.err)
    assert not Path("oodkit-runs").exists()


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        (("--per-class", "0"), "greater than or equal to 1|x>=1"),
        (("--size", "3"), "greater than or equal to 4|4<=x"),
        (("--size", "100000"), "less than or equal to 8192|x<=8192"),
        (("--min-confidence", "1.5"), "less than or equal to 1|x<=1"),
    ],
)
def test_values_beyond_the_bounds_of_an_option(run, words, bound):
    """The words are those of typer, which has others from version to version."""
    ran = run(*NOISE, *words)
    assert ran.code == 2
    assert words[0] in ran.err
    assert re.search(bound, in_one_line(ran.err))
    assert not Path("oodkit-runs").exists()


def test_the_environment_is_no_option_before_a_subcommand(run, monkeypatch):
    """OODKIT_SEED and its like go to whichever command there is."""
    monkeypatch.setenv("OODKIT_SEED", "3")
    assert "no folder or file nowhere" in run("synth", "fit", "--data", "nowhere").err


def test_images_of_the_wrong_kind_are_one_line_and_leave_none(run):
    ran = run("synth", "--model", "py:makers.py:broken", "-o", "made")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("error: py:makers.py:broken returned ")
    assert not list(Path("made").rglob("*.png"))


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(run, monkeypatch):
    from oodkit.synth import storing

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "write_atomically", full)
        patch.setattr(Path, "write_bytes", full)
        ran = run(*NOISE, "--per-class", "2", "-o", "made")
    assert ran.code == 1, ran.err
    assert "No space left on device" in ran.err.splitlines()[-1]
    assert run(*NOISE, "--per-class", "2", "-o", "made").code == 0
    assert len(list(Path("made").rglob("*.png"))) == 6


def test_nothing_kept_is_an_error_with_the_reasons(run):
    ran = run(*FLAT, "--label-with", "demo:digits-v1", "--count", "4", "--min-confidence", "1", "-o", "made")
    assert ran.code == 1
    told = "no image was kept in made (4 unsure); ask for a lower --min-confidence, or another generator"
    assert ran.err.splitlines()[-1] == f"error: {told}"


def test_several_processes_need_a_folder_by_name(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    ran = run(*NOISE)
    assert (ran.code, ran.err) == (2, "error: several processes write into one folder: name it, -o DIR\n")


def test_of_several_processes_the_last_tells_what_came_of_it(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    first = run(*NOISE, "--per-class", "4", "-o", "made")
    assert (first.code, first.out) == (0, "")
    told = "this process has done its part; the last one to end finishes made and tells what came of it"
    assert first.err.splitlines()[-1] == told
    monkeypatch.setenv("RANK", "1")
    second = run(*NOISE, "--per-class", "4", "-o", "made")
    assert (second.code, second.err) == (0, "")
    assert second.out.startswith("12 images of 3 classes")
    assert run(*NOISE, "--per-class", "4", "-o", "made").out == "", "finished before: the first process tells it"
