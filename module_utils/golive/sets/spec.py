"""The argument specifications of the set modules, shared by library/ and plugins/action/."""
from __future__ import annotations

from typing import Any, Dict

Spec = Dict[str, Any]

DRIFT: Spec = {"golive_drift": {"type": "bool", "default": False}}

PACKAGES: Spec = {
    "present": {"type": "list", "elements": "str", "default": []},
    "absent": {"type": "list", "elements": "str", "default": []},
    "sources": {"type": "list", "elements": "str", "default": []},
}

_STATE: Spec = {"type": "str", "choices": ["present", "absent"], "default": "present"}

ACCOUNTS: Spec = {
    "groups": {"type": "list", "elements": "dict", "default": [], "options": {
        "name": {"type": "str", "required": True}, "gid": {"type": "int"}, "system": {"type": "bool", "default": False}, "state": _STATE}},
    "users": {"type": "list", "elements": "dict", "default": [], "options": {
        "name": {"type": "str", "required": True}, "uid": {"type": "int"}, "group": {"type": "str"},
        "groups": {"type": "list", "elements": "str"}, "append": {"type": "bool", "default": False},
        "home": {"type": "str"}, "shell": {"type": "str"}, "comment": {"type": "str"}, "system": {"type": "bool", "default": False},
        "password_locked": {"type": "bool", "default": True, "no_log": False},
        "authorized_keys": {"type": "list", "elements": "str", "no_log": False}, "state": _STATE}},
    "members": {"type": "list", "elements": "dict", "default": [], "options": {
        "group": {"type": "str", "required": True}, "user": {"type": "str", "required": True}}},
}

_ACL: Spec = {"type": "list", "elements": "dict", "default": [], "mutually_exclusive": [["user", "group"]],
              "required_one_of": [["user", "group"]], "options": {
                  "user": {"type": "str"}, "group": {"type": "str"}, "permissions": {"type": "str", "required": True},
                  "default": {"type": "bool", "default": False}}}
_OWNERSHIP: Spec = {"path": {"type": "str", "required": True}, "owner": {"type": "str", "default": "root"}, "group": {"type": "str"},
                    "mode": {"type": "str"}, "acl": _ACL}

FILES: Spec = {     # what a role writes; the action plugin turns it into the payload of the module
    "directories": {"type": "list", "elements": "dict", "default": [], "options": dict(
        _OWNERSHIP, purge={"type": "bool", "default": False}, keep={"type": "list", "elements": "str", "default": []})},
    "files": {"type": "list", "elements": "dict", "default": [], "mutually_exclusive": [["content", "template", "source", "secret"]],
              "options": dict(
                  _OWNERSHIP, content={"type": "str"}, template={"type": "str"}, source={"type": "str"},
                  secret={"type": "str", "no_log": False}, variables={"type": "dict", "default": {}},
                  validate={"type": "list", "elements": "str"}, create_only={"type": "bool", "default": False})},
    "links": {"type": "list", "elements": "dict", "default": [], "options": {
        "path": {"type": "str", "required": True}, "to": {"type": "str", "required": True}, "replace": {"type": "bool", "default": False}}},
    "absent": {"type": "list", "elements": "str", "default": []},
    "releases": {"type": "list", "elements": "dict", "default": [], "options": {
        "path": {"type": "str", "required": True}, "archive": {"type": "str", "required": True},
        "sha256": {"type": "str", "required": True}}},
}

SEALED: Spec = {    # what a role writes; the action plugin resolves the secrets
    "files": {"type": "list", "elements": "dict", "required": True, "options": {
        "path": {"type": "str", "required": True}, "name": {"type": "str", "required": True},
        "secret": {"type": "str", "required": True, "no_log": False}}},
}

UNITS: Spec = {
    "units": {"type": "list", "elements": "dict", "required": True, "options": {
        "name": {"type": "str", "required": True}, "state": {"type": "str", "choices": ["started", "stopped"]},
        "enabled": {"type": "str", "choices": ["true", "false", "masked"]},
        "keep_drop_ins": {"type": "list", "elements": "str", "default": []},
        "restart_when": {"type": "dict", "options": {"digest_of": {"type": "list", "elements": "str", "required": True}}}}},
}

_TRIAL: Spec = {
    "name": {"type": "str", "required": True},
    "apply": {"type": "list", "elements": "str", "required": True},
    "undo": {"type": "list", "elements": "str", "required": True},
    "within_s": {"type": "int", "default": 60},
    "live": {"type": "dict", "options": {"argv": {"type": "list", "elements": "str"}, "expected": {"type": "list", "elements": "str"},
                                         "unit": {"type": "str"}},
             "required_together": [["argv", "expected"]], "required_one_of": [["argv", "unit"]], "mutually_exclusive": [["argv", "unit"]]},
}

CONFIRMED: Spec = dict(_TRIAL, files=dict(FILES["files"], required=True))
del CONFIRMED["files"]["default"]

_CERTIFICATES: Spec = {"type": "list", "elements": "dict", "default": [], "options": {
    "certificate": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False},
    "names": {"type": "list", "elements": "str", "required": True}, "owner": {"type": "str", "default": "root"}, "group": {"type": "str"}}}
_LIFE: Spec = {"days": {"type": "float", "default": 30.0}, "renew_before_days": {"type": "float", "default": 10.0},
               "renew_made_before": {"type": "str", "default": ""}}

CERTIFICATES: Spec = dict(_LIFE, certificates=_CERTIFICATES, trust={"type": "list", "elements": "str", "default": []}, authority={
    "type": "dict", "required": True, "options": {
        "certificate": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False},
        "create_as": {"type": "str"}, "create_days": {"type": "float", "default": 7.0}}})

IDENTITIES: Spec = {"identities": {"type": "list", "elements": "dict", "required": True, "options": {
    "path": {"type": "str", "required": True}, "kind": {"type": "str", "choices": ["ssh", "age"], "required": True}}}}

_PAYLOAD: Spec = {"type": "str", "required": True, "no_log": True}     # what an action sends; it may hold secrets

#: module -> what it is sent by its action plugin
MODULES: Dict[str, Spec] = {name: dict(spec, **DRIFT) for name, spec in {
    "packages": PACKAGES,
    "accounts": ACCOUNTS,
    "managed_files": {"payload": _PAYLOAD, "uploads": {"type": "dict", "default": {}}},
    "units": dict(UNITS, predicted={"type": "list", "elements": "dict", "default": []}),
    "sealed_files": {"payload": _PAYLOAD},
    "confirmed_files": dict(_TRIAL, payload=_PAYLOAD, token={"type": "str", "required": True, "no_log": False},
                            step={"type": "str", "choices": ["apply", "confirm", "ask"], "default": "apply"}),
    "certificates": {
        "certificates": _CERTIFICATES, "trust": {"type": "list", "elements": "str", "default": []},
        "authority": {"type": "str", "required": True}, "renew_before_s": {"type": "int", "required": True},
        "renew_made_before": {"type": "str", "default": ""}, "signed": {"type": "dict", "default": {}}},
    "identities": IDENTITIES,
}.items()}
