package livetest

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func avatarChecks() []check {
	return []check{
		{"Avatars.Upload", avatarsUpload},
		{"Avatars.SetURL", avatarsSetURL},
		{"Avatars.Reset", avatarsReset},
		{"Avatars.Image", avatarsImage},
		{"Avatars.URL", avatarsURL},
		{"Avatars.Suggestions", avatarsSuggestions},
	}
}

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64))))
	return b.Bytes()
}

// pictured waits until a user has a picture or none, because servers store pictures shortly
// after they have answered.
func (l *live) pictured(t *testing.T, userID string, want bool) {
	t.Helper()
	got := !want
	for range 50 {
		if got = l.info(t, userID).text("avatarETag") != ""; got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.Equal(t, want, got)
}

// stored is the picture of a user. Its route takes credentials only like this.
func (l *live) stored(t *testing.T, p *person) (*http.Response, []byte) {
	t.Helper()
	query := url.Values{"rc_uid": {l.admin.userID}, "rc_token": {l.admin.token}}
	return l.admin.send(t, http.MethodGet, "/avatar/"+p.username+"?"+query.Encode(), nil)
}

// upload gives a person a picture.
func (l *live) upload(t *testing.T, p *person) {
	t.Helper()
	require.NoError(t, l.client.Avatars.Upload(t.Context(), rocketchat.ByID(p.userID), rocketchat.AvatarUploadOptions{Image: bytes.NewReader(picture(t))}))
	l.pictured(t, p.userID, true)
}

func avatarsUpload(t *testing.T, l *live) {
	p := l.person(t)
	require.NoError(t, l.client.Avatars.Upload(t.Context(), rocketchat.ByID(p.userID), rocketchat.AvatarUploadOptions{Image: bytes.NewReader(picture(t))}))
	l.pictured(t, p.userID, true)
	res, data := l.stored(t, p)
	require.Equal(t, http.StatusOK, res.StatusCode)
	_, format, err := image.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	assert.Equal(t, "png", format)
}

func avatarsSetURL(t *testing.T, l *live) {
	p := l.person(t)
	require.NoError(t, l.client.Avatars.SetURL(t.Context(), rocketchat.ByID(p.userID), l.picture))
	l.pictured(t, p.userID, true)
}

func avatarsReset(t *testing.T, l *live) {
	p := l.person(t)
	l.upload(t, p)
	require.NoError(t, l.client.Avatars.Reset(t.Context(), rocketchat.ByID(p.userID)))
	l.pictured(t, p.userID, false)
}

func avatarsImage(t *testing.T, l *live) {
	p := l.person(t)
	l.upload(t, p)
	got, err := l.client.Avatars.Image(t.Context(), rocketchat.ByUsername(p.username), rocketchat.AvatarImageOptions{})
	require.NoError(t, err)
	res, data := l.stored(t, p)
	assert.Equal(t, res.Header.Get("Content-Type"), got.ContentType)
	assert.Equal(t, data, got.Data)
}

func avatarsURL(t *testing.T, l *live) {
	p := l.person(t)
	address, err := l.client.Avatars.URL(t.Context(), rocketchat.ByID(p.userID))
	require.NoError(t, err)
	assert.Contains(t, address, "/avatar/"+p.username)
}

func avatarsSuggestions(t *testing.T, l *live) {
	p, client := l.member(t)
	l.verify(t, p)
	got, err := client.Avatars.Suggestions(t.Context())
	require.NoError(t, err)
	want, _ := p.get(t, "users.getAvatarSuggestion")["suggestions"].(map[string]any)
	services := []string{}
	for service := range want {
		services = append(services, service)
	}
	for service, suggestion := range got {
		assert.Contains(t, services, service)
		assert.NotEmpty(t, suggestion.Blob)
	}
	assert.Len(t, got, len(want))
}
