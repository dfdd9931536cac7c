//! What was measured, and how it is told.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use jiff::SignedDuration;

use super::person::Person;

/// From the last page of the node left to the first of the next.
pub type Gap = SignedDuration;

/// What a gap consists of; the sum is the gap.
pub struct Parts {
    pub proof: SignedDuration,
    pub extraction: SignedDuration,
    pub decision: SignedDuration,
    pub caches: SignedDuration,
}

impl Parts {
    fn ours(&self) -> SignedDuration {
        self.proof + self.extraction + self.decision
    }
}

/// One swap by the daemon.
pub struct Swap {
    pub person: Person,
    pub gap: Gap,
    pub parts: Parts,
    /// From the closing to the record that the switch is proven.
    pub whole: SignedDuration,
    /// Why tries in the gap came to nothing.
    pub tries: Vec<String>,
}

impl Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { proof, extraction, decision, caches } = &self.parts;
        let [gap, proof, extraction, decision, caches] = [&self.gap, proof, extraction, decision, caches].map(millis);
        let person = format!("{:?}", self.person);
        write!(
            f,
            "{person:<8} gap {gap:>6}   until proven {proof:>6}   extraction {extraction:>5}   decision {decision:>5}   caches {caches:>5}   {:?}",
            counted(&self.tries)
        )
    }
}

fn counted(tries: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    tries.iter().for_each(|why| *counted.entry(why.as_str()).or_default() += 1);
    counted
}

fn millis(time: &SignedDuration) -> i128 {
    time.as_millis()
}

/// Prints the distributions, in milliseconds.
pub fn report(ours: &[Swap], by_hand: &[Gap]) {
    println!("\n{:<44}{:>8}{:>8}{:>8}{:>8}   of", "ms", "min", "median", "p90", "max");
    for person in Person::ALL {
        let ours: Vec<&Swap> = ours.iter().filter(|swap| swap.person == person).collect();
        let of = |what: fn(&Swap) -> SignedDuration| ours.iter().map(|swap| what(swap)).collect::<Vec<_>>();
        let gaps = of(|swap| swap.gap);
        line(&format!("{person:?}: gap"), &gaps);
        line("  until the closing is proven", &of(|swap| swap.parts.proof));
        line("  extraction", &of(|swap| swap.parts.extraction));
        line("  decision, until the zone has it", &of(|swap| swap.parts.decision));
        line("  ours: the three together", &of(|swap| swap.parts.ours()));
        line("  caches (TTL 1 s)", &of(|swap| swap.parts.caches));
        line("  closing to the switch proven", &of(|swap| swap.whole));
        compared(&gaps, by_hand);
    }
    line("by hand: gap", by_hand);
}

fn compared(ours: &[SignedDuration], by_hand: &[Gap]) {
    if let (Some(ours), Some(by_hand)) = (median(ours), median(by_hand)) {
        let ratio = ours.as_secs_f64() / by_hand.as_secs_f64();
        println!("  the medians to those by hand: {ratio:.1} times, {} ms more", millis(&(ours - by_hand)));
    }
}

fn line(what: &str, times: &[SignedDuration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    if let ([least, ..], Some(median), Some(most)) = (times.as_slice(), median(&times), times.last()) {
        // The smallest that nine of ten are not above.
        let p90 = times[(times.len() * 9).div_ceil(10) - 1];
        println!("{what:<44}{:>8}{:>8}{:>8}{:>8}   {}", millis(least), millis(&median), millis(&p90), millis(most), times.len());
    }
}

fn median(times: &[SignedDuration]) -> Option<SignedDuration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
