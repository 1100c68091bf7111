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
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// AvatarsService reads and sets users' pictures.
type AvatarsService service

// AvatarUploadOptions describe a picture to set.
type AvatarUploadOptions struct {
	// Image is read to its end, at most 32 MiB. Servers resize it, and may take less.
	Image io.Reader
	// Filename is sent to the server. The default is "avatar".
	Filename string
	// ContentType is the kind of the picture, such as "image/png". By default it is
	// detected for PNG, JPEG, GIF, WebP, BMP and ICO.
	ContentType string
	// Service says where the picture comes from, such as "gravatar". Servers before 8.7
	// do not know it.
	Service string
}

// maxAvatar bounds a picture to upload, in bytes.
const maxAvatar = 32 << 20

// AvatarSuggestion is a picture that a user has at another service.
type AvatarSuggestion struct {
	Service     string `json:"service"`
	URL         string `json:"url"`
	ContentType string `json:"contentType"`
	Blob        string `json:"blob"` // the picture itself, as a data: URL

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// AvatarImageOptions select the format and size of a picture.
type AvatarImageOptions struct {
	Format string // "png" or "jpeg"; by default as stored, or SVG if the server draws it
	Size   int    // of the edges in pixels, from 16 to 1024; by default as stored
}

// AvatarImage is a picture.
type AvatarImage struct {
	ContentType string
	Data        []byte
}

// Upload sets a user's picture. The server stores it about half a second later.
//
//   - POST /api/v1/users.setAvatar, as a form.
//   - Permission: edit-other-user-avatar for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid], with the field image and nothing sent for what is not a
//     picture, is too large or cannot be read; [ErrForbidden], [ErrNotFound].
//   - Since server 0.46.0.
func (s *AvatarsService) Upload(ctx context.Context, ref UserRef, opts AvatarUploadOptions, callOpts ...CallOption) error {
	e := post("users.setAvatar").since("0.46.0").retried().ofSelfOr(ref)
	if e.wrong == nil {
		e.body, e.wrong = opts.form(e.op)
	}
	return exec(ctx, s.client, e, callOpts)
}

// form is the picture as a multipart body. The field of the user comes before it.
func (o AvatarUploadOptions) form(op string) (formBody, *Error) {
	data, contentType, wrong := o.read(op)
	return formBody{picture: data, contentType: contentType, filename: cmp.Or(o.Filename, "avatar"), service: o.Service}, wrong
}

// formBody is a picture to upload.
type formBody struct {
	picture                        []byte
	contentType, filename, service string
}

// encode makes the body. Servers read the fields in any order.
func (f formBody) encode(user UserRef) readyBody {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, field := range [][2]string{{user.key, user.value}, {"service", f.service}} {
		if field[1] != "" {
			_ = w.WriteField(field[0], field[1]) // writing to a buffer does not fail
		}
	}
	part, _ := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("image", f.filename)},
		"Content-Type":        {f.contentType},
	})
	_, _ = part.Write(f.picture)
	_ = w.Close()
	return readyBody{contentType: w.FormDataContentType(), data: body.Bytes()}
}

// read reads the picture and detects its kind.
func (o AvatarUploadOptions) read(op string) (data []byte, contentType string, wrong *Error) {
	if o.Image == nil {
		return nil, "", invalid(op, "image", "must be given")
	}
	data, err := io.ReadAll(io.LimitReader(o.Image, maxAvatar+1))
	switch {
	case err != nil:
		wrong = invalid(op, "image", "cannot be read")
		wrong.Err = &cause{text: sanitized(err.Error(), maxText, nil), err: err}
		return nil, "", wrong
	case len(data) == 0:
		return nil, "", invalid(op, "image", "must not be empty")
	case len(data) > maxAvatar:
		return nil, "", invalid(op, "image", "must not be larger than 32 MiB")
	}
	kind, params, err := mime.ParseMediaType(cmp.Or(o.ContentType, http.DetectContentType(data)))
	if err != nil || !strings.HasPrefix(kind, "image/") {
		return nil, "", invalid(op, "image", "is not a picture")
	}
	return data, mime.FormatMediaType(kind, params), nil
}

// SetURL has the server fetch a picture for a user from an address.
//
//   - POST /api/v1/users.setAvatar, as JSON.
//   - Permission: edit-other-user-avatar for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] with [CodeAvatarInvalidURL] for an address without a picture or
//     one that the server may not visit; [ErrForbidden], [ErrNotFound].
//   - Since server 0.46.0.
func (s *AvatarsService) SetURL(ctx context.Context, ref UserRef, address string, callOpts ...CallOption) error {
	e := post("users.setAvatar").since("0.46.0").retried().ofSelfOr(ref).
		json(struct {
			URL string `json:"avatarUrl"`
		}{address}).
		require(address != "", "avatarUrl", "must not be empty")
	return exec(ctx, s.client, e, callOpts)
}

// Reset removes the picture of a user. The server draws one instead.
//
//   - POST /api/v1/users.resetAvatar.
//   - Permission: edit-other-user-avatar for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden], [ErrNotFound].
//   - Since server 0.55.0.
func (s *AvatarsService) Reset(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.resetAvatar").since("0.55.0").retried().of(ref), callOpts)
}

// URL returns the address of a user's picture. Its host is that of the server's setting
// Site_Url. The server answers with a redirect, which is not followed.
//
//   - GET /api/v1/users.getAvatar.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound].
//   - Since server 0.50.0.
func (s *AvatarsService) URL(ctx context.Context, ref UserRef, callOpts ...CallOption) (string, error) {
	e := get("users.getAvatar").since("0.50.0").of(ref)
	e.redirects = true
	c, ctx, err := send(ctx, s.client, e, callOpts)
	var address string
	if err == nil {
		_ = json.Unmarshal(c.answer.body, &address, decodeOptions) // the header says the same
		if address = cmp.Or(address, c.answer.header.Get("Location")); address == "" {
			err = badAnswer(c, "the answer has no address", nil)
		}
	}
	return address, c.end(ctx, err)
}

// Suggestions returns the pictures that the caller has at other services, by service.
// There are none unless an address of the caller is verified.
//
//   - GET /api/v1/users.getAvatarSuggestion.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - In all server versions.
func (s *AvatarsService) Suggestions(ctx context.Context, callOpts ...CallOption) (map[string]AvatarSuggestion, error) {
	return do[map[string]AvatarSuggestion](ctx, s.client, get("users.getAvatarSuggestion").yields("suggestions"), callOpts)
}

// Image returns the picture of a user. For users without a picture, and for unknown
// usernames, the server draws letters. Size and Format apply to drawn letters; how far
// stored pictures follow them depends on the server.
//
// By default, since server 8.1, callers without credentials get letters for every
// username, and [ErrNotFound] for every ID (Accounts_AvatarBlockUnauthenticatedAccess).
// The call is not rate limited.
//
//   - GET /avatar/{username}, or /avatar/uid/{userId} for [ByID].
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] for an unknown ID, [ErrForbidden].
//   - In all server versions; [ByID] since 7.1.
func (s *AvatarsService) Image(ctx context.Context, ref UserRef, opts AvatarImageOptions, callOpts ...CallOption) (*AvatarImage, error) {
	e := get("avatar.byUsername").of(ref, refUsername)
	if ref.key == refID || ref.key == refSelf {
		e = get("avatar.byUserId").since("7.1.0").of(ref, refID)
	}
	e = e.open().with("format", opts.Format).
		require(ref.key == refSelf || !strings.Contains(ref.value, "/") && strings.Trim(ref.value, ".") != "", ref.key, "names nobody").
		require(opts.Size >= 0, "Size", "must not be negative")
	if opts.Size > 0 {
		e = e.with("size", strconv.Itoa(opts.Size))
	}
	e.picture = true
	c, ctx, err := send(ctx, s.client, e, callOpts)
	if err != nil {
		return nil, c.end(ctx, err)
	}
	image := &AvatarImage{ContentType: c.answer.header.Get("Content-Type"), Data: bytes.Clone(c.answer.body)}
	if !strings.HasPrefix(image.ContentType, "image/") {
		return nil, c.end(ctx, badAnswer(c, "the answer is not a picture", nil))
	}
	return image, c.end(ctx, nil)
}
