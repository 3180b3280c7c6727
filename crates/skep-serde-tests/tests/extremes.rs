//! Values at the ends of what a field may be, in every field of every object: what one form takes
//! comes back by each of them as it was, and by a saved file.

mod whole;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use skep::cluster::{ClusterObject, Extension, builder, catalogue};
use skep::{Action, Id, Store, UpdateError};

/// Where in a value there is something that has no parts, as JSON pointers.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(field, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (number, element) in elements.iter().enumerate() {
                leaves(element, &format!("{at}/{number}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// What may stand in a field, as far as its type lets it.
fn extremes() -> Vec<Value> {
    let mut all = vec![
        json!(null),
        json!(false),
        json!(true),
        json!([]),
        json!(-0.0),
        json!(0.1),
        json!(1e-45),
        json!(1.000_000_1),
        json!(f32::MIN_POSITIVE),
        json!(f32::MAX),
        json!(f32::MIN),
        Value::from("x".repeat(300)),
        Value::from(vec![255; 300]),
    ];
    let numbers = [0, 1, 127, 128, 255, 65_535, 65_536, u64::from(u32::MAX)];
    all.extend(numbers.map(Value::from));
    all.extend([1 << 32, (1 << 53) + 1, i64::MAX as u64, u64::MAX].map(Value::from));
    all.extend([-1, i64::from(i32::MIN), -(1 << 53) - 1, i64::MIN].map(Value::from));
    all.extend(
        [
            "",
            "\0",
            "\u{10ffff}\u{feff}",
            "\"\\/\n\u{7f}\u{85}",
            "0",
            "f".repeat(25).as_str(),
        ]
        .map(Value::from),
    );
    all
}

/// Whether one may stand in the place of the other: the rest is refused by its type.
fn is_of_a_kind(there: &Value, extreme: &Value) -> bool {
    extreme.is_null() || std::mem::discriminant(there) == std::mem::discriminant(extreme)
}

/// Through each form.
fn comes_back<T>(object: &T, at: &str)
where
    T: ClusterObject + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let text = serde_json::to_string(object).expect("it has a JSON");
    let read = serde_json::from_str::<T>(&text).expect(at);
    // Zeros of both signs are equal, and their texts are not.
    assert_eq!(&read, object, "{at}");
    assert_eq!(serde_json::to_string(&read).expect(at), text, "{at}");
    let bytes = postcard::to_stdvec(object).expect("it has bytes");
    assert_eq!(
        &postcard::from_bytes::<T>(&bytes).expect(at),
        object,
        "{at}"
    );
    let encoded = catalogue().encode(&action(object)).expect(at);
    let decoded = catalogue().decode(&encoded).expect(at);
    let Action::Create(decoded) = decoded else {
        panic!("{at}: {decoded:?}");
    };
    assert_eq!(decoded.of::<T>(), Some(object), "{at}");
}

fn action<T: ClusterObject>(object: &T) -> Action {
    Action::create(object.clone()).at(whole::time(1), whole::time(2))
}

/// Through a file, from one store to another.
fn is_restored<T>(object: &T, at: &str, [from, to]: [&Store; 2])
where
    T: ClusterObject + PartialEq + Debug,
{
    match from.apply(&[action(object)]) {
        Ok(_) => is_saved(from, to, object, at),
        // A rule's refusal, as of a kind that there is not.
        Err(UpdateError::Closure(_)) => return,
        Err(other) => panic!("{at}: {other}"),
    }
    let deleted = from.apply(&[Action::delete::<T>(&object.key())]);
    assert!(deleted.is_ok(), "{at}: {deleted:?}");
}

/// A store in which resources may be of the kind that they have.
fn store() -> Store {
    let store = builder().build();
    let kind = whole::resource().kind;
    store
        .update(|tx| tx.create(Extension::named(Id::from_u128(u128::MAX), &*kind)))
        .expect("the store is empty");
    store
}

fn is_saved<T>(from: &Store, to: &Store, object: &T, at: &str)
where
    T: ClusterObject + PartialEq + Debug,
{
    let mut file = Vec::new();
    from.save(&catalogue(), &mut file).expect(at);
    to.restore(&catalogue(), &file[..]).expect(at);
    let read = to.read();
    assert_eq!(read.get::<T>(&object.key()), Some(object), "{at}");
    let again = from.restore(&catalogue(), &file[..]).expect(at);
    let changed = again
        .tables
        .iter()
        .map(|of| of.created + of.updated + of.deleted);
    assert_eq!(changed.sum::<u64>(), 0, "{at}: it is as it was saved");
}

/// Puts each extreme into each field, and gives how many were taken. The last one of each field
/// goes through a file as well.
fn taken<T>(object: T) -> usize
where
    T: ClusterObject + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let whole = serde_json::to_value(&object).expect("it has a JSON");
    let mut found = Vec::new();
    leaves(&whole, "", &mut found);
    let (from, to) = (store(), builder().build());
    let mut taken = 0;
    for at in &found {
        let there = whole.pointer(at).expect("it was found there");
        let extremes = extremes().into_iter();
        let mut last = None;
        for extreme in extremes.filter(|extreme| is_of_a_kind(there, extreme)) {
            let mut value = whole.clone();
            *value.pointer_mut(at).expect("as before") = extreme;
            if let Ok(object) = serde_json::from_value::<T>(value) {
                comes_back(&object, at);
                last = Some(object);
                taken += 1;
            }
        }
        if let Some(object) = last {
            is_restored(&object, at, [&from, &to]);
        }
    }
    assert!(taken > found.len(), "{taken} in {} fields", found.len());
    taken
}

#[test]
fn extremes_come_back_from_every_field() {
    let taken = [
        taken(whole::cluster()),
        taken(whole::config()),
        taken(whole::extension()),
        taken(whole::network()),
        taken(whole::node()),
        taken(whole::resource()),
        taken(whole::secret()),
        taken(whole::service()),
        taken(whole::task()),
        taken(whole::volume()),
    ];
    assert!(taken.iter().sum::<usize>() > 2_000, "{taken:?}");
}
