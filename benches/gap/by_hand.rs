//! The same swap by a shell script: close the serving node, move the name, look at nothing.

use std::process::Command;
use std::time::Duration;

use changeover::domain::ids::NodeId;
use jiff::{SignedDuration, Timestamp};

use super::daemon::until;
use super::figures::Gap;
use super::stage::{SECRET, SERVICE, Stage};

/// Moves the service from the node that serves to the other.
pub fn swap(stage: &Stage, random: &mut fastrand::Rng) -> Gap {
    let from = stage.leads_to().expect("a node serves");
    stage.simulator.current().perform("open", from.other(), None).expect("it opens");
    // The cache's age is then anything up to the TTL.
    std::thread::sleep(Duration::from_secs_f64(1.5 + random.f64()));
    until("a page before the swap", || stage.client.last(from, Timestamp::now() - SignedDuration::from_millis(500)));
    let begun = Timestamp::now();
    let status = Command::new("sh").args(["-c", &script(stage, from)]).status().expect("a shell");
    assert!(status.success(), "the shell's swap failed");
    stage.gap(begun, from.other()).0
}

fn script(stage: &Stage, from: NodeId) -> String {
    let (control, zone) = (stage.simulator.control, stage.zone.address);
    let [old, new] = [from, from.other()].map(|node| stage.simulator.nodes[node].ip());
    format!(
        "set -eu
curl --silent --fail --output /dev/null -X POST http://{control}/sim/v1/{from}/close
printf '%s\\n' 'server {} {}' 'zone example.com' 'prereq yxrrset {SERVICE} A {old}' \\
  'update delete {SERVICE} A' 'update add {SERVICE} 1 A {new}' send | nsupdate -v -y hmac-sha256:changeover:{SECRET}",
        zone.ip(),
        zone.port()
    )
}
