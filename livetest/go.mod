module github.com/rocketchat-go/rocketchat/livetest

go 1.26.0

require (
	github.com/pquerna/otp v1.5.0
	github.com/rocketchat-go/rocketchat v0.1.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/boombuler/barcode v1.0.1-0.20190219062509-6c824513bacc // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/rocketchat-go/rocketchat => ../
