//! Watchers as streams, with the feature `stream`: on no runtime at all, by the trait alone.

mod common;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::{Task, counted, put, store, task};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use skep::{Event, Filter, Overflow, WatchError, Watcher};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park_timeout(Duration::from_secs(60));
    }
}

async fn next(watcher: &mut Watcher) -> Option<Result<Event, WatchError>> {
    poll_fn(|context| Pin::new(&mut *watcher).poll_next(context)).await
}

#[test]
fn a_stream_gives_all_events_and_ends_when_the_store_closes() {
    for filter in [
        Filter::all(),
        Filter::of::<Task>().value(Task::BY_COUNT, 7).into(),
    ] {
        let store = store();
        let mut watcher = store.watch(filter);
        let writer = std::thread::spawn(move || {
            for id in 0..100 {
                put(&store, [counted(id, 7)]);
            }
        });
        let ids = block_on(async {
            let mut ids = Vec::new();
            while let Some(event) = next(&mut watcher).await {
                if let Event::Change(change) = event.expect("no lag") {
                    ids.push(change.new_object::<Task>().expect("a task").id);
                }
            }
            ids
        });
        writer.join().unwrap();
        assert!(ids.into_iter().eq(0..100));
        assert!(watcher.is_terminated());
        assert!(block_on(next(&mut watcher)).is_none());
    }
}

#[test]
fn a_stream_ends_after_an_overflow() {
    let store = store();
    let filter = Filter::of::<Task>().events_max(2).overflow(Overflow::Close);
    let mut watcher = store.watch(filter);
    for id in 0..5 {
        put(&store, [task(id)]);
    }
    let mut given = Vec::new();
    while let Some(item) = block_on(next(&mut watcher)) {
        given.push(item.map(|event| event.version().get()));
    }
    let overflowed = Err(WatchError::Overflowed);
    assert_eq!(given, [Ok(1), Ok(1), Ok(2), Ok(2), overflowed]);
    assert!(watcher.is_terminated());
}

#[test]
fn a_future_that_is_dropped_takes_nothing_with_it() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1));
    let waker = Waker::noop();
    let mut context = Context::from_waker(waker);
    let mut given = 0;
    for count in 0..200i64 {
        {
            // Polled while nothing is there, then dropped when something is.
            let mut future = pin!(next(&mut watcher));
            assert!(future.as_mut().poll(&mut context).is_pending());
            put(&store, [counted(1, count)]);
        }
        {
            // And one that is dropped without having been polled.
            let _unpolled = next(&mut watcher);
        }
        let Some(Ok(Event::Change(change))) = block_on(next(&mut watcher)) else {
            panic!("the change comes first");
        };
        let new = change.new_object::<Task>().expect("a task");
        assert_eq!(new.count, count);
        assert!(matches!(
            block_on(next(&mut watcher)),
            Some(Ok(Event::Commit(_)))
        ));
        given += 1;
    }
    assert_eq!(given, 200);
}
