//! Our zone against the real `nsupdate` and `dig`, and against broken input.

use std::net::IpAddr;
use std::time::Duration;

use changeover::simulator::zone::{Zone, ZoneError, ZoneHandle, ZoneKey, ZoneOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::name_servers::{KEY, SECRET, dig, nsupdate};

use super::lab::{OTHER, RECORD, TTL, ZONE, four, ip, six, zone_options};

/// Runs `nsupdate` beside the zone, which is served on this test's runtime.
async fn update(zone: &ZoneHandle, lines: &'static str, key: Option<String>) -> (bool, String) {
    let script = format!("server {} {}\nzone {ZONE}\n{lines}\nsend\n", zone.address.ip(), zone.address.port());
    tokio::task::spawn_blocking(move || nsupdate(&script, key.as_deref())).await.unwrap()
}

async fn ask(zone: &ZoneHandle, arguments: &'static [&'static str]) -> String {
    let server = zone.address;
    tokio::task::spawn_blocking(move || dig(server, arguments)).await.unwrap()
}

fn key(name: &str, algorithm: &str, secret: &str) -> Option<String> {
    Some(format!("{algorithm}:{name}:{secret}"))
}

#[tokio::test]
async fn updates_as_rfc_2136_says() {
    let b = "update delete support.example.com A\nupdate add support.example.com 60 A 192.0.2.20";
    let swap = Box::leak(format!("prereq yxrrset support.example.com A 192.0.2.10\n{b}").into_boxed_str());
    let stale = Box::leak(format!("prereq yxrrset support.example.com A 192.0.2.99\n{b}").into_boxed_str());
    let both = Box::leak(
        format!("prereq yxrrset support.example.com A 192.0.2.10\nprereq yxrrset support.example.com A 192.0.2.20\n{b}")
            .into_boxed_str(),
    );
    let (at_a, at_b) = (vec![four().a, six().a], vec![four().b, six().a]);
    // What is sent, what nsupdate says, what stands then, by how much the serial moved.
    let cases: [(&'static str, &str, Vec<IpAddr>, u32); 18] = [
        (swap, "", at_b.clone(), 1),
        (stale, "NXRRSET", at_a.clone(), 0),
        (both, "NXRRSET", at_a.clone(), 0),
        ("prereq yxrrset support.example.com A\nupdate delete support.example.com AAAA", "", vec![four().a], 1),
        ("prereq nxrrset support.example.com A\nupdate delete support.example.com AAAA", "YXRRSET", at_a.clone(), 0),
        ("prereq nxrrset support.example.com TXT\nupdate delete support.example.com A", "", vec![six().a], 1),
        ("prereq yxdomain support.example.com\nupdate delete support.example.com", "", vec![], 1),
        ("prereq nxdomain support.example.com\nupdate delete support.example.com", "YXDOMAIN", at_a.clone(), 0),
        ("prereq yxdomain nothing.example.com\nupdate delete support.example.com", "NXDOMAIN", at_a.clone(), 0),
        ("prereq yxdomain www.example.net\nupdate delete support.example.com", "NOTZONE", at_a.clone(), 0),
        ("update delete support.example.com A 192.0.2.10", "", vec![six().a], 1),
        ("update delete support.example.com A 192.0.2.99", "", at_a.clone(), 0),
        ("update add support.example.com 123 A 192.0.2.10", "", at_a.clone(), 0),
        ("update add support.example.com 60 A 192.0.2.10", "", at_a.clone(), 1),
        ("update add support.example.com 60 TXT \"text\"", "REFUSED", at_a.clone(), 0),
        ("update add other.example.com 60 A 192.0.2.20", "REFUSED", at_a.clone(), 0),
        ("update delete example.com NS", "REFUSED", at_a.clone(), 0),
        ("update add support.example.com 60 A 192.0.2.20\nupdate add other.example.com 60 A 192.0.2.20", "REFUSED", at_a, 0),
    ];
    for (script, word, stands, moved) in cases {
        let zone = Zone::start(zone_options(7)).await.unwrap();
        let (ok, said) = update(&zone, script, key(KEY, "hmac-sha256", SECRET)).await;
        assert_eq!((ok, said.is_empty()), (word.is_empty(), word.is_empty()), "{script}\n{said}");
        assert!(said.contains(word), "{script}\n{said}");
        assert_eq!((zone.addresses_of(RECORD), zone.serial()), (stands, 7 + moved), "{script}");
        assert_eq!(zone.addresses_of(OTHER), [four().a], "{script}");
        zone.shutdown().await;
    }
}

#[tokio::test]
async fn only_the_key_opens_the_zone() {
    let swap = "update delete support.example.com A\nupdate add support.example.com 60 A 192.0.2.20";
    let other = "b3RoZXItc2VjcmV0LW9mLTMyLW9jdGV0cy1vci1tb3JlLi4=";
    for algorithm in ["hmac-sha256", "hmac-sha384", "hmac-sha512"] {
        let cases = [
            (None, "REFUSED"),
            (key("nobody", algorithm, SECRET), "BADKEY"),
            (key(KEY, "hmac-sha224", SECRET), "BADKEY"),
            (key(KEY, algorithm, other), "BADSIG"),
            (key(KEY, algorithm, SECRET), ""),
        ];
        let options = zone_options(1);
        let key = ZoneKey { algorithm: algorithm.into(), ..options.key };
        let zone = Zone::start(ZoneOptions { key, ..options }).await.unwrap();
        for (key, word) in cases {
            let (ok, said) = update(&zone, swap, key.clone()).await;
            assert_eq!(ok, word.is_empty(), "{algorithm} {key:?}: {said}");
            assert!(said.contains(word), "{algorithm} {key:?}: {said}");
            assert_eq!(zone.serial(), if ok { 2 } else { 1 });
        }
    }
}

#[tokio::test]
async fn queries_as_dig_shows_them() {
    let zone = Zone::start(zone_options(7)).await.unwrap();
    let cases: [(&'static [&'static str], &[&str]); 14] = [
        (&["support.example.com", "A"], &["NOERROR", " aa ", "support.example.com.\t123\tIN\tA\t192.0.2.10", "EDNS: version: 0"]),
        (&["+tcp", "SUPPORT.Example.COM", "AAAA"], &["NOERROR", " aa ", "2001:db8::10"]),
        (&["+noedns", "example.com", "SOA"], &["NOERROR", "ns1.example.com. hostmaster.example.com. 7 3600"]),
        (&["example.com", "NS"], &["NOERROR", "IN\tNS\tns1.example.com."]),
        (&["ns1.example.com", "A"], &["NOERROR", "127.0.1.53"]),
        (&["support.example.com", "TXT"], &["NOERROR", "ANSWER: 0, AUTHORITY: 1", "IN\tSOA"]),
        (&["nothing.example.com", "A"], &["NXDOMAIN", " aa ", "AUTHORITY: 1"]),
        (&["+tcp", "support.example.com", "ANY"], &["NOERROR", "192.0.2.10", "2001:db8::10"]),
        (&["www.example.net", "A"], &["REFUSED"]),
        (&["-c", "CH", "support.example.com", "A"], &["REFUSED"]),
        (&["example.com", "AXFR"], &["Transfer failed"]),
        (&["+edns=1", "+noednsneg", "support.example.com", "A"], &["BADVERS"]),
        (&["+opcode=notify", "support.example.com", "A"], &["NOTIMP"]),
        (
            &["-yhmac-sha256:changeover:Y2hhbmdlb3Zlci10ZXN0LXNlY3JldC0zMi1vY3RldHM=", "support.example.com", "A"],
            &["NOERROR", "192.0.2.10", "TSIG\thmac-sha256."],
        ),
    ];
    for (arguments, words) in cases {
        let said = ask(&zone, arguments).await;
        words.iter().for_each(|word| assert!(said.contains(word), "{arguments:?}: `{word}` is not in\n{said}"));
        assert!(!said.contains("verify failure"), "{said}");
    }
}

/// More addresses than a datagram holds: cut over UDP, whole over TCP.
#[tokio::test]
async fn large_answers_go_over_tcp() {
    let mut options = zone_options(1);
    for last in 1..=200 {
        options = options.with("many.example.com", ip(&format!("198.51.100.{last}")), TTL);
    }
    let zone = Zone::start(options).await.unwrap();
    assert!(ask(&zone, &["+ignore", "many.example.com", "A"]).await.contains(" tc"));
    assert!(ask(&zone, &["many.example.com", "A"]).await.contains("ANSWER: 200"));
}

/// Whatever comes in, the zone goes on serving.
#[tokio::test]
async fn broken_input_harms_nobody() {
    let zone = Zone::start(zone_options(1)).await.unwrap();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..500 {
        let length = random.usize(..600);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        socket.send_to(&noise, zone.address).await.unwrap();
    }
    for bytes in [&[0, 5, 1, 2][..], &[0xff, 0xff], &[0, 0], &[0, 12, 0, 1, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let mut stream = TcpStream::connect(zone.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(9), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{bytes:?}: the connection stays open");
    }
    assert!(ask(&zone, &["support.example.com", "A"]).await.contains("192.0.2.10"), "after noise of seed {seed}");
}

#[tokio::test]
async fn a_connection_too_many_is_closed() {
    let zone = Zone::start(zone_options(1)).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(TcpStream::connect(zone.address).await.unwrap());
    }
    let mut last = TcpStream::connect(zone.address).await.unwrap();
    let read = timeout(Duration::from_secs(9), last.read(&mut [0])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    drop(open);
}

#[tokio::test]
async fn wrong_options_are_refused() {
    let key = |algorithm: &str, secret: &str| ZoneKey {
        name: KEY.into(),
        algorithm: algorithm.into(),
        secret: secret.to_owned().into(),
    };
    let good = || key("hmac-sha256", SECRET);
    let cases = [
        (ZoneOptions::new("example..com", good()), "`example..com` is not a domain name"),
        (ZoneOptions::new(ZONE, key("hmac-md5", SECRET)), "expected hmac-sha256"),
        (ZoneOptions::new(ZONE, key("hmac-sha256", "?")), "not base64"),
        (ZoneOptions::new(ZONE, good()).with("www.example.net", four().a, TTL), "outside the zone"),
    ];
    for (options, word) in cases {
        let error = Zone::start(options).await.err().map(|error: ZoneError| error.to_string()).unwrap_or_default();
        assert!(error.contains(word), "`{word}` is not in `{error}`");
    }
}
