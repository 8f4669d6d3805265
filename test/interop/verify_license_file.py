#!/usr/bin/python3
"""Verifies a licence or machine file. Written from docs/formats/license-file.md alone, with Python's cryptography.

    verify_license_file.py --public-key HEX --product ID [--license-key K] [--fingerprint F] [--now ISO] FILE

Prints the document as JSON and exits with 0, or prints a reason and exits with 1.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


def once(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), "a member stands twice")
    return members


def read_json(text):
    return json.loads(text, object_pairs_hook=once)


def b64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "the base64 is not canonical")
    return data


def unarmour(text):
    lines = text.split("\n")
    for kind in ("license", "machine"):
        label = kind.upper() + " FILE"
        if lines[0] == f"-----BEGIN {label}-----":
            need(lines[-2:] == [f"-----END {label}-----", ""], "the armour is not closed")
            body = lines[1:-2]
            need(all(len(line) == 60 for line in body[:-1]) and 0 < len(body[-1]) <= 60, "the lines were changed")
            return kind, "".join(body)
    raise Refused("this is not a licence or machine file")


def open_content(cert, secret):
    if cert["alg"] == "base64+ed25519":
        return b64(cert["enc"])
    ciphertext, iv, tag = (b64(part) for part in cert["enc"].split("."))
    need(len(iv) == 12 and len(tag) == 16, "iv or tag has the wrong length")
    key = hashlib.sha256(secret.encode("utf-8")).digest()
    return AESGCM(key).decrypt(iv, ciphertext + tag, None)


def parse_time(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def verify(text, args):
    need(len(text) <= 64 * 1024, "the file is too large")
    kind, body = unarmour(text)
    cert = read_json(b64(body))
    need(list(cert) == ["enc", "sig", "alg", "kid"], "the certificate has other members")
    need(cert["alg"] in ("aes-256-gcm+ed25519", "base64+ed25519"), "the algorithm is not the one of the key")

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(args.public_key))
    key.verify(b64(cert["sig"]), f"{kind}/{cert['enc']}".encode("ascii"))

    secret = args.license_key + (args.fingerprint if kind == "machine" else "")
    document = read_json(open_content(cert, secret))
    data, meta = document["data"], document["meta"]
    need(meta["v"] == 1, "the file is of an unknown version")
    need(data["type"] == kind + "s", "the content is not of the kind the armour says")
    need(meta["kid"] == cert["kid"], "the signed key name differs")

    need(data["relationships"]["product"]["data"]["id"] == args.product, "the file is for another product")
    need(meta["env"] == "live" and not meta.get("dev", False), "the file is for testing")
    licenses = [data] if kind == "license" else [r for r in document["included"] if r["type"] == "licenses"]
    need(len(licenses) == 1, "the file has not one licence")
    need(licenses[0]["attributes"]["status"] not in ("SUSPENDED", "REVOKED", "BANNED"), "the licence is blocked")
    if kind == "machine":
        same = hmac.compare_digest(data["attributes"]["fingerprint"].encode(), args.fingerprint.encode())
        need(same, "the file belongs to another machine")

    now = parse_time(args.now) if args.now else datetime.datetime.utcnow()
    need(parse_time(meta["issued"]) <= now + datetime.timedelta(minutes=5), "the file is from the future")
    need(parse_time(meta["expiry"]) > now, "the file has expired")
    return document


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--public-key", required=True)
    parser.add_argument("--product", required=True)
    parser.add_argument("--license-key", default="")
    parser.add_argument("--fingerprint", default="")
    parser.add_argument("--now", default="")
    parser.add_argument("file")
    args = parser.parse_args()
    try:
        with open(args.file, "rb") as file:
            document = verify(file.read().decode("ascii"), args)
    except Refused as reason:
        print(f"refused: {reason}")
        return 1
    except InvalidSignature:
        print("refused: the signature is not the issuer's")
        return 1
    except InvalidTag:
        print("refused: the licence key or fingerprint does not open the file")
        return 1
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"refused: malformed ({type(error).__name__})")
        return 1
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
