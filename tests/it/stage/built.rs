//! How a stage is put together: the operator's packages, the sites with their ports, and the fleet above them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::journal::hex;
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::site::{Node, Site};
use changeover::domain::version::Version;
use changeover::engine::Around;
use changeover::engine::fleet::Fleet;
use changeover::engine::hooks::{Hooks, Route};
use changeover::engine::site::{SiteEntry, SitePorts};
use changeover::ports::Traffic;
use changeover::simulator::inprocess::{SimSite, VirtualClock, Zone};
use sha2::{Digest, Sha256};

use crate::memory::MemoryJournal;
use crate::telephone::Telephone;

use super::{LAB, SITE, Setting};

/// The versions of the setting's chain with the one before each, the target's last.
fn hops(setting: &Setting) -> impl Iterator<Item = (&'static str, &'static str)> {
    let path = [&[setting.versions.0], setting.chain.as_slice(), &[setting.versions.1]].concat();
    let before = path.clone();
    before.into_iter().zip(path.into_iter().skip(1))
}

pub(super) fn needs(setting: &Setting) -> Vec<(Version, Version)> {
    let hops = hops(setting).filter(|_| !setting.chain.is_empty());
    hops.map(|(before, to)| (to.parse().unwrap(), before.parse().unwrap())).collect()
}

/// The operator's files, with notes where they are a chain.
pub(super) fn lay_packages(folder: &Path, setting: &Setting) {
    lay_package(folder, "base.nss", b"a package");
    for (before, to) in hops(setting).filter(|_| !setting.chain.is_empty()) {
        let name = if to == setting.versions.1 { "base.nss".to_owned() } else { format!("{to}.nss") };
        if to != setting.versions.1 {
            lay_package(folder, &name, to.as_bytes());
        }
        std::fs::write(folder.join(format!("{name}.toml")), format!("version = \"{to}\"\nfrom = [\"{before}\"]\n")).unwrap();
    }
}

/// The operator's file, and the run's own copy of it: copying it would wait for the disk at every start.
fn lay_package(folder: &Path, name: &str, content: &[u8]) {
    let staged = folder.join("packages").join(hex(&Sha256::digest(content)));
    std::fs::create_dir_all(&staged).unwrap();
    for place in [folder.join(name), staged.join(name)] {
        std::fs::write(place, content).unwrap();
    }
}

pub(super) fn fleet(
    (site, lab): (&SimSite, &SimSite),
    clock: &Arc<VirtualClock>,
    journal: &Arc<MemoryJournal>,
    file: (&Setting, PerNode<String>),
    place: (PathBuf, Vec<Arc<dyn Traffic>>),
) -> (Arc<Fleet>, Arc<Around>) {
    let ((state, lines), (setting, identities)) = (place, file);
    let second = if setting.two_kinds { "::1" } else { "127.0.1.2" };
    let addresses = ["127.0.1.1".parse().unwrap(), second.parse().unwrap()];
    let node = |node: NodeId| Node { identity: identities[node].clone(), address: addresses[node.index()] };
    let mut ports = ports_of(site, lines);
    if let Some(entries) = &setting.traffic {
        ports.traffic = entries(site);
    }
    let site = Site {
        name: SITE.to_owned(),
        service: "support.example.com".to_owned(),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: setting.policy.clone(),
        calendar: setting.calendar.clone(),
    };
    let hooks =
        Hooks { alerts: vec![Route { hook: "ops".to_owned(), events: vec!["*".to_owned()] }], exports: vec!["safe".to_owned()] };
    let people = setting.people.clone();
    let around = Arc::new(Around { people, ..Around::new(journal.clone(), clock.clone(), hooks, state) });
    let procedures = built_in().iter().chain(&setting.own).cloned().collect();
    let mut entries = vec![SiteEntry { site: site.clone(), ports, first: None, second: None, responsible: None }];
    entries.extend(setting.lab.clone().map(|policy| {
        let site = Site { name: LAB.to_owned(), service: "lab.example.com".to_owned(), policy, ..site };
        SiteEntry { site, ports: ports_of(lab, vec![Arc::new(lab.traffic())]), first: None, second: None, responsible: None }
    }));
    (Fleet::new(around.clone(), entries, procedures, Vec::new()), around)
}

/// Loaded once in a process: to load one is to prove it, which took a tenth of the time of tests with many runs.
fn built_in() -> &'static [Procedure] {
    static BUILT: OnceLock<Vec<Procedure>> = OnceLock::new();
    BUILT.get_or_init(|| BUILT_IN.iter().map(|(name, text)| Procedure::load(name, text).unwrap()).collect())
}

/// The traffic entries: the zone, and its other view.
pub(super) fn lines(site: &SimSite, line: Telephone, view: &Option<Arc<Mutex<Zone>>>) -> Vec<Arc<dyn Traffic>> {
    let view = view.clone().map(|zone| Arc::new(site.view(zone)) as Arc<dyn Traffic>);
    std::iter::once(Arc::new(line) as Arc<dyn Traffic>).chain(view).collect()
}

fn ports_of(site: &SimSite, traffic: Vec<Arc<dyn Traffic>>) -> SitePorts {
    let nodes = PerNode { a: Arc::new(site.appliance(NodeId::A)) as _, b: Arc::new(site.appliance(NodeId::B)) as _ };
    SitePorts { nodes, traffic }
}
