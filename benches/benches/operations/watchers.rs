//! Receiving: the time of taking one commit of one change, which is there already, change and
//! marker.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use skep::{Event, Filter, Store, Watcher};

use crate::Bench;
use crate::items::{Item, count_up, filled, some};

/// Commits that are there before the first is taken.
const COMMITS: u64 = 1_000;
/// Events of a commit: the change, and the marker.
const EVENTS: usize = 2;

impl Bench {
    /// Something that takes a commit off a watcher.
    fn received<R>(&mut self, name: &str, store: &Store, mut take: impl FnMut(&mut Watcher) -> R) {
        self.0.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let (mut took, mut left) = (Duration::ZERO, times);
                while left > 0 {
                    let commits = left.min(COMMITS);
                    let mut watcher = store.watch(Filter::of::<Item>());
                    (0..commits).for_each(|time| count_up(store, some(time)));
                    let begun = Instant::now();
                    for _ in 0..commits {
                        std::hint::black_box(take(&mut watcher));
                    }
                    took += begun.elapsed();
                    left -= commits;
                }
                took
            });
        });
    }
}

/// A future's answer, which is there.
fn ready<R>(future: impl Future<Output = R>) -> R {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it is not there"),
    }
}

fn each(watcher: &mut Watcher, take: impl Fn(&mut Watcher) -> Event) -> [Event; EVENTS] {
    [(); EVENTS].map(|()| take(watcher))
}

pub fn measure(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    let there = "a commit is there";
    bench.received("Watcher::try_recv", store, |watcher| {
        each(watcher, |it| it.try_recv().expect(there).expect(there))
    });
    bench.received("Watcher::recv", store, |watcher| {
        each(watcher, |it| it.recv().expect(there))
    });
    let long = Duration::from_secs(10);
    bench.received("Watcher::recv_timeout", store, |watcher| {
        each(watcher, |it| {
            it.recv_timeout(long).expect(there).expect(there)
        })
    });
    bench.received("Watcher::recv_async", store, |watcher| {
        each(watcher, |it| ready(it.recv_async()).expect(there))
    });
    bench.received("Watcher::poll_recv", store, |watcher| {
        each(watcher, |it| {
            let mut context = Context::from_waker(Waker::noop());
            match it.poll_recv(&mut context) {
                Poll::Ready(event) => event.expect(there),
                Poll::Pending => panic!("{there}"),
            }
        })
    });
    bench.received("Watcher::iter", store, |watcher| {
        assert_eq!(
            watcher.iter().take(EVENTS).filter(Result::is_ok).count(),
            EVENTS
        );
    });
    bench.received("Watcher::try_recv_commit", store, |watcher| {
        watcher.try_recv_commit().expect(there).expect(there)
    });
    bench.received("Watcher::recv_commit", store, |watcher| {
        watcher.recv_commit().expect(there)
    });
    bench.received("Watcher::recv_commit_timeout", store, |watcher| {
        watcher
            .recv_commit_timeout(long)
            .expect(there)
            .expect(there)
    });
    bench.received("Watcher::recv_commit_async", store, |watcher| {
        ready(watcher.recv_commit_async()).expect(there)
    });
    let mut watcher = store.watch(Filter::of::<Item>());
    bench.time("Watcher::position", |_| watcher.position());
    bench.time("Watcher::resume", |_| watcher.resume());
}
