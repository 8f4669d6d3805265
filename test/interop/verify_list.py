#!/usr/bin/python3
"""Judges a revocation list. Written from docs/formats/revocation-list.md alone, with Python's cryptography.

Reads JSON from standard input: { "list", "keys": [{ "kid", "purpose", "jwk": { "x" } }], "ids": [id…] } and prints JSON:
the payload's members and which of the ids the list names as licence or machine. Exits 1 when the list is not good.
"""
import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def entry(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()[:16]).decode().rstrip("=")


def main():
    given = json.load(sys.stdin)
    head, payload, signature = given["list"].strip().split(".")
    header = json.loads(b64url(head))
    assert sorted(header) == ["alg", "kid", "typ"] and header["typ"] == "mm-crl+jws" and header["alg"] == "EdDSA"
    (key,) = [key for key in given["keys"] if key["kid"] == header["kid"]]
    assert key["purpose"] == "revocation"
    public = Ed25519PublicKey.from_public_bytes(b64url(key["jwk"]["x"]))
    public.verify(b64url(signature), (head + "." + payload).encode("ascii"))
    body = json.loads(b64url(payload))
    order = ["v", "tenant", "env", "number", "issued", "nextUpdate", "minEpoch", "files", "licenses", "machines"]
    assert list(body) == order + ["grants", "keys"] and body["v"] == 1
    for name in ("files", "licenses", "machines", "grants"):
        assert body[name] == sorted(set(body[name]))
    named = [one for one in given["ids"] if entry(b"mm-crl/" + one.encode()) in body["licenses"] + body["machines"]]
    print(json.dumps({"tenant": body["tenant"], "env": body["env"], "number": body["number"], "named": named}))


main()
