"""A real browser driven over its own pipe (the DevTools protocol), for the tests of the app."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

CHROMIUM = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]
PATIENCE = 240.0
"""Seconds until something counts as never coming, on a machine that has other work to do as well."""
LOADED = "document.readyState === 'complete'"
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    " ": ("Space", 32, " "),
    "Escape": ("Escape", 27, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}
"""What the browser is told of a key: its place, its number, and what it writes."""
QUIET = ("violation", "intervention", "recommendation")
"""What a browser says of how slow the machine is, which is no fault of the page."""


class Browser:
    """One tab of one browser with a profile of its own."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        self.console: list[str] = []
        self.requested: list[str] = []
        self._last, self._buffer, self._session = 0, b"", ""
        shell = f'exec {CHROMIUM} "$@" 3<&{to_read} 4>&{to_write}'
        command = ["bash", "-c", shell, "chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.size(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window, and whether the system is dark."""
        mobile = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, still])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; events that come meanwhile are taken down."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._last:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return dict(found["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], PATIENCE)[0]:
                raise AssertionError(f"the browser has said nothing for {PATIENCE:.0f} seconds")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        match found.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(str(found["params"]["exceptionDetails"])[:500])
            case "Log.entryAdded" if found["params"]["entry"]["source"] not in QUIET:
                self.console.append(str(found["params"]["entry"])[:500])
            case "Network.requestWillBeSent":
                self.requested.append(found["params"]["request"]["url"])
        return found

    def go(self, url: str) -> None:
        """Open an address, and wait until its charts are drawn."""
        self.leaving(lambda: self._navigate(url))

    def _navigate(self, url: str) -> None:
        """Begin to go somewhere; this returns once the answer begins to come."""
        found = self.call("Page.navigate", url=url)
        if "errorText" in found:
            raise AssertionError(f"{url}: {found['errorText']}")

    def leaving(self, step: Callable[[], object]) -> None:
        """Do what leads to another page, and wait until that one is there: the one before is ready, too."""
        self.js("window.before = true")
        step()
        self.until("window.before === undefined")
        self.settled()

    def settled(self) -> None:
        """Wait until the page is loaded, what it works out is there and every chart that can be seen is drawn."""
        self.until("!document.querySelector('[data-poll^=\"/plan/now\"]')")
        self.until("![...document.querySelectorAll('.canvas:not(.drawn)')].some(e => e.clientWidth > 0)")

    def until(self, expression: str, seconds: float = PATIENCE) -> None:
        """Wait until an expression holds in a whole page; what fails, as on the way to one, does not hold yet."""
        deadline = time.monotonic() + seconds
        failed = ""
        while time.monotonic() < deadline:
            try:
                if self.js(f"{LOADED} && ({expression})") is True:
                    return
                failed = ""
            except RuntimeError as error:
                failed = str(error)
            time.sleep(0.05)
        with suppress(RuntimeError):
            failed += "; " + self.js("document.body?.innerText ?? ''")[:800]
        raise AssertionError(f"never held: {expression}; {failed}; {self.console}")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def type(self, selector: str, text: str) -> None:
        """Type into a field, as a person would."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go: one of `KEYS`."""
        code, number, text = KEYS[key]
        told = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector: str) -> None:
        """Click something, and wait for the page that follows."""
        self.leaving(lambda: self.js(f"document.querySelector({json.dumps(selector)}).click()"))
