package rocketchat

import (
	"context"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// PreferencesService reads and sets the preferences of users.
type PreferencesService service

// Preferences are a user's choices. All fields are pointers or lists, because false, 0 and
// "" are values too. Nil means that the user has not chosen, so that the server's default
// applies. To change some preferences, set only these:
//
//	Preferences{UseEmojis: new(false), IdleTimeLimit: new(300)}
type Preferences struct {
	// Language of the user interface, such as "en" or "pt-BR".
	Language *string `json:"language,omitzero"`
	// ThemeAppearance is spelled themeAppearence by servers.
	ThemeAppearance *Theme  `json:"themeAppearence,omitzero"`
	FontSize        *string `json:"fontSize,omitzero"`  // in percent, such as "120%"
	ClockMode       *int    `json:"clockMode,omitzero"` // 1 is 12 hours, 2 is 24 hours, 0 is the server's choice
	// UTCOffset is in hours, and may be fractional. It is stored with the user, not with the
	// preferences. Since server 8.6.
	UTCOffset *float64 `json:"utcOffset,omitzero"`

	// Presence.

	EnableAutoAway *bool `json:"enableAutoAway,omitzero"`
	// IdleTimeLimit is the number of idle seconds after which a user is away; 60 or more.
	IdleTimeLimit *int `json:"idleTimeLimit,omitzero"`
	// StatusVisibilityDenied exists since server 8.8.
	StatusVisibilityDenied []string `json:"statusVisibilityDenied,omitzero"`

	// Notifications.

	DesktopNotifications *Notify `json:"desktopNotifications,omitzero"`
	// PushNotifications are those on mobile devices, once called mobileNotifications.
	PushNotifications                     *Notify `json:"pushNotifications,omitzero"`
	EmailNotificationMode                 *Notify `json:"emailNotificationMode,omitzero"`
	DesktopNotificationRequireInteraction *bool   `json:"desktopNotificationRequireInteraction,omitzero"` // they stay until they are clicked
	DesktopNotificationVoiceCalls         *bool   `json:"desktopNotificationVoiceCalls,omitzero"`         // since server 7.13
	EnableMobileRinging                   *bool   `json:"enableMobileRinging,omitzero"`
	UnreadAlert                           *bool   `json:"unreadAlert,omitzero"`
	ReceiveLoginDetectionEmail            *bool   `json:"receiveLoginDetectionEmail,omitzero"`
	NotifyCalendarEvents                  *bool   `json:"notifyCalendarEvents,omitzero"`
	// Highlights are words that are highlighted in messages and cause notifications.
	Highlights []string `json:"highlights,omitzero"`

	// Sounds. Volumes go from 0 to 100.

	NewRoomNotification      *string  `json:"newRoomNotification,omitzero"`    // the name of a sound, such as "door"
	NewMessageNotification   *string  `json:"newMessageNotification,omitzero"` // the name of a sound, such as "chime"
	MuteFocusedConversations *bool    `json:"muteFocusedConversations,omitzero"`
	MasterVolume             *float64 `json:"masterVolume,omitzero"` // accepted by some servers 7.x and all newer ones
	NotificationsSoundVolume *float64 `json:"notificationsSoundVolume,omitzero"`
	VoIPRingerVolume         *float64 `json:"voipRingerVolume,omitzero"` // as MasterVolume

	// Messages.

	UseEmojis                *bool            `json:"useEmojis,omitzero"`
	ConvertASCIIEmoji        *bool            `json:"convertAsciiEmoji,omitzero"`
	AutoImageLoad            *bool            `json:"autoImageLoad,omitzero"`
	SaveMobileBandwidth      *bool            `json:"saveMobileBandwidth,omitzero"`
	CollapseMediaByDefault   *bool            `json:"collapseMediaByDefault,omitzero"`
	HideUsernames            *bool            `json:"hideUsernames,omitzero"`
	HideRoles                *bool            `json:"hideRoles,omitzero"`
	HideFlexTab              *bool            `json:"hideFlexTab,omitzero"`
	DisplayAvatars           *bool            `json:"displayAvatars,omitzero"` // once hideAvatars, which meant the opposite
	SendOnEnter              *SendOnEnter     `json:"sendOnEnter,omitzero"`
	ShowThreadsInMainChannel *bool            `json:"showThreadsInMainChannel,omitzero"`
	AlsoSendThreadToChannel  *ThreadToChannel `json:"alsoSendThreadToChannel,omitzero"`
	MentionsWithSymbol       *bool            `json:"mentionsWithSymbol,omitzero"`

	// Sidebar.

	SidebarSortBy        *SidebarSort `json:"sidebarSortby,omitzero"`
	SidebarViewMode      *SidebarView `json:"sidebarViewMode,omitzero"`
	SidebarDisplayAvatar *bool        `json:"sidebarDisplayAvatar,omitzero"`
	SidebarShowUnread    *bool        `json:"sidebarShowUnread,omitzero"`
	SidebarShowFavorites *bool        `json:"sidebarShowFavorites,omitzero"`
	SidebarGroupByType   *bool        `json:"sidebarGroupByType,omitzero"`
	// SidebarSectionsOrder is returned by [MeService.Get]; servers refuse to set it.
	SidebarSectionsOrder []string `json:"sidebarSectionsOrder,omitzero"`

	// Omnichannel.

	OmnichannelTranscriptEmail              *bool `json:"omnichannelTranscriptEmail,omitzero"`
	OmnichannelTranscriptPDF                *bool `json:"omnichannelTranscriptPDF,omitzero"`
	OmnichannelHideConversationAfterClosing *bool `json:"omnichannelHideConversationAfterClosing,omitzero"`

	// What clients remember.

	DontAskAgainList []DontAskAgain  `json:"dontAskAgainList,omitzero"`
	FeaturesPreview  FeaturePreviews `json:"featuresPreview,omitzero"`

	// Obsolete. Accounts may still have them, but current servers reject the whole request
	// if one of them is set.

	DesktopNotificationDuration *int    `json:"desktopNotificationDuration,omitzero"` // in seconds; no successor
	AudioNotifications          *Notify `json:"audioNotifications,omitzero"`          // no successor
	MessageViewMode             *int    `json:"messageViewMode,omitzero"`             // no successor
	RoomsListExhibitionMode     *string `json:"roomsListExhibitionMode,omitzero"`     // see SidebarGroupByType and SidebarSortBy
	RoomCounterSidebar          *bool   `json:"roomCounterSidebar,omitzero"`          // see SidebarShowUnread

	// Extra holds members that this version of the package does not know. They are sent,
	// too.
	Extra map[string]any `json:",embed,inline"`
}

// Notify selects notifications.
type Notify string

// The values of the preferences that are a [Notify].
const (
	NotifyDefault  Notify = "default" // the server's default
	NotifyAll      Notify = "all"
	NotifyMentions Notify = "mentions"
	NotifyNothing  Notify = "nothing"
)

// Theme is the look of the user interface.
type Theme string

// The themes.
const (
	ThemeAuto         Theme = "auto" // as the system
	ThemeLight        Theme = "light"
	ThemeDark         Theme = "dark"
	ThemeHighContrast Theme = "high-contrast"
)

// SendOnEnter is the function of the enter key.
type SendOnEnter string

// The uses of the enter key.
const (
	SendOnEnterNormal      SendOnEnter = "normal"      // it sends
	SendOnEnterAlternative SendOnEnter = "alternative" // it begins a line
	SendOnEnterDesktop     SendOnEnter = "desktop"     // it sends, but not on mobile devices
)

// ThreadToChannel says whether replies in a thread are also sent to the room.
type ThreadToChannel string

// The values of [Preferences.AlsoSendThreadToChannel].
const (
	ThreadToChannelDefault ThreadToChannel = "default" // the first answer of a thread
	ThreadToChannelAlways  ThreadToChannel = "always"
	ThreadToChannelNever   ThreadToChannel = "never"
)

// SidebarSort is the order of the rooms in the sidebar.
type SidebarSort string

// The orders of the sidebar.
const (
	SidebarSortActivity     SidebarSort = "activity"
	SidebarSortAlphabetical SidebarSort = "alphabetical"
)

// SidebarView is the size of a room's entry in the sidebar.
type SidebarView string

// The views of the sidebar.
const (
	SidebarViewExtended  SidebarView = "extended"
	SidebarViewMedium    SidebarView = "medium"
	SidebarViewCondensed SidebarView = "condensed"
)

// DontAskAgain is a question that the user does not want to see again.
type DontAskAgain struct {
	Action string `json:"action"`
	Label  string `json:"label"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// FeaturePreview is an unfinished feature that the user has turned on or off.
type FeaturePreview struct {
	Name  string `json:"name"`
	Value bool   `json:"value"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// FeaturePreviews are the unfinished features that a user has turned on or off. Servers
// send the default as a string that contains the list.
type FeaturePreviews []FeaturePreview

// UnmarshalJSONFrom implements [github.com/go-json-experiment/json.UnmarshalerFrom].
func (f *FeaturePreviews) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	list, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if list.Kind() == '"' {
		if list, err = jsontext.AppendUnquote(nil, list); err != nil {
			return err
		}
	}
	*f = nil
	if len(list) == 0 {
		return nil
	}
	return json.Unmarshal(list, (*[]FeaturePreview)(f), dec.Options())
}

// Get returns the preferences that the caller has set, without the server's defaults for
// the others. [MeService.Get] returns all of them, including defaults.
//
//   - GET /api/v1/users.getPreferences.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] for an account without any settings, such as one that never
//     logged in to the web client.
//   - In all server versions.
func (s *PreferencesService) Get(ctx context.Context, callOpts ...CallOption) (*Preferences, error) {
	return do[*Preferences](ctx, s.client, get("users.getPreferences").yields("preferences"), callOpts)
}

// Set sets preferences of the caller and returns all that are then set. Nil fields are left
// unchanged. Do not pass on what Get returned: servers refuse to set some preferences that
// they report.
//
//   - POST /api/v1/users.setPreferences.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] for a preference that the server does not know, which rejects
//     the whole request, and with [CodeInvalidIdleTimeLimit] for an IdleTimeLimit below 60.
//   - In all server versions.
func (s *PreferencesService) Set(ctx context.Context, p Preferences, callOpts ...CallOption) (*Preferences, error) {
	return s.SetFor(ctx, Self(), p, callOpts...)
}

// SetFor sets preferences of a user, as [PreferencesService.Set] does.
//
//   - POST /api/v1/users.setPreferences.
//   - Permission: edit-other-user-info for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [PreferencesService.Set]; [ErrNotFound], [ErrForbidden].
//   - In all server versions.
func (s *PreferencesService) SetFor(ctx context.Context, ref UserRef, p Preferences, callOpts ...CallOption) (*Preferences, error) {
	e := post("users.setPreferences").retried().yields("user").ofSelfOr(ref, refID).
		json(struct {
			Data Preferences `json:"data"`
		}{p}).
		require(!reflect.ValueOf(p).IsZero(), "preferences", "must not be empty").
		require(p.IdleTimeLimit == nil || *p.IdleTimeLimit >= 0, "IdleTimeLimit", "must not be negative")
	user, err := do[struct {
		Settings struct {
			Preferences Preferences `json:"preferences"`
		} `json:"settings"`
	}](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return &user.Settings.Preferences, nil
}
