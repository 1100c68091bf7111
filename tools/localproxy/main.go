// Command localproxy writes a module proxy into a folder that serves the modules of this
// checkout as if they were tagged, to try a release before it is one.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	root := flag.String("root", "..", "the checkout")
	version := flag.String("version", "", "the version to serve, such as v0.9.0")
	out := flag.String("out", "", "the folder to write")
	flag.Parse()
	if *version == "" || *out == "" || flag.NArg() == 0 {
		log.Fatal("usage: localproxy -version v0.9.0 -out FOLDER MODULE-FOLDER...")
	}
	for _, dir := range flag.Args() {
		if err := serve(*root, dir, *version, *out); err != nil {
			log.Fatalf("%s: %v", dir, err)
		}
	}
}

// serve writes one module, as it is committed, in the layout that GOPROXY=file://… expects.
func serve(root, dir, version, out string) error {
	goMod, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
	if err != nil {
		return err
	}
	parsed, err := modfile.Parse("go.mod", goMod, nil)
	if err != nil {
		return err
	}
	if len(parsed.Replace) > 0 {
		return fmt.Errorf("its go.mod replaces %s, so it cannot be installed by its path", parsed.Replace[0].Old.Path)
	}
	path := parsed.Module.Mod.Path
	for _, needed := range parsed.Require {
		if strings.HasPrefix(needed.Mod.Path, "github.com/rocketchat-go/") && needed.Mod.Version != version {
			return fmt.Errorf("it needs %s, not %s", needed.Mod, version)
		}
	}
	escaped, err := module.EscapePath(path)
	if err != nil {
		return err
	}
	at := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil { //nolint:gosec // others may read it
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": goMod} {
		if err := os.WriteFile(filepath.Join(at, name), data, 0o644); err != nil { //nolint:gosec // others may read it
			return err
		}
	}
	file, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		return err
	}
	subdir := filepath.ToSlash(dir)
	if subdir == "." {
		subdir = ""
	}
	if err := zip.CreateFromVCS(file, module.Version{Path: path, Version: version}, root, "HEAD", subdir); err != nil {
		return err
	}
	return file.Close()
}
