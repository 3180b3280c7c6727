//! What serde is told of a value's type: the fields of its structs, in order, and what each is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct,
    SerializeStructVariant, SerializeTuple, Serializer,
};

/// The form of a field: a primitive, a struct's or an enum's name, or what it is an option, a list
/// or a map of; of what is empty nothing is known.
type Form = String;
type Fields = Vec<(&'static str, Form)>;
type Never = Impossible<Form, Error>;

/// The error of values that no object has.
pub type Error = serde_json::Error;

const UNKNOWN: &str = "?";

/// Structs by name, and variants with fields by `Enum::Variant`.
#[derive(Default)]
pub struct Forms(RefCell<BTreeMap<String, Fields>>);

impl Forms {
    /// Takes a value's type.
    pub fn note<T: Serialize>(&self, value: &T) {
        value.serialize(self).expect("it has a form");
    }

    /// All that were noted, for people.
    pub fn text(&self) -> String {
        let forms = self.0.borrow();
        let text = forms.iter().map(|(name, fields)| {
            let fields = fields.iter().map(|(field, form)| {
                assert!(!form.contains(UNKNOWN), "{name}: {field} is empty");
                format!("  {field}: {form}\n")
            });
            format!("{name}\n{}", fields.collect::<String>())
        });
        text.collect()
    }

    fn keep(&self, name: String, fields: Fields) -> Form {
        let mut forms = self.0.borrow_mut();
        let known = forms.entry(name.clone()).or_insert_with(|| fields.clone());
        for (known, (_, form)) in known.iter_mut().zip(fields) {
            if known.1.contains(UNKNOWN) {
                known.1 = form;
            }
        }
        name
    }
}

/// What has parts, as far as they have come.
pub struct Parts<'f> {
    forms: &'f Forms,
    name: String,
    fields: Fields,
    /// Of the elements of a list, or a map's keys and values.
    of: [Form; 2],
}

impl<'f> Parts<'f> {
    fn of(forms: &'f Forms, name: String) -> Self {
        Self {
            forms,
            name,
            fields: Fields::new(),
            of: [UNKNOWN; 2].map(str::to_owned),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, at: usize, value: &T) -> Result<(), Error> {
        let form = value.serialize(self.forms)?;
        if self.of[at].contains(UNKNOWN) {
            self.of[at] = form;
        }
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, of: &T) -> Result<(), Error> {
        self.fields.push((name, of.serialize(self.forms)?));
        Ok(())
    }

    /// A struct's name, or of a variant its enum's.
    fn end(self) -> Result<Form, Error> {
        let name = self.forms.keep(self.name, self.fields);
        let of = name.split("::").next();
        Ok(of.unwrap_or_default().to_owned())
    }
}

macro_rules! primitives {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, _: $type) -> Result<Form, Error> {
            Ok(stringify!($type).to_owned())
        })*
    };
}

impl<'f> Serializer for &'f Forms {
    type Ok = Form;
    type Error = Error;
    type SerializeSeq = Parts<'f>;
    type SerializeTuple = Parts<'f>;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Parts<'f>;
    type SerializeStruct = Parts<'f>;
    type SerializeStructVariant = Parts<'f>;

    primitives! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_f32: f32, serialize_f64: f64, serialize_char: char
    }

    fn serialize_str(self, _: &str) -> Result<Form, Error> {
        Ok("text".to_owned())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Form, Error> {
        Ok("bytes".to_owned())
    }

    fn serialize_none(self) -> Result<Form, Error> {
        Ok(format!("option of {UNKNOWN}"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Form, Error> {
        Ok(format!("option of {}", value.serialize(self)?))
    }

    fn serialize_unit(self) -> Result<Form, Error> {
        Err(Error::custom("a unit"))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Form, Error> {
        Err(Error::custom(name))
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Form, Error> {
        Ok(name.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Form, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Form, Error> {
        let form = value.serialize(self)?;
        self.keep(format!("{name}::{variant}"), vec![("0", form)]);
        Ok(name.to_owned())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'f>, Error> {
        Ok(Parts::of(self, String::new()))
    }

    fn serialize_tuple(self, length: usize) -> Result<Parts<'f>, Error> {
        Ok(Parts::of(self, length.to_string()))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Never, Error> {
        Err(Error::custom(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Error> {
        Err(Error::custom(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'f>, Error> {
        Ok(Parts::of(self, String::new()))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'f>, Error> {
        Ok(Parts::of(self, name.to_owned()))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'f>, Error> {
        Ok(Parts::of(self, format!("{name}::{variant}")))
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<Form, Error> {
        Ok("text".to_owned())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl SerializeSeq for Parts<'_> {
    type Ok = Form;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(0, value)
    }

    fn end(self) -> Result<Form, Error> {
        Ok(format!("list of {}", self.of[0]))
    }
}

impl SerializeTuple for Parts<'_> {
    type Ok = Form;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(0, value)
    }

    fn end(self) -> Result<Form, Error> {
        Ok(format!("{} {}", self.name, self.of[0]))
    }
}

impl SerializeMap for Parts<'_> {
    type Ok = Form;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.element(0, key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(1, value)
    }

    fn end(self) -> Result<Form, Error> {
        let [key, value] = &self.of;
        Ok(format!("map of {key} to {value}"))
    }
}

impl SerializeStruct for Parts<'_> {
    type Ok = Form;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<Form, Error> {
        self.end()
    }
}

impl SerializeStructVariant for Parts<'_> {
    type Ok = Form;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<Form, Error> {
        self.end()
    }
}
