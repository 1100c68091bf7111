package rocketchattest_test

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Everybody who is added from now on joins the lobby.
func ExampleServer_SetDefault() {
	server := rocketchattest.New()
	lobby := server.AddChannel("lobby", "admin")
	server.SetDefault(lobby, true)
	if _, err := server.AddUser(rocketchattest.User{Username: "ann"}); err != nil {
		log.Fatal(err)
	}
	room, _ := server.Room(lobby)
	fmt.Println(room.Owners, room.Members)
	// Output:
	// [admin] [admin ann]
}

// An OAuth access token is valid for an hour.
func ExampleServer_OAuthToken() {
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	server := rocketchattest.New(rocketchattest.WithClock(func() time.Time { return now }))
	clientID, _ := server.OAuthApp("my app", "https://app.example.org/callback")
	token := server.OAuthToken(clientID, "admin")
	me := func() int {
		req, err := http.NewRequest(http.MethodGet, server.URL()+"/api/v1/me", nil)
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := server.RoundTrip(req)
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	fmt.Println(me())
	now = now.Add(time.Hour + time.Second)
	fmt.Println(me())
	// Output:
	// 200
	// 401
}

// A session has expired if it began too long ago.
func ExampleServer_Backdate() {
	server := rocketchattest.New()
	_, token := server.Login("admin")
	server.Backdate(token, time.Now().AddDate(0, 0, -91))
	for _, session := range server.Sessions("admin") {
		fmt.Println(session.ExpiresAt.Before(time.Now()))
	}
	// Output:
	// true
}
