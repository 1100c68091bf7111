package rocketchattest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif" // for the pictures that are sent
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// picture is a stored avatar.
type picture struct {
	etag, origin, contentType string
	data                      []byte
	stored                    time.Time
}

const (
	pictureSize     = 200
	smallestPicture = 16
	largestPicture  = 1024
)

// storePicture sets a user's avatar after the checks of a server. It does not resize the
// picture.
func (c *call) storePicture(u *account, origin, contentType string, data []byte) error {
	kind := imageKind(data)
	switch {
	case !strings.HasPrefix(contentType, "image/"):
		return coded("error-invalid-file-type", "File type is not accepted.", nil)
	case len(data) == 0:
		return coded("file-too-small", "File size (size = 0) is too small (min = 1)", nil)
	case kind == "" && c.enabled("Accounts_AvatarResize"):
		return coded("ufs: cannot upload file", "Error: Input file contains unsupported image format", nil)
	case (kind == "gif" || kind == "svg") && c.enabled("Accounts_AvatarResize"):
		contentType, data = "image/png", asPNG(u.username, data)
	}
	u.picture = &picture{newID(), origin, contentType, data, c.now()}
	c.touch(u)
	return nil
}

// imageKind is the format of a picture by its first bytes, or "".
func imageKind(data []byte) string {
	for kind, magic := range map[string]string{"png": "\x89PNG", "jpeg": "\xff\xd8\xff", "gif": "GIF8", "tiff": "II*\x00"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return kind
		}
	}
	switch head := string(data[:min(len(data), 1<<10)]); {
	case strings.HasPrefix(head, "RIFF") && strings.Contains(head, "WEBP"):
		return "webp"
	case strings.Contains(head, "ftypavif"), strings.Contains(head, "ftyphei"):
		return "heif"
	case strings.Contains(head, "<svg"):
		return "svg"
	}
	return ""
}

// asPNG is a picture as PNG. Pictures that cannot be converted are replaced by a square in
// the colour of the name.
func asPNG(name string, data []byte) []byte {
	drawn, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		drawn = square(name, pictureSize)
	}
	var b bytes.Buffer
	if png.Encode(&b, drawn) != nil {
		return data
	}
	return b.Bytes()
}

// avatarByUsername is /avatar/{username}: the stored picture, or the first letter of the name. With an @ it is always the letter.
func (c *call) avatarByUsername() (any, error) {
	if !c.seesAvatars() {
		asked := strings.TrimPrefix(c.r.URL.RequestURI(), "/avatar/")
		return raw{http.StatusOK, http.Header{"Content-Type": {"image/svg+xml"}}, []byte(letters(asked, pictureSize))}, nil
	}
	name := strings.TrimPrefix(c.r.URL.Path, "/avatar/")
	u := c.userByName(name)
	if u != nil && u.username == name && u.picture != nil {
		return c.servePicture(u.picture), nil
	}
	if u != nil && u.name != "" && c.enabled("UI_Use_Name_Avatar") {
		name = u.name
	}
	return c.serveLetters(strings.TrimPrefix(name, "@")), nil
}

// avatarByUserID is /avatar/uid/{userId}.
func (c *call) avatarByUserID() (any, error) {
	u := c.users[strings.TrimPrefix(c.r.URL.Path, "/avatar/uid/")]
	switch {
	case !c.seesAvatars():
		return raw{http.StatusNotFound, http.Header{}, nil}, nil
	case u == nil:
		return raw{http.StatusNotFound, c.avatarHeader(), nil}, nil
	case u.picture != nil:
		return c.servePicture(u.picture), nil
	}
	return c.serveLetters(u.username), nil
}

// seesAvatars reports whether the caller may see pictures. Credentials count in the query or in cookies, not in headers.
func (c *call) seesAvatars() bool {
	if !c.enabled("Accounts_AvatarBlockUnauthenticatedAccess") {
		return true
	}
	id, value := c.query.str("rc_uid"), c.query.str("rc_token")
	if cookie, err := c.r.Cookie("rc_uid"); id == "" && err == nil {
		id = cookie.Value
		if cookie, err := c.r.Cookie("rc_token"); err == nil {
			value = cookie.Value
		}
	}
	t := c.byToken[value]
	return t != nil && t.user.id == id
}

func (c *call) avatarHeader() http.Header {
	seconds := c.query.str("cacheTime")
	if seconds == "" {
		seconds = strconv.Itoa(c.integer("Accounts_AvatarCacheTime"))
	}
	return http.Header{"Cache-Control": {"public, max-age=" + seconds}, "Content-Disposition": {"inline"}}
}

// unmodified reports whether the client has the version of that date.
func (c *call) unmodified(date string) bool { return c.r.Header.Get("If-Modified-Since") == date }

func (c *call) servePicture(p *picture) raw {
	h := c.avatarHeader()
	h.Set("Content-Security-Policy", "default-src 'none'")
	date := p.stored.UTC().Format(http.TimeFormat)
	h.Set("Last-Modified", date)
	if c.unmodified(date) {
		return raw{http.StatusNotModified, h, nil}
	}
	h.Set("Content-Type", p.contentType)
	if p.data == nil { // one that the server came with
		p.data = asPNG(p.etag, nil)
	}
	return raw{http.StatusOK, h, p.data}
}

// lettersDate is when the letters were changed the last time.
const lettersDate = "Thu, 01 Jan 2015 00:00:00 GMT"

func (c *call) serveLetters(name string) raw {
	h := c.avatarHeader()
	if c.unmodified(lettersDate) {
		return raw{http.StatusNotModified, h, nil}
	}
	h.Set("Last-Modified", lettersDate)
	size := pictureSize
	if n := leadingInteger(c.query.str("size")); n != 0 {
		size = min(max(n, smallestPicture), largestPicture)
	}
	format := c.query.str("format")
	if !slices.Contains([]string{"png", "jpg", "jpeg"}, format) {
		h.Set("Content-Type", "image/svg+xml")
		return raw{http.StatusOK, h, []byte(letters(name, size))}
	}
	h.Set("Content-Type", "image/"+format)
	var b bytes.Buffer
	encode := func() error { return jpeg.Encode(&b, square(name, size), nil) }
	if format == "png" {
		encode = func() error { return png.Encode(&b, square(name, size)) }
	}
	if encode() != nil {
		return raw{http.StatusInternalServerError, h, nil}
	}
	return raw{http.StatusOK, h, b.Bytes()}
}

// leadingInteger is the number a text begins with, zero when it begins with none.
func leadingInteger(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		s = s[:end]
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// colors are those of letters, chosen by the length of the name.
func colors() []color.RGBA {
	return []color.RGBA{
		{0x15, 0x8d, 0x65, 255},
		{0x7f, 0x1b, 0x9f, 255},
		{0xb6, 0x8d, 0x00, 255},
		{0xe2, 0x6d, 0x0e, 255},
		{0x10, 0x52, 0x9e, 255},
		{0x6c, 0x72, 0x7a, 255},
	}
}

func colorOf(name string) color.RGBA {
	all := colors()
	return all[len(utf16.Encode([]rune(name)))%len(all)]
}

// letters is the picture of a user without one: the first letter on a colour that depends
// on the name.
func letters(name string, size int) string {
	initial := ""
	if i := strings.IndexFunc(name, func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}); i >= 0 {
		initial = strings.ToUpper(name[i : i+1])
	}
	c := colorOf(name)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d">`+"\n"+
		`<rect width="100%%" height="100%%" fill="#%02[2]X%02[3]X%02[4]X"/>`+"\n"+
		`<text x="50%%" y="50%%" dy="0.36em" text-anchor="middle" pointer-events="none" fill="#ffffff" `+
		`font-family="'Helvetica', 'Arial', 'Lucida Grande', 'sans-serif'" font-size="%[5]s">`+"\n%[6]s\n</text>\n</svg>",
		size, c.R, c.G, c.B, formatNumber(float64(size)/1.6), initial)
}

// square is the same without the letter.
func square(name string, size int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.Draw(img, img.Bounds(), image.NewUniform(colorOf(name)), image.Point{}, draw.Src)
	return img
}
