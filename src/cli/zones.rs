//! Times for people: in UTC, in the site's time zone, and in that of whoever reads, each once.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zones beside UTC.
pub struct Zones(Vec<(String, TimeZone)>);

impl Zones {
    /// The site's zone, and the one that this command runs in (`TZ`, or the system's).
    pub fn of(site: &str) -> Self {
        let site = TimeZone::get(site).ok().map(|zone| (site.to_owned(), zone));
        let own = TimeZone::try_system().ok().filter(|zone| !zone.is_unknown());
        let own = own.map(|zone| (zone.iana_name().unwrap_or("your time").to_owned(), zone));
        Self(site.into_iter().chain(own).collect())
    }

    /// As these, with one more, which a window was written in.
    pub fn with(&self, zone: Option<&str>) -> Self {
        let named = zone.and_then(|name| Some((name.to_owned(), TimeZone::get(name).ok()?)));
        Self(self.0.iter().cloned().chain(named).collect())
    }

    /// `2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin)`.
    pub fn at(&self, at: Timestamp) -> String {
        let there = self.distinct(&[at]).into_iter().map(|(name, zone)| format!("{} {name}", local(at, zone)));
        told(at.to_string(), there)
    }

    /// `2026-11-22T01:00:00Z to 2026-11-22T05:00:00Z (2026-11-22 02:00 to 2026-11-22 06:00 Europe/Berlin)`.
    pub fn span(&self, from: Timestamp, to: Timestamp) -> String {
        let there = self.distinct(&[from, to]).into_iter();
        let there = there.map(|(name, zone)| format!("{} to {} {name}", local(from, zone), local(to, zone)));
        told(format!("{from} to {to}"), there)
    }

    /// A text of the daemon's, with every time in it told in all zones; one that is quoted, to be typed, stays as it is.
    pub fn text(&self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, at, after)) = next_time(rest) {
            told.push_str(before);
            let quoted = before.ends_with(['`', '"']);
            told.push_str(&if quoted { at.to_string() } else { self.at(at) });
            rest = after;
        }
        told + rest
    }

    /// The zones in which these times are not as in UTC, and not as in one before.
    fn distinct(&self, times: &[Timestamp]) -> Vec<&(String, TimeZone)> {
        let offsets = |zone: &TimeZone| times.iter().map(|at| zone.to_offset(*at)).collect::<Vec<_>>();
        let mut told = vec![offsets(&TimeZone::UTC)];
        let new = self.0.iter().filter(|(_, zone)| {
            let offsets = offsets(zone);
            let new = !told.contains(&offsets);
            told.push(offsets);
            new
        });
        new.collect()
    }
}

fn told(utc: String, there: impl Iterator<Item = String>) -> String {
    let there = there.collect::<Vec<_>>().join(", ");
    if there.is_empty() { utc } else { format!("{utc} ({there})") }
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The first UTC time in a text, with what stands before and after it.
fn next_time(text: &str) -> Option<(&str, Timestamp, &str)> {
    let ends = text.match_indices('Z').map(|(end, _)| end + 1);
    ends.into_iter().find_map(|end| {
        // A time has only such signs; the longest run of them before its end is the time, if anything is.
        let sign = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | '.' | 'Z');
        let begin = text[..end].rfind(|c| !sign(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let at = text[begin..end].parse().ok()?;
        Some((&text[..begin], at, &text[end..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(names: &[&str]) -> Zones {
        Zones(names.iter().map(|name| ((*name).to_owned(), TimeZone::get(name).unwrap())).collect())
    }

    #[test]
    fn each_zone_is_told_once() {
        let at = "2026-11-22T01:00:00Z".parse().unwrap();
        let cases: [(&[&str], &str); 6] = [
            (&[], "2026-11-22T01:00:00Z"),
            (&["UTC", "UTC"], "2026-11-22T01:00:00Z"),
            (&["Europe/Berlin", "UTC"], "2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin)"),
            (&["Europe/Berlin", "Europe/Berlin"], "2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin)"),
            // The same time there: the site's name says it.
            (&["Europe/Berlin", "Europe/Paris"], "2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin)"),
            (
                &["Europe/Berlin", "America/New_York"],
                "2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin, 2026-11-21 20:00 America/New_York)",
            ),
        ];
        for (names, expected) in cases {
            assert_eq!(zones(names).at(at), expected, "{names:?}");
        }
    }

    #[test]
    fn a_span_over_a_change_of_the_clocks() {
        let (from, to) = ("2026-03-29T00:00:00Z".parse().unwrap(), "2026-03-29T03:00:00Z".parse().unwrap());
        let told = zones(&["Europe/Berlin"]).span(from, to);
        assert_eq!(told, "2026-03-29T00:00:00Z to 2026-03-29T03:00:00Z (2026-03-29 01:00 to 2026-03-29 05:00 Europe/Berlin)");
        // In London the clocks change in it too, so that it is not UTC.
        let told = zones(&["Europe/London"]).span(from, to);
        assert!(told.ends_with("(2026-03-29 00:00 to 2026-03-29 04:00 Europe/London)"), "{told}");
    }

    #[test]
    fn times_in_a_text() {
        let zones = zones(&["Europe/Berlin"]);
        let cases = [
            ("", ""),
            ("until Zoe comes, ZZ 12Z é2026-1Z", "until Zoe comes, ZZ 12Z é2026-1Z"),
            ("at 2026-11-22T01:00:00Z.", "at 2026-11-22T01:00:00Z (2026-11-22 02:00 Europe/Berlin)."),
            ("give `2026-11-22T01:00:00Z +4h`", "give `2026-11-22T01:00:00Z +4h`"),
            (
                "é2026-11-22T01:00:00.5Z, 2026-07-22T01:00:00Z",
                "é2026-11-22T01:00:00.5Z (2026-11-22 02:00 Europe/Berlin), 2026-07-22T01:00:00Z (2026-07-22 03:00 Europe/Berlin)",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(zones.text(text), expected, "{text}");
        }
    }
}
