//! Fields that no object has are refused, however deep they are: who misspells one is told so, and
//! does not find the object without it later.

mod whole;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skep::cluster::{AttachmentRuntime, Finder, GenericRuntime, Runtime};

/// Where in a value its maps are, as JSON pointers.
fn maps(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                maps(field, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            for (number, element) in elements.iter().enumerate() {
                maps(element, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

/// Puts a field that none has into each map of an object, and gives how many of them were structs.
fn refuses_unknown_fields<T: Serialize + DeserializeOwned + Debug>(object: &T) -> usize {
    let whole = serde_json::to_value(object).expect("it has a JSON");
    let mut found = Vec::new();
    maps(&whole, "", &mut found);
    let mut structs = 0;
    for at in &found {
        let mut value = whole.clone();
        let map = value.pointer_mut(at).and_then(Value::as_object_mut);
        // No label, and no time: for the maps that take any name.
        let field = Value::Object(serde_json::Map::new());
        map.expect("a map").insert("unheard_of".to_owned(), field);
        let error = serde_json::from_value::<T>(value)
            .expect_err(at)
            .to_string();
        let named = error.contains("unknown field `unheard_of`");
        let no_struct = [
            "invalid type: map, expected a string",
            "missing field `secs_since_epoch`",
            "expected map with a single key",
        ];
        let told = named || no_struct.iter().any(|told| error.contains(told));
        assert!(told, "{at}: {error}");
        structs += usize::from(named);
    }
    structs
}

#[test]
fn a_field_that_no_object_has_is_refused_at_every_depth() {
    let structs = [
        refuses_unknown_fields(&whole::cluster()),
        refuses_unknown_fields(&whole::config()),
        refuses_unknown_fields(&whole::extension()),
        refuses_unknown_fields(&whole::network()),
        refuses_unknown_fields(&whole::node()),
        refuses_unknown_fields(&whole::resource()),
        refuses_unknown_fields(&whole::secret()),
        refuses_unknown_fields(&whole::service()),
        refuses_unknown_fields(&whole::task()),
        refuses_unknown_fields(&whole::volume()),
    ];
    assert!(structs.iter().all(|&count| count > 2), "{structs:?}");
}

/// Forms that the whole objects do not have.
#[test]
fn nor_is_it_taken_in_other_forms() {
    let attachment = Runtime::Attachment(AttachmentRuntime::default());
    assert_eq!(refuses_unknown_fields(&attachment), 1);
    let generic = Runtime::Generic(GenericRuntime::default());
    assert_eq!(refuses_unknown_fields(&generic), 2);
    let slot = Finder::Slot {
        service: whole::id(1),
        slot: 2,
    };
    assert_eq!(refuses_unknown_fields(&slot), 1);
}
