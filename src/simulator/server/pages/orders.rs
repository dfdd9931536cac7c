//! What a pressed button does to the world, and what can go wrong with its answer.

use std::fmt::Write as _;

use http_body_util::Full;
use hyper::Response;
use quick_xml::escape::escape;

use super::Browser;
use crate::domain::version::Version;
use crate::simulator::faults::Fault;
use crate::simulator::server::form::Form;
use crate::simulator::server::listen::Answer;
use crate::simulator::server::room::HEALTH;

const FAILOVER: &str = "/login/management/failover";
const INSTALL: &str = "/appliance/updates/install";
const OFFER: &str = "/appliance/updates/offer";

/// The order of a button: the act's verb and its words.
struct Order {
    verb: &'static str,
    act: &'static str,
    word: &'static str,
    /// The listed package that is meant; the box fetches it by itself.
    to: Option<Version>,
}

impl Browser<'_> {
    /// A button of the failover page.
    pub(super) fn order(&mut self, form: &Form) -> Answer {
        let words = self.words();
        let order = match form.value("act") {
            Some("sync") => Order { verb: "force_sync", act: "sync", word: words.sync_now, to: None },
            Some("break") => Order { verb: "break_failover", act: "break", word: words.break_link, to: None },
            Some("establish") => Order { verb: "establish_failover", act: "establish", word: words.establish, to: None },
            _ => return Some(self.failover(words.error)),
        };
        if order.act == "establish" && !self.leads_to_peer(form) {
            self.pages.count(order.verb);
            return Some(self.failover(words.error));
        }
        self.ordered(&order, FAILOVER, form)
    }

    /// The button that installs the uploaded package.
    pub(super) fn install(&mut self, form: &Form) -> Answer {
        if self.pages.package.is_none() {
            return Some(self.updates(self.words().error));
        }
        self.ordered(&Order { verb: "update", act: "install", word: self.words().install, to: None }, INSTALL, form)
    }

    /// The button that lets the box look for updates.
    pub(super) fn check(&mut self) -> Response<Full<bytes::Bytes>> {
        self.pages.count("check");
        if self.forgets("check") {
            return self.login_page("");
        }
        if self.world.faults.take(Fault::PageErrorText, self.node, "check") {
            return self.updates(self.words().error);
        }
        self.pages.checked = Some(self.world.node(self.node).boots);
        self.updates("")
    }

    /// The button beside a package of the list.
    pub(super) fn install_offer(&mut self, form: &Form) -> Answer {
        let offers = self.world.offers(self.node);
        let Some((to, _)) = offers.into_iter().find(|(to, _)| form.value("package") == Some(to.as_str())) else {
            return Some(self.updates(self.words().error));
        };
        self.ordered(&Order { verb: "update", act: "offer", word: self.words().install_offer, to: Some(to) }, OFFER, form)
    }

    fn ordered(&mut self, order: &Order, action: &str, form: &Form) -> Answer {
        let sure = form.value("sure") == Some("1");
        if !sure && self.world.faults.take(Fault::PageConfirms, self.node, order.verb) {
            let more = carried(form);
            return Some(self.sure(action, order.act, order.word, &more));
        }
        self.pages.count(order.verb);
        if self.forgets(order.verb) {
            return Some(self.login_page(""));
        }
        if let Some(answer) = self.plain(order.verb) {
            return Some(answer);
        }
        let words = self.words();
        if self.world.faults.take(Fault::PageErrorText, self.node, order.verb) {
            return Some(if order.verb == "update" { self.updates(words.error) } else { self.failover(words.error) });
        }
        let package = if order.act == "install" { self.pages.package.clone() } else { None };
        let target = package.as_ref().and_then(|package| package.target.clone());
        if self.world.faults.take(Fault::PageCachedOld, self.node, order.verb) {
            self.world.freeze(HEALTH);
        }
        let done = match &order.to {
            Some(to) => self.world.fetch(self.node, to.clone()),
            None => self.world.perform(order.verb, self.node, target),
        };
        if self.world.faults.take(Fault::PageAnswerLost, self.node, order.verb) {
            self.pages.package = self.pages.package.take().filter(|_| package.is_none());
            return None;
        }
        if self.goes(order.verb) {
            return Some(self.redirect(self.part.path()));
        }
        match (done, package) {
            (Err(refusal), _) => {
                let said = format!("{} ({})", words.error, escape(refusal.to_string()));
                Some(if order.verb == "update" { self.updates(&said) } else { self.failover(&said) })
            }
            (Ok(()), Some(package)) => {
                self.pages.package = None;
                Some(self.page(&format!("{} {}", words.installing, package.name), words.warning))
            }
            (Ok(()), None) if order.verb == "update" => Some(self.updates(words.taken)),
            (Ok(()), None) => Some(self.failover(words.taken)),
        }
    }

    /// The other node's own address, and this one's for the way back.
    fn leads_to_peer(&self, form: &Form) -> bool {
        let addresses = &self.shared.addresses;
        let (peer, own) = (addresses[self.node.other()], addresses[self.node]);
        form.value("peer_host") == Some(peer.ip().to_string().as_str())
            && form.value("peer_port") == Some(peer.port().to_string().as_str())
            && form.value("reverse_host") == Some(own.ip().to_string().as_str())
    }
}

/// The fields that a question takes along.
fn carried(form: &Form) -> String {
    let mut hidden = String::new();
    for name in ["peer_host", "peer_port", "reverse_host", "package"] {
        if let Some(value) = form.value(name) {
            // Writing into a string cannot fail.
            let _ = write!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value));
        }
    }
    hidden
}
