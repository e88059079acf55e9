//! Objects that a user's function made of others. Invariant: such an object has the key, uid and resourceVersion of the
//! one that it was made of, and knows that one's bytes again, by length and hash, without keeping them.
use super::view::ObjectView;
use super::{Object, TypeMeta};
use crate::error::ScanError;
use crate::hashing::hash;
use std::fmt;
use std::fmt::Write;

/// Digits of a hash at the end of the text.
pub(super) const DIGITS: usize = 16;

/// Why bytes are no version of an object that may take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSameError {
    /// They are no object.
    Scan {
        /// The key of the object that they were to replace.
        key: String,
        /// What is wrong.
        error: ScanError,
    },
    /// They are another object, or another version.
    Changed {
        /// The key of the object that they were to replace.
        key: String,
        /// The field of `metadata` that differs.
        field: &'static str,
        /// What it was.
        before: String,
        /// What it became.
        after: String,
    },
}

impl fmt::Display for NotSameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan { key, error } => {
                write!(
                    f,
                    "{key}: a transform must return an object: {}",
                    error.message
                )
            }
            Self::Changed {
                key,
                field,
                before,
                after,
            } => write!(
                f,
                "{key}: a transform must not change metadata.{field} (from {before:?} to {after:?})"
            ),
        }
    }
}

impl std::error::Error for NotSameError {}

impl Object {
    /// What a function made of this object, as JSON; apiVersion and kind are this one's when it has none.
    pub fn made_into(&self, json: &[u8]) -> Result<Self, NotSameError> {
        let key = || self.key().to_owned();
        let view =
            ObjectView::scan(json, 0).map_err(|error| NotSameError::Scan { key: key(), error })?;
        let fields = [
            ("namespace", self.namespace(), view.namespace()),
            ("name", self.name(), view.name()),
            ("uid", self.uid(), view.uid()),
            (
                "resourceVersion",
                self.resource_version(),
                view.resource_version(),
            ),
        ];
        for (field, before, after) in fields {
            if before != after {
                return Err(NotSameError::Changed {
                    key: key(),
                    field,
                    before: before.to_owned(),
                    after: after.into_owned(),
                });
            }
        }
        let types = TypeMeta::new(self.api_version(), self.kind());
        let mut made = view.to_object(&types, true);
        let mut text = made.text.into_string();
        text.reserve_exact(DIGITS);
        write!(text, "{:0DIGITS$x}", hash(self.plain().json())).expect("a string takes everything");
        made.text = text.into_boxed_str();
        made.source_len = self.raw_len() as u32;
        Ok(made)
    }

    /// Whether a function made this object of another.
    pub fn is_made(&self) -> bool {
        self.source_len != 0
    }

    /// Whether a function made this object of one with the bytes of `source`.
    pub fn is_made_of(&self, source: &Self) -> bool {
        self.source_len as usize == source.raw_len()
            && self.uid() == source.uid()
            && self.resource_version() == source.resource_version()
            && self.source_hash() == Some(hash(source.plain().json()))
    }

    /// The hash as it stands in the text; "" of an object as it was read.
    pub(super) fn source_digits(&self) -> &str {
        let digits = if self.is_made() { DIGITS } else { 0 };
        &self.text[self.text.len() - digits..]
    }

    fn source_hash(&self) -> Option<u64> {
        u64::from_str_radix(self.source_digits(), 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Object {
        Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap()
    }

    const POD: &str = r#"{"metadata":{"namespace":"a","name":"b","uid":"u","resourceVersion":"7"},"spec":{"x":1}}"#;

    #[test]
    fn it_knows_its_source_again_and_nothing_else() {
        let source = object(POD);
        let made = source
            .made_into(POD.replace("\"x\"", "\"y\"").as_bytes())
            .unwrap();
        assert_eq!(made.plain().section("spec"), Some(&br#"{"y":1}"#[..]));
        assert_eq!((made.kind(), made.key(), made.uid()), ("Pod", "a/b", "u"));
        assert!(made.is_made() && made.is_made_of(&object(POD)) && !source.is_made());
        assert!(
            !made.is_made_of(&object(&POD.replace("\"x\":1", "\"x\":2"))),
            "as long"
        );
        assert!(
            !made.is_made_of(&object(&POD.replace("\"x\":1", "\"x\":10"))),
            "longer"
        );
        assert!(!source.is_made_of(&source));
        let untransformed = size_of::<Object>() + 16 + made.raw_len() + made.key().len();
        assert_eq!(made.heap_size(), untransformed + DIGITS);
    }

    #[test]
    fn the_identity_may_not_change() {
        let source = object(POD);
        for (from, to, field) in [
            ("\"a\"", "\"c\"", "namespace"),
            ("\"namespace\":\"a\",", "", "namespace"),
            ("\"b\"", "\"c\"", "name"),
            ("\"u\"", "\"v\"", "uid"),
            ("\"7\"", "\"8\"", "resourceVersion"),
        ] {
            let error = source
                .made_into(POD.replace(from, to).as_bytes())
                .err()
                .unwrap();
            let text = error.to_string();
            assert!(
                text.starts_with("a/b: ") && text.contains(&format!("metadata.{field} ")),
                "{text}"
            );
        }
        let error = source.made_into(b"{\"metadata\":{}}").err().unwrap();
        assert_eq!(
            error.to_string(),
            "a/b: a transform must return an object: object without metadata.name"
        );
    }
}
