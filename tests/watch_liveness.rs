//! Watchers with mailboxes: nobody who is dead, dropped or slow keeps another one from what it is
//! to be told, and what is told is whole.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use common::{
    Account, Task, builder, counted, delete, events, put, store, task, wait_for_delivery,
};
use skep::{Change, Event, Filter, Overflow, Store, Version, WatchError, Watcher, WatcherStats};

/// More than a committer leaves a commit's rest to.
const MANY: usize = 300;

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that counts how often it is woken.
struct Sleeper {
    calls: Arc<Calls>,
    waker: Waker,
}

impl Sleeper {
    fn new() -> Self {
        let calls = Arc::<Calls>::default();
        let waker = Waker::from(Arc::clone(&calls));
        Self { calls, waker }
    }

    /// A task that waits for the next event of a watcher.
    fn waiting_for(watcher: &mut Watcher) -> Self {
        let sleeper = Self::new();
        assert!(watcher.poll_recv(&mut sleeper.context()).is_pending());
        sleeper
    }

    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Waits for what another thread does, if one publishes.
    fn assert_woken(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.calls.0.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < until, "the task sleeps");
            std::thread::yield_now();
        }
    }
}

fn of_one() -> Filter {
    Filter::of::<Task>().key(&1).into()
}

fn figures(store: &Store) -> WatcherStats {
    wait_for_delivery(store);
    store.watchers()[0]
}

#[test]
fn those_that_never_receive_keep_nobody_asleep() {
    for dead in [255, 256, 257, 1_000] {
        let store = store();
        let dead: Vec<_> = (0..dead).map(|_| store.watch(of_one())).collect();
        let mut live = store.watch(of_one());
        for time in 0..3 {
            let sleeper = Sleeper::waiting_for(&mut live);
            put(&store, [counted(1, time)]);
            sleeper.assert_woken();
            assert_eq!(events(&mut live).len(), 2);
        }
        drop(dead);
    }
}

#[test]
fn those_that_ceased_to_receive_keep_nobody_asleep_twice() {
    let store = store();
    let mut dead: Vec<_> = (0..MANY).map(|_| store.watch(of_one())).collect();
    let tasks: Vec<_> = dead.iter_mut().map(Sleeper::waiting_for).collect();
    put(&store, [counted(1, 0)]);
    let mut live = store.watch(of_one());
    let sleeper = Sleeper::waiting_for(&mut live);
    put(&store, [counted(1, 1)]);
    sleeper.assert_woken();
    drop((dead, tasks));
}

/// However many they are: each commit gets past as many as one may call.
#[test]
fn thousands_that_ceased_to_receive_are_passed_by() {
    let store = store();
    let mut dead: Vec<_> = (0..5_000).map(|_| store.watch(of_one())).collect();
    let mut live = store.watch(of_one());
    let sleepers: Vec<_> = dead.iter_mut().map(Sleeper::waiting_for).collect();
    let sleeper = Sleeper::waiting_for(&mut live);
    for time in 0..5_000 / 256 + 1 {
        put(&store, [counted(1, time)]);
    }
    sleeper.assert_woken();
    drop((dead, sleepers));
}

/// And nobody's commit takes long for those who do receive: these deliver to the others.
#[test]
fn a_committer_leaves_the_rest_to_those_it_has_called() {
    let store = store();
    let mut watchers: Vec<_> = (0..5_000).map(|_| store.watch(of_one())).collect();
    let sleepers: Vec<_> = watchers.iter_mut().map(Sleeper::waiting_for).collect();
    put(&store, [counted(1, 0)]);
    sleepers[0].assert_woken();
    let waits = |figures: &WatcherStats| figures.waiting > 0;
    assert!(store.watchers().iter().filter(|it| waits(it)).count() < 1_000);
    assert_eq!(events(&mut watchers[0]).len(), 2);
    sleepers.iter().for_each(Sleeper::assert_woken);
}

#[test]
fn who_is_dropped_after_it_was_called_goes_on_first() {
    for futures_alone in [true, false] {
        let store = store();
        let mut called: Vec<_> = (0..MANY).map(|_| store.watch(of_one())).collect();
        let mut live = store.watch(of_one());
        let (sleeper, others) = (Sleeper::new(), Sleeper::new());
        let mut waiting = pin!(live.recv_async());
        assert!(waiting.as_mut().poll(&mut sleeper.context()).is_pending());
        let mut futures: Vec<_> = called
            .iter_mut()
            .map(|watcher| Box::pin(watcher.recv_async()))
            .collect();
        for future in &mut futures {
            assert!(future.as_mut().poll(&mut others.context()).is_pending());
        }
        put(&store, [task(1)]);
        others.assert_woken();
        drop(futures);
        if !futures_alone {
            drop(called);
        }
        sleeper.assert_woken();
    }
}

/// However they have: nothing is left to them.
#[test]
fn those_that_ceased_to_wait_keep_nobody_asleep() {
    let drops_its_future = |watcher: &mut Watcher| {
        let mut future = pin!(watcher.recv_async());
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    };
    let waits_in_vain = |watcher: &mut Watcher| {
        let received = watcher.recv_timeout(Duration::from_micros(1));
        assert_eq!(received.map(|event| event.is_none()), Ok(true));
    };
    let ways: [&(dyn Fn(&mut Watcher) + Sync); 2] = [&drops_its_future, &waits_in_vain];
    for ceases in ways {
        for others in [256, 300, 5_000] {
            let store = store();
            let mut others: Vec<_> = (0..others).map(|_| store.watch(of_one())).collect();
            std::thread::scope(|threads| {
                threads.spawn(|| others.iter_mut().for_each(ceases));
            });
            let mut live = store.watch(of_one());
            let sleeper = Sleeper::waiting_for(&mut live);
            put(&store, [counted(1, 0)]);
            sleeper.assert_woken();
            drop(others);
        }
    }
}

/// Those that have received are busy with that, for as long as they like.
#[test]
fn those_that_are_busy_keep_nobody_asleep() {
    let store = store();
    let mut busy: Vec<_> = (0..MANY).map(|_| store.watch(of_one())).collect();
    let mut live = store.watch(of_one());
    for time in 0..3 {
        let tasks: Vec<_> = busy.iter_mut().map(Sleeper::waiting_for).collect();
        put(&store, [counted(1, time)]);
        tasks.iter().take(256).for_each(Sleeper::assert_woken);
        for watcher in &mut busy {
            while !matches!(watcher.recv(), Ok(Event::Commit(_))) {}
        }
        assert_eq!(events(&mut live).len(), 2);
        let sleeper = Sleeper::waiting_for(&mut live);
        put(&store, [counted(1, time)]);
        sleeper.assert_woken();
        busy.iter_mut().chain([&mut live]).for_each(|it| {
            assert_eq!(events(it).len(), 2);
        });
    }
}

#[test]
fn every_commit_wakes_who_asks_for_every_commit() {
    let store = store();
    let mut watcher = store.watch(of_one().events_max(10).every_commit());
    for number in [2, 3] {
        let sleeper = Sleeper::waiting_for(&mut watcher);
        let version = put(&store, [task(number)]);
        sleeper.assert_woken();
        assert!(matches!(events(&mut watcher)[..], [Event::Commit(told)] if told == version));
    }
}

/// What is given before a watcher is closed: how many changes of each commit, and how it ends.
fn given(watcher: &mut Watcher) -> (Vec<usize>, WatchError) {
    let mut commits = Vec::new();
    loop {
        match watcher.try_recv_commit() {
            Ok(Some(commit)) => commits.push(commit.changes.len()),
            Ok(None) => panic!("it is not closed"),
            Err(error) => return (commits, error),
        }
    }
}

#[test]
fn one_that_is_closed_is_given_whole_commits() {
    let store = store();
    let filter = Filter::of::<Task>().overflow(Overflow::Close);
    let mut three = store.watch(filter.events_max(3));
    let mut one = store.watch(Filter::of::<Task>().overflow(Overflow::Close).events_max(1));
    put(&store, (0..2).map(task));
    put(&store, (2..4).map(task));
    wait_for_delivery(&store);
    assert_eq!(given(&mut three), (vec![2], WatchError::Overflowed));
    assert_eq!(given(&mut one), (vec![], WatchError::Overflowed));
}

#[test]
fn one_that_took_too_long_is_given_whole_commits() {
    let store = store();
    let timeout = Duration::from_millis(20);
    let mut watcher = store.watch(Filter::of::<Task>().timeout(timeout));
    put(&store, [task(0)]);
    std::thread::sleep(3 * timeout);
    put(&store, (1..5).map(task));
    wait_for_delivery(&store);
    assert_eq!(given(&mut watcher), (vec![1], WatchError::Overflowed));
}

#[test]
fn one_that_receives_all_the_time_does_not_take_too_long() {
    let store = builder().table::<Task>().history_commits(1_000).build();
    for count in 0..300 {
        put(&store, [counted(1, count)]);
    }
    let filter = || of_one().timeout(Duration::from_secs(2));
    let from = store.watch_from(Version::new(1), filter());
    let mut watchers = [store.watch(filter()), from.expect("history has it")];
    for count in 0..300 {
        put(&store, [counted(1, count)]);
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        for watcher in &mut watchers {
            watcher.try_recv().expect("it receives all the time");
        }
        put(&store, [counted(1, 0)]);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_closures_say_of_changes_is_not_asked_of_several_made_one() {
    let store = store();
    let grows = Filter::of::<Task>()
        .when(|change| matches!(change, Change::Updated { old, new } if old.count != new.count));
    let mut watcher = store.watch(grows.events_max(8).overflow(Overflow::Coalesce));
    for count in 0..9 {
        put(&store, [counted(1, count)]);
    }
    let told = watcher.try_recv();
    assert!(
        matches!(told, Err(WatchError::Lagged { missed, .. }) if missed > 0),
        "{told:?}"
    );
}

#[test]
fn lags_of_who_reads_the_log_are_counted() {
    let store = builder().table::<Task>().watch_commits_max(10).build();
    let mut watcher = store.watch(Filter::all());
    for count in 0..1_000 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    let Err(WatchError::Lagged { missed, .. }) = watcher.try_recv() else {
        panic!("the log is bounded");
    };
    assert_eq!(figures(&store).missed, missed);
}

#[test]
fn one_that_stops_with_what_it_took_is_not_current() {
    let store = store();
    let mut watcher = store.watch(of_one());
    for count in 0..1_000 {
        put(&store, [counted(1, count)]);
    }
    assert_eq!(figures(&store).waiting, 1_000);
    let first = watcher
        .try_recv()
        .expect("no lag")
        .expect("it was delivered");
    put(&store, [task(2)]);
    let stopped = figures(&store);
    assert!(stopped.taken > 900, "{stopped:?}");
    assert!(
        stopped.behind >= 1_000 && stopped.oldest.is_some(),
        "{stopped:?}"
    );
    assert!(stopped.position < first.version(), "{stopped:?}");
    while watcher.try_recv().expect("no lag").is_some() {}
    let current = figures(&store);
    assert_eq!(
        (current.taken, current.behind, current.oldest),
        (0, 0, None)
    );
}

#[test]
fn one_that_has_history_to_read_is_not_current() {
    let store = builder().table::<Task>().history_commits(1_000).build();
    for count in 0..300 {
        put(&store, [counted(1, count)]);
    }
    let watcher = store.watch_from(Version::new(1), of_one());
    let mut watcher = watcher.expect("history has it");
    let begun = figures(&store);
    assert_eq!(
        (begun.position.get(), begun.behind),
        (1, store.version().get() - 1)
    );
    while watcher.try_recv().expect("no lag").is_some() {}
    assert_eq!(figures(&store).behind, 0);
}

/// However a lag in history lies to what is delivered meanwhile: nothing at or below where it goes
/// on is given after it.
#[test]
fn a_lag_in_history_goes_on_where_it_says() {
    let store = builder()
        .table::<Task>()
        .watch_commits_max(10)
        .history_commits(50)
        .build();
    for count in 0..100 {
        put(&store, [counted(1, count)]);
    }
    let from = Version::new(store.version().get() - 20);
    let mut watcher = store.watch_from(from, of_one()).expect("history has it");
    for count in 0..5 {
        put(&store, [counted(1, count)]);
    }
    for count in 0..2_000 {
        put(&store, [counted(2, count)]);
    }
    store.reclaim();
    let mut position = watcher.position();
    let mut gone_on_from = position;
    loop {
        match watcher.try_recv() {
            Ok(Some(event)) => {
                assert!(event.version() > gone_on_from && event.version() >= position);
            }
            Ok(None) => break,
            Err(WatchError::Lagged { resume_from, .. }) => {
                assert!(resume_from > position);
                (position, gone_on_from) = (resume_from, resume_from);
            }
            Err(error) => panic!("{error}"),
        }
        position = position.max(watcher.position());
    }
    assert_eq!(watcher.position(), store.version());
}

#[test]
fn a_table_that_the_store_does_not_have_is_no_matter() {
    let store = builder().table::<Task>().build();
    let tasks = || Filter::of::<Task>().when(|_| true);
    let accounts = || Filter::of::<Account>();
    let joined = [
        accounts().or(tasks()),
        accounts().when(|_| true).or(tasks()),
        accounts().key(&1).or(tasks()),
        accounts().created().or(tasks()).events_max(10),
        accounts()
            .when_object(|own| own.balance > 0)
            .or(tasks())
            .events_max(10),
    ];
    let mut watchers = joined.map(|filter| store.watch(filter));
    put(&store, [task(1)]);
    for watcher in &mut watchers {
        assert_eq!(events(watcher).len(), 2);
    }
}

/// Kinds are looked up as keys and values are.
#[test]
fn kinds_are_given_whatever_is_waited_for_beside_them() {
    let store = store();
    let of_kind = [
        Filter::of::<Task>().created(),
        Filter::of::<Task>().updated(),
        Filter::of::<Task>().deleted(),
        Filter::of::<Task>().created().deleted(),
    ];
    let mut watchers = of_kind.map(|filter| store.watch(filter.events_max(10)));
    put(&store, [task(1)]);
    put(&store, [counted(1, 1)]);
    delete::<Task>(&store, &1);
    let changes = watchers.each_mut().map(|watcher| events(watcher).len() / 2);
    assert_eq!(changes, [1, 1, 1, 2]);
}
