"""A headless Chromium, and a server that remembers what was asked of it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "host"))

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found():
    """The programs of a browser that selenium can drive; None where there are none."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before any fixture: what needs a browser is skipped without one, or fails where one is required."""
    if item.get_closest_marker("browser") is None or found():
        return
    if os.environ.get("BERTBUILD_REQUIRE_BROWSER") == "1":
        pytest.fail("BERTBUILD_REQUIRE_BROWSER=1, and there is no Chromium with its driver; see .ci/browser.sh")
    pytest.skip("there is no Chromium with its driver; .ci/browser.sh installs both")


class Browser:
    """A browser's window, as large as a test wants it."""

    def __init__(self, driver):
        self.driver = driver

    def look(self, url, width=1280, *, dark=False):
        """Open a page; what was logged before is forgotten."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self):
        """The addresses that the page's own requests went to, tried or done."""
        told = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]

    def printed(self):
        """The page on paper: a PDF's bytes."""
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    from selenium import webdriver

    program, driver = found()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield Browser(window)
    window.quit()


class Served:
    """A page behind an address of this machine; `asked` are the paths that were asked for."""

    def __init__(self):
        self.asked = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                served.asked.append(self.path)
                body = served.page if self.path == "/report.html" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words):
                """Nothing on the terminal."""

        self.page = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def serve(self, page):
        """The address of these bytes; what was asked before is forgotten."""
        self.page = page
        self.asked.clear()
        return f"http://127.0.0.1:{self._server.server_port}/report.html"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def served():
    served = Served()
    yield served
    served.close()
