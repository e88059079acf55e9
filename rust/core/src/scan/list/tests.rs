//! LIST bodies, by example.
use super::*;

/// An item, owned: raw bytes of the object, or the error.
type Got = (u64, u64, Result<String, ScanErrorKind>);

fn split(body: &[u8], step: usize) -> (Vec<Got>, Result<ListMeta, ScanError>) {
    let (mut splitter, mut got) = (ListSplitter::new(1000), Vec::new());
    for piece in body.chunks(step) {
        let outcome = splitter.feed(piece, |item| {
            assert_eq!(
                item.bytes,
                &body[item.offset as usize..][..item.bytes.len()]
            );
            let (index, offset) = (item.index, item.offset);
            let object = item
                .into_object(false)
                .map(|object| object.plain().json().to_owned());
            got.push((index, offset, object.map_err(|error| error.kind)));
            Ok::<_, ScanError>(ControlFlow::Continue(()))
        });
        if let Err(error) = outcome {
            return (got, Err(error));
        }
    }
    (got, splitter.finish())
}

/// Whole and in every size of pieces: the same.
fn list(body: &str) -> (Vec<String>, Result<ListMeta, ScanError>) {
    let body = body.as_bytes();
    let whole = split(body, body.len().max(1));
    for step in 1..=body.len() {
        let pieces = split(body, step);
        let same_error =
            matches!((&pieces.1, &whole.1), (Err(left), Err(right)) if left.kind == right.kind);
        assert!(
            pieces.0 == whole.0 && (pieces.1 == whole.1 || same_error),
            "in pieces of {step}: {pieces:?} {whole:?}"
        );
    }
    let objects = whole
        .0
        .into_iter()
        .enumerate()
        .map(|(number, (index, _, object))| {
            assert_eq!(index, number as u64);
            object.unwrap_or_else(|kind| format!("{kind:?}"))
        });
    (objects.collect(), whole.1)
}

const A: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#;
const B: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"},"x":"]}\""}"#;

#[test]
fn keys_in_any_order() {
    let items = r#""items":[{"metadata":{"name":"a"}},{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b"},"x":"]}\""}]"#;
    let kind = r#""kind":"PodList""#;
    let version = r#""apiVersion":"v1""#;
    let metadata = r#""metadata":{"resourceVersion":"9","continue":"tok\u0065n","remainingItemCount":5,"shardInfo":{"selector":"s"}}"#;
    let other = r#""other":[{"items":[]},null]"#;
    let members = [items, kind, version, metadata, other];
    for first in 0..members.len() {
        for second in 0..members.len() {
            let mut order: Vec<&str> = members.to_vec();
            order.swap(0, first);
            order.swap(1, second);
            let (objects, meta) = list(&format!("{{{}}}", order.join(",")));
            assert_eq!(objects, [A, B], "{order:?}");
            let expected = ListMeta {
                api_version: "v1".into(),
                kind: "PodList".into(),
                resource_version: "9".into(),
                continue_token: "token".into(),
                remaining_item_count: Some(5),
                shard_selector: Some("s".into()),
            };
            assert_eq!(meta, Ok(expected));
        }
    }
}

#[test]
fn items_come_before_the_body_ends() {
    let mut splitter = ListSplitter::new(1000);
    let mut names = Vec::new();
    let mut sink = |item: ListItem<'_>| {
        names.push(item.into_view()?.name().into_owned());
        Ok::<_, ScanError>(ControlFlow::Continue(()))
    };
    let mut feed = |body: &str| splitter.feed(body.as_bytes(), &mut sink).unwrap();
    let _ = feed(r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}"#);
    let _ = feed(r#",{"metadata":{"name":"b"}},{"metadata":{"na"#);
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn items_with_types_of_their_own_need_not_wait() {
    // The order in which the API server writes lists of custom resources.
    let mut splitter = ListSplitter::new(1000);
    let mut names = Vec::new();
    let flow = splitter.feed(br#"{"apiVersion":"x/v1","items":[{"apiVersion":"x/v1","kind":"W","metadata":{"name":"a"}}"#, |item| {
        names.push(item.into_view()?.name().into_owned());
        Ok::<_, ScanError>(ControlFlow::Continue(()))
    });
    assert_eq!(
        (flow, names),
        (Ok(ControlFlow::Continue(())), vec!["a".to_owned()])
    );
}

#[test]
fn mixed_items_stay_in_order() {
    let body = format!(
        r#"{{"items":[{A},{{"metadata":{{"name":"m"}}}},{B}],"kind":"PodList","apiVersion":"v1"}}"#
    );
    let (objects, meta) = list(&body);
    assert_eq!(objects, [A, &A.replace("\"a\"", "\"m\""), B]);
    assert!(meta.is_ok());
}

#[test]
fn empty_lists_and_empty_tokens() {
    for items in ["[]", "null", "[ \n]"] {
        let body = format!(
            r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1","continue":"","remainingItemCount":null}},"items":{items}}}"#
        );
        let (objects, meta) = list(&body);
        let meta = meta.unwrap();
        assert!(objects.is_empty());
        assert_eq!((&*meta.resource_version, &*meta.continue_token), ("1", ""));
        assert_eq!(
            (meta.remaining_item_count, meta.shard_selector),
            (None, None)
        );
    }
}

#[test]
fn pretty_printed() {
    let body = "\n{\n  \"kind\": \"PodList\",\r\n  \"apiVersion\": \"v1\",\n  \"items\": [\n    {\"metadata\":{\"name\":\"a\"}}\n  ,\n\t\
        {\"metadata\":{\"name\":\"a\"}}\n  ]\n}\n";
    let (objects, meta) = list(body);
    assert_eq!(objects, [A, A]);
    assert!(meta.is_ok());
}

#[test]
fn what_is_no_list() {
    for body in [
        "",
        " ",
        "<!DOCTYPE html><html>",
        "404 page not found",
        "[]",
        "null",
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":403}"#,
        r#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[]}"#,
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#,
        "{}",
        r#"{"items":[]}"#,
        r#"{"kind":"PodList","items":[]}"#,
        r#"{"apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}"#,
        r#"{"kind":"PodList","apiVersion":"v1","metadata":{}}"#,
        r#"{"kind":"List","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}"#,
    ] {
        let (objects, meta) = list(body);
        let error = meta.expect_err(body);
        assert_eq!(
            (objects.len(), error.kind),
            (0, ScanErrorKind::NotAList),
            "{body}: {error}"
        );
        let begins: String = body.chars().take(15).collect();
        let quoted = error.message.contains(&begins.replace('"', "\\\""));
        // Anything else may be an object.
        let may_be = !body.starts_with('{') || body.contains("Status");
        assert_eq!(quoted, may_be, "{error}");
    }
}

#[test]
fn bad_items() {
    let body =
        |item: &str| format!(r#"{{"kind":"PodList","apiVersion":"v1","items":[{A},{item},{A}]}}"#);
    for (item, kind) in [
        ("null", ScanErrorKind::NotAnObject),
        ("[]", ScanErrorKind::NotAnObject),
        ("\"x\"", ScanErrorKind::NotAnObject),
        ("", ScanErrorKind::NotAnObject),
        ("{\"a\":1]", ScanErrorKind::Unbalanced),
    ] {
        let (objects, meta) = list(&body(item));
        let error = meta.expect_err(item);
        assert_eq!((objects, error.kind), (vec![A.to_owned()], kind), "{item}");
    }
    for (item, kind) in [
        ("{}", "MissingMetadata"),
        (r#"{"metadata":{}}"#, "MissingName"),
        (r#"{"metadata" 1}"#, "Syntax"),
    ] {
        let (objects, meta) = list(&body(item));
        assert!(meta.is_ok());
        assert_eq!(objects, [A, kind, A], "{item}");
    }
}

#[test]
fn malformed_lists() {
    for (body, kind) in [
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":{}}"#,
            ScanErrorKind::WrongType,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":3}"#,
            ScanErrorKind::WrongType,
        ),
        (r#"{"kind":1}"#, ScanErrorKind::WrongType),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[],"items":[]}"#,
            ScanErrorKind::Syntax,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[]} x"#,
            ScanErrorKind::Syntax,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[]}}"#,
            ScanErrorKind::Syntax,
        ),
        (
            r#"{"kind":"PodList" "apiVersion":"v1"}"#,
            ScanErrorKind::Syntax,
        ),
        (r#"{"kind":"PodList",}"#, ScanErrorKind::Syntax),
        (r#"{,"kind":"PodList"}"#, ScanErrorKind::Syntax),
        (r#"{"kind" "PodList"}"#, ScanErrorKind::Syntax),
        (r#"{"kind":,}"#, ScanErrorKind::Syntax),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[,]}"#,
            ScanErrorKind::NotAnObject,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},]}"#,
            ScanErrorKind::NotAnObject,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}} {}]}"#,
            ScanErrorKind::Syntax,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","metadata":[]}"#,
            ScanErrorKind::NotAnObject,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"a":[}]}}"#,
            ScanErrorKind::Unbalanced,
        ),
        (
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"\u12"}}"#,
            ScanErrorKind::InvalidEscape,
        ),
    ] {
        let (_, meta) = list(body);
        assert_eq!(meta.expect_err(body).kind, kind, "{body}");
    }
}

#[test]
fn every_cut_is_truncated() {
    let body = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{A},{B}]}}"#
    );
    for cut in 1..body.len() {
        for step in [1, 5, body.len()] {
            let (_, meta) = split(&body.as_bytes()[..cut], step);
            let error = meta.unwrap_err();
            assert_eq!(
                (error.kind, error.offset),
                (ScanErrorKind::Truncated, cut as u64)
            );
        }
    }
}

#[test]
fn an_item_that_is_cut_off_is_named() {
    let body = r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"x":"#;
    for step in [1, 5, body.len()] {
        let error = split(body.as_bytes(), step).1.unwrap_err();
        assert_eq!(error.kind, ScanErrorKind::Truncated);
        assert_eq!(error.key.as_deref(), Some("a"));
    }
}

#[test]
fn long_items_are_refused_before_they_end() {
    let body = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","items":[{{"metadata":{{"name":"a"}},"x":"{}"#,
        "x".repeat(1000)
    );
    for step in [1, 64, 700, 5000] {
        let (_, meta) = split(body.as_bytes(), step);
        let error = meta.unwrap_err();
        assert_eq!(
            (error.kind, error.offset),
            (ScanErrorKind::TooLarge, 45),
            "{step}"
        );
        assert_eq!(error.key.as_deref(), Some("a"), "{step}");
    }
}

#[test]
fn an_unbalanced_item_is_named() {
    let body =
        r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"},"spec":[}]}"#;
    for step in [30, 5000] {
        let error = split(body.as_bytes(), step).1.unwrap_err();
        assert_eq!(error.kind, ScanErrorKind::Unbalanced, "{step}");
        assert_eq!(error.key.as_deref(), Some("a"), "{step}");
    }
}

#[test]
fn the_sink_can_end_it() {
    let held = format!(
        r#"{{"items":[{{"metadata":{{"name":"m"}}}},{A}],"kind":"PodList","apiVersion":"v1"}}"#
    );
    let plain = format!(r#"{{"kind":"PodList","apiVersion":"v1","items":[{A},{B}]}}"#);
    for body in [held, plain] {
        for step in [1, 20, 500] {
            let (mut splitter, mut calls) = (ListSplitter::new(1000), 0);
            for piece in body.as_bytes().chunks(step) {
                let flow = splitter.feed(piece, |_| {
                    calls += 1;
                    Ok::<_, ScanError>(ControlFlow::Break(()))
                });
                if flow.unwrap().is_break() {
                    break;
                }
            }
            assert_eq!(calls, 1);
        }
    }
}
