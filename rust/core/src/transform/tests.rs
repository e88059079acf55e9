//! What goes, what stays and what is refused, by example; `tests/transform.rs` has the oracle.
use super::*;
use crate::object::{Plain, TypeMeta};

fn paths(texts: &[&str]) -> Vec<Path> {
    texts
        .iter()
        .map(|text| Path::compile(text).unwrap())
        .collect()
}

fn read(transform: &Transform, json: &str) -> Plain<'static> {
    let view = ObjectView::scan(json.as_bytes(), 0).unwrap();
    view.to_transformed(transform, &TypeMeta::new("v1", "Pod"), false)
        .unwrap()
        .into_plain()
}

fn dropped(texts: &[&str], json: &str) -> String {
    read(&Transform::drop(paths(texts)).unwrap(), json)
        .json()
        .to_owned()
}

fn kept(texts: &[&str], json: &str) -> String {
    read(&Transform::keep(paths(texts)), json).json().to_owned()
}

const HEAD: &str = r#"{"apiVersion":"v1","kind":"Pod","#;

#[test]
fn members_go_with_their_comma() {
    for (spec, expected) in [
        (r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2}"#),
        (r#"{"a":1,"c":3}"#, "{}"),
        (r#"{"b":2,"c":3,"a":1}"#, r#"{"b":2}"#),
        (
            r#"{"a":1,"b":2,"b2":3,"c":3,"d":4}"#,
            r#"{"b":2,"b2":3,"d":4}"#,
        ),
        (r#"{"a":1,"a":2,"b":[],"a":3}"#, r#"{"b":[]}"#),
        (r#"{ "a" : 1 , "b" : 2 , "c" : 3 }"#, r#"{ "b" : 2 }"#),
        (r#"{"\u0061":1,"b":2}"#, r#"{"b":2}"#),
        ("{}", "{}"),
        ("[1,2]", "[1,2]"),
        (r#""a""#, r#""a""#),
    ] {
        let json = format!(r#"{{"metadata":{{"name":"x"}},"spec":{spec}}}"#);
        let expected = format!(r#"{HEAD}"metadata":{{"name":"x"}},"spec":{expected}}}"#);
        assert_eq!(dropped(&["spec.a", "spec.c"], &json), expected, "{spec}");
    }
}

#[test]
fn elements_go_and_the_others_close_up() {
    for (texts, expected) in [
        (&["spec[0]"][..], "[[1,2],{\"a\":1,\"b\":2},3]"),
        (&["spec[1]", "spec[3]"], "[{\"a\":0},{\"a\":1,\"b\":2}]"),
        (&["spec[*]"], "[]"),
        (&["spec[*].a"], "[{},[1,2],{\"b\":2},3]"),
        (&["spec[2].b", "spec[*].a"], "[{},[1,2],{},3]"),
        (&["spec[*][0]"], "[{\"a\":0},[2],{\"a\":1,\"b\":2},3]"),
    ] {
        let json = r#"{"metadata":{"name":"x"},"spec":[{"a":0},[1,2],{"a":1,"b":2},3]}"#;
        let expected = format!(r#"{HEAD}"metadata":{{"name":"x"}},"spec":{expected}}}"#);
        assert_eq!(dropped(texts, json), expected, "{texts:?}");
    }
}

#[test]
fn what_is_kept_brings_what_it_is_in() {
    let json = r#"{"kind":"Job","metadata":{"labels":{"a":"b","c":"d"},"name":"x","managedFields":[],"uid":"u"},
        "spec":{"nodeName":"n","containers":[{"image":"i","env":[1]},2,{"env":[]}],"x":7},"status":{"phase":"Running"}}"#;
    let head = r#"{"apiVersion":"v1","kind":"Job","metadata":"#;
    for (texts, expected) in [
        (&[][..], r#"{"name":"x","uid":"u"}}"#),
        (
            &["metadata.labels.a"],
            r#"{"labels":{"a":"b"},"name":"x","uid":"u"}}"#,
        ),
        (
            &["spec.containers[*].image", "spec.containers[2].env"],
            r#"{"name":"x","uid":"u"},"spec":{"containers":[{"image":"i"},{"env":[]}]}}"#,
        ),
        (&["spec.missing"], r#"{"name":"x","uid":"u"},"spec":{}}"#),
        (
            &["spec.nodeName.x", "status[0]"],
            r#"{"name":"x","uid":"u"},"spec":{}}"#,
        ),
        (
            &["metadata", "status"],
            r#"{"labels":{"a":"b","c":"d"},"name":"x","uid":"u"},"status":{"phase":"Running"}}"#,
        ),
    ] {
        let found = kept(texts, json).replace(['\n', ' '], "");
        assert_eq!(found, format!("{head}{expected}"), "{texts:?}");
    }
}

#[test]
fn the_last_of_duplicates_counts() {
    for (spec, expected) in [
        (r#""spec":{"a":1},"spec":{"b":2}"#, r#","spec":{}}"#),
        (r#""spec":{"a":1},"spec":5"#, "}"),
        (r#""spec":5,"spec":{"a":1,"b":2}"#, r#","spec":{"a":1}}"#),
        (r#""spec":{"b":1},"spec":5"#, "}"),
    ] {
        let json = format!(r#"{{{spec},"metadata":{{"name":"x"}}}}"#);
        let found: serde_json::Value = serde_json::from_str(&kept(&["spec.a"], &json)).unwrap();
        let expected = format!(r#"{HEAD}"metadata":{{"name":"x"}}{expected}"#);
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(found, expected, "{spec}");
    }
}

#[test]
fn fields_that_were_cut_are_absent() {
    let json = r#"{"metadata":{"labels":{"a":"b"},"name":"x","annotations":{"c":"d"},"generation":3,
        "deletionTimestamp":"20\u0032","finalizers":["f"],"ownerReferences":[{"name":"o","controller":true}]},"spec":{"a":1}}"#;
    let all = [
        "labels",
        "annotations",
        "generation",
        "deletionTimestamp",
        "finalizers",
        "ownerReferences",
    ];
    let texts: Vec<String> = all
        .iter()
        .map(|field| format!("metadata.{field}"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let object = read(&Transform::drop(paths(&texts)).unwrap(), json);
    assert_eq!(
        (object.labels().count(), object.annotations().count()),
        (0, 0)
    );
    assert_eq!(
        (object.generation(), object.deletion_timestamp()),
        (None, None)
    );
    assert_eq!(
        object.finalizers().count() + object.owner_references().count(),
        0
    );
    assert_eq!(object.section("spec"), Some(&br#"{"a":1}"#[..]));
    assert_eq!(
        (object.key(), object.metadata()),
        ("x", &br#"{"name":"x"}"#[..])
    );
}

#[test]
fn managed_fields_have_an_option_of_their_own() {
    let json = r#"{"metadata":{"name":"x","managedFields":[1],"labels":{}},"spec":1}"#;
    let view = ObjectView::scan(json.as_bytes(), 0).unwrap();
    let read = |transform: &Transform, keep| {
        let object = view.to_transformed(transform, &TypeMeta::new("v1", "Pod"), keep);
        object.unwrap().plain().json()[HEAD.len()..].to_owned()
    };
    let drop = Transform::drop(paths(&["spec"])).unwrap();
    assert_eq!(
        read(&drop, false),
        r#""metadata":{"name":"x","labels":{}}}"#
    );
    assert_eq!(
        read(&drop, true),
        r#""metadata":{"name":"x","managedFields":[1],"labels":{}}}"#
    );
    let keep = Transform::keep(paths(&["metadata.managedFields"]));
    assert_eq!(read(&keep, false), r#""metadata":{"name":"x"}}"#);
    assert_eq!(
        read(&keep, true),
        r#""metadata":{"name":"x","managedFields":[1]}}"#
    );
}

#[test]
fn the_identity_cannot_be_dropped() {
    for text in [
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata['uid']",
        "metadata.namespace",
    ] {
        let error = Transform::drop(paths(&["spec", text])).unwrap_err();
        assert!(error.to_string().contains("cannot be left out"), "{error}");
    }
    for text in [
        "metadata.names",
        "metadata.labels.name",
        "spec.metadata",
        "metadata[0]",
    ] {
        assert!(Transform::drop(paths(&[text])).is_ok(), "{text}");
    }
}

#[test]
fn a_malformed_place_on_the_way_is_an_error_with_its_place_and_key() {
    let json = br#"{"metadata":{"name":"x"},"spec":{"a" 1}}"#;
    let view = ObjectView::scan(json, 100).unwrap();
    let transform = Transform::drop(paths(&["spec.b"])).unwrap();
    let error = view
        .to_transformed(&transform, &TypeMeta::default(), false)
        .unwrap_err();
    assert_eq!((error.offset, error.key.as_deref()), (137, Some("x")));
}
