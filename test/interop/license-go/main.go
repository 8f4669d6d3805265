// Reads a licence or machine file as typed clients of this format do: every member it names must have the type it says.
// Written from docs/formats/license-file.md with the standard library alone.
//
//	main <file> <public key hex> <licence key> <fingerprint>
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

type certificate struct {
	Enc string `json:"enc"`
	Sig string `json:"sig"`
	Alg string `json:"alg"`
}

type identifier struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// relationship is to one resource or to many.
type relationship struct {
	Data json.RawMessage `json:"data"`
}

type resource struct {
	identifier
	Attributes    json.RawMessage         `json:"attributes"`
	Relationships map[string]relationship `json:"relationships"`
}

type document struct {
	Data     resource   `json:"data"`
	Included []resource `json:"included"`
	Meta     struct {
		Issued time.Time `json:"issued"`
		Expiry time.Time `json:"expiry"`
		TTL    int32     `json:"ttl"`
	} `json:"meta"`
}

type license struct {
	Name        *string        `json:"name"`
	Key         *string        `json:"key"`
	Expiry      *time.Time     `json:"expiry"`
	Status      *string        `json:"status"`
	Uses        *int32         `json:"uses"`
	Suspended   *bool          `json:"suspended"`
	Scheme      *string        `json:"scheme"`
	MaxMachines *int32         `json:"maxMachines"`
	Metadata    map[string]any `json:"metadata"`
	Created     *time.Time     `json:"created"`
	Updated     *time.Time     `json:"updated"`
}

type machine struct {
	Fingerprint       *string        `json:"fingerprint"`
	Name              *string        `json:"name"`
	Platform          *string        `json:"platform"`
	Hostname          *string        `json:"hostname"`
	Cores             *int32         `json:"cores"`
	RequireHeartbeat  *bool          `json:"requireHeartbeat"`
	HeartbeatStatus   *string        `json:"heartbeatStatus"`
	HeartbeatDuration *int32         `json:"heartbeatDuration"`
	Metadata          map[string]any `json:"metadata"`
	Created           *time.Time     `json:"created"`
	Updated           *time.Time     `json:"updated"`
}

type entitlement struct {
	Name    *string    `json:"name"`
	Code    *string    `json:"code"`
	Created *time.Time `json:"created"`
	Updated *time.Time `json:"updated"`
}

func main() {
	summary, err := run(os.Args[1:])
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println(summary)
}

func run(args []string) (string, error) {
	if len(args) != 4 {
		return "", errors.New("four arguments are needed")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return "", err
	}
	kind, cert, err := parse(string(text))
	if err != nil {
		return "", err
	}
	if err := verify(kind, cert, args[1]); err != nil {
		return "", err
	}
	secret := args[2]
	if kind == "machine" {
		secret += args[3]
	}
	plain, err := decrypt(cert, secret)
	if err != nil {
		return "", err
	}
	return read(kind, plain)
}

func parse(text string) (string, certificate, error) {
	var cert certificate
	for _, kind := range []string{"license", "machine"} {
		label := strings.ToUpper(kind) + " FILE-----"
		body := strings.TrimSpace(text)
		if !strings.HasPrefix(body, "-----BEGIN "+label) {
			continue
		}
		body = strings.TrimSuffix(strings.TrimPrefix(body, "-----BEGIN "+label), "-----END "+label)
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return "", cert, err
		}
		err = json.Unmarshal(raw, &cert)
		return kind, cert, err
	}
	return "", cert, errors.New("not a licence or machine file")
}

func verify(kind string, cert certificate, publicKey string) error {
	key, err := hex.DecodeString(publicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return errors.New("the public key is not one")
	}
	sig, err := base64.StdEncoding.DecodeString(cert.Sig)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, []byte(kind+"/"+cert.Enc), sig) {
		return errors.New("not genuine")
	}
	return nil
}

func decrypt(cert certificate, secret string) ([]byte, error) {
	if cert.Alg == "base64+ed25519" {
		return base64.StdEncoding.DecodeString(cert.Enc)
	}
	parts := strings.SplitN(cert.Enc, ".", 3)
	if cert.Alg != "aes-256-gcm+ed25519" || len(parts) != 3 {
		return nil, errors.New("the algorithm is not known")
	}
	var raw [3][]byte
	for i, part := range parts {
		decoded, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			return nil, err
		}
		raw[i] = decoded
	}
	key := sha256.Sum256([]byte(secret))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, raw[1], append(raw[0], raw[2]...), nil)
}

func read(kind string, plain []byte) (string, error) {
	var doc document
	if err := json.Unmarshal(plain, &doc); err != nil {
		return "", err
	}
	if doc.Meta.TTL == 0 || !doc.Meta.Expiry.After(doc.Meta.Issued) {
		return "", errors.New("the file has no lifetime")
	}
	licenses, codes := 0, []string{}
	resources := append([]resource{doc.Data}, doc.Included...)
	for _, res := range resources {
		if res.Relationships == nil {
			return "", fmt.Errorf("%s has no relationships", res.ID)
		}
		switch res.Type {
		case "licenses":
			var lic license
			if err := json.Unmarshal(res.Attributes, &lic); err != nil {
				return "", err
			}
			if lic.Key == nil || lic.Status == nil || lic.Metadata == nil || lic.Created == nil || lic.Updated == nil {
				return "", errors.New("the licence lacks a member")
			}
			licenses++
		case "machines":
			var mach machine
			if err := json.Unmarshal(res.Attributes, &mach); err != nil {
				return "", err
			}
			if mach.Fingerprint == nil || mach.RequireHeartbeat == nil || mach.HeartbeatStatus == nil || mach.Created == nil {
				return "", errors.New("the machine lacks a member")
			}
		case "entitlements":
			var ent entitlement
			if err := json.Unmarshal(res.Attributes, &ent); err != nil {
				return "", err
			}
			if ent.Code == nil || ent.Created == nil || ent.Updated == nil {
				return "", errors.New("an entitlement lacks a member")
			}
			codes = append(codes, *ent.Code)
		}
	}
	if licenses != 1 || doc.Data.Type != kind+"s" {
		return "", errors.New("the file has not one licence")
	}
	return fmt.Sprintf("%s %s", doc.Data.ID, strings.Join(codes, ",")), nil
}
