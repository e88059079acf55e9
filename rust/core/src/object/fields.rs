//! The small parts of `metadata`, read when they are asked for. Invariant: what is malformed in a way that the scan did
//! not look for (it checks brackets, not every comma) ends an iteration early and never panics.
use super::Plain;
use crate::scan::cursor::{Cursor, Token};
use crate::scan::text;
use std::borrow::Cow;

fn unescaped(json: &str, token: Token) -> Option<Cow<'_, str>> {
    let raw = json.get(token.start..token.end)?;
    if token.escaped {
        text::unescape(raw).ok()
    } else {
        Some(Cow::Borrowed(raw))
    }
}

/// The string members of a JSON object, without escapes.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    json: &'a str,
    cursor: Cursor<'a>,
    first: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(json: Option<&'a str>) -> Self {
        let json = json.filter(|json| json.starts_with('{')).unwrap_or("{}");
        Self {
            json,
            cursor: Cursor::new(json.as_bytes(), 1),
            first: true,
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.cursor.next_key(&mut self.first).ok()??;
            if self.cursor.peek().ok()? != b'"' {
                self.cursor.skip_value().ok()?;
                continue;
            }
            let value = self.cursor.string().ok()?;
            if let (Some(key), Some(value)) =
                (unescaped(self.json, key), unescaped(self.json, value))
            {
                return Some((key, value));
            }
        }
    }
}

/// The JSON of the last member of that name, of a JSON object.
pub(super) fn last_value<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut cursor = Cursor::new(json.as_bytes(), 1);
    let mut first = true;
    let mut found = None;
    if !json.starts_with('{') {
        return None;
    }
    while let Ok(Some(key)) = cursor.next_key(&mut first) {
        let matches = cursor.is_key(key, name.as_bytes());
        let Ok((start, end)) = cursor.skip_value() else {
            break;
        };
        if matches {
            found = Some((start, end));
        }
    }
    found.map(|(start, end)| &json[start..end])
}

/// The last member of that name, if it is a string.
pub(super) fn last_member<'a>(json: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let value = last_value(json, name)?;
    let content = value.strip_prefix('"')?.strip_suffix('"')?;
    text::unescape(content).ok()
}

/// The value of the last top-level member of that name.
pub(super) fn top_level<'a>(object: &'a Plain<'_>, name: &str) -> Option<&'a str> {
    let json = object.json();
    let mut cursor = Cursor::new(json.as_bytes(), 1);
    let mut first = true;
    let mut found = None;
    let parts = object.parts();
    while let Ok(Some(key)) = cursor.next_key(&mut first) {
        let start = cursor.pos;
        match parts.end_of(start) {
            Some(end) => cursor.pos = end,
            None => {
                if cursor.skip_value().is_err() {
                    break;
                }
            }
        }
        if cursor.is_key(key, name.as_bytes()) {
            found = Some((start, cursor.pos));
        }
    }
    found.map(|(start, end)| &json[start..end])
}

/// The elements of a JSON array.
#[derive(Debug, Clone)]
struct Elements<'a> {
    json: &'a str,
    cursor: Cursor<'a>,
    first: bool,
}

impl<'a> Elements<'a> {
    fn new(json: Option<&'a str>) -> Self {
        let json = json.filter(|json| json.starts_with('[')).unwrap_or("[]");
        Self {
            json,
            cursor: Cursor::new(json.as_bytes(), 1),
            first: true,
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if !self.cursor.next_element(&mut self.first).ok()? {
            return None;
        }
        let (start, end) = self.cursor.skip_value().ok()?;
        self.json.get(start..end)
    }
}

/// The strings of a JSON array, without escapes; elements of other types are left out.
#[derive(Debug, Clone)]
pub struct Strings<'a>(Elements<'a>);

impl<'a> Strings<'a> {
    pub(super) fn new(json: Option<&'a str>) -> Self {
        Self(Elements::new(json))
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        self.0.find_map(|element| {
            let content = element.strip_prefix('"')?.strip_suffix('"')?;
            text::unescape(content).ok()
        })
    }
}

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerReference<'a> {
    /// `apiVersion`, "" when missing.
    pub api_version: Cow<'a, str>,
    /// `kind`, "" when missing.
    pub kind: Cow<'a, str>,
    /// `name`, "" when missing.
    pub name: Cow<'a, str>,
    /// `uid`, "" when missing.
    pub uid: Cow<'a, str>,
    /// Whether `controller` is true.
    pub controller: bool,
}

/// The entries of `metadata.ownerReferences`; elements that are no objects are left out.
#[derive(Debug, Clone)]
pub struct OwnerReferences<'a>(Elements<'a>);

impl<'a> OwnerReferences<'a> {
    pub(super) fn new(json: Option<&'a str>) -> Self {
        Self(Elements::new(json))
    }
}

impl<'a> Iterator for OwnerReferences<'a> {
    type Item = OwnerReference<'a>;

    fn next(&mut self) -> Option<OwnerReference<'a>> {
        self.0
            .find(|element| element.starts_with('{'))
            .map(owner_reference)
    }
}

fn owner_reference(json: &str) -> OwnerReference<'_> {
    let mut owner = OwnerReference::default();
    let mut cursor = Cursor::new(json.as_bytes(), 1);
    let mut first = true;
    while let Ok(Some(key)) = cursor.next_key(&mut first) {
        let name = cursor.key(key);
        let Ok((start, end)) = cursor.skip_value() else {
            break;
        };
        let value = &json[start..end];
        let field = match &*name {
            b"controller" => {
                owner.controller = value == "true";
                continue;
            }
            b"apiVersion" => &mut owner.api_version,
            b"kind" => &mut owner.kind,
            b"name" => &mut owner.name,
            b"uid" => &mut owner.uid,
            _ => continue,
        };
        let content = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        *field = content
            .and_then(|content| text::unescape(content).ok())
            .unwrap_or_default();
    }
    owner
}
