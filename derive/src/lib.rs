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
/// A constant is as visible as the struct. The index's name, as errors give it, is the constant's
/// in lower case.
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
