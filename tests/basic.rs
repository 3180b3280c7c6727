//! The whole path once, in small.
use skep::{Event, Filter, Id, Index, Indexes, Object, Store};

#[derive(Clone, Debug, PartialEq)]
struct Task {
    id: Id,
    node: Option<Id>,
    name: String,
    n: u64,
}
impl Task {
    const BY_NODE: Index<Task, Id> = Index::new("by_node", |t, k| {
        if let Some(n) = t.node {
            k.add(n)
        }
    });
    const BY_NAME: Index<Task, String> =
        Index::new("by_name", |t: &Task, k| k.add(t.name.clone())).unique();
}
impl Object for Task {
    type Key = Id;
    const TABLE: &'static str = "task";
    fn key(&self) -> Id {
        self.id
    }
    fn indexes(i: &mut Indexes<Self>) {
        i.add(Self::BY_NODE).add(Self::BY_NAME);
    }
}
fn task(n: u64) -> Task {
    Task {
        id: Id::from_u128(n as u128),
        node: (n % 3 == 0).then(|| Id::from_u128(7)),
        name: format!("t{n}"),
        n,
    }
}

#[test]
fn one_round() {
    let store = Store::builder().table::<Task>().build();
    let mut w = store.watch(Filter::of::<Task>().value(Task::BY_NODE, Id::from_u128(7)));
    for n in 0..2000 {
        store.update(|tx| tx.create(task(n))).unwrap();
    }
    let s0 = store.snapshot();
    store.view(|v| {
        for n in 0..2000 {
            assert_eq!(v.get::<Task>(&Id::from_u128(n as u128)).unwrap().n, n);
        }
        assert_eq!(v.count(skep::keys::<Task>().all()), 2000);
        assert_eq!(v.count(Task::BY_NODE.eq(Id::from_u128(7))), 667);
        assert_eq!(v.count(Task::BY_NAME.prefix("t19")), 111);
        let back: Vec<u64> = v
            .find(skep::keys::<Task>().all().reversed().limit(3))
            .map(|t| t.n)
            .collect();
        assert_eq!(back, [1999, 1998, 1997]);
    });
    let e = store.update(|tx| {
        let mut t = task(5000);
        t.name = "t3".into();
        tx.create(t)
    });
    assert!(e.is_err());
    for round in 0..20 {
        for n in 0..2000u64 {
            store
                .update(|tx| {
                    tx.modify::<Task>(&Id::from_u128(n as u128), |t| {
                        t.n += 1;
                        t.node = (t.n % 2 == 0).then(|| Id::from_u128(9));
                    })
                })
                .unwrap();
        }
        let _ = round;
    }
    assert_eq!(s0.count(Task::BY_NODE.eq(Id::from_u128(7))), 667);
    assert_eq!(store.read().count(Task::BY_NODE.eq(Id::from_u128(7))), 0);
    println!("{:?}", store.stats());
    drop(s0);
    for n in 0..2000u64 {
        store
            .update(|tx| tx.delete::<Task>(&Id::from_u128(n as u128)))
            .unwrap();
    }
    assert_eq!(store.read().count(skep::keys::<Task>().all()), 0);
    let mut seen = 0;
    while let Some(e) = w.try_recv().unwrap() {
        if let Event::Change(_) = e {
            seen += 1
        }
    }
    assert_eq!(seen, 667 * 2);
    drop(w);
    store.reclaim();
    println!("{:?}", store.stats());
    assert_eq!(store.stats().versions, 0);
}

#[test]
fn threads_move_money() {
    let store = Store::builder().table::<Task>().attempts_max(10000).build();
    store
        .update(|tx| {
            for n in 0..10 {
                tx.create(Task { n: 100, ..task(n) })?;
            }
            Ok::<_, skep::Error>(())
        })
        .unwrap();
    std::thread::scope(|s| {
        for t in 0..4u64 {
            let store = store.clone();
            s.spawn(move || {
                let mut x = t * 77 + 1;
                for _ in 0..20000 {
                    x = x
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    let (a, b) = ((x >> 33) % 10, (x >> 40) % 10);
                    store
                        .update(|tx| {
                            let (a, b) = (Id::from_u128(a as u128), Id::from_u128(b as u128));
                            if tx.get::<Task>(&a).unwrap().n == 0 {
                                return Ok(());
                            }
                            tx.modify::<Task>(&a, |t| t.n -= 1)?;
                            tx.modify::<Task>(&b, |t| t.n += 1)
                        })
                        .unwrap();
                }
            });
        }
        let store = store.clone();
        s.spawn(move || {
            for _ in 0..5000 {
                let v = store.read();
                assert_eq!(
                    v.find(skep::keys::<Task>().all()).map(|t| t.n).sum::<u64>(),
                    1000
                );
            }
        });
    });
    println!("{:?}", store.stats());
}
