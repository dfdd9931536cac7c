//! Durations as people write them.

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};

/// The longest duration taken anywhere: a year. Longer is a slip of the unit, and small enough that sums with any present
/// time stay far from the end of the calendar.
pub const MAX_DURATION: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADuration {
    #[error("`{0}` is not a duration; expected a number with a unit, as in `90s`, `10min`, `4h`, `2d` or `1w`")]
    Shape(String),
    #[error("`{0}` is not longer than zero")]
    NotPositive(String),
    #[error("`{0}` is more than 366 days")]
    TooLong(String),
}

/// Reads a duration in jiff's friendly form, a day being 24 hours and a week 168 hours of elapsed time.
///
/// # Errors
/// Months and years (their length varies), zero, `ago`, and more than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<SignedDuration, NotADuration> {
    static PARSER: SpanParser = SpanParser::new();
    let text = text.trim();
    let malformed = || NotADuration::Shape(text.to_owned());
    let span = PARSER.parse_span(text).map_err(|_| malformed())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| malformed())?;
    if duration <= SignedDuration::ZERO {
        return Err(NotADuration::NotPositive(text.to_owned()));
    }
    if duration > MAX_DURATION {
        return Err(NotADuration::TooLong(text.to_owned()));
    }
    Ok(duration)
}

/// Writes a duration so that [`parse_duration`] reads it back: `14d`, `1h 30m`, `500ms`.
pub fn format_duration(duration: SignedDuration) -> String {
    let day = 24 * 3600;
    match duration.as_secs() {
        secs if secs >= day && secs % day == 0 && duration.subsec_nanos() == 0 => format!("{}d", secs / day),
        _ => format!("{duration:#}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_and_print() {
        let cases = [
            ("90s", 90, "1m 30s"),
            ("10min", 600, "10m"),
            ("4h", 14_400, "4h"),
            ("1h 30m", 5400, "1h 30m"),
            ("1.5h", 5400, "1h 30m"),
            ("24h", 86_400, "1d"),
            ("14d", 1_209_600, "14d"),
            ("1w", 604_800, "7d"),
            ("1d 1h", 90_000, "25h"),
        ];
        for (text, secs, printed) in cases {
            let duration = parse_duration(text).unwrap();
            assert_eq!((duration.as_secs(), format_duration(duration).as_str()), (secs, printed), "{text}");
            assert_eq!(parse_duration(printed), Ok(duration), "{printed}");
        }
        for text in ["", "60", "PT4H", "0s", "-1h", "1h ago", "1y", "2mo", "367d", "1.5d", "h", "∞"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = parse_duration(&text);
        }
    }
}
