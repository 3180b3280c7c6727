//! The faults of a struct and the words in which they are told. What a sound struct becomes is
//! seen through a store, in skep's `tests/derive.rs`.

use syn::{DeriveInput, parse_quote};

use crate::expand::expand;
use crate::parse::Object;

/// What is told of a struct, all faults of it.
fn faults(input: DeriveInput) -> Vec<String> {
    match Object::parse(input) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| fault.to_string()).collect(),
    }
}

/// Checks that a struct has exactly the faults whose messages contain `expected`, in order.
#[track_caller]
fn assert_faults(input: DeriveInput, expected: &[&str]) {
    let found = faults(input);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "{found:?} does not say {expected:?}"
        );
    }
}

#[test]
fn a_sound_struct_has_no_faults() {
    let input = parse_quote! {
        #[object(table = "task", index(BY_PLACE, fields(node, r#type), unique))]
        #[derive(Clone)]
        struct Task {
            #[object(key, index(text))] id: Id,
            #[object(index)]
            #[object(index(fold_case, name = "BY_NODE_FOLDED"))]
            node: Option<String>,
            #[object(index(multi, text, unique))] r#type: Vec<String>,
        }
    };
    let object = Object::parse(input).unwrap_or_else(|faults| panic!("{faults}"));
    let constants: Vec<_> = object
        .indexes
        .iter()
        .map(|i| i.constant.to_string())
        .collect();
    assert_eq!(
        constants,
        ["BY_ID", "BY_NODE", "BY_NODE_FOLDED", "BY_TYPE", "BY_PLACE"]
    );
    let code = expand(&object).to_string();
    for doc in [
        "Index by `node`. An object where that is `None` is not in it.",
        "Index by `node`, whatever the case.",
        "Unique index by each of `type`, as text.",
        "Unique index by `node`, `type` together. An object where one is `None` is not in it.",
    ] {
        assert!(code.contains(doc), "{doc}: {code}");
    }
}

#[test]
fn only_structs_with_named_fields() {
    assert_faults(parse_quote! { enum E { A } }, &["`E` is an enum"]);
    assert_faults(parse_quote! { union U { a: u8 } }, &["`U` is a union"]);
    assert_faults(parse_quote! { struct T(u8); }, &["`T` is a tuple struct"]);
    assert_faults(
        parse_quote! { struct S; },
        &["`S` is a struct without fields"],
    );
    let generic = parse_quote! { struct G<T> { #[object(key)] id: T } };
    assert_faults(generic, &["takes no parameters"]);
}

#[test]
fn one_key() {
    assert_faults(
        parse_quote! { struct T { id: Id } },
        &["no field is the key"],
    );
    let two = parse_quote! { struct T { #[object(key)] id: Id, #[object(key)] name: String } };
    assert_faults(two, &["one key, and `id` is it"]);
}

#[test]
fn unknown_and_repeated_attributes() {
    let input = parse_quote! {
        #[object(key, table = "a", table = "b")]
        struct T {
            #[object(key)] id: Id,
            #[object(indexed)] a: Id,
            #[object(index(sorted))] b: Id,
            #[object(index(unique, unique))] c: Id,
            #[object(index(unique = true))] d: Id,
            #[object(index(name = "BY_X", name = "BY_Y"))] e: Id,
        }
    };
    assert_faults(
        input,
        &[
            "a struct takes `table = \"..\"`, `index(NAME, fields(..))`, `index(NAME)`, \
             `bytes = path`, `complete = path` and `check = path`",
            "a field takes `key`, `index` and `index(..)`",
            "unknown option",
            "`unique` is given twice",
            "`unique` takes no value",
            "`name` is given twice",
        ],
    );
    let twice = parse_quote! {
        #[object(table = "a", table = "b")]
        struct T { #[object(key)] id: Id }
    };
    assert_faults(twice, &["`table` is given twice"]);
    let twice = parse_quote! {
        #[object(check = Self::check, check = check)]
        struct T { #[object(key)] id: Id }
    };
    assert_faults(twice, &["`check` is given twice"]);
    let no_path = parse_quote! {
        #[object(check)]
        struct T { #[object(key)] id: Id }
    };
    assert_faults(no_path, &["expected `=`"]);
    let empty = parse_quote! { #[object(table = "")] struct T { #[object(key)] id: Id } };
    assert_faults(empty, &["not empty"]);
}

#[test]
fn constants_have_names_of_their_own() {
    let input = parse_quote! {
        #[object(index(BY_NAME, fields(id, name)))]
        struct T {
            #[object(key)] id: Id,
            #[object(index, index(fold_case))] name: String,
            #[object(index(name = "by_x"))] a: Id,
            #[object(index(name = "BY-X"))] b: Id,
        }
    };
    assert_faults(
        input,
        &[
            "write it in upper case",
            "the name of a constant",
            "two indexes are named `BY_NAME`",
            "two indexes are named `BY_NAME`",
        ],
    );
    let own = parse_quote! {
        #[object(index(BY_NAME), index(BY_AGE), index(BY_AGE))]
        struct T {
            #[object(key)] id: Id,
            #[object(index)] name: String,
        }
    };
    let twice = [
        "two indexes are named `BY_NAME`",
        "two indexes are named `BY_AGE`",
    ];
    assert_faults(own, &twice);
}

#[test]
fn composite_indexes_name_their_fields() {
    let input = parse_quote! {
        #[object(index(BY_A_X, fields(a, x, y)))]
        #[object(index(BY_A_A, fields(a, a)))]
        struct T { #[object(key)] a: Id }
    };
    assert_faults(
        input,
        &[
            "there is no field `x`",
            "there is no field `y`",
            "`a` is named twice",
        ],
    );
    let usage =
        "written `index(NAME, fields(a, b))`, one that the type has of its own `index(NAME)`";
    let cases: [(DeriveInput, &str); 7] = [
        (
            parse_quote! { #[object(index)] struct T { #[object(key)] a: Id } },
            usage,
        ),
        (
            parse_quote! { #[object(index(BY_A, unique))] struct T { #[object(key)] a: Id } },
            "unique by `Index::unique`",
        ),
        (
            parse_quote! { #[object(index(fields(a, b)))] struct T { #[object(key)] a: Id } },
            usage,
        ),
        (
            parse_quote! { #[object(index(A, B, fields(a, b)))] struct T { #[object(key)] a: Id } },
            usage,
        ),
        (
            parse_quote! { #[object(index(by_a, fields(a, b)))] struct T { #[object(key)] a: Id } },
            "upper case",
        ),
        (
            parse_quote! { #[object(index(BY_A, fields(a)))] struct T { #[object(key)] a: Id } },
            "two fields or more",
        ),
        (
            parse_quote! {
                #[object(index(BY_A, fields(a, b, c, d, e, f, g, h, i, j, k, l, m)))]
                struct T { #[object(key)] a: Id }
            },
            "at most 12 fields",
        ),
    ];
    for (input, expected) in cases {
        assert_faults(input, &[expected]);
    }
}

#[test]
fn table_is_the_type_in_snake_case() {
    for (name, table) in [
        ("Task", "task"),
        ("TaskSpec", "task_spec"),
        ("HTTPRoute", "http_route"),
        ("NodeV2Spec", "node_v2_spec"),
        ("Ipv4", "ipv4"),
        ("Already_split", "already_split"),
    ] {
        let name = quote::format_ident!("{name}");
        let input = parse_quote! { struct #name { #[object(key)] id: Id } };
        let object = Object::parse(input).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(object.table, table);
    }
}
