"""What a training could not read, in its document, however the training ends."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from oodkit.errors import OodkitError
from oodkit.run_folder import Document
from oodkit.training.feed import Feed

if TYPE_CHECKING:
    from accelerate import Accelerator


@contextmanager
def told_in(document: Document, feed: Feed, accelerator: "Accelerator", write: Callable[[Document], object]) -> Iterator[None]:
    """Add what the feeds of all processes could not read to ``document["unreadable"]``, when the training within has ended.

    write: stores a document. Where the training fails, what the first process could not read is stored by it.
    """
    try:
        yield
    except BaseException:
        if accelerator.is_main_process and feed.unreadable:
            with suppress(OodkitError):  # the first error is the one to tell
                write({**document, "unreadable": document["unreadable"] | feed.unreadable})
        raise
    document["unreadable"] |= _of_all(feed.unreadable, accelerator)


def _of_all(unreadable: Mapping[str, str], accelerator: "Accelerator") -> dict[str, str]:
    if accelerator.num_processes == 1:
        return dict(unreadable)
    from accelerate.utils import gather_object

    return dict(gather_object(list(unreadable.items())))
