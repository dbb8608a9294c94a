# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, with an emulated headset where one is wanted, driven over the Chrome DevTools Protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EMULATOR = Path(__file__).parents[2] / "src/humanoid_teleop/web/node_modules/iwer/build/iwer.js"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--ignore-certificate-errors",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
    "--no-first-run",
)
DEADLINE = 180.0  # [s] for anything on a slow, busy machine
HEADSET = """
window.headset = new IWER.XRDevice(IWER.metaQuest3, {stereoEnabled: true});
headset.installRuntime({forceInstall: true});
headset.position.set(0, 1.6, 0);
"""


def missing(headset: bool = False) -> str:
    """What keeps the tests from running here, or nothing."""
    if CHROMIUM is None:
        return "Chromium is not installed"
    if headset and not EMULATOR.exists():
        return "the emulated headset is not here: npm ci --prefix src/humanoid_teleop/web"
    return ""


class Browser:
    """One page in a browser of its own.

    Args:
        folder: For its profile; a browser started with the same folder remembers what it stored.
        headset: Whether it has an (emulated) headset.
        size: Width and height of the window.
    """

    def __init__(self, folder: Path, headset: bool = False, size: tuple[int, int] = (640, 480)) -> None:
        port_file = folder / "DevToolsActivePort"
        port_file.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [str(CHROMIUM), *FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until(lambda: port_file.exists() and port_file.read_text().count("\n") >= 1, "the browser")
        port = port_file.read_text().splitlines()[0]
        targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
        page = next(target for target in targets if target["type"] == "page")
        self._socket = connect(page["webSocketDebuggerUrl"], max_size=2**26)
        self._number = 0
        self._call("Page.enable")
        self.resize(*size)
        if headset:
            self._call("Page.addScriptToEvaluateOnNewDocument", source=EMULATOR.read_text() + HEADSET)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(timeout=20)

    def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        self._call("Page.navigate", url=url)
        self.until("document.readyState == 'complete' && location.href != 'about:blank'")

    def run(self, script: str) -> Any:
        """The value of a script, run as if a person had clicked; promises are awaited."""
        answer = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, script: str, deadline: float = DEADLINE) -> Any:
        """Wait until a script gives something true; that is returned."""
        try:
            return _until(lambda: self.run(script), script, deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says: {self.run('document.body.innerText')}") from None

    def wait(self, condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
        """Wait until a condition gives something true; that is returned."""
        return _until(condition, what, deadline)

    def key(self, key: str, shift: bool = False) -> None:
        """Press and release a key, as a keyboard or foot pedal does."""
        text = key if len(key) == 1 else ""
        common = {"key": key, "modifiers": 8 if shift else 0}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self._call("Input.dispatchKeyEvent", type="keyUp", **common)

    def resize(self, width: int, height: int, scale: float = 1.0) -> None:
        """Another size of what is shown."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def screenshot(self, path: Path) -> None:
        """Write what the page looks like as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": arguments}))
        while True:
            answer = json.loads(self._socket.recv(timeout=DEADLINE))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])


def _until(condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline} s: {what}")
