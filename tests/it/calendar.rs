//! Calendars as people write them: zones, recurring and fixed windows and freezes in the config files, and calendar files.

use std::fs;
use std::sync::Arc;

use changeover::config::{ConfigErrors, Settings, load};
use changeover::domain::action;
use changeover::domain::window::calendar::{Calendar, Usual};
use jiff::Timestamp;

const SITE: &str = r#"
name = "support"
service = "support.example.com"
zone = "Europe/Berlin"
[nodes.a]
driver = "exec"
program = ["/opt/pair/ctl", "a"]
identity = "appliance-a"
address = "192.0.2.10"
[nodes.b]
driver = "exec"
program = ["/opt/pair/ctl", "b"]
identity = "appliance-b"
address = "192.0.2.20"
"#;

const ICS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\n";

fn load_files(main: &str, site: &str, ics: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    fs::write(folder.path().join("changeover.toml"), main).unwrap();
    fs::write(folder.path().join("sites.d/support.toml"), format!("{SITE}{site}")).unwrap();
    fs::write(folder.path().join("freezes.ics"), ics).unwrap();
    let prefix = format!("{}/", folder.path().display());
    let loaded = load(&folder.path().join("changeover.toml"), &action::names());
    loaded.map_err(|errors: ConfigErrors| errors.to_string().replace(&prefix, ""))
}

fn calendar(main: &str, site: &str, ics: &str) -> Calendar {
    let settings = load_files(main, site, ics).unwrap_or_else(|errors| panic!("{errors}"));
    settings.sites[0].site.calendar.clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn told(usual: &Usual) -> String {
    let frozen = usual.frozen.as_ref().map(|frozen| format!(" {}", frozen.name)).unwrap_or_default();
    let flags = if usual.flags.is_empty() { "" } else { " flagged" };
    format!("{} {} {}{flags}{frozen}", usual.name.as_deref().unwrap_or("-"), usual.window.from, usual.window.to)
}

/// An event with these lines; each day of its time is frozen for the site.
fn event(lines: &str) -> String {
    format!("{ICS}BEGIN:VEVENT\r\nUID:1@example.com\r\nDTSTAMP:20260101T000000Z\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
}

/// Every hour from two in the morning, in a zone that the file doesn't describe.
const HOURLY: &str = "DTSTART;TZID=Europe/Berlin:20261122T020000\r\nDURATION:PT1H\r\nRRULE:FREQ=HOURLY;COUNT=5";

const FROM_FILE: &str = "[[freezes]]\nname = \"holidays\"\nowner = \"owner1\"\ncalendar_file = \"freezes.ics\"\n";

/// What takes a window of a second out.
fn is_frozen(calendar: &Calendar, moment: &str) -> bool {
    let from = at(moment);
    let window = changeover::domain::window::Window { from, to: from + jiff::SignedDuration::from_secs(1), zone: None };
    calendar.frozen(&window).is_some()
}

#[test]
fn r3_windows_and_freezes_of_both_files() {
    let main = "[[freezes]]\nname = \"year-end\"\nowner = \"owner1\"\nfrom = \"2026-12-20\"\nto = \"2027-01-03\"\n";
    let site = r#"
[windows]
first = "next sundays"
second = "next"
responsible = "op1"
fixed = ["2026-12-17T02:00[Europe/Berlin] +3h"]
[[windows.recurring]]
name = "sundays"
on = ["sunday"]
from = "02:00"
to = "06:00"
[[windows.recurring]]
name = "new york"
on = ["last wednesday"]
from = "22:00"
to = "02:00"
zone = "America/New_York"
[[freezes]]
name = "audit"
owner = "owner2"
from = "2026-12-06T03:00"
to = "2026-12-06T03:01"
"#;
    let calendar = calendar(main, site, "");
    let usual: Vec<String> = calendar.upcoming(at("2026-11-23T00:00:00Z"), None).iter().take(9).map(told).collect();
    assert_eq!(
        usual,
        [
            "new york 2026-11-26T03:00:00Z 2026-11-26T07:00:00Z",
            "sundays 2026-11-29T01:00:00Z 2026-11-29T05:00:00Z",
            "sundays 2026-12-06T01:00:00Z 2026-12-06T05:00:00Z audit",
            "sundays 2026-12-13T01:00:00Z 2026-12-13T05:00:00Z",
            "- 2026-12-17T01:00:00Z 2026-12-17T04:00:00Z",
            "sundays 2026-12-20T01:00:00Z 2026-12-20T05:00:00Z year-end",
            "sundays 2026-12-27T01:00:00Z 2026-12-27T05:00:00Z year-end",
            "new york 2026-12-31T03:00:00Z 2026-12-31T07:00:00Z year-end",
            "sundays 2027-01-03T01:00:00Z 2027-01-03T05:00:00Z year-end",
        ]
    );
    let spring: Vec<String> = calendar.upcoming(at("2027-03-27T00:00:00Z"), Some("sundays")).iter().take(1).map(told).collect();
    assert_eq!(spring, ["sundays 2027-03-28T01:00:00Z 2027-03-28T04:00:00Z flagged"], "its begin is put forward over: at three");
    let window = &calendar.upcoming(at("2027-03-27T00:00:00Z"), Some("sundays"))[0].window;
    let expected = "loses 1h: the clocks of Europe/Berlin go forward within it, and it is 3h long";
    assert_eq!(calendar.flags(window), [expected], "as a plan asks that has taken it");
    let autumn: Vec<String> = calendar.upcoming(at("2026-10-24T00:00:00Z"), Some("sundays")).iter().take(1).map(told).collect();
    assert_eq!(autumn, ["sundays 2026-10-25T00:00:00Z 2026-10-25T05:00:00Z flagged"]);
}

/// A freeze of all sites counts in each site's own days, unless it names a zone.
#[test]
fn r3_a_freeze_of_days_is_in_the_sites_zone_or_its_own() {
    let main = "[[freezes]]\nname = \"f\"\nowner = \"owner1\"\nfrom = \"2026-12-20\"\nto = \"2026-12-20\"\n";
    let cases = [
        ("", "2026-12-19T23:00:00Z", "2026-12-20T23:00:00Z"),
        ("zone = \"UTC\"\n", "2026-12-20T00:00:00Z", "2026-12-21T00:00:00Z"),
    ];
    for (zone, begin, end) in cases {
        let calendar = calendar(&format!("{main}{zone}"), "", "");
        let second = jiff::SignedDuration::from_secs(1);
        let edges = [(at(begin) - second, false), (at(begin), true), (at(end) - second, true), (at(end), false)];
        for (moment, frozen) in edges {
            assert_eq!(is_frozen(&calendar, &moment.to_string()), frozen, "{zone} {moment}");
        }
    }
}

#[test]
fn events_of_every_kind_are_read() {
    // What the event says, a frozen second, and one that is free right after or before it.
    let cases = [
        ("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227", "2026-12-23T23:00:00Z", "2026-12-26T23:00:00Z"),
        ("DTSTART;VALUE=DATE:20261224", "2026-12-24T22:59:59Z", "2026-12-24T23:00:00Z"),
        ("DTSTART:20261224T120000Z\r\nDTEND:20261224T140000Z", "2026-12-24T12:00:00Z", "2026-12-24T14:00:00Z"),
        ("DTSTART:20261224T120000\r\nDURATION:PT90M", "2026-12-24T12:29:59Z", "2026-12-24T12:30:00Z"),
        ("DTSTART;TZID=America/New_York:20261224T120000\r\nDURATION:P1D", "2026-12-24T17:00:00Z", "2026-12-25T17:00:00Z"),
        // Three times; the second does not take place.
        (
            "DTSTART;VALUE=DATE:20261201\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;VALUE=DATE:20261208",
            "2026-12-15T12:00:00Z",
            "2026-12-08T12:00:00Z",
        ),
        ("DTSTART:20261224T120000Z\r\nDURATION:PT1H\r\nRDATE:20261226T120000Z", "2026-12-26T12:30:00Z", "2026-12-25T12:30:00Z"),
        ("DTSTART;VALUE=DATE:20261224\r\nRDATE;VALUE=DATE:20261226,20261228", "2026-12-28T12:00:00Z", "2026-12-27T12:00:00Z"),
        ("DTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=YEARLY", "2031-01-01T12:00:00Z", "2031-01-02T12:00:00Z"),
        (
            "DTSTART:20261224T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;UNTIL=20261226T100000Z",
            "2026-12-26T10:30:00Z",
            "2026-12-27T10:30:00Z",
        ),
        // What is taken out in the event's own zone, or from an all-day event by its day; and a last day that is written as a time.
        (&format!("{HOURLY}\r\nEXDATE;TZID=Europe/Berlin:20261122T030000"), "2026-11-22T01:30:00Z", "2026-11-22T02:30:00Z"),
        (
            "DTSTART;VALUE=DATE:20261201\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;TZID=Europe/Berlin:20261208T000000",
            "2026-12-15T12:00:00Z",
            "2026-12-08T12:00:00Z",
        ),
        (
            "DTSTART;VALUE=DATE:20261224\r\nRRULE:FREQ=DAILY;UNTIL=20261226T000000Z",
            "2026-12-26T12:00:00Z",
            "2026-12-27T12:00:00Z",
        ),
        ("DTSTART;VALUE=DATE:20261224\r\nRRULE:FREQ=DAILY;UNTIL=20261226", "2026-12-26T12:00:00Z", "2026-12-27T12:00:00Z"),
        ("DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY", "2028-02-29T12:00:00Z", "2027-02-28T12:00:00Z"),
        // The clocks change within the series: ten o'clock stays ten o'clock.
        (
            "DTSTART;TZID=Europe/Berlin:20260324T100000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=2",
            "2026-03-31T08:00:00Z",
            "2026-03-31T09:00:00Z",
        ),
    ];
    for (lines, frozen, free) in cases {
        let calendar = calendar(FROM_FILE, "", &event(lines));
        assert!(is_frozen(&calendar, frozen) && !is_frozen(&calendar, free), "{lines}: {frozen} {free}");
    }
}

/// What else stands in calendars: cancelled events, tasks, one date of a series moved, and zones with names of their own.
#[test]
fn what_real_calendars_have() {
    let cancelled = event("STATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20261224");
    assert!(!is_frozen(&calendar(FROM_FILE, "", &cancelled), "2026-12-24T12:00:00Z"));
    let task = format!("{ICS}BEGIN:VTODO\r\nUID:2\r\nDTSTART;VALUE=DATE:20261224\r\nEND:VTODO\r\nEND:VCALENDAR\r\n");
    assert!(!is_frozen(&calendar(FROM_FILE, "", &task), "2026-12-24T12:00:00Z"));
    let moved = format!(
        "{ICS}BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261201\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;VALUE=DATE:20261202\r\nDTSTART;VALUE=DATE:20261210\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let series = calendar(FROM_FILE, "", &moved);
    let days =
        ["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-10"].map(|day| is_frozen(&series, &format!("{day}T12:00:00Z")));
    assert_eq!(days, [true, false, true, true]);
    let own = format!(
        "{ICS}BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16011028T030000\r\n\
         RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\n\
         DTSTART:16010325T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\n\
         END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=W. Europe Standard Time:20260701T100000\r\nDURATION:PT1H\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    // What is taken out in UTC is told in the zone that the file describes.
    let series = "DURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEXDATE:20260702T080000Z\r\n";
    let taken_out = calendar(FROM_FILE, "", &own.replace("DURATION:PT1H\r\n", series));
    let days = ["2026-07-01", "2026-07-02", "2026-07-03"].map(|day| is_frozen(&taken_out, &format!("{day}T08:30:00Z")));
    assert_eq!(days, [true, false, true]);
    let own = calendar(FROM_FILE, "", &own);
    assert!(is_frozen(&own, "2026-07-01T08:00:00Z") && !is_frozen(&own, "2026-07-01T09:00:00Z"));
}

/// A freeze that can't be read is an error with its line, never one freeze fewer.
#[test]
fn a_calendar_that_cant_be_read_is_refused() {
    let deep = format!("{ICS}{}", "BEGIN:VTODO\r\n".repeat(100_000));
    let rdate = |line: &str| event(&format!("DTSTART:20261224T120000Z\r\nDURATION:PT1H\r\n{line}"));
    let hourly = |line: &str| event(&format!("{HOURLY}\r\n{line}"));
    // It stands beside its series, on line 11.
    let replaced = |id: &str, status: &str| {
        let other = format!("UID:1@example.com\r\nRECURRENCE-ID{id}\r\n{status}DTSTART:20261230T120000Z\r\nDURATION:PT1H\r\n");
        event(HOURLY).replace("END:VCALENDAR", &format!("BEGIN:VEVENT\r\n{other}END:VEVENT\r\nEND:VCALENDAR"))
    };
    let lone = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261224\r\nEND:VEVENT\r\n";
    let many = format!("{ICS}{}END:VCALENDAR\r\n", "BEGIN:VEVENT\r\nEND:VEVENT\r\n".repeat(10_001));
    let cases = [
        ("".to_owned(), "freezes.ics:1: is not an iCalendar file: there is no `BEGIN:VCALENDAR`"),
        ("nonsense".to_owned(), "freezes.ics:1: is not an iCalendar file: there is no `BEGIN:VCALENDAR`"),
        (format!("{ICS}BEGIN:VEVENT\r\n"), "is not an iCalendar file"),
        (deep, "nested deeper than 8 levels"),
        (many, "has 10001 events, more than 10000"),
        (event("SUMMARY:x"), "freezes.ics:4: the event has no `DTSTART` that can be read"),
        (event("DTSTART:tomorrow"), "freezes.ics:4: the event has no `DTSTART` that can be read"),
        (event("DTSTART:20261224T120000Z"), "freezes.ics:4: the event has neither `DTEND` nor `DURATION`"),
        (event("DTSTART:20261224T120000Z\r\nDTEND:20261224T110000Z"), "freezes.ics:4: the event ends before it begins"),
        (event("DTSTART:20261224T120000Z\r\nDURATION:soon"), "the event's `DURATION` can't be read"),
        (
            event("DTSTART;TZID=Europe/Berlin:20261224T120000\r\nDTEND;TZID=Europe/Paris:20261224T130000"),
            "`DTSTART` and `DTEND` are in different zones",
        ),
        (
            event("DTSTART;TZID=Middle-earth:20261224T120000\r\nDURATION:PT1H"),
            "the event's zone `Middle-earth` is neither a known one",
        ),
        (event("DTSTART;VALUE=DATE:20261224\r\nRRULE:FREQ=SOMETIMES"), "the event has an `RRULE` that can't be read"),
        (
            event("DTSTART;TZID=Europe/Berlin:20261224T100000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;UNTIL=20261226T090000Z"),
            "freezes.ics:4: the event's `RRULE` ends at a time in UTC, and its zone is not described in the file",
        ),
        (rdate("RDATE:20261224T110000Z,20261324T110000Z"), "freezes.ics:4: the event has an `RDATE` that can't be read"),
        (rdate("RDATE;VALUE=PERIOD:20261225T110000Z/PT9H"), "the event has an `RDATE` that can't be read"),
        (rdate("RDATE;TZID=Europe/Berlin:20261225T110000"), "the event has an `RDATE` that can't be read"),
        (event("DTSTART:20261224T120000Z\r\nDURATION:PT1M\r\nRRULE:FREQ=MINUTELY"), "has more than 100000 occurrences"),
        // An end that is a day, and the times of the series are times; or an end whose day nobody can tell.
        (
            event("DTSTART;TZID=Europe/Berlin:20261120T020000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;UNTIL=20261124"),
            "freezes.ics:4: the event's `RRULE` ends on a day, and the event begins at a time of day",
        ),
        (
            event("DTSTART;VALUE=DATE:20261224\r\nRRULE:FREQ=DAILY;UNTIL=20261225T230000Z"),
            "freezes.ics:4: the event's `RRULE` ends at a time in UTC",
        ),
        // What is taken out by another clock than the series', which would free another night.
        (
            hourly("EXDATE:20261122T030000Z"),
            "freezes.ics:4: the event has an `EXDATE` that can't be read: is it in the event's own zone",
        ),
        (hourly("EXDATE;TZID=Asia/Tokyo:20261122T030000"), "freezes.ics:4: the event has an `EXDATE` that can't be read"),
        (hourly("EXDATE:20261122T030000"), "freezes.ics:4: the event has an `EXDATE` that can't be read"),
        (rdate("EXDATE;TZID=Asia/Tokyo:20261224T120000"), "freezes.ics:4: the event has an `EXDATE` that can't be read"),
        (replaced(":20261122T030000Z", ""), "freezes.ics:4: a `RECURRENCE-ID` of the event's series can't be read"),
        (replaced(";TZID=Asia/Tokyo:20261122T030000", ""), "freezes.ics:4: a `RECURRENCE-ID` of the event's series"),
        (replaced(":20261122T030000Z", "STATUS:CANCELLED\r\n"), "freezes.ics:4: a `RECURRENCE-ID` of the event's series"),
        (
            replaced(";RANGE=THISANDFUTURE;TZID=Europe/Berlin:20261122T030000", ""),
            "freezes.ics:11: the event changes others of its series too (`RANGE`)",
        ),
        // An event that nobody reads.
        (
            format!("{ICS}BEGIN:VTODO\r\nUID:2\r\n{lone}END:VTODO\r\nEND:VCALENDAR\r\n"),
            "freezes.ics:6: the event stands in a `VTODO` and not directly in the calendar",
        ),
        (
            format!("{ICS}{}{lone}END:VEVENT\r\nEND:VCALENDAR\r\n", lone.replace("END:VEVENT\r\n", "")),
            "the event stands in a `VEVENT` and not directly",
        ),
        (format!("{ICS}END:VCALENDAR\r\n{lone}"), "freezes.ics:5: the event stands outside of every calendar"),
        (
            format!("{ICS}BEGIN:VTODO\r\nUID:2\r\n{}END:VTODO\r\nEND:VCALENDAR\r\n", lone.replacen("VEVENT", "VEV\r\n ENT", 1)),
            "freezes.ics:6: the event stands in a `VTODO`",
        ),
    ];
    for (ics, expected) in cases {
        let refused = load_files(FROM_FILE, "", &ics).unwrap_err();
        assert!(refused.contains(expected), "{expected}\n{refused}");
    }
}

/// A rule that never comes true ends, too.
#[test]
fn a_rule_without_occurrences_is_read() {
    let calendar = calendar(FROM_FILE, "", &event("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"));
    assert!(is_frozen(&calendar, "2026-01-01T12:00:00Z") && !is_frozen(&calendar, "2027-03-02T12:00:00Z"));
}

#[test]
fn slips_in_the_files_are_told_with_their_line() {
    let recurring = "[[windows.recurring]]\nname = \"n\"\non = [\"sunday\"]\nfrom = \"02:00\"\nto = \"06:00\"\n";
    let freeze = "[[freezes]]\nname = \"f\"\nowner = \"owner1\"\n";
    let line = 1 + SITE.lines().count();
    let cases = [
        ("", format!("{recurring}{recurring}"), "two recurring windows are called `n`; their names are unique".to_owned()),
        (
            "",
            recurring.replace("sunday", "sonntag"),
            format!("support.toml:{}: `on` in `[windows.recurring]`: `sonntag` is not a day", line + 2),
        ),
        (
            "",
            recurring.replace("02:00", "2 o'clock"),
            "`from` in `[windows.recurring]`: `2 o'clock` is not a time of day; expected one as in `02:00`".to_owned(),
        ),
        ("", recurring.replace("06:00", "24:00"), "`24:00` is not a time of day".to_owned()),
        (
            "",
            "[windows]\nfirst = \"next\"\n".to_owned(),
            "`next` in `[windows]` chooses a window, and the site has none".to_owned(),
        ),
        (
            "",
            format!("[windows]\nfirst = \"next m\"\n{recurring}"),
            "chooses a recurring window `m`, and the site has none".to_owned(),
        ),
        ("", "[windows]\nfixed = [\"now +4h\"]\n".to_owned(), "`now +4h` has no start of its own".to_owned()),
        ("", freeze.to_owned(), "a freeze in `[freezes]` has either `from` and `to`, or `calendar_file`".to_owned()),
        ("", format!("{freeze}from = \"2026-12-20\"\n"), "has either `from` and `to`, or `calendar_file`".to_owned()),
        (
            "",
            format!("{freeze}from = \"2026-12-20\"\nto = \"2026-12-19\"\n"),
            format!("support.toml:{}: `from` in `[freezes]`: it ends before it begins", line + 3),
        ),
        (
            "",
            format!("{freeze}from = \"2026-12-20\"\nto = \"2026-13-01\"\n"),
            format!("support.toml:{}: `to` in `[freezes]`: `2026-13-01` is neither a day", line + 4),
        ),
        (
            "",
            format!("{freeze}from = \"2026-12-20\"\nto = \"20261228\"\n"),
            format!("support.toml:{}: `to` in `[freezes]`: `20261228` is neither a day", line + 4),
        ),
        ("", format!("{freeze}calendar_file = \"none.ics\"\n"), "none.ics cannot be read".to_owned()),
        (
            "[[freezes]]\nname = \"f\"\nowner = \"o\"\nfrom = \"2026-12-20\"\nto = \"2026-12-21\"\nzone = \"Mars\"\n",
            String::new(),
            "changeover.toml:6: `zone` in `[freezes]`: `Mars` is not a known time zone".to_owned(),
        ),
    ];
    for (main, site, expected) in cases {
        let refused = load_files(main, &site, "").unwrap_err();
        assert!(refused.contains(&expected), "{expected}\n{refused}");
    }
}

/// Sites of one zone share what was read once.
#[test]
fn sites_of_one_zone_share_the_freezes_of_all() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    fs::write(folder.path().join("changeover.toml"), FROM_FILE).unwrap();
    fs::write(folder.path().join("freezes.ics"), event("DTSTART;VALUE=DATE:20261224")).unwrap();
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        let text = SITE.replace("support", name).replace("appliance", name).replace("192.0.2", &format!("192.0.{number}"));
        fs::write(folder.path().join(format!("sites.d/{name}.toml")), text).unwrap();
    }
    let settings = load(&folder.path().join("changeover.toml"), &action::names()).unwrap_or_else(|errors| panic!("{errors}"));
    let freeze = |index: usize| settings.sites[index].site.calendar.freezes[0].clone();
    assert!(Arc::ptr_eq(&freeze(0), &freeze(1)));
}
