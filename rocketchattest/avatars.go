package rocketchattest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// upload is a multipart request with one file.
type upload struct {
	fields      object
	field       string
	contentType string
	data        []byte
}

var (
	errNoFile     = errors.New("[No file uploaded]")
	errNoBoundary = errors.New("Multipart: Boundary not found") //nolint:staticcheck // the server's text
	errCutForm    = errors.New("Unexpected end of form")        //nolint:staticcheck // the server's text
)

// readUpload reads a multipart body. The order of the fields does not matter.
func (c *call) readUpload() (*upload, error) {
	reader, err := c.r.MultipartReader()
	if err != nil {
		return nil, errNoBoundary
	}
	up, found := &upload{fields: object{}}, false
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) && found {
			return up, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errNoFile
		}
		if err != nil {
			return nil, errCutForm
		}
		data, err := io.ReadAll(io.LimitReader(part, bodyLimit))
		switch {
		case err != nil:
			return nil, errCutForm
		case part.FileName() == "" && part.Header.Get("Content-Type") != "application/octet-stream":
			up.fields[part.FormName()] = string(data)
		case !found:
			found = true
			up.field, up.contentType, up.data = part.FormName(), part.Header.Get("Content-Type"), data
		}
	}
}

// setAvatar is users.setAvatar in its two forms.
func (c *call) setAvatar() (any, error) {
	others := c.may("edit-other-user-avatar")
	if !c.enabled("Accounts_AllowUserAvatarChange") && !others {
		return nil, coded("error-not-allowed", "Change avatar is not allowed", fields{"method": "users.setAvatar"})
	}
	if c.namesOther(c.body) && !others {
		return nil, c.forbidden()
	}
	u, err := c.selfOrChosen(c.body)
	if err != nil {
		return nil, err
	}
	if address := c.body.str("avatarUrl"); address != "" {
		return nil, c.fetchAvatar(u, address)
	}
	if err := c.uploadErr(); err != nil {
		return nil, err
	}
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
	if service := c.file.fields.str("service"); service != "" && c.does(namesService) {
		origin = service
	}
	return nil, c.storePicture(u, origin, c.file.contentType, c.file.data)
}

// uploadErr says what is wrong with the form. It is checked before the user is looked up.
func (c *call) uploadErr() error {
	switch given := c.r.Header.Get("Content-Type"); {
	case errors.Is(c.fileErr, errNoFile) && !c.typed():
		return coded("No file uploaded", "", nil)
	case errors.Is(c.fileErr, errNoFile):
		return plain(c.fileErr.Error())
	case c.fileErr != nil && !c.typed():
		return plain(c.fileErr.Error())
	case given == "":
		return plain("Missing Content-Type")
	case c.file == nil && !c.typed():
		return plain("Unsupported content type: " + given)
	case c.file == nil:
		return plain("[Invalid request body]")
	case c.file.field != "image":
		return coded("invalid-field", "", nil)
	case len(c.file.data) > c.integer("FileUpload_MaxFileSize"):
		return coded("error-file-too-large", "", nil)
	}
	return nil
}

// fetchAvatar takes the picture from an address.
func (c *call) fetchAvatar(u *account, address string) error {
	invalid := coded("error-avatar-invalid-url", "Invalid avatar URL: "+encodeURI(address), fields{"function": "setUserAvatar", "url": address})
	if !fetchable(address) {
		return invalid
	}
	if c.internet == nil {
		return c.storePicture(u, "url", "image/svg+xml", []byte(letters(u.username, pictureSize)))
	}
	req, err := http.NewRequestWithContext(c.r.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return invalid
	}
	res, err := c.internet.RoundTrip(req)
	if err != nil {
		return invalid
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit))
	kind := res.Header.Get("Content-Type")
	switch {
	case err != nil, res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusOK && !strings.HasPrefix(kind, "image/"):
		return invalid
	case res.StatusCode != http.StatusOK:
		return coded(
			"error-avatar-url-handling", "Error while handling avatar setting from a URL ("+encodeURI(address)+") for "+u.username,
			fields{"function": "RocketChat.setUserAvatar", "url": address, "username": u.username},
		)
	}
	return c.storePicture(u, "url", kind, data)
}

// fetchable reports whether a server would fetch an address: it refuses private networks.
func fetchable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.EqualFold(u.Hostname(), "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// encodeURI escapes as the function of that name in JavaScript.
func encodeURI(s string) string {
	const kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'();/?:@&=+$,#"
	var b strings.Builder
	for _, octet := range []byte(s) {
		if strings.IndexByte(kept, octet) >= 0 {
			b.WriteByte(octet)
		} else {
			fmt.Fprintf(&b, "%%%02X", octet)
		}
	}
	return b.String()
}

// siteURL is the address of the server from the setting Site_Url, or otherwise the one that
// the client uses.
func (c *call) siteURL() string { return cmp.Or(strings.TrimSuffix(c.text("Site_Url"), "/"), c.base) }

func (c *call) avatarURL(u *account) string {
	if u.username == "" {
		return c.siteURL() + "/avatar/undefined"
	}
	return c.siteURL() + "/avatar/" + url.PathEscape(u.username)
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
