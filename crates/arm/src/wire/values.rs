//! Reading and writing of scalars, lists and dictionaries, as lenient as the service.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::reader::Reader;
use super::writer::Writer;
use super::{WireMember, WireValue, pointer};

impl WireValue for String {
    /// A number or a boolean in the place of a text is taken as its text.
    fn read(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => {
                reader.wrong_type(value, pointer, "a string");
                None
            }
        }
    }

    fn write(&self, _: &Writer<'_>) -> Value {
        Value::String(self.clone())
    }
}

impl WireValue for bool {
    /// A boolean, or its text in any letter case.
    fn read(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Self> {
        let read = match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        if read.is_none() {
            reader.wrong_type(value, pointer, "a boolean");
        }
        read
    }

    fn write(&self, _: &Writer<'_>) -> Value {
        Value::Bool(*self)
    }
}

impl WireValue for i32 {
    /// A whole number of 32 bits, or its text.
    fn read(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Self> {
        let read = match value {
            Value::Number(number) => whole(number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if read.is_none() {
            reader.wrong_type(value, pointer, "a whole number of 32 bits");
        }
        read
    }

    fn write(&self, _: &Writer<'_>) -> Value {
        Value::from(*self)
    }
}

/// `80` and `80.0` are whole, `80.5` is not.
fn whole(number: &serde_json::Number) -> Option<i32> {
    if let Some(n) = number.as_i64() {
        return i32::try_from(n).ok();
    }
    let float = number.as_f64()?;
    let in_range = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&float);
    (in_range && float.fract() == 0.0).then_some(float as i32)
}

impl<T: WireValue> WireMember for Option<T> {
    fn read_member(value: &Value, pointer: &str, reader: &mut Reader) -> Self {
        T::read(value, pointer, reader)
    }

    fn write_member(&self, writer: &Writer<'_>) -> Option<Value> {
        self.as_ref().map(|value| value.write(writer))
    }

    fn empty() -> Value {
        Value::Object(Map::new())
    }
}

impl<T: WireValue> WireMember for Vec<T> {
    /// Elements that are null or of the wrong type are left out (the latter are reported).
    fn read_member(value: &Value, at: &str, reader: &mut Reader) -> Self {
        let elements = reader
            .array(value, at)
            .unwrap_or_default()
            .iter()
            .enumerate();
        elements
            .filter(|(_, element)| !element.is_null())
            .filter_map(|(i, element)| T::read(element, &pointer::index(at, i), reader))
            .collect()
    }

    fn write_member(&self, writer: &Writer<'_>) -> Option<Value> {
        let elements = || self.iter().map(|element| element.write(writer)).collect();
        (!self.is_empty()).then(|| Value::Array(elements()))
    }

    fn empty() -> Value {
        Value::Array(Vec::new())
    }
}

impl<T: WireValue> WireValue for IndexMap<String, T> {
    fn read(value: &Value, at: &str, reader: &mut Reader) -> Option<Self> {
        let members = reader.object(value, at)?.iter();
        let members = members.filter(|(_, value)| !value.is_null());
        let read = members.filter_map(|(key, value)| {
            let read = T::read(value, &pointer::join(at, key), reader)?;
            Some((key.clone(), read))
        });
        Some(read.collect())
    }

    fn write(&self, writer: &Writer<'_>) -> Value {
        let members = self.iter();
        let members = members.map(|(key, value)| (key.clone(), value.write(writer)));
        Value::Object(members.collect())
    }
}

impl<T: WireValue> WireMember for IndexMap<String, T> {
    fn read_member(value: &Value, at: &str, reader: &mut Reader) -> Self {
        Self::read(value, at, reader).unwrap_or_default()
    }

    fn write_member(&self, writer: &Writer<'_>) -> Option<Value> {
        (!self.is_empty()).then(|| self.write(writer))
    }

    fn empty() -> Value {
        Value::Object(Map::new())
    }
}
