// Package rocketchat is a client for everything a program does with the users of a
// Rocket.Chat server: accounts, roles, tokens, sessions, preferences, presence,
// pictures, second factors.
//
//	client, err := rocketchat.New("https://chat.example.org", rocketchat.WithToken(userID, token))
//	if err != nil {
//		return err
//	}
//	user, err := client.Users.Get(ctx, rocketchat.ByUsername("ann"))
//
// A [Client] is safe for concurrent use; make one and share it. Its fields are the
// services, such as [UsersService] and [TokensService]. Every endpoint has a method,
// whose comment names the endpoint, the permission it needs and the errors to expect. A
// user is given as a [UserRef]. Optional fields of requests are pointers: nil leaves a
// field out, new(false) and new("") send it.
//
// # Credentials
//
// [WithToken] takes a personal access token, which suits most programs, or a login
// token. [WithLogin] takes a password, logs in with the first call and again after the
// session has expired; [Client.Close] logs out. [WithCredentials] asks a
// [CredentialsProvider], for tokens that are rotated elsewhere. [FromEnv] reads the
// environment. [Client.With] derives a client for another account.
//
// Passwords, tokens and codes in requests, answers and errors have the type [Secret],
// which is printed, logged and encoded as [redacted]. Credentials are sent only to the
// server's own address: redirects are not followed.
//
// # Errors
//
// Failed calls return an [*Error]. Programs branch on its [Class], which is the same
// for all server versions, or on the server's own [Code]:
//
//	errors.Is(err, rocketchat.ErrNotFound)
//	errors.Is(err, rocketchat.CodeFieldUnavailable)
//
// [errors.AsType] gives the details: [*Error], [*TwoFactorError], [*LastOwnerError],
// [*PasswordPolicyError]. If [Error.Field] is set, an argument was rejected and nothing
// was sent.
//
// # Retries
//
// Idempotent calls are retried, up to 4 attempts, if the connection breaks, the attempt
// times out or a gateway fails. Other calls, such as creating a token, are not: their
// error is [ErrOutcomeUnknown], and the program decides. Every call is retried after a
// 429, because the server refused before it acted. [RetryPolicy] has the whole table.
// [UsersService.Create] looks the account up if its response is lost, and
// [UsersService.Ensure] can be called again and again.
//
// # Rate limits
//
// By default a server accepts 10 calls in 60 s to each endpoint from one address. The
// client learns the limits from the answers and holds calls back until they may go.
// Calls that are refused nevertheless, because others at the address call too, are
// retried. A call waits as long as its context allows. [WithMaxWait] bounds the wait,
// [Client.RateLimit] returns what is known, [WithGate] shares it between clients (see
// package [github.com/rocketchat-go/rocketchat/gate]), and [WithThrottle] adds a limit
// of the program's own.
//
// # Second factor
//
// Servers ask for a second factor before changes to accounts and tokens, by default for
// the password. [WithTwoFactor] answers: with [AnswerWithPassword], [AskForCode] or a
// function that knows the code. Servers ask anew for every call, so the client brings
// the answer along from the second call of an operation on. The module
// github.com/rocketchat-go/rocketchat/totp computes the codes of authenticator apps.
//
// # Lists
//
// Methods called List return a [Page]. Those called All are iterators over everything:
//
//	for user, err := range client.Users.All(ctx, rocketchat.UserListOptions{}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(user.Username)
//	}
//
// They make as few calls as the server allows, usually one, yield nothing twice, and end
// at the first error.
//
// # Unknown JSON
//
// Types of answers have a field Extra, which keeps the members that this version of the
// package does not know. Both versions of encoding/json encode them as members of the
// object. To decode them again takes the second version, which is
// github.com/go-json-experiment/json before Go 1.27; the first ignores them, and does not
// read some forms of [PasswordService] and [FeaturePreviews]. [WithRawAnswer] returns the
// body itself.
//
// # Server versions
//
// The package works with servers 6.14 to 8.8. Every method says which version has its
// endpoint first. On an older server it fails with [ErrEndpointUnknown], and the error
// names the version. [ServerService.Info] returns that of the server.
//
// # Testing
//
// Package [github.com/rocketchat-go/rocketchat/rocketchattest] is a server in memory
// with users, limits, second factors, mails and faults. It is an [http.RoundTripper]:
//
//	server := rocketchattest.New()
//	userID, token := server.Login("admin")
//	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server),
//		rocketchat.WithToken(userID, token))
//
// # Units
//
// Durations are [time.Duration], moments [Time] or [time.Time]. Other numbers have the
// server's unit: UTCOffset is in hours, with fractions; IdleTimeLimit in seconds;
// volumes go from 0 to 100; an avatar's size is in pixels.
package rocketchat
