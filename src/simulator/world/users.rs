//! Users at work: they log in where the service's name leads them, hold sessions, and leave a node that drains.

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;

use super::{Record, World};
use crate::simulator::faults::Fault;

/// One support person.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub name: String,
    seat: Option<Seat>,
    /// When this user does the next thing.
    pub wake: Timestamp,
}

/// Where a user is logged in.
#[derive(Clone, Copy, Debug)]
struct Seat {
    node: NodeId,
    since: Timestamp,
    /// The serial of the session in progress.
    session: Option<u64>,
}

/// A logged-in user as the node lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    pub id: usize,
    pub name: String,
    pub since: Timestamp,
    pub sessions: u32,
}

impl World {
    /// Sets how many users are at work; those who go end their session like after any other work.
    pub fn set_users(&mut self, count: usize) {
        while self.users.len() > count {
            let last = self.users.len() - 1;
            self.end_session(last, false);
            self.users.pop();
        }
        while self.users.len() < count {
            let wake = self.now + self.draw(1..=10);
            self.users.push(User { name: format!("user{}", self.users.len() + 1), seat: None, wake });
        }
        self.settle();
    }

    /// The users logged in on a node.
    pub fn users_on(&self, node: NodeId) -> impl Iterator<Item = LoggedIn> + '_ {
        self.users.iter().enumerate().filter_map(move |(position, user)| {
            let seat = user.seat.filter(|seat| seat.node == node)?;
            let sessions = u32::from(seat.session.is_some());
            Some(LoggedIn { id: position + 1, name: user.name.clone(), since: seat.since, sessions })
        })
    }

    /// Lets the first user whose time has come do one thing.
    pub(super) fn wake_user(&mut self, at: Timestamp) {
        let Some(position) = self.users.iter().position(|user| user.wake <= at) else { return };
        let pause = match self.users[position].seat {
            None => self.log_in(position),
            Some(Seat { session: Some(_), node, .. }) => self.finish(position, node),
            Some(Seat { session: None, node, .. }) if self.must_leave(position, node) => self.leave(position),
            Some(Seat { session: None, node, .. }) => self.begin_session(position, node),
        };
        self.users[position].wake = self.now + pause;
    }

    fn log_in(&mut self, position: usize) -> SignedDuration {
        // A stray user's own cache may lead to where the name led before.
        let cached = self.leads_to.map(NodeId::other).filter(|&node| position == 0 && self.faults.active(Fault::StrayUser, node));
        let lets_in = |node: &NodeId| self.takes_clients(*node) && !self.nodes[*node].drained;
        let open = cached.filter(lets_in).or(self.leads_to.filter(lets_in));
        let Some(node) = open else { return self.draw(10..=30) };
        self.users[position].seat = Some(Seat { node, since: self.now, session: None });
        self.draw(60..=1200)
    }

    fn finish(&mut self, position: usize, node: NodeId) -> SignedDuration {
        self.end_session(position, false);
        if self.must_leave(position, node) { self.leave(position) } else { self.draw(1200..=3600) }
    }

    fn leave(&mut self, position: usize) -> SignedDuration {
        self.users[position].seat = None;
        self.draw(5..=15)
    }

    fn begin_session(&mut self, position: usize, node: NodeId) -> SignedDuration {
        if !self.answers(node) {
            return self.draw(10..=30);
        }
        self.serials += 1;
        let serial = self.serials;
        let record = Record {
            serial,
            lsid: format!("{:032x}", self.rng.u128(..)),
            lseq: self.nodes[node].next_lseq,
            user: self.users[position].name.clone(),
            created_on: node,
            start: self.now,
            end: None,
            interrupted: false,
        };
        self.nodes[node].next_lseq += 1;
        self.nodes[node].records.insert(serial, record);
        self.diary.created += 1;
        if let Some(seat) = &mut self.users[position].seat {
            seat.session = Some(serial);
        }
        self.draw(180..=900)
    }

    fn end_session(&mut self, position: usize, interrupted: bool) {
        let Some(seat) = &mut self.users[position].seat else { return };
        let (node, Some(serial)) = (seat.node, seat.session.take()) else { return };
        if let Some(record) = self.nodes[node].records.get_mut(&serial) {
            (record.end, record.interrupted) = (Some(self.now), interrupted);
        }
        self.diary.interrupted += u64::from(interrupted);
    }

    /// Users leave a node that drains or was closed, and one that the name has left.
    fn must_leave(&self, position: usize, node: NodeId) -> bool {
        let stays = position == 0 && self.faults.active(Fault::StrayUser, node);
        let state = &self.nodes[node];
        state.drained || state.closed || (!stays && self.leads_to.is_some_and(|target| target != node))
    }

    /// Users without a session notice within a minute what was announced or moved.
    pub(super) fn nudge_idle_users(&mut self) {
        for position in 0..self.users.len() {
            let idle = self.users[position].seat.is_some_and(|seat| seat.session.is_none());
            if idle {
                let soon = self.now + self.draw(5..=60);
                let user = &mut self.users[position];
                user.wake = user.wake.min(soon);
            }
        }
    }

    /// Logs everybody off a node at once; sessions there are cut short.
    pub(super) fn throw_out(&mut self, node: NodeId) {
        for position in 0..self.users.len() {
            if self.users[position].seat.is_some_and(|seat| seat.node == node) {
                self.end_session(position, true);
                self.users[position].seat = None;
                self.users[position].wake = self.now + self.draw(10..=60);
            }
        }
    }

    /// Ends all sessions of a node; who had one does nothing for a while.
    pub(super) fn cut_sessions(&mut self, node: NodeId) {
        for position in 0..self.users.len() {
            if self.users[position].seat.is_some_and(|seat| seat.node == node && seat.session.is_some()) {
                self.end_session(position, true);
                self.users[position].wake = self.now + self.draw(5..=60);
            }
        }
    }

    /// Ends one session by its id, as `terminate_session` does; its user stays logged in. False if it is not in progress here.
    pub fn terminate_session(&mut self, node: NodeId, lsid: &str) -> bool {
        let found = self.nodes[node].records.values().find(|record| record.lsid == lsid && record.end.is_none());
        let Some(serial) = found.map(|record| record.serial) else { return false };
        let Some(position) = self.users.iter().position(|user| user.seat.is_some_and(|seat| seat.session == Some(serial))) else {
            return false;
        };
        self.end_session(position, true);
        self.users[position].wake = self.now + self.draw(5..=60);
        true
    }
}
