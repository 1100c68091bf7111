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

// picture returns a small PNG; a program would open a file.
func picture() *bytes.Buffer {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		panic(err)
	}
	return &b
}

// The picture can come from any reader. Its type is detected.
func ExampleAvatarsService_Upload() {
	_, server := demo()
	client := actFor("ann", server)
	err := client.Avatars.Upload(context.Background(), rocketchat.Self(), rocketchat.AvatarUploadOptions{Image: picture()})
	fmt.Println(err)
	// Output:
	// <nil>
}

// Data that is not a picture is not sent.
func ExampleAvatarsService_Upload_other() {
	client, _ := demo()
	err := client.Avatars.Upload(context.Background(), rocketchat.ByUsername("bob"), rocketchat.AvatarUploadOptions{
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
	err := client.Avatars.Upload(ctx, rocketchat.ByUsername("ann"), rocketchat.AvatarUploadOptions{Image: picture()})
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

// The address is based on the server's setting Site_Url.
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
	if err := client.Avatars.Upload(ctx, ann, rocketchat.AvatarUploadOptions{Image: picture()}); err != nil {
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

// Suggestions lists the caller's pictures in other services, one of which can be given
// to SetURL.
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
