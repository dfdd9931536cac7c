//! What must hold among all sites together.

use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::reader::At;
use super::site_file::SiteInput;
use crate::domain::ids::{NodeId, RunId};

/// A word that belongs to one owner only.
struct Claim {
    /// Compared.
    key: String,
    /// Shown.
    text: String,
    owner: String,
    file: PathBuf,
    line: usize,
}

/// R12: a node's identity belongs to one node of one site. Likewise a service's name and a record.
pub(super) fn check(sites: &[(PathBuf, SiteInput)]) -> Vec<Problem> {
    let mut problems = claimed_twice("identity", sites.iter().flat_map(|(file, site)| identities(file, site)));
    problems.extend(claimed_twice("service", sites.iter().filter_map(|(file, site)| service(file, site))));
    problems.extend(records(sites));
    problems.extend(run_names(sites));
    problems.extend(rehearsal_sites(sites));
    problems
}

fn claimed_twice(what: &str, claims: impl Iterator<Item = Claim>) -> Vec<Problem> {
    let mut known: Vec<Claim> = Vec::new();
    let mut problems = Vec::new();
    for claim in claims {
        match known.iter().find(|other| other.key == claim.key) {
            Some(first) => problems.push(refusal(what, &claim, first)),
            None => known.push(claim),
        }
    }
    problems
}

fn refusal(what: &str, claim: &Claim, first: &Claim) -> Problem {
    let (text, owner, place) = (&claim.text, &first.owner, first.file.display());
    Problem::new(&claim.file, claim.line, format!("{what} `{text}` already belongs to {owner} ({place}:{})", first.line))
}

fn owner(file: &Path) -> String {
    format!("site `{}`", file.file_stem().unwrap_or_default().to_string_lossy())
}

fn identities<'a>(file: &'a Path, site: &'a SiteInput) -> impl Iterator<Item = Claim> {
    NodeId::BOTH.into_iter().filter_map(move |node| {
        let identity = site.nodes[node].identity.as_ref()?;
        // GUIDs are written in either case, with and without braces.
        let key = identity.value.trim_matches(['{', '}']).to_lowercase();
        let owner = format!("node `{node}` of {}", owner(file));
        Some(Claim { key, text: identity.value.clone(), owner, file: file.to_owned(), line: identity.line })
    })
}

fn service(file: &Path, site: &SiteInput) -> Option<Claim> {
    let At { value, line } = site.service.as_ref()?;
    Some(Claim { key: value.clone(), text: value.clone(), owner: owner(file), file: file.to_owned(), line: *line })
}

/// Entries of one site were compared when its file was read.
fn records(sites: &[(PathBuf, SiteInput)]) -> Vec<Problem> {
    let mut known: Vec<(&At<String>, &PathBuf)> = Vec::new();
    let mut problems = Vec::new();
    for (file, site) in sites {
        for moved in &site.moved {
            match known.iter().find(|(other, place)| other.value == moved.value && *place != file) {
                Some((first, place)) => {
                    let message =
                        format!("{} is already moved by {} ({}:{})", moved.value, owner(place), place.display(), first.line);
                    problems.push(Problem::new(file, moved.line, message));
                }
                None => known.push((moved, file)),
            }
        }
    }
    problems
}

/// R11: a rehearsal takes place on another site of this daemon.
fn rehearsal_sites(sites: &[(PathBuf, SiteInput)]) -> Vec<Problem> {
    let named = |wanted: &str| sites.iter().any(|(_, site)| site.name.as_ref().is_some_and(|name| name.value == wanted));
    let wrong = sites.iter().filter_map(|(file, site)| {
        let input = site.roles.rehearsal.as_ref()?;
        let value = &input.policy.site;
        let own = site.name.as_ref().is_some_and(|name| name.value == *value);
        let message = match (own, named(value)) {
            (true, _) => "a rehearsal takes place on another site".to_owned(),
            (_, true) => return None,
            (_, false) => format!("no site is named `{value}`"),
        };
        Some(Problem::new(file, input.line, format!("`site` in `[policy.rehearsal]`: {message}")))
    });
    wrong.collect()
}

/// Commands take a run or a site, so no site may be called like a run of another.
fn run_names(sites: &[(PathBuf, SiteInput)]) -> Vec<Problem> {
    let named = |wanted: &str| sites.iter().any(|(_, site)| site.name.as_ref().is_some_and(|name| name.value == wanted));
    let names = sites.iter().filter_map(|(file, site)| Some((file, site.name.as_ref()?)));
    let clashes = names.filter_map(|(file, name)| {
        let run: RunId = name.value.parse().ok().filter(|run: &RunId| named(&run.site))?;
        let message = format!("site name `{}` reads like run {} of site `{}`; choose another", name.value, run.number, run.site);
        Some(Problem::new(file, name.line, message))
    });
    clashes.collect()
}
