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
use crate::kernel::mailbox::{End, Missed, Taken};
use crate::kernel::post::Post;
use crate::kernel::table::GarbageBin;
use crate::table::schema::Schema;
use crate::version::{Moment, Version};

/// What was taken and not yet given.
#[derive(Debug)]
enum Item {
    Letter(Arc<Post>),
    /// What the mailbox let go between the letters, and up to where everything lies before it.
    /// Counted as missed while it lies here.
    Gap(Missed, u64),
    /// The mailbox takes no more. The last, for good.
    End(End),
}

/// What has been taken out of a mailbox, and up to where it was given.
#[derive(Debug)]
pub(super) struct FromMail {
    items: Items,
    /// Up to here everything was given, or is not wanted.
    read: u64,
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

/// What was taken, the oldest first. Boxed: from most mailboxes nothing ever is.
#[derive(Debug, Default)]
struct Items(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    items: VecDeque<Item>,
    /// Up to here everything was taken, the last commit perhaps but for some of it.
    taken: u64,
}

impl Items {
    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.items.len())
    }

    fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.iter().flat_map(|kept| kept.items.iter())
    }

    fn front(&self) -> Option<&Item> {
        self.0.as_ref()?.items.front()
    }

    fn front_mut(&mut self) -> Option<&mut Item> {
        self.0.as_mut()?.items.front_mut()
    }

    fn back(&self) -> Option<&Item> {
        self.0.as_ref()?.items.back()
    }

    fn pop_front(&mut self) -> Option<Item> {
        self.0.as_mut()?.items.pop_front()
    }

    fn pop_back(&mut self) -> Option<Item> {
        self.0.as_mut()?.items.pop_back()
    }

    fn extend(&mut self, items: impl Iterator<Item = Item>) {
        self.0.get_or_insert_default().items.extend(items);
    }

    fn taken(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.taken)
    }

    fn note_taken(&mut self, through: u64) {
        self.0.get_or_insert_default().taken = through;
    }
}

/// How many commits a gap is.
fn commits(missed: Missed) -> u64 {
    missed.commits_after(0)
}

fn lagged(missed: u64, resume_from: u64) -> WatchError {
    WatchError::Lagged {
        missed,
        resume_from: Version::new(resume_from),
    }
}

impl FromMail {
    /// What is delivered of commits after `read`.
    pub(super) fn after(read: u64) -> Self {
        Self {
            items: Items::default(),
            read,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// How many changes were taken out of the mailbox and not given, about.
    pub(super) fn taken(&self) -> u64 {
        (self.items.len() - usize::from(self.end().is_some())) as u64
    }

    /// Where it ends, if the mailbox takes no more.
    fn end(&self) -> Option<End> {
        match self.items.back() {
            Some(Item::End(end)) => Some(*end),
            _ => None,
        }
    }

    /// When the oldest of these was written.
    pub(super) fn taken_since(&self) -> Option<Moment> {
        match self.items.front()? {
            Item::Letter(post) => Some(post.since_at),
            Item::Gap(missed, _) => Some(missed.from_at),
            Item::End(_) => None,
        }
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
        if self.is_to_take() || (lost > self.read && self.end().is_none()) {
            whole = complete;
            if let Some(taken) = take(kernel, member, complete) {
                let through = taken.through;
                self.sort_in(kernel, member, taken);
                self.items.note_taken(through);
            }
        }
        let end = self.end();
        // What is lost after its end was not to come.
        let lost = end.map_or(lost, |end| end.lost);
        if lost > self.read {
            let before = self.read;
            let mut through = self.joined_through(lost);
            if through > lost && end.is_none() {
                // The rest of that commit may still come, and be made one with what comes after it.
                through = self.begin_anew(kernel, member);
            }
            let missed = through - before;
            self.skip(member, through);
            return Err(lagged(missed, through));
        }
        let end = end.map(|end| end.version);
        let through = end.map_or(complete, |end| complete.min(end - 1));
        match self.items.front() {
            Some(&Item::Gap(_, taken)) if taken > self.read => {
                // What came and went by there is not told again to who goes back to before the gap.
                self.read = taken;
                Ok(true)
            }
            Some(&Item::Gap(missed, _)) => {
                self.skip(member, missed.through);
                Err(lagged(commits(missed), missed.through))
            }
            Some(Item::Letter(post)) if post.version.get() <= whole => {
                self.give(whole, member.filter.wants_markers(), fetched);
                Ok(true)
            }
            _ if through > self.read && member.filter.wants_every_commit() => {
                fetched.push(Event::Commit(Version::new(through)), 1);
                fetched.turn(self.read);
                self.read = through;
                Ok(true)
            }
            _ => {
                self.read = self.read.max(through);
                match end {
                    // What is lost up to there is known by then, and told.
                    Some(end) if self.items.len() == 1 && complete >= end - 1 => {
                        Err(WatchError::Overflowed)
                    }
                    // What was taken, and is not delivered whole yet, comes before the end.
                    Some(_) => Ok(true),
                    // What a turn was not enough for, goes on; also where the station is still at
                    // what was committed before we began.
                    None => Ok(complete < visible),
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

    /// Up to where something was made of changes from before and after what is lost up to a
    /// version: it goes with that.
    fn joined_through(&self, lost: u64) -> u64 {
        let mut through = lost;
        for item in self.items.iter() {
            if let Item::Letter(post) = item
                && post.since.get() <= through
            {
                through = through.max(post.version.get());
            }
        }
        through
    }

    /// Has the member delivered to anew, as one that subscribes: nothing from before the version
    /// that it gives is made one with what comes after that. Leaves out what is of that version or
    /// before, also of what lies in the mailbox.
    pub(super) fn begin_anew(&mut self, kernel: &Kernel, member: &Member) -> u64 {
        let station = kernel.station(usize::from(member.shard));
        let version = station.begin(kernel, || {
            member.begin_later_than(kernel.horizon.visible());
        });
        member.begin_after(version);
        self.skip(member, version);
        if self.end().is_none()
            && let Some(taken) = take(kernel, member, 0)
        {
            self.sort_in(kernel, member, taken);
        }
        version
    }

    /// Leaves out what is at or below a version.
    pub(super) fn skip(&mut self, member: &Member, through: u64) {
        self.read = self.read.max(through);
        loop {
            match self.items.front_mut() {
                Some(Item::Letter(post)) if post.version.get() <= through => {}
                Some(Item::Gap(missed, _)) => {
                    // Who tells of it counts what is told.
                    let counted = commits(*missed);
                    missed.from = missed.from.max(through + 1);
                    member.missed.take_back(counted - commits(*missed));
                    if missed.through > through {
                        return;
                    }
                }
                _ => return,
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

    /// A mailbox that is to close was full before it was known what is wanted of it, and has let go
    /// what it had: it closes now, where that began.
    #[cold]
    fn close_late(&mut self, kernel: &Kernel, member: &Member, version: u64) {
        let station = kernel.station(usize::from(member.shard));
        let end = End::at(version, station.lost());
        member.mailbox.close(&kernel.domain.pin(), end);
        // What came meanwhile comes after the end.
        drop(take(kernel, member, 0));
        self.items.extend(std::iter::once(Item::End(end)));
    }

    fn sort_in(&mut self, kernel: &Kernel, member: &Member, taken: Taken<Arc<Post>>) {
        if let Some(mut missed) = taken.missed {
            // Of a commit of which a part is gone nothing is given.
            self.drop_from(missed.from);
            if missed.through > self.read {
                missed.from = missed.from.max(self.read + 1);
                if member.closes() {
                    return self.close_late(kernel, member, missed.from);
                }
                member.missed.add(commits(missed));
                // Part of the commit that it begins with may have been taken: it does not count.
                let taken = self.items.taken().min(missed.from - 1);
                self.items.extend(std::iter::once(Item::Gap(missed, taken)));
            }
        }
        let read = self.read;
        let letters = taken.letters.into_iter();
        let wanted = letters.filter(|post| post.version.get() > read);
        self.items.extend(wanted.map(Item::Letter));
        if let Some(end) = taken.end {
            self.drop_from(end.version);
            self.items.extend(std::iter::once(Item::End(end)));
        }
    }
}
