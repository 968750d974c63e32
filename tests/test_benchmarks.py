"""OpenOOD v1.5's benchmarks on a miniature of its folders."""

import json
from dataclasses import asdict

import pytest
from PIL import Image

from oodkit.benchmarks import BENCHMARKS, benchmark_for, check_benchmark, open_benchmark_set
from oodkit.errors import ImageSetError, UnreadableImageError, UsageError


@pytest.fixture
def openood(tmp_path):
    """``data`` as OpenOOD lays it out: three images and two labels in every list, the images 3 × 2 pixels."""
    data = tmp_path / "data"
    for benchmark in BENCHMARKS.values():
        for group, sets in benchmark.groups().items():
            for name, listed in sets.items():
                lines = []
                for index in range(3):
                    path = f"{name}/{group}/{index}.png"
                    (data / listed.folder / path).parent.mkdir(parents=True, exist_ok=True)
                    Image.new("RGB", (3, 2)).save(data / listed.folder / path)
                    lines.append(f"{path} {index % 2 if group in {'id', 'shifted'} else -1}\n")
                (data / "benchmark_imglist" / listed.file).parent.mkdir(parents=True, exist_ok=True)
                (data / "benchmark_imglist" / listed.file).write_text("".join(lines))
    return data


def files(name: str) -> dict[str, str]:
    return {set_name: f"{listed.folder}: {listed.file}" for set_name, listed in BENCHMARKS[name].sets().items()}


def test_lists_are_spelled_as_openood_spells_them():
    """From openood/evaluation_api/datasets.py of OpenOOD v1.5."""
    assert list(BENCHMARKS) == ["cifar10", "cifar100", "imagenet-200", "imagenet-1k"]
    assert files("cifar10") == {
        "train": "images_classic: cifar10/train_cifar10.txt",
        "val": "images_classic: cifar10/val_cifar10.txt",
        "test": "images_classic: cifar10/test_cifar10.txt",
        "val_tin": "images_classic: cifar10/val_tin.txt",
        "cifar100": "images_classic: cifar10/test_cifar100.txt",
        "tin": "images_classic: cifar10/test_tin.txt",
        "mnist": "images_classic: cifar10/test_mnist.txt",
        "svhn": "images_classic: cifar10/test_svhn.txt",
        "texture": "images_classic: cifar10/test_texture.txt",
        "places365": "images_classic: cifar10/test_places365.txt",
        "cifar10c": "images_classic: cifar10/test_cifar10c.txt",
    }
    assert files("cifar100")["cifar10"] == "images_classic: cifar100/test_cifar10.txt"
    assert "cifar10c" not in files("cifar100")
    assert files("imagenet-200") == {
        "train": "images_largescale: imagenet200/train_imagenet200.txt",
        "val": "images_largescale: imagenet200/val_imagenet200.txt",
        "test": "images_largescale: imagenet200/test_imagenet200.txt",
        "val_openimage_o": "images_largescale: imagenet200/val_openimage_o.txt",
        "ssb_hard": "images_largescale: imagenet200/test_ssb_hard.txt",
        "ninco": "images_largescale: imagenet200/test_ninco.txt",
        "inaturalist": "images_largescale: imagenet200/test_inaturalist.txt",
        "textures": "images_classic: imagenet200/test_textures.txt",
        "openimage_o": "images_largescale: imagenet200/test_openimage_o.txt",
        "imagenet_v2": "images_largescale: imagenet200/test_imagenet200_v2.txt",
        "imagenet_c": "images_largescale: imagenet200/test_imagenet200_c.txt",
        "imagenet_r": "images_largescale: imagenet200/test_imagenet200_r.txt",
    }
    assert files("imagenet-1k")["test"] == "images_largescale: imagenet/test_imagenet.txt"
    assert files("imagenet-1k")["ssb_hard"] == "images_largescale: imagenet/test_ssb_hard.txt"
    assert files("imagenet-1k")["imagenet_es"] == "images_largescale: imagenet/test_imagenet_es.txt"


def test_near_and_far_sets_stand_in_openood_s_order_with_its_counts():
    groups = {
        name: [{one: listed.count for one, listed in group.items()} for group in (benchmark.near, benchmark.far)]
        for name, benchmark in BENCHMARKS.items()
    }
    imagenet = [{"ssb_hard": 49000, "ninco": 5879}, {"inaturalist": 10000, "textures": 5160, "openimage_o": 15869}]
    assert groups == {
        "cifar10": [{"cifar100": 9000, "tin": 7793}, {"mnist": 70000, "svhn": 26032, "texture": 5640, "places365": 35195}],
        "cifar100": [{"cifar10": 10000, "tin": 6526}, {"mnist": 70000, "svhn": 26032, "texture": 5640, "places365": 33773}],
        "imagenet-200": imagenet,
        "imagenet-1k": imagenet,
    }
    for benchmark in BENCHMARKS.values():
        assert list(benchmark.near) + list(benchmark.far) == [
            name for name in benchmark.sets() if name in {**benchmark.near, **benchmark.far}
        ]


def test_a_benchmark_is_found_by_its_number_of_classes():
    assert [benchmark_for(classes).name for classes in (10, 100, 200, 1000)] == list(BENCHMARKS)
    assert benchmark_for(21843) is None


@pytest.mark.parametrize("root", [".", ".."])
def test_sets_are_opened_from_the_data_folder_or_the_one_around_it(openood, root):
    test = open_benchmark_set("cifar10", "test", openood / root)
    assert (test.spec, test.labels.tolist()) == ("cifar10/test", [0, 1, 0])
    assert test.load(2).size == (3, 2)
    near = open_benchmark_set(BENCHMARKS["imagenet-1k"], "textures", openood / root)
    assert near.labels.tolist() == [-1, -1, -1]
    assert near.load(0).size == (3, 2)
    assert len(open_benchmark_set("cifar10", "test", openood / root, limit=2)) == 2


def test_a_missing_list_and_missing_images_name_the_file_and_the_next_step(openood):
    (openood / "benchmark_imglist" / "imagenet" / "test_ninco.txt").unlink()
    with pytest.raises(
        ImageSetError, match=r"list .*imagenet/test_ninco.txt, which is not there; run oodkit data check imagenet-1k"
    ):
        open_benchmark_set("imagenet-1k", "ninco", openood)
    for file in (openood / "images_classic" / "tin").rglob("*.png"):
        file.unlink()
    with pytest.raises(
        ImageSetError, match=r"none of the 3 images of .*test_tin.txt is below .*images_classic.*; run oodkit data check cifar10"
    ):
        open_benchmark_set("cifar10", "tin", openood)


def test_one_missing_image_is_unreadable(openood):
    (openood / "images_classic" / "tin" / "near" / "1.png").unlink()
    images = open_benchmark_set("cifar10", "tin", openood)
    with pytest.raises(UnreadableImageError, match=r"No such file"):
        images.load(1)


def test_wrong_names_list_the_right_ones(openood):
    with pytest.raises(UsageError, match=r"cifar10 has no set 'ninco'; it has train, val, test, val_tin, cifar100"):
        open_benchmark_set("cifar10", "ninco", openood)
    with pytest.raises(UsageError, match=r"no benchmark 'cifar'; choose from cifar10, cifar100, imagenet-200, imagenet-1k"):
        check_benchmark("cifar", openood)


def test_check_says_of_each_set_what_is_there(openood):
    lists = openood / "benchmark_imglist" / "cifar10"
    (lists / "test_svhn.txt").unlink()
    (lists / "test_mnist.txt").write_text("a.png cat\n")
    (openood / "images_classic" / "tin" / "near" / "1.png").unlink()
    (openood / "images_classic" / "texture" / "far" / "0.png").write_bytes(b"junk")
    rows = {row.name: row for row in check_benchmark("cifar10", openood, verify=True)}
    assert list(rows) == list(BENCHMARKS["cifar10"].sets())
    assert (rows["test"].group, rows["test"].expected, rows["test"].listed, rows["test"].present) == ("id", 9000, 3, 3)
    assert rows["test"].unreadable == ()
    assert (rows["tin"].listed, rows["tin"].present, rows["tin"].unreadable) == (3, 2, ())
    assert rows["texture"].unreadable == (("texture/far/0.png", "not an image of a format that Pillow decodes"),)
    assert (rows["svhn"].list_found, rows["svhn"].present) == (False, 0)
    assert "line 1: expected" in rows["mnist"].problem
    assert " ".join(str(rows["tin"]).split()) == "cifar10 near tin 2 of 3 images (7793 expected), 0 unreadable"
    assert str(rows["svhn"]).split()[3:5] == ["no", "list"]
    json.dumps([asdict(row) for row in rows.values()])


def test_check_decodes_nothing_unless_asked(openood, monkeypatch):
    monkeypatch.setattr("oodkit.images.files.decode", lambda _: pytest.fail("it was decoded"))
    assert all(row.unreadable is None for row in check_benchmark("cifar100", openood))


def test_check_of_an_empty_folder_reports_every_list_as_missing(tmp_path):
    assert not any(row.list_found for name in BENCHMARKS for row in check_benchmark(name, tmp_path))
    with pytest.raises(ImageSetError, match=r"no folder .*nowhere; name OpenOOD's data folder with --data-root or OODKIT_DATA"):
        check_benchmark("cifar10", tmp_path / "nowhere")
