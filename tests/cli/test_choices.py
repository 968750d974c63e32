"""A value that is no choice of an option: told with the choices, and with the nearest of them."""

import pytest

from oodkit.cli.choices import meant

TRAIN = ("train", "test_resnet", "--data", "demo:digits:train")


def in_one_line(text):
    return " ".join(text.replace("│", "").split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*TRAIN, "--stem", "smal"), "'smal' is not one of 'auto', 'small', 'own'; did you mean small?"),
        ((*TRAIN, "--amp", "BF16"), "'BF16' is not one of 'no', 'bf16', 'fp16'; did you mean bf16?"),
        (
            ("list", "recpes"),
            "'recpes' is not one of 'models', 'scorers', 'recipes', 'generators', 'benchmarks'; did you mean recipes?",
        ),
        (("report", "--format", "xyz"), "'xyz' is not one of 'html', 'text', 'json', 'markdown', 'csv', 'model-card' "),
    ],
)
def test_the_nearest_choice_is_named(run, words, message):
    ran = run(*words)
    assert ran.code == 2
    assert message in in_one_line(ran.err) + " "
    assert "Value error" not in ran.err


@pytest.mark.parametrize("message", ["no number", "it's is not one of mine", "'a' is not one of us"])
def test_any_other_message_stays_as_it_is(message):
    assert meant(message) == message


@pytest.mark.parametrize(
    "words", [TRAIN, ("finetune", "x", "--data", "y"), ("demo",), *((one, "x") for one in ("diagnose", "augdelete", "export"))]
)
def test_an_empty_path_is_refused_and_not_taken_for_the_folder_at_hand(run, tmp_path, words):
    """An unset variable of a shell leaves one: -o "$RUN"."""
    ran = run(*words, "-o", "")
    assert ran.code == 2
    assert "the path is empty; write . for the folder at hand" in in_one_line(ran.err)
    assert not list(tmp_path.iterdir())


def test_nor_is_an_empty_cache_which_would_be_kept_in_the_folder_at_hand(run, tmp_path):
    ran = run("diagnose", "demo:digits-v1", "--cache", "", "--limit", "8", "--workers", "0")
    assert ran.code == 2
    assert "the path is empty; write . for the folder at hand" in in_one_line(ran.err)
    assert not list(tmp_path.iterdir())
