"""Weights from a file, unwrapped, and fitted into a network."""

import pickle
import re
import zipfile
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from oodkit.errors import CheckpointError, ModelNotFoundError
from oodkit.tensor_file import contents
from oodkit.wording import in_short, printable

SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".ckpt", ".bin", ".tar")
WRAPPINGS = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
)
PREFIXES = ("module", "_orig_mod", "model", "net", "network", "backbone")
LONGEST_NAME = 100  # characters of a name in the file that an error quotes
LONGEST_LIST = 500  # of many of them
NO_WEIGHTS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")  # counters of torch, its averaging, and thop

State = dict[str, Tensor]


class Stored(NamedTuple):
    """Tensors by name, of a safetensors file its metadata, and which state was taken where the file holds several."""

    state: State
    metadata: dict[str, str]
    taken: str | None = None


@contextmanager
def looked_for(name: str) -> Iterator[None]:
    """While open, a file or folder of that name is looked for; ModelNotFoundError where the system refuses, as a name too long."""
    try:
        yield
    except OSError as error:
        told = f"can't open {in_short(name)}: {error.strerror or error}"
        raise ModelNotFoundError(f"{told}; check the path, and whether it may be read") from error


def read_state(path: Path, *, allow_pickle: bool = False) -> Stored:
    """What a file of weights holds. Wrappings such as ``{"state_dict": …}`` are undone; of several the first of WRAPPINGS.

    Raises ModelNotFoundError where there is no such file, CheckpointError where it is no checkpoint, or holds more than weights
    and ``allow_pickle`` is False.
    """
    with looked_for(str(path)):
        is_file = path.is_file()
    if not is_file:
        raise ModelNotFoundError(f"no file {path}")
    if path.suffix == ".safetensors":
        try:
            return Stored(*contents(path))
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"can't read {path}: {error}{_what_it_is(path)}") from error
    state, taken = _unwrapped(_unpickled(path, allow_pickle), path)
    return Stored(state, {}, taken)


def _unpickled(path: Path, allow_pickle: bool) -> Any:
    parts = _parts(path)
    if any(part.filename.endswith("/constants.pkl") for part in parts):
        raise CheckpointError(f"{path} is a TorchScript program, not a state dict; save torch.jit.load(…).state_dict() instead")
    if not allow_pickle and sum(part.file_size for part in parts) > path.stat().st_size:
        raise CheckpointError(f"{path} is compressed and may fill the memory, PyTorch compresses nothing; write it with torch.save")
    try:
        with torch.serialization.safe_globals(
            [Namespace]
        ):  # training arguments, which timm and many others store beside the weights
            return torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        needs = _needed_globals(path, str(error))
        if not needs:
            raise CheckpointError(f"{path} is no PyTorch checkpoint{_what_it_is(path)}") from error
        flag = "if you trust its origin, load it with --allow-pickle, which runs code from the file"
        raise CheckpointError(f"{path} needs more than weights: {in_short(', '.join(needs), LONGEST_LIST)}; {flag}") from error
    except (ImportError, AttributeError) as error:
        reason = in_short(error, LONGEST_NAME)
        raise CheckpointError(f"{path} was pickled with code that is not here ({reason}); save its state_dict() instead") from error
    except Exception as error:  # the readers of zip archives and of pickles raise anything on a damaged file
        raise CheckpointError(f"can't read {path}: it is damaged or no PyTorch checkpoint{_what_it_is(path)}") from error


def _parts(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except Exception:  # noqa: BLE001 (no archive, or a damaged one, on which zipfile raises anything; PyTorch is to say so)
        return []


def _needed_globals(path: Path, message: str) -> list[str]:
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001 (as above)
        found = []  # files from before torch 1.6 are no zip archives; the message names the first global
    return sorted(set(found) - {"argparse.Namespace"}) or re.findall(r"GLOBAL ([\w.]+) was not an allowed global", message)


def _what_it_is(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(40)
    if start.startswith(b"version https://git-lfs"):
        return ": it is a Git LFS pointer; fetch the weights with git lfs pull"
    if start.lstrip()[:1] == b"<":
        return ": it is a web page; download it again"
    return f": it is {path.stat().st_size} bytes and begins {start[:12]!r}"


def _unwrapped(found: Any, path: Path) -> tuple[State, str | None]:
    """The tensors by name, and what is to be said where others could have been meant."""
    if isinstance(found, nn.Module):
        found = found.state_dict()
    if isinstance(found, Mapping):
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
        if inside := [key for key in WRAPPINGS if isinstance(found.get(key), (Mapping, nn.Module))]:
            taken = next((key for key in inside if _holds_weights(found[key])), inside[0])
            state, deeper = _unwrapped(found[taken], path)
            return state, _choice(found, taken, path) or deeper
        if tensors:
            return tensors, None
    if isinstance(found, Mapping):
        what = f"a dictionary of {', '.join(printable(str(key))[:LONGEST_NAME] for key in list(found)[:5])}"
    else:
        what = f"a {type(found).__name__}"
    raise CheckpointError(f"{path} holds {what}, expected a state dict: tensors by parameter name")


def _choice(found: Mapping[Any, Any], taken: str, path: Path) -> str | None:
    """One line where more than one state is there; averaged weights have many names, and whichever were trained last differ."""
    keys = [*WRAPPINGS, *(key for key in found if key not in WRAPPINGS and "ema" in str(key).lower())]
    several = [str(key) for key in keys if _holds_weights(found.get(key))]
    if len(several) < 2:
        return None
    listed = f"{', '.join(several[:-1])} and {several[-1]}"
    return printable(f"{path.name} holds {in_short(listed, LONGEST_LIST)}; taken: {taken}")


def _holds_weights(inner: object) -> bool:
    if not isinstance(inner, Mapping):
        return isinstance(inner, nn.Module)
    wrapped = any(isinstance(inner.get(key), (Mapping, nn.Module)) for key in WRAPPINGS)
    return wrapped or any(isinstance(value, Tensor) for value in inner.values())


def without_prefixes(state: Mapping[str, Tensor], expected: Iterable[str]) -> State:
    """The state with up to three prefixes of wrappers (``module.``, ``_orig_mod.`` …) taken off, where more names fit then."""
    wanted = set(expected)
    stripped = [{_stripped(name, times): tensor for name, tensor in state.items()} for times in range(4)]
    return max(stripped, key=lambda one: len(wanted & one.keys()))


def _stripped(name: str, times: int) -> str:
    return re.sub(rf"^(?:(?:{'|'.join(PREFIXES)})\.){{0,{times}}}", "", name)


def fit_state(net: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load ``state`` into ``net``. Raises CheckpointError, in one line that calls the network ``what``, where they don't fit."""
    if problems := misfits(net, state):
        raise CheckpointError(f"the checkpoint does not fit {what}: {'; '.join(problems)}")
    try:
        net.load_state_dict({name: tensor for name, tensor in state.items() if not name.endswith(NO_WEIGHTS)}, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f"the checkpoint does not fit {what}: {in_short(error)}") from error


def misfits(net: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """What keeps the state out of the network: names missing, unexpected or of another shape, with counts and the first few."""
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items() if not name.endswith(NO_WEIGHTS)}
    given = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(NO_WEIGHTS)}
    missing = [name for name in shapes if name not in given]
    unexpected = [name for name in given if name not in shapes]
    other = [f"{name} {given[name]} for {shape}" for name, shape in shapes.items() if name in given and given[name] != shape]
    problems = [_few(f"{len(missing)} of {len(shapes)} parameters are missing", missing)] if missing else []
    problems += [_few(f"{len(unexpected)} are unexpected", unexpected)] if unexpected else []
    problems += [_few(f"{len(other)} have another shape", other)] if other else []
    if len(missing) == len(shapes):
        return [*problems, "it belongs to another architecture"]
    near = [(name, match) for name in missing[:20] for match in get_close_matches(name, unexpected, n=1, cutoff=0.8)]
    return problems + ([f"{printable(near[0][1])} may be {near[0][0]}"] if near else [])


def count_unfilled(net: nn.Module, state: Mapping[str, Tensor], *, by_name: bool = False) -> int:
    """How many of the network's parameters the state does not fill, by name and shape or by name alone."""
    own = {name: tensor for name, tensor in net.state_dict().items() if not name.endswith(NO_WEIGHTS)}
    return sum(name not in state or not (by_name or state[name].shape == tensor.shape) for name, tensor in own.items())


def classes_in(net: nn.Module, state: Mapping[str, Tensor], built_for: int) -> int:
    """The number of classes of the state's head, held against a network built for ``built_for`` classes.

    The head is what differs in its first dimension only, where the network has ``built_for`` rows.
    """
    counts = {
        len(state[name])
        for name, tensor in net.state_dict().items()
        if name in state
        and tensor.ndim
        and len(tensor) == built_for
        and state[name].ndim == tensor.ndim
        and state[name].shape[1:] == tensor.shape[1:]
        and _is_stored_whole(state[name])
    }
    return max(counts - {built_for}, default=built_for)


def _is_stored_whole(tensor: Tensor) -> bool:
    """A pickle can hold one number and say that it is a billion of them."""
    return tensor.layout == torch.strided and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _few(what: str, names: Sequence[str]) -> str:
    return f"{what} ({', '.join(printable(name)[:LONGEST_NAME] for name in names[:3])}{', …' if len(names) > 3 else ''})"
