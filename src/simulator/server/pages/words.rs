//! What stands on the pages, in the two languages that a node may speak.

/// The language of a node's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    German,
}

/// Every visible word.
pub struct Words {
    pub code: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub log_in: &'static str,
    pub not_let_in: &'static str,
    pub status: &'static str,
    pub management: &'static str,
    pub failover: &'static str,
    pub sync_now: &'static str,
    pub break_link: &'static str,
    pub primary: &'static str,
    pub standby: &'static str,
    pub unlinked: &'static str,
    pub peer_host: &'static str,
    pub peer_port: &'static str,
    pub reverse_host: &'static str,
    pub establish: &'static str,
    pub taken: &'static str,
    pub updates: &'static str,
    pub update_file: &'static str,
    pub update_software: &'static str,
    pub install: &'static str,
    pub warning: &'static str,
    pub installing: &'static str,
    pub sure: &'static str,
    pub confirm: &'static str,
    pub cancel: &'static str,
    pub second_factor: &'static str,
    pub code_field: &'static str,
    pub maintenance: &'static str,
    pub error: &'static str,
    pub stale: &'static str,
}

impl Language {
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

const ENGLISH: Words = Words {
    code: "en",
    username: "Username",
    password: "Password",
    log_in: "Login",
    not_let_in: "The username or password is not correct.",
    status: "Status",
    management: "Management",
    failover: "Failover",
    sync_now: "Sync Now",
    break_link: "Break Failover Relationship(s)",
    primary: "This site instance is the primary.",
    standby: "This site instance is the backup.",
    unlinked: "There is no failover relationship.",
    peer_host: "Peer Host Name or IP Address",
    peer_port: "Peer TLS Port",
    reverse_host: "Reverse Host Name or IP Address",
    establish: "Establish Failover Relationship",
    taken: "The request was taken.",
    updates: "Updates",
    update_file: "Update File",
    update_software: "Update Software",
    install: "Install",
    warning: "Connected users may be disconnected while the update is being installed.",
    installing: "Installing",
    sure: "Are you sure?",
    confirm: "Confirm",
    cancel: "Cancel",
    second_factor: "Two-Factor Authentication",
    code_field: "Authentication Code",
    maintenance: "This page is not available during maintenance.",
    error: "Error: the request could not be carried out.",
    stale: "This form is out of date.",
};

const GERMAN: Words = Words {
    code: "de",
    username: "Benutzername",
    password: "Kennwort",
    log_in: "Anmelden",
    not_let_in: "Benutzername oder Kennwort ist nicht richtig.",
    status: "Status",
    management: "Verwaltung",
    failover: "Failover",
    sync_now: "Jetzt synchronisieren",
    break_link: "Failover-Beziehung(en) aufheben",
    primary: "Diese Instanz ist die primäre.",
    standby: "Diese Instanz ist die Sicherungsinstanz.",
    unlinked: "Es besteht keine Failover-Beziehung.",
    peer_host: "Hostname oder IP-Adresse der Gegenstelle",
    peer_port: "TLS-Port der Gegenstelle",
    reverse_host: "Hostname oder IP-Adresse für den Rückweg",
    establish: "Failover-Beziehung herstellen",
    taken: "Der Auftrag wurde angenommen.",
    updates: "Aktualisierungen",
    update_file: "Aktualisierungsdatei",
    update_software: "Software aktualisieren",
    install: "Installieren",
    warning: "Verbundene Benutzer können während der Installation getrennt werden.",
    installing: "Es wird installiert:",
    sure: "Sind Sie sicher?",
    confirm: "Bestätigen",
    cancel: "Abbrechen",
    second_factor: "Zwei-Faktor-Authentifizierung",
    code_field: "Bestätigungscode",
    maintenance: "Diese Seite steht während der Wartung nicht zur Verfügung.",
    error: "Fehler: Der Auftrag konnte nicht ausgeführt werden.",
    stale: "Dieses Formular ist veraltet.",
};
