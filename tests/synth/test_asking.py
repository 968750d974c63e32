"""What a generator gives is either the images that were asked for, or one line that says what it gave."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from oodkit.errors import GeneratorError, ImageSetError, OodkitError, UnreadableImageError
from oodkit.synth.asking import Asker
from oodkit.synth.base import Request

from .stand_in import CLASSES, StandIn

REQUESTS = [Request(CLASSES[0], index, index) for index in range(7)]
FINE = torch.zeros(7, 3, 8, 8, dtype=torch.uint8)


class Answers(StandIn):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def generate(self, requests: Sequence[Request]) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Roomy(StandIn):
    """Has room for so many images at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def generate(self, requests: Sequence[Request]) -> torch.Tensor:
        if len(requests) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().generate(requests)


def nothing(_line: str) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (FINE[:6], "stand-in gave 6 images where 7 were asked for"),
        ([FINE[0]], "stand-in gave 1 image where 7 were asked for"),
        (FINE[0, 0, 0, 0], "stand-in gave a single number; expected a tensor or a list of images"),
        (None, r"stand-in gave NoneType; expected a tensor or a list of images, uint8 \(3, H, W\)"),
        (list(FINE.numpy()), r"stand-in gave ndarray for an image; expected uint8 \(3, 8, 8\)"),
        (FINE.float(), r"stand-in gave an image float32 \(3, 8, 8\); expected uint8 \(3, 8, 8\)"),
        (FINE.float() / 0, "stand-in gave an image with numbers that are not finite"),
        (FINE[:, :1], r"stand-in gave an image uint8 \(1, 8, 8\); expected uint8 \(3, 8, 8\)"),
        (FINE[..., :4], r"stand-in gave an image uint8 \(3, 8, 4\)"),
        (FINE.permute(0, 2, 3, 1), r"stand-in gave an image uint8 \(8, 8, 3\)"),
        (FINE.int(), r"stand-in gave an image int32"),
        (KeyError("weight\n\x1b[31m"), r"stand-in failed with KeyError: 'weight\\n\\x1b\[31m'"),
        (RuntimeError("a line\nand another"), r"stand-in failed with RuntimeError: a line and another"),
        (SystemExit(0), "stand-in failed with SystemExit: 0"),
    ],
)
def test_what_is_no_answer_is_one_line(answer: Any, text: str) -> None:
    with pytest.raises(GeneratorError, match=text) as caught:
        Asker(Answers(answer), None, nothing).ask(REQUESTS)
    assert str(caught.value).isprintable()


def test_errors_of_oodkit_s_own_and_interrupts_pass() -> None:
    with pytest.raises(ImageSetError, match="as it was"):
        Asker(Answers(ImageSetError("as it was")), None, nothing).ask(REQUESTS)
    with pytest.raises(KeyboardInterrupt):
        Asker(Answers(KeyboardInterrupt()), None, nothing).ask(REQUESTS)


def test_an_image_that_can_t_be_had_is_an_answer_and_sizes_may_differ_where_the_generator_says_so() -> None:
    generator = Answers([UnreadableImageError("broken"), *FINE[1:5], *FINE[5:, :, :4]])
    generator.size = None
    given = Asker(generator, None, nothing).ask(REQUESTS)
    assert [tuple(one.shape) if isinstance(one, torch.Tensor) else str(one) for one in given] == [
        "broken",
        *4 * [(3, 8, 8)],
        *2 * [(3, 4, 8)],
    ]


def test_where_the_memory_does_not_suffice_a_batch_is_halved_until_it_does() -> None:
    told: list[str] = []
    generator = Roomy(2)
    asker = Asker(generator, None, told.append)
    assert all(map(torch.equal, asker.ask(REQUESTS), StandIn().generate(REQUESTS)))
    asker.ask(REQUESTS[:3])
    assert [len(one) for one in generator.asked] == [1] * 7 + [1] * 3  # 7, 3 and then 1 at once
    assert told[-1] == "3 images at once did not fit in the memory; 1 at once from here on"


def test_a_batch_whose_images_depend_on_each_other_is_not_halved() -> None:
    generator = Roomy(2)
    generator.seed_scope = "batch"
    with pytest.raises(
        OodkitError, match=r"7 images at once did not fit in the memory; its images depend .*: give --batch-size 3$"
    ):
        Asker(generator, None, nothing).ask(REQUESTS)
    assert not generator.asked


def test_a_batch_size_of_the_user_s_is_kept_to_and_the_error_names_it() -> None:
    with pytest.raises(OodkitError, match="stand-in: 4 images at once did not fit in the memory; give a smaller --batch-size"):
        Asker(Roomy(2), 4, nothing).ask(REQUESTS)
    with pytest.raises(OodkitError, match="stand-in: 1 image did not fit in the memory; use a smaller generator or --device cpu"):
        Asker(Roomy(0), None, nothing).ask(REQUESTS)
