package rocketchat

import (
	"context"
	"net/http"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func preferencesWire() []wireRow {
	areStored := func(t *testing.T, got any) {
		assert.Equal(t, &Preferences{
			NewRoomNotification: new("door"), NewMessageNotification: new("chime"), UseEmojis: new(true), IdleTimeLimit: new(600),
			DesktopNotifications: new(NotifyMentions), PushNotifications: new(NotifyMentions),
			Highlights: []string{"release"}, DisplayAvatars: new(true), Language: new("en"),
		}, got)
	}
	return []wireRow{
		{"users.getPreferences", "get", func(ctx context.Context, c *Client) (any, error) {
			return c.Preferences.Get(ctx)
		}, areStored},
		{"users.setPreferences", "set", func(ctx context.Context, c *Client) (any, error) {
			return c.Preferences.Set(ctx, Preferences{UseEmojis: new(false), IdleTimeLimit: new(600), Highlights: []string{}})
		}, areStored},
		{"users.setPreferences", "set-for", func(ctx context.Context, c *Client) (any, error) {
			return c.Preferences.SetFor(ctx, ByID("h7WgZbN4cExtFqRm9"), Preferences{Language: new("de")})
		}, areStored},
		{"users.setPreferences", "set-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Preferences.SetFor(ctx, ByID("h7WgZbN4cExtFqRm9"), everyPreference())
		}, areStored},
	}
}

func everyPreference() Preferences {
	return Preferences{
		Language: new("de"), ThemeAppearance: new(ThemeDark), FontSize: new("120%"), ClockMode: new(2), UTCOffset: new(5.5),

		EnableAutoAway: new(true), IdleTimeLimit: new(300), StatusVisibilityDenied: []string{"Qm3rT8sVxYz2LpKdA"},

		DesktopNotifications: new(NotifyMentions), PushNotifications: new(NotifyAll), EmailNotificationMode: new(NotifyNothing),
		DesktopNotificationRequireInteraction: new(false), DesktopNotificationVoiceCalls: new(true), EnableMobileRinging: new(true),
		UnreadAlert: new(true), ReceiveLoginDetectionEmail: new(false), NotifyCalendarEvents: new(true), Highlights: []string{"release"},

		NewRoomNotification: new("door"), NewMessageNotification: new("chime"), MuteFocusedConversations: new(true),
		MasterVolume: new(100.0), NotificationsSoundVolume: new(0.0), VoIPRingerVolume: new(50.0),

		UseEmojis: new(true), ConvertASCIIEmoji: new(true), AutoImageLoad: new(true), SaveMobileBandwidth: new(false),
		CollapseMediaByDefault: new(false), HideUsernames: new(false), HideRoles: new(false), HideFlexTab: new(false),
		DisplayAvatars: new(true), SendOnEnter: new(SendOnEnterNormal), ShowThreadsInMainChannel: new(false),
		AlsoSendThreadToChannel: new(ThreadToChannelNever), MentionsWithSymbol: new(true),

		SidebarSortBy: new(SidebarSortActivity), SidebarViewMode: new(SidebarViewMedium), SidebarDisplayAvatar: new(true),
		SidebarShowUnread: new(true), SidebarShowFavorites: new(true), SidebarGroupByType: new(true),
		SidebarSectionsOrder: []string{"Unread", "Favorites"},

		OmnichannelTranscriptEmail: new(false), OmnichannelTranscriptPDF: new(false), OmnichannelHideConversationAfterClosing: new(true),

		DontAskAgainList: []DontAskAgain{{Action: "hideRoom", Label: "Hide room"}},
		FeaturesPreview:  FeaturePreviews{{Name: "newNavigation", Value: true}},

		DesktopNotificationDuration: new(5), AudioNotifications: new(NotifyMentions), MessageViewMode: new(0),
		RoomsListExhibitionMode: new("category"), RoomCounterSidebar: new(false),

		Extra: map[string]any{"somethingNew": "yes"},
	}
}

func preferencesLossless() []losslessRow {
	return []losslessRow{
		{"users.getPreferences", "preferences", as[Preferences]},
		{"users.setPreferences", "user.settings.preferences", as[Preferences]},
	}
}

func TestPreferencesRejectBadInput(t *testing.T) {
	t.Parallel()
	set := func(p Preferences) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Preferences.Set(ctx, p); return err }
	}
	testRejected(t, []rejectedRow{
		{"set nothing", "preferences", set(Preferences{})},
		{"set a negative limit", "IdleTimeLimit", set(Preferences{IdleTimeLimit: new(-1)})},
		{"set for nobody", "userId", func(ctx context.Context, c *Client) error {
			_, err := c.Preferences.SetFor(ctx, ByID(""), Preferences{Language: new("de")})
			return err
		}},
	})
}

func TestNoPreferences(t *testing.T) {
	t.Parallel()
	client := answering(t, func(int) *http.Response { return readAnswer(t, "users.getPreferences", "not-set").response() })
	_, err := client.Preferences.Get(t.Context())
	require.ErrorIs(t, err, ErrNotFound)
}

func TestFeaturePreviews(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]FeaturePreviews{
		`null`:                             nil,
		`[]`:                               {},
		`[{"name":"a","value":true}]`:      {{Name: "a", Value: true}},
		`""`:                               nil,
		`"[]"`:                             {},
		`"[{\"name\":\"a\",\"value\":1}]"`: nil,
		`"[{\"name\":\"a\",\"value\":true,\"since\":\"8.0\"}]"`: {
			{Name: "a", Value: true, Extra: map[string]any{"since": "8.0"}},
		},
		`"sometimes"`: nil,
		`5`:           nil,
	} {
		var p Preferences
		err := json.Unmarshal([]byte(`{"featuresPreview":`+in+`,"language":"de"}`), &p, decodeOptions)
		if want == nil && in != `null` && in != `""` {
			require.Error(t, err, in)
			continue
		}
		require.NoError(t, err, in)
		assert.Equal(t, want, p.FeaturesPreview, in)
		assert.Equal(t, "de", *p.Language, in)
	}
}
