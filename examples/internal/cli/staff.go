package cli

import (
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Staff are the people of the embedded server.
func Staff(now time.Time) []rocketchattest.User {
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	return []rocketchattest.User{
		{
			Username: "anna.weber", Name: "Anna Weber", Email: "anna.weber@example.com", Roles: []string{"user", "livechat-agent"},
			Bio: "Support, Hamburg", Nickname: "Annie", Status: "online", LastLogin: ago(0), CreatedAt: ago(900),
		},
		{
			Username: "ben.okafor", Name: "Ben Okafor", Email: "ben.okafor@example.com",
			Bio: "Platform team", Status: "away", LastLogin: ago(1), CreatedAt: ago(700),
		},
		{Username: "chloe.martin", Name: "Chloé Martin", Email: "chloe.martin@example.com", LastLogin: ago(12), CreatedAt: ago(650)},
		{Username: "dev.patel", Name: "Dev Patel", Email: "dev.patel@example.com", LastLogin: ago(95), CreatedAt: ago(500)},
		{Username: "elif.kaya", Name: "Elif Kaya", Email: "elif.kaya@example.com", LastLogin: ago(210), CreatedAt: ago(480)},
		{Username: "frank.ito", Name: "Frank Ito", Email: "frank.ito@partner.example", Roles: []string{"guest"}, LastLogin: ago(400), CreatedAt: ago(420)},
		{Username: "grace.lund", Name: "Grace Lund", Email: "grace.lund@example.com", CreatedAt: ago(20)},
		{Username: "hugo.silva", Name: "Hugo Silva", Email: "hugo.silva@example.com", Inactive: true, LastLogin: ago(300), CreatedAt: ago(800)},
		{Username: "deploy.bot", Name: "Deploy Bot", Type: "bot", Roles: []string{"bot"}, LastLogin: ago(250), CreatedAt: ago(600)},
	}
}
