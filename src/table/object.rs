//! What can be stored, and by what it is found.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use crate::kernel::secondary::{AnySecondary, Secondary, Values, collect_values};
use crate::table::hash::hash_of;
use crate::table::proposed::{Proposed, Rejected};
use crate::table::unique::{AnyUnique, Unique};
use crate::txn::Transaction;

/// What may be a key or an index value: any ordered, hashable, shareable type. Implemented for all
/// of them; not to be implemented.
///
/// `Ord`, `Eq` and `Hash` must agree and not change while a value is stored. They run inside the
/// store's own operations: keep them short, and do not call the store from them. A panic in one of
/// them ends the operation it is in and leaves the store as it was.
pub trait Key: Ord + Hash + Clone + Send + Sync + 'static {}

impl<K: Ord + Hash + Clone + Send + Sync + 'static> Key for K {}

/// A type whose values a [`Store`](crate::Store) keeps in a table: by hand, or with
/// `#[derive(Object)]`, which takes rules and indexes of the type's own by their names.
///
/// ```
/// use skep::{Id, Index, Indexes, Object};
///
/// #[derive(Clone)]
/// struct Task {
///     id: Id,
///     node: Option<Id>,
/// }
///
/// impl Task {
///     const BY_NODE: Index<Task, Id> = Index::new("by_node", |task, keys| {
///         if let Some(node) = task.node {
///             keys.add(node);
///         }
///     });
/// }
///
/// impl Object for Task {
///     type Key = Id;
///     const TABLE: &'static str = "task";
///
///     fn key(&self) -> Id {
///         self.id
///     }
///
///     fn indexes(indexes: &mut Indexes<Self>) {
///         indexes.add(Self::BY_NODE);
///     }
/// }
/// ```
pub trait Object: Clone + Send + Sync + 'static {
    /// What tells the objects of the table apart.
    type Key: Key;

    /// The table's name, in errors, events and statistics; unique within a store.
    const TABLE: &'static str;

    /// The object's key. It must not change while the object is stored; an update under another
    /// key is an update of that other object.
    fn key(&self) -> Self::Key;

    /// Names the indexes of the table, each once.
    fn indexes(indexes: &mut Indexes<Self>);

    /// How large the object is, for [`object_bytes_max`](crate::Builder::object_bytes_max) and
    /// [`batch_bytes_max`](crate::Builder::batch_bytes_max): a type that points to texts and lists
    /// adds what these have. Asked at each write if the former or the bound of keys is set, and at
    /// each write of a batch; of what is before and after a change when that is first delivered to
    /// a watcher's mailbox ([`Filter::bytes_max`](crate::Filter::bytes_max)), by whoever delivers
    /// it; and of what a commit has replaced, where
    /// [`history_bytes`](crate::Builder::history_bytes) or
    /// [`watch_log_bytes_max`](crate::Builder::watch_log_bytes_max) is set, by whoever collects. In
    /// the last two it runs inside the store's own operations, as comparisons do: keep it short,
    /// and do not call the store from it. A panic is contained there, and what the object points to
    /// not counted. Never else.
    ///
    /// Default: its own size, which derived ones have as well. The objects of a
    /// [`cluster`](crate::cluster) tell all that they hold.
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }

    /// Completes an object about to be written: what the table itself keeps in its objects, such as
    /// a count of their changes. `old` is the object that it replaces. Not asked while the checks
    /// are [deferred](Transaction::defer_checks): what is copied is complete.
    ///
    /// It must not change the key. Costs nothing where it is not overridden.
    fn complete(&mut self, old: Option<&Self>, tx: &Transaction<'_>) {
        let _ = (old, tx);
    }

    /// The table's rules: whether a change may be made, beyond what keys and unique indexes say.
    ///
    /// Asked by each verb that writes: of a creation before the key and the unique indexes are
    /// looked at; of an update and a deletion once the object is there, at the version expected. A
    /// refusal is the error of that verb, [`Rejected`], and the transaction may go on.
    ///
    /// `tx` is the transaction before the change, or, where checks were
    /// [deferred](Transaction::defer_checks), with all that it wrote. What is read through it is
    /// tracked as any read, and so holds when the transaction commits: two transactions that each
    /// keep to a rule keep to it together. A panic ends the verb as a panic in the closure does.
    ///
    /// Costs nothing where it is not overridden.
    ///
    /// # Errors
    /// The reason why the change may not be made.
    ///
    /// ```
    /// use skep::{Indexes, Object, Proposed, Rejected, Store, Transaction};
    ///
    /// #[derive(Clone)]
    /// struct Account { number: u32, balance: i64 }
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Overdrawn { by: i64 }
    ///
    /// impl std::fmt::Display for Overdrawn {
    ///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    ///         write!(f, "overdrawn by {}", self.by)
    ///     }
    /// }
    ///
    /// impl std::error::Error for Overdrawn {}
    ///
    /// impl Object for Account {
    ///     type Key = u32;
    ///     const TABLE: &'static str = "account";
    ///
    ///     fn key(&self) -> u32 {
    ///         self.number
    ///     }
    ///
    ///     fn indexes(_: &mut Indexes<Self>) {}
    ///
    ///     fn check(change: Proposed<'_, Self>, _: &Transaction<'_>) -> Result<(), Rejected> {
    ///         match change.after() {
    ///             Some(account) if account.balance < 0 => {
    ///                 Err(Rejected::new(Overdrawn { by: -account.balance }))
    ///             }
    ///             _ => Ok(()),
    ///         }
    ///     }
    /// }
    ///
    /// let store = Store::builder().table::<Account>().build();
    /// store.update(|tx| tx.create(Account { number: 1, balance: 5 }))?;
    /// let mut tx = store.begin();
    /// match tx.modify::<Account>(&1, |account| account.balance -= 8) {
    ///     Err(skep::ReplaceError::Rejected(rejected)) => {
    ///         assert_eq!(rejected.downcast_ref(), Some(&Overdrawn { by: 3 }));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        let _ = (change, tx);
        Ok(())
    }
}

/// An index of objects `T` by values `V`: a typed constant that queries name. Any number of values
/// an object.
pub struct Index<T, V> {
    pub(crate) name: &'static str,
    values: Extract<T, V>,
    unchanged: Option<fn(&T, &T) -> bool>,
    unique: bool,
}

/// How an index finds the values of an object.
pub(crate) struct Extract<T, V> {
    extract: fn(&T, &mut Keys<'_, V>),
    normalize: Option<fn(V) -> V>,
}

impl<T, V> Clone for Extract<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Extract<T, V> {}

impl<T, V> Clone for Index<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Index<T, V> {}

impl<T, V> fmt::Debug for Index<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Index").field(&self.name).finish()
    }
}

impl<T, V: Key> Index<T, V> {
    /// An index named `name` (unique within its table); `extract` adds the values that an object
    /// is found by.
    ///
    /// `extract` must depend on the object alone. It may run several times for one write. Its
    /// panics end the write.
    pub const fn new(name: &'static str, extract: fn(&T, &mut Keys<'_, V>)) -> Self {
        Self {
            name,
            values: Extract {
                extract,
                normalize: None,
            },
            unchanged: None,
            unique: false,
        }
    }

    /// The same, refusing a second object with a value: [`Duplicate`](crate::Duplicate).
    #[must_use]
    pub const fn unique(self) -> Self {
        Self {
            unique: true,
            ..self
        }
    }

    /// The same, with `normalize` applied to the values of objects and of queries, such as
    /// [`fold_case`].
    #[must_use]
    pub const fn normalized(self, normalize: fn(V) -> V) -> Self {
        let values = Extract {
            normalize: Some(normalize),
            ..self.values
        };
        Self { values, ..self }
    }

    /// The same, with a shorter way to see that a write leaves its values as they are: most do.
    ///
    /// `unchanged` gets the object before and after, and says whether what `extract` looks at is
    /// equal in both. If so, `extract` is not run, and what finds the object stays; else both
    /// objects' values are compared. So it may say "no" whenever that is easier; where it says
    /// "yes" though the values differ, the object goes on being found by the old ones. Like
    /// `extract` it depends on the objects alone, and its panics end the write.
    ///
    /// It pays where values are made (texts, lists), or where a table has many indexes.
    ///
    /// ```
    /// use skep::{Id, Index, Indexes, Object, Store};
    ///
    /// #[derive(Clone)]
    /// struct Task {
    ///     id: Id,
    ///     service: String,
    ///     slot: u64,
    ///     running: bool,
    /// }
    ///
    /// impl Task {
    ///     const BY_NAME: Index<Self, String> =
    ///         Index::new("by_name", |task: &Self, keys| {
    ///             keys.add(format!("{}.{}", task.service, task.slot));
    ///         })
    ///         .unchanged_if(|old, new| old.slot == new.slot && old.service == new.service);
    /// }
    ///
    /// impl Object for Task {
    ///     type Key = Id;
    ///     const TABLE: &'static str = "task";
    ///
    ///     fn key(&self) -> Id {
    ///         self.id
    ///     }
    ///
    ///     fn indexes(indexes: &mut Indexes<Self>) {
    ///         indexes.add(Self::BY_NAME);
    ///     }
    /// }
    ///
    /// let store = Store::builder().table::<Task>().build();
    /// let id = Id::random();
    /// let task = Task { id, service: "web".into(), slot: 3, running: false };
    /// store.update(|tx| tx.create(task.clone()))?;
    /// // No name is made.
    /// store.update(|tx| tx.modify::<Task>(&id, |task| task.running = true))?;
    /// assert!(store.read().find(Task::BY_NAME.eq("web.3")).next().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn unchanged_if(self, unchanged: fn(&T, &T) -> bool) -> Self {
        Self {
            unchanged: Some(unchanged),
            ..self
        }
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.unique
    }

    pub(crate) fn is_normalized(&self) -> bool {
        self.values.normalize.is_some()
    }

    pub(crate) fn normalize(&self, value: V) -> V {
        match self.values.normalize {
            Some(normalize) => normalize(value),
            None => value,
        }
    }

    pub(crate) fn extract(&self) -> Extract<T, V> {
        self.values
    }

    /// The object's values, ascending, each once.
    pub(crate) fn values_of(&self, object: &T) -> Values<V> {
        self.values.of(object)
    }
}

impl<T, V: Key> Extract<T, V> {
    /// As [`Index::values_of`].
    pub(crate) fn of(&self, object: &T) -> Values<V> {
        collect_values(|add| self.pass_on(object, add))
    }

    /// Adds each value, normalized, in any order and perhaps more than once.
    fn pass_on(&self, object: &T, add: &mut dyn FnMut(V)) {
        let mut keys = Keys {
            add,
            count: 0,
            normalize: self.normalize,
        };
        (self.extract)(object, &mut keys);
    }
}

/// Where an index's function puts the values of an object.
pub struct Keys<'a, V> {
    add: &'a mut dyn FnMut(V),
    count: usize,
    normalize: Option<fn(V) -> V>,
}

impl<V> fmt::Debug for Keys<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl<V> Keys<'_, V> {
    /// The object is found by `value`. Adding a value twice is adding it once.
    pub fn add(&mut self, value: V) {
        self.count += 1;
        (self.add)(match self.normalize {
            Some(normalize) => normalize(value),
            None => value,
        });
    }
}

type MakeSecondary<T> = Box<dyn FnOnce(u16, u16) -> Arc<dyn AnySecondary<<T as Object>::Key, T>>>;

/// The indexes of a table, as [`Object::indexes`] names them.
pub struct Indexes<T: Object> {
    pub(crate) names: Vec<&'static str>,
    pub(crate) secondary: Vec<MakeSecondary<T>>,
    pub(crate) uniques: Vec<Box<dyn AnyUnique<T>>>,
    /// The only one that is asked for, and whether it was named: then none is made.
    sought: Option<(&'static str, bool)>,
}

impl<T: Object> fmt::Debug for Indexes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

impl<T: Object> Indexes<T> {
    pub(crate) fn of() -> Self {
        Self::named(None)
    }

    /// Looks whether an index is among the table's. Allocates nothing: each filter asks.
    ///
    /// # Panics
    /// If it is not named.
    pub(crate) fn assert_named(name: &'static str) {
        let indexes = Self::named(Some((name, false)));
        assert!(
            indexes.sought == Some((name, true)),
            "table {}: no index {name}: add it in Object::indexes",
            T::TABLE
        );
    }

    fn named(sought: Option<(&'static str, bool)>) -> Self {
        let mut indexes = Self {
            names: Vec::new(),
            secondary: Vec::new(),
            uniques: Vec::new(),
            sought,
        };
        T::indexes(&mut indexes);
        indexes
    }

    /// Adds an index.
    ///
    /// # Panics
    /// If the table has an index with that name, or more than 65,535.
    pub fn add<V: Key>(&mut self, index: Index<T, V>) -> &mut Self {
        if let Some((name, found)) = &mut self.sought {
            *found |= *name == index.name;
            return self;
        }
        assert!(
            !self.names.contains(&index.name),
            "table {}: index {} is named twice",
            T::TABLE,
            index.name
        );
        let position = u16::try_from(self.names.len()).expect("too many indexes");
        self.names.push(index.name);
        self.secondary.push(Box::new(move |table, position| {
            let values_of = move |object: &T, add: &mut dyn FnMut(V)| {
                index.values.pass_on(object, add);
            };
            let made = Secondary::new(table, position, index.name, values_of);
            Arc::new(made.hashed_by(hash_of).unchanged_if(index.unchanged))
        }));
        if index.unique {
            self.uniques.push(Box::new(Unique::new(index, position)));
        }
        self
    }
}

/// The normalizer of case-folded indexes: the Unicode lower case of each character by itself, so
/// that the folding of a prefix is a prefix of the folding.
///
/// Not full case folding: "ß" and "SS" stay different, and so do "σ" and the "ς" that ends words.
/// Nor is text normalized: an "é" of one character and one of two stay different.
///
/// ```
/// let fold = |text: &str| skep::fold_case(text.to_owned());
/// assert_eq!(fold("WEB-Ä"), fold("web-ä"));
/// assert_ne!(fold("straße"), fold("STRASSE"));
/// assert_ne!(fold("ς"), fold("Σ"));
/// assert_ne!(fold("\u{e9}"), fold("e\u{301}"));
/// ```
#[must_use]
pub fn fold_case(mut text: String) -> String {
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    text.chars().flat_map(char::to_lowercase).collect()
}
