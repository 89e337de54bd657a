"""Who can read which secret, who did, and who should not be able to: from the store's policies and its audit log, against the code."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .wanted import Wanted

_PATH = re.compile(r'path\s+"(?P<path>[^"]+)"\s*\{(?P<body>[^}]*)\}', re.S)
_WORDS = re.compile(r'"([a-z]+)"')
READS = frozenset({"read", "sudo", "root"})


def grants(policy: str) -> dict[str, list[str]]:
    """Return `{path pattern: capabilities}` of a policy in HCL; comments and denied paths give nothing."""
    text = re.sub(r"(?m)^\s*#.*$", "", policy)
    found: dict[str, list[str]] = {}
    for match in _PATH.finditer(text):
        words = _WORDS.findall(match["body"].split("capabilities", 1)[-1].split("]")[0]) if "capabilities" in match["body"] else []
        found[match["path"]] = sorted(set(words))
    return found


def opens(pattern: str, path: str) -> bool:
    """Return whether a policy's path covers a path: `*` at the end is any rest, `+` one segment."""
    rest = pattern.endswith("*")
    regex = "/".join("[^/]+" if one == "+" else re.escape(one) for one in pattern.removesuffix("*").split("/"))
    return re.fullmatch(regex + (".*" if rest else ""), path) is not None


def matrix(there: Wanted, secrets: list[str], mount: str = "kv") -> dict[str, list[str]]:
    """Return `{role: [secrets that it can read]}`; a role with policy root, or that may log in without a policy of ours, opens all."""
    found: dict[str, list[str]] = {}
    for role, body in there.roles.items():
        allowed: dict[str, list[str]] = {}
        names = list(body.get("token_policies") or [])
        for name in names:
            for pattern, words in grants(there.policies.get(name, "")).items():
                allowed.setdefault(pattern, []).extend(words)
        denied = [pattern for pattern, words in allowed.items() if "deny" in words]
        readable = [pattern for pattern, words in allowed.items() if READS & set(words)]
        found[role] = [path for path in secrets if "root" in names
                       or (any(opens(one, f"{mount}/data/{path}") for one in readable)
                           and not any(opens(one, f"{mount}/data/{path}") for one in denied))]
    return found


def review(there: Wanted, wanted: Wanted, secrets: list[str], used: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return the review: who can read what, what differs from the code, what was read by whom, and what nobody used.

    `used` is `{role: {secret: times}}` from the audit log. `problems` are sentences for people; none is no finding, not "all is well".
    """
    can, should = matrix(there, secrets), matrix(wanted, secrets)
    problems: list[str] = []
    for role in sorted(set(can) | set(should)):
        if role not in should:
            problems.append(f"role {role} is not in code and can read {len(can[role])} secrets")
        more = sorted(set(can.get(role, [])) - set(should.get(role, []))) if role in should else []
        problems += [f"role {role} can read {path} and code does not give it that" for path in more]
    for role, paths in sorted(used.items()):
        problems += [f"{role} read {path} {times} times and code does not give it that"
                     for path, times in sorted(paths.items()) if path in secrets and path not in should.get(role, [])]
    unused = {role: sorted(path for path in paths if not used.get(role, {}).get(path)) for role, paths in can.items()}
    others = [f"{name} ({one.get('type')})" for name, one in there.auths.items() if name not in {"token/", *wanted.auths}]
    problems += [f"somebody can log in by {name}, which is not in code" for name in others]
    return {"can_read": can, "used": {role: dict(paths) for role, paths in used.items()},
            "unused": {role: paths for role, paths in unused.items() if paths}, "problems": problems}
