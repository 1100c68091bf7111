package rocketchat

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// TestLifeOfAnAccount goes through what an administrator does with an account, on
// servers of all versions, with a second factor by password.
func TestLifeOfAnAccount(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"6.14.0", "7.0.0", "7.3.0", "7.7.1", "7.10.0", "7.13.9", "8.0.0", "8.4.0", "8.6.1", "8.8.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			srv := rocketchattest.New(rocketchattest.WithVersion(version), rocketchattest.WithSecondFactor(),
				rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false),
				rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text","public":true},"department":{"type":"text"}}`))
			c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", rocketchattest.AdminPassword),
				WithTwoFactor(AnswerWithPassword(NewSecret(rocketchattest.AdminPassword))))
			require.NoError(t, err)
			me, err := c.Me.Get(ctx)
			require.NoError(t, err)
			assert.Equal(t, "admin", me.Username)

			in := ann()
			in.Bio, in.Nickname = new("Likes lists."), new("annie")
			in.CustomFields = map[string]any{"team": "core", "department": "ops"}
			in.Verified = new(true)
			created, err := c.Users.Create(ctx, in)
			require.NoError(t, err)
			id := created.ID
			_, err = c.Users.Create(ctx, in)
			require.ErrorIs(t, err, ErrTaken)

			_, err = c.Users.Update(ctx, ByID(id), UserUpdateOptions{Name: new("Ann Lee"), CustomFields: map[string]any{"department": "it"}})
			require.NoError(t, err)
			user, err := c.Users.Get(ctx, ByUsername("ann"))
			require.NoError(t, err)
			assert.Equal(t, "Ann Lee", user.Name)
			assert.Equal(t, "Likes lists.", user.Bio, "nothing else is changed")
			assert.Equal(t, "annie", user.Nickname)
			assert.Equal(t, map[string]any{"team": "core", "department": "it"}, user.CustomFields)
			_, err = c.Users.Update(ctx, ByID(id), UserUpdateOptions{Nickname: new("")})
			require.NoError(t, err)
			_, err = c.Users.SetRoles(ctx, ByID(id), []string{"user", "guest"})
			require.NoError(t, err)
			user, err = c.Users.Get(ctx, ByID(id))
			require.NoError(t, err)
			assert.Empty(t, user.Nickname)
			assert.Equal(t, "Likes lists.", user.Bio)
			assert.ElementsMatch(t, []string{"user", "guest"}, user.Roles)

			ann, err := c.With(WithLogin("ann@example.com", "Ann-Passw0rd!"), WithTwoFactor(AnswerWithPassword(NewSecret("Ann-Passw0rd!"))))
			require.NoError(t, err)
			require.NoError(t, ann.Status.Set(ctx, Self(), StatusSetOptions{Status: StatusBusy, Message: new("Reading.")}))
			_, err = ann.Preferences.Set(ctx, Preferences{HideRoles: new(true)})
			require.NoError(t, err)
			preferences, err := ann.Preferences.Get(ctx)
			require.NoError(t, err)
			assert.True(t, *preferences.HideRoles)
			token, err := ann.Tokens.Generate(ctx, "bot", TokenGenerateOptions{})
			require.NoError(t, err)
			bot, err := c.With(WithToken(id, token.Reveal()))
			require.NoError(t, err)
			self, err := bot.Me.Get(ctx)
			require.NoError(t, err)
			assert.Equal(t, "Reading.", self.StatusText)
			require.NoError(t, ann.Tokens.Revoke(ctx, "bot"))
			_, err = bot.Me.Get(ctx)
			require.ErrorIs(t, err, ErrUnauthorized)
			require.NoError(t, ann.Close())

			found, err := c.Users.Autocomplete(ctx, "ann", UserAutocompleteOptions{})
			require.NoError(t, err)
			require.Len(t, found, 1)
			_, err = c.Roles.Users(ctx, "guest", RoleUsersOptions{})
			require.NoError(t, err)
			require.NoError(t, c.Users.Deactivate(ctx, ByID(id), UserDeactivateOptions{}))
			_, err = ann.Me.Get(ctx)
			require.ErrorIs(t, err, ErrUnauthorized, "who is deactivated cannot log in")
			require.NoError(t, c.Users.Activate(ctx, ByID(id)))
			_, err = c.Users.Delete(ctx, ByUsername("ann"), UserDeleteOptions{})
			require.NoError(t, err)
			_, err = c.Users.Get(ctx, ByID(id))
			require.ErrorIs(t, err, ErrNotFound)
			require.NoError(t, c.Close())
		})
	}
}
