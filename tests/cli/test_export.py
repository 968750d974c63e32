"""``oodkit export``: what was repaired or calibrated leaves, with its card, and takes the place of nothing of the user's."""

import json
import shutil

import pytest
import torch
from huggingface_hub import ModelCard, constants
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import oodkit
from oodkit.cli import app
from oodkit.head import Head

from .scoring import NET

SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--train", "demo:digits:train", "--scorer", "mls")
SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu", "--baseline", "none")
RUNS = ("--workers", "0", "--device", "cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One real repair; everything below is exported from its folder."""
    folder = tmp_path_factory.mktemp("made")
    words = ["augdelete", "demo:digits-v2", "--frac", "0.5", *SETS, *SMALL, "--cache", str(folder / "cache")]
    done = CliRunner().invoke(app, [*words, "--output", str(folder / "run")])
    assert done.exit_code == 0, done.output
    return folder / "run"


@pytest.fixture
def last(made, tmp_path):
    """The same run as the one made last, below the folder that the test works in."""
    return shutil.copytree(made, tmp_path / "oodkit-runs" / "augdelete-001")


def logits(model):
    with torch.no_grad():
        return model.net(torch.ones(1, *model.input_size))


def repaired(last):
    source = oodkit.load_classifier("demo:digits-v2")
    Head.load(last / "head.safetensors").apply_to(source.net)
    return logits(source)


def test_without_a_word_it_is_the_head_of_the_repair_made_last(run, last, tmp_path):
    ran = run("export")
    assert (ran.code, ran.out.splitlines()) == (
        0,
        ["demo-digits-v2-AugDelete-head.safetensors", "demo-digits-v2-AugDelete-head.safetensors.md"],
    )
    assert ran.err.startswith("the run made last: oodkit-runs/augdelete-001, ")
    exported = load_file(tmp_path / "demo-digits-v2-AugDelete-head.safetensors")
    stored = Head.load(last / "head.safetensors")
    assert torch.equal(exported["fc.weight"], stored.weight)
    assert torch.equal(exported["fc.bias"], stored.bias)


def test_its_card_has_the_figures_of_the_run(run, last, tmp_path):
    assert run("export", "-o", "head.safetensors").code == 0
    document = json.loads((last / "result.json").read_text())
    card = ModelCard((tmp_path / "head.safetensors.md").read_text(), ignore_metadata_errors=False)
    found = {(one.dataset_name, one.metric_name): one.metric_value for one in card.data.eval_results}
    after = next(row for row in document["models"][1]["results"] if row["ood_set"] == "unseen")
    assert found["unseen", "AUROC, mls"] == pytest.approx(after["auroc"]["value"], abs=5e-5)
    assert "### Before and after the repair" in card.text
    assert f"{100 * document['models'][0]['accuracy']['value']:.2f} (" in card.text
    assert "it was fitted on 50 % of the training images demo" in card.text


def test_a_head_beside_a_run_that_did_not_make_it_has_no_figures_of_that_run(run, last, tmp_path, demo_sets):
    assert run("diagnose", "demo:digits-v2", *demo_sets, "--scorer", "mls", "--baseline", "none", "-o", "plain", "-q").code == 0
    shutil.copy(last / "head.safetensors", tmp_path / "plain" / "head.safetensors")
    shutil.copy(last / "head.safetensors", last / "own.safetensors")
    for head in ("plain/head.safetensors", str(last / "own.safetensors")):
        assert run("export", "demo:digits-v2", "--head", head, "-o", "out.safetensors").code == 0
        card = ModelCard((tmp_path / "out.safetensors.md").read_text(), ignore_metadata_errors=False)
        assert not card.data.eval_results
        assert "it was fitted on 50 % of the training images demo" in card.text


@pytest.mark.parametrize(("form", "name"), [("timm", "local-dir:out"), ("state-dict", "out/model.safetensors")])
def test_a_whole_network_is_diagnosed_again_by_name(run, last, tmp_path, form, name, demo_sets):
    ran = run("export", "--as", form, "-o", "out")
    assert ran.code == 0
    assert {line.removeprefix("out/") for line in ran.out.splitlines()} == {path.name for path in (tmp_path / "out").iterdir()}
    torch.testing.assert_close(logits(oodkit.load_classifier(name)), repaired(last))
    again = run("diagnose", name, *demo_sets, "--scorer", "mls", "--baseline", "none", "--json")
    assert again.code == 0
    found = json.loads(again.out)["models"][0]
    assert found["facts"]["preprocessing"]["input_size"] == [3, 32, 32]
    assert found["facts"]["recipe"].endswith("; last layer refitted by plain cross-entropy")
    assert "oodkit augdelete" not in again.out


def test_an_earlier_export_is_renewed_and_the_users_files_are_not(run, last, tmp_path):
    assert run("export", "--as", "timm", "-o", "out").code == 0
    assert run("export", "--as", "timm", "-o", "out").code == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    ran = run("export", "--as", "timm", "-o", "out")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("error: out holds 'notes.txt', which oodkit export has not written; give -o another name\n")
    before = (last / "head.safetensors").read_bytes()
    ran = run("export", "-o", str(last / "head.safetensors"))
    assert ran.code == 2
    assert "head.safetensors is there already and oodkit export has not written it; give -o another name" in ran.err
    assert (last / "head.safetensors").read_bytes() == before


def test_a_model_and_a_head_by_name(run, last, tmp_path):
    ran = run("export", "demo:digits-v2", "--head", str(last / "head.safetensors"), "--as", "timm", "-o", "out")
    assert (ran.code, ran.err) == (0, "")
    torch.testing.assert_close(logits(oodkit.load_classifier("local-dir:out")), repaired(last))
    assert "### Before and after the repair" in (tmp_path / "out/README.md").read_text()  # the run lies beside the head


def test_a_head_of_another_network_is_refused(run, last):
    ran = run("export", "demo:digits-v1", "--head", str(last / "head.safetensors"))
    assert (ran.code, ran.out) == (3, "")
    assert "was made of demo:digits-v2 with the weights " in ran.err
    assert ran.err.endswith("…; give the network that it was made of\n")


def test_a_diagnosed_network_leaves_as_it_is(run, demo_sets, tmp_path):
    assert run("diagnose", "demo:digits-v1", *demo_sets, "--scorer", "mls", "--scorer", "msp").code == 0
    ran = run("export", "--as", "timm", "-o", "out")
    assert ran.code == 0
    assert ran.err.startswith("the run made last: oodkit-runs/diagnose-001, ")
    card = (tmp_path / "out/README.md").read_text()
    assert "nothing was changed: the weights are the source's own" in card
    assert "How well does the classifier notice images that belong to none of its 8 classes?" in card


def test_after_a_diagnosis_the_head_is_that_of_the_last_repair_of_the_same_model(run, last, demo_sets, tmp_path):
    assert run("diagnose", "demo:digits-v2", *demo_sets, "--scorer", "mls", "--baseline", "none", "-q").code == 0
    ran = run("export", "-o", "head.safetensors")
    assert ran.code == 0
    made, told = ran.err.splitlines()[:2]
    assert made.startswith("the run made last: oodkit-runs/diagnose-001, ")
    assert told.startswith("its model: demo:digits-v2; its last repair: oodkit-runs/augdelete-001, ")
    assert torch.equal(Head.load(tmp_path / "head.safetensors").weight, Head.load(last / "head.safetensors").weight)


def test_after_a_diagnosis_of_another_model_no_repair_is_taken(run, last, demo_sets, tmp_path):
    assert run("diagnose", "demo:digits-v1", *demo_sets, "--scorer", "mls", "--baseline", "none", "-q").code == 0
    ran = run("export", "-o", "head.safetensors")
    assert ran.err.splitlines()[1] == "its model: demo:digits-v1; it was not repaired: exported as it was loaded"
    own = oodkit.load_classifier("demo:digits-v1").head.weight
    assert torch.equal(Head.load(tmp_path / "head.safetensors").weight, own)


def test_a_smaller_graph_leaves_no_weights_of_an_earlier_one_behind(run, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    (tmp_path / "own.py").write_text(NET)
    words = ("export", "py:own.py:net", "--input-size", "32", "--as", "onnx", "-o", "net.onnx")
    names = ["net.onnx", "net.onnx.data", "net.onnx.md"]
    with monkeypatch.context() as patched:
        patched.setattr("oodkit.exporting.onnx.LARGEST_FILE", 0)
        assert run(*words).out.split() == names
    assert run(*words).code == 0
    assert sorted(path.name for path in tmp_path.glob("net*")) == [names[0], names[2]]
    assert "checked with onnxruntime" in (tmp_path / names[2]).read_text()


def test_an_export_that_was_cut_short_is_known_as_one(run, last, tmp_path, monkeypatch):
    def killed(path, *_):
        path.write_bytes(b"half")
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr("oodkit.exporting.target.Path.unlink", lambda *_, **__: None)  # nobody tidies up after a kill
        patch.setattr("oodkit.cli.exporting.save_head", killed)
        run("export", "-o", "head.safetensors")
    assert run("export", "-o", "head.safetensors").code == 0


def test_a_detector_rejects_a_share_alpha_of_the_images_it_was_calibrated_on(run, last, tmp_path):
    sets = ("--scorer", "knn:k=5", "--train", "demo:digits:train", "--calibrate", "demo:digits")
    ran = run("export", *sets, "--alpha", "0.1", "-o", "d.safetensors", *RUNS)
    assert (ran.code, ran.out) == (0, "d.safetensors\nd.safetensors.md\n")
    detector = oodkit.Detector.load(tmp_path / "d.safetensors")
    torch.testing.assert_close(logits(detector.model), repaired(last))
    assert len(detector.calibration) == 433
    assert detector.calibration.rank == 43  # of 434
    card = (tmp_path / "d.safetensors.md").read_text()
    assert "- scores: knn:k=5, which learnt from demo<span>:</span>digits:train; higher means more in-distribution" in card
    assert ": at most 10.0 % of 433 images of demo:digits lie below it (split-conformal)" in card


def test_a_scorer_that_learns_from_validation_images_gets_a_share_of_the_training_images(run, last):
    sets = ("--scorer", "temp_scaling", "--train", "demo:digits:train", "--calibrate", "demo:digits")
    assert run("export", *sets, "-o", "d.safetensors", *RUNS).code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--as", "detector"], "a detector needs ID images for its threshold: give --calibrate SET"),
        (
            ["--as", "timm", "--calibrate", "demo:digits"],
            "--calibrate makes a detector, and --as timm has none; leave one of them out",
        ),
        (
            ["--calibrate", "demo:digits", "--scorer", "knn"],
            "knn learns from ID images: give --train SET too, or a scorer that learns nothing, such as mls",
        ),
        (
            ["--calibrate", "demo:digits", "--alpha", "2"],
            "alpha, the share of ID images that may be rejected, lies above 0 and below 1, got 2.0",
        ),
        (["--as", "timm", "-o", "net.safetensors"], "--as timm is a folder; give -o FOLDER instead of net.safetensors"),
        (["-o", "folder"], "--as head is a .safetensors file; give -o FILE.safetensors instead of folder"),
        (["--push-to-hub", "net"], "--push-to-hub 'net' is no repository of the Hub; expected OWNER/NAME"),
        (["--arch", "resnet18"], "--arch resnet18 says how a model is loaded: name it, oodkit export MODEL --arch resnet18"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_any_work(run, last, words, told):
    ran = run("export", *words)
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {told}\n")


def test_what_runs_the_network_again_is_no_detector(run, last):
    ran = run("export", "--calibrate", "demo:digits", "--scorer", "odin")
    assert (ran.code, ran.err) == (
        1,
        "error: odin runs the network again on each image, which a detector does not; choose another\n",
    )


def test_images_that_the_scorer_learns_from_can_not_calibrate_it(run, last):
    ran = run("export", "--calibrate", "demo:digits", "--train", "demo:digits", "--scorer", "knn", *RUNS)
    assert ran.code == 2
    assert "knn would be calibrated on the images that it learns from: give --calibrate other ID images" in ran.err


def test_without_a_run_it_says_how_one_is_made(run):
    ran = run("export")
    assert (ran.code, ran.out) == (2, "")
    assert "no run to take; oodkit-runs has none yet" in ran.err


@pytest.mark.parametrize("damage", [b"", b"no head", None])
def test_a_damaged_or_foreign_head_is_one_line(run, tmp_path, damage):
    path = tmp_path / "head.safetensors"
    save_file({"fc.weight": torch.ones(2, 2)}, path) if damage is None else path.write_bytes(damage)
    ran = run("export", "demo:digits-v2", "--head", str(path))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (3, "", 1)
    assert "head.safetensors" in ran.err


def test_an_upload_takes_file_and_card(run, last, hub, tmp_path):
    ran = run("export", "--push-to-hub", "me/net", "-o", "head.safetensors")
    assert (ran.code, ran.out.splitlines()) == (0, ["head.safetensors", "head.safetensors.md", f"{hub.address}/me/net"])
    assert hub.files["me/net"] == {
        "head.safetensors": (tmp_path / "head.safetensors").read_bytes(),
        "README.md": (tmp_path / "head.safetensors.md").read_bytes(),
    }
    assert hub.private["me/net"]


def test_an_upload_that_fails_leaves_the_files(run, last, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    ran = run("export", "--push-to-hub", "me/net", "--public", "-o", "head.safetensors")
    assert (ran.code, ran.out.splitlines()) == (1, ["head.safetensors", "head.safetensors.md"])
    told = "can't upload: HF_HUB_OFFLINE is set; unset it and try again; what was written stays at head.safetensors"
    assert ran.err.splitlines()[-1] == f"error: {told}"
    assert (tmp_path / "head.safetensors").is_file()


pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's own, of its HTTP client
