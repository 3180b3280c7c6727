//! A delivery within a waker that another one calls (J1, J2): what is delivered as deep as that is
//! called for, and moved over, by the call further up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::check::outcomes;
use super::delivery::{Member, ROOMY, World};
use crate::kernel::wake::Waiter;
use crate::sync::thread;

/// Room for two deliveries and two commits within one another; a thread of a model has less.
const STACK: usize = 1 << 20;

/// Delivers what is visible, by a thread of its own.
fn deliver(world: &Arc<World>) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    let roomy = thread::Builder::new().stack_size(STACK);
    let deliverer = roomy.spawn(move || world.deliver());
    deliverer.expect("a thread of the model")
}

/// A task that commits where it is woken first, and delivers that.
struct Commits {
    world: Weak<World>,
    done: AtomicBool,
}

impl std::task::Wake for Commits {
    fn wake(self: Arc<Self>) {
        // Relaxed: a swap, and the test's own.
        if !self.done.swap(true, Ordering::Relaxed) {
            let world = self.world.upgrade().expect("it is delivered to");
            world.commit(2);
            world.deliver();
        }
    }
}

/// Has a task sit in a member's seat that commits where it is woken.
fn sit(world: &Arc<World>, member: &Member) {
    let task = Arc::new(Commits {
        world: Arc::downgrade(world),
        done: AtomicBool::new(false),
    });
    let waiter = Waiter::task(std::task::Waker::from(task));
    member.seat.take(&world.kernel, &waiter);
}

/// J1, J2: two deliver what the waker that both may call delivers as well: each letter comes once.
#[test]
fn deliver_during_a_delivery_in_a_waker() {
    let seen = outcomes(2, || {
        let world = World::new(8, ROOMY);
        let (deep, start) = world.subscribe(1);
        sit(&world, &deep);
        world.commit(1);
        let two = [(); 2].map(|()| deliver(&world));
        for one in two {
            one.join().expect("no panic");
        }
        let given = world.take(&deep, start).0;
        (given, world.kernel.station(0).position())
    });
    assert_eq!(seen, BTreeSet::from([(vec![1, 2], 2)]));
}
