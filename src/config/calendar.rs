//! Calendar files (iCalendar, RFC 5545): every event is a time in which nothing may be done.
//!
//! The crate reads generously and leaves out what it can't make sense of; a freeze that is left out is a night on which somebody
//! works who must not. So whatever is left out is looked for here, and is an error with its line.

use ical::component::{IcalComponent, IcalComponentKind, IcalComponentName};
use ical::ical::Ical;
use ical::param::IcalParam;
use ical::prop::{IcalProp, IcalPropKind, IcalPropName};
use ical::recur::IcalRecurDateTime;
use ical::recur::set::{IcalRecurSet, IcalRecurZone};
use ical::tree::cst::IcalCst;
use ical::tz::{IcalTz, IcalTzTransitions};
use ical::value::IcalValue;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::window::civil;
use crate::domain::window::freeze::Moment;

/// The longest file that is read; a department's calendar of many years has a tenth of it.
pub(super) const MAX_BYTES: u64 = 4 * 1024 * 1024;

const MAX_EVENTS: usize = 10_000;

/// All times of one file, each occurrence counted: a daily event without end has some 27,000.
const MAX_SPANS: usize = 100_000;

/// Events that repeat without end are read up to here.
const LAST_YEAR: i32 = 2099;

/// Components stand in a calendar, alarms in them. The crate calls itself for each level, so a file that is nothing but levels
/// would end the process.
const MAX_DEPTH: usize = 8;

const DAY: i64 = 24 * 3600;

/// What is wrong with a calendar file; the line counts from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CalendarError {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

fn wrong(line: impl Into<Option<usize>>, message: impl Into<String>) -> CalendarError {
    CalendarError { line: line.into(), message: message.into() }
}

/// Every event of a file as a span; cancelled ones are left out.
pub(super) fn read(text: &str) -> Result<Vec<(Moment, Moment)>, CalendarError> {
    let lines = begins(text)?;
    let mut spans = Vec::new();
    let mut events = 0;
    for calendar in IcalCst::parse_many(text) {
        let calendar = calendar.map_err(|error| wrong(None, format!("is not an iCalendar file: {error}")))?;
        let calendar = calendar.decode();
        for event in calendar.components.iter().filter(|component| is_event(component)) {
            let line = lines.get(events).copied();
            events += 1;
            let found = spans_of(event, &calendar).map_err(|message| wrong(line, message))?;
            spans.extend(found);
            if spans.len() > MAX_SPANS {
                return Err(wrong(line, format!("has more than {MAX_SPANS} occurrences up to the year {LAST_YEAR}")));
            }
        }
    }
    if events != lines.len() {
        return Err(wrong(None, format!("has {} lines `BEGIN:VEVENT`, and {events} events that can be read", lines.len())));
    }
    Ok(spans)
}

/// The lines on which events begin, after what the crate does not guard against.
fn begins(text: &str) -> Result<Vec<usize>, CalendarError> {
    let (mut within, mut lines, mut calendars) = (Vec::new(), Vec::new(), 0);
    for (number, line) in unfolded(text) {
        let line = line.trim_end().to_ascii_uppercase();
        if let Some(name) = line.strip_prefix("BEGIN:") {
            calendars += usize::from(name == "VCALENDAR");
            if name == "VEVENT" {
                directly_in_a_calendar(&within).map_err(|message| wrong(number, message))?;
                lines.push(number);
            }
            within.push(name.to_owned());
        } else if line.starts_with("END:") {
            within.pop();
        }
        if within.len() > MAX_DEPTH {
            return Err(wrong(number, format!("has components nested deeper than {MAX_DEPTH} levels")));
        }
    }
    if calendars == 0 {
        return Err(wrong(1, "is not an iCalendar file: there is no `BEGIN:VCALENDAR`"));
    }
    if lines.len() > MAX_EVENTS {
        return Err(wrong(None, format!("has {} events, more than {MAX_EVENTS}", lines.len())));
    }
    Ok(lines)
}

/// The lines with the numbers on which they begin. A long one goes on behind a blank at the next one's begin.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

/// Nobody reads an event that stands elsewhere.
fn directly_in_a_calendar(within: &[String]) -> Result<(), String> {
    match within {
        [calendar] if calendar == "VCALENDAR" => Ok(()),
        [] => Err("the event stands outside of every calendar (`BEGIN:VCALENDAR`)".to_owned()),
        [.., parent] => Err(format!("the event stands in a `{parent}` and not directly in the calendar")),
    }
}

fn is_event(component: &IcalComponent) -> bool {
    component.name == IcalComponentName::Kind(IcalComponentKind::VEvent)
}

fn spans_of(event: &IcalComponent, calendar: &Ical) -> Result<Vec<(Moment, Moment)>, String> {
    if props(event, IcalPropKind::RecurrenceId).any(changes_others) {
        return Err("the event changes others of its series too (`RANGE`), not only the one that it replaces".to_owned());
    }
    if text(event, IcalPropKind::Status).is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(Vec::new());
    }
    let set = set_of(event, calendar);
    let start = set.start.ok_or("the event has no `DTSTART` that can be read")?;
    series_is_read(event, &set, calendar)?;
    let mut clock = Clock::of(&set.zone, calendar)?;
    let length = length(event, start, &set.zone)?;
    let mut spans = Vec::new();
    for occurrence in set.expand().take_while(|occurrence| occurrence.id.year <= LAST_YEAR).take(MAX_SPANS + 1) {
        // One that was moved is an event of its own in the file.
        if occurrence.over.is_none() {
            let end = IcalRecurDateTime::from_seconds(occurrence.start.seconds() + length);
            spans.push((clock.moment(occurrence.start)?, clock.moment(end)?));
        }
    }
    Ok(spans)
}

/// The crate would give all later ones its distance, and the length that they had before.
fn changes_others(id: &IcalProp) -> bool {
    id.params.iter().any(|param| matches!(param, IcalParam::Range(_)))
}

/// That the crate reads each part of the event's series as it is meant.
fn series_is_read(event: &IcalComponent, set: &IcalRecurSet, calendar: &Ical) -> Result<(), String> {
    if props(event, IcalPropKind::RRule).count() != set.rules.len() {
        return Err("the event has an `RRULE` that can't be read".to_owned());
    }
    let all_day = is_all_day(event);
    let mut rules = props(event, IcalPropKind::RRule).chain(props(event, IcalPropKind::ExRule));
    if let Some(what) = rules.find_map(|rule| ends_otherwise(rule, set, all_day, calendar)) {
        return Err(format!("the event's `RRULE` ends {what}"));
    }
    let is_told = |own: &IcalRecurZone| is_told(own, &set.zone, calendar);
    // The dates of an all-day event are days, whatever zone is written beside them.
    let is_taken_out = |own: &IcalRecurZone| is_told(own) || all_day && matches!(own, IcalRecurZone::Tz(_));
    if !props(event, IcalPropKind::RDate).all(|dates| are_read(dates, is_told)) {
        return Err("the event has an `RDATE` that can't be read".to_owned());
    }
    if !props(event, IcalPropKind::ExDate).all(|dates| are_read(dates, is_taken_out)) {
        return Err(format!("the event has an `EXDATE` that can't be read{ON_ANOTHER_CLOCK}"));
    }
    let mut replaced = replacing(event, calendar).flat_map(|other| props(other, IcalPropKind::RecurrenceId));
    if !replaced.all(|id| is_taken_out(&zone_of(id))) {
        return Err(format!("a `RECURRENCE-ID` of the event's series can't be read{ON_ANOTHER_CLOCK}"));
    }
    Ok(())
}

const ON_ANOTHER_CLOCK: &str = ": is it in the event's own zone, or are both zones described in the file (`VTIMEZONE`)?";

/// How the rule's end is told, where the crate would take it for another one: the last times would be cut off, or one too many.
/// It compares an end in UTC with times in a zone that it doesn't know as if both were of one clock, and takes a day for its begin.
fn ends_otherwise(rule: &IcalProp, set: &IcalRecurSet, all_day: bool, calendar: &Ical) -> Option<&'static str> {
    let IcalValue::Recur(recur) = &rule.value else { return None };
    let mut parts = recur.0.split(';').filter_map(|part| part.split_once('='));
    let (_, until) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("UNTIL"))?;
    let until = until.trim().to_ascii_uppercase();
    // Of an all-day event this is the day, as some write it.
    let is_day = all_day && until.ends_with("T000000Z");
    if until.ends_with('Z') && !is_day && !is_described(&set.zone, calendar) {
        return Some("at a time in UTC, and its zone is not described in the file (`VTIMEZONE`)");
    }
    (!all_day && !until.contains('T')).then_some("on a day, and the event begins at a time of day: end it at a time, too")
}

/// UTC, or a zone that the file describes.
fn is_described(zone: &IcalRecurZone, calendar: &Ical) -> bool {
    match zone {
        IcalRecurZone::Utc => true,
        IcalRecurZone::Floating => false,
        IcalRecurZone::Tz(name) => IcalTz::of_calendar(calendar, name).is_some(),
    }
}

/// The crate takes a time in another zone for one in the event's own unless the file describes both.
fn is_told(own: &IcalRecurZone, zone: &IcalRecurZone, calendar: &Ical) -> bool {
    own == zone || (is_described(own, calendar) && is_described(zone, calendar))
}

/// Of such a list the crate leaves out what it can't read, and takes the begin of a period for all of it.
fn are_read(dates: &IcalProp, is_told: impl Fn(&IcalRecurZone) -> bool) -> bool {
    // A period has a `/`, and is no time either.
    let is_read = |date: &str| IcalRecurDateTime::parse(date).is_ok() && is_told(&zone_in(dates, Some(date)));
    matches!(&dates.value, IcalValue::DateTimeList(list) if list.0.iter().all(|date| is_read(date)))
}

/// The event with all its repetitions; one that takes a repetition's place stands for itself.
fn set_of(event: &IcalComponent, calendar: &Ical) -> IcalRecurSet {
    let zones: Vec<IcalTz> = calendar.components.iter().filter_map(IcalTz::of_component).collect();
    let mut set = IcalRecurSet::of_component_in(event, &zones);
    for other in replacing(event, calendar) {
        set.with_override_in(other, &zones);
    }
    set
}

/// The events that take the place of one of this event's repetitions, cancelled ones too.
fn replacing<'c>(event: &'c IcalComponent, calendar: &'c Ical) -> impl Iterator<Item = &'c IcalComponent<'c>> {
    let replaces = |other: &IcalComponent| props(other, IcalPropKind::RecurrenceId).next().is_some();
    let uid = text(event, IcalPropKind::Uid).filter(|_| !replaces(event));
    let of_it = move |other: &&IcalComponent| uid.is_some() && text(other, IcalPropKind::Uid) == uid && replaces(other);
    calendar.components.iter().filter(|other| is_event(other)).filter(of_it)
}

/// In seconds on the event's own clock.
fn length(event: &IcalComponent, start: IcalRecurDateTime, zone: &IcalRecurZone) -> Result<i64, String> {
    let end = props(event, IcalPropKind::DtEnd).next();
    let duration = props(event, IcalPropKind::Duration).next();
    let length = match (end, duration) {
        (Some(end), _) if *zone != zone_of(end) => return Err("`DTSTART` and `DTEND` are in different zones".to_owned()),
        (Some(end), _) => {
            let end = text_of(end).and_then(|text| IcalRecurDateTime::parse(text).ok());
            end.ok_or("the event's `DTEND` can't be read")?.seconds() - start.seconds()
        }
        (None, Some(IcalProp { value: IcalValue::Duration(duration), .. })) => {
            duration.seconds().ok_or("the event's `DURATION` can't be read")?
        }
        (None, Some(_)) => return Err("the event's `DURATION` can't be read".to_owned()),
        (None, None) if is_all_day(event) => DAY,
        (None, None) => return Err("the event has neither `DTEND` nor `DURATION`".to_owned()),
    };
    if length > 0 { Ok(length) } else { Err("the event ends before it begins".to_owned()) }
}

fn is_all_day(event: &IcalComponent) -> bool {
    text(event, IcalPropKind::DtStart).is_some_and(|text| !text.contains(['T', 't']))
}

fn zone_of(prop: &IcalProp) -> IcalRecurZone {
    zone_in(prop, text_of(prop))
}

fn zone_in(prop: &IcalProp, text: Option<&str>) -> IcalRecurZone {
    let named = prop.params.iter().find_map(|param| match param {
        IcalParam::TzId(name) => Some(IcalRecurZone::Tz(name.to_string())),
        _ => None,
    });
    match text {
        Some(text) if text.ends_with(['Z', 'z']) => IcalRecurZone::Utc,
        _ => named.unwrap_or(IcalRecurZone::Floating),
    }
}

fn props<'c>(component: &'c IcalComponent, kind: IcalPropKind) -> impl Iterator<Item = &'c IcalProp<'c>> {
    component.props.iter().filter(move |prop| prop.name == IcalPropName::Kind(kind))
}

fn text<'c>(component: &'c IcalComponent, kind: IcalPropKind) -> Option<&'c str> {
    props(component, kind).next().and_then(text_of)
}

fn text_of<'c>(prop: &'c IcalProp) -> Option<&'c str> {
    match &prop.value {
        IcalValue::Date(date) => Some(&date.0),
        IcalValue::DateTime(time) => Some(&time.0),
        IcalValue::Text(text) => Some(&text.0),
        _ => None,
    }
}

/// What turns an event's times into moments.
enum Clock {
    /// The zone that reads the file: all-day events, and times without a zone.
    Floating,
    Utc,
    Zone(TimeZone),
    /// A zone that only the file itself knows, as Outlook writes them.
    Own(IcalTzTransitions),
}

impl Clock {
    fn of(zone: &IcalRecurZone, calendar: &Ical) -> Result<Self, String> {
        let IcalRecurZone::Tz(name) = zone else {
            return Ok(if *zone == IcalRecurZone::Utc { Self::Utc } else { Self::Floating });
        };
        if let Ok(zone) = TimeZone::get(name) {
            return Ok(Self::Zone(zone));
        }
        let own = IcalTz::of_calendar(calendar, name).map(|zone| Self::Own(IcalTzTransitions::of_zone(zone)));
        own.ok_or_else(|| format!("the event's zone `{name}` is neither a known one nor described in the file"))
    }

    fn moment(&mut self, at: IcalRecurDateTime) -> Result<Moment, String> {
        let outside = || format!("the event has a time that is not in the calendar: {at:?}");
        let second = |seconds: i64| Timestamp::from_second(seconds).map(Moment::At).map_err(|_| outside());
        match self {
            Self::Utc => second(at.seconds()),
            Self::Own(zone) => second(zone.resolve(at).literal_instant(at)),
            Self::Floating => civil_of(at).map(Moment::Civil).ok_or_else(outside),
            Self::Zone(zone) => {
                let civil = civil_of(at).ok_or_else(outside)?;
                civil::instant(zone, civil).map(Moment::At).map_err(|_| outside())
            }
        }
    }
}

fn civil_of(at: IcalRecurDateTime) -> Option<DateTime> {
    let small = |part: u8| i8::try_from(part).ok();
    // A leap second is the second before it.
    let second = small(at.second.min(59))?;
    let year = i16::try_from(at.year).ok()?;
    DateTime::new(year, small(at.month)?, small(at.day)?, small(at.hour)?, small(at.minute)?, second, 0).ok()
}
