"""What detect-secrets knows of the form of secrets: tokens of some twenty services, told by their prefix or structure. Controller only.

Its detectors by entropy and by keyword are left out: over a history they call lock files and digests secrets, and what golive itself can be
sure of (values of the store, by keyed hashes) it looks for exactly.
"""
from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..errors import Undecided

DETECTORS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "CloudantDetector", "DiscordBotTokenDetector",
    "GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "JwtTokenDetector", "MailchimpDetector",
    "NpmDetector", "OpenAIDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SoftlayerDetector", "SquareOAuthDetector",
    "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector")  # fmt: skip
# A line longer than this is data, not text that somebody wrote; what is in it is found by the exact pass.
_LINE_CAP = 2000


def load() -> List[Any]:
    """Return the detectors. Raises Undecided where detect-secrets is not installed or has lost one of them."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class  # noqa: PLC0415 (the controller's only)
    except ImportError:
        raise Undecided("detect-secrets is not installed on the controller; run scripts/setup env") from None
    classes: Dict[str, Any] = get_mapping_from_secret_type_to_class()
    known = {one.__name__: one for one in classes.values()}
    missing = [name for name in DETECTORS if name not in known]
    if missing:
        raise Undecided("this detect-secrets has no %s" % ", ".join(missing))
    return [known[name]() for name in DETECTORS]


def found(data: bytes, detectors: List[Any]) -> List[Tuple[int, str]]:
    """Return (line, kind) of what looks like a service's secret; never the text."""
    hits = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if len(line) <= _LINE_CAP:
            for one in detectors:
                hits += [(number, str(one.secret_type).lower()) for text in one.analyze_string(line) if text]
    return sorted(set(hits))
