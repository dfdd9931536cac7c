//! What texts mean: durations, addresses, names, URLs, pins. Each error completes a sentence that names the key.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use url::{Host, Url};

use super::settings::is_loopback;
use crate::domain::window::choose::Wanted;
use crate::domain::window::{self, Window};

/// The port of DNS.
const DNS_PORT: u16 = 53;

pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    window::parse_duration(text).map_err(|error| error.to_string())
}

/// A TTL in whole seconds; RFC 2181 §8 allows 31 bits, and a year stays below.
pub(super) fn ttl(text: &str) -> Result<u32, String> {
    let duration = duration(text)?;
    let secs = u32::try_from(duration.as_secs()).map_err(|_| format!("`{text}` is too long"))?;
    if duration.subsec_nanos() == 0 { Ok(secs) } else { Err(format!("`{text}` is not a whole number of seconds")) }
}

/// A TTL to which others are lowered: at least a second, since an answer that nobody may keep is asked for at every connection.
pub(super) fn lowest_ttl(text: &str) -> Result<SignedDuration, String> {
    match ttl(text)? {
        0 => Err(format!("`{text}` lets nobody keep an answer, expected at least 1s")),
        secs => Ok(SignedDuration::from_secs(i64::from(secs))),
    }
}

/// `off` is no time.
pub(super) fn time_of_day(text: &str) -> Result<Option<jiff::civil::Time>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("`{text}` is neither a time of day such as `03:00` nor `off`"))
}

pub(super) fn window_text(text: &str) -> Result<String, String> {
    // Only the form is checked here; `now` and `next` are put in when a plan is made.
    Wanted::parse(text, jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// A window with a start of its own.
pub(super) fn fixed_window(text: &str) -> Result<Window, String> {
    if text.trim_start().starts_with("now") {
        return Err(format!("`{text}` has no start of its own; expected one as in `2026-11-22T02:00[Europe/Berlin] +4h`"));
    }
    Window::parse(text, jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
}

pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    let zone = TimeZone::get(text.trim()).ok().filter(|zone| zone.iana_name().is_some());
    zone.ok_or_else(|| format!("`{text}` is not a known time zone; expected a name as in `Europe/Berlin`"))
}

/// A time on the wall clock, to the minute or second.
pub(super) fn clock_time(text: &str) -> Result<Time, String> {
    let plain = text.trim();
    let shape = plain.len() >= 5 && plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let time = plain.parse::<Time>().ok().filter(|_| shape);
    time.ok_or_else(|| format!("`{text}` is not a time of day; expected one as in `02:00`"))
}

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        let is_name = host_name(text).is_ok() && text.chars().any(char::is_alphabetic);
        let why = if is_name { "; a name could lead to the other node" } else { "" };
        format!("`{text}` is not an IP address{why}")
    })?;
    match address.to_canonical() {
        address if address.is_unspecified() || address.is_multicast() => Err(format!("`{text}` is no node's address")),
        address => Ok(address),
    }
}

pub(super) fn server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let server = match (text.parse(), bare.parse::<IpAddr>()) {
        (Ok(server), _) => server,
        (_, Ok(address)) => SocketAddr::new(address, DNS_PORT),
        _ => {
            return Err(format!(
                "`{text}` is not an IP address with an optional port, as in `192.0.2.53:53` or `[2001:db8::53]:53`"
            ));
        }
    };
    if server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast() {
        return Err(format!("`{text}` is no server's address"));
    }
    Ok(server)
}

/// Until HTTP over TCP knows who is calling, only this machine may call.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("`{text}` is not an IP address with a port, as in `127.0.0.1:8470`"))?;
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("`{text}` is not a loopback address")) }
}

/// A host name without its final dot, in lower case (RFC 1123 §2.1); underscores are taken, as DNS records and keys have them.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.parse::<IpAddr>().is_ok() {
        return Err(format!("`{text}` is an address; expected a host name"));
    }
    if name.len() <= 253 && name.split('.').all(label) { Ok(name) } else { Err(format!("`{text}` is not a host name")) }
}

/// A site's name: it stands in file names, run names (`support-7`) and URLs.
pub(super) fn site_name(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if begins && text.len() <= 63 && text.bytes().all(good) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is not a site's name; expected at most 63 letters, digits, `-`, `_` or `.`, a letter or digit first"
        ))
    }
}

/// An appliance's URL: `https`, a host, nothing else. The text is not repeated: it may hold a password.
pub(super) fn appliance_url(text: &str) -> Result<Url, String> {
    let url = plain_url(text)?;
    if url.scheme() != "https" {
        return Err(format!("has the scheme `{}`; expected `https`", url.scheme()));
    }
    if url.path() != "/" || url.query().is_some() {
        return Err("has a path or query; expected `https://` and a host, with a port where it is not 443".to_owned());
    }
    Ok(url)
}

/// A hook's URL: `https`, or `http` to this machine. The text is not repeated: it may hold a credential.
pub(super) fn hook_url(text: &str) -> Result<Url, String> {
    let url = plain_url(text)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => {
            Err("is `http` to another machine; expected `https`, as only a loopback address is reached unencrypted".to_owned())
        }
        other => Err(format!("has the scheme `{other}`; expected `https`")),
    }
}

/// The checks that the url crate leaves to us: it takes `htps:/x y`.
fn plain_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; secrets are given only by path".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("is a URL without a host".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment (`#…`), which is never sent".to_owned());
    }
    Ok(url)
}

/// Scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The host of a URL as the other keys would write it: without final dot, addresses in their own form.
pub(super) fn url_host(url: &Url) -> Option<Result<IpAddr, String>> {
    Some(match url.host()? {
        Host::Ipv4(address) => Ok(address.into()),
        Host::Ipv6(address) => Ok(IpAddr::from(address).to_canonical()),
        Host::Domain(name) => Err(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()),
    })
}

/// A pin, `sha256/` and the base64 of the 32 bytes of the SubjectPublicKeyInfo's hash.
pub(super) fn pin(text: &str) -> Result<[u8; 32], String> {
    let shape = || format!("`{text}` is not a pin; expected `sha256/` and the base64 of 32 bytes");
    let bytes = STANDARD.decode(text.strip_prefix("sha256/").ok_or_else(shape)?).map_err(|_| shape())?;
    bytes.try_into().map_err(|bytes: Vec<u8>| format!("`{text}` holds {} bytes; a SHA-256 has 32", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_an_optional_port() {
        let cases = [
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("192.0.2.53:5353", Some("192.0.2.53:5353")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]:54", Some("[2001:db8::53]:54")),
            ("192.0.2.53:0", None),
            ("0.0.0.0", None),
            ("ns1.example.com", None),
            ("[192.0.2.53", None),
        ];
        for (text, expected) in cases {
            assert_eq!(server(text).ok(), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn host_names_are_normalised() {
        let cases = [
            ("Support.Example.COM.", Some("support.example.com")),
            ("localhost", Some("localhost")),
            ("_acme.example.com", Some("_acme.example.com")),
            ("192.0.2.1", None),
            ("a..b", None),
            ("-a.example", None),
            ("a b", None),
            ("", None),
            (".", None),
        ];
        for (text, expected) in cases {
            assert_eq!(host_name(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn urls_are_checked_by_us() {
        for text in ["https://box.example.com", "https://192.0.2.10:8443/", "https://[2001:db8::1]"] {
            assert!(appliance_url(text).is_ok(), "{text}");
        }
        for text in [
            "http://box",
            "htps:/x y",
            "https:///",
            "https://u:hunter2@box/",
            "https://box/api",
            "https://box/?x",
            "box",
            "data:x",
        ] {
            let error = appliance_url(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for text in ["http://127.0.0.1:9000/x", "http://[::1]/", "http://localhost/", "https://hooks.example.com/T/B?x"] {
            assert!(hook_url(text).is_ok(), "{text}");
        }
        for text in ["http://192.0.2.1/", "http://localhost.example.com/", "ftp://127.0.0.1/", "https://u@h/"] {
            assert!(hook_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pins_have_32_bytes() {
        assert_eq!(pin(&format!("sha256/{}", STANDARD.encode([7; 32]))), Ok([7; 32]));
        for text in [STANDARD.encode([7; 32]), format!("sha256/{}", STANDARD.encode([7; 31])), "sha256/!".to_owned()] {
            assert!(pin(&text).is_err(), "{text}");
        }
    }
}
