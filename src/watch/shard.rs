//! Shards: who asks for which writes, and the delivery to them.
//!
//! A watcher belongs to one shard. A shard reads the log once, in order
//! ([`crate::kernel::station`]), and looks a write up under what it may be found by: its table, its
//! key, its values in those indexes that anybody asks for. Those who asked are asked for more
//! ([`Filter::may_match`]), and who may want the change gets it in its mailbox, shared with all
//! others. Whether they do want it they find out themselves, on their own time.
//!
//! [`Filter::may_match`]: super::filter::Filter::may_match

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::admission::Admission;
use super::config::{Delivery, MEASURED_BELOW, MEASURED_FROM, WatchConfig};
use super::event::Kind;
use super::filter::Filter;
use super::member::Member;
use crate::kernel::Kernel;
use crate::kernel::commit::{Commit, Write};
use crate::kernel::cursor::STATIONS;
use crate::kernel::entry::EntryHeader;
use crate::kernel::mailbox::{End, Put, Stamp};
use crate::kernel::post::{Kept, Post};
use crate::kernel::reclaim::Guard;
use crate::kernel::release::contain;
use crate::kernel::routes::{Route, Routes};
use crate::kernel::seat::{Calls, Doze, Seat};
use crate::kernel::station::{Delivered, Station};
use crate::kernel::step::{Step, step};
use crate::kernel::table::GarbageBin;
use crate::sync::{Padded, unique};
use crate::table::schema::Schema;

/// Watchers that a committer calls for one commit: what is more is left to these. Those that do not
/// wait, or have not come by since they were called, do not count: nothing may be left to them.
const COMMITTERS_CALLS_MAX: u32 = if cfg!(shuttle) { 1 } else { 256 };
/// Deliveries, and questions whether a change matches, after which a committer leaves the rest to
/// those it has called, however few they are.
const COMMITTERS_DELIVERIES: u32 = 4096;
/// Commits that a watcher carries its shard on at once.
const COMMITS_A_TURN: u64 = if cfg!(shuttle) { 2 } else { 256 };

/// The shards of a store.
pub(crate) struct Shards {
    shards: Box<[Routes<Member>]>,
    config: WatchConfig,
    /// Where the threads that deliver are called, if there are any: one a shard.
    threads: Box<[(Seat, Padded<Doze>)]>,
    pub(super) admission: Admission,
    began: Instant,
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Who delivers, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Committer,
    /// A watcher, or a thread for it.
    Watcher,
}

impl Shards {
    pub(crate) fn new(kernel: &Kernel, config: WatchConfig) -> Self {
        let shards = config.shards.clamp(1, STATIONS);
        let routes = || Routes::new(kernel.tables.all().iter().map(|table| table.indexes()));
        let threads = match config.delivery {
            Delivery::Threads => shards,
            Delivery::Committers | Delivery::Receivers => 0,
        };
        Self {
            shards: (0..shards).map(|_| routes()).collect(),
            config,
            threads: (0..threads)
                .map(|_| (Seat::new(), Padded(Doze::new())))
                .collect(),
            admission: Admission::new(config.watchers_max),
            began: Instant::now(),
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.config.delivery
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.len()
    }

    /// Milliseconds since the store was built.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A member for a watcher; it stands on no route yet.
    pub(super) fn member(&self, schema: &Schema, filter: Filter, has_mailbox: bool) -> Arc<Member> {
        let number = unique();
        let shard = (number % self.shards.len() as u64) as u8;
        let asked = (has_mailbox, has_mailbox && filter.is_exact(schema));
        Arc::new(Member::new((number, shard), asked, filter))
    }

    fn routes(&self, member: &Member) -> &Routes<Member> {
        &self.shards[usize::from(member.shard)]
    }

    pub(super) fn station<'k>(&self, kernel: &'k Kernel, member: &Member) -> &'k Station {
        kernel.station(usize::from(member.shard))
    }

    /// Lists a member that reads the log itself.
    pub(super) fn list(&self, kernel: &Kernel, member: &Arc<Member>) {
        self.routes(member)
            .add(kernel, Route::NONE, member.number, member);
        // What an index leaves behind is collected by those who change it, should nobody commit.
        kernel.collect_sometimes();
    }

    /// Puts a member on its routes; the version after which it is delivered to.
    pub(super) fn subscribe(&self, schema: &Schema, member: &Arc<Member>) -> u64 {
        let kernel = schema.kernel();
        let station = self.station(kernel, member);
        // Before it is counted: hashes are the user's, and may panic.
        let routes = member.filter.routes(schema);
        // Before it is found.
        member.begin_later_than(kernel.horizon.visible());
        let start = station.subscribe(kernel, || {
            for route in routes {
                self.routes(member)
                    .add(kernel, route, member.number, member);
            }
        });
        kernel.collect_sometimes();
        start
    }

    /// Takes a member off, however it was put on.
    pub(super) fn remove(&self, schema: &Schema, member: &Member) {
        let kernel = schema.kernel();
        let remove = |route| self.routes(member).remove(kernel, route, member.number);
        if member.has_mailbox {
            // A hash of the user's may panic, or not say what it said before.
            let mut all = false;
            contain(|| all = member.filter.routes(schema).into_iter().all(remove));
            if !all {
                let routes = self.routes(member);
                routes.remove_everywhere(kernel, member.number);
            }
            self.station(kernel, member).unsubscribe();
        } else {
            remove(Route::NONE);
        }
        kernel.collect_sometimes();
    }

    /// The seat of the thread of a shard, and whether it sleeps.
    pub(super) fn thread(&self, shard: usize) -> (&Seat, &Doze) {
        let (seat, doze) = &self.threads[shard];
        (seat, doze)
    }

    /// Calls the threads that deliver.
    #[cold]
    pub(crate) fn call_threads(&self, kernel: &Kernel) {
        let mut calls = Calls::new();
        let guard = kernel.domain.pin();
        self.threads
            .iter()
            .for_each(|(seat, _)| calls.note(&guard, seat));
        calls.make(guard);
    }

    /// A commit is visible: delivers it, or calls whose task that is.
    #[inline]
    pub(crate) fn committed(&self, schema: &Schema) {
        match self.config.delivery {
            Delivery::Committers => {}
            Delivery::Receivers => return,
            Delivery::Threads => {
                // Ordered as below. Those who are at work find the commit by themselves.
                if self.threads.iter().any(|(_, doze)| doze.is_on()) {
                    self.call_threads(schema.kernel());
                }
                return;
            }
        }
        for shard in 0..self.shards.len() {
            // Ordered by the fence of the waking that came before.
            if schema.kernel().station(shard).subscribers() != 0 {
                self.carry_on(schema, shard, Carrier::Committer);
            }
        }
    }

    /// Carries the shard of a member on for a turn.
    pub(super) fn carry_on_for(&self, schema: &Schema, member: &Member) {
        self.carry_on(schema, usize::from(member.shard), Carrier::Watcher);
    }

    #[cold]
    pub(crate) fn carry_on(&self, schema: &Schema, shard: usize, carrier: Carrier) {
        let kernel = schema.kernel();
        let station = kernel.station(shard);
        let until = kernel.horizon.visible();
        let until = match carrier {
            Carrier::Committer => until,
            Carrier::Watcher => until.min(station.position_here() + COMMITS_A_TURN),
        };
        station.carry_on(kernel, until, |guard, commit, calls| {
            let Some(commit) = commit else {
                self.note_all(guard, shard, calls);
                return Delivered::Whole;
            };
            let mut round = Round {
                shards: self,
                routes: &self.shards[shard],
                schema,
                guard,
                garbage: GarbageBin::new(kernel),
                carrier,
                lost: station.lost(),
                called: 0,
                served: 0,
            };
            round.deliver(commit, calls)
        });
    }

    /// Calls everybody who waits.
    pub(crate) fn call_all(&self, kernel: &Kernel) {
        self.call_threads(kernel);
        for shard in 0..self.shards.len() {
            let mut calls = Calls::new();
            let guard = kernel.domain.pin();
            self.note_all(&guard, shard, &mut calls);
            calls.make(guard);
        }
    }

    /// Notes all members of a shard, to be called. O(these).
    #[cold]
    fn note_all(&self, guard: &Guard<'_>, shard: usize, calls: &mut Calls) {
        self.shards[shard].all(guard, |member| calls.note(guard, &member.seat));
    }

    /// All members, each once, in the order in which they began.
    pub(super) fn members(&self, kernel: &Kernel) -> Vec<Arc<Member>> {
        let mut members = Vec::new();
        let guard = kernel.domain.pin();
        for routes in &self.shards {
            routes.all(&guard, |member| members.push(Arc::clone(member)));
        }
        members.sort_unstable_by_key(|member| member.number);
        members.dedup_by_key(|member| member.number);
        members
    }

    /// Bytes of a shard's own structures, about.
    pub(super) fn bytes(&self, kernel: &Kernel, shard: usize) -> usize {
        self.shards[shard].bytes(&kernel.domain.pin())
    }
}

/// The delivery of one commit in one shard.
struct Round<'r, 'g> {
    shards: &'r Shards,
    routes: &'r Routes<Member>,
    schema: &'r Schema,
    guard: &'g Guard<'g>,
    garbage: GarbageBin<'r>,
    carrier: Carrier,
    /// What comes up to here nobody is given any more.
    lost: u64,
    /// Watchers that were called who can be relied on.
    called: u32,
    /// All that were delivered to, or asked in vain.
    served: u32,
}

/// One write of it.
struct Delivering<'w> {
    stamp: Stamp,
    commit: &'w Commit,
    write: &'w Write,
    /// Fetched for the first who wants it.
    post: Option<Kept<'w, Post>>,
}

impl Delivering<'_> {
    /// The first commit that is not there whole, where nothing comes after this write.
    fn first_torn(&self) -> u64 {
        let Stamp { version, write } = self.stamp;
        let is_last = write as usize + 1 == self.commit.writes().len();
        version + u64::from(is_last)
    }
}

impl<'g> Round<'_, 'g> {
    /// Whether a committer may leave the rest to those it has called.
    fn is_enough(&self) -> bool {
        let many = self.served >= COMMITTERS_DELIVERIES;
        self.called >= COMMITTERS_CALLS_MAX || (many && self.called > 0)
    }

    /// Goes on, unless this is a committer that has done enough.
    fn flow(&self) -> ControlFlow<()> {
        match self.carrier == Carrier::Committer && self.is_enough() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn deliver(&mut self, commit: &Commit, calls: &mut Calls) -> Delivered {
        for (at, write) in (0..).zip(commit.writes()) {
            let mut delivering = Delivering {
                stamp: Stamp {
                    version: commit.number(),
                    write: at,
                },
                commit,
                write,
                post: None,
            };
            if self.deliver_write(&mut delivering, calls).is_break() {
                return Delivered::Part {
                    left_to: self.called,
                };
            }
        }
        Delivered::Whole
    }

    fn deliver_write(
        &mut self,
        delivering: &mut Delivering<'_>,
        calls: &mut Calls,
    ) -> ControlFlow<()> {
        let write = delivering.write;
        let plain = [
            Route::ALL,
            Route::table(write.table),
            Route::kind(write.table, Kind::of(self.guard, write) as u16),
            Route::key(write.table, write.hash),
        ];
        for route in plain {
            if self.routes.is_asked(route) {
                self.deliver_along(route, delivering, calls)?;
            }
        }
        let asked = self.routes.asked_indexes(write.table);
        let mut looked: SmallVec<[Route; 8]> = SmallVec::new();
        for entry in write.entries(self.guard) {
            if !asked.has(entry.index) {
                continue;
            }
            let Some(hash) = self.value_hash(write, entry) else {
                let place = Route::value(write.table, entry.index, 0);
                self.deliver_everywhere(place, delivering, calls)?;
                continue;
            };
            let route = Route::value(write.table, entry.index, hash);
            if !looked.contains(&route) {
                looked.push(route);
                self.deliver_along(route, delivering, calls)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// `None`: the user's hash panicked, and nobody knows.
    fn value_hash(&self, write: &Write, entry: &EntryHeader) -> Option<u64> {
        let table = self.schema.kernel().table(usize::from(write.table));
        let mut hash = None;
        contain(|| hash = Some(table.value_hash(entry)));
        hash
    }

    fn deliver_along(
        &mut self,
        route: Route,
        delivering: &mut Delivering<'_>,
        calls: &mut Calls,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let routes = self.routes;
        routes.each(self.guard, route, |member| {
            flow = self.deliver_to(member, delivering, calls);
            flow
        });
        flow
    }

    fn deliver_everywhere(
        &mut self,
        place: Route,
        delivering: &mut Delivering<'_>,
        calls: &mut Calls,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        let routes = self.routes;
        routes.each_like(self.guard, place, |member| {
            flow = self.deliver_to(member, delivering, calls);
            flow
        });
        flow
    }

    fn deliver_to(
        &mut self,
        member: &'g Member,
        delivering: &mut Delivering<'_>,
        calls: &mut Calls,
    ) -> ControlFlow<()> {
        let (guard, schema, write) = (self.guard, self.schema, delivering.write);
        // A station that is far behind comes by what was committed before it began.
        if !member.may_want(delivering.stamp.version) {
            return ControlFlow::Continue(());
        }
        let mut may_match = true;
        if !member.is_exact {
            // A comparison of the user's that panics is its watcher's to meet.
            contain(|| may_match = member.filter.may_match(guard, schema, write));
        }
        if !may_match {
            self.served += 1;
            return self.flow();
        }
        self.flow()?;
        // Also for what is there already: who delivered it may have stopped short of calling.
        calls.note(guard, &member.seat);
        let (commit, at) = (delivering.commit, delivering.stamp.write as usize);
        let post = delivering
            .post
            .get_or_insert_with(|| commit.post(guard, schema.kernel(), at));
        let letter = (delivering.stamp, &**post);
        let bounds = member.bounds(&self.shards.config, self.lost);
        if bounds.bytes < MEASURED_BELOW || member.mailbox.letters(guard) >= MEASURED_FROM {
            post.measure(schema.kernel().table(usize::from(write.table)));
        }
        let timeout = member.timeout();
        if timeout.is_some() {
            self.note_the_time(member);
        }
        let put = member
            .mailbox
            .put(guard, &mut self.garbage.0, letter, bounds);
        step(Step::Delivering);
        if let Some(timeout) = timeout {
            self.watch_the_time(member, (put, delivering), timeout);
        }
        if put != Put::Before {
            self.served += 1;
        }
        // It waits, and has taken what it was called for before. After the fence of the pin.
        if put == Put::First && calls.are_made() && member.wait.is_on() {
            self.called += 1;
        }
        ControlFlow::Continue(())
    }

    /// Notes that what is about to be put into a mailbox waits from now on, if nothing waits there
    /// yet. Before it is there: whoever finds it there finds the time, wherever we stop.
    #[cold]
    fn note_the_time(&self, member: &Member) {
        if !member.mailbox.has_mail(self.guard) {
            member.waits_since.raise(self.shards.now());
        }
    }

    /// Closes the mailbox of a watcher that has taken nothing for too long.
    #[cold]
    fn watch_the_time(
        &self,
        member: &Member,
        (put, delivering): (Put, &Delivering<'_>),
        timeout: u64,
    ) {
        let now = self.shards.now();
        match put {
            // What waited when we looked was taken meanwhile.
            Put::First => member.waits_since.raise(now),
            Put::Done | Put::Full if now.saturating_sub(member.waits_since.get()) > timeout => {
                let end = End::at(delivering.first_torn(), self.lost);
                member.mailbox.close(self.guard, end);
            }
            _ => {}
        }
    }
}
