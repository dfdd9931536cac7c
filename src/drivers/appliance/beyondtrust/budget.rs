//! One API account's calls, kept below the vendor's limits: 20 in any second and 15,000 in any hour, over all its endpoints.
//!
//! Every driver of the process that names the account takes its turns here. The last hour's calls are remembered one by one, so
//! that the bounds hold for *any* second and hour. Readings come first: what can wait (reports, lists, backups) slows down from
//! half of the hour's share on and leaves a quarter of it alone, so that a long extraction neither fails nor makes a run blind.
//! Time is run time: a simulated box counts its calls by the same clock. After a restart nothing is remembered; the half that is
//! left for others by default covers that, and what the box itself tells (`X-RateLimit-Remaining`).
//!
//! # Source
//! Vendor documentation of the API: the limits and the names of the headers. What the box answers beyond them is not documented;
//! 429 with `Retry-After` (RFC 9110 §10.2.3) is assumed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::ports::Clock;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// No pause that a box asks for is believed to be longer: its longest limit is the hour's.
const MOST_PAUSE: SignedDuration = HOUR;
/// The first pause after a 429 that names none; each further one doubles it.
const FIRST_PAUSE: SignedDuration = SECOND;
/// Doublings: 64 s.
const MOST_DOUBLINGS: u32 = 6;
/// A told limit above this is the hour's; a smaller one the second's, which says nothing of the hour.
const HOURLY: u64 = 100;
/// While the box tells that a tenth of the hour's calls or less is left, what can wait waits this long for better news.
const NEWS: SignedDuration = SignedDuration::from_mins(5);

/// What this process uses of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub per_second: u32,
    pub per_hour: u32,
}

impl Default for Share {
    /// Half of what the vendor allows: other tools may call with the same account.
    fn default() -> Self {
        Self { per_second: 10, per_hour: 7500 }
    }
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A few calls that everything depends on.
    Reading,
    /// Many, or long ones: they can wait.
    Bulk,
}

/// The budget of one account.
pub struct Budget {
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
}

/// What metrics show of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub per_hour: u32,
    /// Calls in the last hour.
    pub used: usize,
    /// What the box said is left of its hour.
    pub told: Option<u64>,
}

impl Budget {
    pub fn new(share: Share, clock: Arc<dyn Clock>) -> Self {
        Self { clock, book: Mutex::new(Book::new(share)) }
    }

    /// Returns when the caller may send, with how long that took; the call then counts.
    ///
    /// # Errors
    /// The wait would be longer than `patience`: the time at which a call may be sent. Nothing was counted.
    pub async fn turn(&self, need: Need, patience: Option<SignedDuration>) -> Result<SignedDuration, Timestamp> {
        let asked = self.clock.now();
        loop {
            let due = {
                let (now, mut book) = (self.clock.now(), self.book());
                match book.due(need, now) {
                    due if due <= now => {
                        book.send(need, now);
                        return Ok(now.duration_since(asked));
                    }
                    due => due,
                }
            };
            if patience.is_some_and(|patience| due.duration_since(asked) > patience) {
                return Err(due);
            }
            self.clock.sleep_until(due).await;
        }
    }

    /// The box answered 429: nobody calls before the time it asks for.
    pub fn limited(&self, pause: Option<SignedDuration>) {
        let now = self.clock.now();
        self.book().limited(pause, now);
    }

    /// The box answered a call with something else, and told these of its limits.
    pub fn answered(&self, limit: Option<u64>, remaining: Option<u64>) {
        let now = self.clock.now();
        self.book().answered(limit, remaining, now);
    }

    pub fn standing(&self) -> Standing {
        let (now, mut book) = (self.clock.now(), self.book());
        book.forget(now);
        Standing { per_hour: book.share.per_hour, used: book.sent.len(), told: book.told.map(|told| told.left) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the box says is left of its hour.
#[derive(Clone, Copy, Debug)]
struct Left {
    limit: u64,
    left: u64,
    at: Timestamp,
}

/// The account's last hour.
struct Book {
    share: Share,
    /// When each call was sent, oldest first.
    sent: VecDeque<Timestamp>,
    last_bulk: Option<Timestamp>,
    not_before: Option<Timestamp>,
    /// 429s without a break.
    refusals: u32,
    told: Option<Left>,
}

impl Book {
    fn new(share: Share) -> Self {
        let share = Share { per_second: share.per_second.max(1), per_hour: share.per_hour.max(1) };
        Self { share, sent: VecDeque::new(), last_bulk: None, not_before: None, refusals: 0, told: None }
    }

    /// From when on a call may be sent.
    fn due(&mut self, need: Need, now: Timestamp) -> Timestamp {
        self.forget(now);
        let second = self.free_again(self.share.per_second, SECOND);
        let hour = self.free_again(self.allowance(need), HOUR);
        let slow = (need == Need::Bulk).then(|| self.slowed(now)).flatten();
        let short = (need == Need::Bulk).then(|| self.better_news()).flatten();
        [second, hour, slow, short, self.not_before].into_iter().flatten().fold(now, Timestamp::max)
    }

    /// When fewer than `count` calls lie within `span`.
    fn free_again(&self, count: u32, span: SignedDuration) -> Option<Timestamp> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let oldest = self.sent.len().checked_sub(count)?;
        Some(after(*self.sent.get(oldest)?, span))
    }

    /// How much of the hour's share a call of this kind may use up.
    fn allowance(&self, need: Need) -> u32 {
        match need {
            Need::Reading => self.share.per_hour,
            Need::Bulk => (self.share.per_hour / 4 * 3).max(1),
        }
    }

    /// From half of the share on, what is left for bulk calls is spread over the time until the oldest call is an hour old.
    fn slowed(&self, now: Timestamp) -> Option<Timestamp> {
        let (used, most) = (u32::try_from(self.sent.len()).unwrap_or(u32::MAX), self.allowance(Need::Bulk));
        let left = most.checked_sub(used).filter(|left| *left > 0 && used > self.share.per_hour / 2)?;
        let until = after(*self.sent.front()?, HOUR).duration_since(now);
        let pause = until.checked_div(i32::try_from(left).unwrap_or(i32::MAX))?;
        Some(after(self.last_bulk?, pause))
    }

    /// The box says that others have used nearly all of the hour.
    fn better_news(&self) -> Option<Timestamp> {
        let told = self.told.filter(|told| told.left <= told.limit / 10)?;
        Some(after(told.at, NEWS))
    }

    fn send(&mut self, need: Need, now: Timestamp) {
        self.sent.push_back(now);
        if need == Need::Bulk {
            self.last_bulk = Some(now);
        }
    }

    /// Calls of more than an hour ago count no longer. A clock that was set back has them now, not in the future.
    fn forget(&mut self, now: Timestamp) {
        while self.sent.front().is_some_and(|at| after(*at, HOUR) <= now) {
            self.sent.pop_front();
        }
        for at in self.sent.iter_mut().rev().take_while(|at| **at > now) {
            *at = now;
        }
        self.not_before = self.not_before.map(|at| at.min(after(now, MOST_PAUSE)));
        self.last_bulk = self.last_bulk.map(|at| at.min(now));
        self.told = self.told.filter(|told| after(told.at, HOUR) > now);
    }

    fn limited(&mut self, pause: Option<SignedDuration>, now: Timestamp) {
        let own = FIRST_PAUSE * (1 << self.refusals.min(MOST_DOUBLINGS));
        let pause = pause.unwrap_or(own).clamp(FIRST_PAUSE, MOST_PAUSE);
        self.refusals = self.refusals.saturating_add(1);
        self.not_before = self.not_before.max(Some(after(now, pause)));
    }

    fn answered(&mut self, limit: Option<u64>, remaining: Option<u64>, now: Timestamp) {
        self.refusals = 0;
        if let (Some(limit), Some(left)) = (limit.filter(|limit| *limit > HOURLY), remaining) {
            self.told = Some(Left { limit, left, at: now });
        }
    }
}

fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + millis).unwrap()
    }

    /// Sends as fast as it may from `from` until `until`; when each call was sent.
    fn sends(book: &mut Book, need: Need, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let (mut sent, mut now) = (Vec::new(), from);
        loop {
            now = book.due(need, now);
            if now > until {
                return sent;
            }
            book.send(need, now);
            sent.push(now);
        }
    }

    fn most_within(sent: &[Timestamp], span: SignedDuration) -> usize {
        let mut first = 0;
        let within = sent.iter().enumerate().map(|(last, at)| {
            while at.duration_since(sent[first]) >= span {
                first += 1;
            }
            last - first + 1
        });
        within.max().unwrap_or(0)
    }

    #[test]
    fn no_second_and_no_hour_has_more_calls_than_the_share() {
        for share in [Share::default(), Share { per_second: 20, per_hour: 15_000 }, Share { per_second: 1, per_hour: 1 }] {
            for need in [Need::Reading, Need::Bulk] {
                let sent = sends(&mut Book::new(share), need, at(0), at(3 * 3_600_000));
                assert!(most_within(&sent, SECOND) <= share.per_second as usize, "{share:?} {need:?}");
                assert!(most_within(&sent, HOUR) <= share.per_hour as usize, "{share:?} {need:?}");
                assert!(sent.len() >= 3 * share.per_hour as usize / 4, "{share:?} {need:?}: {}", sent.len());
            }
        }
    }

    #[test]
    fn a_long_extraction_slows_down_and_leaves_room_for_readings() {
        let mut book = Book::new(Share::default());
        let sent = sends(&mut book, Need::Bulk, at(0), at(10 * 3_600_000));
        let longest = sent.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap();
        assert!(longest <= SignedDuration::from_secs(10), "it slows down and never stands still: {longest}");
        assert!(most_within(&sent, HOUR) <= 5625, "{}", most_within(&sent, HOUR));
        let now = at(10 * 3_600_000);
        assert_eq!(book.due(Need::Reading, now), now, "a reading need not wait");
    }

    #[test]
    fn few_calls_do_not_wait() {
        let mut book = Book::new(Share::default());
        assert_eq!(sends(&mut book, Need::Reading, at(0), at(0)).len(), 10);
        assert_eq!(book.due(Need::Bulk, at(1000)), at(1000));
    }

    #[test]
    fn a_pause_is_kept_grows_and_ends() {
        let mut book = Book::new(Share::default());
        for (pause, until) in
            [(None, 1), (None, 2), (None, 4), (Some(30), 30), (Some(0), 30), (Some(1_000_000), 3600), (None, 3600)]
        {
            book.limited(pause.map(SignedDuration::from_secs), at(0));
            assert_eq!(book.due(Need::Reading, at(0)), at(until * 1000), "{pause:?}");
        }
        assert_eq!(book.due(Need::Reading, at(3_600_000)), at(3_600_000));
        book.answered(None, None, at(3_600_000));
        book.limited(None, at(3_600_000));
        assert_eq!(book.due(Need::Reading, at(3_600_000)), at(3_601_000), "it begins anew");
    }

    #[test]
    fn what_the_box_tells_of_its_hour_holds_back_what_can_wait() {
        let mut book = Book::new(Share::default());
        for (limit, left, waits) in
            [(15_000, 1501, false), (15_000, 1500, true), (15_000, 0, true), (20, 0, false), (15_000, 9000, false)]
        {
            book.answered(Some(limit), Some(left), at(0));
            assert_eq!(book.due(Need::Bulk, at(0)) == at(300_000), waits, "{limit} {left}");
            assert_eq!(book.due(Need::Reading, at(0)), at(0));
            book.told = None;
        }
    }

    #[test]
    fn a_clock_set_back_stops_nobody_for_longer_than_the_limits() {
        let mut book = Book::new(Share { per_second: 10, per_hour: 100 });
        sends(&mut book, Need::Reading, at(0), at(3_000_000));
        book.limited(Some(HOUR), at(3_000_000));
        let back = at(-86_400_000);
        assert!(book.due(Need::Reading, back) <= after(back, HOUR));
        assert!(book.due(Need::Bulk, Timestamp::MAX) == Timestamp::MAX && book.due(Need::Bulk, Timestamp::MIN) >= Timestamp::MIN);
    }
}
