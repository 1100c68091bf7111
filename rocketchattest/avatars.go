package rocketchattest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// picture is a stored avatar.
type picture struct {
	etag, origin, contentType string
	data                      []byte
}

// upload is a multipart request with one file.
type upload struct {
	fields      object
	field       string
	contentType string
	data        []byte
}

var errNoFile = errors.New("no file")

// readUpload reads a multipart body. Text fields that come after the file are not seen, as on a real server.
func (c *call) readUpload() (*upload, error) {
	reader, err := c.r.MultipartReader()
	if err != nil {
		return nil, err
	}
	up := &upload{fields: object{}}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errNoFile
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(part, bodyLimit))
		if err != nil {
			return nil, err
		}
		if isFile(part) {
			up.field, up.contentType, up.data = part.FormName(), part.Header.Get("Content-Type"), data
			return up, nil
		}
		up.fields[part.FormName()] = string(data)
	}
}

func isFile(part *multipart.Part) bool { return part.FileName() != "" }

// setAvatar is users.setAvatar in its two forms.
func (c *call) setAvatar() (any, error) {
	others := c.may("edit-other-user-avatar")
	if !c.enabled("Accounts_AllowUserAvatarChange") && !others {
		return nil, coded("error-not-allowed", "Change avatar is not allowed", fields{"method": "users.setAvatar"})
	}
	if c.file != nil || c.fileErr != nil {
		return c.uploadAvatar(others)
	}
	if c.r.Header.Get("Content-Type") == "" {
		return nil, plain("Missing Content-Type")
	}
	if c.namesOther(c.body) && !others {
		return nil, c.forbidden()
	}
	u, err := c.selfOrChosen(c.body)
	if err != nil {
		return nil, err
	}
	address := c.body.str("avatarUrl")
	switch {
	case address == "" && !c.version.atLeast(8):
		return nil, plain("Unsupported content type: " + c.r.Header.Get("Content-Type"))
	case address == "":
		return nil, plain("[Invalid request body]")
	}
	if !fetchable(address) {
		return nil, coded("error-avatar-invalid-url", "Invalid avatar URL: "+address, fields{"function": "setUserAvatar", "url": address})
	}
	c.storePicture(u, "url", "image/svg+xml", []byte(letterAvatar(u.username, 200)))
	return nil, nil
}

func (c *call) uploadAvatar(others bool) (any, error) {
	switch {
	case errors.Is(c.fileErr, errNoFile) && !c.version.atLeast(8):
		return nil, coded("No file uploaded", "", nil)
	case errors.Is(c.fileErr, errNoFile):
		return nil, plain("[No file uploaded]")
	case c.fileErr != nil:
		return nil, plain("[Invalid request body]")
	case c.file.field != "image":
		return nil, coded("invalid-field", "", nil)
	case len(c.file.data) > c.integer("FileUpload_MaxFileSize"):
		return nil, coded("error-file-too-large", "", nil)
	}
	u := c.me
	if id, name := c.file.fields.str("userId"), c.file.fields.str("username"); id != "" || name != "" {
		if u = c.users[id]; id == "" {
			u = c.userByName(name)
		}
	}
	switch {
	case u == nil:
		return nil, coded("error-invalid-user", `The optional "userId" or "username" param provided does not match any users`, nil)
	case u != c.me && !others:
		return nil, coded("error-not-allowed", "Not allowed", nil)
	}
	origin := "rest"
	if service := c.file.fields.str("service"); service != "" && c.version.atLeast(8, 7) {
		origin = service
	}
	c.storePicture(u, origin, c.file.contentType, c.file.data)
	return nil, nil
}

func (c *call) storePicture(u *account, origin, contentType string, data []byte) {
	u.picture = &picture{newID(), origin, contentType, data}
	c.touch(u)
}

// fetchable tells whether a server would fetch an address: it refuses private networks. Nothing is fetched here.
func fetchable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.EqualFold(u.Hostname(), "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || ip.IsGlobalUnicast() && !ip.IsPrivate()
}

func (c *call) avatarURL(u *account) string {
	base := strings.TrimSuffix(c.text("Site_Url"), "/")
	if base == "" {
		base = c.base
	}
	if u.username == "" {
		return base + "/avatar/undefined"
	}
	return base + "/avatar/" + url.PathEscape(u.username)
}

// getAvatar is users.getAvatar, a redirect to the picture.
func (c *call) getAvatar() (any, error) {
	u, err := c.chosen(c.query)
	if err != nil {
		return nil, err
	}
	address := c.avatarURL(u)
	out := jsonAnswer(http.StatusTemporaryRedirect, []byte(`"`+address+`"`))
	out.header.Set("Location", address)
	return out, nil
}

// resetAvatar is users.resetAvatar.
func (c *call) resetAvatar() (any, error) {
	u, err := c.chosen(c.body)
	if err != nil {
		return nil, err
	}
	self := u == c.me && c.enabled("Accounts_AllowUserAvatarChange")
	switch {
	case !self && !c.may("edit-other-user-avatar") && !c.may("manage-moderation-actions"):
		return nil, coded("error-not-allowed", "Reset avatar is not allowed", fields{"method": "users.resetAvatar"})
	case !self && !c.may("edit-other-user-avatar"):
		return nil, coded("error-unauthorized", "Unauthorized", nil)
	case u.username == "":
		return nil, coded("error-invalid-desired-user", "Invalid desired user", fields{"method": "resetAvatar"})
	}
	u.picture = nil
	c.touch(u)
	return nil, nil
}

// avatarSuggestion is users.getAvatarSuggestion: no service has a picture to offer here.
func (c *call) avatarSuggestion() (any, error) { return fields{"suggestions": fields{}}, nil }

// avatarByUsername is GET /avatar/{username}: the stored picture, or one drawn from the name.
func (c *call) avatarByUsername() (any, error) {
	name := strings.TrimPrefix(c.r.URL.Path, "/avatar/")
	return c.image(name, c.userByName(name))
}

// avatarByUserID is GET /avatar/uid/{userId}.
func (c *call) avatarByUserID() (any, error) {
	u := c.users[strings.TrimPrefix(c.r.URL.Path, "/avatar/uid/")]
	if u == nil {
		return raw{http.StatusNotFound, http.Header{}, nil}, nil
	}
	return c.image(u.username, u)
}

func (c *call) image(name string, u *account) (any, error) {
	if c.enabled("Accounts_AvatarBlockUnauthenticatedAccess") {
		t := c.byToken[c.query.str("rc_token")]
		if t == nil || t.user.id != c.query.str("rc_uid") {
			return raw{http.StatusForbidden, http.Header{}, []byte("Forbidden")}, nil
		}
	}
	shown := &picture{etag: strconv.FormatUint(uint64(hashOf(name)), 16), contentType: "image/svg+xml", data: []byte(letterAvatar(name, 200))}
	if u != nil && u.picture != nil {
		shown = u.picture
	}
	h := http.Header{
		"Content-Type": {shown.contentType}, "Etag": {`"` + shown.etag + `"`}, "Cache-Control": {"public, max-age=0"},
		"Content-Security-Policy": {"default-src 'none'"},
	}
	if strings.Trim(c.r.Header.Get("If-None-Match"), `"`) == shown.etag {
		return raw{http.StatusNotModified, h, nil}, nil
	}
	return raw{http.StatusOK, h, shown.data}, nil
}

func hashOf(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// letterAvatar is the picture of somebody without one: the first letter on a colour of the name's own.
func letterAvatar(name string, size int) string {
	colors := [...]string{"#F44336", "#E91E63", "#9C27B0", "#3F51B5", "#2196F3", "#009688", "#8BC34A", "#FF9800", "#795548", "#607D8B"}
	initial := "?"
	for _, r := range name {
		initial = strings.ToUpper(string(r))
		break
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8" standalone="no"?>`+
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d"><rect width="100%%" height="100%%" fill="%[2]s"/>`+
		`<text x="50%%" y="50%%" dy="0.36em" text-anchor="middle" fill="#ffffff" font-family="sans-serif" font-size="125">%[3]s</text></svg>`,
		size, colors[hashOf(name)%uint32(len(colors))], html.EscapeString(initial))
}
