//! Reads a struct and its `#[object(..)]` attributes into what an object is: a table, a key and
//! indexes.
//!
//! Every fault is reported at the tokens that cause it, and all faults of a struct at once. What
//! comes out is right as far as attributes can tell; whether a field's type suits its index is for
//! the compiler to say, of the code in [`expand`](crate::expand).

use quote::format_ident;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, ExprPath, Fields, Ident, LitStr, Result, Token, Type,
    token,
};

/// The longest tuple that the standard library orders and hashes.
const COMPOSITE_FIELDS_MAX: usize = 12;

/// The options of an index of one field, as an error lists them.
const OPTIONS: &str = "`unique`, `multi`, `text`, `fold_case` and `name = \"..\"`";

/// What a struct takes that says something else.
const UNKNOWN: &str = "unknown attribute: a struct takes `table = \"..\"`, \
                       `index(NAME, fields(..))`, `index(NAME)`, `bytes = path`, \
                       `complete = path` and `check = path`";

/// A struct that is stored in a table.
pub struct Object {
    pub name: Ident,
    pub visibility: syn::Visibility,
    pub where_clause: Option<syn::WhereClause>,
    pub table: String,
    pub key: Field,
    pub indexes: Vec<Index>,
    /// The constants of indexes that the type has of its own.
    pub own_indexes: Vec<Ident>,
    pub functions: Functions,
}

/// The functions that the struct names, to be what the trait's of these names are.
#[derive(Default)]
pub struct Functions {
    pub bytes: Option<ExprPath>,
    pub complete: Option<ExprPath>,
    pub check: Option<ExprPath>,
}

/// A field of the struct.
#[derive(Clone)]
pub struct Field {
    pub name: Ident,
    pub ty: Type,
}

/// An index, and the constant that names it.
pub struct Index {
    pub constant: Ident,
    pub unique: bool,
    pub values: Values,
}

/// What an index takes from an object.
#[expect(
    clippy::large_enum_variant,
    reason = "a struct has few, for as long as it is expanded"
)]
pub enum Values {
    /// The value of a field, or its elements.
    Field { field: Field, options: Options },
    /// The values of several fields together.
    Composite { fields: Vec<Field> },
}

/// How a field's value becomes index values.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// Each element of the field is a value.
    pub multi: bool,
    /// A value is a `String` made from the field's text.
    pub text: bool,
    /// As `text`, and the same whatever the case.
    pub fold_case: bool,
}

impl Object {
    /// Reads the input of the derive macro.
    pub fn parse(input: DeriveInput) -> Result<Self> {
        let declared = named_fields(&input)?;
        refuse_parameters(&input)?;
        let mut faults = Faults::default();
        let mut on_struct = OnStruct::default();
        for attribute in object_attributes(&input.attrs) {
            let read = attribute.parse_nested_meta(|meta| on_struct.read(meta));
            faults.collect(read);
        }
        let mut fields = Vec::new();
        let mut key: Option<Field> = None;
        let mut indexes = Vec::new();
        for syntax in declared {
            let field = Field::of(&syntax);
            for attribute in object_attributes(&syntax.attrs) {
                let mut on_field = OnField::new(&field, &mut key, &mut indexes);
                let read = attribute.parse_nested_meta(|meta| on_field.read(meta));
                faults.collect(read);
            }
            fields.push(field);
        }
        for composite in on_struct.composites {
            faults.collect(composite.resolve(&fields).map(|index| indexes.push(index)));
        }
        let own_indexes = on_struct.own_indexes;
        faults.collect(refuse_equal_constants(&indexes, &own_indexes));
        let no_key = || {
            Error::new(
                input.ident.span(),
                "no field is the key: mark one `#[object(key)]`",
            )
        };
        let key = faults.collect(key.ok_or_else(no_key));
        faults.finish()?;
        Ok(Self {
            table: on_struct
                .table
                .unwrap_or_else(|| snake_case(&input.ident.unraw().to_string())),
            key: key.expect("a missing key is a fault"),
            name: input.ident,
            visibility: input.vis,
            where_clause: input.generics.where_clause,
            indexes,
            own_indexes,
            functions: on_struct.functions,
        })
    }
}

impl Field {
    fn of(syntax: &syn::Field) -> Self {
        let name = syntax.ident.clone().expect("the fields are named");
        Self {
            name,
            ty: syntax.ty.clone(),
        }
    }
}

/// The fields of a struct with named fields; other types are refused.
fn named_fields(input: &DeriveInput) -> Result<Vec<syn::Field>> {
    let (span, found) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Ok(fields.named.iter().cloned().collect()),
            Fields::Unnamed(fields) => (fields.span(), "a tuple struct"),
            Fields::Unit => (input.ident.span(), "a struct without fields"),
        },
        Data::Enum(data) => (data.enum_token.span, "an enum"),
        Data::Union(data) => (data.union_token.span, "a union"),
    };
    let message = format!(
        "an object is a struct with named fields, `{}` is {found}",
        input.ident
    );
    Err(Error::new(span, message))
}

/// Refuses type parameters: a type has one table's name, which its instances would share.
fn refuse_parameters(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    let message = "an object's type takes no parameters: it names one table. \
                   Implement `Object` by hand for the types that are stored";
    Err(Error::new_spanned(&input.generics.params, message))
}

fn object_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("object"))
}

/// What the attributes of the struct say.
#[derive(Default)]
struct OnStruct {
    table: Option<String>,
    composites: Vec<Composite>,
    own_indexes: Vec<Ident>,
    functions: Functions,
}

impl OnStruct {
    fn read(&mut self, meta: ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("table") {
            let name: LitStr = meta.value()?.parse()?;
            if name.value().is_empty() {
                return Err(Error::new(name.span(), "a table's name is not empty"));
            }
            return match self.table.replace(name.value()) {
                None => Ok(()),
                Some(_) => Err(given_twice(&meta)),
            };
        }
        if meta.path.is_ident("index") {
            return self.read_index(&meta);
        }
        let name = meta.path.get_ident().map(Ident::to_string);
        let function = match name.as_deref() {
            Some("bytes") => &mut self.functions.bytes,
            Some("complete") => &mut self.functions.complete,
            Some("check") => &mut self.functions.check,
            _ => return Err(meta.error(UNKNOWN)),
        };
        match function.replace(meta.value()?.parse()?) {
            None => Ok(()),
            Some(_) => Err(given_twice(&meta)),
        }
    }

    /// An index of several fields, or one of the type's own.
    fn read_index(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let usage = "an index of several fields is written `index(NAME, fields(a, b))`, one that \
                     the type has of its own `index(NAME)`";
        if !meta.input.peek(token::Paren) {
            return Err(meta.error(usage));
        }
        let mut constant = None;
        let mut unique = false;
        let mut fields = None;
        meta.parse_nested_meta(|item| {
            if item.path.is_ident("fields") && fields.is_none() {
                fields = Some(field_names(&item)?);
                return Ok(());
            }
            if item.path.is_ident("unique") {
                return set(&mut unique, &item);
            }
            match item.path.get_ident() {
                Some(name) if constant.is_none() && fields.is_none() => {
                    check_constant(name)?;
                    constant = Some(name.clone());
                    Ok(())
                }
                _ => Err(item.error(usage)),
            }
        })?;
        match (constant, fields) {
            (Some(constant), Some(fields)) => self.composites.push(Composite {
                constant,
                unique,
                fields,
            }),
            (Some(constant), None) if unique => {
                let message = "an index of the type's own is unique by `Index::unique`";
                return Err(Error::new(constant.span(), message));
            }
            (Some(constant), None) => self.own_indexes.push(constant),
            (None, _) => return Err(meta.error(usage)),
        }
        Ok(())
    }
}

/// A composite index as written: its fields are names yet.
struct Composite {
    constant: Ident,
    unique: bool,
    fields: Vec<Ident>,
}

impl Composite {
    /// Finds the fields that the index names.
    fn resolve(self, declared: &[Field]) -> Result<Index> {
        let mut faults = Faults::default();
        let mut fields: Vec<Field> = Vec::new();
        for name in &self.fields {
            let message = if fields.iter().any(|field| same(&field.name, name)) {
                format!("`{name}` is named twice")
            } else if let Some(field) = declared.iter().find(|field| same(&field.name, name)) {
                fields.push(field.clone());
                continue;
            } else {
                format!("there is no field `{name}`")
            };
            faults.collect::<()>(Err(Error::new(name.span(), message)));
        }
        faults.finish()?;
        Ok(Index {
            constant: self.constant,
            unique: self.unique,
            values: Values::Composite { fields },
        })
    }
}

/// The names in `fields(a, b)`.
fn field_names(meta: &ParseNestedMeta<'_>) -> Result<Vec<Ident>> {
    let mut names = Vec::new();
    meta.parse_nested_meta(|item| {
        names.push(item.path.require_ident()?.clone());
        Ok(())
    })?;
    match names.len() {
        0 | 1 => Err(meta.error(
            "a composite index has two fields or more: mark a single one `#[object(index)]`",
        )),
        2..=COMPOSITE_FIELDS_MAX => Ok(names),
        _ => Err(meta.error(format!(
            "a composite index has at most {COMPOSITE_FIELDS_MAX} fields"
        ))),
    }
}

/// Where the attributes of a field put what they say.
struct OnField<'a> {
    field: &'a Field,
    key: &'a mut Option<Field>,
    indexes: &'a mut Vec<Index>,
}

impl<'a> OnField<'a> {
    fn new(field: &'a Field, key: &'a mut Option<Field>, indexes: &'a mut Vec<Index>) -> Self {
        Self {
            field,
            key,
            indexes,
        }
    }

    fn read(&mut self, meta: ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("key") {
            if let Some(first) = &*self.key {
                return Err(
                    meta.error(format!("an object has one key, and `{}` is it", first.name))
                );
            }
            *self.key = Some(self.field.clone());
            return Ok(());
        }
        if meta.path.is_ident("index") {
            self.indexes.push(self.read_index(&meta)?);
            return Ok(());
        }
        Err(meta.error("unknown attribute: a field takes `key`, `index` and `index(..)`"))
    }

    fn read_index(&self, meta: &ParseNestedMeta<'_>) -> Result<Index> {
        let mut unique = false;
        let mut constant = None;
        let mut options = Options::default();
        if meta.input.peek(token::Paren) {
            meta.parse_nested_meta(|item| {
                let option = item.path.get_ident().map(Ident::to_string);
                match option.as_deref() {
                    Some("unique") => set(&mut unique, &item),
                    Some("multi") => set(&mut options.multi, &item),
                    Some("text") => set(&mut options.text, &item),
                    Some("fold_case") => set(&mut options.fold_case, &item),
                    Some("name") => {
                        let name = constant_of(&item.value()?.parse()?)?;
                        match constant.replace(name) {
                            None => Ok(()),
                            Some(_) => Err(given_twice(&item)),
                        }
                    }
                    _ => Err(item.error(format!("unknown option: an index takes {OPTIONS}"))),
                }
            })?;
        }
        let values = Values::Field {
            field: self.field.clone(),
            options,
        };
        let constant = constant.unwrap_or_else(|| default_constant(&self.field.name));
        Ok(Index {
            constant,
            unique,
            values,
        })
    }
}

/// Sets a flag that may be given once.
fn set(flag: &mut bool, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if std::mem::replace(flag, true) {
        return Err(given_twice(meta));
    }
    // An option that is given a value is not what was meant.
    if meta.input.peek(Token![=]) || meta.input.peek(token::Paren) {
        let name = meta.path.require_ident()?;
        return Err(meta.error(format!("`{name}` takes no value")));
    }
    Ok(())
}

/// The fault of saying something again.
fn given_twice(meta: &ParseNestedMeta<'_>) -> Error {
    match meta.path.require_ident() {
        Ok(name) => meta.error(format!("`{name}` is given twice")),
        Err(error) => error,
    }
}

/// The constant of an index that is given no name: `BY_` and the field's.
fn default_constant(field: &Ident) -> Ident {
    let name = field.unraw().to_string().to_uppercase();
    format_ident!("BY_{name}", span = field.span())
}

fn constant_of(name: &LitStr) -> Result<Ident> {
    let ident: Ident = name
        .parse()
        .map_err(|_| Error::new(name.span(), "an index's name is the name of a constant"))?;
    check_constant(&ident)?;
    Ok(ident)
}

/// Refuses a name that is not written as a constant's.
fn check_constant(name: &Ident) -> Result<()> {
    if name.to_string().contains(char::is_lowercase) {
        let message = "an index's name is the name of a constant: write it in upper case";
        return Err(Error::new(name.span(), message));
    }
    Ok(())
}

fn refuse_equal_constants(indexes: &[Index], own: &[Ident]) -> Result<()> {
    let mut faults = Faults::default();
    let constants: Vec<&Ident> = indexes.iter().map(|i| &i.constant).chain(own).collect();
    for (position, &constant) in constants.iter().enumerate() {
        if constants[..position].contains(&constant) {
            let message =
                format!("two indexes are named `{constant}`: give one of them another name");
            faults.collect::<()>(Err(Error::new(constant.span(), message)));
        }
    }
    faults.finish()
}

/// Whether two identifiers name the same field, `r#` or not.
fn same(one: &Ident, other: &Ident) -> bool {
    one.unraw() == other.unraw()
}

/// A type's name as a table's: `HTTPRoute2Spec` gives `http_route2_spec`.
fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (position, &character) in characters.iter().enumerate() {
        if character.is_uppercase() && position > 0 {
            let before = characters[position - 1];
            let next_is_lower = characters
                .get(position + 1)
                .is_some_and(|next| next.is_lowercase());
            // A word begins at the upper-case letter after a lower-case one, and at the last
            // upper-case letter of an abbreviation that a word follows.
            if before != '_' && (!before.is_uppercase() || next_is_lower) {
                snake.push('_');
            }
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// The faults found so far.
#[derive(Default)]
struct Faults(Option<Error>);

impl Faults {
    /// Keeps the error of a step, and gives its value if it has one.
    fn collect<T>(&mut self, step: Result<T>) -> Option<T> {
        match (step, &mut self.0) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(earlier)) => earlier.combine(error),
            (Err(error), none) => *none = Some(error),
        }
        None
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
