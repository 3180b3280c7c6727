//! What is measured on both sides, and how on ours.

use std::time::Duration;

use skep::Store;
use skep::cluster::{builder, catalogue};
use skep::save::Catalogue;
use skep_benches::cluster::Sizes;
use skep_benches::load::{self, BATCH, Cluster, Passing};
use skep_benches::{TASKS, run};

/// An operation, from its thread's number and the time.
type Operation<'c> = Box<dyn Fn(u64, u64) + Sync + 'c>;

/// Changes of a transaction that has many.
const CHANGES: u64 = 200;
/// Threads, where there are two.
const TWO: u64 = 2;
const USUAL: u64 = Sizes::USUAL.services;

/// One of the workloads.
pub struct Workload {
    /// Its name, which both sides know.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Services of its cluster.
    pub services: u64,
    /// Threads that do it.
    pub threads: u64,
    /// What an operation counts for.
    pub parts: u64,
    /// How many times as fast as SwarmKit's store Skep is to be, if that was asked.
    pub asked: Option<f64>,
    /// What SwarmKit's own store took, if that was measured.
    pub swarmkit: &'static str,
    prepare: for<'c> fn(&'c Cluster) -> Operation<'c>,
}

/// Of one thread, a usual cluster, and operations that count once.
const fn workload(
    name: &'static str,
    what: &'static str,
    asked: Option<f64>,
    swarmkit: &'static str,
    prepare: for<'c> fn(&'c Cluster) -> Operation<'c>,
) -> Workload {
    Workload {
        name,
        what,
        services: USUAL,
        threads: 1,
        parts: 1,
        asked,
        swarmkit,
        prepare,
    }
}

const SAME_BARE: &str = "the same, the stand-in without copies";

/// All, those of one cluster one after the other.
pub const WORKLOADS: [Workload; 21] = [
    workload("view_get", "view and get", Some(50.0), "7.3 us", get),
    workload("view_get_bare", SAME_BARE, None, "2.2 us", get),
    Workload {
        threads: TWO,
        ..workload(
            "view_get_2",
            "view and get, 2 threads, each",
            Some(150.0),
            "25 us",
            get,
        )
    },
    workload(
        "node_20",
        "find by node, 20 results",
        Some(50.0),
        "127 us",
        of_node,
    ),
    workload(
        "slot",
        "find by slot, 1 result",
        Some(15.0),
        "4 us",
        in_slot,
    ),
    workload("all", "find all", Some(200.0), "0.8 to 1.1 s", all),
    workload("all_bare", SAME_BARE, None, "", all),
    workload(
        "update_status",
        "update of a status",
        Some(40.0),
        "107 to 134 us",
        update_own,
    ),
    Workload {
        threads: TWO,
        ..workload(
            "update_status_2",
            "update of a status, 2 threads on their own tasks, each",
            None,
            "235 to 303 us",
            update_own,
        )
    },
    Workload {
        parts: CHANGES,
        ..workload(
            "transaction_of_200",
            "transaction of 200 statuses, a change",
            Some(30.0),
            "",
            update_many,
        )
    },
    Workload {
        parts: BATCH,
        ..workload(
            "batch_of_10000",
            "batch of 10,000 statuses in commits of 200, a change",
            Some(30.0),
            "62 us",
            batch,
        )
    },
    workload(
        "create_delete",
        "create and delete, two transactions",
        Some(25.0),
        "160 to 200 us",
        create_delete,
    ),
    workload(
        "save",
        "save, the stand-in without encoding",
        Some(5.0),
        "0.93 s",
        save,
    ),
    workload(
        "restore_empty",
        "restore into an empty store, the stand-in without decoding",
        Some(10.0),
        "3.4 s",
        restore_empty,
    ),
    workload(
        "restore_same",
        "restore over the same, the stand-in without decoding",
        Some(50.0),
        "3.4 s",
        restore_same,
    ),
    service(
        "service_1000",
        "find by service, 1,000 results",
        1_000,
        Some(50.0),
        "4.1 ms",
    ),
    service("service_1000_bare", SAME_BARE, 1_000, None, "41 us"),
    service(
        "service_100",
        "find by service, 100 results",
        100,
        Some(50.0),
        "410 us",
    ),
    service("service_100_bare", SAME_BARE, 100, None, "21 us"),
    service(
        "service_10",
        "find by service, 10 results",
        10,
        Some(50.0),
        "44 us",
    ),
    service("service_10_bare", SAME_BARE, 10, None, "3.8 us"),
];

const fn service(
    name: &'static str,
    what: &'static str,
    results: u64,
    asked: Option<f64>,
    swarmkit: &'static str,
) -> Workload {
    Workload {
        services: TASKS / results,
        ..workload(name, what, asked, swarmkit, of_service)
    }
}

fn get(cluster: &Cluster) -> Operation<'_> {
    let store = cluster.store();
    Box::new(move |thread, time| load::get(store, thread, time))
}

fn of_node(cluster: &Cluster) -> Operation<'_> {
    let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
    Box::new(move |_, time| look(load::of_node(tasks, &view, time)))
}

fn of_service(cluster: &Cluster) -> Operation<'_> {
    let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
    Box::new(move |_, time| look(load::of_service(tasks, &view, time)))
}

fn in_slot(cluster: &Cluster) -> Operation<'_> {
    let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
    Box::new(move |_, time| look(load::in_slot(tasks, &view, time)))
}

fn all(cluster: &Cluster) -> Operation<'_> {
    let view = cluster.store().snapshot();
    Box::new(move |_, _| look(load::all(&view)))
}

/// So that what was found is not left out.
fn look(slots: u64) {
    std::hint::black_box(slots);
}

fn update_own(cluster: &Cluster) -> Operation<'_> {
    let store = cluster.store();
    Box::new(move |thread, time| load::update_own(store, TWO, thread, time))
}

fn update_many(cluster: &Cluster) -> Operation<'_> {
    let store = cluster.store();
    Box::new(move |_, time| load::update_many(store, CHANGES, time))
}

fn batch(cluster: &Cluster) -> Operation<'_> {
    let store = cluster.store();
    Box::new(move |_, time| load::batch(store, time))
}

fn create_delete(cluster: &Cluster) -> Operation<'_> {
    let (passing, store) = (Passing::of(cluster.tasks()), cluster.store());
    Box::new(move |_, _| passing.create_and_delete(store))
}

fn save(cluster: &Cluster) -> Operation<'_> {
    let (catalogue, store) = (catalogue(), cluster.store());
    Box::new(move |_, _| {
        let saved = store.save(&catalogue, std::io::sink());
        saved.expect("a sink takes all");
    })
}

/// With the freeing of the store.
fn restore_empty(cluster: &Cluster) -> Operation<'_> {
    let (catalogue, file) = (catalogue(), saved(cluster));
    Box::new(move |_, _| restore(&builder().build(), &catalogue, &file))
}

fn restore_same(cluster: &Cluster) -> Operation<'_> {
    let (catalogue, file, store) = (catalogue(), saved(cluster), cluster.store());
    Box::new(move |_, _| restore(store, &catalogue, &file))
}

fn saved(cluster: &Cluster) -> Vec<u8> {
    let mut file = Vec::new();
    let saved = cluster.store().save(&catalogue(), &mut file);
    saved.expect("memory takes all");
    file
}

fn restore(store: &Store, catalogue: &Catalogue, file: &[u8]) {
    let restored = store.restore(catalogue, file);
    restored.expect("a sound file");
}

impl Workload {
    /// Nanoseconds of an operation of each thread, by rows that grow until one takes a tenth of the
    /// asked time, and then one that takes about that. `times`: how often it was done before, since
    /// no time is to come twice.
    pub fn measure(&self, cluster: &Cluster, millis: u64, times: &mut u64) -> f64 {
        let asked = Duration::from_millis(millis);
        let operation = (self.prepare)(cluster);
        let mut row = |count: u64| {
            let begin = *times;
            *times += count;
            run(self.threads, begin..begin + count, &operation)
        };
        let mut count = 1;
        let warm = loop {
            let took = row(count);
            if took >= asked / 10 {
                break took;
            }
            count *= 2;
        };
        let rows = asked.as_secs_f64() / warm.as_secs_f64();
        let count = ((count as f64 * rows) as u64).max(1);
        row(count).as_nanos() as f64 / (count * self.parts) as f64
    }
}

/// The names, for people to choose from.
pub fn names() -> String {
    WORKLOADS.map(|it| it.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_cluster_is_there_once() {
        let clusters = WORKLOADS.chunk_by(|one, other| one.services == other.services);
        let services: Vec<_> = clusters.map(|chunk| chunk[0].services).collect();
        assert_eq!(services, [100, 1_000, 10_000]);
    }

    #[test]
    fn the_stand_in_knows_each_name() {
        let sources = include_str!("../../../go-memdb/workload.go");
        let names: BTreeSet<_> = WORKLOADS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), WORKLOADS.len());
        for name in names.iter().filter(|it| !it.starts_with("service_")) {
            assert!(sources.contains(&format!("{{\"{name}\", ")), "{name}");
        }
    }
}
