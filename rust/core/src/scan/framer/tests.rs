//! Lines of a watch stream, by example.
use super::*;

/// An event, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    kind: EventType,
    type_name: String,
    object: String,
    offset: u64,
    key: Result<String, ScanErrorKind>,
}

type Flow = Result<ControlFlow<()>, ScanError>;

fn collect(got: &mut Vec<Got>) -> impl FnMut(WatchEvent<'_>) -> Flow + '_ {
    |event| {
        got.push(Got {
            kind: event.kind,
            type_name: event.type_name.clone().into_owned(),
            object: String::from_utf8_lossy(event.object).into_owned(),
            offset: event.offset,
            key: event
                .into_view()
                .map(|view| view.key())
                .map_err(|error| error.kind),
        });
        Ok(ControlFlow::Continue(()))
    }
}

fn frame(stream: &[u8], step: usize) -> (Vec<Got>, Result<(), ScanError>) {
    let (mut framer, mut got) = (WatchFramer::new(1000), Vec::new());
    let outcome = stream
        .chunks(step)
        .try_for_each(|piece| framer.feed(piece, collect(&mut got)).map(drop))
        .and_then(|()| framer.finish(collect(&mut got)).map(drop));
    (got, outcome)
}

/// Whole, in every size of pieces, and through the framer's own buffer: the same.
fn events(stream: &[u8]) -> (Vec<Got>, Result<(), ScanError>) {
    let whole = frame(stream, stream.len().max(1));
    for step in 1..=stream.len() {
        assert_eq!(frame(stream, step), whole, "in pieces of {step}");
        let (mut framer, mut got) = (WatchFramer::new(1000), Vec::new());
        let outcome = stream
            .chunks(step)
            .try_for_each(|piece| {
                framer.buffer().extend_from_slice(piece);
                framer.feed(&[], collect(&mut got)).map(drop)
            })
            .and_then(|()| framer.finish(collect(&mut got)).map(drop));
        assert_eq!(
            (got, outcome),
            whole,
            "through the buffer in pieces of {step}"
        );
    }
    whole
}

#[test]
fn lines_of_all_types() {
    use EventType::{Added, Bookmark, Deleted, Error, Modified, Unknown};
    let stream = concat!(
        r#"{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"n"}}}"#,
        "\n",
        r#"{"object":{"metadata":{"name":"b"},"s":"}\"{"},"type":"MODIFIED"}"#,
        "\r\n",
        "\n \r\n",
        r#" { "type" : "DELETED" , "extra" : [1,{}] , "object" : {"metadata":{"name":"c\u0021"}} } "#,
        "\n",
        r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#,
        "\n",
        r#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#,
        "\n",
        r#"{"type":"A\u0044DED","object":{"metadata":{"name":"e"}}}"#,
        "\n",
        r#"{"type":"LATER","object":null}"#,
        "\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\u{2028}\u{85}\"}}}",
    );
    let (got, outcome) = events(stream.as_bytes());
    assert_eq!(outcome, Ok(()));
    let kinds: Vec<_> = got.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [Added, Modified, Deleted, Bookmark, Error, Added, Unknown, Added]
    );
    let keys: Vec<_> = got
        .iter()
        .map(|event| event.key.clone().unwrap_or_default())
        .collect();
    assert_eq!(keys, ["n/a", "b", "c!", "", "", "e", "", "\u{2028}\u{85}"]);
    assert_eq!(got[6].type_name, "LATER");
    for event in &got {
        let at = event.offset as usize;
        assert_eq!(&stream[at..at + event.object.len()], event.object);
    }
}

#[test]
fn duplicate_members_of_a_line() {
    let line = r#"{"type":"ERROR","object":{"metadata":{"name":"a"}},"type":"ADDED","object":{"metadata":{"name":"b"}}}"#;
    let (got, _) = events(line.as_bytes());
    assert_eq!(
        (got[0].kind, got[0].key.as_deref()),
        (EventType::Added, Ok("b"))
    );
    // The first object may be read as the one that counts until the second comes.
    let line = r#"{"type":"ADDED","object":{"metadata":{"name":"a"}},"object":{"kind":"Status"}}"#;
    let (got, _) = events(line.as_bytes());
    assert_eq!(
        (&*got[0].object, &got[0].key),
        (r#"{"kind":"Status"}"#, &Err(ScanErrorKind::MissingMetadata))
    );
}

#[test]
fn an_object_that_cannot_be_used_is_an_error_of_that_object() {
    let stream = b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\"}}}\n";
    let (got, outcome) = events(stream);
    assert_eq!(outcome, Ok(()));
    assert_eq!(got[0].key, Err(ScanErrorKind::MissingName));
    assert_eq!(got[1].key, Err(ScanErrorKind::InvalidUtf8));
}

#[test]
fn a_last_line_counts_iff_it_is_complete() {
    let line = br#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#;
    assert_eq!(events(line).0.len(), 1);
    for cut in 1..line.len() {
        let (got, outcome) = events(&line[..cut]);
        let error = outcome.unwrap_err();
        assert_eq!(
            (got.len(), error.kind),
            (0, ScanErrorKind::Truncated),
            "{cut}: {error}"
        );
        // A line end in the middle of a JSON value is no white space inside it.
        let broken = [&line[..cut], b"\n", &line[cut..]].concat();
        assert!(events(&broken).1.is_err(), "{cut}");
    }
}

#[test]
fn lines_that_are_no_events() {
    for (line, kind, offset) in [
        ("<html>", ScanErrorKind::NotAnObject, 52),
        ("[]", ScanErrorKind::NotAnObject, 52),
        ("{}", ScanErrorKind::Syntax, 52),
        (r#"{"type":"ADDED"}"#, ScanErrorKind::Syntax, 52),
        (r#"{"object":{}}"#, ScanErrorKind::Syntax, 52),
        (r#"{"type":1,"object":{}}"#, ScanErrorKind::Syntax, 52),
        (
            r#"{"type":"ADDED","object":{}} x"#,
            ScanErrorKind::Syntax,
            81,
        ),
        (
            r#"{"type":"ADDED","object":{"a":[}}"#,
            ScanErrorKind::Unbalanced,
            84,
        ),
        (
            r#"{"type":"ADDED","object":[}}"#,
            ScanErrorKind::Unbalanced,
            78,
        ),
        (
            r#"{"type":"\x","object":{}}"#,
            ScanErrorKind::InvalidEscape,
            61,
        ),
    ] {
        let good = r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#;
        let (got, outcome) = events(format!("{good}\n{line}\n{good}\n").as_bytes());
        let error = outcome.expect_err(line);
        assert_eq!(
            (got.len(), error.kind, error.offset),
            (1, kind, offset),
            "{line}: {error}"
        );
    }
}

#[test]
fn messages_quote_the_line() {
    let (_, outcome) = events(b"<!DOCTYPE html>\n");
    assert!(outcome.unwrap_err().to_string().contains("<!DOCTYPE html>"));
}

#[test]
fn an_error_names_the_object_of_its_line() {
    let object = r#"{"metadata":{"name":"web-0","namespace":"default"},"spec":"#;
    let long = format!(r#"{{"type":"ADDED","object":{object}"{}"#, "x".repeat(2000));
    for step in [1, 700, 5000] {
        let error = frame(long.as_bytes(), step).1.unwrap_err();
        assert_eq!(error.key.as_deref(), Some("default/web-0"), "{step}");
    }
    let broken = format!("{{\"type\":\"ADDED\",\"object\":{object}[}}}}\n");
    let error = events(broken.as_bytes()).1.unwrap_err();
    assert_eq!(error.kind, ScanErrorKind::Unbalanced);
    assert_eq!(error.key.as_deref(), Some("default/web-0"));
}

#[test]
fn a_long_line_names_its_object_however_it_came() {
    let line =
        r#"{"type":"ADDED","object":{"metadata":{"name":"web-0","namespace":"default"},"x":""#;
    let line = format!("{line}{}", "x".repeat(2000));
    for step in [1, 7, 90, 5000] {
        let error = frame(line.as_bytes(), step).1.unwrap_err();
        assert_eq!(error.kind, ScanErrorKind::TooLarge);
        assert_eq!(error.key.as_deref(), Some("default/web-0"), "{step}");
    }
}

#[test]
fn only_what_is_no_event_is_quoted() {
    for (stream, quoted) in [
        ("<html>hunter2", true),
        ("upstream says hunter2", true),
        (
            "{\"type\":\"ADDED\" \"object\":{\"data\":\"hunter2\"}}",
            false,
        ),
        ("\n aHVudGVy,hunter2\"}}", false),
        ("\n<html>hunter2", true),
    ] {
        let error = frame(stream.as_bytes(), 100).1.unwrap_err();
        assert_eq!(error.message.contains("hunter2"), quoted, "{error}");
    }
}

#[test]
fn long_lines_are_refused_before_they_end() {
    let line = [b"{\"type\":\"".as_slice(), &[b'x'; 2000]].concat();
    for step in [1, 7, 100, 5000] {
        let (_, outcome) = frame(&line, step);
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.kind, error.offset),
            (ScanErrorKind::TooLarge, 0),
            "{step}"
        );
    }
    let complete = [&line[..], b"\",\"object\":{}}\n"].concat();
    assert_eq!(
        frame(&complete, 5000).1.unwrap_err().kind,
        ScanErrorKind::TooLarge
    );
    let mut framer = WatchFramer::new(10);
    assert!(framer
        .feed(&[b' '; 10], |_| Flow::Ok(ControlFlow::Continue(())))
        .is_ok());
    assert!(framer
        .feed(b" ", |_| Flow::Ok(ControlFlow::Continue(())))
        .is_err());
}

#[test]
fn the_sink_can_end_it() {
    let stream = br#"{"type":"ERROR","object":{}}
{"type":"ADDED","object":{"metadata":{"name":"a"}}}
"#;
    for step in [1, 10, 200] {
        let (mut framer, mut calls) = (WatchFramer::new(1000), 0);
        let mut broke = false;
        for piece in stream.chunks(step) {
            let flow = framer.feed(piece, |_| {
                calls += 1;
                Flow::Ok(ControlFlow::Break(()))
            });
            broke = flow.unwrap().is_break();
            if broke {
                break;
            }
        }
        assert_eq!((calls, broke), (1, true), "{step}");
    }
}

#[test]
fn errors_of_the_sink_pass_through() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Scan(ScanErrorKind),
        Sink,
    }
    impl From<ScanError> for Mine {
        fn from(error: ScanError) -> Self {
            Self::Scan(error.kind)
        }
    }
    let mut framer = WatchFramer::new(1000);
    assert_eq!(
        framer.feed(b"{\"type\":\"ERROR\",\"object\":{}}\n", |_| Err(Mine::Sink)),
        Err(Mine::Sink)
    );
    let mut framer = WatchFramer::new(1000);
    assert_eq!(
        framer.feed(b"[]\n", |_| Err(Mine::Sink)),
        Err(Mine::Scan(ScanErrorKind::NotAnObject))
    );
}
