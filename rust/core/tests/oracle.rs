//! The scanner against `serde_json`, which (like orjson) takes the last of duplicate keys: whatever the document, its
//! spelling, the way it came and the split of the bytes.
mod json;

use json::{object, pieces, sizes, style, text, value, Json};
use kubeinformer_core::error::ScanError;
use kubeinformer_core::object::{scan_bookmark, Dictionary, Object, ObjectView, Plain, TypeMeta};
use kubeinformer_core::path::{Path, PathSet, Segment};
use kubeinformer_core::scan::balance::Balance;
use kubeinformer_core::scan::chunked::ChunkDecoder;
use kubeinformer_core::scan::framer::WatchFramer;
use kubeinformer_core::scan::list::{ListMeta, ListSplitter};
use proptest::prelude::*;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

const MAX: usize = 1 << 26;

fn defaults() -> TypeMeta {
    TypeMeta::new("default/v1", "Default")
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// What the object has to be: apiVersion and kind filled in, managedFields gone.
fn expected(json: &str) -> Value {
    let mut value = parse(json);
    let members = value.as_object_mut().unwrap();
    for (key, default) in [("apiVersion", "default/v1"), ("kind", "Default")] {
        let own = members.get(key).and_then(Value::as_str).unwrap_or_default();
        let own = if own.is_empty() { default } else { own }.to_owned();
        members.insert(key.to_owned(), own.into());
    }
    members["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    value
}

fn string<'v>(value: &'v Value, key: &str) -> &'v str {
    value["metadata"][key].as_str().unwrap_or_default()
}

fn plain(json: &[u8], keep_managed_fields: bool) -> Result<Plain<'static>, ScanError> {
    Ok(Object::parse(json, &defaults(), keep_managed_fields)?.into_plain())
}

/// Compressed with a dictionary that knows it, unless it is too small for that.
fn compressed(object: &Plain<'_>) -> Option<Object> {
    object.compressed(&Arc::new(Dictionary::train([object.raw()])))
}

/// What an object tells by itself.
fn check_head(object: &Object, expected: &Value) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        object.api_version(),
        expected["apiVersion"].as_str().unwrap()
    );
    prop_assert_eq!(object.kind(), expected["kind"].as_str().unwrap());
    let (namespace, name) = (string(expected, "namespace"), string(expected, "name"));
    prop_assert_eq!((object.namespace(), object.name()), (namespace, name));
    let key = if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}/{name}")
    };
    prop_assert_eq!(object.key(), key);
    prop_assert_eq!(object.uid(), string(expected, "uid"));
    prop_assert_eq!(
        object.resource_version(),
        string(expected, "resourceVersion")
    );
    let metadata = &expected["metadata"];
    prop_assert_eq!(object.generation(), metadata["generation"].as_i64());
    prop_assert_eq!(
        object.deletion_timestamp(),
        metadata["deletionTimestamp"].as_str()
    );
    let labels = metadata["labels"].as_object().into_iter().flatten();
    for (key, value) in labels {
        let label = object.label(key);
        prop_assert_eq!(label.as_deref(), value.as_str());
    }
    Ok(())
}

fn check(object: &Plain<'_>, expected: &Value) -> Result<(), TestCaseError> {
    prop_assert_eq!(&parse(object.json()), expected);
    let begins = object.json().starts_with("{\"apiVersion\":\"");
    prop_assert!(begins);
    let keys: Vec<&String> = expected
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| *key != "apiVersion" && *key != "kind")
        .collect();
    let read = parse(object.json());
    let read: Vec<&String> = read.as_object().unwrap().keys().collect();
    prop_assert_eq!(&read[..2], ["apiVersion", "kind"]);
    prop_assert_eq!(&read[2..], &keys[..], "the order of the other keys");

    check_head(object, expected)?;
    let metadata = &expected["metadata"];
    prop_assert_eq!(
        &parse(std::str::from_utf8(object.metadata()).unwrap()),
        metadata
    );
    for (members, field) in [
        (object.labels(), "labels"),
        (object.annotations(), "annotations"),
    ] {
        let read: serde_json::Map<String, Value> = members
            .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
            .collect();
        let wanted = metadata[field].as_object().cloned().unwrap_or_default();
        for (key, value) in &wanted {
            let one = if field == "labels" {
                object.label(key)
            } else {
                object.annotation(key)
            };
            prop_assert_eq!(one.as_deref(), value.as_str());
        }
        prop_assert_eq!(read, wanted);
    }
    let strings = metadata["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    prop_assert_eq!(
        object.finalizers().collect::<Vec<_>>(),
        strings.collect::<Vec<_>>()
    );
    for (key, value) in expected.as_object().unwrap() {
        let section = object
            .section(key)
            .map(|bytes| parse(std::str::from_utf8(bytes).unwrap()));
        prop_assert_eq!(section.as_ref(), Some(value), "{}", key);
    }
    Ok(())
}

type Flow = Result<ControlFlow<()>, ScanError>;

fn by_watch<'p>(stream: impl Iterator<Item = &'p [u8]>) -> Result<Vec<Plain<'static>>, ScanError> {
    let (mut framer, mut objects) = (WatchFramer::new(MAX), Vec::new());
    let mut sink = |event: kubeinformer_core::scan::framer::WatchEvent<'_>| -> Flow {
        objects.push(
            event
                .into_view()?
                .to_object(&defaults(), false)
                .into_plain(),
        );
        Ok(ControlFlow::Continue(()))
    };
    for piece in stream {
        let _ = framer.feed(piece, &mut sink)?;
    }
    let _ = framer.finish(&mut sink)?;
    Ok(objects)
}

fn by_list<'p>(
    body: impl Iterator<Item = &'p [u8]>,
) -> Result<(Vec<Plain<'static>>, ListMeta), ScanError> {
    let (mut splitter, mut objects) = (ListSplitter::new(MAX), Vec::new());
    for piece in body {
        let flow = splitter.feed(piece, |item| -> Flow {
            objects.push(item.into_object(false)?.into_plain());
            Ok(ControlFlow::Continue(()))
        });
        let _ = flow?;
    }
    Ok((objects, splitter.finish()?))
}

/// The payload as chunks of those sizes, decoded from pieces of those sizes.
fn through_chunks(payload: &[u8], chunks: &[usize], reads: &[usize]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in pieces(payload, chunks) {
        body.extend_from_slice(format!("{:X};ext\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    let (mut decoder, mut out) = (ChunkDecoder::new(), Vec::new());
    for read in pieces(&body, reads) {
        assert_eq!(decoder.decode(read, &mut out).unwrap(), read.len());
    }
    assert!(decoder.is_done());
    out
}

/// Everything that takes bytes takes these without a panic; the objects that come out of it.
fn survives(bytes: &[u8], sizes: &[usize]) -> usize {
    let view = ObjectView::scan(bytes, 0);
    let paths = ["a", "metadata.labels.a", "spec[*].b", "spec.a[0]"]
        .map(|path| Path::compile(path).unwrap());
    let set = PathSet::new(paths.to_vec());
    let _ = set.extract_json(bytes, |_, value| drop(value.index_value()));
    if let Ok(view) = &view {
        for keep in [false, true] {
            let object = view.to_object(&defaults(), keep).into_plain();
            if let Some(compressed) = compressed(&object) {
                assert_eq!(compressed.plain().json(), object.json());
                assert_eq!(compressed.plain().section("a"), object.section("a"));
                assert_eq!(compressed.label("a"), object.label("a"));
            }
            let _ = set.extract(&object, |_, value| drop(value.index_value()));
            let _ = (
                object.labels().count(),
                object.annotations().count(),
                object.finalizers().count(),
            );
            let _ = (
                object.owner_references().count(),
                object.label("a"),
                object.section("a"),
                object.generation(),
            );
        }
    }
    let _ = scan_bookmark(bytes, 0);
    let _ = ChunkDecoder::new().decode(bytes, &mut Vec::new());
    let mut balance = Balance::new();
    for piece in pieces(bytes, sizes) {
        if !matches!(balance.feed(piece), Ok(None)) {
            break;
        }
    }
    let watch = by_watch(pieces(bytes, sizes)).map_or(0, |objects| objects.len());
    let list = by_list(pieces(bytes, sizes)).map_or(0, |(objects, _)| objects.len());
    usize::from(view.is_ok()) + watch + list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn fields_and_raw_bytes(object in object(), style in style()) {
        let json = object.write(style);
        let object = plain(json.as_bytes(), false).unwrap();
        check(&object, &expected(&json))?;
        let kept = plain(json.as_bytes(), true).unwrap();
        let mut with_managed_fields = expected(&json);
        with_managed_fields["metadata"] = parse(&json)["metadata"].clone();
        prop_assert_eq!(parse(kept.json()), with_managed_fields);
        // Taking its own raw bytes in again changes nothing.
        let again = Object::parse(object.raw(), &TypeMeta::default(), false).unwrap().into_plain();
        prop_assert_eq!((again.json(), again.key()), (object.json(), object.key()));
    }

    #[test]
    fn compressed_objects_tell_the_same(object in object(), style in style()) {
        let json = object.write(style);
        let object = plain(json.as_bytes(), true).unwrap();
        if let Some(compressed) = compressed(&object) {
            let mut kept = expected(&json);
            kept["metadata"] = parse(&json)["metadata"].clone();
            // By itself, and decompressed.
            check_head(&compressed, &kept)?;
            check(&compressed.plain(), &kept)?;
            let decompressed = compressed.plain();
            prop_assert_eq!(decompressed.json(), object.json());
            prop_assert!(compressed.same_bytes(&object) && object.same_bytes(&compressed));
            prop_assert_eq!(compressed.key_hash(), object.key_hash());
            prop_assert!(compressed.heap_size() < object.heap_size());
        }
    }

    #[test]
    fn every_way_and_every_split_gives_the_same(
        documents in prop::collection::vec((object(), style()), 0..5),
        reads in sizes(), chunks in sizes(), list_style in style(), order in any::<prop::sample::Index>(), first in any::<bool>(),
    ) {
        // Lines of a watch hold no line end; spelled as escapes they may.
        let bodies: Vec<String> = documents
            .iter()
            .map(|(object, style)| object.write(*style).replace(['\n', '\r'], " "))
            .collect();
        let alone: Vec<Plain> = bodies.iter().map(|body| plain(body.as_bytes(), false).unwrap()).collect();

        let line = |body: &String| {
            if first {
                format!("{{\"type\":\"ADDED\",\"object\":{body}}}\n")
            } else {
                format!("{{ \"object\": {body} ,\"type\":\"ADDED\"}}\r\n")
            }
        };
        let stream: String = bodies.iter().map(line).collect();
        let payload = through_chunks(stream.as_bytes(), &chunks, &reads);
        prop_assert_eq!(&payload, stream.as_bytes());
        let watched = by_watch(pieces(&payload, &reads)).unwrap();

        let members = [
            "\"kind\":\"DefaultList\"".to_owned(),
            "\"apiVersion\":\"default/v1\"".to_owned(),
            format!("\"metadata\":{}", Json::Object(vec![
                ("resourceVersion".into(), text("77")), ("continue".into(), text("")),
            ]).write(list_style)),
            format!("\"items\":[{}]", bodies.join(",")),
        ];
        let mut turned = members.to_vec();
        turned.rotate_left(order.index(4));
        let body = format!("{{{}}}\n", turned.join(", "));
        let (listed, meta) = by_list(pieces(body.as_bytes(), &reads)).unwrap();
        prop_assert_eq!((meta.resource_version.as_str(), meta.continue_token.as_str()), ("77", ""));

        prop_assert_eq!((watched.len(), listed.len()), (alone.len(), alone.len()));
        for (alone, (watched, listed)) in alone.iter().zip(watched.iter().zip(&listed)) {
            prop_assert_eq!((alone.json(), alone.key()), (watched.json(), watched.key()));
            prop_assert_eq!((alone.json(), alone.key()), (listed.json(), listed.key()));
        }
    }

    #[test]
    fn the_end_of_any_value(value in value(), style in style(), reads in sizes()) {
        let json = value.write(style);
        let followed = format!("{json} , {{");
        let (mut balance, mut before, mut end) = (Balance::new(), 0, None);
        for piece in pieces(followed.as_bytes(), &reads) {
            if let Some(length) = balance.feed(piece).unwrap() {
                end = Some(before + length);
                break;
            }
            before += piece.len();
        }
        prop_assert_eq!(end, Some(json.len()));
    }

    #[test]
    fn paths_lead_where_a_decoder_leads(document in object(), style in style(), paths in prop::collection::vec(path(), 1..8)) {
        let json = document.write(style);
        let paths: Vec<Path> = paths.iter().map(|path| Path::compile(path).unwrap()).collect();
        let set = PathSet::new(paths.clone());
        let object = plain(json.as_bytes(), false).unwrap();
        for (text, by_object) in [(json.as_str(), false), (object.json(), true)] {
            let mut found = vec![Vec::new(); paths.len()];
            let sink = |path: usize, value: kubeinformer_core::path::JsonValue<'_>| {
                found[path].push((parse(value.text()), value.index_value().map(Cow::into_owned)));
            };
            if by_object { set.extract(&object, sink) } else { set.extract_json(json.as_bytes(), sink) }.unwrap();
            let root = parse(text);
            for (path, found) in paths.iter().zip(found) {
                let expected: Vec<(Value, Option<String>)> = walk(&root, path.segments())
                    .into_iter()
                    .map(|value| (value.clone(), index_value(value)))
                    .collect();
                prop_assert_eq!(found, expected, "{} in {}", path, text);
            }
        }
    }

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), reads in sizes()) {
        survives(&bytes, &reads);
    }

    #[test]
    fn json_like_bytes(bytes in r#"[{}\[\]",:\\ntfaue0-9\n -]{0,60}"#, reads in sizes()) {
        survives(bytes.as_bytes(), &reads);
    }

    /// A byte changed, removed, doubled or a piece cut: never a panic, and never an object that serde_json reads otherwise.
    #[test]
    fn mutated_documents(
        document in object(), style in style(), reads in sizes(), wrap in 0..3,
        at in any::<prop::sample::Index>(), byte in prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]",:\"#.to_vec())], how in 0..4,
    ) {
        let json = document.write(style);
        let mut bytes = match wrap {
            0 => json,
            1 => format!("{{\"type\":\"ADDED\",\"object\":{json}}}\n"),
            _ => format!("{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{json},{json}]}}"),
        }
        .into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        survives(&bytes, &reads);
        let object = plain(&bytes, false);
        match (serde_json::from_slice::<Value>(&bytes), object) {
            (Ok(value), Ok(object)) => {
                let read = parse(object.json());
                prop_assert_eq!(object.name(), string(&value, "name"));
                prop_assert_eq!(string(&read, "name"), string(&value, "name"));
            }
            // Valid JSON is refused for its content only.
            (Ok(value), Err(error)) => {
                let text = |value: &Value| value.is_string() || value.is_null();
                let fields = ["namespace", "uid", "resourceVersion", "deletionTimestamp"];
                let usable = fields.iter().all(|field| text(&value["metadata"][field]))
                    && text(&value["kind"])
                    && text(&value["apiVersion"])
                    && !string(&value, "name").is_empty();
                prop_assert!(!usable, "{}", error);
            }
            // What is no JSON may pass the scan, but then a decoder sees the damage, unless it was cut.
            (Err(_), Ok(object)) => {
                let damaged = serde_json::from_slice::<Value>(object.raw()).is_err();
                let cut = String::from_utf8_lossy(&bytes).contains("anagedFields") || bytes.contains(&b'\\');
                prop_assert!(damaged || cut, "{}", object.json());
            }
            (Err(_), Err(_)) => {}
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        8 => prop::sample::select(vec![".metadata", ".spec", ".a", ".b", "['c/d.e']", "['é']", "['\"q\"']", ".labels", ".name", ".status"]).prop_map(str::to_owned),
        2 => (0u32..3).prop_map(|index| format!("[{index}]")),
        2 => Just("[*]".to_owned()),
    ];
    prop::collection::vec(segment, 1..5).prop_map(|segments| segments.concat())
}

fn walk<'v>(value: &'v Value, segments: &[Segment]) -> Vec<&'v Value> {
    let Some((segment, rest)) = segments.split_first() else {
        return vec![value];
    };
    let inner: Vec<&Value> = match segment {
        Segment::Key(key) => value
            .as_object()
            .and_then(|members| members.get(&**key))
            .into_iter()
            .collect(),
        Segment::Index(index) => value
            .as_array()
            .and_then(|elements| elements.get(*index as usize))
            .into_iter()
            .collect(),
        Segment::Each => value.as_array().into_iter().flatten().collect(),
    };
    inner
        .into_iter()
        .flat_map(|value| walk(value, rest))
        .collect()
}

fn index_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        // The numbers of the documents are written as serde_json would not: compared as they are written.
        Value::Number(number) => Some(match number.to_string().as_str() {
            "-0.0015" => "-1.5e-3".to_owned(),
            other => other.to_owned(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[test]
fn objects_of_two_megabytes() {
    let blob = "x\\\"{[\\u00e9".repeat(200_000);
    let body =
        format!(r#"{{"metadata":{{"name":"big","managedFields":[]}},"data":{{"blob":"{blob}"}}}}"#);
    let alone = plain(body.as_bytes(), false).unwrap();
    check(&alone, &expected(&body)).unwrap();
    let small = r#"{"metadata":{"name":"small"}}"#;
    let list = format!(
        r#"{{"kind":"DefaultList","apiVersion":"default/v1","items":[{small},{body},{small}]}}"#
    );
    let stream = [small, &body, small]
        .map(|body| format!("{{\"type\":\"ADDED\",\"object\":{body}}}\n"))
        .concat();
    for size in [1_000, 8_192, 262_144, 10_000_000] {
        let watched = by_watch(stream.as_bytes().chunks(size)).unwrap();
        let (listed, _) = by_list(list.as_bytes().chunks(size)).unwrap();
        for objects in [watched, listed] {
            let names: Vec<_> = objects.iter().map(|object| object.name()).collect();
            assert_eq!(names, ["small", "big", "small"]);
            assert!(objects[1].raw() == alone.raw());
        }
    }
}
