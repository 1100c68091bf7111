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
// A [Client] is made once and shared; it is safe for concurrent use. Its fields are
// the services, such as [UsersService] and [TokensService]. Every endpoint has one
// method, whose comment names it, the permission it needs and the errors to expect.
// Optional fields of requests are pointers: new(false) and new("") are values, nil is
// none.
//
// # Credentials
//
// [WithToken] takes a personal access token, the best choice for a program, or a login
// token. [WithLogin] takes a password, logs in with the first call and again when the
// session has expired; [Client.Close] logs out. [WithCredentials] asks a
// [CredentialsProvider], for tokens that something else rotates. [Client.With] derives
// a client for another account.
//
// Passwords, tokens and codes have the type [Secret], made by [NewSecret], which shows
// as [redacted] wherever it is printed, logged or encoded. Credentials go to the
// server's address alone: redirects are not followed.
//
// # Errors
//
// Calls fail with an [*Error]. Programs branch on its [Class], which is the same for
// all versions of the server, or on the server's own [Code]:
//
//	errors.Is(err, rocketchat.ErrNotFound)
//	errors.Is(err, rocketchat.Code("error-field-unavailable"))
//
// [errors.AsType] gives the details: [*Error], [*TwoFactorError], [*LastOwnerError],
// [*PasswordPolicyError]. An error in which [Error.Field] is set comes from a check of
// the arguments.
//
// # What is repeated
//
// A call that does no harm twice is repeated, up to 4 attempts, when the connection
// breaks, the attempt times out or a gateway fails. A call that could do a thing twice,
// such as making a token, is not: its error is [ErrOutcomeUnknown], and the program
// decides. After a 429 every call is repeated, since the server had not begun with it.
// [RetryPolicy] has the whole table. [UsersService.Create] looks for the account when
// its answer is lost, and [UsersService.Ensure] can be run again and again.
//
// # Rate limits
//
// By default a server takes 10 calls in 60 s of each endpoint from one address. The
// client reads the limits from the answers and holds calls back until they may go. What
// is refused all the same, because others at the address call too, is repeated. A call
// waits as long as its context allows: [WithMaxWait] and [MaxWait] bound that,
// [Client.RateLimit] tells what is left, [WithGate] shares the knowledge, [WithThrottle]
// adds a limit of one's own.
//
// # Second factor
//
// Servers ask for a second factor before they change accounts or tokens: by default for
// the password. [WithTwoFactor] answers: with [AnswerWithPassword], [AskForCode], or a
// function that knows the code. The module github.com/rocketchat-go/rocketchat/totp
// computes the codes of authenticator apps.
//
// # Lists
//
// Methods called List answer with a [Page]. Those called All are iterators over
// everything:
//
//	for user, err := range client.Users.All(ctx, rocketchat.ListOptions{}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(user.Username)
//	}
//
// They take as few calls as the server allows, mostly one, yield nothing twice, and end
// with the first error.
//
// # Unknown JSON
//
// Types of answers have a field Extra that keeps the members which this version of the
// package does not know. They are tagged for the second version of encoding/json, which
// is github.com/go-json-experiment/json until Go 1.27 has it: with it, what was decoded
// is encoded again as it came. The first version takes Extra for an ordinary field: it
// encodes a member named "Extra" with the unknown ones in it, decodes without them, and
// does not read some of the forms in which servers write [PasswordService] and
// [FeaturePreviews]. [RawAnswer] gives the body itself.
//
// # Server versions
//
// The package is written for servers 6.14 to 8.8. Methods of newer endpoints say since
// when; on an older server they fail with [ErrEndpointUnknown], and the error names the
// version that is needed. [ServerService.Info] tells the server's.
//
// # Testing
//
// Package [github.com/rocketchat-go/rocketchat/rocketchattest] is a server in memory
// with users, limits, second factors, mails and faults. It is an [http.RoundTripper]:
//
//	server := rocketchattest.New()
//	userID, token := server.Login("admin")
//	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server),
//		rocketchat.WithToken(userID, rocketchat.NewSecret(token)))
//
// # Units
//
// Spans are [time.Duration], moments [Time] or [time.Time]. Numbers of the server keep
// the server's unit: UTCOffset is in hours, with fractions; IdleTimeLimit in seconds;
// volumes go from 0 to 100; an avatar's size is in pixels.
package rocketchat
