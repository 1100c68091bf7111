package rocketchattest

import "time"

// export is a data download that was asked for.
type export struct {
	id      string
	created time.Time
	full    bool
	data    profile
}

const exportRepeat = 24 * time.Hour

// requestDataDownload is users.requestDataDownload: a GET that starts a job, unless one of the same kind ran lately.
func (c *call) requestDataDownload() (any, error) {
	full := c.query.str("fullExport") == "true"
	e := c.me.exports[full]
	fresh := e == nil || c.now().Sub(e.created) > exportRepeat
	if fresh {
		e = &export{id: newID(), created: c.now(), full: full, data: c.own(c.me)}
		e.data.AvatarURL, e.data.IsOAuthUser, e.data.Email, e.data.Settings = "", nil, "", c.me.settings()
		if c.me.exports == nil {
			c.me.exports = map[bool]*export{}
		}
		c.me.exports[full] = e
	}
	answer := fields{"requested": fresh, "exportOperation": c.exportAnswer(e, fresh)}
	if c.does(exportsWithQueue) {
		answer["url"], answer["pendingOperationsBeforeMyRequest"] = nil, 0
	}
	return answer, nil
}

// exportAnswer is the job as the API shows it: when it is new, without what its storage adds.
func (c *call) exportAnswer(e *export, fresh bool) fields {
	operation := fields{
		"_id": e.id, "userId": e.data.ID, "status": "pending", "fileList": []any{}, "fullExport": e.full, "userData": e.data,
		"exportPath": "/tmp/userData/" + e.id, "assetsPath": "/tmp/userData/" + e.id + "/assets",
	}
	if c.does(exportsNames) {
		operation["userNameTable"] = fields{}
	}
	if fresh {
		return operation
	}
	operation["createdAt"], operation["_updatedAt"] = stamp{e.created}, stamp{e.created}
	if !c.does(exportsNames) {
		for _, key := range []string{"roomList", "generatedFile", "fileId", "userNameTable", "generatedUserFile", "generatedAvatar"} {
			operation[key] = nil
		}
	}
	return operation
}
