"""The short way of a connection reads what aiohttp's own parser would read, and leaves everything else to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sandbox.venues.line import LONGEST_BODY, read

HEAD = b"POST /0/private/AddOrder HTTP/1.1\r\nHost: sandbox\r\nAPI-Key: k\r\nContent-Length: 3\r\n"


def test_a_plain_request_is_read() -> None:
    found = read(HEAD + b"\r\na=1", "192.0.2.1")
    assert found is not None
    assert found.asked is not None
    asked = found.asked
    assert (asked.method, asked.path, asked.query, asked.body, asked.source) == ("POST", "/0/private/AddOrder", "", b"a=1", "192.0.2.1")
    assert asked.headers["api-key"] == "k"


def test_a_body_on_its_way_is_waited_for() -> None:
    found = read(HEAD + b"\r\na=", "")
    assert found is not None
    assert found.asked is None


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"\r\na=12",
        HEAD + b"\r\na=1GET / HTTP/1.1\r\n\r\n",
        HEAD,
        HEAD + b"Content-Length: 4\r\n\r\na=1",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\na=1",
        HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\na=1",
        HEAD + b"Connection: close\r\n\r\na=1",
        HEAD + b"Expect: 100-continue\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\n\r\na=1",
        HEAD + b" folded: 1\r\n\r\na=1",
        HEAD + b"X: \x00\r\n\r\na=1",
        HEAD + b"X: \xff\r\n\r\na=1",
        HEAD + b"X : 1\r\n\r\na=1",
        HEAD + b"X\r\n\r\na=1",
        HEAD.replace(b"\r\n", b"\n") + b"\na=1",
        HEAD.replace(b"3", b"+3") + b"\r\na=1",
        HEAD.replace(b"3", b"3, 3") + b"\r\na=1",
        HEAD.replace(b"3", b"%d" % (LONGEST_BODY + 1)) + b"\r\na=1",
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\na=1",
        HEAD.replace(b"/0/", b"/%30/") + b"\r\na=1",
        HEAD.replace(b"/0/", b"/../") + b"\r\na=1",
        HEAD.replace(b"AddOrder", b"AddOrder?a#b") + b"\r\na=1",
        HEAD.replace(b"POST", b"PATCH") + b"\r\na=1",
        HEAD.replace(b"API-Key: k", b"API-Key: " + b"k" * 9_000) + b"\r\na=1",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
def test_whatever_else_is_left_to_the_general_parser(data: bytes) -> None:
    assert read(data, "") is None


def _aiohttp(data: bytes) -> tuple[Any, bytes] | None:
    """Return the one message that aiohttp reads, and its body; None when it refuses, wants more, or reads several."""

    async def go() -> tuple[Any, bytes] | None:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        parser = HttpRequestParser(protocol, loop, 2**16)
        try:
            messages, _, tail = parser.feed_data(data)
        except HttpProcessingError:
            return None
        if len(messages) != 1 or tail:
            return None
        message, payload = messages[0]
        return (message, await payload.read()) if payload.is_eof() else None

    return asyncio.run(go())


_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=6).map(lambda text: text.encode("latin-1"))
_NAME = st.one_of(st.sampled_from([b"Host", b"API-Key", b"content-length", b"Connection", b"Content-Type"]), _TEXT)
_VALUE = st.one_of(st.sampled_from([b"3", b" 3 ", b"0", b"keep-alive", b"a, b", b""]), _TEXT)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([b"GET", b"POST", b"DELETE", b"post"]),
    st.one_of(st.just(b"/0/private/Balance"), _TEXT.map(lambda text: b"/" + text)),
    st.one_of(st.none(), _TEXT),
    st.lists(st.tuples(_NAME, st.sampled_from([b":", b": ", b" : "]), _VALUE), max_size=4),
    st.sampled_from([b"", b"a=1", b"a=12"]),
)
def test_what_is_read_here_is_what_the_general_parser_reads(
    method: bytes, path: bytes, query: bytes | None, headers: list[tuple[bytes, bytes, bytes]], body: bytes
) -> None:
    target = path if query is None else path + b"?" + query
    lines = b"".join(name + colon + value + b"\r\n" for name, colon, value in headers)
    found = read(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + body, "")
    if found is None or found.asked is None:
        return
    theirs = _aiohttp(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + body)
    assert theirs is not None
    message, whole = theirs
    asked = found.asked
    assert (asked.method, asked.path, asked.query, asked.body) == (
        message.method,
        message.url.path,
        message.url.raw_query_string,
        whole,
    )
    assert asked.headers == {name.lower(): value for name, value in message.headers.items()}
    assert not message.should_close
    assert not message.upgrade
