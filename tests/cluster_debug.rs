//! What may have a secret in it, and its `Debug` and its texts, which never show one: objects, and
//! whatever carries them between stores, watchers and a proposer.

mod common;
#[path = "common/cluster.rs"]
mod fixture;
#[path = "common/secrets.rs"]
mod secrets;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fixture::id;
use skep::cluster::{self, Cluster, Finder, Search, Secret, SecretBytes, Service, Specifier, Task};
use skep::testing::TestProposer;
use skep::{Action, AnyChange, Event, Filter, ProposedWrite, Proposer, Store, Version, keys};

const WORD: &str = "hunter2-and-more";

/// Asserts that a text has no part of the word, in no way that bytes are written.
#[track_caller]
fn hides(shown: &str) {
    for part in [
        "hunter2",
        "and-more",
        "104, 117, 110",
        "68756e74",
        "aHVudGVy",
    ] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
}

#[track_caller]
fn debug_hides(shown: &impl Debug) {
    hides(&format!("{shown:?} {shown:#?}"));
}

fn secret(at: &str) -> Secret {
    Secret::named(id(at), "password", WORD)
}

/// A store with the objects, whose proposer has kept what was proposed, and what its watcher was
/// told of that.
fn proposed() -> (std::sync::Arc<TestProposer>, Store, Vec<Event>) {
    let proposer = TestProposer::new();
    let builder = cluster::builder().history_commits(10);
    let store = builder.proposer(proposer.clone()).build();
    let mut watcher = store.watch(Filter::all());
    proposer.hold();
    let mut tx = store.begin();
    let created = [
        tx.create(secrets::cluster(id("a1"), &WORD.into())),
        tx.create(secret("a1")),
        tx.create(secrets::service(id("a1"), &WORD.into())),
        tx.create(secrets::task(id("a1"), &WORD.into())),
    ];
    assert_eq!(created, [const { Ok(()) }; 4]);
    debug_hides(&tx);
    debug_hides(&tx.find(keys::<Secret>().all()));
    debug_hides(&tx.entry::<Secret>(&id("a1")));
    let submission = tx.submit().expect("nobody is in the way");
    debug_hides(&submission);
    debug_hides(&proposer);
    proposer.release();
    submission.wait().expect("it was accepted");
    debug_hides(&proposer);
    let deleted = store.update(|tx| tx.delete::<Task>(&id("a1")));
    assert_eq!(deleted, Ok(()));
    debug_hides(&watcher);
    let events = common::events(&mut watcher);
    (proposer, store, events)
}

#[test]
fn no_object_shows_a_secret() {
    debug_hides(&secrets::cluster(id("a1"), &WORD.into()));
    debug_hides(&secret("a1"));
    debug_hides(&secrets::service(id("a1"), &WORD.into()));
    debug_hides(&secrets::task(id("a1"), &WORD.into()));
    let shown = format!("{:?}", secrets::cluster(id("a1"), &WORD.into()));
    let places = shown.matches("SecretBytes(16 bytes)").count();
    assert_eq!(places, 7, "each place has the word: {shown}");
}

#[test]
fn no_event_and_no_action_shows_a_secret() {
    let (_, _, events) = proposed();
    let action = |change: &AnyChange| {
        let action = Action::of::<Cluster>(change).or_else(|| Action::of::<Secret>(change));
        let action = action.or_else(|| Action::of::<Service>(change));
        action.or_else(|| Action::of::<Task>(change))
    };
    let changes: Vec<&AnyChange> = events.iter().filter_map(Event::change).collect();
    assert_eq!(changes.len(), 5);
    for change in changes {
        debug_hides(change);
        debug_hides(&change.of::<Secret>());
        debug_hides(&change.of::<Task>());
        debug_hides(&change.new_object::<Cluster>());
        let action = action(change).expect("of one of the four");
        debug_hides(&action);
        if let Action::Create(object) | Action::Update(object) = &action {
            debug_hides(object);
            debug_hides(&object.of::<Service>());
        }
        debug_hides(&ProposedWrite::of_action(&action, None));
    }
    debug_hides(&events);
}

#[test]
fn no_proposal_shows_a_secret() {
    let (proposer, _, _) = proposed();
    let newest = proposer.version().expect("it has accepted some");
    let changes = proposer.changes_between(Version::ZERO, newest);
    let changes = changes.expect("it has kept them");
    assert_eq!(changes.len(), 2);
    debug_hides(&changes);
    for write in changes.iter().flat_map(|change| change.writes.writes()) {
        debug_hides(write);
        debug_hides(&Action::of_write::<Secret>(write));
    }
}

#[test]
fn nothing_that_reads_or_looks_shows_a_secret() {
    let (_, store, _) = proposed();
    debug_hides(&store);
    let (view, snapshot) = (store.read(), store.snapshot());
    debug_hides(&(&view, &snapshot));
    debug_hides(&view.find(keys::<Secret>().all()));
    debug_hides(&snapshot.find(keys::<Secret>().all()).entries());
    debug_hides(&view.entry::<Secret>(&id("a1")));
    debug_hides(&snapshot.object::<Cluster>(&id("a1")));
    let search = Search::<Secret>::new(&Finder::All).expect("every table's");
    debug_hides(&search);
    debug_hides(&search.find(&view));
    let holder = secret("a1");
    let same = Specifier::<Secret>::new().when(move |secret| *secret == holder);
    debug_hides(&same);
}

/// Of whatever refuses an object that has one, nor of a panic amid its write.
#[test]
fn no_error_shows_a_secret() {
    let (_, store, _) = proposed();
    let refused = [
        store
            .update(|tx| tx.create(secret("a2")))
            .map_err(|error| told(&error)),
        store
            .update(|tx| tx.update(secret("a2")))
            .map_err(|error| told(&error)),
        store
            .update(|tx| tx.update_at(Version::ZERO, secret("a1")))
            .map_err(|error| told(&error)),
        store
            .apply(&[Action::create(secret("a2"))])
            .map(drop)
            .map_err(|error| told(&error)),
        store
            .apply(&[Action::update(secret("a2"))])
            .map(drop)
            .map_err(|error| told(&error)),
    ];
    for refused in refused {
        let told = refused.expect_err("something is in the way");
        hides(&told);
        assert!(told.contains("secret"), "{told}");
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.update(|tx| tx.modify::<Secret>(&id("a1"), |secret| secret.id = id("a3")))
    }));
    let panic = panicked.expect_err("its key changes");
    let told = panic.downcast_ref::<String>().expect("a text");
    hides(told);
    let bytes = SecretBytes::from(WORD);
    let compared = catch_unwind(|| assert_eq!(bytes, SecretBytes::from("another")));
    let panic = compared.expect_err("they differ");
    hides(panic.downcast_ref::<String>().expect("a text"));
}

/// What an error says, and its `Debug`.
fn told(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    let sources: String = sources
        .map(|source| format!("{source} {source:?} "))
        .collect();
    format!("{error} {error:?} {sources}")
}
