//! The visible words of the vendor's pages by which the daemon finds fields, buttons and links.
//!
//! One table: each thing that is looked for, its key in a site's file, and its words in English and German. A site whose pages
//! say it otherwise gives its own word, which then stands alone.
//!
//! # Source
//! The vendor's guides name the pages (`/login > Management > Failover`, `/appliance > Updates`) and the buttons `Sync Now` and
//! `Break Failover Relationship(s)`. All other words, and all German ones, are assumptions of ours: no text was found that gives
//! them.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Something that is looked for on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    Username,
    Password,
    LogIn,
    Management,
    Failover,
    SyncNow,
    BreakFailover,
    PeerHost,
    PeerPort,
    ReverseHost,
    Establish,
    Updates,
    UpdateFile,
    UpdateSoftware,
    Install,
    Installing,
    CheckForUpdates,
    AvailableAfter,
    NoUpdates,
    Confirm,
    SecondFactor,
    SingleSignOn,
    Maintenance,
    Error,
}

/// A row of the table.
pub struct Row {
    pub label: Label,
    /// The key in `[nodes.a.console.labels]`.
    pub name: &'static str,
    /// What is looked for, for messages: `button`, `link`.
    pub what: &'static str,
    pub words: &'static [&'static str],
}

const fn row(label: Label, name: &'static str, what: &'static str, words: &'static [&'static str]) -> Row {
    Row { label, name, what, words }
}

/// Every label there is.
pub const TABLE: [Row; 24] = [
    row(Label::Username, "username_field", "field", &["Username", "Benutzername"]),
    row(Label::Password, "password_field", "field", &["Password", "Kennwort", "Passwort"]),
    row(Label::LogIn, "log_in", "button", &["Login", "Log In", "Anmelden"]),
    row(Label::Management, "management", "link", &["Management", "Verwaltung"]),
    row(Label::Failover, "failover", "link", &["Failover"]),
    row(Label::SyncNow, "sync_now", "button", &["Sync Now", "Jetzt synchronisieren"]),
    row(
        Label::BreakFailover,
        "break_failover",
        "button",
        &[
            "Break Failover Relationship(s)",
            "Break Failover Relationship",
            "Break Failover Relationships",
            "Failover-Beziehung(en) aufheben",
            "Failover-Beziehung aufheben",
        ],
    ),
    row(Label::PeerHost, "peer_host", "field", &["Peer Host Name or IP Address", "Hostname oder IP-Adresse der Gegenstelle"]),
    row(Label::PeerPort, "peer_port", "field", &["Peer TLS Port", "TLS-Port der Gegenstelle"]),
    row(
        Label::ReverseHost,
        "reverse_host",
        "field",
        &["Reverse Host Name or IP Address", "Hostname oder IP-Adresse für den Rückweg"],
    ),
    row(Label::Establish, "establish", "button", &["Establish Failover Relationship", "Failover-Beziehung herstellen"]),
    row(Label::Updates, "updates", "link", &["Updates", "Aktualisierungen"]),
    row(Label::UpdateFile, "update_file", "field", &["Update File", "Aktualisierungsdatei"]),
    row(Label::UpdateSoftware, "update_software", "button", &["Update Software", "Software aktualisieren"]),
    row(Label::Install, "install", "button", &["Install", "Install This Update", "Installieren"]),
    row(Label::Installing, "installing", "text", &["Installing", "wird installiert"]),
    row(
        Label::CheckForUpdates,
        "check_for_updates",
        "button",
        &["Check for Updates", "Check for Updates Now", "Nach Aktualisierungen suchen", "Nach Updates suchen"],
    ),
    row(Label::AvailableAfter, "available_after", "text", &["available after", "requires", "verfügbar nach", "erfordert"]),
    row(
        Label::NoUpdates,
        "no_updates",
        "text",
        &["No updates", "up to date", "Keine Aktualisierungen", "Keine Updates", "auf dem neuesten Stand"],
    ),
    row(Label::Confirm, "confirm", "button", &["Confirm", "OK", "Yes", "Continue", "Bestätigen", "Ja", "Fortfahren"]),
    row(
        Label::SecondFactor,
        "second_factor",
        "text",
        &["Two-Factor", "Two Factor", "Authentication Code", "Verification Code", "Zwei-Faktor", "Bestätigungscode"],
    ),
    row(Label::SingleSignOn, "single_sign_on", "text", &["Single Sign-On", "SAML", "Einmalanmeldung"]),
    row(Label::Maintenance, "maintenance", "text", &["Maintenance", "Wartung"]),
    row(Label::Error, "error", "text", &["Error", "failed", "could not", "Fehler", "fehlgeschlagen", "konnte nicht"]),
];

impl Label {
    fn row(self) -> &'static Row {
        // The test below finds every label in the table; the first row stands for none.
        TABLE.iter().find(|row| row.label == self).unwrap_or(&TABLE[0])
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is on a page, for messages.
    pub fn what(self) -> &'static str {
        self.row().what
    }
}

impl FromStr for Label {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.label).ok_or(())
    }
}

/// The words in force at one node: the table's, but for those that the site gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(BTreeMap<Label, String>);

impl Labels {
    /// Gives a label a word of the site's own, instead of the table's.
    pub fn set(&mut self, label: Label, word: String) {
        self.0.insert(label, word);
    }

    /// The words that count as this label.
    pub fn words(&self, label: Label) -> Vec<&str> {
        match self.0.get(&label) {
            Some(own) => vec![own],
            None => label.row().words.to_vec(),
        }
    }

    /// For messages: ``button `Sync Now` ``, by the first of its words.
    pub fn named(&self, label: Label) -> String {
        format!("{} `{}`", label.what(), self.words(label).first().unwrap_or(&label.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_has_one_row() {
        for row in &TABLE {
            assert_eq!(row.name.parse(), Ok(row.label));
            assert_eq!(TABLE.iter().filter(|other| other.label == row.label).count(), 1, "{}", row.name);
            assert!(!row.words.is_empty() && row.words.iter().all(|word| !word.trim().is_empty()), "{}", row.name);
        }
        assert_eq!(TABLE.len(), Label::Error as usize + 1);
    }

    #[test]
    fn a_site_s_word_stands_alone() {
        let mut labels = Labels::default();
        assert!(labels.words(Label::SyncNow).contains(&"Jetzt synchronisieren"));
        labels.set(Label::SyncNow, "Synchroniser".to_owned());
        assert_eq!(labels.words(Label::SyncNow), ["Synchroniser"]);
        assert_eq!(labels.named(Label::SyncNow), "button `Synchroniser`");
    }
}
