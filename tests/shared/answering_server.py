"""A server on this machine that gives the answers that a test names, with TLS or without."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.connections.add(self.client_address)
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        for answer in self.server.answers:
            given = answer(self.command, self.path, self.headers, body)
            if given is not None:
                break
        else:
            given = (404, {}, b"")
        status, headers, content = given
        if status == "close":
            self.close_connection = True
            self.wfile.write(content)
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if len(content) < int(headers.get("Content-Length", 0)):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the names of http.server

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def answering(tls=None):
    """A server: `answers` are functions of method, path, headers and body, the first answer that is one is given.

    `asked` has all requests, `connections` those that they came by, `host` is its address. `tls`: the context of its
    sockets.
    """
    made = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        made.socket = tls.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
    made.daemon_threads = True
    made.answers, made.asked, made.connections = [], [], set()
    made.host = f"127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Say nothing of a client that went away."""


def always(*answer):
    return lambda *_: answer


def of(method, *answer):
    return lambda command, *_: answer if command == method else None


def in_turn(*answers):
    left = list(answers)
    return lambda *_: left.pop(0) if left else None


def certificate(folder, began, *, host):
    """A certificate of an address, good for a day from then on: a server's context, and the file of its issuer."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "r")])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(began).not_valid_after(began + dt.timedelta(days=1))
    made = builder.add_extension(addresses, critical=False).sign(key, hashes.SHA256())
    file, key_file = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return context, file
