"""One HTTP question of a probe. Imported only by a probe that asks one: TLS and urllib cost 40 ms of CPU on the target."""
from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ..errors import Undecided


class Response(NamedTuple):
    """An HTTP answer. `headers` have lower-case names, `seconds` is the wall time, `tls` the peer's certificate or {}."""

    status: int
    headers: Dict[str, str]
    body: bytes
    seconds: float
    tls: Dict[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None  # a redirect is an answer to report, not an order to follow


def ask(url: str, headers: Mapping[str, str], timeout: float, ca_file: Optional[str], data: Optional[bytes],
        method: Optional[str], cap: int) -> Response:
    """Ask a URL. Certificates are always verified, proxies of the environment are not used, redirects not followed.

    Raises Undecided when there is no HTTP answer at all; 4xx and 5xx are answers.
    """
    if not url.startswith(("https:", "http:")):
        raise Undecided("%s is not an http or https address" % url[:80])
    request = urllib.request.Request(url, data=data, headers=dict(headers), method=method)  # noqa: S310 (scheme checked above)
    handlers: List[Any] = [urllib.request.ProxyHandler({}), _NoRedirect()]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
    started = time.monotonic()
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as answer:
            return _response(answer.status, answer, started, cap)
    except urllib.error.HTTPError as exc:
        with exc:
            return _response(exc.code, exc, started, cap)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        words = "%s %s" % (type(reason).__name__, str(reason)[:120])
        raise Undecided("no answer from %s: %s" % (url.split("?", 1)[0][:120], words)) from None


def _response(status: int, answer: Any, started: float, cap: int) -> Response:
    sock = getattr(getattr(getattr(answer, "fp", None), "raw", None), "_sock", None)
    tls = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else {}
    body = answer.read(cap)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(status, headers, body, time.monotonic() - started, dict(tls or {}))
