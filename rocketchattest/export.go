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
	e := c.me.export
	fresh := e == nil || e.full != full || c.now().Sub(e.created) > exportRepeat
	if fresh {
		e = &export{id: newID(), created: c.now(), full: full, data: c.own(c.me)}
		e.data.AvatarURL, e.data.IsOAuthUser, e.data.Email, e.data.Settings = "", nil, "", c.me.settings()
		c.me.export = e
	}
	answer := fields{"requested": fresh, "exportOperation": e.answer(fresh && !c.version.atLeast(8))}
	if c.version.atLeast(8) {
		answer["url"], answer["pendingOperationsBeforeMyRequest"] = nil, 0
	}
	return answer, nil
}

// answer is the job as the API shows it. Servers before 8.0 leave out what is not known yet when they have just started it.
func (e *export) answer(started bool) fields {
	operation := fields{
		"_id": e.id, "userId": e.data.ID, "status": "pending", "fileList": []any{}, "fullExport": e.full, "userData": e.data,
		"exportPath": "/tmp/userData/" + e.id, "assetsPath": "/tmp/userData/" + e.id + "/assets",
	}
	if started {
		return operation
	}
	operation["createdAt"], operation["_updatedAt"] = stamp{e.created}, stamp{e.created}
	for _, key := range []string{"roomList", "generatedFile", "fileId", "userNameTable", "generatedUserFile", "generatedAvatar"} {
		operation[key] = nil
	}
	return operation
}
