//! JSON as exports have it: the members of REST's `properties` or beside them, in any letter case,
//! numbers as texts.

use serde_json::Value;

/// Where a fact was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The name of the file within the folder.
    pub file: String,
    /// JSON pointer; empty for the whole, and for files that are no JSON.
    pub pointer: String,
}

impl Place {
    pub(crate) fn new(file: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            pointer: pointer.into(),
        }
    }

    /// A file as a whole.
    pub(crate) fn whole(file: impl Into<String>) -> Self {
        Self::new(file, "")
    }
}

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    file: &'a str,
    pointer: String,
    value: &'a Value,
}

impl<'a> View<'a> {
    pub(crate) fn whole(file: &'a str, value: &'a Value) -> Self {
        Self {
            file,
            pointer: String::new(),
            value,
        }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(self.file, self.pointer.as_str())
    }

    fn below(&self, step: &str, value: &'a Value) -> Self {
        let step = step.replace('~', "~0").replace('/', "~1");
        Self {
            file: self.file,
            pointer: format!("{}/{step}", self.pointer),
            value,
        }
    }

    /// A member, or one of `properties`; `null` is none.
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        self.own(name).or_else(|| self.own("properties")?.own(name))
    }

    fn own(&self, name: &str) -> Option<Self> {
        let mut members = self.value.as_object()?.iter();
        // An export may have two spellings of a name, of which one is null.
        let (own, value) =
            members.find(|(own, value)| own.eq_ignore_ascii_case(name) && !value.is_null())?;
        Some(self.below(own, value))
    }

    /// A column of a log: also with the suffix that AzureDiagnostics gives it for its kind, such as
    /// `_s` for texts.
    pub(crate) fn column(&self, name: &str) -> Option<Self> {
        let is_meant = |own: &str| match own.rsplit_once('_') {
            _ if own.eq_ignore_ascii_case(name) => true,
            Some((stem, suffix)) => suffix.len() == 1 && stem.eq_ignore_ascii_case(name),
            None => false,
        };
        let own = self.value.as_object().and_then(|members| {
            let mut members = members.iter();
            let found = members.find(|(own, value)| is_meant(own) && !value.is_null())?;
            Some(self.below(found.0, found.1))
        });
        own.or_else(|| {
            let inner = self.own("properties")?;
            inner.value.is_object().then(|| inner.column(name))?
        })
    }

    /// The elements of a list; of an object, those of its `value`, or of the `records` that logs
    /// are stored in, or else the object itself.
    pub(crate) fn elements(&self) -> Vec<Self> {
        match self.value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, one)| self.below(&index.to_string(), one))
                    .collect()
            }
            Value::Object(_) => {
                let mut wrappers = ["value", "records"].iter();
                let inner = wrappers.find_map(|name| {
                    let inner = self.own(name)?;
                    inner.value.is_array().then_some(inner)
                });
                inner.map_or_else(|| vec![self.clone()], |inner| inner.elements())
            }
            _ => Vec::new(),
        }
    }

    /// The elements of the list that the member holds; none where there is no such list.
    pub(crate) fn list(&self, name: &str) -> Vec<Self> {
        let list = self.get(name).filter(|list| list.value.is_array());
        list.map(|list| list.elements()).unwrap_or_default()
    }

    /// A text that is not blank, or a number as one.
    pub(crate) fn as_text(&self) -> Option<String> {
        let text = match self.value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => String::new(),
        };
        (!text.is_empty()).then_some(text)
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number: &f64| number.is_finite())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_text()
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_number()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_flag()
    }

    pub(crate) fn as_flag(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The texts of the list, or the one text, that the member holds.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(member) if member.value.is_array() => {
                let elements = member.elements();
                elements.iter().filter_map(Self::as_text).collect()
            }
            Some(member) => member.as_text().into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// The last part of a resource id; of a plain name, the name.
pub(crate) fn last_part(id: &str) -> &str {
    let id = id.trim_end_matches('/');
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_found_in_every_shape() {
        for value in [
            json!({"port": 80, "name": "a"}),
            json!({"Port": "80", "Name": "a"}),
            json!({"name": "a", "properties": {"port": 80}}),
        ] {
            let view = View::whole("f", &value);
            assert_eq!(view.number("port"), Some(80.0));
            assert_eq!(view.text("name").as_deref(), Some("a"));
            assert!(view.get("other").is_none());
        }
        for value in [
            json!([1, 2]),
            json!({"value": [1, 2]}),
            json!({"Records": [1, 2]}),
        ] {
            assert_eq!(View::whole("f", &value).elements().len(), 2, "{value}");
        }
        assert_eq!(View::whole("f", &json!({"records": 1})).elements().len(), 1);
        let value = json!({"properties": {"a/b": [null, " x "]}});
        let view = View::whole("f", &value).get("a/b").unwrap();
        let elements = view.elements();
        assert_eq!(elements[1].place().pointer, "/properties/a~1b/1");
        assert_eq!(elements[1].as_text().as_deref(), Some("x"));
    }

    #[test]
    fn columns_are_found_under_every_schema() {
        for value in [
            json!({"HttpStatus": 502}),
            json!({"httpStatus_d": "502"}),
            json!({"properties": {"httpStatus": 502}}),
        ] {
            let view = View::whole("f", &value);
            let column = view.column("httpStatus").unwrap();
            assert_eq!(column.as_number(), Some(502.0));
        }
        let value = json!({"serverStatus_s": ""});
        let column = View::whole("f", &value).column("serverStatus").unwrap();
        assert_eq!(column.as_text(), None);
    }
}
