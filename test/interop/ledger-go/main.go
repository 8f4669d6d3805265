// Checks what Mintmark's ledger makes against golang.org/x/mod/sumdb/tlog and note, which share nothing with it.
//
// Reads one file of lines; the first word says what the line is, byte strings are base64, lists are joined by commas
// ("-" is an empty list). Every claim ends with the verdict of our own verifier; a different verdict of the Go packages
// is a disagreement. Prints one line of counts.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tree is the log as Go builds it from the entries: its own stored hashes.
type tree struct {
	hashes []tlog.Hash
	size   int64
}

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = t.hashes[index]
	}
	return found, nil
}

// tiles reads our tile directory; tlog checks each tile against the root.
type tiles struct{ dir string }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		// Go's own layout puts the height into the path, C2SP fixes it at 8 and leaves it out.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := ioutil.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

var checked, disagreements int

func verdict(line string, ours string, err error) {
	checked++
	if (err == nil) != (ours == "true") {
		disagreements++
		fmt.Fprintf(os.Stderr, "disagreement: %.200s: go says %v\n", line, err)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	must(err)
	input := bufio.NewScanner(file)
	input.Buffer(make([]byte, 1<<20), 1<<26)
	var now tree
	for input.Scan() {
		line := input.Text()
		words := strings.Split(line, " ")
		check(&now, line, words[0], words[1:])
	}
	must(input.Err())
	fmt.Printf("checked %d disagreements %d\n", checked, disagreements)
}

func check(now *tree, line string, kind string, words []string) {
	switch kind {
	case "new": // new: forget the tree
		*now = tree{}
	case "entry": // entry <bytes>: append one
		added, err := tlog.StoredHashes(now.size, decode(words[0]), now)
		must(err)
		now.hashes = append(now.hashes, added...)
		now.size++
	case "root": // root <size> <root> <ours>
		root, err := tlog.TreeHash(number(words[0]), now)
		must(err)
		verdict(line, words[2], same(root, hash(words[1])))
	case "inclusion": // inclusion <size> <root> <index> <leaf> <proof> <ours>
		err := tlog.CheckRecord(hashes(words[4]), number(words[0]), hash(words[1]), number(words[2]), hash(words[3]))
		verdict(line, words[5], err)
	case "consistency": // consistency <to> <root> <from> <root> <proof> <ours>
		err := tlog.CheckTree(hashes(words[4]), number(words[0]), hash(words[1]), number(words[2]), hash(words[3]))
		verdict(line, words[5], err)
	case "note": // note <note> <verifier keys> <ours>: every key must have signed
		verdict(line, words[2], openNote(decode(words[0]), strings.Split(words[1], ",")))
	case "tiles": // tiles <directory> <size> <root> <ours>: every leaf hash can be read from tiles, and is authentic
		verdict(line, words[3], readTiles(now, string(decode(words[0])), number(words[1]), hash(words[2])))
	default:
		panic("unknown line: " + kind)
	}
}

func openNote(text []byte, keys []string) error {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != len(keys) {
		return fmt.Errorf("%d of %d keys have signed", len(opened.Sigs), len(keys))
	}
	return nil
}

func readTiles(now *tree, dir string, size int64, root tlog.Hash) error {
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{dir})
	var indexes []int64
	for leaf := int64(0); leaf < size; leaf++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, leaf))
	}
	read, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, index := range indexes {
		if err := same(read[i], now.hashes[index]); err != nil {
			return err
		}
	}
	return nil
}

func same(a, b tlog.Hash) error {
	if a != b {
		return fmt.Errorf("%v is not %v", a, b)
	}
	return nil
}

func decode(text string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(text)
	must(err)
	return bytes
}

func hash(text string) tlog.Hash {
	parsed, err := tlog.ParseHash(text)
	must(err)
	return parsed
}

func hashes(text string) []tlog.Hash {
	if text == "-" {
		return nil
	}
	var all []tlog.Hash
	for _, one := range strings.Split(text, ",") {
		all = append(all, hash(one))
	}
	return all
}

func number(text string) int64 {
	parsed, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return parsed
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
