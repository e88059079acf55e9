//! Declared transforms against `serde_json`: what stays of any document is what is left of its parsed value.
#[allow(dead_code)] // Splits of the bytes are `oracle`'s business.
mod json;

use json::{object, style, Json};
use kubeinformer_core::object::{Dictionary, Object, ObjectView, TypeMeta};
use kubeinformer_core::path::{Path, Segment};
use kubeinformer_core::transform::Transform;
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::sync::Arc;

const IDENTITY: [&str; 6] = [
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
];

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn path() -> impl Strategy<Value = Path> {
    let segment = prop_oneof![
        8 => prop::sample::select(vec![".metadata", ".spec", ".a", ".b", "['c/d.e']", "['é']", "['\"q\"']", ".labels", ".status",
            ".annotations", ".ownerReferences", ".managedFields", ".deletionTimestamp", ".finalizers", ".generation"])
            .prop_map(str::to_owned),
        2 => (0u32..3).prop_map(|index| format!("[{index}]")),
        2 => Just("[*]".to_owned()),
    ];
    prop::collection::vec(segment, 1..5)
        .prop_map(|segments| Path::compile(&segments.concat()).unwrap())
}

type Rests<'p> = Vec<&'p [Segment]>;

fn under<'p>(rests: &Rests<'p>, leads: impl Fn(&Segment) -> bool) -> Rests<'p> {
    rests
        .iter()
        .filter(|rest| leads(&rest[0]))
        .map(|rest| &rest[1..])
        .collect()
}

/// What is left of a value when the paths are taken out of it (or everything but them).
fn left(value: &Value, rests: &Rests<'_>, keep: bool) -> Option<Value> {
    if rests.is_empty() || rests.iter().any(|rest| rest.is_empty()) {
        return (rests.is_empty() != keep).then(|| value.clone());
    }
    let into_members = rests.iter().any(|rest| matches!(rest[0], Segment::Key(_)));
    let into_elements = rests.iter().any(|rest| !matches!(rest[0], Segment::Key(_)));
    match value {
        Value::Object(members) if into_members => {
            let mut stay = Map::new();
            for (key, value) in members {
                let inner = under(
                    rests,
                    |step| matches!(step, Segment::Key(name) if **name == **key),
                );
                stay.extend(left(value, &inner, keep).map(|value| (key.clone(), value)));
            }
            Some(Value::Object(stay))
        }
        Value::Array(elements) if into_elements => {
            let stay = elements.iter().enumerate().filter_map(|(place, value)| {
                let inner = under(rests, |step| match step {
                    Segment::Each => true,
                    Segment::Index(index) => *index as usize == place,
                    Segment::Key(_) => false,
                });
                left(value, &inner, keep)
            });
            Some(stay.collect())
        }
        other => (!keep).then(|| other.clone()),
    }
}

fn has_duplicates(json: &Json) -> bool {
    match json {
        Json::Plain(_) | Json::Text(_) => false,
        Json::Array(elements) => elements.iter().any(has_duplicates),
        Json::Object(members) => {
            let repeated = |place: usize| {
                members[..place]
                    .iter()
                    .any(|(key, _)| *key == members[place].0)
            };
            (0..members.len()).any(repeated)
                || members.iter().any(|(_, value)| has_duplicates(value))
        }
    }
}

/// The members behind apiVersion and kind, which are in front whatever their place was.
fn behind_type(mut value: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    members.shift_remove("apiVersion");
    members.shift_remove("kind");
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_stays_is_what_is_left_of_the_parsed_value(
        document in object(), style in style(), mut paths in prop::collection::vec(path(), 1..6), keep in any::<bool>(),
    ) {
        let defaults = TypeMeta::new("default/v1", "Default");
        let json = document.write(style);
        let whole = Object::parse(json.as_bytes(), &defaults, false).unwrap();
        let mut value = parse(&json);
        value["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        for (key, text) in [("apiVersion", whole.api_version()), ("kind", whole.kind())] {
            value[key] = text.into();
        }

        let transform = if keep {
            Transform::keep(paths.clone())
        } else {
            paths.retain(|path| Transform::drop(vec![path.clone()]).is_ok());
            Transform::drop(paths.clone()).unwrap()
        };
        if keep {
            paths.extend(IDENTITY.map(|text| Path::compile(text).unwrap()));
        }
        let rests = paths.iter().map(Path::segments).collect();
        let expected = left(&value, &rests, keep).unwrap();

        let view = ObjectView::scan(json.as_bytes(), 0).unwrap();
        let object = view.to_transformed(&transform, &defaults, false).unwrap().into_plain();
        let found = parse(object.json());
        prop_assert_eq!(&found, &expected, "{} of {}", object.json(), json);
        let begins = object.json().starts_with("{\"apiVersion\":\"") && found.as_object().unwrap().keys().nth(1).unwrap() == "kind";
        prop_assert!(begins, "{}", object.json());
        if !has_duplicates(&document) {
            prop_assert_eq!(behind_type(found).to_string(), behind_type(expected.clone()).to_string(), "the order");
        }

        // Every field of the object is as if those bytes had come from the server.
        let again = Object::parse(object.raw(), &TypeMeta::default(), true).unwrap().into_plain();
        prop_assert_eq!(object.json(), again.json());
        prop_assert_eq!(object.key(), whole.key());
        prop_assert_eq!((object.uid(), object.resource_version()), (whole.uid(), whole.resource_version()));
        prop_assert_eq!(object.labels().collect::<Vec<_>>(), again.labels().collect::<Vec<_>>());
        prop_assert_eq!(object.annotations().collect::<Vec<_>>(), again.annotations().collect::<Vec<_>>());
        prop_assert_eq!(object.finalizers().collect::<Vec<_>>(), again.finalizers().collect::<Vec<_>>());
        prop_assert_eq!(object.owner_references_json(), again.owner_references_json());
        prop_assert_eq!((object.generation(), object.deletion_timestamp()), (again.generation(), again.deletion_timestamp()));
        for key in ["metadata", "spec", "status", "a"] {
            prop_assert_eq!(object.section(key), again.section(key), "{}", key);
        }
    }

    /// Damage that the scan lets pass is an error or passes again, never a panic, and never touches the identity.
    #[test]
    fn damaged_documents(
        document in object(), style in style(), paths in prop::collection::vec(path(), 1..4), keep in any::<bool>(),
        at in any::<prop::sample::Index>(), byte in prop::sample::select(br#"{}[]",:\\a1 "#.to_vec()), how in 0..3,
    ) {
        let mut bytes = document.write(style).into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        let transform = if keep { Some(Transform::keep(paths)) } else { Transform::drop(paths).ok() };
        if let (Ok(view), Some(transform)) = (ObjectView::scan(&bytes, 0), transform) {
            if let Ok(object) = view.to_transformed(&transform, &TypeMeta::default(), false) {
                let (key, uid) = (view.key(), view.uid());
                prop_assert_eq!((object.key(), object.uid()), (&*key, &*uid));
                // Decompression scans what was left, and must not find fault with it.
                let dictionary = Arc::new(Dictionary::train([&*bytes]));
                let compressed = object.compressed(&dictionary).map(Object::into_plain);
                let object = object.into_plain();
                if let Some(compressed) = compressed {
                    prop_assert_eq!(compressed.json(), object.json());
                    for key in ["metadata", "spec", "status"] {
                        prop_assert_eq!(compressed.section(key), object.section(key), "{}", key);
                    }
                }
                let _ = (object.labels().count(), object.section("a"), object.owner_references().count());
            } else {
                prop_assert!(serde_json::from_slice::<Value>(&bytes).is_err());
            }
        }
    }
}
