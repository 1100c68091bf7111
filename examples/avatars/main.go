// Command avatars gives people the pictures of a folder.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// pictures are those for the embedded server.
//
//go:embed pictures
var pictures embed.FS

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var a avatars
	return cli.Tool{
		Name: "avatars",
		Summary: "avatars gives people the pictures of a folder. The file anna.weber.png is for the user\n" +
			"anna.weber; the case does not matter. Files that are no pictures and names that nobody has are\n" +
			"reported, and the others go ahead. Hidden files and folders are passed over.",
		Args:        "FOLDER",
		Permissions: "view-d-room, edit-other-user-avatar",
		Examples:    []string{"", "-dry-run portraits", "-concurrency 8 portraits"},
		Changes:     true,
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&a.concurrency, "concurrency", 4, "`number` of uploads at a time")
		},
		Run: a.run,
	}
}

type avatars struct {
	*cli.Session
	concurrency int
}

// picture is a file for a user.
type picture struct {
	file, user string
}

func (a *avatars) run(ctx context.Context, s *cli.Session) error {
	a.Session = s
	folder, err := a.folder()
	if err != nil {
		return err
	}
	users, err := a.usernames(ctx)
	if err != nil {
		return err
	}
	found, unfit, err := a.look(folder, users)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(a.Args, ""), err)
	}
	if unfit > 0 {
		err = fmt.Errorf("%d files are of no use, see above", unfit)
	}
	if s.DryRun {
		for _, p := range found {
			s.Print("%s would go to %s", cli.Plain(p.file), cli.Plain(p.user))
		}
		s.Note("-dry-run: nothing was changed")
		return err
	}
	uploads := cli.Each(ctx, s, "pictures", a.concurrency, found, func(p picture) string { return p.file },
		func(ctx context.Context, p picture) (string, error) { return a.upload(ctx, folder, p) })
	return errors.Join(uploads, err)
}

func (a *avatars) folder() (fs.FS, error) {
	switch {
	case a.concurrency < 1:
		return nil, cli.Usage("-concurrency must be at least 1")
	case len(a.Args) > 1:
		return nil, cli.Usage("one folder at a time, please")
	case len(a.Args) == 1:
		return os.DirFS(a.Args[0]), nil
	case a.Demo == nil:
		return nil, cli.Usage("which folder?")
	}
	a.Note("no folder was named: these are the samples that lie beside the program.")
	return fs.Sub(pictures, "pictures")
}

// usernames are the names of all users, by their spelling in lower case.
func (a *avatars) usernames(ctx context.Context) (map[string]string, error) {
	names := make(map[string]string)
	for user, err := range a.Client.Users.All(ctx, rocketchat.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		names[strings.ToLower(user.Username)] = user.Username
	}
	return names, nil
}

// look finds the pictures that are for somebody, and counts and reports the other files.
func (a *avatars) look(folder fs.FS, users map[string]string) (found []picture, unfit int, err error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, 0, err
	}
	taken := make(map[string]string)
	for _, entry := range entries {
		file := entry.Name()
		if entry.IsDir() || strings.HasPrefix(file, ".") {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(file, path.Ext(file)))
		user, known := users[name]
		wrong := ""
		if picture, err := isPicture(folder, file); err != nil {
			wrong = "cannot be read: " + err.Error()
		} else if !picture {
			wrong = "is no picture"
		} else if !known {
			wrong = "is for nobody: there is no user of that name"
		} else if taken[name] != "" {
			wrong = "is a second picture for the user of " + taken[name]
		}
		if wrong != "" {
			a.Note("%s %s", cli.Plain(file), cli.Plain(wrong))
			unfit++
			continue
		}
		taken[name] = file
		found = append(found, picture{file, user})
	}
	return found, unfit, nil
}

const sniffed = 512 // bytes that tell what a file is

// isPicture looks at what the file holds: a name is quickly given.
func isPicture(folder fs.FS, name string) (bool, error) {
	file, err := folder.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return strings.HasPrefix(http.DetectContentType(head[:n]), "image/"), nil
}

func (a *avatars) upload(ctx context.Context, folder fs.FS, p picture) (string, error) {
	file, err := folder.Open(p.file)
	if err != nil {
		return "", err
	}
	defer file.Close()
	err = a.Client.Avatars.Upload(ctx, rocketchat.AvatarUpload{User: rocketchat.ByUsername(p.user), Image: file, Filename: p.file})
	return "is the picture of " + p.user, err
}
