"""Which secrets find the leaks? One of every shape that breaks a parser, a logger or a redaction; made anew for each test."""
from __future__ import annotations

import base64
import random
import string
from typing import Dict


def canaries(seed: int) -> Dict[str, str]:
    """Return the canary set by shape; each holds random characters, so that a hit is no chance."""
    chance = random.Random(seed)  # noqa: S311 (a test repeats with its seed; these secrets open nothing)

    def word(length: int, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(chance.choice(letters) for _ in range(length))

    body = base64.b64encode(chance.getrandbits(8 * 96).to_bytes(96, "big")).decode("ascii")
    return {
        "token": "9q7" + word(40),
        "base64": base64.b64encode(chance.getrandbits(512).to_bytes(64, "big")).decode("ascii"),
        "hex": "%064x" % chance.getrandbits(256),
        "password": word(12, string.ascii_letters + string.digits + "!#%&*?"),
        "short": word(6, string.ascii_uppercase + string.digits),
        "quotes": "a\"%s'b`%s\\c" % (word(6), word(6)),
        "newlines": "first %s\nsecond\t%s\r\n\nthird %s\n" % (word(24), word(24), word(24)),
        "unicode": "Schlüssel-%s-鍵-🔑-%s-é" % (word(5), word(5)),
        "yaml": "{yes: [no, ~], *%s: &x !!str %s} # %s" % (word(5), word(8), word(5)),
        "jinja": "{{ %s }}{%% raw %%}%s{# %s #}" % (word(8), word(8), word(5)),
        "shell": "$(touch %s);`%s` && ${%s} | \\$" % (word(6), word(6), word(5)),
        "url": "postgres://bot:%s@db.example.net:5432/x?sslmode=require&q=%%20%s" % (word(16), word(4)),
        "pem": "-----BEGIN PRIVATE KEY-----\n%s\n%s\n-----END PRIVATE KEY-----\n" % (body[:64], body[64:]),
        "large": "\n".join("%s \"%s\" %s" % (word(20), word(17), word(24)) for _ in range(63)),
        "spaces": "  leading %s and trailing   " % word(10),
        "number": "%d" % chance.randrange(10**17, 10**18),
    }
