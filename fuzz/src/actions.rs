//! Actions as bytes, as a log of them would give them: any; and encoded ones, with changed bytes.
//! They are decoded or refused; what is decoded is encoded alike again, and applied as to a map.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use arbitrary::{Arbitrary, Unstructured};
use skep::save::Catalogue;
use skep::{Action, DivergenceCause, Store, UpdateError, keys};

use crate::item::{Item, key};

/// A store, and lists of actions that come to it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Run {
    lists: Vec<Vec<Encoded>>,
}

/// An action as bytes.
#[derive(Arbitrary, Clone, Debug)]
pub enum Encoded {
    /// Any.
    Bytes(Vec<u8>),
    /// An encoded one.
    Action {
        /// What it does.
        does: Does,
        /// Times of the object, in nanoseconds since 1970.
        times: Option<(i64, i64)>,
        /// Where bytes are changed, and by which bits.
        #[arbitrary(with = few_changes)]
        changes: Vec<(u16, u8)>,
        /// How many bytes of its end are missing.
        #[arbitrary(with = seldom)]
        cut: u8,
    },
}

/// What an action does.
#[derive(Arbitrary, Clone, Debug)]
pub enum Does {
    /// Creates an object.
    Create(Item),
    /// Updates one.
    Update(Item),
    /// Deletes one.
    Delete(#[arbitrary(with = key)] u8),
}

/// Mostly none.
fn few_changes(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<(u16, u8)>> {
    let count = u.int_in_range(0..=7)?;
    (5..count).map(|_| u.arbitrary()).collect()
}

/// Mostly nothing.
fn seldom(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    if u.ratio(1, 16)? {
        u.arbitrary()
    } else {
        Ok(0)
    }
}

/// A time before or after 1970.
fn time(nanoseconds: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    match nanoseconds {
        0.. => SystemTime::UNIX_EPOCH + distance,
        _ => SystemTime::UNIX_EPOCH - distance,
    }
}

impl Does {
    fn action(&self) -> Action {
        match self {
            Self::Create(item) => Action::create(item.clone()),
            Self::Update(item) => Action::update(item.clone()),
            Self::Delete(key) => Action::delete::<Item>(key),
        }
    }
}

impl Encoded {
    fn bytes(&self, catalogue: &Catalogue) -> Vec<u8> {
        let (does, times, changes, cut) = match self {
            Self::Bytes(bytes) => return bytes.clone(),
            Self::Action {
                does,
                times,
                changes,
                cut,
            } => (does, times, changes, *cut),
        };
        let action = match times {
            Some((created, updated)) => does.action().at(time(*created), time(*updated)),
            None => does.action(),
        };
        let mut bytes = catalogue.encode(&action).expect("it has the table");
        for (at, bits) in changes {
            let at = usize::from(*at) % bytes.len();
            bytes[at] ^= bits;
        }
        bytes.truncate(bytes.len().saturating_sub(cut.into()));
        bytes
    }
}

/// What actions do to a map: where the first stands that does not fit, or who shares a name.
fn model(state: &mut BTreeMap<u8, Item>, actions: &[Action]) -> Result<(), Option<usize>> {
    for (at, action) in actions.iter().enumerate() {
        let fits = match action {
            Action::Create(object) => {
                let item = object.of::<Item>().expect("there is one table");
                let there = state.contains_key(&item.key);
                state.entry(item.key).or_insert_with(|| item.clone());
                !there
            }
            Action::Update(object) => {
                let item = object.of::<Item>().expect("there is one table");
                state.insert(item.key, item.clone()).is_some()
            }
            Action::Delete(key) => {
                let key = key.of::<Item>().expect("there is one table");
                state.remove(key).is_some()
            }
        };
        if !fits {
            return Err(Some(at));
        }
    }
    let mut names: Vec<u8> = state.values().map(|item| item.name).collect();
    names.sort_unstable();
    match names.windows(2).all(|two| two[0] != two[1]) {
        true => Ok(()),
        false => Err(None),
    }
}

/// Applies actions to a store, and says what came of it as the model does.
fn apply(store: &Store, actions: &[Action]) -> Result<(), Option<usize>> {
    match store.apply(actions) {
        Ok(_) => Ok(()),
        Err(UpdateError::Closure(divergence)) => match divergence.cause {
            DivergenceCause::Duplicate(_) => Err(None),
            DivergenceCause::Exists(_) | DivergenceCause::NotFound(_) => {
                Err(Some(divergence.position))
            }
            cause => panic!("there is one table, without rules: {cause:?}"),
        },
        Err(error) => panic!("nobody else writes: {error}"),
    }
}

/// Decodes; what is decoded is encoded in one way only.
fn decode(catalogue: &Catalogue, bytes: &[u8]) -> Option<Action> {
    let action = catalogue.decode(bytes).ok()?;
    let encoded = catalogue.encode(&action).expect("it has the table");
    let again = catalogue.decode(&encoded).expect("it was encoded");
    let again = catalogue.encode(&again).expect("it has the table");
    assert_eq!(encoded, again);
    Some(action)
}

impl Run {
    /// Applies what can be decoded of each list; says whether anything was applied.
    ///
    /// # Panics
    /// If the store is then not what the same actions make of a map.
    #[must_use]
    pub fn play(&self) -> bool {
        let catalogue = Catalogue::new().table::<Item>();
        let store = Store::builder().table::<Item>().build();
        let mut state = BTreeMap::new();
        let mut any = false;
        for list in &self.lists {
            let decoded = list
                .iter()
                .filter_map(|action| decode(&catalogue, &action.bytes(&catalogue)));
            let actions: Vec<Action> = decoded.collect();
            let mut after = state.clone();
            let expected = model(&mut after, &actions);
            assert_eq!(apply(&store, &actions), expected);
            if expected.is_ok() {
                state = after;
                any |= !actions.is_empty();
            }
            let found = store.read();
            let found = found.find(keys::<Item>().all()).cloned();
            assert!(found.eq(state.values().cloned()), "{state:?}");
        }
        any
    }
}
