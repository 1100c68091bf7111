// Package rocketchat is a client for the users of a Rocket.Chat server: their accounts,
// roles, tokens, sessions, preferences, presence, avatars and second factors.
//
//	client, err := rocketchat.New("https://chat.example.org", rocketchat.WithToken(userID, token))
//	if err != nil {
//		return err
//	}
//	user, err := client.Users.Get(ctx, rocketchat.ByUsername("ann"))
//
// A [Client] is safe for concurrent use; make one and share it. Its fields are the
// services, such as [UsersService] and [TokensService]. Every endpoint has a method, whose
// comment names the endpoint, the permission it needs and the errors to expect. Methods
// take users as a [UserRef]. Optional fields of requests are pointers: nil leaves a field
// out, and new(false) or new("") sends it.
//
// # Credentials
//
// [WithToken] takes a personal access token, which suits most programs, or a login token.
// [WithLogin] takes a password, logs in on first use and again after the session has
// expired; [Client.Close] logs out. [WithCredentials] asks a [CredentialsProvider], for
// tokens that are rotated elsewhere. [FromEnv] reads the environment. [Client.With] derives
// a client for another account.
//
// Passwords, tokens and codes in requests, answers and errors have the type [Secret], which
// prints, logs and encodes as [redacted]. Credentials are sent only to the server's own
// address: redirects are not followed.
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
// times out or a gateway fails. Other calls, such as creating a token, are not; they fail
// with [ErrOutcomeUnknown], and the program decides what to do. Every call is retried after
// a 429, because the server refused before it acted. [RetryPolicy] has the whole table.
// [UsersService.Create] looks the account up if its response is lost, and
// [UsersService.Ensure] is safe to call repeatedly.
//
// # Rate limits
//
// By default a server accepts 10 calls in 60 s to each endpoint from one address. The
// client learns the limits from the answers and delays calls accordingly. Calls that are
// still refused, because other programs share the address, are retried. A call waits as
// long as its context allows. [WithMaxWait] bounds the wait, [Client.RateLimit] returns
// what is known, [WithGate] shares it between clients (see package
// [github.com/rocketchat-go/rocketchat/gate]), and [WithThrottle] adds a limit of your own.
//
// # Second factor
//
// Servers ask for a second factor before changes to accounts and tokens, by default for the
// password. [WithTwoFactor] answers: with [AnswerWithPassword], [AskForCode] or a function
// that knows the code. Servers ask for every call, so the client sends the answer along
// from the second call of an operation on. The module
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
// They make as few calls as the server allows, usually one. They yield no item twice and
// end at the first error.
//
// # Unknown JSON
//
// Types of answers have a field Extra, which keeps the members that this version of the
// package does not know. Both versions of encoding/json encode them as members of the
// object. Decoding them again needs the second version, which is
// github.com/go-json-experiment/json before Go 1.27; the first ignores them, and does not
// read some forms of [PasswordService] and [FeaturePreviews]. [WithRawAnswer] returns the
// body itself.
//
// # Server versions
//
// The package works with servers 6.14 to 8.8. Every method names the first version with its
// endpoint. On older servers it fails with [ErrEndpointUnknown], and the error names the
// version that is needed. [ServerService.Info] returns the version of the server.
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
// Durations are [time.Duration], points in time [Time] or [time.Time]. Other numbers have
// the server's unit: UTCOffset is in hours, with fractions; IdleTimeLimit in seconds;
// volumes go from 0 to 100; an avatar's size is in pixels.
package rocketchat
