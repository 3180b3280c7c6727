//! Keys and index values in errors, whatever their type.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::id::Id;
use crate::kernel::release::Contained;

/// A key or an index value whose type the error that carries it does not name.
///
/// [`Value::downcast_ref`] gives it back. Shown as text when its type is one of the usual (text,
/// numbers, [`Id`], a pair of two `String`s); else its type is shown.
#[derive(Clone)]
pub struct Value {
    /// A `Contained`: many of them go at once.
    value: Arc<dyn Any + Send + Sync>,
    type_name: &'static str,
}

impl Value {
    pub(crate) fn new<V: Any + Send + Sync>(value: V) -> Self {
        Self {
            value: Arc::new(Contained::new(value)),
            type_name: std::any::type_name::<V>(),
        }
    }

    /// Of a value in a [`Contained`], whose type only its table knows, with that type's name.
    pub(crate) fn of_unknown(
        (value, type_name): (Arc<dyn Any + Send + Sync>, &'static str),
    ) -> Self {
        Self { value, type_name }
    }

    /// The value, if it is a `V`.
    #[must_use]
    pub fn downcast_ref<V: 'static>(&self) -> Option<&V> {
        let value = self.value.downcast_ref::<Contained<V>>();
        value.map(|value| &**value)
    }
}

/// Two texts, as what a name and a kind are found by.
type Pair = (String, String);

/// Does something with a value of one of the usual types.
macro_rules! usual {
    ($value:expr, |$name:ident| $run:expr) => {
        usual!(@ $value, |$name| $run; Id, String, Box<str>, Arc<str>, &'static str, u128, u64, u32,
            u16, u8, usize, i128, i64, i32, i16, i8, isize, bool, char)
    };
    (@ $value:expr, |$name:ident| $run:expr; $($kind:ty),*) => {
        $(if let Some($name) = $value.downcast_ref::<$kind>() {
            return $run;
        })*
    };
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        usual!(self, |value| fmt::Display::fmt(value, f));
        if let Some((first, second)) = self.downcast_ref::<Pair>() {
            return write!(f, "({first:?}, {second:?})");
        }
        write!(f, "({})", self.type_name)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl PartialEq for Value {
    /// Whether both are the same value of one of the usual types; other values equal only
    /// themselves.
    fn eq(&self, other: &Self) -> bool {
        usual!(self, |value| other.downcast_ref() == Some(value));
        if let Some(pair) = self.downcast_ref::<Pair>() {
            return other.downcast_ref() == Some(pair);
        }
        Arc::ptr_eq(&self.value, &other.value)
    }
}

impl Eq for Value {}
