// Command avatars sets the pictures in a folder as avatars.
package main

import (
	"context"
	"embed"
	"errors"
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
	return cli.Tool{
		Name: "avatars",
		Summary: "Sets the pictures in a folder as avatars. The file anna.weber.png is for the user anna.weber; case does not matter. " +
			"Files that are not pictures or belong to no user are reported, and the others are set. Hidden files and folders are skipped.",
		Permissions: "view-d-room, edit-other-user-avatar",
		Examples:    []string{"", "--dry-run portraits", "--concurrency 8 portraits"},
		Changes:     true,
		Results:     true,
		Command:     new(avatars),
	}
}

type avatars struct {
	*cli.Session `kong:"-"`

	Folder      string `arg:"" optional:"" help:"The folder with the pictures."`
	Concurrency int    `default:"4" help:"Number of uploads at a time. Default: 4."`
}

// picture is a file for a user.
type picture struct {
	file, user string
}

// Run implements [cli.Command].
func (a *avatars) Run(ctx context.Context, s *cli.Session) error {
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
		return err
	}
	outcomes, err := a.set(ctx, folder, found)
	if s.JSON {
		err = errors.Join(err, s.WriteJSON(append(unfit, outcomes...)))
	}
	if len(unfit) > 0 {
		s.Note("%s cannot be used", cli.Count(len(unfit), "file", "files"))
		err = errors.Join(err, cli.Reported(nil))
	}
	return err
}

// set sets the pictures.
func (a *avatars) set(ctx context.Context, folder fs.FS, found []picture) ([]cli.Outcome, error) {
	if a.DryRun {
		outcomes := make([]cli.Outcome, len(found))
		for i, p := range found {
			outcomes[i] = cli.Outcome{Name: p.file, Result: "planned", Detail: "for " + p.user}
			if !a.JSON {
				a.Print("%s: would be set for %s", p.file, p.user)
			}
		}
		a.Note("--dry-run: nothing was changed")
		return outcomes, nil
	}
	return cli.Each(ctx, a.Session, "pictures", a.Concurrency, found, func(p picture) string { return p.file },
		func(ctx context.Context, p picture) (string, error) { return a.upload(ctx, folder, p) })
}

func (a *avatars) folder() (fs.FS, error) {
	switch {
	case a.Concurrency < 1:
		return nil, cli.Usage("--concurrency must be at least 1")
	case a.Folder != "":
		return os.DirFS(a.Folder), nil
	case a.Demo == nil:
		return nil, cli.Usage("name a folder")
	}
	a.Note("no folder was named; using the samples that are built in")
	return fs.Sub(pictures, "pictures")
}

// usernames returns the names of all users, by their spelling in lower case.
func (a *avatars) usernames(ctx context.Context) (map[string]string, error) {
	names := make(map[string]string)
	for user, err := range a.Client.Users.All(ctx, rocketchat.UserListOptions{}) {
		if err != nil {
			return nil, err
		}
		names[strings.ToLower(user.Username)] = user.Username
	}
	return names, nil
}

// look finds the pictures that belong to a user, and reports the other files.
func (a *avatars) look(folder fs.FS, users map[string]string) (found []picture, unfit []cli.Outcome, err error) {
	entries, err := fs.ReadDir(folder, ".")
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		failure.Path = a.Folder
	}
	if err != nil {
		return nil, nil, err
	}
	unfit = []cli.Outcome{}
	taken := make(map[string]string)
	for _, entry := range entries {
		file := entry.Name()
		if entry.IsDir() || strings.HasPrefix(file, ".") {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(file, path.Ext(file)))
		user, known := users[name]
		wrong := notPicture(folder, file)
		switch {
		case wrong != "":
		case !known:
			wrong = "there is no such user"
		case taken[name] != "":
			wrong = "is a second picture for the same user; the first is " + taken[name]
		}
		if wrong != "" {
			a.Note("%s: %s", path.Join(a.Folder, file), wrong)
			unfit = append(unfit, cli.Outcome{Name: file, Result: "failed", Error: wrong})
			continue
		}
		taken[name] = file
		found = append(found, picture{file, user})
	}
	return found, unfit, nil
}

const sniffed = 512 // bytes that tell what a file is

// notPicture says what is wrong with a file, or "". It looks at the content, because a
// name proves nothing.
func notPicture(folder fs.FS, name string) string {
	info, err := fs.Stat(folder, name)
	switch {
	case err != nil:
		return unreadable(err)
	case !info.Mode().IsRegular(): // reading a pipe could block
		return "is not a regular file"
	}
	file, err := folder.Open(name)
	if err != nil {
		return unreadable(err)
	}
	defer file.Close()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unreadable(err)
	}
	if !strings.HasPrefix(http.DetectContentType(head[:n]), "image/") {
		return "is not a picture"
	}
	return ""
}

func unreadable(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return "cannot be read: " + err.Error()
}

func (a *avatars) upload(ctx context.Context, folder fs.FS, p picture) (string, error) {
	file, err := folder.Open(p.file)
	if err != nil {
		return "", err
	}
	defer file.Close()
	err = a.Client.Avatars.Upload(ctx, rocketchat.ByUsername(p.user), rocketchat.AvatarUploadOptions{Image: file, Filename: p.file})
	return "set for " + p.user, err
}
