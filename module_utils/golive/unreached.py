"""Why was a host not reached? One clause in plain words out of what ssh and Ansible say, which begin with a frame of at-signs. Pure."""
from __future__ import annotations

import re

# What ssh says (OpenSSH's own texts), and what it means. The first that is found counts.
_MEANS = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No \S+ host key is known",
     "its host key is not the pinned one (Host key verification failed); if the host was made anew, pin its new key in known_hosts, else "
     "somebody stands in between: nothing was sent"),
    (r"Permission denied \([^)]*\)", "it refused the login; compare ansible_user and the key file with what the host lets in"),
    (r"Could not resolve hostname[^\r\n]*", "its name does not resolve; correct ansible_host or the resolver"),
    (r"Connection refused", "its port refuses connections (Connection refused); is sshd up, is ansible_port right?"),
    (r"Connection timed out|Operation timed out|timed out during banner exchange",
     "it does not answer (timed out); is it up, does a firewall stand in between?"),
    (r"No route to host|Network is unreachable", "there is no way to it (No route to host); compare ansible_host with the network"),
    (r"Connection (?:closed|reset) by [^\r\n]*", "it closed the connection before the login; look at its sshd log"),
)


def why(text: str) -> str:
    """Return the reason in at most 300 characters; what we do not know is shown in its own words, without ssh's frame."""
    for pattern, means in _MEANS:
        if re.search(pattern, text):
            return means
    lines = [line.strip() for line in text.splitlines() if line.strip(" @\r\t")]
    return (lines[0] if lines else "no words at all")[:300]
