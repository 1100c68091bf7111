package rocketchat

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPasswordService(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in     string
		exists bool
		bcrypt Secret
	}{
		{`true`, true, Secret{}},
		{`false`, false, Secret{}},
		{`{"exists":true}`, true, Secret{}},
		{`{"exists":false}`, false, Secret{}},
		{`{}`, false, Secret{}},
		{`{"bcrypt":"$2b$10$x"}`, true, NewSecret("$2b$10$x")},
		{`{"exists":true,"bcrypt":"$2b$10$x","reset":{"when":1}}`, true, NewSecret("$2b$10$x")},
		{`null`, false, Secret{}},
	} {
		t.Run(test.in, func(t *testing.T) {
			t.Parallel()
			var services Services
			in := `{"password":` + test.in + `}`
			require.NoError(t, json.Unmarshal([]byte(in), &services))
			out, err := json.Marshal(services, json.WithMarshalers(revealSecrets()))
			require.NoError(t, err)
			if test.in == "null" {
				assert.Nil(t, services.Password)
				assert.JSONEq(t, `{}`, string(out))
				return
			}
			assert.Equal(t, test.exists, services.Password.Exists)
			assert.Equal(t, test.bcrypt, services.Password.Bcrypt)
			assert.JSONEq(t, in, string(out))

			shown, err := json.Marshal(services)
			require.NoError(t, err)
			assert.NotContains(t, string(shown), "$2b$")
			assert.NotContains(t, fmt.Sprintf("%+v %#v", *services.Password, *services.Password), "$2b$")
		})
	}
	var p PasswordService
	require.Error(t, json.Unmarshal([]byte(`"yes"`), &p))
	require.Error(t, json.Unmarshal([]byte(`{"exists":1}`), &p))
}

// TestMeDecodes checks the members of a Me that no answer of the testdata has.
func TestMeDecodes(t *testing.T) {
	t.Parallel()
	const in = `{"_id":"u","name":"","active":true,"statusText":"","requirePasswordChange":true,"utcOffset":5.75,
		"isOAuthUser":true,"defaultRoom":"GENERAL","banners":{"b":{"id":"b","priority":10}},"oauth":{"authorizedClients":["c"]},
		"openBusinessHours":["h"],"abacAttributes":[{"key":"k","values":["v"]}],
		"settings":{"calendar":{"outlook":{"Enabled":true,"Exchange_Url":"e","Outlook_Url":"o"}}},
		"services":{"github":{"id":7,"accessToken":"gh"}},"somethingNew":{"a":[1]}}`
	var me Me
	require.NoError(t, json.Unmarshal([]byte(in), &me))
	assert.InDelta(t, 5.75, *me.UTCOffset, 0)
	assert.Equal(t, []string{"c"}, me.OAuth.AuthorizedClients)
	assert.Equal(t, "b", me.Banners["b"]["id"])
	assert.Equal(t, OutlookSettings{Enabled: true, ExchangeURL: "e", OutlookURL: "o"}, *me.Settings.Calendar.Outlook)
	assert.Equal(t, NewSecret("gh"), me.Services.GitHub.AccessToken)
	assert.Equal(t, map[string]any{"somethingNew": map[string]any{"a": []any{1.0}}}, me.Extra)

	out, err := json.Marshal(me, json.WithMarshalers(revealSecrets()))
	require.NoError(t, err)
	assert.JSONEq(t, in, string(out))
}
