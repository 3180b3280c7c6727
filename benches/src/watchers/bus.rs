//! What is compared: the store, and channels that take the same events.

use std::fmt;
use std::sync::Arc;

use skep::{Change, Delivery, Error, Event, Filter, Id, Object, Store};

use super::executor::Task as AsyncTask;
use super::{Shared, now};

/// Nodes that there are where each watcher wants one event in a thousand.
const THOUSAND: u64 = 1000;
/// Nodes that there are where each watcher has its own.
const NODES: u64 = 5000;
/// Events that a channel holds for a watcher.
const CAPACITY: usize = 1024;

/// What watchers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Everything.
    All,
    /// Events of one node of a thousand.
    OneInAThousand,
    /// Events of one node of five thousand, each watcher of another.
    OwnNode,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::OneInAThousand => "1 in 1,000",
            Self::OwnNode => "own node of 5,000",
        })
    }
}

impl Asked {
    /// All of them.
    pub const EACH: [Self; 3] = [Self::All, Self::OneInAThousand, Self::OwnNode];

    /// How many watchers it is measured with: the usual numbers, or one a node.
    #[must_use]
    pub fn watchers(self, usual: &'static [usize]) -> &'static [usize] {
        match self {
            Self::OwnNode => &[NODES as usize],
            Self::All | Self::OneInAThousand => usual,
        }
    }

    fn nodes(self) -> u64 {
        match self {
            Self::All | Self::OneInAThousand => THOUSAND,
            Self::OwnNode => NODES,
        }
    }

    /// The node of an event, or of a watcher: they go round, in another order each.
    #[must_use]
    pub fn node(self, number: u64) -> u64 {
        number * 7 % self.nodes()
    }

    /// Whether a bus is measured: the store's other ways of delivery where it matters.
    #[must_use]
    pub fn is_for(self, bus: &str) -> bool {
        self == Self::OwnNode || !bus.ends_with("delivers") && !bus.ends_with("deliver")
    }
}

/// A task of a cluster, of about 400 bytes.
#[derive(Clone, Debug, Object)]
pub struct Task {
    #[object(key)]
    id: Id,
    #[object(index)]
    node: u64,
    sent: u64,
    /// What makes it as large: copied, and read by nobody.
    _rest: [u64; 44],
}

impl Task {
    fn of(node: u64, sent: u64) -> Self {
        Self {
            id: Id::from_u128(u128::from(node) << 64),
            node,
            sent,
            _rest: [node; 44],
        }
    }
}

/// Something that events are published to.
pub trait Bus: Sync {
    /// Publishes an event of a node.
    fn publish(&self, node: u64, sent: u64);
    /// Publishes it to the watchers, if these are not its own: untimed, so that they run as often
    /// as any bus's, and what they use is what lies in the caches.
    fn publish_beside(&self, _node: u64, _sent: u64) {}
    /// A watcher's task.
    fn watch(&self, watcher: u64, asked: Asked, notes: Shared) -> AsyncTask;
}

/// Makes a bus.
pub type Make = fn(Asked) -> Box<dyn Bus>;

/// All of them.
pub const BUSES: &[(&str, Make)] = &[
    ("skep", |asked| Skep::watched(asked, Delivery::Committers)),
    ("skep, changes only", |asked| Skep::told_of_changes(asked)),
    ("skep, receivers deliver", |asked| {
        Skep::watched(asked, Delivery::Receivers)
    }),
    ("skep, a thread delivers", |asked| {
        Skep::watched(asked, Delivery::Threads)
    }),
    ("skep, commits alone", |asked| {
        Skep::alone(asked, Watched::Nothing)
    }),
    ("skep, others watched", |asked| {
        let beside = Skep::store(asked, Delivery::default());
        Skep::alone(asked, Watched::Beside(beside))
    }),
    ("tokio broadcast", |_| {
        Box::new(Tokio(tokio::sync::broadcast::channel(CAPACITY).0))
    }),
    ("async-broadcast", |_| Box::new(Broadcast::new())),
    ("flume each", |_| Box::new(Flume::default())),
];

fn note(notes: &Shared, wants: bool, sent: u64) {
    if wants {
        let mut notes = notes.borrow_mut();
        notes.wanted += 1;
        if let Some(ages) = &mut notes.ages {
            ages.push(u32::try_from(now().saturating_sub(sent)).unwrap_or(u32::MAX));
        }
    }
}

fn wants(asked: Asked, watcher: u64, node: u64) -> bool {
    asked == Asked::All || asked.node(watcher) == node
}

/// What the watchers watch.
enum Watched {
    Nothing,
    /// The store.
    Own,
    /// The store, without markers of commits.
    OwnChanges,
    /// Another one beside it.
    Beside(Store),
}

struct Skep {
    store: Store,
    watched: Watched,
}

impl Skep {
    fn watched(asked: Asked, delivery: Delivery) -> Box<dyn Bus> {
        Self::bus(asked, delivery, Watched::Own)
    }

    /// As a channel tells.
    fn told_of_changes(asked: Asked) -> Box<dyn Bus> {
        Self::bus(asked, Delivery::default(), Watched::OwnChanges)
    }

    fn alone(asked: Asked, watched: Watched) -> Box<dyn Bus> {
        Self::bus(asked, Delivery::default(), watched)
    }

    fn bus(asked: Asked, delivery: Delivery, watched: Watched) -> Box<dyn Bus> {
        let store = Self::store(asked, delivery);
        Box::new(Self { store, watched })
    }

    fn store(asked: Asked, delivery: Delivery) -> Store {
        let builder = Store::builder().table::<Task>();
        let store = builder.watch_delivery(delivery).build();
        let filled = store.batch(|batch| {
            for node in 0..asked.nodes() {
                batch.step(move |tx| Ok::<_, Error>(tx.create(Task::of(node, 0))?))?;
            }
            Ok(())
        });
        filled.expect("a new store");
        store
    }

    fn commit(store: &Store, node: u64, sent: u64) {
        let task = Task::of(node, sent);
        let done = store.update(|tx| tx.upsert(task.clone()));
        done.expect("one writer");
    }
}

impl Bus for Skep {
    fn publish(&self, node: u64, sent: u64) {
        Self::commit(&self.store, node, sent);
    }

    fn publish_beside(&self, node: u64, sent: u64) {
        if let Watched::Beside(watched) = &self.watched {
            Self::commit(watched, node, sent);
        }
    }

    fn watch(&self, watcher: u64, asked: Asked, notes: Shared) -> AsyncTask {
        let (store, notes) = match &self.watched {
            Watched::Nothing => return Box::pin(std::future::pending()),
            Watched::Own | Watched::OwnChanges => (&self.store, notes),
            // What was published here is not received there.
            Watched::Beside(watched) => (watched, Shared::default()),
        };
        let filter = match asked {
            Asked::All => Filter::all(),
            _ => Filter::of::<Task>()
                .value(Task::BY_NODE, asked.node(watcher))
                .into(),
        };
        let filter = match &self.watched {
            Watched::OwnChanges => filter.changes_only(),
            _ => filter,
        };
        let mut watcher = store.watch(filter);
        Box::pin(async move {
            loop {
                if let Event::Change(change) = watcher.recv_async().await.expect("no lag") {
                    let task = change.of::<Task>().and_then(Change::new);
                    let sent = task.map_or(0, |task| task.sent);
                    note(&notes, true, sent);
                }
            }
        })
    }
}

struct Tokio(tokio::sync::broadcast::Sender<Arc<Task>>);

impl Bus for Tokio {
    fn publish(&self, node: u64, sent: u64) {
        self.0
            .send(Arc::new(Task::of(node, sent)))
            .expect("watchers");
    }

    fn watch(&self, watcher: u64, asked: Asked, notes: Shared) -> AsyncTask {
        let mut receiver = self.0.subscribe();
        Box::pin(async move {
            loop {
                let task = receiver.recv().await.expect("no lag");
                note(&notes, wants(asked, watcher, task.node), task.sent);
            }
        })
    }
}

struct Broadcast {
    sender: async_broadcast::Sender<Arc<Task>>,
    receiver: async_broadcast::InactiveReceiver<Arc<Task>>,
}

impl Broadcast {
    fn new() -> Self {
        let (sender, receiver) = async_broadcast::broadcast(CAPACITY);
        Self {
            sender,
            receiver: receiver.deactivate(),
        }
    }
}

impl Bus for Broadcast {
    fn publish(&self, node: u64, sent: u64) {
        let task = Arc::new(Task::of(node, sent));
        self.sender.try_broadcast(task).expect("room");
    }

    fn watch(&self, watcher: u64, asked: Asked, notes: Shared) -> AsyncTask {
        let mut receiver = self.receiver.activate_cloned();
        Box::pin(async move {
            loop {
                let task = receiver.recv().await.expect("open");
                note(&notes, wants(asked, watcher, task.node), task.sent);
            }
        })
    }
}

#[derive(Default)]
struct Flume(std::sync::RwLock<Vec<flume::Sender<Arc<Task>>>>);

impl Bus for Flume {
    fn publish(&self, node: u64, sent: u64) {
        let task = Arc::new(Task::of(node, sent));
        for sender in self.0.read().expect("no panic").iter() {
            sender.try_send(Arc::clone(&task)).expect("room");
        }
    }

    fn watch(&self, watcher: u64, asked: Asked, notes: Shared) -> AsyncTask {
        let (sender, receiver) = flume::bounded(CAPACITY);
        self.0.write().expect("no panic").push(sender);
        Box::pin(async move {
            loop {
                let task = receiver.recv_async().await.expect("open");
                note(&notes, wants(asked, watcher, task.node), task.sent);
            }
        })
    }
}
