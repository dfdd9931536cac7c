//! How a run looks: at its pair and traffic, and, where that is due, at its packages, settings, access and Jump Clients.
//!
//! A look lasts; people's words are taken meanwhile. What it saw goes into the run's world and is published.

use crate::domain::access::Tries;
use crate::domain::action::Kind;
use crate::domain::checks;
use crate::domain::ids::NodeId;
use crate::domain::jump_clients::{self, JumpClients};
use crate::domain::run::Phase;
use crate::domain::settings::Want;
use crate::engine::access;
use crate::engine::package;
use crate::engine::settings;
use crate::engine::space;
use crate::ports::ReadError;

use super::{Runner, Stopped};

impl Runner {
    /// Reads the world once. Words that arrive meanwhile are taken.
    pub async fn look(&mut self) -> Result<(), Stopped> {
        let readers = self.readers.clone();
        let seen = self.beside_words(async move { readers.look().await }).await?;
        self.take(seen);
        self.look_at_package().await
    }

    /// Hashes the run's copies of the packages where a check comes next; they may have gigabytes, and are not read at every look.
    async fn look_at_package(&mut self) -> Result<(), Stopped> {
        let run = self.run().clone();
        let begins = run.phase == Phase::Ready && run.step().is_some_and(|step| step.kind == Kind::Preflight);
        if !begins && !checks::is_due(&run, &self.world) {
            return Ok(());
        }
        let state = self.around.state.clone();
        let work = async move {
            for package in checks::packages(&run) {
                package::check(&package::place(&state, package), &package.sha256).await?;
            }
            Ok(())
        };
        let found = self.beside_words(work).await?;
        let free = space::free_bytes(&self.around.state);
        self.know(|world| (world.package, world.free) = (Some(found), free));
        Ok(())
    }

    /// As [`Runner::look`], from within the taking of a word: nothing else is taken meanwhile.
    pub async fn look_now(&mut self) {
        let seen = self.readers.look().await;
        self.take(seen);
    }

    /// Reads settings once, where that is due. Words that arrive meanwhile are taken.
    pub(super) async fn look_at_settings(&mut self, want: Want) -> Result<(), Stopped> {
        let (around, readers, run) = (self.around.clone(), self.readers.clone(), self.run().clone());
        let seen = self.beside_words(async move { settings::look(&around, &readers, &run, want).await }).await?;
        self.know(|world| seen.into_world(world));
        Ok(())
    }

    /// Asks the traffic entries whether they would take our change. Words that arrive meanwhile are taken.
    pub(super) async fn try_access(&mut self) -> Result<(), Stopped> {
        let ports = self.performer.ports.clone();
        let entries = self.beside_words(async move { ports.try_access().await }).await?;
        let at = self.around.clock.now();
        self.know(|world| world.access = Some(Tries { at, entries }));
        Ok(())
    }

    /// Counts Jump Clients once, where that is due. Words that arrive meanwhile are taken.
    pub(super) async fn look_at_jump_clients(&mut self, node: NodeId) -> Result<(), Stopped> {
        let (at, readers) = (self.around.clock.now(), self.readers.clone());
        let told = self.beside_words(async move { readers.nodes[node].jump_clients().await }).await?;
        let told = told.unwrap_or_else(|error| JumpClients::Untold { why: error.to_string() });
        self.know(|world| world.jump_clients = Some(jump_clients::Seen { at, node, told }));
        Ok(())
    }

    /// The jobs that run by themselves on a node, where its driver tells.
    pub async fn enabled_jobs(&self, node: NodeId) -> Result<Vec<String>, ReadError> {
        settings::enabled_jobs(&self.readers, node).await
    }

    /// A person lets the run go on: credentials that were refused may be tried once more.
    pub async fn reopen_access(&self) {
        access::told(&self.readers, true).await;
    }
}
