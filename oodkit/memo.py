"""What was found out about outputs, for as long as they are there and their tensors are as they were."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from oodkit.outputs import Outputs

T = TypeVar("T")


class Memo(Generic[T]):
    """Values by outputs and key; forgotten together with the outputs, or once one of their tensors is changed in place."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Outputs, tuple[tuple[int, ...], dict[Hashable, T]]] = WeakKeyDictionary()

    def get(self, outputs: Outputs, key: Hashable, make: Callable[[], T]) -> T:
        """The value, made where it is not known. A tensor as a key means that very tensor."""
        versions = outputs.versions()
        if outputs not in self._known or self._known[outputs][0] != versions:
            self._known[outputs] = versions, {}
        values = self._known[outputs][1]
        if key not in values:
            values[key] = make()
        return values[key]

    def __len__(self) -> int:
        return len(self._known)


def once(function: Callable[[Outputs], T]) -> Callable[[Outputs], T]:
    """The function, which goes through the same outputs once only: several scorers, or settings of one, ask it of the same."""
    known: Memo[T] = Memo()

    @wraps(function)
    def remembering(outputs: Outputs) -> T:
        return known.get(outputs, None, lambda: function(outputs))

    return remembering
