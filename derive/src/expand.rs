//! Writes the code of an object: `impl Object` and a constant an index.
//!
//! For a struct with a unique, case-folded index of the field `title`:
//!
//! ```text
//! impl ::skep::Object for Task {
//!     type Key = Id;
//!     const TABLE: &'static str = "task";
//!     fn key(&self) -> Id { Clone::clone(&self.id) }
//!     fn indexes(indexes: &mut ::skep::Indexes<Self>) { indexes.add(Self::BY_TITLE); }
//! }
//! impl Task {
//!     /// Unique index by `title`, whatever the case.
//!     pub const BY_TITLE: ::skep::Index<Self, String> =
//!         ::skep::Index::<Self, String>::new("by_title", |object, keys| {
//!             keys.add(String::from(AsRef::<str>::as_ref(&object.title)));
//!         })
//!         .unique()
//!         .normalized(::skep::fold_case)
//!         .unchanged_if(|old, new| {
//!             AsRef::<str>::as_ref(&old.title) == AsRef::<str>::as_ref(&new.title)
//!         });
//! }
//! ```
//!
//! The names of the code's own are hygienic, every path is absolute, and what depends on the type
//! of a field carries the place of that type, so the compiler's errors point there.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::element::{iterated, multi_value, optional, ungrouped};
use crate::parse::{Field, Functions, Index, Object, Options, Values};

/// The code of an object.
pub fn expand(object: &Object) -> TokenStream {
    let Object {
        name,
        where_clause,
        table,
        key,
        ..
    } = object;
    let (key_name, key_type) = (&key.name, &key.ty);
    let this = own("self", Span::mixed_site());
    let key_value = quote_spanned!(at(key_type)=> ::core::clone::Clone::clone(&#this.#key_name));
    let indexes = match object.indexes.is_empty() && object.own_indexes.is_empty() {
        true => own("_indexes", Span::mixed_site()),
        false => own("indexes", Span::mixed_site()),
    };
    let additions = object.indexes.iter().map(|index| {
        let constant = &index.constant;
        quote_spanned!(index.place()=> #indexes.add(Self::#constant);)
    });
    let own_additions = object.own_indexes.iter().map(|constant| {
        let place = Span::mixed_site().located_at(constant.span());
        quote_spanned!(place=> #indexes.add(Self::#constant);)
    });
    let functions = functions(&object.functions);
    let definitions = object.indexes.iter().map(|index| definition(object, index));
    let inherent = (!object.indexes.is_empty()).then(|| {
        quote! {
            impl #name #where_clause { #(#definitions)* }
        }
    });
    quote! {
        #[automatically_derived]
        impl ::skep::Object for #name #where_clause {
            type Key = #key_type;
            const TABLE: &'static str = #table;
            fn key(&#this) -> Self::Key {
                #key_value
            }
            fn indexes(#indexes: &mut ::skep::Indexes<Self>) {
                #(#additions)*
                #(#own_additions)*
            }
            #functions
        }
        #inherent
    }
}

/// The trait's functions that have a default, of which the struct names its own.
fn functions(functions: &Functions) -> TokenStream {
    let Functions {
        bytes,
        complete,
        check,
    } = functions;
    let bytes = bytes.as_ref().map(|path| {
        quote! {
            fn bytes(&self) -> usize {
                #path(self)
            }
        }
    });
    let complete = complete.as_ref().map(|path| {
        quote! {
            fn complete(
                &mut self,
                old: ::core::option::Option<&Self>,
                tx: &::skep::Transaction<'_>,
            ) {
                #path(self, old, tx)
            }
        }
    });
    let check = check.as_ref().map(|path| {
        quote! {
            fn check(
                change: ::skep::Proposed<'_, Self>,
                tx: &::skep::Transaction<'_>,
            ) -> ::core::result::Result<(), ::skep::Rejected> {
                #path(change, tx)
            }
        }
    });
    quote!(#bytes #complete #check)
}

/// The constant of an index.
fn definition(object: &Object, index: &Index) -> TokenStream {
    let Index {
        constant,
        unique,
        values,
    } = index;
    let (value, body) = match values {
        Values::Field { field, options } => {
            (value_type(field, *options), field_body(field, *options))
        }
        Values::Composite { fields } => (composite_type(fields), composite_body(fields)),
    };
    let visibility = &object.visibility;
    let doc = documentation(index);
    let name = constant.unraw().to_string().to_lowercase();
    let place = index.place();
    let (row, keys) = (own("object", place), own("keys", place));
    let unique = unique.then(|| quote_spanned!(place=> .unique()));
    let folds = index.folds_case();
    let normalized = folds.then(|| quote_spanned!(place=> .normalized(::skep::fold_case)));
    let unchanged = unchanged(index);
    quote_spanned! {place=>
        #[doc = #doc]
        #visibility const #constant: ::skep::Index<Self, #value> =
            ::skep::Index::<Self, #value>::new(#name, |#row, #keys| { #body })
                #unique #normalized #unchanged;
    }
}

/// The shorter way to see that a write leaves an index's values as they are: the fields are equal.
/// Lists have none.
fn unchanged(index: &Index) -> Option<TokenStream> {
    let (fields, options) = match &index.values {
        Values::Field { options, .. } if options.multi => return None,
        Values::Field { field, options } => (std::slice::from_ref(field), *options),
        Values::Composite { fields } => (fields.as_slice(), Options::default()),
    };
    let place = index.place();
    let (old, new) = (own("old", place), own("new", place));
    let equal = fields.iter().map(|field| {
        let [old, new] = [&old, &new].map(|object| compared(field, options, object));
        quote_spanned!(at(&field.ty)=> #old == #new)
    });
    Some(quote_spanned!(place=> .unchanged_if(|#old, #new| #(#equal)&&*)))
}

/// What of a field is to be equal.
fn compared(field: &Field, options: Options, object: &Ident) -> TokenStream {
    let name = &field.name;
    let ty = optional(&field.ty).unwrap_or(&field.ty);
    let place = at(ty);
    if !options.is_text() {
        return quote_spanned!(place=> #object.#name);
    }
    let text = quote_spanned!(place=> ::core::convert::AsRef::<str>::as_ref);
    match optional(&field.ty) {
        None => quote_spanned!(place=> #text(&#object.#name)),
        Some(_) => {
            let value = own("value", place);
            quote_spanned! {place=>
                ::core::option::Option::map(
                    ::core::option::Option::as_ref(&#object.#name), |#value| #text(#value))
            }
        }
    }
}

impl Index {
    fn folds_case(&self) -> bool {
        matches!(&self.values, Values::Field { options, .. } if options.fold_case)
    }

    /// The place in the source that errors about the index point to.
    fn place(&self) -> Span {
        match &self.values {
            Values::Field { field, .. } => at(optional(&field.ty).unwrap_or(&field.ty)),
            Values::Composite { .. } => Span::mixed_site().located_at(self.constant.span()),
        }
    }
}

impl Options {
    /// Whether values are strings made from the field's text.
    fn is_text(self) -> bool {
        self.text || self.fold_case
    }
}

/// The type of the values of an index of one field.
fn value_type(field: &Field, options: Options) -> TokenStream {
    let ty = optional(&field.ty).unwrap_or(&field.ty);
    if options.is_text() {
        quote!(::std::string::String)
    } else if options.multi {
        multi_value(ty, at(ty))
    } else {
        quote!(#ty)
    }
}

/// The statements that add a field's values to the keys.
fn field_body(field: &Field, options: Options) -> TokenStream {
    let name = &field.name;
    let ty = optional(&field.ty).unwrap_or(&field.ty);
    let place = at(ty);
    let (row, value) = (own("object", place), own("value", place));
    if optional(&field.ty).is_none() {
        return add_values(ty, options, quote_spanned!(place=> &#row.#name));
    }
    let add = add_values(ty, options, quote!(#value));
    quote_spanned! {place=>
        if let ::core::option::Option::Some(#value) = &#row.#name { #add }
    }
}

/// The statements that add the values that `from`, a reference to a `ty`, holds.
fn add_values(ty: &Type, options: Options, from: TokenStream) -> TokenStream {
    if !options.multi {
        return add_value(ty, options, from);
    }
    let place = at(ty);
    let element = own("element", place);
    let add = add_value(ty, options, quote!(#element));
    let all = iterated(ty, from, place);
    quote_spanned! {place=>
        for #element in #all { #add }
    }
}

/// The statement that adds the value that `from`, a reference, leads to.
fn add_value(ty: &Type, options: Options, from: TokenStream) -> TokenStream {
    let place = at(ty);
    let keys = own("keys", place);
    let value = if options.is_text() {
        let text = quote_spanned!(place=> ::core::convert::AsRef::<str>::as_ref(#from));
        quote_spanned!(place=> ::std::string::String::from(#text))
    } else {
        quote_spanned!(place=> ::core::clone::Clone::clone(#from))
    };
    quote_spanned!(place=> #keys.add(#value);)
}

/// The type of the values of a composite index: a tuple.
fn composite_type(fields: &[Field]) -> TokenStream {
    let types = fields
        .iter()
        .map(|field| optional(&field.ty).unwrap_or(&field.ty));
    quote!((#(#types),*))
}

/// The statements that add the tuple of the fields, if all that are optional are there.
fn composite_body(fields: &[Field]) -> TokenStream {
    let place = Span::mixed_site();
    let (row, keys) = (own("object", place), own("keys", place));
    let numbers = 0..fields.len();
    let values: Vec<Ident> = numbers.map(|n| own(&format!("value_{n}"), place)).collect();
    let bindings = fields.iter().zip(&values).map(|(field, value)| {
        let name = &field.name;
        match optional(&field.ty) {
            Some(_) => quote! {
                let ::core::option::Option::Some(#value) = &#row.#name else { return };
            },
            None => quote!(let #value = &#row.#name;),
        }
    });
    let clones = fields
        .iter()
        .zip(&values)
        .map(|(field, value)| quote_spanned!(at(&field.ty)=> ::core::clone::Clone::clone(#value)));
    quote! {
        #(#bindings)*
        #keys.add((#(#clones),*));
    }
}

/// The documentation of an index's constant.
fn documentation(index: &Index) -> String {
    let kind = if index.unique {
        "Unique index"
    } else {
        "Index"
    };
    let (what, fields) = match &index.values {
        Values::Field { field, options } => {
            let each = if options.multi { "each of " } else { "" };
            let text = if options.text { ", as text" } else { "" };
            let fold = if options.fold_case {
                ", whatever the case"
            } else {
                ""
            };
            (
                format!("{each}`{}`{text}{fold}", field.name.unraw()),
                std::slice::from_ref(field),
            )
        }
        Values::Composite { fields } => {
            let name = |field: &Field| format!("`{}`", field.name.unraw());
            let names: Vec<_> = fields.iter().map(name).collect();
            (format!("{} together", names.join(", ")), fields.as_slice())
        }
    };
    let sparse = match fields.iter().any(|field| optional(&field.ty).is_some()) {
        true if fields.len() > 1 => " An object where one is `None` is not in it.",
        true => " An object where that is `None` is not in it.",
        false => "",
    };
    format!("{kind} by {what}.{sparse}")
}

/// A name of the generated code's own, which no name of the user's can be confused with.
fn own(name: &str, place: Span) -> Ident {
    Ident::new(name, Span::mixed_site().located_at(place))
}

/// The place of a type in the source, with the hygiene of the generated code.
fn at(ty: &Type) -> Span {
    Span::mixed_site().located_at(ungrouped(ty).span())
}
