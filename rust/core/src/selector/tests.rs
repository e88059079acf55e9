//! The table of `labels/selector_test.go` in our own words, and round trips.
use super::*;
use crate::object::TypeMeta;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn matches(selector: &str, pairs: &[(&str, &str)]) -> bool {
    let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{error}"));
    let labels = labels(pairs);
    let by_map = selector.matches_with(|key| labels.get(key).map(|value| value.as_str().into()));
    let members: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key:?}:{value:?}"))
        .collect();
    let json = format!(
        "{{\"metadata\":{{\"name\":\"x\",\"labels\":{{{}}}}}}}",
        members.join(",")
    );
    let object = Object::parse(json.as_bytes(), &TypeMeta::default(), false).unwrap();
    assert_eq!(selector.matches(&object), by_map, "{selector}");
    by_map
}

#[test]
fn what_matches_and_what_does_not() {
    let shop = &[("app", "shop"), ("tier", "web"), ("n", "7"), ("empty", "")][..];
    for yes in [
        "",
        " ",
        "app=shop",
        "app==shop",
        "app = shop , tier = web",
        "app!=other",
        "missing!=x",
        "missing notin (a)",
        "tier in (web, api)",
        "tier in(web)",
        "tier notin (api)",
        "app",
        "!missing",
        "! missing",
        "n>6",
        "n<8",
        "n > 6,n<8",
        "empty in ()",
        "empty=",
        "empty in (,a)",
        "empty in (a,)",
        "empty in (a,,b)",
        "app\t=\nshop",
        "app,tier,!x",
        "empty==",
    ] {
        assert!(matches(yes, shop), "{yes}");
    }
    for no in [
        "app=other",
        "app!=shop",
        "missing",
        "missing=x",
        "missing in (a)",
        "missing in ()",
        "!app",
        "tier notin (web,api)",
        "n>7",
        "n<7",
        "app>1",
        "missing>1",
        "missing<1",
        "app=shop,tier=api",
        "tier in ()",
        "empty notin ()",
        "app=",
    ] {
        assert!(!matches(no, shop), "{no}");
    }
}

#[test]
fn keywords_are_words_where_no_operator_stands() {
    assert!(matches("in in (in, notin)", &[("in", "notin")]));
    assert!(matches("notin=in", &[("notin", "in")]));
    assert!(matches("in", &[("in", "x")]));
}

#[test]
fn comparisons_are_of_64_bit_integers() {
    assert!(matches(
        "n>9223372036854775806",
        &[("n", "9223372036854775807")]
    ));
    assert!(!matches("n>1", &[("n", "9223372036854775808")]));
    assert!(!matches("n>1", &[("n", "2.5")]));
    assert!(Selector::parse("n>9223372036854775808").is_err());
}

#[test]
fn errors_point_at_the_character() {
    for (text, position) in [
        (",", 0),
        ("a,", 2),
        ("a,,b", 2),
        ("a b", 2),
        ("a in", 4),
        ("a in b", 5),
        ("a in (b", 7),
        ("a in (b c)", 8),
        ("=x", 0),
        ("a=b=c", 3),
        ("!", 1),
        ("!a=b", 2),
        ("a in (=)", 6),
        ("x=a b", 4),
        ("a>", 0),
        ("a>b", 0),
        ("ok, é=b", 4),
        ("a in (b))", 8),
        ("a=(b)", 2),
        ("!!a", 1),
        ("a === b", 4),
        ("a=-x", 0),
        ("ok,/x", 3),
        ("a in (b!)", 7),
        ("(a)", 0),
        ("a<1.5", 0),
    ] {
        let error = Selector::parse(text).expect_err(text);
        assert_eq!(error.position, position, "{error}");
        assert!(error
            .to_string()
            .contains(&format!("at character {position}")));
    }
}

#[test]
fn keys_and_values_are_those_of_the_api_server() {
    let long = "a".repeat(63);
    let prefix = format!("{0}.{0}.{0}.{1}", "b".repeat(63), "c".repeat(61));
    for key in [
        "a",
        "A.b-c_d9",
        "example.com/a",
        "a-1.b/x",
        &long,
        &format!("{prefix}/{long}"),
    ] {
        Requirement::new::<&str>(key, Operator::Exists, [])
            .unwrap_or_else(|error| panic!("{error}"));
    }
    for key in [
        "",
        "-a",
        "a-",
        "a_",
        "é",
        "/a",
        "a/",
        "a/b/c",
        "A.com/x",
        "a..b/x",
        ".a/x",
        "a_b/x",
        "-a/x",
        "a b",
        &"a".repeat(64),
        &format!("c{prefix}/x"),
    ] {
        assert!(
            Requirement::new::<&str>(key, Operator::Exists, []).is_err(),
            "{key}"
        );
    }
    for value in ["", "a", "1.5_x-Y", &long] {
        Requirement::new("k", Operator::Equals, [value]).unwrap_or_else(|error| panic!("{error}"));
    }
    for value in ["-", ".a", "a.", "a/b", "a b", "ü", &"a".repeat(64)] {
        assert!(
            Requirement::new("k", Operator::Equals, [value]).is_err(),
            "{value}"
        );
    }
}

#[test]
fn numbers_of_values() {
    use Operator::{
        DoesNotExist, DoubleEquals, Equals, Exists, GreaterThan, In, LessThan, NotEquals, NotIn,
    };
    for operator in [In, NotIn] {
        assert!(Requirement::new::<&str>("k", operator, []).is_err());
        assert!(Requirement::new("k", operator, ["a", "b"]).is_ok());
    }
    for operator in [Exists, DoesNotExist] {
        assert!(Requirement::new("k", operator, ["a"]).is_err());
    }
    for operator in [Equals, DoubleEquals, NotEquals, GreaterThan, LessThan] {
        assert!(Requirement::new::<&str>("k", operator, []).is_err());
        assert!(Requirement::new("k", operator, ["1", "1"]).is_err());
        assert!(Requirement::new("k", operator, ["1"]).is_ok());
    }
    assert_eq!(
        Operator::from_match_expression("DoesNotExist"),
        Some(DoesNotExist)
    );
    assert_eq!(Operator::from_match_expression("in"), None);
}

#[test]
fn everything_and_nothing() {
    assert!(Selector::parse("").unwrap().is_everything());
    assert!(!Selector::parse("a").unwrap().is_everything());
    assert!(Selector::everything().matches_with(|_| None));
    assert!(!Selector::nothing().is_everything() && Selector::nothing().is_nothing());
    assert!(!Selector::nothing().matches_with(|_| None));
}

#[test]
fn label_selectors_as_dicts() {
    let expressions = vec![
        ("tier", "In", vec!["web", "api"]),
        ("old", "DoesNotExist", vec![]),
        ("env", "NotIn", vec!["dev"]),
        ("team", "Exists", vec![]),
    ];
    let selector = Selector::from_label_selector([("app", "shop")], expressions).unwrap();
    assert_eq!(
        selector.to_string(),
        "app=shop,env notin (dev),!old,team,tier in (api,web)"
    );
    assert!(Selector::from_label_selector([], [])
        .unwrap()
        .is_everything());
    for (operator, values) in [
        ("in", vec!["a"]),
        ("In", vec![]),
        ("Exists", vec!["a"]),
        ("", vec![]),
    ] {
        assert!(
            Selector::from_label_selector([], [("k", operator, values)]).is_err(),
            "{operator}"
        );
    }
}

#[test]
fn text_is_sorted_and_plain() {
    let selector =
        Selector::parse(" z in (b, a,b) , !y,x==1,w , v!=2,u>3,t<4,s notin(),r=").unwrap();
    assert_eq!(
        selector.to_string(),
        "r=,s notin (),t<4,u>3,v!=2,w,x==1,!y,z in (a,b)"
    );
}

fn requirement() -> impl Strategy<Value = Requirement> {
    use Operator::{
        DoesNotExist, DoubleEquals, Equals, Exists, GreaterThan, In, LessThan, NotEquals, NotIn,
    };
    let word = "([a-z0-9]([a-z0-9._-]{0,4}[a-z0-9])?|in|notin)?";
    (
        prop::sample::select(vec!["a", "b", "in", "x.io/c"]),
        0usize..9,
        prop::collection::vec(word, 1..4),
        0i64..100,
    )
        .prop_map(|(key, operator, values, number)| {
            let operator = [
                In,
                NotIn,
                Equals,
                DoubleEquals,
                NotEquals,
                Exists,
                DoesNotExist,
                GreaterThan,
                LessThan,
            ][operator];
            let values = match operator {
                In | NotIn => values,
                Exists | DoesNotExist => vec![],
                GreaterThan | LessThan => vec![number.to_string()],
                _ => values[..1].to_vec(),
            };
            Requirement::new(key, operator, values).unwrap()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn printing_and_parsing_give_the_same_selector(requirements in prop::collection::vec(requirement(), 0..5)) {
        let selector = Selector::from_requirements(requirements);
        prop_assert_eq!(Selector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in "[ -~é😀,()!=<>]{0,30}") {
        if let Err(error) = Selector::parse(&text) {
            prop_assert!(error.position <= text.chars().count());
        }
    }
}
