"""Requests as raw bytes that two readers of HTTP could understand differently, and some that mean one.

`REFUSED` must not reach an application behind our own listener; `ONE` is exactly one request there.
"""

from __future__ import annotations

from gateway.front_door import CHUNKED, GET, POST, H

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

REFUSED = {
    "CL and TE": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "TE and CL": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "two CL that differ": POST + b"Content-Length: 0\r\nContent-Length: 36\r\n\r\n" + HIDDEN,
    "two CL that agree": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "CL as a list": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "CL with a plus": POST + b"Content-Length: +4\r\n\r\nabcd",
    "CL negative": POST + b"Content-Length: -4\r\n\r\nabcd",
    "CL hexadecimal": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "CL empty": POST + b"Content-Length: \r\n\r\nabcd",
    "CL of two numbers": POST + b"Content-Length: 4 4\r\n\r\nabcd",
    "CL beyond 64 bits": POST + b"Content-Length: 18446744073709551617\r\n\r\nabcd",
    "CL in Arabic digits": POST + "Content-Length: ٤\r\n\r\nabcd".encode(),
    "TE twice chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "TE gzip and chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + HIDDEN,
    "TE unknown": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE quoted": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "TE with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "TE behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "two TE": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two TE, chunked first": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE with HTTP/1.0": b"POST /one HTTP/1.0\r\n"
    + H
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE name with a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE name with a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "obs-fold": GET + b"X: a\r\n b\r\n\r\n",
    "obs-fold hiding TE": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded first field": b"GET /one HTTP/1.1\r\n Host: a\r\n\r\n",
    "bare LF after the request line": b"GET /one HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a field": b"GET /one HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF at the end of the head": b"GET /one HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR in a value": GET + b"X: a\rY: b\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "a control character in a value": GET + b"X: a\x01b\r\n\r\n",
    "an empty name": GET + b": b\r\n\r\n",
    "a line without a colon": GET + b"nothing\r\n\r\n",
    "a name with brackets": GET + b"a(b): c\r\n\r\n",
    "no Host": b"GET /one HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "a Host that is a list": b"GET /one HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a Host with user info": b"GET /one HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a Host with a path": b"GET /one HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an empty Host": b"GET /one HTTP/1.1\r\nHost: \r\n\r\n",
    "absolute form": b"GET http://evil/one HTTP/1.1\r\n" + H + b"\r\n",
    "absolute form with user info": b"GET http://a@evil/one HTTP/1.1\r\n" + H + b"\r\n",
    "a fragment": b"GET /one#two HTTP/1.1\r\n" + H + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n",
    "CONNECT": b"CONNECT evil:443 HTTP/1.1\r\n" + H + b"\r\n" + HIDDEN,
    "TRACE": b"TRACE /one HTTP/1.1\r\n" + H + b"\r\n",
    "an unknown method": b"FOO /one HTTP/1.1\r\n" + H + b"\r\n",
    "a method in lower case": b"get /one HTTP/1.1\r\n" + H + b"\r\n",
    "a method of another protocol": b"DESCRIBE /one RTSP/1.0\r\n" + H + b"\r\n",
    "a blank in the target": b"GET /one two HTTP/1.1\r\n" + H + b"\r\n",
    "a tab in the target": b"GET /one\ttwo HTTP/1.1\r\n" + H + b"\r\n",
    "raw UTF-8 in the target": "GET /ñ HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "a blank before the method": b" GET /one HTTP/1.1\r\n" + H + b"\r\n",
    "HTTP/0.9": b"GET /one\r\n\r\n",
    "HTTP/0.9 by name": b"GET /one HTTP/0.9\r\n" + H + b"\r\n",
    "HTTP/1.2": b"GET /one HTTP/1.2\r\n" + H + b"\r\n",
    "HTTP/2 by name": b"GET /one HTTP/2.0\r\n" + H + b"\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the version in lower case": b"GET /one http/1.1\r\n" + H + b"\r\n",
    "a websocket": GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN,
    "h2c with a body": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    + HIDDEN,
    "an unknown expectation": POST + b"Expect: 200-ok\r\nContent-Length: 0\r\n\r\n",
    "a chunk size with a sign": CHUNKED + b"-4\r\nabcd\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x4\r\nabcd\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
    "a chunk size with a blank": CHUNKED + b"4 \r\nabcd\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\nabcd\r\n0\r\n\r\n",
    "bare LF after a chunk size": CHUNKED + b"4\nabcd\r\n0\r\n\r\n",
    "bare LF after a chunk extension": CHUNKED + b"4;a\nabcd\r\n0\r\n\r\n" + HIDDEN,
    "no CRLF after a chunk": CHUNKED + b"4\r\nabcd0\r\n\r\n",
    "a chunk longer than said": CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n",
    "a trailer field": CHUNKED + b"4\r\nabcd\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
    "101 fields": GET + b"X: y\r\n" * 100 + b"\r\n",
    "a head of 33 KiB": GET + b"X: " + b"y" * 33_000 + b"\r\n\r\n",
    "a target of 33 KiB": b"GET /" + b"y" * 33_000 + b" HTTP/1.1\r\n" + H + b"\r\n",
    "a head of 33 KiB with its body": POST
    + b"X: "
    + b"y" * 33_000
    + b"\r\nContent-Length: 40000\r\n\r\n"
    + b"z" * 40_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "noise": b"\xff\xfe\x00GET / HTTP/1.1\r\n\r\n",
}

ONE = {
    "a plain GET": (GET + b"\r\n", ("GET", "/one", b"")),
    "a plain POST": (POST + b"Content-Length: 4\r\n\r\nabcd", ("POST", "/one", b"abcd")),
    "a CL with zeros in front": (
        POST + b"Content-Length: 004\r\n\r\nabcd",
        ("POST", "/one", b"abcd"),
    ),
    "a CL with a trailing blank": (
        POST + b"Content-Length: 4 \r\n\r\nabcd",
        ("POST", "/one", b"abcd"),
    ),
    "chunks": (CHUNKED + b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", ("POST", "/one", b"abcd")),
    "chunks, TE in odd case": (
        POST + b"TRANSFER-ENCODING: ChUnKeD\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
        ("POST", "/one", b"abcd"),
    ),
    "chunk extensions": (
        CHUNKED + b"4;a=b;c\r\nabcd\r\n0;d\r\n\r\n",
        ("POST", "/one", b"abcd"),
    ),
    "a request as the body": (
        POST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        ("POST", "/one", HIDDEN),
    ),
    "a body in a GET": (
        GET + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        ("GET", "/one", HIDDEN),
    ),
    "TE with an underscore is another field": (
        POST + b"Transfer_Encoding: chunked\r\nContent-Length: 4\r\n\r\nabcd",
        ("POST", "/one", b"abcd"),
    ),
    "100-continue": (
        POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd",
        ("POST", "/one", b"abcd"),
    ),
    "HTTP/1.0": (b"GET /one HTTP/1.0\r\n\r\n", ("GET", "/one", b"")),
    "empty lines in front": (b"\r\n\r\n" + GET + b"\r\n", ("GET", "/one", b"")),
    "a path that looks like a host": (
        b"GET //evil/one HTTP/1.1\r\n" + H + b"\r\n",
        ("GET", "//evil/one", b""),
    ),
    "an encoded slash": (b"GET /a%2fone HTTP/1.1\r\n" + H + b"\r\n", ("GET", "/a%2fone", b"")),
    "a Host with a port": (
        b"GET /one HTTP/1.1\r\nHost: [::1]:8001\r\n\r\n",
        ("GET", "/one", b""),
    ),
    "100 fields": (GET + b"X: y\r\n" * 99 + b"\r\n", ("GET", "/one", b"")),
    "a head of 31 KiB with a body": (
        POST + b"X: " + b"y" * 31_000 + b"\r\nContent-Length: 40000\r\n\r\n" + b"z" * 40_000,
        ("POST", "/one", b"z" * 40_000),
    ),
    "a second request behind it": (GET + b"\r\n" + HIDDEN, ("GET", "/one", b"")),
    "a second request behind a body": (CHUNKED + b"0\r\n\r\n" + HIDDEN, ("POST", "/one", b"")),
    "garbage behind it": (GET + b"\r\n" + b"\0garbage", ("GET", "/one", b"")),
    "data behind Connection: close": (
        GET + b"Connection: close\r\n\r\n" + HIDDEN,
        ("GET", "/one", b""),
    ),
}
