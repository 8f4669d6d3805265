#!/usr/bin/python3
"""Judges signed answers. Written from docs/formats/response-signature.md alone, with Python's cryptography.

Reads JSON from standard input: { "keys": [{ "kid", "x", "state", "environment" }], "cases": [{ "request", "response",
"with": { "now", "product", "environment"? } }] } and prints a JSON list with the code of each.
"""
import base64
import datetime
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COVERED = '("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req)'
INPUT = re.compile(
    r"mm=(" + re.escape(COVERED) + r";created=(0|[1-9]\d*);expires=(0|[1-9]\d*)"
    r';keyid="([A-Za-z0-9_-]{16})";nonce="([A-Za-z0-9_-]{16,64})";tag="([a-z0-9-]+)")',
    re.ASCII,
)
SIGNATURE = re.compile(r"mm=:([A-Za-z0-9+/]{86}==):")
SLACK = 300


class Refused(Exception):
    pass


def need(condition, code):
    if not condition:
        raise Refused(code)


def digest(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "MALFORMED")
    return members


def header(response, name):
    found = [value for given, value in response["headers"] if given.lower() == name]
    need(len(found) <= 1, "MALFORMED")
    return found[0] if found else None


def judge(case, keys):
    request, response, asked = case["request"], case["response"], case["with"]
    signature_input, signature = header(response, "signature-input"), header(response, "signature")
    need(signature_input is not None or signature is not None, "UNSIGNED")
    content_type, content_digest = header(response, "content-type"), header(response, "content-digest")
    parts = INPUT.fullmatch(signature_input or "")
    raw = SIGNATURE.fullmatch(signature or "")
    need(parts and raw and content_type is not None and content_digest is not None, "MALFORMED")
    params, created, expires, kid, nonce, tag = parts.groups()

    named = [key for key in keys if key["kid"] == kid]
    need(len(named) == 1, "KEY_UNKNOWN")
    key = named[0]
    need(key["environment"] == asked.get("environment", "live"), "ENVIRONMENT_MISMATCH")
    need(key["state"] != "compromised", "KEY_COMPROMISED")
    need(key["state"] in ("active", "retiring"), "KEY_UNKNOWN")
    need(asked.get("tenant", "acme") == "acme", "ISSUER_MISMATCH")

    base = "\n".join([
        f'"@status": {response["status"]}',
        f'"content-type": {content_type}',
        f'"content-digest": {content_digest}',
        f'"@method";req: {request["method"]}',
        f'"@path";req: {request["path"]}',
        f'"content-digest";req: {digest(request["body"].encode())}',
        f'"@signature-params": {params}',
    ])
    public = base64.urlsafe_b64decode(key["x"] + "=")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(raw.group(1)), base.encode())
    except InvalidSignature:
        raise Refused("SIGNATURE_INVALID")

    need(tag == "mm-validate", "TAG_MISMATCH")
    need(nonce == request["nonce"], "NONCE_MISMATCH")
    need(int(expires) > int(created), "MALFORMED")
    now = datetime.datetime.strptime(asked["now"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    need(int(created) <= now + SLACK, "NOT_YET_VALID")
    need(int(expires) > now - SLACK, "EXPIRED")
    body = response["body"].encode()
    need(digest(body) == content_digest, "DIGEST_MISMATCH")
    try:
        answer = json.loads(body, object_pairs_hook=once)
    except ValueError:
        raise Refused("MALFORMED")
    if response["status"] == 200:
        data = answer["data"]
        need(isinstance(data.get("valid"), bool), "MALFORMED")
        license = data.get("license")
        need(isinstance(license, dict) or (license is None and not data["valid"]), "MALFORMED")
        if license is not None and asked["product"] != "any":
            need(license["productCode"] == asked["product"], "PRODUCT_MISMATCH")
    return "VALID"


def main():
    given = json.load(sys.stdin)
    codes = []
    for case in given["cases"]:
        try:
            codes.append(judge(case, given["keys"]))
        except Refused as reason:
            codes.append(str(reason))
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
