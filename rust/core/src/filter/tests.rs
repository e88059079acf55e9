//! Filters on objects: each test by example, expressions against a plain evaluation.

use std::sync::Arc;

use proptest::prelude::*;

use super::subject::Stored;
use super::{parse_fields, Expr, Filter};
use crate::listener::Predicate;
use crate::object::{Dictionary, Object, ObjectView, TypeMeta};
use crate::path::Path;
use crate::selector::Selector;

fn object(json: &str) -> Object {
    Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap()
}

fn path(text: &str) -> Path {
    Path::compile(text).unwrap()
}

fn is_in(at: &str, values: &[&str]) -> Expr {
    let values = values.iter().map(|&value| value.to_owned());
    Expr::In(path(at), values.collect())
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn changed(paths: &[&str]) -> Expr {
    Expr::Changed(paths.iter().map(|it| path(it)).collect())
}

const POD: &str = r#"{"metadata":{"namespace":"shop","name":"web-0","labels":{"app":"web","tie\u0072":"a"},
    "annotations":{"note":"x"},"uid":"u"},
    "spec":{"nodeName":"n1","host":true,"priority":1e3,"nothing":null,"containers":[{"image":"a"},{"image":"b"},{}]},
    "status":{"phase":"Run\u006eing"}}"#;

/// Whether a filter accepts an object, which its scan must say too.
fn accepts(expr: Expr, json: &str) -> bool {
    let filter = Filter::new(expr);
    let accepted = filter.accepts(&object(json));
    let view = ObjectView::scan(json.as_bytes(), 0).unwrap();
    assert_eq!(filter.accepts_view(&view), accepted, "{:?}", filter.expr());
    accepted
}

#[test]
fn tests_of_a_state() {
    let selector = |text| Expr::Labels(Selector::parse(text).unwrap());
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let cases = [
        (selector("app=web, tier in (a, b)"), true),
        (selector("app!=web"), false),
        (selector(""), true),
        (Expr::Namespace(names(&["other", "shop"])), true),
        (Expr::Namespace(names(&["other"])), false),
        (Expr::Name(names(&["web-0"])), true),
        (Expr::Name(names(&["web"])), false),
        (Expr::Exists(path("spec.nodeName")), true),
        (Expr::Exists(path("spec.containers")), true),
        (Expr::Exists(path("spec.nothing")), false),
        (Expr::Exists(path("spec.missing.more")), false),
        (is_in("status.phase", &["Pending", "Running"]), true),
        (is_in("status.phase", &["Pending"]), false),
        (is_in("status.phase", &[]), false),
        (is_in("spec.host", &["true"]), true),
        (is_in("spec.priority", &["1e3"]), true),
        (is_in("spec.priority", &["1000"]), false),
        (is_in("spec.containers[*].image", &["b"]), true),
        (is_in("spec.containers[0].image", &["b"]), false),
        (is_in("spec.containers", &[""]), false),
        (not(is_in("spec.missing", &["x"])), true),
        (is_in("metadata.labels['tier']", &["a"]), true),
        (Expr::And(vec![]), true),
        (not(Expr::And(vec![])), false),
        (
            Expr::Or(vec![selector("app!=web"), Expr::And(vec![])]),
            true,
        ),
    ];
    for (expr, expected) in cases {
        assert_eq!(accepts(expr.clone(), POD), expected, "{expr:?}");
    }
}

#[test]
fn what_cannot_be_read_has_no_value_and_has_changed() {
    let bad = r#"{"metadata":{"name":"x"},"spec":{"a":"1","b":{1:2}}}"#;
    assert!(!accepts(Expr::Exists(path("spec.b.c")), bad));
    let filter = Filter::new(changed(&["spec.b.c"]));
    let other = object(&bad.replace("\"1\"", "\"2\""));
    assert!(filter.passes(&object(bad), &other));
    assert!(!filter.passes(&object(bad), &object(bad)), "it is the same");
}

#[test]
fn changed_compares_bytes_and_what_is_missing() {
    let with = |spec: &str| object(&format!(r#"{{"metadata":{{"name":"x"}},"spec":{spec}}}"#));
    let filter = Filter::new(changed(&["spec.a", "spec.c[*].d"]));
    assert!(filter.compares());
    let cases = [
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1}"#, r#"{"a":2}"#, true),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, true),
        (r#"{"a":1}"#, "{}", true),
        ("{}", r#"{"a":null}"#, true),
        ("{}", "{}", false),
        (r#"{"a":{"x":[1]}}"#, r#"{"a":{"x":[1]}}"#, false),
        (r#"{"a":{"x":[1]}}"#, r#"{"a":{"x":[2]}}"#, true),
        (
            r#"{"c":[{"d":1},{"d":2}]}"#,
            r#"{"c":[{"d":1,"e":0},{},{"d":2}]}"#,
            false,
        ),
        (r#"{"c":[{"d":1},{"d":2}]}"#, r#"{"c":[{"d":1}]}"#, true),
        (
            r#"{"c":[{"d":1},{"d":2}]}"#,
            r#"{"c":[{"d":2},{"d":1}]}"#,
            true,
        ),
    ];
    for (old, new, expected) in cases {
        assert_eq!(
            filter.passes(&with(old), &with(new)),
            expected,
            "{old} {new}"
        );
        assert_eq!(
            filter.passes(&with(new), &with(old)),
            expected,
            "{new} {old}"
        );
    }
}

#[test]
fn changed_has_no_part_in_what_is_accepted() {
    let phase = || is_in("status.phase", &["Running"]);
    let other = || is_in("status.phase", &["Pending"]);
    let labels = || changed(&["metadata.labels"]);
    let cases = [
        (labels(), true),
        (not(labels()), true),
        (Expr::And(vec![phase(), labels()]), true),
        (Expr::And(vec![other(), labels()]), false),
        (Expr::Or(vec![other(), not(labels())]), false),
        (not(Expr::And(vec![phase(), labels()])), false),
    ];
    for (expr, expected) in cases {
        assert_eq!(accepts(expr.clone(), POD), expected, "{expr:?}");
    }
    let (pod, relabelled) = (object(POD), object(&POD.replace("\"web\"", "\"api\"")));
    let or = Filter::new(Expr::Or(vec![other(), labels()]));
    assert!(or.passes(&pod, &relabelled) && !or.passes(&pod, &pod));
    let unless = Filter::new(Expr::And(vec![phase(), not(labels())]));
    assert!(unless.passes(&pod, &pod) && !unless.passes(&pod, &relabelled));
    assert!(!Filter::new(phase()).compares() && Filter::new(phase()).passes(&pod, &relabelled));
}

#[test]
fn what_the_scan_knows_is_compared_without_a_search() {
    let labels = || Expr::Labels(Selector::parse("app=web").unwrap());
    let filter = Filter::new(Expr::And(vec![
        labels(),
        is_in("status.phase", &["Running"]),
    ]));
    let pod = object(POD);
    let alike = |from: &str, to: &str| filter.is_alike(&pod, &object(&POD.replace(from, to)));
    assert!(alike("\"x\"", "\"y\"") && alike("\"n1\"", "\"n2\""));
    assert!(!alike("\"web\"", "\"api\"") && !alike("Run", "Ruin"));
    let name = Filter::new(Expr::Exists(path("metadata.uid")));
    assert!(!name.is_alike(&pod, &pod), "that takes a search");
    let whole = [
        ("metadata.labels", "\"web\"", "\"api\""),
        ("metadata.labels.app", "\"web\"", "\"api\""),
        ("metadata.annotations", "\"x\"", "\"y\""),
        ("status", "Run", "Ruin"),
        ("spec.containers[0].image", "\"a\"},", "\"c\"},"),
        ("metadata.uid", "\"u\"", "\"v\""),
    ];
    for (at, from, to) in whole {
        let filter = Filter::new(changed(&[at]));
        let other = object(&POD.replace(from, to));
        assert!(filter.passes(&pod, &other), "{at}");
        let unlike = object(&POD.replace("\"priority\":1e3", "\"priority\":2"));
        assert!(!filter.passes(&pod, &unlike), "{at}");
    }
}

#[test]
fn what_a_compressed_object_tells_by_itself_needs_no_decompression() {
    let pod = POD.replace("\"x\"", &format!("\"{}\"", "x".repeat(500)));
    let dictionary = Arc::new(Dictionary::train([pod.as_bytes()]));
    let compressed = object(&pod).compressed(&dictionary).unwrap();
    let accepts = |expr| {
        let stored = Stored::new(&compressed);
        let accepted = Filter::new(expr).holds(&stored);
        (accepted, stored.plain.get().is_some())
    };
    let labels = || Expr::Labels(Selector::parse("app=web").unwrap());
    let namespace = Expr::Namespace(vec!["shop".into()]);
    let name = Expr::Name(vec!["web-0".into()]);
    assert_eq!(
        accepts(Expr::And(vec![labels(), namespace, name])),
        (true, false)
    );
    let running = || is_in("status.phase", &["Running"]);
    assert_eq!(accepts(Expr::And(vec![labels(), running()])), (true, true));
    let filter = Filter::new(Expr::And(vec![running(), changed(&["metadata.labels"])]));
    let relabelled = object(&pod.replace("\"web\"", "\"api\""));
    assert!(filter.passes(&compressed, &relabelled) && !filter.passes(&compressed, &object(&pod)));
    assert!(!filter.is_alike(&compressed, &object(&pod)));
}

#[test]
fn field_selectors() {
    let cases = [
        ("", true),
        ("status.phase=Running", true),
        (" status.phase == Running , spec.nodeName!=n2 ", true),
        ("status.phase=Running,spec.nodeName=n2", false),
        ("spec.missing=", true),
        ("spec.missing!=", false),
        ("spec.nothing=", true),
        ("spec.nodeName=", false),
        ("spec.missing!=x", true),
        ("spec.containers=", false),
        ("metadata.labels['app']=web", true),
        ("metadata.labels['a,=!\\'b']=web", false),
        ("metadata.name=web-0,", true),
        (r"metadata.name=we\,b\=\\", false),
    ];
    for (text, expected) in cases {
        assert_eq!(
            accepts(parse_fields(text).unwrap(), POD),
            expected,
            "{text}"
        );
    }
    assert_eq!(
        parse_fields(r"a=we\,b\=\\").unwrap(),
        Expr::And(vec![is_in("a", &["we,b=\\"])])
    );
    let wrong = [
        ("status.phase", 12, "expected one of =, ==, !="),
        ("a=1,b..c=2", 6, "expected a key behind '.'"),
        ("a=1,=2", 4, "a path needs at least one key"),
        ("a=1=2", 3, "'=' in a value is written \\="),
        ("a=\\x", 2, "\\ escapes \\, a comma and = only"),
        ("a=1,b>2", 5, "'>' is part of a key in quotes only: ['…']"),
        ("a!b", 1, "expected one of =, ==, !="),
        ("a in (b)", 1, "' ' is part of a key in quotes only: ['…']"),
        ("é['x=1", 2, "the quote is not closed"),
        ("a=1,b['\\", 6, "the quote is not closed"),
        (",", 0, "a path needs at least one key"),
    ];
    for (text, position, message) in wrong {
        let error = parse_fields(text).unwrap_err();
        assert_eq!(
            (error.position, &*error.message),
            (position, message),
            "{text}"
        );
    }
}

/// A state of three fields that may be missing.
type Fields = [Option<u8>; 3];

fn build(fields: Fields) -> Object {
    let members = fields.iter().enumerate().filter_map(|(name, value)| {
        let value = (*value)?;
        Some(format!("\"f{name}\":{value}"))
    });
    let spec = members.collect::<Vec<_>>().join(",");
    object(&format!(
        r#"{{"metadata":{{"name":"x"}},"spec":{{{spec}}}}}"#
    ))
}

fn expr() -> impl Strategy<Value = Expr> {
    let field = || (0..3_usize).prop_map(|name| path(&format!("spec.f{name}")));
    let leaf = prop_oneof![
        field().prop_map(Expr::Exists),
        (field(), prop::collection::vec(0..3_u8, 0..3))
            .prop_map(|(at, values)| Expr::In(at, values.iter().map(u8::to_string).collect())),
        prop::collection::vec(field(), 1..3).prop_map(Expr::Changed),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(not),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Expr::And),
            prop::collection::vec(inner, 0..3).prop_map(Expr::Or),
        ]
    })
}

/// None: it says nothing of a state alone.
fn evaluate(expr: &Expr, old: Option<Fields>, new: Fields) -> Option<bool> {
    let value = |fields: Fields, path: &Path| fields[path.to_string().as_bytes()[6] as usize - 48];
    let known = |parts: &[Expr], all: bool| {
        let said = parts.iter().filter_map(|part| evaluate(part, old, new));
        let said: Vec<bool> = said.collect();
        let holds = if all {
            said.iter().all(|&it| it)
        } else {
            said.iter().any(|&it| it)
        };
        (!said.is_empty() || parts.is_empty()).then_some(holds)
    };
    match expr {
        Expr::Exists(path) => Some(value(new, path).is_some()),
        Expr::In(path, values) => {
            let value = value(new, path).map(|it| it.to_string());
            Some(value.is_some_and(|value| values.contains(&value)))
        }
        Expr::Changed(paths) => {
            let old = old?;
            Some(
                paths
                    .iter()
                    .any(|path| value(old, path) != value(new, path)),
            )
        }
        Expr::Not(part) => evaluate(part, old, new).map(|it| !it),
        Expr::And(all) => known(all, true),
        Expr::Or(any) => known(any, false),
        _ => unreachable!("not made here"),
    }
}

proptest! {
    #[test]
    fn an_expression_is_what_its_parts_are(
        expr in expr(),
        old in any::<[Option<bool>; 3]>(),
        new in any::<[Option<bool>; 3]>(),
    ) {
        let [old, new] = [old, new].map(|fields| fields.map(|value| value.map(u8::from)));
        let filter = Filter::new(expr.clone());
        let accepted = filter.accepts(&build(new));
        prop_assert_eq!(accepted, evaluate(&expr, None, new).unwrap_or(true));
        if filter.is_alike(&build(old), &build(new)) {
            prop_assert_eq!(filter.accepts(&build(old)), accepted);
        }
        if filter.compares() {
            let passes = filter.passes(&build(old), &build(new));
            prop_assert_eq!(Some(passes), evaluate(&expr, Some(old), new));
        }
    }
}
