//! The pages themselves.

use std::fmt::Write as _;

use http_body_util::Full;
use hyper::{Response, StatusCode};
use quick_xml::escape::escape;

use super::Browser;
use super::sessions::Part;
use crate::domain::site::Role;
use crate::domain::version::Version;
use crate::simulator::faults::Fault;
use crate::simulator::server::listen::typed;

type Page = Response<Full<bytes::Bytes>>;

impl Browser<'_> {
    /// A page with a heading of this text.
    pub(super) fn page(&mut self, heading: &str, body: &str) -> Page {
        let (code, service) = (self.words().code, escape(self.shared.service.as_str()));
        let heading = escape(heading);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\"><title>{heading} - {service}</title>\n\
             <script>/* <form><button>not a button</button></form> */</script></head>\n<body><h1>{heading}</h1>\n{body}\n</body></html>\n"
        );
        self.keep(typed(StatusCode::OK, "text/html; charset=UTF-8", html))
    }

    /// What every page behind the login shows: a menu that mentions much.
    fn menu(&self, entry: &str) -> String {
        let (words, root) = (self.words(), self.part.path());
        format!(
            "<nav><a href=\"{root}\">{}</a> {entry} <a href=\"{root}/sso\">SAML</a> <a href=\"{root}/otp\">{}</a></nav>\n",
            words.status, words.second_factor
        )
    }

    /// A form that is sent back with a token of its own.
    fn form(&mut self, action: &str, kind: &str, fields: &str) -> String {
        let new = || self.pages.sessions.new_token(&self.session);
        let token = self.token.get_or_insert_with(new).clone();
        format!(
            "<form method=\"post\" action=\"{action}\"{kind}>\n<input type=\"hidden\" name=\"form_token\" value=\"{token}\">\n{fields}</form>\n"
        )
    }

    pub(super) fn login_page(&mut self, said: &str) -> Page {
        if self.world.faults.active(Fault::PageSingleSignOn, self.node) {
            return self.redirect("https://sso.example.net/saml?return=login");
        }
        let words = self.words();
        let fields = format!(
            "<p>{said}</p><label for=\"u\">{}:</label> <input id=\"u\" name=\"login[username]\">\n\
             <label for=\"p\">{}:</label> <input id=\"p\" type=\"password\" name=\"login[password]\">\n\
             <button type=\"submit\" name=\"login[submit]\" value=\"1\">{}</button>\n",
            words.username, words.password, words.log_in
        );
        let form = self.form(self.part.path(), "", &fields);
        self.page(words.log_in, &form)
    }

    pub(super) fn second_factor(&mut self) -> Page {
        let words = self.words();
        let fields = format!(
            "<label>{} <input name=\"login[code]\" autocomplete=\"one-time-code\"></label>\n<button>{}</button>\n",
            words.code_field, words.log_in
        );
        let form = self.form(self.part.path(), "", &fields);
        self.page(words.second_factor, &form)
    }

    pub(super) fn home(&mut self) -> Page {
        let (words, root) = (self.words(), self.part.path());
        let (name, path) = match self.part {
            Part::Login => (words.management, "/management"),
            Part::Appliance => (words.updates, "/updates"),
        };
        let menu = self.menu(&format!("<a href=\"{root}{path}\">{name}</a>"));
        self.page(words.status, &menu)
    }

    pub(super) fn management(&mut self) -> Page {
        let words = self.words();
        let menu = self.menu(&format!("<a href=\"/login/management/failover\">{}</a>", words.failover));
        self.page(words.management, &menu)
    }

    /// A button for an act, unless a fault takes it away or gives it other words.
    fn act(&mut self, verb: &'static str, value: &str, word: &str) -> String {
        if self.world.faults.take(Fault::PageNoButton, self.node, verb) {
            return String::new();
        }
        let changed = self.world.faults.take(Fault::PageLabelChanged, self.node, verb);
        let word = if changed { format!("{word} 2.0") } else { word.to_owned() };
        format!("<button type=\"submit\" name=\"act\" value=\"{value}\">{}</button>\n", escape(&word))
    }

    pub(super) fn failover(&mut self, said: &str) -> Page {
        let words = self.words();
        let role = self.world.node(self.node).role;
        let (state, fields) = match role {
            Role::Standalone => (words.unlinked, self.establish_fields()),
            role => {
                let buttons =
                    [self.act("force_sync", "sync", words.sync_now), self.act("break_failover", "break", words.break_link)];
                (if role == Role::Primary { words.primary } else { words.standby }, buttons.concat())
            }
        };
        let form = self.form("/login/management/failover", "", &fields);
        let menu = self.menu("");
        self.page(words.failover, &format!("{menu}<p>{said}</p><p>{state}</p>{form}"))
    }

    fn establish_fields(&mut self) -> String {
        let words = self.words();
        let mut fields = String::new();
        for (name, label, value) in
            [("peer_host", words.peer_host, ""), ("peer_port", words.peer_port, "443"), ("reverse_host", words.reverse_host, "")]
        {
            // Writing into a string cannot fail.
            let _ = writeln!(fields, "<label>{label} <input name=\"{name}\" value=\"{value}\"></label>");
        }
        fields + &self.act("establish_failover", "establish", words.establish)
    }

    pub(super) fn updates(&mut self, said: &str) -> Page {
        let words = self.words();
        let form = match self.pages.package.clone() {
            Some(package) => {
                let fields = format!(
                    "<p>{} ({} bytes)</p><p>{}</p>{}",
                    escape(&package.name),
                    package.bytes,
                    words.warning,
                    self.act("update", "install", words.install)
                );
                self.form("/appliance/updates/install", "", &fields)
            }
            None => {
                let fields = format!(
                    "<label for=\"file\">{}</label> <input type=\"file\" id=\"file\" name=\"update_file\">\n{}",
                    words.update_file,
                    self.act("upload", "upload", words.update_software)
                );
                self.form("/appliance/updates", " enctype=\"multipart/form-data\"", &fields)
            }
        };
        let menu = self.menu("");
        let offers = if self.world.has_offers() { self.offers() } else { String::new() };
        self.page(words.updates, &format!("{menu}<p>{said}</p>{form}{offers}"))
    }

    /// The button that looks for updates, and behind it what was found since the box was started.
    fn offers(&mut self) -> String {
        let words = self.words();
        let button = self.act("check", "check", words.check);
        let form = self.form("/appliance/updates/check", "", &button);
        let (version, fetching) = (self.world.node(self.node).version.clone(), self.world.node(self.node).fetching.clone());
        if let Some(to) = fetching {
            return format!("<p>{} Support {to}</p>\n", words.installing);
        }
        let history = format!("<ul><li>{} {version}</ul>\n", words.history);
        if self.pages.checked != Some(self.world.node(self.node).boots) {
            return form + &history;
        }
        let rows: String = self.world.offers(self.node).into_iter().map(|(to, waits)| self.offer(&to, waits.as_ref())).collect();
        match rows.is_empty() {
            true => format!("{form}<p>{}</p>\n{history}", words.no_updates),
            false => format!("{form}<table><tr><th>Name</th><th></th></tr>\n{rows}</table>\n{history}"),
        }
    }

    fn offer(&mut self, to: &Version, waits: Option<&Version>) -> String {
        let words = self.words();
        let way = match waits {
            Some(after) => format!("{} {after}", words.available_after),
            None => {
                let fields = format!("<input type=\"hidden\" name=\"package\" value=\"{to}\">");
                let button = self.act("update", "offer", words.install_offer);
                self.form("/appliance/updates/offer", "", &format!("{fields}{button}"))
            }
        };
        format!("<tr><td>Support {to} (1.3 GB)</td><td>{way}</td></tr>\n")
    }

    /// Asks whether an act is meant.
    pub(super) fn sure(&mut self, action: &str, act: &str, word: &str, more: &str) -> Page {
        let words = self.words();
        let fields = format!(
            "<input type=\"hidden\" name=\"act\" value=\"{act}\"><input type=\"hidden\" name=\"sure\" value=\"1\">{more}\n\
             <p>{}: {}</p><input type=\"submit\" name=\"go\" value=\"{}\"> <button type=\"button\">{}</button>\n",
            escape(word),
            words.sure,
            words.confirm,
            words.cancel
        );
        let form = self.form(action, "", &fields);
        self.page(words.confirm, &form)
    }
}
