//! `changeover exposure`: the time without failover, by site and month.

use clap::Args;

use crate::domain::exposure::{Exposure as Sums, Month, SiteExposure};
use crate::domain::ids::RunId;

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Show how long pairs were without failover, by site and month
#[derive(Args)]
pub struct Exposure {
    /// Only this site
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Exposure {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.exposure(self.site.as_deref())?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&page(&reply.read()?))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// A line a month, and the sums.
pub fn page(sums: &Sums) -> String {
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let mut rows = vec![row(["SITE", "MONTH", "RUNS", "UNPROTECTED"])];
    for SiteExposure { site, months, seconds } in &sums.sites {
        rows.extend(months.iter().map(|month| of_month(site, month)));
        rows.push(row([site, "all", "", &output::seconds(*seconds)]));
    }
    rows.push(row(["all", "all", "", &output::seconds(sums.seconds)]));
    output::table(&rows) + &sums.untouched.iter().map(left_out).collect::<String>()
}

fn left_out(run: &RunId) -> String {
    format!("not in these sums: run `{run}`, whose journal this build can't follow; `changeover status {run}` says why\n")
}

fn of_month(site: &str, month: &Month) -> Vec<String> {
    let open = if month.open { ", goes on" } else { "" };
    let lasted = format!("{}{open}", output::seconds(month.seconds));
    vec![site.to_owned(), month.month.clone(), month.runs.to_string(), lasted]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_month_has_a_line_and_each_site_a_sum() {
        let month = |month: &str, seconds, open| Month { month: month.to_owned(), seconds, runs: 1, open };
        let months = vec![month("2026-11", 3600, false), month("2026-12", 90, true)];
        let sums = Sums {
            sites: vec![SiteExposure { site: "support".to_owned(), months, seconds: 3690 }],
            seconds: 3690,
            untouched: vec!["lab-3".parse().unwrap()],
        };
        let expected = "SITE     MONTH    RUNS  UNPROTECTED\n\
                        support  2026-11  1     1h\n\
                        support  2026-12  1     1m 30s, goes on\n\
                        support  all            1h 1m\n\
                        all      all            1h 1m\n\
                        not in these sums: run `lab-3`, whose journal this build can't follow; `changeover status lab-3` says why\n";
        assert_eq!(page(&sums), expected);
    }
}
