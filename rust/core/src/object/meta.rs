//! Bookmarks: objects that have a version and no name. Invariant: only the last of duplicate keys counts, as for objects.
use super::fields::last_member;
use super::view::utf8;
use crate::error::{Fault, ScanError, ScanErrorKind};
use crate::scan::cursor::Cursor;
use crate::scan::text;
use std::borrow::Cow;

/// The annotation that marks the end of the initial events of a watch-list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// What a BOOKMARK event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark<'a> {
    /// `metadata.resourceVersion`, never empty.
    pub resource_version: Cow<'a, str>,
    /// Whether it marks the end of the initial events of a watch-list.
    pub initial_events_end: bool,
}

/// Reads the object of a BOOKMARK event. Errors: not an object, no metadata, no resourceVersion, unbalanced, not UTF-8.
pub fn scan_bookmark(bytes: &[u8], base_offset: u64) -> Result<Bookmark<'_>, ScanError> {
    read(bytes).map_err(|fault| fault.at_base(base_offset))
}

/// `metadata.resourceVersion` of any object or list, "" when missing.
pub fn resource_version_of(bytes: &[u8]) -> Result<Cow<'_, str>, ScanError> {
    let metadata = metadata(bytes).map_err(|fault| fault.at_base(0))?;
    Ok(last_member(metadata.1, "resourceVersion").unwrap_or_default())
}

fn read(bytes: &[u8]) -> Result<Bookmark<'_>, Fault> {
    let (at, metadata) = metadata(bytes)?;
    let resource_version = last_member(metadata, "resourceVersion").unwrap_or_default();
    if resource_version.is_empty() {
        return Err(Fault::new(
            ScanErrorKind::WrongType,
            "bookmark without metadata.resourceVersion",
            at,
        ));
    }
    let annotations = value_of(metadata, "annotations")?.map_or("", |(_, value)| value);
    let initial_events_end =
        last_member(annotations, INITIAL_EVENTS_END).is_some_and(|value| value == "true");
    Ok(Bookmark {
        resource_version,
        initial_events_end,
    })
}

fn metadata(bytes: &[u8]) -> Result<(usize, &str), Fault> {
    let json = utf8(bytes)?;
    match value_of(json, "metadata")? {
        Some((at, metadata)) if metadata.starts_with('{') => Ok((at, metadata)),
        Some((at, _)) => Err(Fault::new(
            ScanErrorKind::MissingMetadata,
            "metadata is not an object",
            at,
        )),
        None => Err(Fault::new(
            ScanErrorKind::MissingMetadata,
            "object without metadata",
            0,
        )),
    }
}

/// The value of the last member of that name and where it is.
fn value_of<'a>(json: &'a str, name: &str) -> Result<Option<(usize, &'a str)>, Fault> {
    let mut cursor = Cursor::new(json.as_bytes(), 0);
    if cursor.peek()? != b'{' {
        return Err(Fault::new(
            ScanErrorKind::NotAnObject,
            "not a JSON object",
            cursor.pos,
        ));
    }
    cursor.pos += 1;
    let mut first = true;
    let mut found = None;
    while let Some(key) = cursor.next_key(&mut first)? {
        let matches = cursor.is_key(key, name.as_bytes());
        let (start, end) = cursor.skip_value()?;
        if matches {
            found = Some((start, &json[start..end]));
        }
    }
    Ok(found)
}

/// The text of the last string member of that name, of a JSON object.
pub(crate) fn string_member<'a>(json: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
    let Some((at, value)) = value_of(json, name)? else {
        return Ok(None);
    };
    let Some(content) = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
    else {
        return Ok(None);
    };
    text::unescape(content).map(Some).map_err(|invalid| {
        Fault::new(
            ScanErrorKind::InvalidEscape,
            "invalid escape in a string",
            at + 1 + invalid.at,
        )
    })
}
