"""The images of a report: what is said of each, and how many there is room for."""

import pytest

from oodkit.report.tiles import all_lists, bytes_of, fitting, longest, tile, tiles


def test_what_is_said_of_an_image(run):
    image = run.document["models"][0]["extremes"]["rejected"][0]
    told = tile({**image, "score": 12.3456, "below": 0.834}, run.thumbnails)
    assert told["score"] == "12.35"
    assert told["rank"] == "above 83 % of ID images"
    assert tile({**image, "below": 0.834}, run.thumbnails, of=1)["rank"] == "the only ID image"
    assert told["predicted"] == image["predicted_name"]
    assert told["crisp"]
    nameless = tile({**image, "predicted_name": None, "label": None, "thumbnail": None}, {})
    assert nameless["predicted"] == f"class {image['predicted']}"
    assert nameless["label"] is None
    assert nameless["src"] is None


def test_small_images_keep_their_pixels_and_larger_ones_are_smooth(run):
    """By the size that stands in the PNG."""
    image = {**run.document["models"][0]["extremes"]["rejected"][0], "thumbnail": "a.png"}
    wide = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (65).to_bytes(4, "big") + (8).to_bytes(4, "big")
    assert not tile(image, {"a.png": wide})["crisp"]
    assert tile(image, {"a.png": wide.replace(b"A\0\0\0\x08", b"@\0\0\0\x08")})["crisp"]
    assert not tile(image, {"a.png": b"\xff\xd8\xff a JPEG"})["crisp"]
    assert [tile(image, {"a.png": wide[:length]})["crisp"] for length in (4, 23)] == [False, False]  # cut off: no reason to stop


def test_as_many_images_of_each_list_are_shown_as_there_is_room_for():
    """Three lists of files of 3, 6 and 9 bytes: 4, 8 and 12 in base64, one of them shorter. Two of each take 4 + 4 + 4 + 8 + 8."""
    images = [{"thumbnail": name} for name in ("a", "b", "c")]
    thumbnails = {"a": b"123", "b": b"123456", "c": b"123456789"}
    models = [{"extremes": {"accepted": {"x": images, "y": images[:1]}, "rejected": images}}, {"extremes": None}]
    lists = all_lists(models)
    assert longest(lists) == 3
    assert bytes_of(lists, thumbnails) == 52
    assert [fitting(lists, thumbnails, room) for room in (52, 51, 28, 27, 0)] == [3, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["1314", "74"], ["image 1314", "image 74"]),
        (["load_digits/1152", "load_digits/0329"], ["image 1152", "image 0329"]),
        (["val_4314.JPEG", "val_76.JPEG"], ["val_4314", "val_76"]),
        (["crystalline/crystalline_0112.jpg", "bumpy/bumpy_0179.jpg"], ["crystalline_0112", "bumpy/bumpy_0179"]),
        (["ILSVRC2012_val_00012345.JPEG"], ["ILSVRC2012_val_00012345"]),
        (["flower.jpg 128x128+269+6 ", ".png"], ["…ower.jpg 128x128+269+6 ", ".png"]),
    ],
)
def test_images_of_one_list_are_told_apart_by_the_ends_of_their_names(run, names, shown):
    """Without the folders that all are in; an array's images have numbers for names."""
    image = run.document["models"][0]["extremes"]["rejected"][0]
    told = tiles([{**image, "name": name} for name in names], {})
    assert [one["shown"] for one in told] == shown
    assert [one["name"] for one in told] == names
