package rocketchattest

import (
	"slices"
)

// setDefaultChannel is channels.setDefault.
func (c *call) setDefaultChannel() (any, error) {
	wanted, given := c.body["default"]
	if !given {
		return nil, typed(`The bodyParam "default" is required`, "error-channels-setdefault-is-same", nil)
	}
	r, err := c.chosenRoom(roomKinds()[0])
	if err != nil {
		return nil, err
	}
	if r.isDefault == wanted {
		return nil, typed("The channel default setting is the same as what it would be changed to.", "error-channels-setdefault-missing-default-param", nil)
	}
	if err := c.mayMakeDefault(r); err != nil {
		return nil, err
	}
	r.isDefault = slices.Contains([]any{true, 1.0, "true", "1"}, wanted)
	return fields{"channel": c.roomObject(r)}, nil
}

func (c *call) mayMakeDefault(r *room) error {
	refuse := func(text, action string) error {
		return coded("error-action-not-allowed", text, fields{"method": "saveRoomSettings", "action": action})
	}
	switch {
	case !c.mayIn("edit-room", r):
		return refuse("Editing room is not allowed", "Editing_room")
	case !c.may("view-room-administration"):
		return refuse("Viewing room administration is not allowed", "Viewing_room_administration")
	}
	return nil
}

// saveRoomSettings is rooms.saveRoomSettings, of which the settings that matter to new users have an effect.
func (c *call) saveRoomSettings() (any, error) {
	r := c.rooms[c.body.str("rid")]
	if r == nil {
		return nil, coded("error-invalid-room", "Invalid room", fields{"method": "saveRoomSettings"})
	}
	if err := c.mayMakeDefault(r); err != nil {
		return nil, err
	}
	if c.body.has("default") {
		r.isDefault = c.body.flag("default")
	}
	if f := c.body.object("favorite"); f != nil {
		r.favorite = f.flag("favorite") && f.flag("defaultValue")
	}
	if c.body.has("readOnly") {
		r.readOnly = c.body.flag("readOnly")
	}
	return fields{"rid": r.id}, nil
}
