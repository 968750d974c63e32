"""Whatever gives the images, a synthesis of them is the same kind of folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oodkit
from oodkit.images.classes import align_labels
from oodkit.synth import make_generator
from oodkit.synth.classes import classes_like
from oodkit.synth.run import synthesize
from oodkit.training.plan import Sets, Shape, plan


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def pixels(path):
    return np.asarray(Image.open(path))


def test_a_folder_is_copied_image_for_image_and_a_broken_one_is_counted(image_folder, tmp_path):
    root = image_folder(classes=("cat", "dog"), each=3)
    (root / "dog" / "1.png").write_bytes(b"none")
    made = synthesize(f"dir:{root}", tmp_path / "made", per_class=3, device="cpu")
    assert (made.class_names, np.bincount(made.labels).tolist()) == (("cat", "dog"), [3, 2])
    assert json.loads((tmp_path / "made" / "run.json").read_text())["counts"]["dropped"] == {"unreadable": 1}
    for line in manifest(tmp_path / "made"):
        assert np.array_equal(pixels(tmp_path / "made" / line["file"]), pixels(root / line["class"] / f"{line['index']}.png"))
        assert line["seed_scope"] == "none"


def test_a_flat_folder_gets_the_labels_of_a_classifier(image_folder, tmp_path, tiny_model):
    root = image_folder(classes=("all",), each=12) / "all"
    made = synthesize(f"dir:{root}", tmp_path / "made", count=12, label_with=tiny_model, device="cpu")
    labels, note = align_labels(made, tiny_model.class_names, None, 3)
    outputs = oodkit.extract(tiny_model, made, cache=False, workers=0, device="cpu")
    assert note is None or "none of" in note
    assert np.array_equal(outputs.logits.argmax(1).numpy(), labels)
    assert {line["labelled_by"] for line in manifest(tmp_path / "made")} == {"tiny"}


def test_images_that_disagree_are_dropped_and_counted(image_folder, tmp_path, tiny_model):
    root = image_folder(each=6)
    made = synthesize(f"dir:{root}", tmp_path / "made", per_class=6, label_with=tiny_model, keep_agreeing=True, device="cpu")
    counts = json.loads((tmp_path / "made" / "run.json").read_text())["counts"]
    whole = oodkit.extract(tiny_model, oodkit.open_images(root), cache=False, workers=0, device="cpu")
    agreeing = int((whole.logits.argmax(1) == whole.labels).sum())
    assert 0 < agreeing < 18
    assert (len(made), counts["dropped"]) == (agreeing, {"disagreed": 18 - agreeing})


@pytest.fixture
def squares(tmp_path) -> Path:
    """A function that makes any name's images: as bright as the seed, as wide as the name is long."""
    code = """
import numpy as np

def squares(classes, seeds):
    images = np.zeros((len(seeds), 9, 9, 3), np.uint8)
    for image, name, seed in zip(images, classes, seeds):
        image[:, : len(name)] = seed % 255
    return images
"""
    (tmp_path / "squares.py").write_text(code)
    return tmp_path / "squares.py"


def test_images_of_hostile_names_are_aligned_with_the_model_that_they_were_made_like(squares, tmp_path, tiny_model):
    tiny_model.class_names = ("../up", "tv/set", "\x1b[1m")
    generator = make_generator(f"py:{squares}:squares")
    classes = classes_like(tiny_model, generator)
    made = synthesize(generator, tmp_path / "made", classes=classes, per_class=2, batch_size=4)
    labels, note = align_labels(made, tiny_model.class_names, None, 3)
    assert (sorted(labels.tolist()), note) == ([0, 0, 1, 1, 2, 2], None)
    for index, label in enumerate(labels):
        lit = np.asarray(made.load(index)).any(axis=(0, 2))
        assert lit.sum() in {0, len(tiny_model.class_names[label])}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "squares.py"]


def test_shards_that_webdataset_wrote_are_images_made_elsewhere(tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="its writer makes the shards")
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        for index in range(4):
            writer.write({"__key__": f"{index:04}", "png": np.full((4, 4, 3), 9 * index, np.uint8), "cls": index % 2})
    made = synthesize(f"wds:{tmp_path / 'a.tar'}", tmp_path / "made", per_class=2)
    found = sorted((int(label), int(np.asarray(made.load(index))[0, 0, 0])) for index, label in enumerate(made.labels))
    assert found == [(0, 0), (0, 18), (1, 9), (1, 27)]


def test_copies_of_numbered_arrays_are_trained_with_real_images_of_named_classes(image_folder, tmp_path):
    """As the pair of arrays itself is: its labels are places in the class order."""
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    labels = np.array([2, 0, 1, 2, 2, 0])
    np.save(tmp_path / "a.npy", images)
    np.save(tmp_path / "b.npy", labels)
    made = synthesize(f"npy:{tmp_path / 'a.npy'},{tmp_path / 'b.npy'}", tmp_path / "made", device="cpu")
    real = oodkit.open_images(image_folder(classes=("cat", "dog", "fox")))
    planned = plan("test_resnet", Sets(real, synthetic=made), "v1", 0.5, Shape(input_size=32), {"epochs": 1, "batch_size": 4})
    for place, label in enumerate(planned.synthetic.labels):
        whose = [n for n in range(6) if np.array_equal(np.asarray(planned.synthetic.images.load(place)), images[n])]
        assert labels[whose].tolist() == [label]
    assert f"{tmp_path / 'made'}: its class folders are numbers, taken for places in the class order: 0 is 'cat'" in planned.notes
