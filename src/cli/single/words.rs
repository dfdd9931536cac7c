//! What is said of packages, backups and users.

use crate::cli::output;
use crate::domain::single::Offer;
use crate::domain::site::Observation;
use crate::ports::ProducedFile;

pub fn backed_up(file: &ProducedFile) -> String {
    format!("backed up: {} ({} bytes, SHA-256 {})", file.path.display(), file.bytes, file.sha256)
}

pub fn people(now: &Observation) -> String {
    match now.users {
        Some(0) => "nobody is logged in".to_owned(),
        Some(1) => "one user is logged in and may be disconnected".to_owned(),
        Some(users) => format!("{users} users are logged in and may be disconnected"),
        None => "how many users are logged in is not known".to_owned(),
    }
}

pub fn described(offer: &Offer) -> String {
    format!("`{}` ({}): {}", offer.name, offer.version, way(offer))
}

fn way(offer: &Offer) -> String {
    offer.waits_for.clone().unwrap_or_else(|| "can be installed".to_owned())
}

pub fn table(offers: &[Offer]) -> String {
    if offers.is_empty() {
        return "nothing is offered\n".to_owned();
    }
    let row = |offer: &Offer| vec![offer.version.to_string(), offer.name.clone(), way(offer)];
    output::table(&offers.iter().map(row).collect::<Vec<_>>())
}
