//! What can be told of a field's type from how it is written: the `X` of an `Option<X>`, and what
//! iterating over it by reference gives.
//!
//! A macro sees words, not types: an alias of `Option` is not known for one. What is not known by
//! its name is left to the compiler, as the type that `&Field` iterates over.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The collections of the standard library that iterate over references to their one parameter.
const COLLECTIONS: &[&str] = &[
    "Vec",
    "VecDeque",
    "BTreeSet",
    "HashSet",
    "BinaryHeap",
    "LinkedList",
];
/// The pointers through which a slice is iterated.
const POINTERS: &[&str] = &["Box", "Arc", "Rc"];

/// The `X` of an `Option<X>`.
pub fn optional(ty: &Type) -> Option<&Type> {
    parameter_of(ty, &["Option"])
}

/// The type of the elements that a reference to a `ty` iterates over.
pub fn multi_value(ty: &Type, place: Span) -> TokenStream {
    match ungrouped(ty) {
        Type::Array(array) => {
            let element = &array.elem;
            quote!(#element)
        }
        Type::Slice(slice) => {
            let element = &slice.elem;
            quote!(#element)
        }
        ty => {
            if let Some(slice) = slice_behind(ty) {
                return multi_value(slice, place);
            }
            if let Some(element) = parameter_of(ty, COLLECTIONS) {
                return quote!(#element);
            }
            quote_spanned! {place=>
                <<&'static #ty as ::core::iter::IntoIterator>::Item as ::core::ops::Deref>::Target
            }
        }
    }
}

/// The iterator over what `from` leads to, which is a reference to a `ty`; a pointer to a slice
/// is followed.
pub fn iterated(ty: &Type, from: TokenStream, place: Span) -> TokenStream {
    let collection = match slice_behind(ty) {
        Some(_) => quote_spanned!(place=> &**(#from)),
        None => from,
    };
    quote_spanned!(place=> ::core::iter::IntoIterator::into_iter(#collection))
}

/// The slice that a `Box`, `Arc` or `Rc` points to.
fn slice_behind(ty: &Type) -> Option<&Type> {
    parameter_of(ty, POINTERS).filter(|behind| matches!(ungrouped(behind), Type::Slice(_)))
}

/// The first parameter of a type whose name is one of `names`.
fn parameter_of<'a>(ty: &'a Type, names: &[&str]) -> Option<&'a Type> {
    let Type::Path(path) = ungrouped(ty) else {
        return None;
    };
    let PathSegment { ident, arguments } = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(parameter) if names.iter().any(|name| ident == name) => {
            Some(parameter)
        }
        _ => None,
    }
}

/// The type within the parentheses and invisible groups around it.
pub fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}
