//! Taking what was delivered out of the watcher's mailbox, a commit at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::Delivery;
use super::event::{AnyChange, Event};
use super::fetched::{EVENTS_A_RUN, Fetched};
use super::member::Member;
use super::shard::Shards;
use crate::error::WatchError;
use crate::kernel::Kernel;
use crate::kernel::mailbox::{Missed, Taken};
use crate::kernel::post::Post;
use crate::kernel::table::GarbageBin;
use crate::table::schema::Schema;
use crate::version::{Moment, Version};

/// What was taken and not yet given.
#[derive(Debug)]
enum Item {
    Letter(Arc<Post>),
    /// What the mailbox let go between the letters.
    Gap(Missed),
}

/// What has been taken out of a mailbox, and up to where it was given.
#[derive(Debug)]
pub(super) struct FromMail {
    items: Items,
    /// Up to here everything was given, or is not wanted.
    read: u64,
    /// The mailbox takes no more.
    closed: bool,
}

/// Empties the mailbox of a member that everything was delivered to up to `complete`. What is
/// retired with it, its taker frees when it has become much: not the next committer.
fn take(kernel: &Kernel, member: &Member, complete: u64) -> Option<Taken<Arc<Post>>> {
    let mut garbage = GarbageBin::new(kernel);
    let taken = member
        .mailbox
        .take(&kernel.domain.pin(), &mut garbage.0, complete);
    drop(garbage);
    kernel.free_if_much();
    taken
}

/// What was taken, the oldest first. Boxed: most mailboxes are empty.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a word where most are empty")]
struct Items(Option<Box<VecDeque<Item>>>);

impl Items {
    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |items| items.len())
    }

    fn front(&self) -> Option<&Item> {
        self.0.as_ref()?.front()
    }

    fn back(&self) -> Option<&Item> {
        self.0.as_ref()?.back()
    }

    fn pop_front(&mut self) -> Option<Item> {
        self.0.as_mut()?.pop_front()
    }

    fn pop_back(&mut self) -> Option<Item> {
        self.0.as_mut()?.pop_back()
    }

    fn extend(&mut self, items: impl Iterator<Item = Item>) {
        self.0.get_or_insert_default().extend(items);
    }
}

impl FromMail {
    /// What is delivered of commits after `read`.
    pub(super) fn after(read: u64) -> Self {
        Self {
            items: Items::default(),
            read,
            closed: false,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// How many changes were taken out of the mailbox and not given, about.
    pub(super) fn taken(&self) -> u64 {
        self.items.len() as u64
    }

    /// When the oldest of these was written.
    pub(super) fn taken_since(&self) -> Option<Moment> {
        self.items.front().map(|item| match item {
            Item::Letter(post) => post.since_at,
            Item::Gap(missed) => missed.from_at,
        })
    }

    pub(super) fn move_to(&mut self, version: u64) {
        self.read = self.read.max(version);
    }

    /// Whether a commit's rest may still lie in the mailbox; or nothing was taken.
    fn is_to_take(&self) -> bool {
        match (self.items.front(), self.items.back()) {
            (Some(Item::Letter(first)), Some(Item::Letter(last))) => first.version == last.version,
            (Some(_), Some(_)) => false,
            _ => true,
        }
    }

    /// Up to where commits lie whole in what was taken before, if they were delivered up to
    /// `complete`: the rest of the last may still lie in the mailbox.
    fn whole(&self, complete: u64) -> u64 {
        match self.items.back() {
            Some(Item::Letter(last)) => complete.min(last.version.get() - 1),
            _ => complete,
        }
    }

    /// Whether there may be something to fetch.
    pub(super) fn has_more(&self, shards: &Shards, schema: &Schema, member: &Member) -> bool {
        let kernel = schema.kernel();
        let station = shards.station(kernel, member);
        let visible = kernel.horizon.visible();
        let looks = shards.delivery() == Delivery::Receivers;
        self.items.len() > 0
            || station.lost() > self.read
            || (looks && visible > station.position())
            || (member.filter.wants_every_commit() && visible > self.read)
            || member.mailbox.has_mail(&kernel.domain.pin())
    }

    /// Puts the events of the next commits into `fetched`; false: there are none now.
    pub(super) fn fetch(
        &mut self,
        shards: &Shards,
        schema: &Schema,
        member: &Member,
        fetched: &mut Fetched,
    ) -> Result<bool, WatchError> {
        let kernel = schema.kernel();
        let station = shards.station(kernel, member);
        let visible = kernel.horizon.visible();
        shards.carry_on_for(schema, member);
        // In this order: up to `complete` all has been delivered, unless it is lost; and what has
        // been delivered is found.
        let complete = station.position_here();
        let lost = station.lost();
        let mut whole = self.whole(complete);
        if self.is_to_take() {
            whole = complete;
            if let Some(taken) = take(kernel, member, complete) {
                self.sort_in(taken);
            }
        }
        if lost > self.read {
            return Err(self.lag(lost));
        }
        match self.items.front() {
            Some(Item::Gap(missed)) => {
                let through = missed.through;
                self.items.pop_front();
                Err(self.lag(through))
            }
            Some(Item::Letter(post)) if post.version.get() <= whole => {
                self.give(whole, member.filter.wants_markers(), fetched);
                Ok(true)
            }
            _ if complete > self.read && member.filter.wants_every_commit() => {
                fetched.push(Event::Commit(Version::new(complete)), 1);
                self.read = complete;
                Ok(true)
            }
            _ => {
                // What a turn was not enough for, goes on; also where the station is still at what
                // was committed before we began. And what was taken, and is not delivered whole
                // yet, comes before the end.
                let more = complete < visible || (self.closed && self.items.len() > 0);
                self.read = self.read.max(complete);
                match more || !self.closed {
                    true => Ok(more),
                    false => Err(WatchError::Overflowed),
                }
            }
        }
    }

    /// Gives a run of commits, that are whole up to a version, or up to a gap; their markers, too,
    /// if these are wanted.
    fn give(&mut self, whole: u64, markers: bool, fetched: &mut Fetched) {
        let before = self.read;
        while fetched.len() < EVENTS_A_RUN {
            let version = match self.items.front() {
                Some(Item::Letter(post)) if post.version.get() <= whole => post.version,
                _ => break,
            };
            self.give_changes(version, fetched);
            if markers {
                fetched.push(Event::Commit(version), self.items.len() as u64);
            }
        }
        fetched.turn(before);
    }

    fn give_changes(&mut self, version: Version, fetched: &mut Fetched) {
        let left = self.items.len() as u64;
        while let Some(Item::Letter(post)) = self.items.front() {
            if post.version != version {
                break;
            }
            let change = AnyChange(Arc::clone(post));
            fetched.push(Event::Change(change), left);
            self.items.pop_front();
        }
        self.read = version.get();
    }

    /// What is at or below `through` is not all there.
    fn lag(&mut self, through: u64) -> WatchError {
        let missed = through.saturating_sub(self.read);
        self.skip(through);
        WatchError::Lagged {
            missed,
            resume_from: Version::new(through),
        }
    }

    /// Leaves out what is at or below a version.
    pub(super) fn skip(&mut self, through: u64) {
        self.drop_through(through);
        self.read = self.read.max(through);
    }

    /// Drops what is in front and at or below a version.
    fn drop_through(&mut self, through: u64) {
        while let Some(item) = self.items.front() {
            let last = match item {
                Item::Letter(post) => post.version.get(),
                Item::Gap(missed) => missed.through,
            };
            if last > through {
                return;
            }
            self.items.pop_front();
        }
    }

    /// Drops what is at the end and of a version or later: not all of it is there.
    fn drop_from(&mut self, version: u64) {
        while let Some(Item::Letter(last)) = self.items.back() {
            if last.version.get() < version {
                return;
            }
            self.items.pop_back();
        }
    }

    fn sort_in(&mut self, taken: Taken<Arc<Post>>) {
        if let Some(missed) = taken.missed {
            // Of a commit of which a part is gone nothing is given.
            self.drop_from(missed.from);
            if missed.through > self.read {
                self.items.extend(std::iter::once(Item::Gap(missed)));
            }
        }
        let read = self.read;
        let letters = taken.letters.into_iter();
        let wanted = letters.filter(|post| post.version.get() > read);
        self.items.extend(wanted.map(Item::Letter));
        if let Some(version) = taken.closed_at {
            self.drop_from(version);
            self.closed = true;
        }
    }
}
