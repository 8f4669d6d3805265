#!/usr/bin/python3
"""Verifies a compact token or a signed licence key. Written from docs/formats/token.md and signed-key.md alone, with
Python's cryptography.

    verify_line.py --jwks FILE --product CODE --now ISO [--issuer ISS] [--fingerprint F] FILE

Prints what it says as JSON and exits with 0, or prints a reason and exits with 1.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "a member stands twice")
    return members


def b64url(text, padded):
    need(padded or "=" not in text, "a token is not padded")
    need(not padded or len(text) % 4 == 0, "a signed key is padded")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    canonical = base64.urlsafe_b64encode(data).decode()
    need((canonical if padded else canonical.rstrip("=")) == text, "the base64url is not canonical")
    return data


def parse(data):
    return json.loads(data, object_pairs_hook=once)


def seconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def check(keys, kid, message, signature):
    named = [key for key in keys if key["kid"] == kid]
    need(len(named) == 1 and named[0]["crv"] == "Ed25519", "the key is not known")
    Ed25519PublicKey.from_public_bytes(b64url(named[0]["x"], False)).verify(signature, message.encode("ascii"))


def token(text, args, keys):
    header, payload, signature = text.split(".")
    protected = parse(b64url(header, False))
    need(set(protected) == {"alg", "kid", "typ"}, "the header has other members")
    need(protected["typ"] == "license+jwt" and protected["alg"] == "EdDSA", "this is not a licence token")
    check(keys, protected["kid"], f"{header}.{payload}", b64url(signature, False))
    claims = parse(b64url(payload, False))
    need(claims["v"] == 1, "the token is of an unknown version")
    need(claims["iss"] == args.issuer, "another issuer, tenant or environment")
    need(claims["aud"] == args.product, "another product")
    if "cnf" in claims:
        digest = base64.urlsafe_b64encode(hashlib.sha256(args.fingerprint.encode()).digest()).decode().rstrip("=")
        need(hmac.compare_digest(claims["cnf"]["mm_fp"], digest), "another machine")
    need(claims["iat"] <= seconds(args.now) + 300, "from the future")
    need(claims["exp"] > seconds(args.now), "expired")
    return claims


def signed_key(text, args, keys):
    message, signature = text.split(".")
    data = parse(b64url(message[len("key/"):], True))
    check(keys, data["kid"], message, b64url(signature, True))
    need(not data.get("dev", False) or args.dev, "a development appliance issued it")
    need(data["product"] == args.product, "another product")
    need(seconds(data["created"]) <= seconds(args.now) + 300, "from the future")
    need(data["expiry"] is None or seconds(data["expiry"]) > seconds(args.now), "expired")
    return data


def main():
    parser = argparse.ArgumentParser()
    for name in ("jwks", "product", "now"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--issuer", default="")
    parser.add_argument("--fingerprint", default="")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("file")
    args = parser.parse_args()
    try:
        with open(args.jwks, encoding="ascii") as file:
            keys = parse(file.read())["keys"]
        with open(args.file, encoding="ascii") as file:
            text = file.read().strip()
        said = signed_key(text, args, keys) if text.startswith("key/") else token(text, args, keys)
    except Refused as reason:
        print(f"refused: {reason}")
        return 1
    except InvalidSignature:
        print("refused: the signature is not the issuer's")
        return 1
    except (ValueError, KeyError, TypeError) as error:
        print(f"refused: malformed ({type(error).__name__})")
        return 1
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
