"""A real browser driven over its own pipe (the DevTools protocol), for the tests of the app."""

import base64
import json
import os
import shutil
import subprocess
import time
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
        self.size(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self._process.terminate()
        self._process.wait(20)
        os.close(self._read)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window, and whether the system is dark."""
        mobile = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

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
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        match found.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(str(found["params"]["exceptionDetails"])[:500])
            case "Log.entryAdded":
                self.console.append(str(found["params"]["entry"])[:500])
            case "Network.requestWillBeSent":
                self.requested.append(found["params"]["request"]["url"])
        return found

    def go(self, url: str) -> None:
        """Open an address, and wait until its charts are drawn."""
        self.call("Page.navigate", url=url)
        self.settled()

    def settled(self) -> None:
        """Wait until the page is loaded and every chart that can be seen is drawn."""
        ready = "document.readyState === 'complete' && ![...document.querySelectorAll('.canvas:not(.drawn)')]"
        self.until(ready + ".some(e => e.clientWidth > 0)")

    def until(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until an expression holds in the page; what fails, as on the way to another, does not hold yet."""
        deadline = time.monotonic() + seconds
        failed = ""
        while time.monotonic() < deadline:
            try:
                if self.js(expression) is True:
                    return
                failed = ""
            except RuntimeError as error:
                failed = str(error)
            time.sleep(0.05)
        shown = self.js("document.body?.innerText ?? ''")[:800]
        raise AssertionError(f"never held: {expression}; {failed}; {shown}; {self.console}")

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

    def click(self, selector: str) -> None:
        """Click something, and wait for the page that follows."""
        self.js(f"window.before = true; document.querySelector({json.dumps(selector)}).click()")
        time.sleep(0.3)
        self.settled()

    def picture(self, file: Path, *, whole: bool = True) -> None:
        """A picture of the page."""
        height = int(self.js("document.documentElement.scrollHeight")) if whole else 900
        width = int(self.js("window.innerWidth"))
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=min(height, 9000),
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        time.sleep(0.4)
        self.settled()
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
