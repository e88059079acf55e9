//! The grammar and the extractor, by example.
use super::*;
use crate::object::{Object, TypeMeta};

fn segments(text: &str) -> Vec<Segment> {
    Path::compile(text)
        .unwrap_or_else(|error| panic!("{error}"))
        .segments()
        .to_vec()
}

fn key(name: &str) -> Segment {
    Segment::Key(name.into())
}

#[test]
fn what_compiles() {
    for (text, expected) in [
        ("a", vec![key("a")]),
        (".a.b-c_9/x", vec![key("a"), key("b-c_9/x")]),
        (
            "a['x.y/z'][0][*].b",
            vec![
                key("a"),
                key("x.y/z"),
                Segment::Index(0),
                Segment::Each,
                key("b"),
            ],
        ),
        ("['']", vec![key("")]),
        (".['a']['b']", vec![key("a"), key("b")]),
        (r"a['it\'s \\ \] \.']", vec![key("a"), key(r"it's \ ] .")]),
        ("é.日本", vec![key("é"), key("日本")]),
        ("a[4294967295]", vec![key("a"), Segment::Index(u32::MAX)]),
        ("[*]", vec![Segment::Each]),
        ("$ref.@type.0", vec![key("$ref"), key("@type"), key("0")]),
    ] {
        assert_eq!(segments(text), expected, "{text}");
        let printed = Path::compile(text).unwrap().to_string();
        assert_eq!(segments(&printed), expected, "{text} printed as {printed}");
    }
    assert_eq!(
        Path::compile("['a'].b['c.d'][1]").unwrap().to_string(),
        "a.b['c.d'][1]"
    );
    assert!(
        Path::compile("a[*]").unwrap().is_multiple()
            && !Path::compile("a['*']").unwrap().is_multiple()
    );
    assert_eq!(
        Path::of_keys(["a", "b.c"]),
        Path::compile("a['b.c']").unwrap()
    );
}

#[test]
fn errors_point_at_the_character() {
    for (text, position) in [
        ("", 0),
        (".", 1),
        ("..a", 1),
        ("a.", 2),
        ("a..b", 2),
        ("a.['b']", 2),
        ("a b", 1),
        (" a", 0),
        ("a]", 1),
        ("a[", 2),
        ("a[]", 2),
        ("a[-1]", 2),
        ("a[+1]", 2),
        ("a[1", 3),
        ("a[1x]", 3),
        ("a[4294967296]", 2),
        ("a[99999999999999999999]", 2),
        ("a[b]", 2),
        ("a[\"b\"]", 2),
        ("a['b]", 2),
        ("a['b\\", 2),
        ("a['b'", 5),
        ("a['b\\n']", 4),
        ("a['b']c", 6),
        ("a[0]b", 4),
        ("a.*", 2),
        ("*", 0),
        ("a[**]", 3),
        ("{.a}", 0),
        ("é.é.(", 4),
        ("a'b", 1),
        ("a[?(@.b)]", 2),
        ("a[0:1]", 3),
        ("a[0] ", 4),
    ] {
        let error = Path::compile(text).expect_err(text);
        assert_eq!(error.position, position, "{error}");
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[1], format!("  {text}"));
        assert_eq!(lines[2].chars().count(), position + 3, "{error}");
    }
    assert!(Path::compile(&vec!["a"; 64].join(".")).is_ok());
    assert_eq!(
        Path::compile(&vec!["a"; 65].join("."))
            .unwrap_err()
            .position,
        127
    );
}

fn found(paths: &[&str], json: &str) -> Vec<(usize, String)> {
    let set = PathSet::new(
        paths
            .iter()
            .map(|path| Path::compile(path).unwrap())
            .collect(),
    );
    let mut found = Vec::new();
    set.extract_json(json.as_bytes(), |path, value| {
        found.push((path, value.text().to_owned()));
    })
    .unwrap();
    found
}

fn pairs(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
    expected
        .iter()
        .map(|(path, text)| (*path, (*text).to_owned()))
        .collect()
}

#[test]
fn one_pass_finds_all() {
    let json = r#"{"a":{"b":[10,{"c":"x"},[20,21]],"d/e":null,"é\"":true},"f":{}, "list":[{"n":1},{"n":2},{},3]}"#;
    let paths = [
        "a.b[0]",
        "a.b[1].c",
        "a.b[2][1]",
        "a['d/e']",
        "a['é\\\"']",
        "f",
        "list[*].n",
        "list[1].n",
        "a.none",
        "f.g",
        "a.b[9]",
        "a[0]",
        "list.n",
        "a.b[*][0]",
        "f[*]",
    ];
    let expected = [
        (0, "10"),
        (1, r#""x""#),
        (2, "21"),
        (13, "20"),
        (3, "null"),
        (4, "true"),
        (5, "{}"),
        (6, "1"),
        (7, "2"),
        (6, "2"),
    ];
    assert_eq!(found(&paths, json), pairs(&expected));
    assert_eq!(
        found(&["a.b", "a.b[1]", "a", "a.b"], r#"{"a":{"b":[1,2]}}"#),
        pairs(&[(2, r#"{"b":[1,2]}"#), (0, "[1,2]"), (3, "[1,2]"), (1, "2")])
    );
}

#[test]
fn keys_are_compared_without_escapes() {
    assert_eq!(
        found(&["a/b", "['é']"], r#"{"a\/b":1,"\u00e9":2}"#),
        pairs(&[(0, "1"), (1, "2")])
    );
}

#[test]
fn the_last_of_duplicate_keys_wins_on_every_level() {
    let json = r#"{"a":{"b":1,"c":1},"x":0,"a":{"b":2,"\u0062":3}}"#;
    assert_eq!(
        found(&["a.b", "a.c", "x"], json),
        pairs(&[(2, "0"), (0, "3")])
    );
    assert_eq!(
        found(&["a.b", "a"], r#"{"a":{"b":1},"a":7}"#),
        pairs(&[(1, "7")])
    );
    assert_eq!(
        found(
            &["a[*].b", "c"],
            r#"{"a":[{"b":1,"b":2},{"b":3}],"c":1,"a":[{"b":4}],"c":2}"#
        ),
        pairs(&[(0, "4"), (1, "2")])
    );
}

#[test]
fn roots_of_other_types() {
    assert_eq!(found(&["[1]", "a"], "[1,2]"), pairs(&[(0, "2")]));
    assert_eq!(found(&["[1]", "a"], "\"text\""), pairs(&[]));
    assert_eq!(found(&[], "{"), pairs(&[]));
}

#[test]
fn objects_are_read_through_their_spans() {
    let json = r#"{"metadata":{"name":"n","labels":{"app":"x"},"annotations":{"a":"b"},"managedFields":[1],
        "ownerReferences":[{"uid":"u"}]},"spec":{"nodeName":"w\u0031"},"status":{"phase":"Running"},"data":{"k":"v"}}"#;
    let object = Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap();
    let paths = [
        "kind",
        "metadata.labels.app",
        "metadata.annotations",
        "metadata.ownerReferences[0].uid",
        "spec.nodeName",
        "status",
        "data.k",
        "metadata.managedFields",
    ];
    for subset in 0..1 << paths.len() {
        let chosen: Vec<&str> = (0..paths.len())
            .filter(|bit| subset & 1 << bit != 0)
            .map(|bit| paths[bit])
            .collect();
        let set = PathSet::new(
            chosen
                .iter()
                .map(|path| Path::compile(path).unwrap())
                .collect(),
        );
        let mut by_spans = Vec::new();
        set.extract(&object, |path, value| {
            by_spans.push((path, value.text().to_owned()));
        })
        .unwrap();
        // What different paths lead to may come in any order.
        by_spans.sort_by_key(|(path, _)| *path);
        let mut by_search = found(&chosen, object.plain().json());
        by_search.sort_by_key(|(path, _)| *path);
        assert_eq!(by_spans, by_search, "{chosen:?}");
    }
}

#[test]
fn what_is_no_object_where_a_part_could_be_is_found() {
    let json =
        r#"{"metadata":{"name":"n","labels":"l","labels":null},"spec":"s","status":{"spec":1}}"#;
    let object = Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap();
    for (path, expected) in [
        ("spec", Some("\"s\"")),
        ("spec.spec", None),
        ("metadata.labels", Some("null")),
        ("metadata.labels.a", None),
        ("metadata.annotations", None),
        ("status.spec", Some("1")),
    ] {
        // Beside a path into a part that is there, and one into a part that is not.
        let texts = [path, "status.spec", "metadata.annotations.a"];
        let paths = texts.map(|path| Path::compile(path).unwrap());
        let mut values = [None, None, None];
        let set = PathSet::new(paths.into());
        set.extract(&object, |path, value| {
            values[path] = Some(value.text().to_owned());
        })
        .unwrap();
        let values = values.each_ref().map(|value| value.as_deref());
        assert_eq!(values, [expected, Some("1"), None], "{path}");
    }
}

#[test]
fn index_values() {
    use JsonKind::{Array, Bool, Null, Number, Object, String};
    let json = r#"{"a":["t\u00e9xt","",true,false,-1.50e3,null,{},[],"\ud800"]}"#;
    let set = PathSet::new(vec![Path::compile("a[*]").unwrap()]);
    let mut values = Vec::new();
    let mut kinds = Vec::new();
    set.extract_json(json.as_bytes(), |_, value| {
        kinds.push(value.kind());
        values.extend(value.index_value().map(std::borrow::Cow::into_owned));
    })
    .unwrap();
    assert_eq!(values, ["téxt", "", "true", "false", "-1.50e3"]);
    assert_eq!(
        kinds,
        [String, String, Bool, Bool, Number, Null, Object, Array, String]
    );
}

#[test]
fn what_is_malformed_on_the_way_is_an_error() {
    let set = PathSet::new(vec![Path::compile("a.b").unwrap()]);
    for (json, offset) in [
        ("{\"a\":{\"b\":1}", 12),
        ("{\"a\":{b:1}}", 6),
        ("{\"a\":{\"b\" 1}}", 10),
        ("{\"x\":[}", 6),
        ("", 0),
        ("{\"a\":", 5),
    ] {
        let error = set
            .extract_json(json.as_bytes(), |_, _| panic!("no value"))
            .expect_err(json);
        assert_eq!(error.offset, offset, "{json}: {error}");
    }
    assert!(set.extract_json(b"{\"a\":\"\xff\"}", |_, _| ()).is_err());
}
