"""Headless Chromium, driven over its DevTools pipe with the standard library only.

By hand: ``python tests/report/browser.py report.html out.png --width 390 --dark``; an ``out.pdf`` is what would be printed.
Where the browser does not lie on the PATH, the environment variable CHROMIUM names it.
"""

import argparse
import base64
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = ("--no-first-run", "--disable-breakpad", "--disable-sync", "--disable-background-networking", "--disable-component-update")
FLAGS = ("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *QUIET)  # as root, too
PIPES = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
SECONDS = 120.0  # for any one answer; far above what a report takes, on a busy machine too
KEYS = {"Enter": (13, "\r"), " ": (32, " "), "Tab": (9, ""), "Escape": (27, "")}
FRAMES = "document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"
BOX = "one.scrollIntoView({block: 'center', inline: 'center'}), one.getBoundingClientRect()"
MIDDLE = f"(one => (box => [box.x + box.width / 2, box.y + box.height / 2])(({BOX})))"


def find_chromium() -> str | None:
    """The browser's path, or None where there is none."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One process with a profile folder of its own, both gone once it is closed."""

    def __init__(self, executable: str) -> None:
        self.pages: dict[str, Page] = {}
        self._last_id, self._buffer = 0, b""
        self._profile = tempfile.mkdtemp(prefix="report-browser-")
        inbound, self._write = os.pipe()
        self._read, outbound = os.pipe()
        command = [sys.executable, "-c", PIPES, str(inbound), str(outbound), executable, *FLAGS, f"--user-data-dir={self._profile}"]
        nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self._process = subprocess.Popen(command, pass_fds=(inbound, outbound), start_new_session=True, **nothing)
        os.close(inbound)
        os.close(outbound)

    def close(self) -> None:
        """End the process, politely at first, and remove its profile."""
        with contextlib.suppress(RuntimeError, OSError, subprocess.TimeoutExpired):
            self.call("Browser.close", seconds=5)
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        deadline = time.monotonic() + 5
        while Path(self._profile).exists() and time.monotonic() < deadline:  # its helpers may write there for a moment longer
            shutil.rmtree(self._profile, ignore_errors=True)

    def send(self, method: str, session: str | None, params: dict[str, Any]) -> int:
        """Without waiting for what becomes of it; the number that the answer will bear."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._last_id

    def call(self, method: str, session: str | None = None, *, seconds: float = SECONDS, **params: Any) -> dict[str, Any]:
        """The result of one DevTools command; events that come before it go to their page."""
        sent, deadline = self.send(method, session, params), time.monotonic() + seconds
        while (answer := self.receive(deadline, method)).get("id") != sent:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def receive(self, deadline: float, awaited: str) -> dict[str, Any]:
        """The next message, which its page has heard if it is an event."""
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the browser did not answer in time; waited for {awaited}")
            if not (chunk := os.read(self._read, 1 << 20)):
                raise RuntimeError(f"the browser has ended; waited for {awaited}")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message and (page := self.pages.get(message.get("sessionId", ""))):
            page.hear(message["method"], message["params"])
        return message

    def open(self, path: Path, **view: Any) -> "Page":
        """The file on a page of its own, without the others' storage; ``view`` as for Page.view."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"], context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.view(**view)
        page.go(path)
        return page


class Page:
    """What a page said (``messages``) and asked for (``requests``, but for data in the page itself), and hands to touch it with."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.browser, self.session, self.context, self.loaded = browser, session, context, False
        self.call = functools.partial(browser.call, session=session)
        browser.pages[session] = self

    def hear(self, event: str, params: dict[str, Any]) -> None:
        match event:
            case "Network.requestWillBeSent" | "Network.webSocketCreated" | "Network.webTransportCreated":
                if not (url := params.get("request", params)["url"]).startswith("data:"):
                    self.requests.append(url)
            case "Runtime.consoleAPICalled":
                self.messages.append(f"{params['type']}: {[one.get('value', one.get('description')) for one in params['args']]}")
            case "Runtime.exceptionThrown":
                self.messages.append(f"exception: {params['exceptionDetails']}")
            case "Log.entryAdded":
                self.messages.append(f"{params['entry']['level']}: {params['entry']['text']}")
            case "Page.javascriptDialogOpening":
                self.messages.append(f"dialog: {params['message']}")
                self.browser.send("Page.handleJavaScriptDialog", self.session, {"accept": True})  # or nothing goes on
            case "Page.loadEventFired":
                self.loaded = True

    def go(self, path: Path) -> None:
        """Show the file, and wait until it has loaded and been drawn."""
        self.loaded, deadline = False, time.monotonic() + SECONDS
        if failed := self.call("Page.navigate", url=path.absolute().as_uri()).get("errorText"):
            raise RuntimeError(f"can't open {path}: {failed}")
        while not self.loaded:
            self.browser.receive(deadline, f"{path} to load")
        self.evaluate(FRAMES)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, as JSON would carry it; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script[:80]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def view(self, width: int = 1280, *, phone: bool = False, dark: bool = False, paper: bool = False) -> None:
        """Through a window of so many CSS pixels; ``paper`` is the style of print."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "", features=[scheme])

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, element: str) -> None:
        """The middle of what the JavaScript expression gives, brought into view first."""
        x, y = self.evaluate(f"{MIDDLE}({element})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path, *, top: float = 0, height: float = float("inf")) -> None:
        """The whole page as a PNG, or ``height`` CSS pixels of it from ``top`` on."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(height, size["height"] - top), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """What would be printed, on A4 paper unless the page says otherwise."""
        pdf = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True, printBackground=False)
        path.write_bytes(base64.b64decode(pdf["data"]))

    def close(self) -> None:
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)


def main() -> None:
    parser = argparse.ArgumentParser(description="Look at a page as headless Chromium shows it.")
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path, help="a .png of the page, or a .pdf of what would be printed")
    parser.add_argument("--width", type=int, default=1280, help="CSS pixels; below 700 a phone")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--print", action="store_true", dest="paper", help="in the style of print, on the screen")
    parser.add_argument("--top", type=float, default=0, help="where to begin, in CSS pixels")
    parser.add_argument("--height", type=float, default=float("inf"), help="CSS pixels; by default to the page's end")
    asked = parser.parse_args()
    executable = find_chromium() or sys.exit("there is no Chromium on the PATH; set CHROMIUM to one")
    with contextlib.closing(Browser(executable)) as browser:
        page = browser.open(asked.page, width=asked.width, phone=asked.width < 700, dark=asked.dark, paper=asked.paper)
        page.pdf(asked.out) if asked.out.suffix == ".pdf" else page.screenshot(asked.out, top=asked.top, height=asked.height)
        print(*page.messages, f"{asked.out}: {len(page.requests)} requests", sep="\n")


if __name__ == "__main__":
    main()
