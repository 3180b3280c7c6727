//! The derive macro of [`skep::Object`](https://docs.rs/skep/latest/skep/trait.Object.html).
//!
//! Use it as `skep::Object`: `skep` exports the macro beside the trait of the same name. The path
//! of a struct: `parse` what its attributes say, then `expand` that into code.

#![forbid(unsafe_code)]

mod element;
mod expand;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Object` for a struct, and gives it a constant for each of its indexes.
///
/// ```
/// use std::collections::BTreeSet;
/// use skep::{Id, Index, Object};
///
/// #[derive(Clone, Object)]
/// #[object(table = "task")]
/// #[object(index(BY_SERVICE_SLOT, fields(service, slot), unique))]
/// pub struct Task {
///     #[object(key)]
///     id: Id,
///     #[object(index)]
///     node: Option<Id>,
///     #[object(index(unique, fold_case))]
///     name: String,
///     #[object(index(multi))]
///     networks: BTreeSet<Id>,
///     #[object(index(text, name = "BY_DESCRIPTION_TEXT"))]
///     description: Box<str>,
///     service: Id,
///     slot: u64,
/// }
///
/// assert_eq!(Task::TABLE, "task");
/// let _: Index<Task, Id> = Task::BY_NODE;
/// let _: Index<Task, String> = Task::BY_NAME;
/// let _: Index<Task, Id> = Task::BY_NETWORKS;
/// let _: Index<Task, String> = Task::BY_DESCRIPTION_TEXT;
/// let _: Index<Task, (Id, u64)> = Task::BY_SERVICE_SLOT;
/// ```
///
/// # On the struct
///
/// | attribute | meaning |
/// |---|---|
/// | `table = "task"` | the table's name; the type's name in snake case when it is not given |
/// | `index(NAME, fields(a, b))` | an index of 2 to 12 fields together, by tuples of their values |
/// | `index(NAME, fields(a, b), unique)` | the same, and no two objects have the same tuple |
/// | `index(NAME)` | an index of the type's own: a constant that is made by `Index::new` |
/// | `check = path` | the table's rules: a function that does what `Object::check` does |
/// | `complete = path` | the same for `Object::complete` |
/// | `bytes = path` | the same for `Object::bytes` |
///
/// # On a field
///
/// | attribute | meaning |
/// |---|---|
/// | `key` | the field is the key: one field, always |
/// | `index` | an index by the field's value |
/// | `index(..)` | an index with options, several of which may be given |
///
/// | option | meaning |
/// |---|---|
/// | `unique` | no two objects have the same value |
/// | `multi` | each element is a value: `Vec`, `BTreeSet` and others that `&Field` iterates over |
/// | `text` | values are `String`s, made from whatever text it is (`AsRef<str>`) |
/// | `fold_case` | as `text`, and found whatever the case |
/// | `name = "BY_PHASE"` | the constant's name, instead of `BY_` and the field's in upper case |
///
/// A field may have several indexes, if they have different names. With `multi` the other options
/// hold for each element.
///
/// An `Option<X>` field is indexed by the `X`, and an object where it is `None` is not in the
/// index; nor is one in a composite index of which any field is `None`. A macro sees how a type is
/// written, so an alias of `Option` is a value like others.
///
/// A write that leaves an index's fields as they are makes no value of them
/// (`Index::unchanged_if`); of a `multi` index it makes both objects' values and compares them.
///
/// A constant is as visible as the struct. The index's name, as errors give it, is the constant's
/// in lower case.
///
/// # Rules, and indexes of the type's own
///
/// An index by a condition, or of objects where a field is `None`, is a function that no attribute
/// says; nor do they say a rule. Both are named, and written as where the trait is implemented by
/// hand:
///
/// ```
/// use skep::{Id, Index, Object, Proposed, Rejected, Store, Transaction};
///
/// #[derive(Clone, Object)]
/// #[object(index(BY_WAITING), check = two_a_node)]
/// struct Task {
///     #[object(key)]
///     id: Id,
///     #[object(index)]
///     node: Option<u32>,
///     priority: u8,
/// }
///
/// impl Task {
///     /// By priority; tasks without a node only.
///     const BY_WAITING: Index<Self, u8> = Index::new("by_waiting", |task, keys| {
///         if task.node.is_none() {
///             keys.add(task.priority);
///         }
///     });
/// }
///
/// /// What the rule reads still holds when the transaction commits.
/// fn two_a_node(change: Proposed<'_, Task>, tx: &Transaction<'_>) -> Result<(), Rejected> {
///     match change.after().and_then(|task| task.node) {
///         Some(node) if tx.count(Task::BY_NODE.eq(node)) >= 2 => Err(Rejected::new("full")),
///         _ => Ok(()),
///     }
/// }
///
/// let store = Store::builder().table::<Task>().build();
/// let task = |node| Task { id: Id::random(), node, priority: 3 };
/// let nodes = [Some(7), Some(7), None];
/// store.update(|tx| nodes.into_iter().try_for_each(|node| tx.create(task(node))))?;
/// assert_eq!(store.read().count(Task::BY_WAITING.range(2..)), 1);
/// assert!(store.update(|tx| tx.create(task(Some(7)))).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What does not compile
///
/// A struct with no key, or with two:
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task {
///     id: skep::Id,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task {
///     #[object(key)]
///     id: skep::Id,
///     #[object(key)]
///     name: String,
/// }
/// ```
///
/// Two indexes of one name:
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task {
///     #[object(key)]
///     id: skep::Id,
///     #[object(index, index(fold_case))]
///     name: String,
/// }
/// ```
///
/// A case-folded index of what is not text, or elements of what has none:
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task {
///     #[object(key)]
///     id: skep::Id,
///     #[object(index(fold_case))]
///     slot: u64,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task {
///     #[object(key)]
///     id: skep::Id,
///     #[object(index(multi))]
///     slot: u64,
/// }
/// ```
///
/// A composite index of a field that is not there:
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// #[object(index(BY_SERVICE_SLOT, fields(service, slot)))]
/// struct Task {
///     #[object(key)]
///     id: skep::Id,
///     slot: u64,
/// }
/// ```
///
/// An enum, a tuple struct, or a struct with parameters, whose instances would share one table:
///
/// ```compile_fail
/// #[derive(Clone, skep::Object)]
/// struct Task<S: Clone + Send + Sync + 'static> {
///     #[object(key)]
///     id: skep::Id,
///     spec: S,
/// }
/// ```
#[proc_macro_derive(Object, attributes(object))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    match parse::Object::parse(input) {
        Ok(object) => expand::expand(&object).into(),
        Err(faults) => faults.into_compile_error().into(),
    }
}
