//! `changeover windows SITE`: the windows that `next` chooses from, and what takes some of them out.

use clap::Args;

use crate::domain::window::parse_duration;
use crate::server::view::{WindowView, WindowsView};

use super::client::Client;
use super::zones::Zones;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Show a site's next windows, with what the clocks do to them and which freeze takes which out
#[derive(Args)]
pub struct Windows {
    /// The site
    site: String,
    /// Only windows of which at least so much is left, as in "3h"
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

fn duration(text: &str) -> Result<String, String> {
    parse_duration(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Run for Windows {
    fn run(&self) -> Result<Exit, Failure> {
        let query: Vec<(&str, &str)> = self.length.iter().map(|length| ("for", length.as_str())).collect();
        let reply = Client::new(&self.daemon)?.query(&["sites", &self.site, "windows"], &query)?;
        if self.format.json {
            output::raw(reply.text()?)?;
            return Ok(Exit::Done);
        }
        let found: WindowsView = reply.read()?;
        if found.windows.is_empty() {
            output::tell(&format!(
                "site `{}` has no such window in the next 366 days; `[windows]` of its file names its fixed and recurring ones",
                self.site
            ));
            return Ok(Exit::Done);
        }
        let zones = Zones::of(&found.zone);
        output::say(&found.windows.iter().map(|window| text(window, &zones)).collect::<String>())?;
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// A line a window, and one for whatever is to be known of it.
fn text(window: &WindowView, zones: &Zones) -> String {
    let WindowView { name, from, to, seconds, flags, freeze } = window;
    let name = name.as_ref().map_or_else(|| "fixed".to_owned(), |name| format!("`{name}`"));
    let head = format!("{}, {}, {name}\n", zones.span(*from, *to), output::seconds(*seconds));
    let flags = flags.iter().map(|flag| format!("  {flag}\n"));
    let freeze = freeze.iter().map(|freeze| {
        let span = zones.span(freeze.from, freeze.to);
        format!("  not free: the freeze `{}` of `{}`, {span}\n", freeze.name, freeze.owner)
    });
    flags.chain(freeze).fold(head, |text, line| text + &line)
}
