//! `changeover adopt SITE`: a run from what is observed, after both nodes' listings and the way that was found were shown.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use crate::domain::ids::NodeId;
use crate::engine::api::AdoptRequest;
use crate::server::view::{Adoption, Listing, Started};

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, ask, order, output, way};

/// Take over a pair that was left half-way through an update; shows both nodes and the way home, and asks
#[derive(Args)]
pub struct Adopt {
    /// The site
    site: String,
    /// The node whose data are kept, by name or identity; needed unless the pair is linked
    #[arg(long, value_name = "NODE")]
    survivor: Option<String>,
    /// The version that was under way; by default the newer of both
    #[arg(long, value_name = "VERSION", value_parser = order::target)]
    to: Option<String>,
    /// The package, where an update is still needed
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
    /// A backup of before, as in `a=/backups/a.nsb`; may be repeated
    #[arg(long, value_name = "NODE=FILE", value_parser = backup)]
    backup: Vec<(NodeId, PathBuf)>,
    /// Since when the nodes may have different data, as in 2026-11-22T01:00:00Z; by default their last sync, else 30 days
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// What the pair ran when failover was broken, where both nodes run something newer by now: below 10.6 a link may lose more
    #[arg(long, value_name = "VERSION", value_parser = order::target)]
    broken_on: Option<String>,
    /// You vouch that the newer version is accepted in production
    #[arg(long)]
    accepted: bool,
    /// The window for an update that is still needed; by default the site's second
    #[arg(long, value_name = "WINDOW", value_parser = order::window)]
    second: Option<String>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Adopt {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let request = self.request()?;
        let found: Adoption = client.order(&self.site, &["sites", &self.site, "adopt", "plan"], &request)?.read()?;
        output::tell(&page(&found));
        if let Some(error) = found.refused {
            return Err(client.in_zone_of_site(&self.site, Failure::answered(Exit::NotMet, error)));
        }
        if !self.yes {
            ask::sure(&format!("this starts a run that takes over site `{}`", self.site), "take it over?")?;
        }
        let ids = |way: &crate::server::view::Way| way.steps.iter().map(|step| step.id.clone()).collect();
        let request = AdoptRequest { way: found.way.as_ref().map(ids), ..request };
        let reply = client.order(&self.site, &["sites", &self.site, "adopt"], &request)?;
        let Started { run } = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?
        } else {
            output::say(&run.to_string())?
        }
        output::tell(&format!("follow it with `changeover watch {run}`"));
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Adopt {
    fn request(&self) -> Result<AdoptRequest, Failure> {
        let backup = |node: NodeId| self.backup.iter().find(|(of, _)| *of == node).map(|(_, file)| order::absolute(file));
        Ok(AdoptRequest {
            survivor: self.survivor.clone(),
            to: self.to.clone(),
            package: self.package.as_ref().map(|package| order::absolute(package)).transpose()?,
            backup_a: backup(NodeId::A).transpose()?,
            backup_b: backup(NodeId::B).transpose()?,
            since: self.since,
            broken_on: self.broken_on.clone(),
            accepted: self.accepted,
            second: self.second.clone(),
            note: self.note.clone(),
            way: None,
        })
    }
}

fn backup(text: &str) -> Result<(NodeId, PathBuf), String> {
    let (node, file) = text.split_once('=').ok_or("expected NODE=FILE, as in `a=/backups/a.nsb`")?;
    Ok((node.parse().map_err(|error: crate::domain::ids::NotANode| error.to_string())?, file.into()))
}

/// Both listings side by side, and the way.
fn page(found: &Adoption) -> String {
    let mut page = format!("site `{}`: {}\n{}", found.site, found.link, listings(found));
    if let (Some(survivor), Some(from), Some(to)) = (found.survivor, &found.from, &found.to) {
        page.push_str(&format!("\nfrom {from} to {to}; the data of node {survivor} are kept\n"));
    }
    if let Some(way) = &found.way {
        page.push_str(&way::told("the way home", way));
    }
    if let Some(other) = &found.other {
        page.push_str(&format!("\n{}", way::told("the next best", other)));
    }
    page
}

fn listings(found: &Adoption) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let number = |value: Option<u32>| value.map_or_else(|| "not told".to_owned(), |value| value.to_string());
    let yes = |value: Option<bool>| value.map_or("not told", |value| if value { "yes" } else { "no" }).to_owned();
    let sync = |listing: &Listing| match (listing.last_sync_at, &listing.last_sync_status) {
        (Some(at), Some(status)) => format!("{at} ({status})"),
        (Some(at), None) => at.to_string(),
        _ => "none told".to_owned(),
    };
    let row =
        |name: &str, cell: &dyn Fn(&Listing) -> String| vec![format!("  {name}"), cell(&found.nodes.a), cell(&found.nodes.b)];
    let mut rows = vec![
        vec![String::new(), "node a".to_owned(), "node b".to_owned()],
        row("identity", &|listing| text(&listing.identity)),
        row("version", &|listing| text(&listing.version)),
        row("build", &|listing| text(&listing.build)),
        row("role", &|listing| listing.role.map_or("-", crate::domain::site::Role::as_str).to_owned()),
        row("healthy", &|listing| yes(listing.healthy)),
        row("users", &|listing| number(listing.users)),
        row("sessions", &|listing| number(listing.sessions)),
        row("last sync", &sync),
        row("takes clients", &|listing| yes(listing.takes_clients)),
        row("named", &|listing| yes(Some(listing.named))),
    ];
    if found.nodes.a.error.is_some() || found.nodes.b.error.is_some() {
        rows.push(row("no answer", &|listing| text(&listing.error)));
    }
    output::table(&rows)
}
