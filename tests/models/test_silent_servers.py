"""Servers that fall silent, break off or are none: one line after seconds, never a wait without an end, and no half of a file."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torchvision
from huggingface_hub import constants

from oodkit.classifier import load_classifier
from oodkit.errors import ModelNotFoundError
from oodkit.models import reach

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]
NAME, FILE = "torchvision:resnet18", "resnet18-f37072fd.pth"


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def serve() -> Iterator[Callable[[Answer, Answer], str]]:
    """Start a server of two answers, to a look (HEAD) and to a download; gives its address. All that wait go on at the end."""
    servers, over = [], threading.Event()

    def start(looked: Answer, fetched: Answer) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 60  # or it has that of patient_sockets, which is the whole process's

            def do_HEAD(self) -> None:
                looked(self)

            def do_GET(self) -> None:
                fetched(self)

            def log_message(self, *_: object) -> None:
                pass

        Handler.over = over
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def fine(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.over.wait()


def no_server(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"go away\r\n\r\n")


def begun(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"half a file")


def begun_and_silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    begun(handler)
    handler.wfile.flush()
    silent(handler)


def shorten_where_silent(monkeypatch: pytest.MonkeyPatch, patience: str, answer: Answer) -> None:
    """Elsewhere it stays seconds long, which no stall of this machine outlasts."""
    if answer in {silent, begun_and_silent}:
        monkeypatch.setattr(reach, patience, 0.2)


@pytest.mark.parametrize(("looked", "there"), [(fine, True), (silent, False), (no_server, False)])
def test_what_answers_like_a_server_is_within_reach(serve, monkeypatch, looked: Answer, there: bool) -> None:
    shorten_where_silent(monkeypatch, "TIMEOUT_S", looked)
    assert reach.is_within_reach(serve(looked, silent)) is there


def test_what_is_no_address_is_out_of_reach() -> None:
    assert not reach.is_within_reach("no address")


@pytest.mark.parametrize(
    ("fetched", "told"),
    [
        (silent, r"can't download the weights of torchvision:resnet18/IMAGENET1K_V1 from http\S+: .*timed out.*; try again$"),
        (begun_and_silent, r"can't download the weights of .*timed out.*; try again$"),
        (begun, r"what came from http\S+ is not whole: invalid hash value .*; try again$"),
    ],
)
def test_a_download_of_torchvision_that_does_not_end_is_one_line(serve, monkeypatch, tmp_path, fetched: Answer, told: str) -> None:
    shorten_where_silent(monkeypatch, "SILENCE_S", fetched)
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    monkeypatch.setattr(weights, "_value_", type(weights.value)(f"{serve(fine, fetched)}/{FILE}", weights.transforms, weights.meta))
    with pytest.raises(ModelNotFoundError, match=told) as caught:
        load_classifier(NAME)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "torch").rglob("*") if path.is_file()]


@pytest.mark.parametrize("looked", [silent, no_server])
def test_a_hub_that_does_not_answer_is_one_line(serve, monkeypatch, tmp_path, looked: Answer) -> None:
    shorten_where_silent(monkeypatch, "TIMEOUT_S", looked)
    monkeypatch.setattr(constants, "ENDPOINT", serve(looked, silent))
    with pytest.raises(
        ModelNotFoundError, match=r"http://127\S+ can't be reached and they are not in the cache; give a local file"
    ):
        load_classifier("resnet10t")


def test_a_hub_that_falls_silent_in_the_middle_is_one_line(serve, monkeypatch) -> None:
    """Its client tries several times, and then lets the error of what it fetches with through."""
    gone = type("ReadTimeout", (Exception,), {"__module__": "httpx2"})("The read operation timed out")

    def silenced(*_: object, **__: object) -> None:
        raise gone

    monkeypatch.setattr("timm.create_model", silenced)
    monkeypatch.setattr(constants, "ENDPOINT", serve(fine, silent))
    told = r"can't download the weights of resnet10t\S*: The read operation timed out; give a local file: FILE --arch resnet10t"
    with pytest.raises(ModelNotFoundError, match=told):
        load_classifier("resnet10t")
