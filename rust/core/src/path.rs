//! Paths into objects: one grammar and one compiler for index functions, filters, transforms and projections. Invariant: a
//! path that compiles prints as a path that compiles to an equal one.
//!
//! ```text
//! path    = [ "." ] ( key | bracket ) { "." key | bracket }
//! key     = one or more characters, none of  . [ ] ' " \ ( ) { } * ? , | & = < > !  and no white space
//! bracket = "['" { character | "\" punctuation } "']"  |  "[" digits "]"  |  "[*]"
//! ```
//!
//! A quoted key is compared with the key of the JSON object after both are unescaped. `[*]` stands for every element of an
//! array and for nothing else.
mod parse;
mod set;
mod value;

pub use parse::PathError;
pub(crate) use set::Node;
pub use set::PathSet;
pub use value::{JsonKind, JsonValue};

use std::fmt;
use std::str::FromStr;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// The member of an object, named without escapes.
    Key(Box<str>),
    /// The element of an array, counted from 0.
    Index(u32),
    /// Every element of an array.
    Each,
}

/// A compiled path; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    segments: Vec<Segment>,
}

impl Path {
    /// Compiles a path, or says which character is wrong.
    pub fn compile(text: &str) -> Result<Self, PathError> {
        parse::parse(text).map(|segments| Self { segments })
    }

    /// A path of keys.
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        Self {
            segments: keys
                .into_iter()
                .map(|key| Segment::Key(key.into()))
                .collect(),
        }
    }

    /// The steps.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it can stand for several values of one object.
    pub fn is_multiple(&self) -> bool {
        self.segments.contains(&Segment::Each)
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::compile(text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Key(key) if !key.is_empty() && key.chars().all(parse::is_plain) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) => {
                    write!(f, "['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Each => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
