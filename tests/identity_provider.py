"""A small OpenID Connect provider that signs in whomever a test names, without asking."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "chat", "a-secret-of-many-characters"


class IdentityProvider:
    """A context manager that listens on loopback. `email` is who signs in next; `signed_in` counts the sign-ins."""

    def __init__(self, folder: Path) -> None:
        """Creates its key in that folder."""
        self._key = folder / "provider.key"
        subprocess.run(["openssl", "genrsa", "-out", self._key, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(
            ["openssl", "rsa", "-in", self._key, "-noout", "-modulus"], check=True, capture_output=True, text=True
        ).stdout
        self._modulus = _encoded(bytes.fromhex(modulus.strip().removeprefix("Modulus=")))
        self.email = "ada@example.org"
        self.signed_in = 0
        self._nonces: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> IdentityProvider:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def keys(self) -> dict[str, object]:
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k", "n": self._modulus, "e": "AQAB"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """The address to which the browser is sent back."""
        self.signed_in += 1
        code = f"code-{self.signed_in}"
        self._nonces[code] = asked.get("nonce", "")
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, object] | None:
        """The tokens for a code, once; None for a wrong code or secret."""
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        nonce = self._nonces.pop(form.get("code", ""), None)
        if nonce is None or authorization != f"Basic {known}":
            return None
        now = int(time.time())
        claims = {"iss": self.url, "sub": self.email, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": nonce}
        token = self._signed({"alg": "RS256", "kid": "k"}, claims | {"email": self.email})
        return {"access_token": "unused", "token_type": "Bearer", "expires_in": 600, "id_token": token}

    def _signed(self, head: dict[str, object], claims: dict[str, object]) -> str:
        text = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", self._key]
        return (
            f"{text}.{_encoded(subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout)}"
        )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _handler_for(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/authorize":
                self.send_response(302)
                asked = {name: values[0] for name, values in parse_qs(place.query).items()}
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            documents = {"/.well-known/openid-configuration": provider.metadata, "/keys": provider.keys}
            self._answer(documents[place.path]() if place.path in documents else None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(provider.token(form, self.headers.get("Authorization", "")))

        def _answer(self, document: dict[str, object] | None) -> None:
            data = json.dumps(document or {"error": "invalid_request"}).encode()
            self.send_response(200 if document else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
