//! What `raw` is, what the fields are, and what is refused, by example.
use super::*;
use crate::error::ScanErrorKind::{
    self, InvalidEscape, InvalidUtf8, MissingMetadata, MissingName, NotAnObject, Syntax, Truncated,
    Unbalanced, WrongType,
};

fn pod() -> TypeMeta {
    TypeMeta::new("v1", "Pod")
}

fn parse(json: &str, types: &TypeMeta, keep_managed_fields: bool) -> Plain<'static> {
    Object::parse(json.as_bytes(), types, keep_managed_fields)
        .unwrap_or_else(|error| panic!("{error}: {json}"))
        .into_plain()
}

fn object(json: &str) -> Plain<'static> {
    parse(json, &pod(), false)
}

fn raw(json: &str) -> String {
    object(json).json().to_owned()
}

const HEAD: &str = r#"{"apiVersion":"v1","kind":"Pod","#;

#[test]
fn type_comes_first_wherever_it_was() {
    let expected = format!(r#"{HEAD}"metadata":{{"name":"a"}},"spec":{{}}}}"#);
    for json in [
        r#"{"metadata":{"name":"a"},"spec":{}}"#,
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{}}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{}}"#,
        r#"{"apiVersion":"v1","metadata":{"name":"a"},"spec":{},"kind":"Pod"}"#,
        r#"{"metadata":{"name":"a"},"kind":"Pod","apiVersion":"v1","spec":{}}"#,
        r#"{"metadata":{"name":"a"},"spec":{},"kind":"Pod","apiVersion":"v1"}"#,
        r#"{"kind":null,"metadata":{"name":"a"},"apiVersion":"","spec":{}}"#,
        r#"{"kind":"Old","metadata":{"name":"a"},"kind":"Pod","spec":{},"apiVersion":"v0","apiVersion":"v1"}"#,
        " {  \"kind\" : \"Pod\" , \"metadata\":{\"name\":\"a\"}  ,\n \"apiVersion\":\"v1\",\"spec\":{}}\r\n",
    ] {
        assert_eq!(raw(json), expected, "{json}");
    }
}

#[test]
fn own_type_beats_the_default_and_keeps_its_spelling() {
    let object =
        object(r#"{"metadata":{"name":"a"},"kind":"Wid\u0067et","apiVersion":"x.io\/v1"}"#);
    assert_eq!(
        object.json(),
        r#"{"apiVersion":"x.io\/v1","kind":"Wid\u0067et","metadata":{"name":"a"}}"#
    );
    assert_eq!((object.api_version(), object.kind()), ("x.io/v1", "Widget"));
}

#[test]
fn default_types_are_quoted_as_needed() {
    let json = r#"{"metadata":{"name":"a"}}"#;
    let object = parse(json, &TypeMeta::new("v\"1", "P\\od\n"), false);
    let value: serde_json::Value = serde_json::from_slice(object.raw()).unwrap();
    assert_eq!(
        (value["apiVersion"].as_str(), value["kind"].as_str()),
        (Some("v\"1"), Some("P\\od\n"))
    );
    assert_eq!((object.api_version(), object.kind()), ("v\"1", "P\\od\n"));
}

#[test]
fn managed_fields_go_with_their_comma() {
    for (metadata, expected) in [
        (
            r#"{"managedFields":[{"a":"]"}],"name":"a"}"#,
            r#"{"name":"a"}"#,
        ),
        (
            r#"{"name":"a","managedFields":[{}],"uid":"u"}"#,
            r#"{"name":"a","uid":"u"}"#,
        ),
        (r#"{"name":"a","managedFields":[]}"#, r#"{"name":"a"}"#),
        (
            r#"{"name":"a" , "managedFields" : null }"#,
            r#"{"name":"a" }"#,
        ),
        (r#"{ "managedFields":[],  "name":"a"}"#, r#"{ "name":"a"}"#),
        (
            r#"{"managedFields":[],"managedFields":[1],"name":"a","managedFields":2}"#,
            r#"{"name":"a"}"#,
        ),
        (r#"{"name":"a","m\u0061nagedFields":[]}"#, r#"{"name":"a"}"#),
        (
            r#"{"name":"a","labels":{"managedFields":"x"}}"#,
            r#"{"name":"a","labels":{"managedFields":"x"}}"#,
        ),
    ] {
        let json = format!(r#"{{"metadata":{metadata},"spec":{{"managedFields":1}}}}"#);
        assert_eq!(
            raw(&json),
            format!(r#"{HEAD}"metadata":{expected},"spec":{{"managedFields":1}}}}"#)
        );
        let kept = parse(&json, &pod(), true);
        assert_eq!(kept.json(), format!("{HEAD}{}", &json[1..]));
    }
}

#[test]
fn white_space_inside_values_stays() {
    let json = "{\n  \"metadata\": {\n    \"name\": \"a\"\n  },\n  \"spec\": [ 1 , { } ]\n}";
    assert_eq!(raw(json), format!("{HEAD}{}", &json[4..]));
}

#[test]
fn fields() {
    let json = r#"{"metadata":{"managedFields":[{"x":1}],"name":"web-0","namespace":"shop","uid":"u-1","resourceVersion":"42",
        "generation":7,"deletionTimestamp":"2026-01-01T00:00:00Z","labels":{"a":"1","b":"\"q\"","n":null,"a":"2"},
        "annotations":{"k":"{\"j\":1}"},"finalizers":["f\/1",3,"f2"],
        "ownerReferences":[{"kind":"A","name":"a","controller":null},5,{"apiVersion":"v1","kind":"B","name":"b","uid":"x","controller":true}]},
        "spec":{"s":1},"status":{"t":2},"data":{"d":3},"immutable":true}"#;
    let object = object(json);
    assert_eq!(
        (object.key(), object.namespace(), object.name()),
        ("shop/web-0", "shop", "web-0")
    );
    assert_eq!(
        (object.uid(), object.resource_version(), object.generation()),
        ("u-1", "42", Some(7))
    );
    assert_eq!(object.deletion_timestamp(), Some("2026-01-01T00:00:00Z"));
    let labels: Vec<_> = object.labels().collect();
    assert_eq!(
        labels,
        [
            ("a".into(), "1".into()),
            ("b".into(), "\"q\"".into()),
            ("a".into(), "2".into())
        ]
    );
    assert_eq!(object.label("a").as_deref(), Some("2"));
    assert_eq!((object.label("n"), object.label("none")), (None, None));
    assert_eq!(object.annotation("k").as_deref(), Some(r#"{"j":1}"#));
    assert_eq!(object.annotations().count(), 1);
    assert_eq!(object.finalizers().collect::<Vec<_>>(), ["f/1", "f2"]);
    assert_eq!(object.owner_references().count(), 2);
    let owner = object.controller_owner().unwrap();
    assert_eq!(
        (&*owner.api_version, &*owner.kind, &*owner.name, &*owner.uid),
        ("v1", "B", "b", "x")
    );
    assert!(object
        .owner_references_json()
        .unwrap()
        .starts_with(b"[{\"kind\":\"A\""));
    let section = |key| {
        object
            .section(key)
            .map(|bytes| std::str::from_utf8(bytes).unwrap())
    };
    assert_eq!(section("spec"), Some(r#"{"s":1}"#));
    assert_eq!(section("status"), Some(r#"{"t":2}"#));
    assert_eq!(section("data"), Some(r#"{"d":3}"#));
    assert_eq!(section("immutable"), Some("true"));
    assert_eq!((section("kind"), section("none")), (Some("\"Pod\""), None));
    assert_eq!(
        section("metadata").map(str::as_bytes),
        Some(object.metadata())
    );
    assert!(!object
        .metadata()
        .windows(7)
        .any(|bytes| bytes == b"managed"));
    assert!(object.heap_size() > object.raw().len() + object.key().len());
    assert_eq!(format!("{:?}", *object), "Object(Pod shop/web-0 @42)");
}

#[test]
fn what_is_missing_is_empty() {
    let object = object(
        r#"{"metadata":{"name":"node-1","namespace":null,"uid":null,"labels":null,"finalizers":{}}}"#,
    );
    assert_eq!(
        (object.key(), object.namespace(), object.name()),
        ("node-1", "", "node-1")
    );
    assert_eq!(
        (object.uid(), object.resource_version(), object.generation()),
        ("", "", None)
    );
    assert_eq!(
        (
            object.deletion_timestamp(),
            object.label("a"),
            object.annotation("a")
        ),
        (None, None, None)
    );
    assert_eq!(
        (
            object.labels().count(),
            object.finalizers().count(),
            object.owner_references().count()
        ),
        (0, 0, 0)
    );
    assert_eq!(
        (object.section("spec"), object.controller_owner()),
        (None, None)
    );
}

#[test]
fn escapes_in_identifying_fields() {
    let object = object(
        r#"{"metadata":{"name":"w\u0065b","namespace":"n\u00e9\ud83d\ude00","uid":"\u0075","resourceVersion":"\u0034\u0032",
        "deletionTimestamp":"\u0032026"},"kind":"\u0050od"}"#,
    );
    assert_eq!(
        (object.key(), object.namespace(), object.name()),
        ("né😀/web", "né😀", "web")
    );
    assert_eq!(
        (object.uid(), object.resource_version(), object.kind()),
        ("u", "42", "Pod")
    );
    assert_eq!(object.deletion_timestamp(), Some("2026"));
    assert!(object.json().ends_with('}'));
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    let object = object(
        r#"{"metadata":{"name":"old","uid":"gone","labels":{"a":"1"},"managedFields":[1]},"spec":{"v":1},"spec":null,
        "metadata":{"name":"x","name":"new","managedFields":[2]},"status":1,"status":{"v":2}}"#,
    );
    assert_eq!(
        (object.key(), object.uid(), object.label("a")),
        ("new", "", None)
    );
    assert_eq!(object.section("spec"), Some(&b"null"[..]));
    assert_eq!(object.section("status"), Some(&b"{\"v\":2}"[..]));
    assert!(!object.json().contains("managedFields"));
}

/// JSON, what is wrong, where (100 bytes stand before it), and the key as far as it is known.
type Refusal = (&'static str, ScanErrorKind, u64, Option<&'static str>);

#[rustfmt::skip]
const REFUSALS: &[Refusal] = &[
    ("null", NotAnObject, 100, None),
    ("[]", NotAnObject, 100, None),
    ("", Truncated, 100, None),
    ("{}", MissingMetadata, 100, None),
    (r#"{"spec":{}}"#, MissingMetadata, 100, None),
    (r#"{"metadata":null}"#, MissingMetadata, 112, None),
    (r#"{"metadata":{"name":"a"},"metadata":[]}"#, MissingMetadata, 136, None),
    (r#"{"metadata":{}}"#, MissingName, 112, None),
    (r#"{"metadata":{"name":""}}"#, MissingName, 112, None),
    (r#"{"metadata":{"name":null}}"#, MissingName, 112, None),
    (r#"{"metadata":{"name":"a","name":null}}"#, MissingName, 112, None),
    (r#"{"metadata":{"name":7}}"#, WrongType, 120, None),
    (r#"{"metadata":{"name":"a","uid":{}}}"#, WrongType, 130, Some("a")),
    (r#"{"kind":1,"metadata":{"name":"a"}}"#, WrongType, 108, None),
    (r#"{"metadata":{"name":"a"},"spec":{"#, Truncated, 133, Some("a")),
    (r#"{"metadata":{"name":"a","namespace":"b"},"spec":[}}"#, Unbalanced, 149, Some("b/a")),
    (r#"{"metadata":{"name":"a"},"spec":{"x":[1}]}"#, Unbalanced, 140, Some("a")),
    (r#"{"metadata":{"name":"a"} "spec":1}"#, Syntax, 125, Some("a")),
    (r#"{"metadata":{"name":"a"},}"#, Syntax, 125, Some("a")),
    (r#"{"metadata":{"name":"a"]}"#, Syntax, 123, Some("a")),
    (r#"{"metadata":{"name":"a"}]"#, Syntax, 124, Some("a")),
    (r#"{"metadata":{"name":"a"},spec:1}"#, Syntax, 125, Some("a")),
    (r#"{"metadata":{"name":"a"},"spec" 1}"#, Syntax, 132, Some("a")),
    (r#"{"metadata":{"name":"a"},"spec":x}"#, Syntax, 132, Some("a")),
    (r#"{"metadata":{"name":"a"}}}"#, Syntax, 125, None),
    (r#"{"metadata":{"name":"a\ud800"}}"#, InvalidEscape, 122, Some("a\\ud800")),
    (r#"{"metadata":{"name":"a","uid":"\x"}}"#, InvalidEscape, 131, Some("a")),
];

#[test]
fn what_is_no_usable_object() {
    for &(json, kind, offset, key) in REFUSALS {
        let error = ObjectView::scan(json.as_bytes(), 100).expect_err(json);
        assert_eq!(
            (error.kind, error.offset, error.key.as_deref()),
            (kind, offset, key),
            "{json}: {error}"
        );
    }
    let bad = b"{\"metadata\":{\"name\":\"a\"},\"spec\":\"\xff\"}";
    let error = ObjectView::scan(bad, 100).unwrap_err();
    assert_eq!(
        (error.kind, error.offset, error.key.as_deref()),
        (InvalidUtf8, 133, Some("a"))
    );
}

#[test]
fn a_prefix_is_truncated_wherever_it_ends() {
    let json = br#" {"kind":"Pod","metadata":{"name":"a\"b","labels":{"x":"\\"}},"spec":[1.5,true],"n":-1} "#;
    let (view, end) = ObjectView::scan_prefix(&json[1..], 0).unwrap();
    assert_eq!((end, view.name().as_ref()), (json.len() - 2, "a\"b"));
    for cut in 0..json.len() - 1 {
        assert_eq!(
            ObjectView::scan(&json[..cut], 0).unwrap_err().kind,
            Truncated,
            "{cut}"
        );
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    let deep = "[{\"a\":".repeat(200_000) + "1" + &"}]".repeat(200_000);
    let json =
        format!(r#"{{"spec":{deep},"metadata":{{"name":"a","labels":{{"x":{deep},"y":"z"}}}}}}"#);
    let object = object(&json);
    assert_eq!(object.label("y").as_deref(), Some("z"));
    assert_eq!(object.section("spec").unwrap().len(), deep.len());
}

#[test]
fn bookmarks() {
    let json = br#"{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"12746","creationTimestamp":null,
        "annotations":{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}"#;
    let bookmark = scan_bookmark(json, 0).unwrap();
    assert_eq!(
        (&*bookmark.resource_version, bookmark.initial_events_end),
        ("12746", true)
    );
    for (metadata, version, end) in [
        (r#"{"resourceVersion":"1"}"#, "1", false),
        (r#"{"resourceVersion":"1","annotations":null}"#, "1", false),
        (
            r#"{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"false"}}"#,
            "1",
            false,
        ),
        (
            r#"{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"yes"}}"#,
            "1",
            false,
        ),
        (
            r#"{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":true}}"#,
            "1",
            false,
        ),
        (
            r#"{"resourceVersion":"1","annotations":{"k8s.io\/initial-events-end":"true"},"resourceVersion":"\u0032"}"#,
            "2",
            true,
        ),
    ] {
        let json = format!(r#"{{"metadata":{metadata}}}"#);
        let bookmark = scan_bookmark(json.as_bytes(), 0).unwrap();
        assert_eq!(
            (&*bookmark.resource_version, bookmark.initial_events_end),
            (version, end),
            "{json}"
        );
    }
    for json in [
        r#"{"metadata":{}}"#,
        r#"{"metadata":{"resourceVersion":""}}"#,
        r#"{"metadata":{"resourceVersion":1}}"#,
        "{}",
        "[]",
        "",
        "{\"metadata\":{",
    ] {
        assert!(scan_bookmark(json.as_bytes(), 0).is_err(), "{json}");
    }
    assert_eq!(
        resource_version_of(br#"{"metadata":{"resourceVersion":"5"},"items":[]}"#).unwrap(),
        "5"
    );
    assert_eq!(resource_version_of(br#"{"metadata":{}}"#).unwrap(), "");
    assert!(resource_version_of(b"[]").is_err());
}
