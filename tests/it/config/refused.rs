//! What is refused, and with which words: tables of one place changed in a good file, and what only several files can get wrong.

use super::{BEYONDTRUST, MAIN, SITE, changed, load_files};

/// One place of a good site file changed, and what is then said, word by word.
const BAD_SITES: &[(&str, &str, &str)] = &[
    ("ttl =", "tll =", "sites.d/support.toml:19: unknown key `tll` in `[traffic]`; did you mean `ttl`?"),
    ("[policy]", "[polcy]", "sites.d/support.toml:25: unknown table `[polcy]`; did you mean `policy`?"),
    ("[policy]", "[policy]\ncolour = 1", "sites.d/support.toml:26: unknown key `colour` in `[policy]`"),
    (
        "zone =",
        "min_soak = \"1h\"\nzone =",
        "sites.d/support.toml:18: unknown key `min_soak` in `[traffic]`; it belongs in `[policy]`",
    ),
    ("[nodes.b]", "[nodes.c]\n[nodes.b]", "sites.d/support.toml:9: unknown table `[nodes.c]`"),
    (
        "[policy]",
        "[policy]\nprocedure = \"x\"",
        "sites.d/support.toml:26: unknown key `procedure` in `[policy]`; it belongs at the top level, above the first table",
    ),
    (
        "identity = \"appliance-a\"",
        "identity = \"appliance-a\"\nurl = \"https://a\"",
        "sites.d/support.toml:8: key `url` in `[nodes.a]` belongs to driver `beyondtrust`; the driver here is `exec`",
    ),
    (
        "tsig_secret_file = \"../secrets/tsig.b64\"",
        "tsig_secret = \"aHVudGVyMg==\"\ntsig_secret_file = \"x\"",
        "sites.d/support.toml:21: `tsig_secret` in `[traffic]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `tsig_secret_file`",
    ),
    (
        "ttl =",
        "password = \"hunter2\"\nttl =",
        "sites.d/support.toml:19: `password` in `[traffic]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `tsig_secret_file`",
    ),
    (
        "[policy]",
        "[policy]\ntoken = \"hunter2\"",
        "sites.d/support.toml:26: `token` in `[policy]` would keep a secret in this file, and secrets are given only by path: \
         none is needed here",
    ),
    (
        "ttl = \"60s\"",
        "ttl = 60",
        "sites.d/support.toml:19: `ttl` in `[traffic]` is an integer; expected a duration such as \"10min\"",
    ),
    ("ttl = \"60s\"", "ttl = \"1.5s\"", "sites.d/support.toml:19: `ttl` in `[traffic]`: `1.5s` is not a whole number of seconds"),
    (
        "\"1w\"",
        "\"10 apples\"",
        "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `10 apples` is not a duration; expected a number with a unit, \
         as in `90s`, `10min`, `4h`, `2d` or `1w`",
    ),
    ("\"1w\"", "\"-1h\"", "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `-1h` is not longer than zero"),
    ("\"1w\"", "\"9999d\"", "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `9999d` is more than 366 days"),
    (
        "max_unprotected = \"1w\"",
        "sync_ok_statuses = []",
        "sites.d/support.toml:26: `sync_ok_statuses` in `[policy]` is empty; expected a list of texts",
    ),
    (
        "update = \"1h\"",
        "updat = \"1h\"",
        "sites.d/support.toml:28: `updat` in `[policy.expected]` is not an action; did you mean `update`?",
    ),
    (
        "update = \"1h\"",
        "update = 1",
        "sites.d/support.toml:28: `update` in `[policy.expected]` is an integer; expected a duration such as \"10min\"",
    ),
    (
        "update = \"3h\"",
        "update = \"30min\"",
        "sites.d/support.toml:30: `update` in `[policy.limits]` is shorter than the expected duration (line 28)",
    ),
    ("\"192.0.2.10\"", "\"192.0.2.300\"", "sites.d/support.toml:8: `address` in `[nodes.a]`: `192.0.2.300` is not an IP address"),
    ("\"192.0.2.10\"", "\"0.0.0.0\"", "sites.d/support.toml:8: `address` in `[nodes.a]`: `0.0.0.0` is no node's address"),
    (
        "\"192.0.2.10\"",
        "\"support.example.com\"",
        "sites.d/support.toml:8: `address` in `[nodes.a]`: `support.example.com` is not an IP address; a name could lead to the other node",
    ),
    ("\"192.0.2.20\"", "\"192.0.2.10\"", "sites.d/support.toml:13: node `b` has the address 192.0.2.10 of node `a` (line 8)"),
    (
        "\"192.0.2.20\"",
        "\"2001:db8::20\"",
        "sites.d/support.toml:13: node `b` has 2001:db8::20 and node `a` 192.0.2.10 (line 8); one record cannot hold either",
    ),
    (
        "\"appliance-b\"",
        "\"Appliance-A\"",
        "sites.d/support.toml:12: identity `Appliance-A` already belongs to node `a` of site `support` (sites.d/support.toml:7)",
    ),
    ("identity = \"appliance-a\"\n", "", "sites.d/support.toml:4: missing key `identity` in `[nodes.a]`: a text"),
    ("\"appliance-a\"", "\"\"", "sites.d/support.toml:7: `identity` in `[nodes.a]`: must not be empty"),
    (
        "\"appliance-a\"",
        "\"a\\nb\"",
        "sites.d/support.toml:7: `identity` in `[nodes.a]`: must be one line without control characters",
    ),
    (
        "program = [\"/opt/pair/ctl\", \"a\"]\n",
        "",
        "sites.d/support.toml:4: missing key `program` in `[nodes.a]`: a list with a program and its arguments such as [\"/opt/pair/ctl\", \"a\"]",
    ),
    (
        "[\"/opt/pair/ctl\", \"a\"]",
        "\"/opt/pair/ctl a\"",
        "sites.d/support.toml:6: `program` in `[nodes.a]` is a text; expected a list with a program and its arguments such as [\"/opt/pair/ctl\", \"a\"]",
    ),
    (
        "driver = \"exec\"\nprogram = [\"/opt",
        "driver = \"exce\"\nprogram = [\"/opt",
        "sites.d/support.toml:5: `driver` in `[nodes.a]`: `exce` is not one of \"exec\", \"beyondtrust\"; did you mean `exec`?",
    ),
    (
        "name = \"support\"",
        "name = \"suport\"",
        "sites.d/support.toml:1: `name` at the top level: `suport` is not the file's name; expected `support`",
    ),
    ("name = \"support\"\n", "", "sites.d/support.toml:1: missing key `name` at the top level: a text"),
    (
        "\"Support.example.com.\"",
        "\"192.0.2.1\"",
        "sites.d/support.toml:2: `service` at the top level: `192.0.2.1` is an address; expected a host name",
    ),
    (
        "zone = \"example.com\"",
        "zone = \"example.org\"",
        "sites.d/support.toml:18: record `support.example.com` is not in zone `example.org` (line 18)",
    ),
    (
        "\"192.0.2.53:53\",",
        "\"192.0.2.53:99999\",",
        "sites.d/support.toml:17: `servers` in `[traffic]`: `192.0.2.53:99999` is not an IP address with an optional port, as in `192.0.2.53:53` or `[2001:db8::53]:53`",
    ),
    (
        "ttl =",
        "records = [\"www.example.com\", \"Support.example.com\"]\nttl =",
        "sites.d/support.toml:19: `records` in `[traffic]` names `support.example.com`, which is moved already",
    ),
    (
        "ttl =",
        "records = [\"www.example.net\"]\nttl =",
        "sites.d/support.toml:19: record `www.example.net` is not in zone `example.com` (line 18)",
    ),
    (
        "ttl =",
        "addresses = { a = [\"192.0.2.10\", \"2001:db8::10\"], b = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: expected for both nodes one IPv4 address, one IPv6 address, or one of each",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", b = \"192.0.2.10\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: both nodes have 192.0.2.10",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", b = \"b.example.com\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: `b.example.com` is not an IP address; a name could lead to the other node",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", c = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]` is not what was expected: addresses of both nodes such as { a = [\"192.0.2.10\", \"2001:db8::10\"], b = [\"192.0.2.20\", \"2001:db8::20\"] }",
    ),
    (
        "ttl =",
        "targets = \"a.example.com\"\nttl =",
        "sites.d/support.toml:19: `targets` in `[traffic]` is a text; expected names of both nodes such as { a = \"a.example.com\", b = \"b.example.com\" }",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\" }\nttl =",
        "sites.d/support.toml:19: `targets` in `[traffic]`: expected one name for each node, and not the same",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\", b = \"support.example.com\" }\nttl =",
        "sites.d/support.toml:14: record `support.example.com` can't be an alias: it is the zone's own name or a node's",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\", b = \"b.example.com\" }\naddresses = { a = \"192.0.2.10\", b = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` and `targets` in `[traffic]` exclude each other: a name has addresses, or is an alias",
    ),
    (
        "ttl =",
        "resolvers = [\"192.0.2.1\", \"192.0.2.1:53\"]\nttl =",
        "sites.d/support.toml:19: `resolvers` in `[traffic]` names 192.0.2.1:53 twice",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"manual\"",
        "sites.d/support.toml:22: missing key `servers` in `[traffic]`: a list of IP addresses with optional ports such as [\"192.0.2.53:53\"]",
    ),
    ("\"[2001:db8::54]:5353\"", "\"192.0.2.53\"", "sites.d/support.toml:17: `servers` in `[traffic]` names 192.0.2.53:53 twice"),
    (
        "2026-11-26",
        "2026-11-22",
        "sites.d/support.toml:33: `second` in `[windows]` begins at 2026-11-22T01:00:00Z, before the first window ends at 2026-11-22T05:00:00Z",
    ),
    (
        "2026-11-22T02:00",
        "2026-03-29T02:30",
        "sites.d/support.toml:32: `first` in `[windows]`: `2026-03-29T02:30[Europe/Berlin]` does not exist, the clocks are put forward over it; \
         write `2026-03-29T01:30:00+01:00` or `2026-03-29T03:30:00+02:00`",
    ),
    (
        "\"2026-11-22T02:00[Europe/Berlin] +4h\"",
        "2026-11-22T02:00:00Z",
        "sites.d/support.toml:32: `first` in `[windows]` is a date or time without quotes; expected a window such as \"2026-11-22T02:00[Europe/Berlin] +4h\" or \"next\"",
    ),
    ("[[traffic]]\ndriver = \"rfc", "[traffic]\ndriver = \"rfc", "sites.d/support.toml:22: not TOML: duplicate key"),
    (
        "name = \"support\"",
        "name = support",
        "sites.d/support.toml:1: not TOML: string values must be quoted, expected literal string",
    ),
    ("[nodes.b]", "[x]", "sites.d/support.toml:4: missing table `[nodes.b]`\nsites.d/support.toml:9: unknown table `[x]`"),
    (
        "[nodes.a]",
        "[nodes.a.b]",
        "sites.d/support.toml:4: missing key `address` in `[nodes.a]`: an IP address such as \"192.0.2.10\"\nsites.d/support.toml:4: missing key `driver` in `[nodes.a]`: one of \"exec\", \"beyondtrust\"\nsites.d/support.toml:4: missing key `identity` in `[nodes.a]`: a text\nsites.d/support.toml:4: unknown table `[nodes.a.b]`",
    ),
    (
        "[[traffic]]\ndriver = \"exec\"",
        "[[traffic]]",
        "sites.d/support.toml:22: missing key `driver` in `[traffic]`: one of \"rfc2136\", \"exec\", \"manual\", \"shared-ip\"",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"shared-ip\"\naddress = \"192.0.2.20\"",
        "sites.d/support.toml:22: the shared address 192.0.2.20 is the own address of node `b`; give the one that both boxes have",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"shared-ip\"\naddress = \"192.0.2.30\"\n[[traffic]]\ndriver = \"shared-ip\"\naddress = \"192.0.2.30\"",
        "sites.d/support.toml:25: shared address 192.0.2.30 is already moved by the entry in line 22",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"rfc2136\"\nprimary = \"192.0.2.53:53\"\nservers = [\"192.0.2.53\"]\nzone = \"com\"\ntsig_name = \"changeover.\"\ntsig_secret_file = \"x\"\ntsig_algorithm = \"hmac-sha512\"",
        "sites.d/support.toml:22: record `support.example.com` at 192.0.2.53:53 with key `changeover` is already moved by the entry in line 14",
    ),
    (
        "ttl =",
        "tsig_algorithm = \"hmac-md5\"\nttl =",
        "sites.d/support.toml:19: `tsig_algorithm` in `[traffic]`: `hmac-md5` is not one of \"hmac-sha256\", \"hmac-sha384\", \"hmac-sha512\"",
    ),
    (
        "primary =",
        "primry =",
        "sites.d/support.toml:14: missing key `primary` in `[traffic]`: an IP address with an optional port such as \"192.0.2.53:53\"\nsites.d/support.toml:16: unknown key `primry` in `[traffic]`; did you mean `primary`?",
    ),
    (
        "[policy]",
        "policy = 3\n[x]",
        "sites.d/support.toml:25: unknown key `policy` in `[traffic]`; it is a table of its own, `[policy]`\nsites.d/support.toml:26: unknown table `[x]`",
    ),
    (
        "name = \"support\"",
        "name = \"support\"\ntraffic = [1]",
        "sites.d/support.toml:15: not TOML: duplicate key\nsites.d/support.toml:23: not TOML: duplicate key",
    ),
    (
        "name = \"support\"",
        "name = \"support\"\n= 3\nfoo",
        "sites.d/support.toml:2: not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`\nsites.d/support.toml:3: not TOML: key with no value, expected `=`",
    ),
    ("\"1w\"", "\"1w", "sites.d/support.toml:26: not TOML: invalid basic string, expected `\"`"),
];

/// The same for the BeyondTrust driver.
const BAD_BEYONDTRUST: &[(&str, &str, &str)] = &[
    (
        "https://localhost:8444",
        "https://vienna.example.net",
        "sites.d/vienna.toml:15: the URL of node `b` leads through the service's name `vienna.example.net`, to whichever node serves; \
         give the node's own name or address",
    ),
    (
        "https://localhost:8444",
        "https://127.0.1.1:8443/",
        "sites.d/vienna.toml:15: node `b` has the URL of node `a`\nsites.d/vienna.toml:15: the URL of node `b` leads to the address of node `a`",
    ),
    (
        "https://localhost:8444",
        "http://localhost:8444",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: has the scheme `http`; expected `https`",
    ),
    (
        "https://localhost:8444",
        "https://me:hunter2@box",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: holds a user name or password; secrets are given only by path",
    ),
    (
        "https://localhost:8444",
        "https://box/login",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: has a path or query; expected `https://` and a host, with a port where it is not 443",
    ),
    ("hands = \"operator\"", "hands = \"console\"", "sites.d/vienna.toml:11: missing table `[nodes.b.console]`"),
    (
        "hands = \"operator\"",
        "hands = \"console\"\nconsole = { username = \"u\", password = \"hunter2\", appliance_username = \"x\", labels = { sync = \"S\" } }",
        "sites.d/vienna.toml:19: `password` in `[nodes.b.console]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `password_file`\n\
         sites.d/vienna.toml:19: missing key `password_file` in `[nodes.b.console]`: a path of a file\n\
         sites.d/vienna.toml:19: unknown key `sync` in `[nodes.b.console.labels]`",
    ),
    (
        "hands = \"operator\"",
        "hands = \"console\"\nconsole = { username = \"u\", password_file = \"p\", appliance_username = \"x\" }",
        "sites.d/vienna.toml:19: `appliance_username` and `appliance_password_file` in `[nodes.b.console]` belong together",
    ),
    (
        "hands = \"operator\"",
        "hands = \"operator\"\nconsole = { username = \"u\", password_file = \"p\" }",
        "sites.d/vienna.toml:19: `[nodes.b.console]` is used only with `driver = \"beyondtrust\"` and `hands = \"console\"`; take it out, or set both",
    ),
    (
        "hands = \"operator\"",
        "hands = \"consol\"",
        "sites.d/vienna.toml:18: `hands` in `[nodes.b]`: `consol` is not one of \"operator\", \"console\"; did you mean `console`?",
    ),
    (
        "hands = \"operator\"",
        "client_secret = \"hunter2\"",
        "sites.d/vienna.toml:18: `client_secret` in `[nodes.b]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `client_secret_file`",
    ),
    (
        "hands = \"operator\"",
        "secret = \"hunter2\"",
        "sites.d/vienna.toml:18: `secret` in `[nodes.b]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `client_secret_file`",
    ),
    (
        "tls = { ca_file = \"../ca.pem\" }",
        "",
        "sites.d/vienna.toml:11: missing key `tls` in `[nodes.b]`: \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "\"none\"",
        "sites.d/vienna.toml:19: `tls` in `[nodes.b]`: `none` is not \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "{ ca_file = \"x\", pins = [] }",
        "sites.d/vienna.toml:19: `tls` in `[nodes.b]` holds `ca_file`, `pins`; expected exactly one of `ca_file`, `pins`",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "{ pins = [] }",
        "sites.d/vienna.toml:19: `pins` of `tls` in `[nodes.b]` is an empty list; expected \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "AAAAAAAAAA=\"]",
        "AAAAAAAAA==\"]",
        "sites.d/vienna.toml:10: `tls` in `[nodes.a]`: `sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==` holds 31 bytes; a SHA-256 has 32",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "hands",
        "sites.d/vienna.toml:11: missing key `client_id` in `[nodes.b]`: a text\nsites.d/vienna.toml:11: missing key `client_secret_file` in `[nodes.b]`: a path of a file",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "username = \"anna\"\nhands",
        "sites.d/vienna.toml:11: missing key `password_file` in `[nodes.b]`: a path of a file",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nusername = \"anna\"\nhands",
        "sites.d/vienna.toml:18: `username` in `[nodes.b]` stands beside `client_id`; expected an API account, or a user's name and password",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "api = \"v3\"\nclient_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "sites.d/vienna.toml:16: `api` in `[nodes.b]`: `v3` is not one of \"auto\", \"xml\", \"v2\"; did you mean `v2`?",
    ),
    (
        "service = \"vienna.example.net\"",
        "service = \"vienna.example.net\"\nprocedure = 7",
        "sites.d/vienna.toml:3: `procedure` at the top level is an integer; expected a text",
    ),
];

/// The same for the main file.
const BAD_MAIN: &[(&str, &str, &str)] = &[
    (
        "[api]",
        "[api]\nsocket = \"/var/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"",
        "changeover.toml:3: `socket` in `[api]`: /var/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 has 109 bytes; a socket's path has at most 107",
    ),
    ("state =", "stat =", "changeover.toml:1: unknown key `stat` at the top level; did you mean `state`?"),
    ("[api]", "socket = \"x\"\n[api]", "changeover.toml:2: unknown key `socket` at the top level; it belongs in `[api]`"),
    ("127.0.0.1:8470", "0.0.0.0:8470", "changeover.toml:3: `listen` in `[api]`: `0.0.0.0:8470` is not a loopback address"),
    ("\"json\"", "\"xml\"", "changeover.toml:5: `format` in `[log]`: `xml` is not one of \"human\", \"json\""),
    (
        "https://ops",
        "http://ops",
        "changeover.toml:9: `url` in `[alerts.webhook]`: is `http` to another machine; expected `https`, as only a loopback address is reached unencrypted",
    ),
    ("https://ops", "htps://ops", "changeover.toml:9: `url` in `[alerts.webhook]`: has the scheme `htps`; expected `https`"),
    (
        "secret_file =",
        "secret =",
        "changeover.toml:7: missing key `secret_file` in `[alerts.webhook]`: a path of a file\nchangeover.toml:10: `secret` in `[alerts.webhook]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `secret_file`",
    ),
    ("\"held\"", "\"hold\"", "changeover.toml:11: `events` in `[alerts.webhook]`: `hold` is not an alert; did you mean `held`?"),
    ("\"pager\"", "\"ops\"", "changeover.toml:13: hook name `ops` is already used in line 8; hook names are unique"),
    ("\"vault\"", "\"ops\"", "changeover.toml:17: hook name `ops` is already used in line 8; hook names are unique"),
    ("[[alerts.program]]", "[[alerts.email]]", "changeover.toml:12: unknown key `email` in `[alerts]`"),
    (
        "[[exports.program]]",
        "[exports.program]",
        "changeover.toml:16: `exports.program` is a table; expected the table `[[exports.program]]`",
    ),
    ("timeout = \"3s\"", "timeout = \"0s\"", "changeover.toml:15: `timeout` in `[alerts.program]`: `0s` is not longer than zero"),
];

fn check_table(name: &str, text: &str, table: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (from, to, expected) in table {
        let text = changed(text, from, to);
        let files = if name == "changeover.toml" {
            vec![(name, text.as_str())]
        } else {
            vec![("changeover.toml", ""), (name, text.as_str())]
        };
        let found = load_files(&files).expect_err(expected);
        if found != *expected {
            wrong.push(format!("{from} -> {to}\n  expected {expected}\n  found    {found}"));
        }
        assert!(!found.contains("hunter2") && !found.contains("aHVudGVyMg"), "{found}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_site_file_is_refused_with_file_line_and_what_to_do() {
    check_table("sites.d/support.toml", SITE, BAD_SITES);
}

#[test]
fn a_bad_beyondtrust_node_is_refused() {
    check_table("sites.d/vienna.toml", BEYONDTRUST, BAD_BEYONDTRUST);
}

#[test]
fn a_bad_main_file_is_refused() {
    check_table("changeover.toml", MAIN, BAD_MAIN);
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let main = changed(MAIN, "\"json\"", "\"xml\"");
    let site = changed(&changed(SITE, "ttl =", "tll ="), "192.0.2.20", "x y");
    let vienna = changed(BEYONDTRUST, "service =", "service ");
    let found =
        load_files(&[("changeover.toml", &main), ("sites.d/support.toml", &site), ("sites.d/vienna.toml", &vienna)]).unwrap_err();
    let places: Vec<&str> = found.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = ["changeover.toml:5", "sites.d/support.toml:13", "sites.d/support.toml:19", "sites.d/vienna.toml:2"];
    assert_eq!(places, expected, "{found}");
}

#[test]
fn r12_an_identity_a_service_and_a_record_belong_to_one_site() {
    let other = changed(SITE, "name = \"support\"", "name = \"other\"");
    let found =
        load_files(&[("changeover.toml", ""), ("sites.d/other.toml", &other), ("sites.d/support.toml", SITE)]).unwrap_err();
    let expected = "\
sites.d/support.toml:2: service `support.example.com` already belongs to site `other` (sites.d/other.toml:2)
sites.d/support.toml:7: identity `appliance-a` already belongs to node `a` of site `other` (sites.d/other.toml:7)
sites.d/support.toml:12: identity `appliance-b` already belongs to node `b` of site `other` (sites.d/other.toml:12)
sites.d/support.toml:14: record `support.example.com` at 192.0.2.53:53 with key `changeover` is already moved by site `other` (sites.d/other.toml:14)";
    assert_eq!(found, expected);
}

#[test]
fn no_site_is_called_like_a_run_of_another() {
    let named = |name: &str, text: &str| changed(text, "name = \"vienna\"", &format!("name = \"{name}\""));
    let eu = changed(SITE, "name = \"support\"", "name = \"eu\"");
    let files = [("changeover.toml", ""), ("sites.d/eu.toml", eu.as_str()), ("sites.d/eu-1.toml", &named("eu-1", BEYONDTRUST))];
    let found = load_files(&files).unwrap_err();
    assert_eq!(found, "sites.d/eu-1.toml:1: site name `eu-1` reads like run 1 of site `eu`; choose another");
    assert!(load_files(&[files[0], files[2]]).is_ok());
}
