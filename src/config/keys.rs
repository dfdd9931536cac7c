//! The one table of all keys: what each is called, holds and does, and what it is when left out.
//!
//! The reader takes defaults and suggestions from it, `docs/reference/config.md` is printed from it.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    HostName,
    /// An IP address.
    Address,
    /// An IP address, with a port where it is not the usual one.
    Server,
    Servers,
    Listen,
    Duration,
    /// A file or folder that is made when needed.
    Path,
    /// A folder that is read if it is there.
    Folder,
    /// A file that must be readable.
    File,
    /// A file that must be readable, and by nobody else.
    SecretFile,
    /// A program and its arguments.
    Program,
    Texts,
    Word(&'static [&'static str]),
    Url,
    Window,
    /// A time zone's name.
    Zone,
    /// A time on the wall clock.
    ClockTime,
    /// Windows with a start of their own.
    Windows,
    /// On which days a recurring window opens.
    Days,
    /// A day or a time, as a freeze has them.
    Moment,
    /// Hours and minutes, or `off`.
    TimeOfDay,
    Trust,
    /// Addresses by node.
    NodeAddresses,
    /// A host name by node.
    NodeNames,
    /// A whole number from 1.
    Count,
    Flag,
}

impl Kind {
    /// What messages and the reference call it.
    pub fn expected(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::HostName => "a host name".into(),
            Self::Address => "an IP address such as \"192.0.2.10\"".into(),
            Self::Server => "an IP address with an optional port such as \"192.0.2.53:53\"".into(),
            Self::Servers => "a list of IP addresses with optional ports such as [\"192.0.2.53:53\"]".into(),
            Self::Listen => "an IP address with a port such as \"127.0.0.1:8470\"".into(),
            Self::Duration => "a duration such as \"10min\"".into(),
            Self::Path => "a path".into(),
            Self::Folder => "a path of a folder".into(),
            Self::File | Self::SecretFile => "a path of a file".into(),
            Self::Program => "a list with a program and its arguments such as [\"/opt/pair/ctl\", \"a\"]".into(),
            Self::Texts => "a list of texts".into(),
            Self::Word(words) => {
                format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
            }
            Self::Url => "a URL".into(),
            Self::Count => "a whole number from 1".into(),
            Self::Flag => "true or false".into(),
            Self::Window => "a window such as \"2026-11-22T02:00[Europe/Berlin] +4h\" or \"next\"".into(),
            Self::Zone => "a time zone such as \"Europe/Berlin\"".into(),
            Self::ClockTime => "a time such as \"02:00\"".into(),
            Self::Windows => "a list of windows such as [\"2026-11-22T02:00[Europe/Berlin] +4h\"]".into(),
            Self::Days => "a list of days such as [\"sunday\"], [\"first sunday\"] or [\"15\"]".into(),
            Self::TimeOfDay => "a time of day such as \"03:00\", or \"off\"".into(),
            Self::Moment => "a day or time such as \"2026-12-20\" or \"2026-12-20T18:00\"".into(),
            Self::NodeAddresses => {
                "addresses of both nodes such as { a = [\"192.0.2.10\", \"2001:db8::10\"], b = [\"192.0.2.20\", \"2001:db8::20\"] }"
                    .into()
            }
            Self::NodeNames => "names of both nodes such as { a = \"a.example.com\", b = \"b.example.com\" }".into(),
            Self::Trust => "\"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }".into(),
        }
    }
}

/// What holds when a key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    /// Nothing; the description says what that means.
    Optional,
    /// This value, as it would be written (without quotes; a list has one entry).
    Default(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table's name, see [`TABLES`].
    pub table: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// Only for these drivers; empty for all.
    pub drivers: &'static [&'static str],
    pub about: &'static str,
}

/// A table of a file, or a list of tables.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Our name for it; site files' begin with `site`.
    pub name: &'static str,
    /// How it is headed in the file; empty at the top level.
    pub header: &'static str,
    /// The tables that may stand in it.
    pub children: &'static [&'static str],
    pub about: &'static str,
}

pub const NODE_DRIVERS: &[&str] = &["exec", "beyondtrust"];
pub const TRAFFIC_DRIVERS: &[&str] = &["rfc2136", "exec", "manual", "shared-ip"];
pub const LOG_FORMATS: &[&str] = &["human", "json"];
pub const EDITIONS: &[&str] = &["auto", "xml", "v2"];
pub const HANDS: &[&str] = &["operator", "console"];
pub const PRODUCTS: &[&str] = &["remote-support", "privileged-remote-access"];
pub const WHEN_WINDOW_ENDS: &[&str] = &["hold", "home"];
pub const ON_SOAK_FAILURE: &[&str] = &["restart", "alert"];
pub const TSIG_ALGORITHMS: &[&str] = &["hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// The events that hooks can be asked for.
pub const ALERT_EVENTS: &[&str] = &crate::domain::alert::NAMES;

pub const CONSOLE: &str = "site.node.console";
/// The table whose keys are those of [`crate::domain::labels::TABLE`].
pub const LABELS: &str = "site.node.console.labels";

/// Tables whose keys are action names.
pub const EXPECTED: &str = "site.policy.expected";
pub const LIMITS: &str = "site.policy.limits";

pub const REHEARSAL: &str = "site.policy.rehearsal";
/// The table whose keys are gates' names.
pub const GATES: &str = "site.policy.gates";
/// The table whose keys are users.
pub const PEOPLE: &str = "people";
/// The top level of an appliance's file that has no pair.
pub const SINGLE: &str = "single";
pub const SINGLE_BACKUP: &str = "single.backup";
pub const ON_EXPIRY: &[&str] = &["hold", "home"];

#[rustfmt::skip]
pub const TABLES: &[Table] = &[
    Table { name: "main", header: "", children: &["api", "log", "accounts", "backups", "alerts", "exports", "people", "freezes"], about: "The daemon's own folders." },
    Table { name: "api", header: "[api]", children: &[], about: "Where commands reach the daemon." },
    Table { name: "log", header: "[log]", children: &[], about: "What the daemon writes to standard error." },
    Table { name: "accounts", header: "[accounts]", children: &[], about: "What this daemon may use of each API account's rate, over all nodes and sites that name the account. See [access](../concepts/access.md)." },
    Table { name: "backups", header: "[backups]", children: &[], about: "How long backups are kept; see [backups](../concepts/backup.md). Those of a run that is not finished, of a site's latest finished run, and the newest good one of each node are never deleted." },
    Table { name: "alerts", header: "[alerts]", children: &["webhook", "program"], about: "" },
    Table { name: "alerts.webhook", header: "[[alerts.webhook]]", children: &[], about: "Alerts sent to a URL, signed as in the Standard Webhooks specification." },
    Table { name: "alerts.program", header: "[[alerts.program]]", children: &[], about: "Alerts handed to a program: the event's name as its last argument, the document on its standard input." },
    Table { name: "exports", header: "[exports]", children: &["program"], about: "" },
    Table { name: "exports.program", header: "[[exports.program]]", children: &[], about: "Places off this host: each program gets the journal export and the by-hand sheet at the break, at the switch and at a window's end." },
    Table { name: PEOPLE, header: "[people]", children: &[], about: "" },
    Table { name: "people.person", header: "[people.op1]", children: &[], about: "A person, by the user name of the operating system that the kernel vouches for at the socket. Without any such table whoever reaches the socket may say everything; with one, nobody else may say anything." },
    Table { name: "freezes", header: "[[freezes]]", children: &[], about: "A time in which nothing is done, at any site; in a site's file: at that site. `from` and `to`, or `calendar_file`." },
    Table { name: "site", header: "", children: &["nodes", "traffic", "policy", "windows", "freezes"], about: "The site itself." },
    Table { name: "site.nodes", header: "[nodes]", children: &["a", "b"], about: "" },
    Table { name: "site.node", header: "[nodes.a]", children: &["second", "console"], about: "One appliance; `[nodes.b]` likewise. `a` and `b` are fixed names and say nothing about roles." },
    Table { name: "site.node.second", header: "[nodes.a.second]", children: &[], about: "A second set of credentials, only for `beyondtrust`: tried once where the first is refused, as after a sync that has overwritten the account. See [access](../concepts/access.md)." },
    Table { name: CONSOLE, header: "[nodes.a.console]", children: &["labels"], about: "The accounts with which the daemon uses the vendor's pages, for `hands = \"console\"`; `[nodes.b.console]` likewise. See [hands at the console](../concepts/console.md)." },
    Table { name: LABELS, header: "[nodes.a.console.labels]", children: &[], about: "The words on the vendor's pages, where they are neither the English nor the German ones that the daemon knows; each stands instead of those." },
    Table { name: "site.traffic", header: "[[traffic]]", children: &[], about: "One way in which users are led to the serving node: a zone, a view, a translated or shared address. A switch is proven only when every entry agrees." },
    Table { name: "site.policy", header: "[policy]", children: &["expected", "limits", "gates", "waivers", "rehearsal"], about: "The site's own limits." },
    Table { name: EXPECTED, header: "[policy.expected]", children: &[], about: "" },
    Table { name: LIMITS, header: "[policy.limits]", children: &[], about: "" },
    Table { name: GATES, header: "[policy.gates]", children: &[], about: "" },
    Table { name: "site.policy.gate", header: "[policy.gates.production]", children: &[], about: "Who may answer this gate, and what becomes of it if nobody does; each gate of [the gates](../concepts/gates.md) likewise. A run keeps what held when it was started." },
    Table { name: "site.policy.waivers", header: "[policy.waivers]", children: &[], about: "The roles that may set a promise aside for one step. Where people are configured, a list that is left out means nobody." },
    Table { name: REHEARSAL, header: "[policy.rehearsal]", children: &[], about: "Asks for a rehearsal: failover is broken and nodes are updated only along a path that was gone on another site and released by a person. Without this table none is asked for." },
    Table { name: SINGLE, header: "", children: &["node", "backup"], about: "An appliance without a pair, for `changeover single FILE`; see [a single appliance](../guides/single-appliance.md). Its table `[node]` has the keys of `[nodes.a]`, with `driver = \"beyondtrust\"` and `hands = \"console\"`, and tables `[node.second]`, `[node.console]` and `[node.console.labels]` likewise." },
    Table { name: SINGLE_BACKUP, header: "[backup]", children: &[], about: "Where each update's backup is kept; the single appliance's file only." },
    Table { name: "site.windows", header: "[windows]", children: &["recurring"], about: "The usual windows. `--first`, `--second` and `--responsible` override what a plan takes from here." },
    Table { name: "site.windows.recurring", header: "[[windows.recurring]]", children: &[], about: "A window that comes again; `next` and `next NAME` choose among these and the fixed ones." },
    Table { name: "site.freezes", header: "[[freezes]]", children: &[], about: "As in `changeover.toml`, for this site alone." },
];

const fn key(table: &'static str, name: &'static str, kind: Kind, need: Need, about: &'static str) -> Key {
    Key { table, name, kind, need, drivers: &[], about }
}

const fn node(drivers: &'static [&'static str], name: &'static str, kind: Kind, need: Need, about: &'static str) -> Key {
    Key { table: "site.node", name, kind, need, drivers, about }
}

const fn traffic(drivers: &'static [&'static str], name: &'static str, kind: Kind, need: Need, about: &'static str) -> Key {
    Key { table: "site.traffic", name, kind, need, drivers, about }
}

use Need::{Default, Optional, Required};

#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("main", "state", Kind::Path, Default("../state"), "Where the daemon keeps its store, packages, backups and reports."),
    key("main", "sites", Kind::Folder, Default("sites.d"), "Folder with one `.toml` file a site; other names and hidden files are not read."),
    key("main", "procedures", Kind::Folder, Default("procedures"), "Folder with your own procedures, beside the built-in ones: `.toml` files, hidden ones are not read. Each has a name of its own; one with a built-in's takes its place."),

    key("api", "socket", Kind::Path, Default("../state/changeover.sock"), "Unix socket for the commands, mode 0660; a path of at most 107 bytes."),
    key("api", "listen", Kind::Listen, Optional, "Address for HTTP over TCP, loopback only; off unless set."),

    key("log", "format", Kind::Word(LOG_FORMATS), Default("human"), "Lines for people, or one JSON object a line."),
    key("log", "filter", Kind::Text, Default("info"), "Level, or directives such as `info,changeover::drivers=debug`."),

    key("accounts", "calls_per_second", Kind::Count, Default("10"), "Calls in any second, up to 20: the vendor's limit, of which half is left for others."),
    key("accounts", "calls_per_hour", Kind::Count, Default("7500"), "Calls in any hour, up to 15000, likewise. Long reports slow down before it is used up."),

    key("backups", "keep", Kind::Count, Default("5"), "The backups of so many finished runs of a site are kept, the newest ones."),
    key("backups", "keep_for", Kind::Duration, Default("90d"), "For so long after its end a run's backups are kept, however many runs there were since."),

    key("alerts.webhook", "name", Kind::Text, Required, "The hook's name in journal and messages; unique among all hooks."),
    key("alerts.webhook", "url", Kind::Url, Required, "`https://…`; `http://` only to a loopback address."),
    key("alerts.webhook", "secret_file", Kind::SecretFile, Required, "File with the signing secret, `whsec_<base64>`."),
    key("alerts.webhook", "events", Kind::Texts, Default("*"), "Alerts to send, by name; `*` for all."),
    key("alerts.webhook", "timeout", Kind::Duration, Default("10s"), "How long one delivery may take."),

    key("alerts.program", "name", Kind::Text, Required, "The hook's name in journal and messages; unique among all hooks."),
    key("alerts.program", "program", Kind::Program, Required, "The program and its arguments; a bare name is looked up in `PATH`."),
    key("alerts.program", "events", Kind::Texts, Default("*"), "Alerts to hand over, by name; `*` for all."),
    key("alerts.program", "timeout", Kind::Duration, Default("10s"), "How long one delivery may take; then the program is ended."),

    key("exports.program", "name", Kind::Text, Required, "The place's name in journal and messages; unique among all hooks."),
    key("exports.program", "program", Kind::Program, Required, "The program and its arguments; a bare name is looked up in `PATH`."),
    key("exports.program", "timeout", Kind::Duration, Default("1min"), "How long one delivery may take; then the program is ended."),

    key("people.person", "name", Kind::Text, Required, "What people call them, in messages and reports."),
    key("people.person", "roles", Kind::Texts, Optional, "What they may be asked for; any words that the site files use. None: they may say only what asks for no role."),
    key("freezes", "name", Kind::Text, Required, "What people call it, in refusals and lists."),
    key("freezes", "owner", Kind::Text, Required, "Who answers for it and may lift it, by taking it out of the file."),
    key("freezes", "from", Kind::Moment, Optional, "The first day, or the time from which on."),
    key("freezes", "to", Kind::Moment, Optional, "The last day, frozen as a whole; or the time up to which."),
    key("freezes", "calendar_file", Kind::File, Optional, "iCalendar file; each of its events is such a time. Read when the daemon starts."),
    key("freezes", "zone", Kind::Zone, Optional, "Whose days and times these are, where they don't say it themselves; each site's own unless given."),

    key("site", "name", Kind::Text, Required, "The site's name; equals the file's name without `.toml`."),
    key("site", "service", Kind::HostName, Required, "The host name that users and clients use."),
    key("site", "procedure", Kind::Text, Optional, "The procedure used when a plan names none; without it `--procedure` is needed."),

    key("site", "zone", Kind::Zone, Default("UTC"), "The site's time zone: its recurring windows and freezes are in it, and every time is shown in it too."),

    node(&[], "driver", Kind::Word(NODE_DRIVERS), Required, "How the node is reached."),
    node(&[], "identity", Kind::Text, Required, "What every answer of this box must carry: for `beyondtrust` its GUID, for `exec` what `observe` answers."),
    node(&[], "address", Kind::Address, Required, "The node's own address: where the service's name points while this node serves."),
    node(&["exec"], "program", Kind::Program, Required, "The program and its arguments; the verb is appended. A bare name is looked up in `PATH`."),
    node(&["beyondtrust"], "url", Kind::Url, Required, "`https://` and the node's own name or address, never the service's."),
    node(&["beyondtrust"], "client_id", Kind::Text, Optional, "The API account's client id; required unless `username` is given."),
    node(&["beyondtrust"], "client_secret_file", Kind::SecretFile, Optional, "File with the API account's client secret; required with `client_id`."),
    node(&["beyondtrust"], "username", Kind::Text, Optional, "In the place of `client_id`, for releases before 16.1 and for sites that log in so since then: a user who may use the command and reporting API. See [the appliance](../concepts/appliance.md)."),
    node(&["beyondtrust"], "password_file", Kind::SecretFile, Optional, "File with that user's password; required with `username`."),
    node(&["beyondtrust"], "api", Kind::Word(EDITIONS), Default("auto"), "Which editions of the command API are asked: XML and, where the box offers it, JSON v2, which must agree (`auto`); or only one of them. See [the appliance](../concepts/appliance.md)."),
    node(&["beyondtrust"], "backup_password_file", Kind::SecretFile, Optional, "File with the password that each backup of this node is protected with; without it none is."),
    node(&["beyondtrust"], "hands", Kind::Word(HANDS), Default("operator"), "Who performs what the appliance has no interface for: a person, told exactly what to do; or the daemon at the vendor's pages, and a person where they show anything unexpected."),
    node(&["beyondtrust"], "tls", Kind::Trust, Required, "Whose certificates are believed: the system's roots, your own CA, or pins `sha256/<base64 of the SPKI hash>`."),
    node(&["beyondtrust"], "product", Kind::Word(PRODUCTS), Default("remote-support"), "Which product the box runs: by it the reports of its sessions are named."),
    node(&["beyondtrust"], "recordings", Kind::Flag, Default("true"), "Whether an [extraction](../concepts/extraction.md) fetches the sessions' recordings too; `false` where they are kept elsewhere, or are too many for the act's limit."),

    key("site.node.second", "client_id", Kind::Text, Optional, "The second API account's client id; another one than the first. Required unless `username` is given."),
    key("site.node.second", "client_secret_file", Kind::SecretFile, Optional, "File with the second API account's client secret."),
    key("site.node.second", "username", Kind::Text, Optional, "In its place a user's name, as in `[nodes.a]`."),
    key("site.node.second", "password_file", Kind::SecretFile, Optional, "File with that user's password."),

    key(CONSOLE, "username", Kind::Text, Required, "The user for site administration (`/login`)."),
    key(CONSOLE, "password_file", Kind::SecretFile, Required, "File with that user's password."),
    key(CONSOLE, "appliance_username", Kind::Text, Optional, "The user for the box's administration (`/appliance`); the same unless given."),
    key(CONSOLE, "appliance_password_file", Kind::SecretFile, Optional, "File with that user's password; the same unless given."),

    key(LABELS, "username_field", Kind::Text, Optional, "Field of the login forms."),
    key(LABELS, "password_field", Kind::Text, Optional, "Field of the login forms."),
    key(LABELS, "log_in", Kind::Text, Optional, "Button of the login forms."),
    key(LABELS, "management", Kind::Text, Optional, "Link in `/login`."),
    key(LABELS, "failover", Kind::Text, Optional, "Link in `/login`, by way of `management` where it isn't on the first page."),
    key(LABELS, "sync_now", Kind::Text, Optional, "Button on the failover page."),
    key(LABELS, "break_failover", Kind::Text, Optional, "Button on the failover page."),
    key(LABELS, "peer_host", Kind::Text, Optional, "Field of the form that establishes failover: the other box's name or address."),
    key(LABELS, "peer_port", Kind::Text, Optional, "Field of that form: the other box's TLS port."),
    key(LABELS, "reverse_host", Kind::Text, Optional, "Field of that form: by what the other box reaches this one."),
    key(LABELS, "establish", Kind::Text, Optional, "Button of that form."),
    key(LABELS, "updates", Kind::Text, Optional, "Link in `/appliance`."),
    key(LABELS, "update_file", Kind::Text, Optional, "Field for the package."),
    key(LABELS, "update_software", Kind::Text, Optional, "Button that uploads it."),
    key(LABELS, "install", Kind::Text, Optional, "Button that installs an uploaded or listed package."),
    key(LABELS, "installing", Kind::Text, Optional, "Text of the update page while a package is being installed."),
    key(LABELS, "check_for_updates", Kind::Text, Optional, "Button that lets an appliance without a pair look for updates."),
    key(LABELS, "available_after", Kind::Text, Optional, "Text beside a listed package that can be installed only after another one."),
    key(LABELS, "no_updates", Kind::Text, Optional, "Text of the update page when nothing is offered."),
    key(LABELS, "confirm", Kind::Text, Optional, "Button of a page that asks whether an act is meant."),
    key(LABELS, "second_factor", Kind::Text, Optional, "Text of a page that asks for a second factor."),
    key(LABELS, "single_sign_on", Kind::Text, Optional, "Text of a page for single sign-on."),
    key(LABELS, "maintenance", Kind::Text, Optional, "Text of a page that says that the box is being maintained."),
    key(LABELS, "error", Kind::Text, Optional, "Text that says that something went wrong."),

    traffic(&[], "driver", Kind::Word(TRAFFIC_DRIVERS), Required, "How traffic is moved: signed DNS updates, a program, a person who changes the record, or one who enables a shared address on the other box."),
    traffic(&["rfc2136"], "primary", Kind::Server, Required, "The server that takes updates, over TCP; port 53 unless given."),
    traffic(&["rfc2136", "manual"], "servers", Kind::Servers, Optional, "All authoritative servers; each is read back. Port 53 unless given. `rfc2136` without it: `primary` and every server that the zone's NS records at `primary` name, asked at the port of `primary`. `manual` needs it."),
    traffic(&["rfc2136", "manual"], "resolvers", Kind::Servers, Optional, "Recursive resolvers that are asked too: a switch waits until each has the new value, or its cache explains the old one. Port 53 unless given."),
    traffic(&["rfc2136"], "zone", Kind::HostName, Required, "The zone that holds the record."),
    traffic(&["rfc2136", "manual"], "record", Kind::HostName, Optional, "The record that is moved, A or AAAA by the nodes' addresses; the service's name unless given."),
    traffic(&["rfc2136", "manual"], "records", Kind::Texts, Optional, "More names that are moved with it, in the same change; all lead to the same place."),
    traffic(&["rfc2136", "manual"], "addresses", Kind::NodeAddresses, Optional, "Where the records lead while a node serves, if not to its `address`: for both nodes one IPv4 address, one IPv6 address, or one of each (A and AAAA move together)."),
    traffic(&["rfc2136", "manual"], "targets", Kind::NodeNames, Optional, "The records are aliases (CNAME) of these names of the nodes, and the alias is moved."),
    traffic(&["rfc2136"], "ttl", Kind::Duration, Optional, "The TTL that the record is expected to have, in whole seconds; a switch keeps the record's own."),
    traffic(&["rfc2136"], "tsig_name", Kind::Text, Required, "The TSIG key's name."),
    traffic(&["rfc2136"], "tsig_algorithm", Kind::Word(TSIG_ALGORITHMS), Default("hmac-sha256"), "The TSIG key's algorithm."),
    traffic(&["rfc2136"], "tsig_secret_file", Kind::SecretFile, Required, "File with the TSIG key's secret in base64."),
    traffic(&["exec"], "program", Kind::Program, Required, "The program and its arguments; the verb is appended. A bare name is looked up in `PATH`."),
    traffic(&["shared-ip"], "address", Kind::Address, Required, "The shared address: entered on both boxes, enabled on the one that serves. It is neither node's own."),

    key("site.policy", "max_sync_age", Kind::Duration, Default("10min"), "A data sync older than this proves nothing."),
    key("site.policy", "sync_ok_statuses", Kind::Texts, Default("success"), "The sync status texts that mean success; any other holds the run."),
    key("site.policy", "max_clock_skew", Kind::Duration, Default("60s"), "How far a node's clock may be from this machine's; at most one hour."),
    key("site.policy", "max_backup_age", Kind::Duration, Default("24h"), "How old the survivor's backup may be when failover is established."),
    key("site.policy", "least_backup_percent", Kind::Count, Default("50"), "A backup smaller than this part of the node's last one, in percent, holds the run until a person has looked at it."),
    key("site.policy", "max_check_age", Kind::Duration, Default("1h"), "How old the preflight's results may be when the first act of window one begins; older ones are renewed. Less than five minutes counts as five."),
    key("site.policy", "nightly_check", Kind::TimeOfDay, Default("03:00"), "When a run that waits or is held is checked, every day, in the site's zone; what has changed is told by `check_changed`. `off`: never."),
    key("site.policy", "drain_limit", Kind::Duration, Default("30min"), "How long a drain waits for users to leave."),
    key("site.policy", "after_drain_limit", Kind::Word(&crate::domain::site::AfterDrain::WORDS), Default("hold"), "What becomes of users and sessions that are there still then: the run is held, goes on and says how many it left, or has their sessions ended."),
    key("site.policy", "min_soak", Kind::Duration, Default("24h"), "The shortest time in production between the windows."),
    key("site.policy", "max_soak", Kind::Duration, Default("7d"), "After this long between the windows an alert goes out; it never leads on."),
    key("site.policy", "on_soak_failure", Kind::Word(ON_SOAK_FAILURE), Default("restart"), "When a condition that the soak watches fails: the soak's clock begins anew once it holds again, or it is only told."),
    key("site.policy", "max_unprotected", Kind::Duration, Default("14d"), "The budget of time without failover: alerts go out at 50 %, 80 % and 100 % of it."),
    key("site.policy", "max_silence", Kind::Duration, Default("5min"), "A node silent for this long outside its update raises `node_unreachable`; the serving node that takes no client for this long `not_serving`."),
    key("site.policy", "closing_notice", Kind::Duration, Default("30min"), "How long before the latest safe start of the next step `window_closing` goes out."),
    key("site.policy", "when_window_ends", Kind::Word(WHEN_WINDOW_ENDS), Default("hold"), "What the run does while failover is broken and what is left of its window is too short for the next step: it holds, or goes home by itself where the way there needs no update."),
    key("site.policy", "switch_ttl", Kind::Duration, Default("60s"), "What `lower_ttl` lowers the TTL of the service's name to, in whole seconds, before a switch; a name that has less is left. `restore_ttl` brings the old one back."),
    key("site.policy", "settings_look", Kind::Duration, Default("15min"), "How often settings are compared with those at the break while failover is broken, where the driver tells them."),

    key("site.policy.gate", "roles", Kind::Texts, Optional, "One of these roles may answer; everybody who may speak unless given."),
    key("site.policy.gate", "persons", Kind::Count, Default("1"), "So many different persons must accept; one who rejects is enough to hold the run."),
    key("site.policy.gate", "not_starter", Kind::Flag, Default("false"), "Whoever started the run may not answer."),
    key("site.policy.gate", "remind_after", Kind::Duration, Optional, "After so long `gate_waiting` goes out again, and each time it has passed once more."),
    key("site.policy.gate", "escalate_after", Kind::Duration, Optional, "After so long `gate_escalated` goes out, and the deputies may answer too."),
    key("site.policy.gate", "deputies", Kind::Texts, Optional, "The roles that may answer once the gate has been escalated."),
    key("site.policy.gate", "expires_after", Kind::Duration, Optional, "After so long nobody's answer leads on any more."),
    key("site.policy.gate", "on_expiry", Kind::Word(ON_EXPIRY), Default("hold"), "What an expired gate leads to: a hold, or the way home where there is one. It never leads on."),

    key("site.policy.waivers", "in_window", Kind::Texts, Optional, "Who may let one step begin outside its window, or when it no longer fits (R3)."),
    key("site.policy.waivers", "rehearsed", Kind::Texts, Optional, "Who may let one step go without a release of its rehearsal that counts (R11)."),
    key("site.policy.waivers", "min_soak", Kind::Texts, Optional, "Who may accept the version before the shortest soak is over (R10)."),

    key(REHEARSAL, "site", Kind::Text, Required, "The site on which a run must have succeeded; another one of this configuration."),
    key(REHEARSAL, "valid_for", Kind::Duration, Default("30d"), "How long a release counts, from the moment it was given."),
    key(REHEARSAL, "roles", Kind::Texts, Optional, "One of these roles may release; without it everybody who may speak at all."),

    key("site.windows", "first", Kind::Window, Optional, "The first window: a start and a length of elapsed time; or `next`, `next NAME`."),
    key("site.windows", "second", Kind::Window, Optional, "The second window; not before the end of the first. Or `next`, `next NAME`."),
    key("site.windows", "responsible", Kind::Text, Optional, "User who is responsible for window two, one of `[people]` where there are any; whoever starts the run unless given."),
    key("site.windows", "fixed", Kind::Windows, Optional, "Windows that `next` may choose, each a start and a length."),

    key("site.windows.recurring", "name", Kind::Text, Required, "What people call it; unique in the site."),
    key("site.windows.recurring", "on", Kind::Days, Required, "On which days it opens, any of them: `daily`, `sunday`, `first sunday` to `fourth sunday`, `last sunday`, `1` to `31`, `last` (of the month)."),
    key("site.windows.recurring", "from", Kind::ClockTime, Required, "When it opens, on the wall clock."),
    key("site.windows.recurring", "to", Kind::ClockTime, Required, "When it closes; not after `from`: on the next day."),
    key("site.windows.recurring", "zone", Kind::Zone, Optional, "The wall clock's zone; the site's unless given."),

    key("site.freezes", "name", Kind::Text, Required, "What people call it, in refusals and lists."),
    key("site.freezes", "owner", Kind::Text, Required, "Who answers for it and may lift it, by taking it out of the file."),
    key("site.freezes", "from", Kind::Moment, Optional, "The first day, or the time from which on."),
    key("site.freezes", "to", Kind::Moment, Optional, "The last day, frozen as a whole; or the time up to which."),
    key("site.freezes", "calendar_file", Kind::File, Optional, "iCalendar file; each of its events is such a time. Read when the daemon starts."),
    key("site.freezes", "zone", Kind::Zone, Optional, "Whose days and times these are, where they don't say it themselves; the site's unless given."),

    key(SINGLE, "service", Kind::HostName, Required, "The host name that users and clients use."),
    key(SINGLE_BACKUP, "folder", Kind::Path, Required, "The folder; it is made when needed. Nothing in it is ever deleted by us."),
];

/// The table of this name.
pub(super) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// The row of a key.
pub(super) fn find(table: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.table == table && key.name == name)
}

/// The keys that may stand in a table; with a driver known, only that driver's.
pub(super) fn allowed(table: &str, driver: Option<&str>) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table && key.serves(driver))
}

impl Key {
    fn serves(&self, driver: Option<&str>) -> bool {
        self.drivers.is_empty() || driver.is_none_or(|driver| self.drivers.contains(&driver))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_its_key() {
        let keys: Vec<_> = allowed(LABELS, None).map(|key| key.name).collect();
        assert_eq!(keys, crate::domain::labels::TABLE.map(|row| row.name));
    }

    #[test]
    fn every_key_stands_in_a_table_once() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(table(key.table).is_some(), "{}.{}", key.table, key.name);
            // Reading looks a key up by table and name, so two drivers share a row or agree on everything.
            let twin = KEYS[at + 1..].iter().find(|other| (other.table, other.name) == (key.table, key.name));
            assert!(twin.is_none_or(|twin| (twin.kind, twin.need) == (key.kind, key.need)), "{}.{}", key.table, key.name);
        }
    }
}
