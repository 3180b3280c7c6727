//! Threads that begin together.

use std::sync::Barrier;

/// Has each of some threads, the calling one among them, do something at the same time; what each
/// made of it, in their order. Each gets its number, and what is to be called when it is ready: it
/// returns when all are.
///
/// # Panics
/// If one of them does.
pub fn together<R: Send>(threads: usize, one: impl Fn(usize, &dyn Fn()) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(threads.max(1));
    let ready = || {
        barrier.wait();
    };
    std::thread::scope(|scope| {
        let (one, ready) = (&one, &ready);
        let start = |thread| scope.spawn(move || one(thread, ready));
        let others: Vec<_> = (1..threads).map(start).collect();
        let own = one(0, ready);
        let others = others
            .into_iter()
            .map(|other| other.join().expect("a thread panicked"));
        std::iter::once(own).chain(others).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn nobody_begins_before_all_are_ready() {
        let prepared = AtomicUsize::new(0);
        let seen = together(3, |thread, ready| {
            prepared.fetch_add(1, Ordering::Relaxed);
            ready();
            (thread, prepared.load(Ordering::Relaxed))
        });
        assert_eq!(seen, [(0, 3), (1, 3), (2, 3)]);
    }
}
