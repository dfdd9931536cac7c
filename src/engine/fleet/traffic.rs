//! `traffic look` and `traffic test`: of a site, with or without a run.

use crate::domain::site::Site;
use crate::domain::world::World;
use crate::engine::api::Problem;
use crate::engine::site::SiteEntry;
use crate::engine::traffic::{self, TrafficFound, TrafficTried};

use super::Fleet;

impl Fleet {
    pub(super) async fn look_at_traffic(&self, site: &str) -> Result<TrafficFound, Problem> {
        let entry = self.with_traffic(site)?;
        Ok(traffic::found(&entry.site, self.look_once(entry).await))
    }

    pub(super) async fn ask_traffic(&self, site: &str, ttl: Option<u32>, actor: &str) -> Result<TrafficTried, Problem> {
        self.may_speak(actor, "traffic test")?;
        let entry = self.with_traffic(site)?;
        if let Some(open) = self.open_run(site) {
            traffic::must_be_free(&self.find(&open)?.run)?;
        }
        tracing::info!(site, "traffic is tested for {actor}: updates that alter nothing are sent");
        let entries = entry.ports.try_access().await;
        Ok(traffic::tried(&entry.site, self.look_once(entry).await, entries, ttl.unwrap_or_else(|| usual_ttl(&entry.site))))
    }

    fn with_traffic(&self, site: &str) -> Result<&SiteEntry, Problem> {
        let entry = self.site(site)?;
        traffic::must_have_entries(&entry.site, !entry.ports.traffic.is_empty())?;
        Ok(entry)
    }

    async fn look_once(&self, entry: &SiteEntry) -> World {
        let mut world = entry.world(&self.people, &self.around.state, self.around.clock.now());
        entry.ports.readers().look().await.into_world(&mut world, self.around.clock.now());
        world
    }
}

/// What a run of the site lowers TTLs to.
fn usual_ttl(site: &Site) -> u32 {
    u32::try_from(site.policy.switch_ttl.as_secs()).unwrap_or(u32::MAX)
}
