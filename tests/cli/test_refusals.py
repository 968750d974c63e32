"""What ``oodkit diagnose`` refuses, in one clear line."""

import errno
import os
import signal
import sys
from textwrap import dedent

import pytest
from PIL import Image

V1, V2 = "demo:digits-v1", "demo:digits-v2"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((V1, "--id", "demo:digits"), 2, "no out-of-distribution images: give --near NAME=SET or --far NAME=SET"),
        ((V1, "--far", "x=demo:photo-patches"), 2, "no in-distribution images: give --id SET"),
        ((V1, "--id", "demo:digits", "--far", "photo-patches"), 2, "is not NAME=SET"),
        ((V1, "--id", "demo:digits", "--far", "x=demo:digits", "--near", "x=demo:digits"), 2, "'x' is named as near and as far"),
        ((V1, "--id", "demo:digits", "--far", "mean=demo:digits"), 2, "can't be named 'mean'"),
        ((V1, "--id", "demo:nothing", "--far", "x=demo:digits"), 3, "no demo image set named 'nothing'"),
        ((V1, "--id", "no/such/folder", "--far", "x=demo:digits"), 3, "no/such/folder"),
        ((V1, "--id", "demo:digits-unseen", "--far", "x=demo:photo-patches"), 3, "belong to none of the 8 classes"),
        ((V1, "--id", "demo:digits", "--far", "x=demo:photo-patches", "--scorer", "knm"), 2, "knn"),
        ((V1, "--id", "demo:digits", "--far", "x=demo:photo-patches", "--scorer", "knn:q=1"), 2, "knn"),
        ((V1, "--id", "demo:digits", "--far", "x=demo:photo-patches", "--device", "tpu"), 2, "no device 'tpu'"),
        ((V1, "--benchmark", "cifar10", "--id", "demo:digits"), 2, "names all image sets already"),
        ((V1, "--benchmark", "cifar11", "--data-root", "."), 2, "no benchmark 'cifar11'; choose from cifar10"),
        (("py:nowhere.py:net", "--input-size", "32"), 3, "nowhere.py"),
        (("test_resnet.nothing",), 3, "test_resnet"),
        (("n" * 300,), 3, "nnn: File name too long; check the path"),
        ((V1, "--report", f"{'r' * 300}.html"), 2, f"no file can be named {'r' * 60}…: it is too long; give a shorter name"),
    ],
)
def test_wrong_input_is_one_clear_line(run, arguments, code, message):
    ran = run("diagnose", *arguments)
    assert ran.code == code
    assert message in " ".join(ran.err.split())
    assert ran.out == ""


def test_a_bare_model_names_both_ways_to_give_images(run, tmp_path):
    (tmp_path / "net.py").write_text("import timm\ndef net():\n    return timm.create_model('test_resnet', num_classes=7)\n")
    ran = run("diagnose", f"py:{tmp_path / 'net.py'}:net", "--input-size", "32")
    assert ran.code == 2
    assert "name them with --id SET and --near/--far NAME=SET, or give --benchmark NAME with --data-root DIR" in ran.err


def test_debug_shows_the_traceback(run, monkeypatch):
    from oodkit.cli import main
    from oodkit.errors import ImageSetError

    monkeypatch.setenv("OODKIT_DEBUG", "")
    monkeypatch.setattr(sys, "argv", ["oodkit", "--debug", "diagnose", V1, "--id", "demo:nothing", "--far", "x=demo:digits"])
    with pytest.raises(ImageSetError, match="no demo image set named 'nothing'"):
        main()


def test_labels_are_checked_before_any_forward_pass(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["oodkit.forward"], "features_and_logits", lambda *_: pytest.fail("a forward pass was made"))
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.png")
    ran = run("diagnose", V1, "--id", str(tmp_path / "flat"), "--far", "x=demo:photo-patches", "--workers", "0")
    assert ran.code == 3
    assert "1 of 1 images" in ran.err
    assert "they have no labels" in ran.err


@pytest.fixture
def stopped_synthesis(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "run.json").write_text('{"kind": "synthesis", "status": "unfinished", "asked": {"count": 5}}')
    return f"error: {tmp_path} is an unfinished synthesis, 1 of 5 images; the same oodkit synth command goes on\n"


@pytest.mark.parametrize("role", ["--id", "--near", "--far", "--train", "--tune"])
def test_a_synthesis_that_is_not_finished_is_no_set_to_diagnose_on(run, tmp_path, stopped_synthesis, role):
    named = str(tmp_path) if role in {"--id", "--train"} else f"stopped={tmp_path}"
    ran = run("diagnose", V1, *(("--id", "demo:digits") if role != "--id" else ()), "--far", "x=demo:photo-patches", role, named)
    assert (ran.code, ran.out, ran.err) == (2, "", stopped_synthesis)


@pytest.mark.parametrize(
    "command",
    [
        ("export", V1, "--calibrate"),
        ("export", V1, "--scorer", "knn", "--calibrate", "demo:digits", "--train"),
        ("synth", "fit", "--data"),
    ],
)
def test_nor_is_it_one_to_calibrate_on_or_to_learn_from(run, tmp_path, stopped_synthesis, command):
    ran = run(*command, str(tmp_path))
    assert (ran.code, ran.out, ran.err) == (2, "", stopped_synthesis)


def test_an_unexpected_error_is_one_line_too(run, monkeypatch):
    import oodkit.cli.loading

    monkeypatch.setattr(oodkit.cli.loading, "load_classifier", lambda *_, **__: 1 / 0)
    ran = run("diagnose", V1)
    assert ran.code == 1
    assert ran.err.startswith("error: unexpected ZeroDivisionError: division by zero; oodkit --debug")
    assert ran.err.count("\n") == 1


def test_a_disk_that_is_full_where_stdout_goes_is_no_bug_of_oodkit(run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("oodkit.cli.listing._cell", full)
    ran = run("list", "scorers")
    told = f"error: can't write to stdout: {os.strerror(errno.ENOSPC)}; free some space there and run again\n"
    assert (ran.code, ran.err) == (1, told)


@pytest.fixture
def heeded():
    """Ctrl-C, which a process that was started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_an_import_that_swallows_ctrl_c_and_breaks_is_an_interruption(run, monkeypatch, heeded):
    def half_imported(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise AttributeError("module 'numpy' has no attribute 'matrix'") from None

    monkeypatch.setattr("oodkit.cli.loading.load_classifier", half_imported)
    assert run("diagnose", V1) == (130, "", "")


def test_a_report_that_could_not_be_written_is_refused_before_any_work(run, monkeypatch):
    monkeypatch.setattr("oodkit.cli.loading.load_classifier", lambda *_, **__: pytest.fail("a model was loaded"))
    ran = run("diagnose", V1, "--report", ".")
    assert ran.code == 2
    assert "--report . is a folder; give the name of a file" in ran.err
    ran = run("diagnose", V1, "--report", "report.md")
    assert ran.code == 2
    assert ran.err == "error: --report report.md would hold a page of HTML; give FILE.html, or --format for another form\n"


def test_the_id_set_under_another_name_is_no_ood_set(run):
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", "x=demo:digits")
    assert ran.code == 2
    assert "the OOD set 'x' is the very set given as --id" in ran.err


def test_impossible_numbers_are_usage_errors(run):
    for option, text in (("--std", "0"), ("--mean", "nan"), ("--input-size", "-3"), ("--input-size", "1,2,3,4")):
        ran = run("diagnose", V1, option, text)
        assert ran.code == 2, (option, text)


@pytest.mark.parametrize("value", ["{1, 2}", "1j", "1e999", "b'x'", "[1, -1e999]", "{(1, 2): 3}"])
def test_an_argument_that_the_result_cannot_hold_is_refused_before_any_work(run, tmp_path, value):
    ran = run("diagnose", "py:nowhere.py:net", "--model-arg", f"scale={value}")
    assert (ran.code, ran.out) == (2, "")
    assert "can't stand in the result; expected text, a finite number, True, False" in " ".join(ran.err.replace("│", "").split())
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_logits_are_not_finite_is_one_clear_line(run, tmp_path):
    """Here of bright images only: the head is found on others."""
    code = """
        import torch
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = torch.nn.Linear(3, 2)
            def forward(self, pixels):
                means = pixels.mean((2, 3))
                return self.fc(torch.where(means > 8, torch.nan, means))
        def net():
            return Net()
    """
    (tmp_path / "net.py").write_text(dedent(code))
    for folder, brightness in (("id/0", 9), ("id/1", 20), ("far", 255)):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (8, 8), (brightness,) * 3).save(tmp_path / folder / "a.png")
    sets = ("--id", "id", "--far", "white=far", "--workers", "0", "--device", "cpu")
    scaling = ("--input-size", "8", "--mean", "0,0,0", "--std", "0.1,0.1,0.1")
    ran = run("diagnose", "py:net.py:net", *scaling, *sets)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == (
        "error: the network gives logits that are not finite in float32; the weights may be damaged"
    )
