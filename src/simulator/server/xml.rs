//! The documents of the vendor's command and reporting interface, as text.
//!
//! # Source
//! `spec/beyondtrust.md` sections 2 and 4: element names, attributes and fixed texts. The namespace is the generation's (BG-52).

use std::fmt::Write as _;

use jiff::Timestamp;
use quick_xml::escape::escape;

pub use super::generation::Api;
use super::generation::Generation;
use crate::domain::site::Role;
use crate::domain::version::Version;
use crate::simulator::files::SessionFile;
use crate::simulator::world::{Facts, version_text};

/// The attribute that names the namespace, with a leading blank; empty before 10.6.
pub fn namespace(version: &Version, api: Api) -> String {
    Generation::of(version).namespace(api).map(|name| format!(r#" xmlns="{name}""#)).unwrap_or_default()
}

/// A whole document with this root.
pub fn document(root: &str, namespace: &str, content: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{namespace}>{content}</{root}>\n")
}

/// An `<error>` as the root.
pub fn error(version: &Version, api: Api, message: &str) -> String {
    document("error", &namespace(version, api), &escape(message))
}

/// A `<success>` as the root.
pub fn success(version: &Version, message: &str) -> String {
    document("success", &namespace(version, Api::Command), &escape(message))
}

/// The vendor's word for a role.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Standby => "backup",
        Role::Standalone => "none",
    }
}

/// The vendor's ISO 8601 text: milliseconds and an offset without a colon, so not RFC 3339.
pub fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// `check_health`. The sync elements are there only if the node has such facts.
pub fn health(facts: &Facts, host: &str) -> String {
    let Facts { identity, version, build, role, healthy, last_sync, shared_ips, .. } = facts;
    let mut content = format!(r#"<appliance id="{identity}">{}</appliance>"#, escape(host));
    let text = version_text(version, build);
    let _ = write!(content, "<version>{}</version><success>{}</success>", escape(text.as_str()), u8::from(*healthy));
    if !healthy {
        content.push_str("<error_message>A required service is not running.</error_message>");
    }
    let _ = write!(content, "<failover_role>{}</failover_role>", role_word(*role));
    if !shared_ips.is_empty() {
        let ips: String = shared_ips.iter().map(|ip| format!("<ip>{ip}</ip>")).collect();
        let _ = write!(content, "<enabled_shared_ips>{ips}</enabled_shared_ips>");
    }
    if let Some(sync) = last_sync {
        let (ts, time) = (sync.at.as_second(), time_text(sync.at));
        let _ = write!(content, r#"<last_data_sync_time ts="{ts}">{time}</last_data_sync_time>"#);
        let _ = write!(content, "<last_data_sync_status>{}</last_data_sync_status>", escape(sync.status.as_str()));
    }
    document("health_check", &namespace(version, Api::Command), &content)
}

/// `get_api_info`: the node's clock and the account's permissions.
pub fn api_info(version: &Version, company: &str, now: Timestamp) -> String {
    let permissions = [
        ("perm_command", "full_access"),
        ("perm_reporting_support", "1"),
        ("perm_backup", "1"),
        ("perm_real_time_state", "0"),
        ("perm_vault_backup", "0"),
    ];
    let permissions = permissions.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = write!(text, r#"<permission name="{name}">{value}</permission>"#);
        text
    });
    let (company, now) = (escape(company), now.as_second());
    let content = format!(
        "<api_version>1.24.1</api_version><company_name>{company}</company_name><timestamp>{now}</timestamp>\
         <permissions>{permissions}</permissions>"
    );
    document("api_information", &namespace(version, Api::Command), &content)
}

/// One member of the pair in `get_appliances`.
pub struct Member<'a> {
    pub identity: &'a str,
    pub host: &'a str,
    pub role: Role,
}

/// `get_appliances`: the answering box first. `accepting_connections` says nothing about a standby.
pub fn appliances(version: &Version, service: &str, members: &[Member<'_>]) -> String {
    let content = members.iter().fold(String::new(), |mut text, Member { identity, host, role }| {
        let (host, service, role) = (escape(*host), escape(service), role_word(*role));
        let _ = write!(text, r#"<appliance id="{identity}"><name>{host}</name><public_hostname>{service}</public_hostname>"#);
        let _ = write!(text, "<cluster_role>single</cluster_role><failover_role>{role}</failover_role>");
        text.push_str("<accepting_connections>1</accepting_connections><timezone_offset>0</timezone_offset></appliance>");
        text
    });
    document("appliance_list", &namespace(version, Api::Command), &content)
}

/// One logged-in person.
pub struct Rep<'a> {
    pub id: usize,
    pub name: &'a str,
    pub since: Timestamp,
    pub sessions: u32,
}

/// `get_logged_in_reps`.
pub fn reps(version: &Version, reps: &[Rep<'_>]) -> String {
    let content = reps.iter().fold(String::new(), |mut text, Rep { id, name, since, sessions }| {
        let (name, ts, since) = (escape(*name), since.as_second(), time_text(*since));
        let _ = write!(text, r#"<rep id="{id}"><display_name>{name}</display_name><type>Normal</type>"#);
        let _ = write!(text, r#"<logged_in_since ts="{ts}">{since}</logged_in_since>"#);
        let _ =
            write!(text, "<support_session_count>{sessions}</support_session_count><presentation_count>0</presentation_count>");
        text.push_str("<showing_on_rep_list>1</showing_on_rep_list></rep>");
        text
    });
    document("logged_in_reps", &namespace(version, Api::Command), &content)
}

/// `get_connected_client_list` with counts only.
pub fn client_counts(facts: &Facts, kind: &str) -> String {
    let all =
        [("representative", facts.users), ("support_customer", facts.sessions), ("presentation_attendee", 0), ("push_agent", 0)];
    let counts = all.iter().filter(|(name, _)| kind == "all" || kind == *name).fold(String::new(), |mut text, (name, count)| {
        let _ = write!(text, r#"<count type="{name}">{count}</count>"#);
        text
    });
    let content = format!(r#"<appliance id="{}">{counts}</appliance>"#, facts.identity);
    document("connected_client_list", &namespace(&facts.version, Api::Command), &content)
}

/// The `SupportSession` report.
pub fn session_list(version: &Version, sessions: &[SessionFile]) -> String {
    let content: String = sessions.iter().map(|session| one_session("session", session)).collect();
    document("session_list", &namespace(version, Api::Reporting), &content)
}

/// The `SupportSessionListing` report.
pub fn session_listing(version: &Version, sessions: &[SessionFile]) -> String {
    let content: String = sessions.iter().map(|session| one_session("session_summary", session)).collect();
    document("session_summary_list", &namespace(version, Api::Reporting), &content)
}

fn one_session(element: &str, session: &SessionFile) -> String {
    let SessionFile { lsid, lseq, user, start, end, .. } = session;
    let mut text = format!(r#"<{element} lsid="{lsid}"><session_type>support</session_type>"#);
    if let Some(lseq) = lseq {
        let _ = write!(text, "<lseq>{lseq}</lseq>");
    }
    let _ = write!(text, r#"<start_time timestamp="{}">{}</start_time>"#, start.as_second(), time_text(*start));
    match end {
        Some(end) => {
            let seconds = end.duration_since(*start).as_secs();
            let _ = write!(text, r#"<end_time timestamp="{}">{}</end_time>"#, end.as_second(), time_text(*end));
            let _ = write!(text, "<duration>{:02}:{:02}:{:02}</duration>", seconds / 3600, seconds / 60 % 60, seconds % 60);
        }
        None => text.push_str(r#"<end_time timestamp=""></end_time><duration></duration>"#),
    }
    text.push_str("<file_transfer_count>0</file_transfer_count>");
    text.push_str(&links(session));
    let _ = write!(text, "<customer_list><customer><username>Customer of {}</username>", escape(user.as_str()));
    let _ = write!(text, "<hostname>pc-{}</hostname></customer></customer_list>", start.as_second() % 1000);
    let _ = write!(text, "<rep_list><representative><username>{}", escape(user.as_str()));
    let _ = write!(text, "</username></representative></rep_list></{element}>");
    text
}

/// Where recordings can be downloaded, for a person with a browser. How the element around a command shell's link is called is the
/// simulator's choice.
fn links(session: &SessionFile) -> String {
    let (lsid, host) = (&session.lsid, "https://support.example.com/session_download.ns");
    let mut text = String::new();
    if session.media.screen {
        let _ = write!(text, "<session_recording_download_url>{host}?lsid={lsid}</session_recording_download_url>");
    }
    if session.media.shells > 0 {
        text.push_str("<command_shell_recordings>");
        for number in 0..session.media.shells {
            let link = format!("<download_url>{host}?lsid={lsid}&amp;instance={number}</download_url>");
            let _ = write!(text, r#"<command_shell_recording instance="{number}">{link}</command_shell_recording>"#);
        }
        text.push_str("</command_shell_recordings>");
    }
    text
}
