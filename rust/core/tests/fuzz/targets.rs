//! What is fuzzed: one function a subject, called by libFuzzer (`rust/fuzz`) and by proptest (`main.rs` beside this file).
//!
//! Each takes any bytes and panics iff something is wrong: what comes out depends on how the bytes were split, or
//! `serde_json` reads them otherwise. An input of several parts begins with a header (see `Input`).
use std::borrow::Cow;
use std::ops::ControlFlow;

use kubeinformer_core::error::{ScanError, ScanErrorKind};
use kubeinformer_core::object::{scan_bookmark, Object, ObjectView, TypeMeta};
use kubeinformer_core::path::{Path, PathSet, Segment};
use kubeinformer_core::scan::chunked::ChunkDecoder;
use kubeinformer_core::scan::framer::{EventType, WatchEvent, WatchFramer};
use kubeinformer_core::scan::list::{ListItem, ListSplitter};
use kubeinformer_core::selector::{Operator, Selector};
use serde_json::Value;

const MAX: usize = 1 << 26;
/// A limit that inputs of a fuzzer pass.
const SMALL: usize = 64;

/// Bytes and how they are split. The first byte says how many follow that are the sizes of pieces, which repeat; what is
/// left is the data. So a seed can begin with `1+` and a text.
struct Input<'a> {
    sizes: &'a [u8],
    data: &'a [u8],
}

impl<'a> Input<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (sizes, data) = rest.split_at(usize::from(first & 7).min(rest.len()));
        Self { sizes, data }
    }

    fn pieces(&self) -> Vec<&'a [u8]> {
        if self.sizes.is_empty() {
            return self.data.chunks(1).collect();
        }
        let (mut rest, mut pieces) = (self.data, Vec::new());
        for size in self.sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(usize::from(*size).max(1).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

fn defaults() -> TypeMeta {
    TypeMeta::new("default/v1", "Default")
}

type Flow = Result<ControlFlow<()>, ScanError>;
const ON: Flow = Ok(ControlFlow::Continue(()));

fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// What an object is, as far as it can be used.
type Used = Result<(String, String), ScanError>;

fn used(view: Result<ObjectView<'_>, ScanError>) -> Used {
    let object = view?.to_object(&defaults(), false).into_plain();
    Ok((object.key().to_owned(), object.json().to_owned()))
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    kind: EventType,
    type_name: String,
    object: Vec<u8>,
    offset: u64,
    used: Used,
}

fn events(pieces: &[&[u8]], max: usize) -> (Vec<Event>, Option<ScanError>) {
    let (mut framer, mut events) = (WatchFramer::new(max), Vec::new());
    let mut sink = |event: WatchEvent<'_>| -> Flow {
        events.push(Event {
            kind: event.kind,
            type_name: event.type_name.clone().into_owned(),
            object: event.object.to_vec(),
            offset: event.offset,
            used: used(event.into_view()),
        });
        ON
    };
    let mut read = ON;
    for piece in pieces {
        read = framer.feed(piece, &mut sink);
        assert!(framer.buffered() <= max, "more than a line is kept");
        if read.is_err() {
            break;
        }
    }
    let read = read.and_then(|_| framer.finish(&mut sink));
    (events, read.err())
}

/// Watch streams, in any pieces.
pub fn framer(bytes: &[u8]) {
    let input = Input::of(bytes);
    let (whole, error) = events(&[input.data], MAX);
    let split = events(&input.pieces(), MAX);
    assert_eq!((&whole, &error), (&split.0, &split.1));
    for pieces in [vec![input.data], input.pieces()] {
        let (limited, limit) = events(&pieces, SMALL);
        assert!(whole.starts_with(&limited), "the limit changes events");
        match limit.as_ref().map(|error| error.kind) {
            Some(ScanErrorKind::TooLarge) => {}
            _ => assert_eq!((limited.len(), &limit), (whole.len(), &error)),
        }
    }
    let mut found = whole.iter();
    for line in input.data.split(|byte| *byte == b'\n') {
        if line.iter().all(u8::is_ascii_whitespace) && !line.contains(&b'\x0c') {
            continue;
        }
        // What is no JSON may pass: the object is decoded later.
        let Some(value) = json(line) else { return };
        let wanted = (value["type"].as_str(), value.get("object"));
        let (Some(name), Some(object)) = wanted else {
            let error = error.expect("an event without a type or an object is none");
            assert!(
                matches!(
                    error.kind,
                    ScanErrorKind::Syntax | ScanErrorKind::NotAnObject
                ),
                "{error}"
            );
            return;
        };
        let event = found.next().expect("a line of valid JSON is an event");
        assert_eq!(event.type_name, name);
        assert_eq!(json(&event.object).as_ref(), Some(object));
    }
    assert!(found.next().is_none(), "an event that no line holds");
}

/// HTTP's chunked coding: any bytes in any pieces, and what was encoded.
pub fn chunks(bytes: &[u8]) {
    let input = Input::of(bytes);
    let decode = |pieces: &[&[u8]]| {
        let (mut decoder, mut out, mut consumed) = (ChunkDecoder::new(), Vec::new(), 0);
        for piece in pieces {
            match decoder.decode(piece, &mut out) {
                Ok(used) => consumed += used,
                Err(error) => return (out, Err(error)),
            }
        }
        (out, Ok((consumed, decoder.is_done())))
    };
    let whole = decode(&[input.data]);
    assert_eq!(whole, decode(&input.pieces()));
    let mut body = Vec::new();
    for piece in input.pieces() {
        body.extend_from_slice(format!("{:x};a=b\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\nA: b\r\n\r\n");
    let length = body.len();
    body.extend_from_slice(input.data);
    assert_eq!(decode(&[&body]), (input.data.to_vec(), Ok((length, true))));
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    bytes: Vec<u8>,
    offset: u64,
    index: u64,
    used: Used,
}

type Listed = Result<(String, String), ScanError>;

fn items(pieces: &[&[u8]], max: usize) -> (Vec<Item>, Listed) {
    let (mut splitter, mut items) = (ListSplitter::new(max), Vec::new());
    let mut sink = |item: ListItem<'_>| -> Flow {
        items.push(Item {
            bytes: item.bytes.to_vec(),
            offset: item.offset,
            index: item.index,
            used: used(item.into_view()),
        });
        ON
    };
    for piece in pieces {
        if let Err(error) = splitter.feed(piece, &mut sink) {
            return (items, Err(error));
        }
    }
    let meta = splitter.finish();
    let meta = meta.map(|meta| (meta.kind, meta.resource_version));
    (items, meta)
}

/// Without the words of an error that quotes what it has of a body.
fn unquoted((items, end): (Vec<Item>, Listed)) -> (Vec<Item>, Listed) {
    let end = end.map_err(|error| match error.kind {
        ScanErrorKind::NotAList => ScanError::new(error.kind, "", error.offset),
        _ => error,
    });
    (items, end)
}

/// LIST bodies, in any pieces.
pub fn list(bytes: &[u8]) {
    let input = Input::of(bytes);
    let (whole, end) = unquoted(items(&[input.data], MAX));
    let split = unquoted(items(&input.pieces(), MAX));
    assert_eq!((&whole, &end), (&split.0, &split.1));
    for pieces in [vec![input.data], input.pieces()] {
        let (limited, limit) = unquoted(items(&pieces, SMALL));
        assert!(whole.starts_with(&limited), "the limit changes items");
        match limit.as_ref().map_err(|error| error.kind) {
            Err(ScanErrorKind::TooLarge) => {}
            _ => assert_eq!((limited.len(), &limit), (whole.len(), &end)),
        }
    }
    let Some(value) = json(input.data) else {
        return;
    };
    match end {
        Ok((kind, version)) => {
            assert_eq!(value["kind"].as_str(), Some(&*kind));
            let known = value["metadata"]["resourceVersion"].as_str();
            assert_eq!(known.unwrap_or_default(), version);
            let wanted = value["items"].as_array().cloned().unwrap_or_default();
            let found: Vec<_> = whole.iter().filter_map(|item| json(&item.bytes)).collect();
            assert_eq!(found, wanted);
        }
        // Valid JSON is refused for what it says only.
        Err(error) => assert!(
            matches!(
                error.kind,
                ScanErrorKind::NotAList | ScanErrorKind::WrongType | ScanErrorKind::NotAnObject
            ) || error.message.contains("two members"),
            "{error}"
        ),
    }
}

/// One object: what a scan tells is what a decoder tells.
pub fn object(bytes: &[u8]) {
    let _ = scan_bookmark(bytes, 0);
    let (scanned, value) = (ObjectView::scan(bytes, 0), json(bytes));
    let view = match (scanned, &value) {
        (Ok(view), _) => view,
        (Err(error), Some(_)) => {
            // Valid JSON is refused for what it says only.
            return assert!(
                matches!(
                    error.kind,
                    ScanErrorKind::NotAnObject
                        | ScanErrorKind::MissingMetadata
                        | ScanErrorKind::MissingName
                        | ScanErrorKind::WrongType
                ),
                "{error}"
            );
        }
        (Err(_), None) => return,
    };
    for keep in [false, true] {
        let object = view.to_object(&defaults(), keep).into_plain();
        let _ = (
            object.labels().count(),
            object.annotations().count(),
            object.finalizers().count(),
            object.owner_references().count(),
            object.generation(),
        );
        let Some(value) = &value else { continue };
        let mut wanted = value.clone();
        for (key, default) in [("apiVersion", "default/v1"), ("kind", "Default")] {
            let own = value[key].as_str().filter(|own| !own.is_empty());
            wanted[key] = own.unwrap_or(default).into();
        }
        if !keep {
            let metadata = wanted["metadata"].as_object_mut();
            metadata
                .expect("an object of metadata")
                .remove("managedFields");
        }
        assert_eq!(json(object.raw()).as_ref(), Some(&wanted));
        let text = |key: &str| wanted["metadata"][key].as_str().unwrap_or_default();
        assert_eq!(object.name(), text("name"));
        assert_eq!(object.namespace(), text("namespace"));
        assert_eq!(object.uid(), text("uid"));
        assert_eq!(object.resource_version(), text("resourceVersion"));
        for (key, value) in wanted["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten()
        {
            assert_eq!(object.label(key).as_deref(), value.as_str());
        }
        let again = Object::parse(object.raw(), &TypeMeta::default(), keep);
        let again = again.expect("its own bytes are an object").into_plain();
        assert_eq!(again.json(), object.json());
    }
}

/// Label selectors: what is parsed prints as an equal one, which matches what its requirements say.
pub fn selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(selector) = Selector::parse(text) else {
        return;
    };
    let printed = selector.to_string();
    assert_eq!(
        Selector::parse(&printed).as_ref(),
        Ok(&selector),
        "{printed}"
    );
    let labels = ["", "a", "5", "-7", "x.y"];
    for label in std::iter::once(None).chain(labels.into_iter().map(Some)) {
        let wanted = selector.requirements().iter().all(|requirement| {
            let values: Vec<&str> = requirement.values().iter().map(|value| &**value).collect();
            let number = |text: &str| text.parse::<i64>().ok();
            let compared = label
                .and_then(number)
                .zip(values.first().and_then(|v| number(v)));
            match requirement.operator() {
                Operator::In | Operator::Equals | Operator::DoubleEquals => {
                    label.is_some_and(|label| values.contains(&label))
                }
                Operator::NotIn | Operator::NotEquals => {
                    label.is_none_or(|label| !values.contains(&label))
                }
                Operator::Exists => label.is_some(),
                Operator::DoesNotExist => label.is_none(),
                Operator::GreaterThan => compared.is_some_and(|(label, value)| label > value),
                Operator::LessThan => compared.is_some_and(|(label, value)| label < value),
            }
        });
        let matches = selector.matches_with(|_| label.map(Cow::Borrowed));
        assert_eq!(matches, wanted, "{printed} and {label:?}");
    }
}

/// A path, a line end, and a document: the path prints as an equal one, and leads where a decoder leads.
pub fn path(bytes: &[u8]) {
    let line = bytes.iter().position(|byte| *byte == b'\n');
    let (text, document) = bytes.split_at(line.unwrap_or(bytes.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let path = match Path::compile(text) {
        Ok(path) => path,
        Err(error) => return assert!(error.position <= text.chars().count(), "{error}"),
    };
    let printed = path.to_string();
    assert_eq!(Path::compile(&printed).as_ref(), Ok(&path), "{printed}");
    let mut found = Vec::new();
    let set = PathSet::new(vec![path.clone()]);
    let read = set.extract_json(document, |_, value| {
        found.push((json(value.text().as_bytes()), value.index_value().is_some()));
    });
    // A number has no end of its own, so a document that is nothing else counts as cut off.
    let Some(root) = json(document).filter(|root| root.is_object() || root.is_array()) else {
        return;
    };
    read.expect("valid JSON can be gone through");
    let mut wanted = Vec::new();
    walk(&root, path.segments(), &mut wanted);
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|value| {
            let simple = value.is_string() || value.is_boolean() || value.is_number();
            (Some(value.clone()), simple)
        })
        .collect();
    assert_eq!(found, wanted, "{printed}");
}

fn walk<'v>(value: &'v Value, segments: &[Segment], found: &mut Vec<&'v Value>) {
    let Some((segment, rest)) = segments.split_first() else {
        return found.push(value);
    };
    match segment {
        Segment::Key(key) => {
            if let Some(member) = value.as_object().and_then(|members| members.get(&**key)) {
                walk(member, rest, found);
            }
        }
        Segment::Index(index) => {
            let element = value.as_array().and_then(|all| all.get(*index as usize));
            if let Some(element) = element {
                walk(element, rest, found);
            }
        }
        Segment::Each => {
            for element in value.as_array().into_iter().flatten() {
                walk(element, rest, found);
            }
        }
    }
}
