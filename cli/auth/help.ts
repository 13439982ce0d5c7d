/**
 * The text of `stream help auth`: the file of users.
 *
 * @module
 */

/** An example of the file, with everything that may stand in it. */
const authExample =
  `# Who may come in, and what each may do. What is not allowed is denied, and a denial goes over all that allow.

[users.alice]
password = "$scrypt$ln=15,r=8,p=1$..."      # stream passwd
publish = ["ticks/#"]
subscribe = { allow = ["ticks/#", "news/+"], deny = ["ticks/secret"] }
limits = { connections = 10, subscriptions = 100, bytes = "10MB/s", messages = "1000/s", message = "64KiB" }

[users."sensor 1"]
tokens = ["sha256:..."]                     # stream passwd --token
publish = ["sensors/1/#"]

[users.gateway]                             # neither: known by the common name of its certificate (--tls-client-ca)
publish = ["sensors/#"]

[anonymous]                                 # who shows nothing, all of them together; without it they do not get in
subscribe = ["public/#"]

[limits]
user = { connections = 100 }                # of each user, where its own limits say nothing else
address = { connections = 50, messages = "10000/s" }
`;

/** The text of `stream help auth`. */
export const authHelp = `The file of users, stream serve --auth FILE (TOML):

${authExample.replace(/^(?=.)/gm, "  ")}
It is read again when it changes, and on SIGHUP; what is wrong in it is told with line and key, and what was before
stays. What is taken away takes effect on those who are in. Who publishes faster than allowed is slowed down, and loses
nothing. A lost connection is made again as the same user.

Clients say who they are with --token-file FILE, with STREAM_TOKEN, or in the server's URL: tls://USER:PASSWORD@HOST or
tls://TOKEN@HOST; with --cert and --key where the server asks for certificates.
`;
