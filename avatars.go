package rocketchat

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// AvatarsService reads and sets people's pictures.
type AvatarsService service

// AvatarUpload is a picture to set.
type AvatarUpload struct {
	// User is whose picture it is; the zero value is oneself.
	User UserRef
	// Image is read once, to its end, into memory: at most 32 MiB. Servers resize it, and
	// may take less.
	Image io.Reader
	// Filename is told to the server; by default "avatar".
	Filename string
	// ContentType is the kind of the picture, such as "image/png". By default it is
	// found out from the picture itself, if that is a PNG, JPEG, GIF, WebP, BMP or ICO.
	ContentType string
	// Service says where the picture comes from, such as "gravatar". Servers before 8.7
	// do not know it.
	Service string
}

// maxAvatar is how much of a picture to upload is read at most.
const maxAvatar = 32 << 20

// AvatarSuggestion is a picture that a user has at another service.
type AvatarSuggestion struct {
	Service     string `json:"service"`
	URL         string `json:"url"`
	ContentType string `json:"contentType"`
	Blob        string `json:"blob"` // the picture itself, as a data: address

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// AvatarImageOptions say how a picture is wanted.
type AvatarImageOptions struct {
	Format string // "png" or "jpeg"; by default as it is stored, or SVG when the server draws it
	Size   int    // of the edges in pixels, from 16 to 1024; by default as it is stored
}

// AvatarImage is a picture.
type AvatarImage struct {
	ContentType string
	Data        []byte
}

type avatarURLBody struct {
	URL string `json:"avatarUrl"`
	userRefBody
}

// Upload sets a picture. The server stores it about half a second later.
//
// POST /api/v1/users.setAvatar, as a form. Another user needs the permission
// edit-other-user-avatar. A lost answer is repeated. Errors: [ErrInvalid] with the
// Field image, and nothing sent, for what is no picture, is too large or cannot be read;
// [ErrForbidden], [ErrNotFound].
func (s *AvatarsService) Upload(ctx context.Context, in AvatarUpload, opts ...CallOption) error {
	e := in.User.orOneself(post("users.setAvatar").since("0.46.0").repeatable())
	var form readyBody
	if e.wrong == nil {
		form, e.wrong = in.form(e.op)
	}
	return exec(ctx, s.client, e, form, opts)
}

// form is the picture as a multipart body. The server wants the fields before the file.
func (u AvatarUpload) form(op string) (readyBody, *Error) {
	data, contentType, wrong := u.read(op)
	if wrong != nil {
		return readyBody{}, wrong
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	ref := u.User.body()
	for _, field := range [][2]string{{"userId", ref.UserID}, {"username", ref.Username}, {"service", u.Service}} {
		if field[1] != "" {
			_ = w.WriteField(field[0], field[1]) // a buffer takes everything
		}
	}
	part, _ := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("image", cmp.Or(u.Filename, "avatar"))},
		"Content-Type":        {contentType},
	})
	_, _ = part.Write(data)
	_ = w.Close()
	return readyBody{contentType: w.FormDataContentType(), data: body.Bytes()}, nil
}

// read reads the picture and finds out what kind it is.
func (u AvatarUpload) read(op string) (data []byte, contentType string, wrong *Error) {
	if u.Image == nil {
		return nil, "", invalid(op, "image", "must be given")
	}
	data, err := io.ReadAll(io.LimitReader(u.Image, maxAvatar+1))
	switch {
	case err != nil:
		wrong = invalid(op, "image", "cannot be read")
		wrong.Err = err
		return nil, "", wrong
	case len(data) == 0:
		return nil, "", invalid(op, "image", "must not be empty")
	case len(data) > maxAvatar:
		return nil, "", invalid(op, "image", "must not be larger than 32 MiB")
	}
	kind, params, err := mime.ParseMediaType(cmp.Or(u.ContentType, http.DetectContentType(data)))
	if err != nil || !strings.HasPrefix(kind, "image/") {
		return nil, "", invalid(op, "image", "is not a picture")
	}
	return data, mime.FormatMediaType(kind, params), nil
}

// SetURL has the server fetch a picture from an address; the zero ref is oneself.
//
// POST /api/v1/users.setAvatar, as JSON. Another user needs the permission
// edit-other-user-avatar. A lost answer is repeated. Errors: [ErrInvalid] with the code
// error-avatar-invalid-url for an address that gives no picture or that the server may
// not visit; [ErrForbidden], [ErrNotFound].
func (s *AvatarsService) SetURL(ctx context.Context, ref UserRef, address string, opts ...CallOption) error {
	e := ref.orOneself(post("users.setAvatar").since("0.46.0").repeatable()).require(address != "", "avatarUrl", "must not be empty")
	return exec(ctx, s.client, e, avatarURLBody{URL: address, userRefBody: ref.body()}, opts)
}

// Reset removes the picture of a user, who then has one that the server draws. Oneself
// has to be named too.
//
// POST /api/v1/users.resetAvatar. Another user needs the permission
// edit-other-user-avatar. A lost answer is repeated. Errors: [ErrForbidden],
// [ErrNotFound].
func (s *AvatarsService) Reset(ctx context.Context, ref UserRef, opts ...CallOption) error {
	return exec(ctx, s.client, ref.direct(post("users.resetAvatar").since("0.55.0").repeatable()), ref.body(), opts)
}

// URL returns the address of a user's picture, as the server knows itself: its host is
// that of the setting Site_Url.
//
// GET /api/v1/users.getAvatar. No permission. The server answers with a redirect, which
// is not followed. Errors: [ErrNotFound].
func (s *AvatarsService) URL(ctx context.Context, ref UserRef, opts ...CallOption) (string, error) {
	e := ref.direct(get("users.getAvatar").since("0.50.0"))
	e.redirects = true
	c, err := send(ctx, s.client, e, ref.addTo(url.Values{}), nil, opts)
	if err != nil {
		return "", err
	}
	var address string
	_ = json.Unmarshal(c.body, &address, decodeOptions()) // the header says the same
	if address = cmp.Or(address, c.header.Get("Location")); address == "" {
		return "", badAnswer(c, "the answer has no address", nil)
	}
	return address, nil
}

// Suggestions returns the pictures that the caller's accounts at other services have, by
// service; there are none as long as no address of the caller is verified.
//
// GET /api/v1/users.getAvatarSuggestion. No permission.
func (s *AvatarsService) Suggestions(ctx context.Context, opts ...CallOption) (map[string]AvatarSuggestion, error) {
	e := get("users.getAvatarSuggestion").yields("suggestions")
	return do[map[string]AvatarSuggestion](ctx, s.client, e, nil, nil, opts)
}

// Image returns the picture of a user. For somebody who has none, or who does not exist
// and is named by a username, the server draws one.
//
// GET /avatar/{username}, or for [ByID] GET /avatar/uid/{userId}, since server 7.1. No
// permission, no rate limit, and no credentials unless the setting
// Accounts_AvatarBlockUnauthenticatedAccess is on. Errors: [ErrNotFound] for an unknown
// id, [ErrForbidden].
func (s *AvatarsService) Image(ctx context.Context, ref UserRef, in AvatarImageOptions, opts ...CallOption) (*AvatarImage, error) {
	e := get("avatar.byUsername").at("/avatar/" + ref.value)
	if ref.key == "userId" {
		e = get("avatar.byUserId").since("7.1.0").at("/avatar/uid/" + ref.value)
	}
	e.picture = true
	e = ref.direct(e.open()).
		require(!strings.Contains(ref.value, "/") && strings.Trim(ref.value, ".") != "", ref.key, "names nobody").
		require(in.Size >= 0, "size", "must not be negative")
	q := query("format", in.Format)
	if in.Size > 0 {
		q.Set("size", strconv.Itoa(in.Size))
	}
	c, err := send(ctx, s.client, e, q, nil, opts)
	if err != nil {
		return nil, err
	}
	image := &AvatarImage{ContentType: c.header.Get("Content-Type"), Data: c.body}
	if !strings.HasPrefix(image.ContentType, "image/") {
		return nil, badAnswer(c, "the answer is no picture", nil)
	}
	return image, nil
}
