package rocketchat

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tinyPNG is a picture of 8 by 8 pixels.
const tinyPNG = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC"

func tinyPicture() io.Reader {
	return base64.NewDecoder(base64.StdEncoding, strings.NewReader(tinyPNG))
}

func avatarsWire() []wireRow {
	upload := func(ref UserRef, u AvatarUploadOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) {
			u.Image = tinyPicture()
			return nil, c.Avatars.Upload(ctx, ref, u)
		}
	}
	setURL := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Avatars.SetURL(ctx, ref, "https://example.org/me.png")
		}
	}
	reset := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return nil, c.Avatars.Reset(ctx, ref) }
	}
	address := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Avatars.URL(ctx, ref) }
	}
	image := func(ref UserRef, o AvatarImageOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Avatars.Image(ctx, ref, o) }
	}
	isAddress := func(t *testing.T, got any) { assert.Equal(t, "https://chat.example.org/avatar/alice.meyer", got) }
	isDrawn := func(t *testing.T, got any) {
		picture := got.(*AvatarImage)
		assert.Equal(t, "image/svg+xml", picture.ContentType)
		assert.True(t, bytes.HasPrefix(picture.Data, []byte("<svg ")))
		assert.True(t, bytes.HasSuffix(picture.Data, []byte("</svg>")))
	}
	return []wireRow{
		{"users.setAvatar", "upload", upload(Self(), AvatarUploadOptions{}), nil},
		{"users.setAvatar", "upload-all-options", upload(ByID("Qm3rT8sVxYz2LpKdA"), AvatarUploadOptions{
			Filename: `me "and" you.png`, ContentType: "image/x-png", Service: "gravatar",
		}), nil},
		{"users.setAvatar", "upload-by-username", upload(ByUsername("bruno.costa"), AvatarUploadOptions{}), nil},
		{"users.setAvatar", "url", setURL(Self()), nil},
		{"users.setAvatar", "url-by-username", setURL(ByUsername("bruno.costa")), nil},
		{"users.setAvatar", "url-of-other", setURL(ByID("Qm3rT8sVxYz2LpKdA")), nil},
		{"users.resetAvatar", "by-id", reset(ByID("Qm3rT8sVxYz2LpKdA")), nil},
		{"users.resetAvatar", "by-username", reset(ByUsername("bruno.costa")), nil},
		{"users.getAvatar", "by-username", address(ByUsername("alice.meyer")), isAddress},
		{"users.getAvatar", "by-id", address(ByID("h7WgZbN4cExtFqRm9")), isAddress},
		{"users.getAvatarSuggestion", "suggestions", func(ctx context.Context, c *Client) (any, error) {
			return c.Avatars.Suggestions(ctx)
		}, func(t *testing.T, got any) {
			suggestion := got.(map[string]AvatarSuggestion)["gravatar"]
			assert.Equal(t, "image/png", suggestion.ContentType)
			assert.Equal(t, "data:image/png;base64,iVBORw0KGgo=", suggestion.Blob)
		}},
		{"avatar.byUsername", "image", image(ByUsername("alice.meyer"), AvatarImageOptions{}), isDrawn},
		{"avatar.byUsername", "image-all-options", image(ByUsername("alice.meyer"), AvatarImageOptions{Format: "png", Size: 200}), isDrawn},
		{"avatar.byUserId", "image", image(ByID("h7WgZbN4cExtFqRm9"), AvatarImageOptions{}), isDrawn},
	}
}

func avatarsLossless() []losslessRow {
	return []losslessRow{{"users.getAvatarSuggestion", "suggestions", as[map[string]AvatarSuggestion]}}
}

func TestAvatarsRejectBadInput(t *testing.T) {
	t.Parallel()
	upload := func(u AvatarUploadOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { return c.Avatars.Upload(ctx, Self(), u) }
	}
	of := func(text string) AvatarUploadOptions { return AvatarUploadOptions{Image: strings.NewReader(text)} }
	image := func(ref UserRef, o AvatarImageOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Avatars.Image(ctx, ref, o); return err }
	}
	testRejected(t, []rejectedRow{
		{"upload nothing", "image", upload(AvatarUploadOptions{})},
		{"upload an empty file", "image", upload(of(""))},
		{"upload a page", "image", upload(of("<html><body>not found</body></html>"))},
		{"upload an SVG unnamed", "image", upload(of("<svg/>"))},
		{"upload as text", "image", upload(AvatarUploadOptions{Image: tinyPicture(), ContentType: "text/plain"})},
		{"upload as nonsense", "image", upload(AvatarUploadOptions{Image: tinyPicture(), ContentType: "image/png\r\nX-Evil: yes"})},
		{"upload too much", "image", upload(AvatarUploadOptions{Image: io.LimitReader(zeros{}, maxAvatar+2)})},
		{"upload what cannot be read", "image", upload(AvatarUploadOptions{Image: iotest.ErrReader(errors.New("disk gone"))})},
		{"upload of an empty id", "userId", func(ctx context.Context, c *Client) error {
			return c.Avatars.Upload(ctx, ByID(""), AvatarUploadOptions{Image: tinyPicture()})
		}},
		{"no address", "avatarUrl", func(ctx context.Context, c *Client) error { return c.Avatars.SetURL(ctx, Self(), "") }},
		{"address of an empty name", "username", func(ctx context.Context, c *Client) error {
			return c.Avatars.SetURL(ctx, ByUsername(""), "https://example.org/me.png")
		}},
		{"reset nobody", "user", func(ctx context.Context, c *Client) error { return c.Avatars.Reset(ctx, UserRef{}) }},
		{"where is nobody's", "user", func(ctx context.Context, c *Client) error { _, err := c.Avatars.URL(ctx, UserRef{}); return err }},
		{"picture of nobody", "user", image(UserRef{}, AvatarImageOptions{})},
		{"picture of a path", "username", image(ByUsername("../api/v1/logout"), AvatarImageOptions{})},
		{"picture of the folder above", "userId", image(ByID(".."), AvatarImageOptions{})},
		{"picture of negative size", "Size", image(ByUsername("ann"), AvatarImageOptions{Size: -1})},
	})
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRejectedUploadLeavesTheReader: an upload that is refused for another reason leaves the reader
// alone, and a reader's error stays in the chain.
func TestRejectedUploadLeavesTheReader(t *testing.T) {
	t.Parallel()
	client := answering(t, func(int) *http.Response { return readAnswer(t, "users.setAvatar", "ok").response() })
	picture := strings.NewReader("picture")
	require.ErrorIs(t, client.Avatars.Upload(t.Context(), ByID(""), AvatarUploadOptions{Image: picture}), ErrInvalid)
	assert.Equal(t, len("picture"), picture.Len())

	gone := errors.New("disk gone")
	require.ErrorIs(t, client.Avatars.Upload(t.Context(), Self(), AvatarUploadOptions{Image: iotest.ErrReader(gone)}), gone)
}

// TestAvatarUploadIsRetried loses the first answer: the second attempt has the same body,
// although the reader was read.
func TestAvatarUploadIsRetried(t *testing.T) {
	t.Parallel()
	var bodies []string
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		bodies = append(bodies, r.Header.Get("Content-Type")+"\n"+string(body))
		if len(bodies) == 1 {
			return nil, io.ErrUnexpectedEOF
		}
		return readAnswer(t, "users.setAvatar", "ok").response(), nil
	})
	client, err := New("https://chat.example.org", WithTransport(mock), WithToken("u", "t"), WithRetry(RetryPolicy{MaxAttempts: 2}))
	require.NoError(t, err)
	require.NoError(t, client.Avatars.Upload(t.Context(), Self(), AvatarUploadOptions{Image: tinyPicture()}))
	require.Len(t, bodies, 2)
	assert.Equal(t, bodies[0], bodies[1])
}

func TestAvatarURL(t *testing.T) {
	t.Parallel()
	const location, body = "https://chat.example.org/avatar/header", "https://chat.example.org/avatar/body"
	for _, row := range []struct {
		name, location, body string
		status               int
		want                 string
	}{
		{"both", location, `"` + body + `"`, http.StatusTemporaryRedirect, body},
		{"no body", location, ``, http.StatusTemporaryRedirect, location},
		{"a page as body", location, `<a href="/">here</a>`, http.StatusTemporaryRedirect, location},
		{"no header", "", `"` + body + `"`, http.StatusOK, body},
		{"neither", "", `{"success":true}`, http.StatusOK, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			client := answering(t, func(n int) *http.Response {
				sent = n
				res := httpmock.NewStringResponse(row.status, row.body)
				if row.location != "" {
					res.Header.Set("Location", row.location)
				}
				return res
			})
			got, err := client.Avatars.URL(t.Context(), ByUsername("alice.meyer"))
			assert.Equal(t, 1, sent, "a redirect is not followed")
			if row.want == "" {
				require.ErrorIs(t, err, ErrBadAnswer)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, got)
		})
	}
}

func TestAvatarImage(t *testing.T) {
	t.Parallel()
	picture, err := io.ReadAll(tinyPicture())
	require.NoError(t, err)
	for _, row := range []struct {
		name, kind string
		status     int
		opts       []Option
		cookie     string
		want       error
	}{
		{"with credentials", "image/png", http.StatusOK, []Option{WithToken("ann", "to;ken")}, "rc_uid=ann; rc_token=to%3Bken", nil},
		{"without credentials", "image/png", http.StatusOK, nil, "", nil},
		{"unknown", "text/plain", http.StatusNotFound, nil, "", ErrNotFound},
		{"blocked", "text/plain", http.StatusForbidden, nil, "", ErrForbidden},
		{"a page", "text/html", http.StatusOK, nil, "", ErrBadAnswer},
		{"elsewhere", "text/html", http.StatusFound, nil, "", ErrRedirected},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				assert.Equal(t, "/avatar/uid/h7Wg Zb?", r.URL.Path)
				assert.Equal(t, "/avatar/uid/h7Wg%20Zb%3F", r.URL.EscapedPath())
				assert.Equal(t, row.cookie, r.Header.Get("Cookie"))
				assert.Empty(t, r.Header.Get("X-Auth-Token"))
				res := httpmock.NewBytesResponse(row.status, picture)
				res.Header.Set("Content-Type", row.kind)
				return res, nil
			})
			client, err := New("https://chat.example.org", append(row.opts, WithTransport(mock), WithRetry(RetryPolicy{MaxAttempts: 1}))...)
			require.NoError(t, err)
			got, err := client.Avatars.Image(t.Context(), ByID("h7Wg Zb?"), AvatarImageOptions{})
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, &AvatarImage{ContentType: "image/png", Data: picture}, got)
		})
	}
}
