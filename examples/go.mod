module github.com/rocketchat-go/rocketchat/examples

go 1.26.0

require github.com/rocketchat-go/rocketchat v0.1.0

replace github.com/rocketchat-go/rocketchat => ../
