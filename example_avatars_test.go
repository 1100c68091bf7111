package rocketchat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// picture is a small PNG, where a program would open a file.
func picture() *bytes.Buffer {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		panic(err)
	}
	return &b
}

// The picture comes from any reader; what kind it is is found out.
func ExampleAvatarsService_Upload() {
	_, server := demo()
	client := actFor("ann", server)
	err := client.Avatars.Upload(context.Background(), rocketchat.AvatarUpload{Image: picture()})
	fmt.Println(err)
	// Output:
	// <nil>
}

// What is no picture is not sent.
func ExampleAvatarsService_Upload_other() {
	client, _ := demo()
	err := client.Avatars.Upload(context.Background(), rocketchat.AvatarUpload{
		User:  rocketchat.ByUsername("bob"),
		Image: strings.NewReader("<html>Not found</html>"),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrInvalid))
	fmt.Println(err)
	// Output:
	// true
	// rocketchat: users.setAvatar: image is not a picture
}

func ExampleAvatarsService_Image() {
	client, _ := demo()
	ctx := context.Background()
	err := client.Avatars.Upload(ctx, rocketchat.AvatarUpload{User: rocketchat.ByUsername("ann"), Image: picture()})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} { // for bob the server draws one
		avatar, err := client.Avatars.Image(ctx, rocketchat.ByUsername(name), rocketchat.AvatarImageOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, avatar.ContentType)
	}
	// Output:
	// ann image/png
	// bob image/svg+xml
}

// The address is that of the server's setting Site_Url.
func ExampleAvatarsService_URL() {
	client, _ := demo(rocketchattest.WithSetting("Site_Url", "https://chat.example.org"))
	address, err := client.Avatars.URL(context.Background(), rocketchat.ByUsername("ann"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(address)
	// Output:
	// https://chat.example.org/avatar/ann
}

// The server fetches the picture itself.
func ExampleAvatarsService_SetURL() {
	client, _ := demo()
	err := client.Avatars.SetURL(context.Background(), rocketchat.ByUsername("ann"), "https://pictures.example.org/ann.png")
	fmt.Println(err)
	// Output:
	// <nil>
}

func ExampleAvatarsService_Reset() {
	client, _ := demo()
	ctx := context.Background()
	ann := rocketchat.ByUsername("ann")
	if err := client.Avatars.Upload(ctx, rocketchat.AvatarUpload{User: ann, Image: picture()}); err != nil {
		log.Fatal(err)
	}
	if err := client.Avatars.Reset(ctx, ann); err != nil {
		log.Fatal(err)
	}
	avatar, err := client.Avatars.Image(ctx, ann, rocketchat.AvatarImageOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(avatar.ContentType) // drawn by the server
	// Output:
	// image/svg+xml
}

// The pictures that other services have for the caller, to choose one with SetURL.
func ExampleAvatarsService_Suggestions() {
	_, server := demo()
	client := actFor("ann", server)
	suggestions, err := client.Avatars.Suggestions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(suggestions), "pictures elsewhere")
	// Output:
	// 0 pictures elsewhere
}
