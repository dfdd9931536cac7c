//! What helps, by what happened.

use super::{gates, release};
use crate::domain::action::Kind;
use crate::domain::gate;
use crate::domain::run::Run;
use crate::domain::{backups, booking};

/// What helps, by the code of a hold or notice.
pub fn hint_of(code: &str, run: &Run) -> String {
    let id = &run.id;
    let resume = format!("then `changeover resume {id}`");
    match code {
        "sync_failed" if run.unprotected_since().is_some() => {
            format!("look at the failover page of node `{}` and ask for a sync there, {resume}", run.survivor)
        }
        "half_broken" => format!("break the link on the node that still shows it, {resume}"),
        "half_established" => {
            format!("break the link on the node that shows it, or finish it from node `{}`, {resume}", run.survivor)
        }
        "sync_failed" => format!("look at the failover page of both nodes, {resume}: a new sync is asked for"),
        "sync_status_unknown" => format!(
            "if this exact text means a good sync: `changeover confirm {id} sync_status --note …`; else mend the sync, {resume}"
        ),
        gate::BACKUP_FAR_SMALLER => format!(
            "look at the node and at its last backup; if a backup of this size is whole: `changeover confirm {id} smaller_backup --note …`; else mend it, {resume}: another one is taken"
        ),
        backups::MISSING => format!(
            "fetch what `missing-recordings.csv` names by hand while node `{}` has it, or give the API account its right to recordings, {resume}: they are asked for once more, and as many as are missing now are then taken as lost",
            run.step().and_then(|step| step.node).unwrap_or(run.plan.primary)
        ),
        "window_missed" => {
            format!("book another window: `changeover resume {id} --window \"2026-11-22T02:00[Europe/Berlin] +4h\"`")
        }
        booking::HOLD => format!(
            "book another window two: `changeover resume {id} --second \"START +LENGTH\"` or `--second next` (`changeover windows {}` shows them), and `--responsible USER` where nobody is",
            run.id.site
        ),
        "role_conflict" => {
            format!(
                "break the link on both nodes now (/login > Management > Failover), look at the data as docs/guides/both-primary.md says, {resume}"
            )
        }
        "shared_address_twice" => format!(
            "disable the shared address on node `{}` now (/appliance, network settings); some two minutes later, as health may be told late, {resume}",
            run.survivor.other()
        ),
        "both_standby" => format!(
            "nobody serves: make node `{}` primary at its own page (/login > Management > Failover > Become Primary), {resume}",
            run.survivor
        ),
        "out_of_band" => {
            format!("somebody changed the pair; look at it, {resume}: what is already so counts if no rule speaks against it")
        }
        "warning_not_accepted" => {
            format!("look at each; accept it by its name: `changeover accept {id} NAME --reason …`; or put it right, {resume}")
        }
        "access_refused" => format!(
            "check the API account at that node (/login > Management > API Configuration): there, enabled, not locked, its secret; \
             {}",
            if run.hold().is_some() {
                resume
            } else {
                format!("then `changeover hold {id}` and `changeover resume {id}`: resuming tries it again")
            }
        ),
        "drain_limit" => format!("ask the users who are left to finish, or end their sessions in the console, {resume}"),
        "step_failed" if run.step().is_some_and(|step| is_traffic(step.kind)) => format!(
            "put right what stands against it, try it with `changeover traffic test {}`, which changes nothing, {resume}",
            run.id.site
        ),
        "rejected" => gates::after_rejection(run),
        "gate_expired" => format!(
            "to ask again: `changeover resume {id}`; to give the run up: `changeover abort {id}` shows the way home and asks"
        ),
        "evidence_changed" => format!("find out why it keeps changing, {resume}: it is asked again"),
        "switched_back" => {
            format!(
                "the pair is at rest; `changeover abort {id}` looks for the way home from here, `changeover close {id} --as STATE --note …` ends the run"
            )
        }
        "node_unreachable" if run.hold().is_none() => {
            format!(
                "look at the node and the way to it; the run goes on by itself once it answers; what leads on without it: `changeover status {id}`"
            )
        }
        "harbour" => harbour(run),
        "wrong_box" => wrong_box(run),
        "sync_too_old" => format!(
            "let a sync run (/login > Management > Failover), or set the clocks by NTP if the last one is dated later than now, {resume}"
        ),
        "clock_skew" => format!("set the clocks of both nodes and of this machine by NTP, {resume}"),
        "node_replaced" => {
            format!("look at both nodes (`changeover status {id}`), {resume}, or take the way home: `changeover abort {id}`")
        }
        "rehearsed" => release::helps(run),
        "operator" => format!("`changeover resume {id}` when it may go on"),
        "unprotected_too_long" if run.is_finished() => {
            format!("link the pair by hand, or have another run take it over: `changeover adopt {}`", run.id.site)
        }
        "unprotected_too_long" | "exposure_50" | "exposure_80" => "end the unprotected time: finish window two".to_owned(),
        "stray_session" | "back_open" => format!(
            "close node `{}` to clients, and find out who still reaches it, and how (by address, by an old DNS answer?)",
            run.survivor.other()
        ),
        "not_serving" => format!(
            "look at node `{}` now and let clients in again, or find who closed it; what leads on without it: `changeover abort {id}`",
            run.survivor
        ),
        "window_closing" => format!(
            "what does not begin in time waits for another window: `changeover resume {id} --window …` once the run is held; before that, `changeover hold {id}` first"
        ),
        "second_window_lost" => second_window_lost(run),
        "soak_inconclusive" => format!("see that people work on node `{}`, or accept it knowing that nobody did", run.survivor),
        "soak_too_long" => format!("decide on the new version, or book window two: `changeover status {id}`"),
        code if code.starts_with("soak_") => {
            format!(
                "look at it; the run does nothing to the pair meanwhile, and goes on by itself once it is well (`changeover status {id}`)"
            )
        }
        "store_low" => {
            "free space on the disk of the state folder; only holds, the way home and switch-backs are taken meanwhile".to_owned()
        }
        _ => format!("look at the nodes, {resume}"),
    }
}

/// What is refused is refused by a name server, a program or a person, not by a node.
fn is_traffic(kind: Kind) -> bool {
    matches!(kind, Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl)
}

/// The ways on from harbour, each a person's decision.
fn harbour(run: &Run) -> String {
    let (id, left) = (&run.id, run.survivor.other());
    let accept = match run.open_gate() {
        Some(gate) => format!("if the new version is good in production: `changeover confirm {id} {gate}`, then, or "),
        None => String::new(),
    };
    format!(
        "{accept}once node `{left}` is put right (vendor, new image), `changeover abort {id}` looks for the way home again; or end the run: `changeover close {id} --as STATE --note …`"
    )
}

/// To resume with another box still there only holds the run again. The survivor's data went with its box, so that it is not replaced (R8).
fn wrong_box(run: &Run) -> String {
    let (id, site) = (&run.id, &run.id.site);
    let node = run.hold().and_then(|hold| hold.node).unwrap_or(run.survivor);
    let address =
        format!("see where the address of node `{node}` leads, and once the right box answers `changeover resume {id}`");
    if node == run.survivor {
        return format!(
            "{address}; if it is gone with the data that are kept, `changeover abort {id}` looks for a way without it"
        );
    }
    format!(
        "{address}; if the box was replaced: its identity into `[nodes.{node}]` of the site's file, restart the daemon, `changeover node replace {site} {node} --identity I`, then resume or abort"
    )
}

/// Another window two is booked in a hold, which does no harm between the windows.
fn second_window_lost(run: &Run) -> String {
    let id = &run.id;
    let hold = if run.hold().is_some() { String::new() } else { format!("`changeover hold {id}`, then ") };
    format!(
        "book another window two: {hold}`changeover resume {id} --second \"START +LENGTH\"` or `--second next` (`changeover windows {}` shows them)",
        id.site
    )
}
