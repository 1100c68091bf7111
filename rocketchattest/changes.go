package rocketchattest

// behaviour is something that servers do in some releases only. Behaviour of a single route
// or a single field of a schema is described there, as its span.
type behaviour int

const (
	// newRouter answers 404s in plain text, 401s with success and error, log-ins with success, and log-outs with an empty body.
	newRouter behaviour = iota
	// permissionFirst looks at a route's permission before it counts the call against the limit.
	permissionFirst
	// quietRefusals sends Cache-Control only with what comes from the action or from the schema of an old route.
	quietRefusals
	// strictBodies refuses values of another kind in bodies instead of converting them.
	strictBodies
	// singleItems takes one value in a query for an array of one.
	singleItems
	// typedRoutes are of the new kind, apart from those that say otherwise: they look at their schema before the limit, their texts do
	// not repeat the code, and every field they do not know is refused.
	typedRoutes
	// hiddenLimits counts changes of addresses and status texts per user and minute.
	hiddenLimits
	// forbidden is the code of a refusal inside an action, instead of unauthorized.
	forbidden
	// plainUnauthorized refuses users.delete with a single word, instead of a sentence, if
	// the permission is missing.
	plainUnauthorized
	// voiceCallNotifications are among the preferences.
	voiceCallNotifications
	// roomsByFields asks users.info for rooms with fields.
	roomsByFields
	// listsByEmail has users.list take an email address.
	listsByEmail
	// extensions has voice extensions in the lists of users.
	extensions
	// tellsDeletedRooms makes users.delete return the rooms that were deleted with the user.
	tellsDeletedRooms
	// idleLosesTokens revokes the tokens of users who are deactivated because they are idle.
	idleLosesTokens
	// inactiveReasons adds the reason of inactivity to stored users.
	inactiveReasons
	// bareStart starts with the first administrator and the bot in no room, and without a
	// picture of the administrator.
	bareStart
	// tellsRemoval has users.removeOtherTokens answer what the database did.
	tellsRemoval
	// exportsWithQueue returns the address of a finished export and the number of exports
	// before it.
	exportsWithQueue
	// exportsNames has the table of names in exports from the start, and no empty members.
	exportsNames
	// federatedRole is the role federated-external.
	federatedRole
	// infoWithExtension has users.info show and find voice extensions.
	infoWithExtension
	// calendarSettings has the settings of me and users.updateOwnBasicInfo name the calendar.
	calendarSettings
	// endsForcedChange ends a forced change of password with the change.
	endsForcedChange
	// mergesCustomFields keeps the custom fields that an update does not name.
	mergesCustomFields
	// oauthEnds drops the OAuth tokens of users that are deactivated.
	oauthEnds
	// rolePriorities adds the priorities of roles in rooms to stored users.
	rolePriorities
	// missesCommas has users.presence find nobody by a list with commas.
	missesCommas
	// anyCondition has conditions of users.autocomplete name any field.
	anyCondition
	// namesService has the form of users.setAvatar name where the picture is from.
	namesService
	// rolesByName takes names of roles besides their IDs.
	rolesByName
	// remembersRoles caches the roles of a user for a second, so that changes of permissions
	// are slightly delayed.
	remembersRoles
	// asksEveryToken asks for the second factor whatever the token: neither bypassTwoFactor nor a code given before counts over REST.
	asksEveryToken
	// codeForUsername names the username that a mailed code is for, instead of the address.
	codeForUsername
	// extensionsOverSIP reads whether voice extensions are on from the setting of the SIP integration.
	extensionsOverSIP
	// statusClaims returns the source and the end of a status, shows it to others only while
	// there is a connection, and allows messages if statuses are switched off.
	statusClaims
	// registersCallers registers users for callers who are logged in.
	registersCallers
	// discreetMails does not reveal whether a confirmation mail was sent.
	discreetMails
	// unsafeQueries accepts the parameters query and fields without a variable in the
	// environment.
	unsafeQueries
	// tokensBySecret issues tokens by a secret of the environment, instead of a switch.
	tokensBySecret
	// guardsTokens requires a permission for a token of another user, besides the secret.
	guardsTokens
	behaviours
)

// releases lists the releases with each behaviour. Where the exact release is unknown, the
// comment says between which known ones it lies.
func releases() [behaviours]span {
	return [behaviours]span{
		newRouter:              since(v(7, 4)),
		permissionFirst:        since(v(8)),               // seen on 8.3, not yet on 7.7
		quietRefusals:          since(v(8)),               // seen on 8.3, not yet on 7.7
		strictBodies:           between(v(8, 3), v(8, 4)), // seen on 8.3; 7.7 and 8.6 convert
		singleItems:            since(v(8, 4)),            // 8.3 wants an array
		typedRoutes:            since(v(8, 4)),            // one after the other until 8.6; on 8.3 most were old
		hiddenLimits:           before(v(8)),              // seen on 7.7, gone in 8.3
		forbidden:              since(v(9)),
		plainUnauthorized:      before(v(7)),
		voiceCallNotifications: since(v(7, 13)),
		roomsByFields:          before(v(7)),
		listsByEmail:           since(v(8, 4)),
		extensions:             since(v(7, 13)),
		tellsDeletedRooms:      since(v(7, 13)),
		idleLosesTokens:        since(v(8, 4, 2)),
		inactiveReasons:        since(v(8)),
		bareStart:              since(v(8)),            // seen on 8.3, not on 7.7
		tellsRemoval:           between(v(8), v(8, 4)), // seen on 8.3, neither on 7.7 nor on 8.6
		exportsWithQueue:       since(v(8, 4)),         // known of 8.6, not on 8.3
		exportsNames:           since(v(8)),            // seen on 8.3, not on 7.7
		federatedRole:          since(v(8)),            // seen on 8.3, not on 7.7
		infoWithExtension:      since(v(8, 5)),
		calendarSettings:       since(v(8)),                  // seen on 8.3, not on 7.7
		endsForcedChange:       since(v(8)),                  // 7.7 was seen to keep asking
		missesCommas:           between(v(8, 4), v(8, 4, 2)), // a defect
		anyCondition:           before(v(8)),
		mergesCustomFields:     since(v(7, 9, 1)),
		oauthEnds:              since(v(8, 5)),
		rolePriorities:         since(v(7, 3)), // seen on 7.7; not in 7.0
		namesService:           since(v(8, 7)),
		rolesByName:            before(v(8)),
		remembersRoles:         since(v(8)),            // seen on 8.3
		asksEveryToken:         between(v(8), v(8, 6)), // seen on 8.3; 7.7 was seen to honour bypassTwoFactor, 8.6 does
		codeForUsername:        since(v(8, 4)),         // known of 8.6; 7.7 and 8.3 do so at log-in only
		extensionsOverSIP:      since(v(8)),            // seen on 8.3
		statusClaims:           since(v(8, 6)),
		registersCallers:       between(v(7, 4), v(8)), // seen on 7.7, not on 8.3
		discreetMails:          since(v(8, 6)),
		unsafeQueries:          before(v(7)),
		tokensBySecret:         since(v(8)),
		guardsTokens:           since(v(8, 6, 1)),
	}
}

// does reports whether a server of the played version behaves like that.
func (db *database) does(b behaviour) bool { return releases()[b].holds(db.version) }
