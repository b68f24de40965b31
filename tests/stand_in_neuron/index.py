"""A package index of a folder of wheels: the "simple" pages of PEP 503, served from this process."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class PackageIndex:
    """Serves a folder of wheels while the context is open.

    Args:
        folder: where the wheels are; it is read at every request.
        host: address to listen on; "0.0.0.0" lets containers in.
        port: 0 for any free one.

    Attributes:
        asked: the paths that were asked for, in order.
    """

    def __init__(self, folder, host="127.0.0.1", port=0):
        self._folder = Path(folder)
        self._address = (host, port)
        self.asked = []

    def __enter__(self):
        self._server = ThreadingHTTPServer(self._address, self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def url(self):
        """What `--index-url` takes on this machine."""
        return self.url_at("127.0.0.1")

    def url_at(self, host):
        """The same for those who reach this machine under another name."""
        return f"http://{host}:{self.port}/simple/"

    def answer(self, path):
        """(type, content) of a page or a file; None when there is none."""
        wheels = {wheel.name: wheel for wheel in sorted(self._folder.glob("*.whl"))}
        place, _, name = path.strip("/").partition("/")
        if place == "files" and name in wheels:
            return "application/octet-stream", wheels[name].read_bytes()
        if place != "simple":
            return None
        projects = {_normal(wheel.split("-")[0]) for wheel in wheels}
        if not name:
            return _page([(f"/simple/{project}/", project) for project in sorted(projects)])
        if name not in projects:
            return None
        mine = [wheel for file, wheel in wheels.items() if _normal(file.split("-")[0]) == name]
        return _page([(f"/files/{wheel.name}#sha256={_sha256(wheel)}", wheel.name) for wheel in mine])

    def _handler(index):  # noqa: N805 - `self` is the request's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.wfile.write(self.do_HEAD())

            def do_HEAD(self):
                index.asked.append(self.path)
                found = index.answer(self.path.replace("%2B", "+").replace("%2b", "+"))
                kind, content = found or ("text/plain", b"not here\n")
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                return content

            def log_message(self, *_):
                """Say nothing: `asked` is the log."""

        return Handler


def _page(links):
    anchors = "".join(f'<a href="{target}">{text}</a><br>\n' for target, text in links)
    return "text/html", f"<!DOCTYPE html><html><body>\n{anchors}</body></html>\n".encode()


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
