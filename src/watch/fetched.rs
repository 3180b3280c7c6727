//! What a watcher has fetched and not received yet: its own small buffer.
//!
//! The room of a whole run is the thread's, lent to the watcher that fetches one: it is in the
//! cache when the next watcher of the thread fetches its run, and thousands of watchers that are
//! woken at once do not make as many holes for the allocator to sort.

use std::cell::Cell;

use super::event::{AnyChange, Event};
use super::watcher::Watcher;
use crate::sync::local;
use crate::version::{Moment, Version};

/// Events that a watcher fetches at once, and the rest of the commit that these end in: so that
/// finding the log, pinning it and telling how far it is read cost little for each event.
pub(super) const EVENTS_A_RUN: usize = 32;
/// Events for which a buffer that is empty keeps its room.
const ROOM_KEPT: usize = 4;

/// Events for which room that a run leaves is kept for the thread's next one: that of a run that
/// ended in a large commit is not.
const ROOM_SPARED: usize = 2 * EVENTS_A_RUN;

local!(SPARE: Cell<Vec<Event>> = Cell::new(Vec::new()));

/// Moves events to the room that this thread's last run was in, or to new room. What they were in
/// is left in its place: so it is not freed, to be allocated for the next event.
fn make_room(events: &mut Vec<Event>) {
    // None, too, when the thread's locals are gone.
    let mut room = SPARE.try_with(Cell::take).unwrap_or_default();
    room.reserve_exact(EVENTS_A_RUN);
    room.append(events);
    let small = std::mem::replace(events, room);
    // Without the thread's locals it is freed.
    let _ = SPARE.try_with(|spare| spare.set(small));
}

/// Leaves room to the thread's next run, for what lies in its place if that is little. Much room
/// goes.
#[cold]
fn give_back(events: &mut Vec<Event>) {
    let room = std::mem::take(events);
    debug_assert!(room.is_empty(), "all of the run is received");
    if room.capacity() <= ROOM_SPARED {
        let small = SPARE.try_with(|spare| spare.replace(room));
        let small = small.ok().filter(|small| small.capacity() <= ROOM_KEPT);
        *events = small.unwrap_or_default();
    }
}

/// A watcher's buffer. One that never fetched anything has none.
#[derive(Debug, Default)]
pub(super) struct Fetched(Option<Box<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    /// While a run is fetched, the oldest first; then the newest first: changes that may match, of
    /// each commit then its marker.
    events: Vec<Event>,
    /// Changes of the commit being received, to be given with it.
    gathered: Vec<AnyChange>,
    /// How many of these, of the first, have been given by themselves.
    given: u32,
    /// Up to here all was received before the run, or it is the version of the last event received.
    received: u64,
    /// Whether a change of the commit being received has matched.
    matched: bool,
}

impl Buffer {
    #[cold]
    fn give_first(&mut self) -> AnyChange {
        let change = self.gathered[self.given as usize].clone();
        self.given += 1;
        if self.given as usize == self.gathered.len() {
            self.given = 0;
            self.gathered.clear();
        }
        change
    }
}

impl Fetched {
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.events.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to where events have been received, of what is fetched.
    pub(super) fn received(&self) -> u64 {
        self.0.as_ref().map_or(0, |buffer| buffer.received)
    }

    /// Adds an event to the run that is being fetched, in which as many commits may still follow.
    #[inline]
    pub(super) fn push(&mut self, event: Event, commits: u64) {
        match &mut self.0 {
            Some(buffer) if buffer.events.len() < buffer.events.capacity() => {
                buffer.events.push(event);
            }
            _ => self.push_with_room(event, commits),
        }
    }

    #[cold]
    fn push_with_room(&mut self, event: Event, commits: u64) {
        let events = &mut self.0.get_or_insert_default().events;
        // Most commits have one change, and have a marker.
        let commits = usize::try_from(commits).unwrap_or(usize::MAX);
        let wanted = events.len().saturating_add(commits.saturating_mul(2));
        if wanted > ROOM_KEPT && events.capacity() < EVENTS_A_RUN {
            make_room(events);
        } else if events.capacity() == 0 {
            events.reserve_exact(wanted.max(2));
        }
        events.push(event);
    }

    /// The run of what comes after a version is fetched, and now to be received.
    pub(super) fn turn(&mut self, after: u64) {
        if let Some(buffer) = &mut self.0 {
            buffer.received = after;
            buffer.events.reverse();
        }
    }

    /// The next event; the room of the last one goes with it, if it is much.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Event> {
        let Buffer {
            events, received, ..
        } = &mut **self.0.as_mut()?;
        let event = events.pop();
        if let Some(event) = &event {
            *received = event.version().get();
        }
        if events.is_empty() && events.capacity() > ROOM_KEPT {
            give_back(events);
        }
        event
    }

    /// Forgets all but the first events.
    pub(super) fn truncate(&mut self, count: usize) {
        if let Some(buffer) = &mut self.0 {
            buffer.events.truncate(count);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// A change was received, and matches or not.
    #[inline]
    pub(super) fn note_match(&mut self, matches: bool) {
        if let Some(buffer) = &mut self.0 {
            buffer.matched |= matches;
        }
    }

    /// Whether a change of the commit that ends has matched.
    #[inline]
    pub(super) fn has_matched(&mut self) -> bool {
        let buffer = self.0.as_mut();
        buffer.is_some_and(|buffer| std::mem::take(&mut buffer.matched))
    }

    /// When the oldest change of it was written.
    pub(super) fn since(&self) -> Option<Moment> {
        let events = &self.0.as_ref()?.events;
        events.iter().rev().find_map(|event| match event {
            Event::Change(change) => Some(change.0.since_at),
            Event::Commit(_) => None,
        })
    }

    /// The version of the event that comes next.
    pub(super) fn next_version(&self) -> Option<Version> {
        Some(self.0.as_ref()?.events.last()?.version())
    }

    /// The version of what is laid aside.
    pub(super) fn gathering(&self) -> Option<Version> {
        Some(self.0.as_ref()?.gathered.last()?.version())
    }

    /// Lays an event of the commit being received aside, if it is a change, to be given with the
    /// commit.
    pub(super) fn gather(&mut self, event: Event) {
        let Event::Change(change) = event else {
            return;
        };
        self.0.get_or_insert_default().gathered.push(change);
    }

    /// What was laid aside.
    pub(super) fn gathered(&mut self) -> Vec<AnyChange> {
        let Some(buffer) = &mut self.0 else {
            return Vec::new();
        };
        let mut gathered = std::mem::take(&mut buffer.gathered);
        gathered.drain(..std::mem::take(&mut buffer.given) as usize);
        gathered
    }

    /// The first change that is laid aside, to be given by itself.
    #[inline]
    pub(super) fn first_gathered(&mut self) -> Option<Event> {
        let buffer = self.0.as_mut()?;
        (!buffer.gathered.is_empty()).then(|| Event::Change(buffer.give_first()))
    }
}

impl Watcher {
    /// The next event of those fetched.
    #[inline]
    pub(super) fn next_of_run(&mut self) -> Option<Event> {
        let event = self.fetched.pop();
        if event.is_some() {
            self.note_taking();
            if self.fetched.is_empty() {
                self.source.tell(&self.member, &self.fetched);
            }
        }
        event
    }

    /// It takes something, or looks: its timeout runs from now on.
    #[inline]
    pub(super) fn note_taking(&self) {
        if self.member.timeout().is_some() {
            self.member.waits_since.raise(self.shared.shards.now());
        }
    }
}
