//! Readers: from the bytes of a LIST or WATCH response to the queue, and what a reader says it has read.
//!
//! How bytes become objects and lines is tested beside the scanner; here only complete, small ones.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::error::ScanErrorKind;
use kubeinformer_core::filter::{Expr, Filter};
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::object::Object;
use kubeinformer_core::object_informer::{ObjectInformer, Processed};
use kubeinformer_core::path::Path;
use kubeinformer_core::queue::{Delta, DeltaObject};
use kubeinformer_core::source::{ListReader, ReadError, ReadOptions, Relist, WatchReader};

/// Does not wait.
const NOW: Option<Duration> = Some(Duration::ZERO);

fn informer() -> ObjectInformer {
    ObjectInformer::new(InformerOptions::default(), ReadOptions::default())
}

fn object(name: &str, uid: &str, version: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","uid":"{uid}","resourceVersion":"{version}"}}}}"#
    )
}

/// A line of a watch.
fn event(kind: &str, name: &str, version: &str) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"object\":{}}}\n",
        object(name, name, version)
    )
}

fn bookmark(version: &str, annotations: &str) -> String {
    let metadata = format!(r#"{{"resourceVersion":"{version}","annotations":{annotations}}}"#);
    format!("{{\"type\":\"BOOKMARK\",\"object\":{{\"kind\":\"Pod\",\"metadata\":{metadata}}}}}\n")
}

fn initial_end(version: &str) -> String {
    bookmark(version, r#"{"k8s.io/initial-events-end":"true"}"#)
}

fn page(version: &str, token: &str, items: &[String]) -> String {
    let metadata = format!(r#"{{"resourceVersion":"{version}","continue":"{token}"}}"#);
    let items = items.join(",");
    format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{metadata},"items":[{items}]}}"#)
}

/// The body in HTTP's chunked coding, without the last chunk.
fn chunks(pieces: &[&str]) -> String {
    let chunk = |piece: &&str| format!("{:x}\r\n{piece}\r\n", piece.len());
    pieces.iter().map(chunk).collect()
}

fn describe(delta: &Delta<Object>) -> String {
    let named = |object: &Arc<Object>| format!("{}@{}", object.key(), object.resource_version());
    match &delta.object {
        DeltaObject::Object(object) => format!("{:?} {}", delta.kind, named(object)),
        DeltaObject::Replacement(list) => {
            let objects: Vec<String> = list.objects.iter().map(named).collect();
            format!("list@{} {}", list.resource_version, objects.join(" "))
        }
        DeltaObject::Bookmark { resource_version } => format!("bookmark@{resource_version}"),
        DeltaObject::Tombstone { key, .. } => format!("tombstone {key}"),
        DeltaObject::OutOfScope {
            key,
            resource_version,
        } => format!("out of scope {key}@{resource_version}"),
        DeltaObject::None => "resync".to_owned(),
    }
}

/// Takes all that is queued.
fn queued(informer: &ObjectInformer) -> Vec<String> {
    let queue = informer.informer().queue();
    let batches = std::iter::from_fn(|| {
        let batch = queue.pop_batch(1, NOW).ok();
        batch.inspect(|_| queue.processed())
    });
    batches.flatten().map(|delta| describe(&delta)).collect()
}

/// Takes all that is queued to the store.
fn process(informer: &ObjectInformer) {
    assert!(matches!(informer.process(NOW), Processed::TimedOut));
}

#[test]
fn a_list_is_limited_with_all_its_pages_and_a_watch_is_not() {
    let (first, second) = (
        page("3", "more", &[object("a", "a", "1")]),
        page("3", "", &[object("b", "b", "2")]),
    );
    let events = [event("ADDED", "a", "5"), event("ADDED", "b", "6")].concat() + &initial_end("7");
    let informer = |max_list: usize| {
        let max_list = max_list as u64;
        let options = ReadOptions {
            max_list,
            ..ReadOptions::default()
        };
        ObjectInformer::new(InformerOptions::default(), options)
    };
    for (room, fits) in [(first.len() + second.len(), true), (first.len() + 1, false)] {
        let informer = informer(room);
        let source = informer.add_source();
        let mut relist = Relist::default();
        let mut read = |body: &str| {
            let mut reader = ListReader::new(&source, false);
            reader.feed(&source, &mut relist, body.as_bytes())
        };
        assert_eq!(read(&first), Ok(false));
        let error = read(&second).map_err(|error| error.kind);
        assert_eq!(error.is_ok(), fits, "{error:?}");
        assert!(fits || error == Err(ScanErrorKind::TooLarge));
    }
    for (room, fits) in [(events.len(), true), (events.len() - 1, false)] {
        let informer = informer(room);
        let source = informer.add_source();
        let mut watch = WatchReader::new(&source, false, true);
        let mut pieces = events.as_bytes().chunks(10);
        let read = pieces.try_for_each(|piece| watch.feed(&source, piece).map(drop));
        assert_eq!(read.is_ok(), fits, "{read:?}");
        if fits {
            let more = event("ADDED", "c", "8").repeat(20);
            assert!(watch.feed(&source, more.as_bytes()).is_ok());
        }
    }
}

fn filtered(expr: Expr) -> ObjectInformer {
    let filter = Some(Arc::new(Filter::new(expr)));
    ObjectInformer::with_filter(InformerOptions::default(), ReadOptions::default(), filter)
}

#[test]
fn what_a_filter_rejects_is_not_listed_and_out_of_scope_in_a_watch() {
    let not_b = Expr::Not(Box::new(Expr::Name(vec!["b".into()])));
    let informer = filtered(not_b);
    let source = informer.add_source();
    let (mut reader, mut relist) = (ListReader::new(&source, false), Relist::default());
    let items = [object("a", "a", "1"), object("b", "b", "2")];
    let body = page("3", "", &items);
    reader.feed(&source, &mut relist, body.as_bytes()).unwrap();
    assert_eq!((relist.len(), reader.items()), (1, 2));
    relist.commit(&source, "3".into());
    assert_eq!(queued(&informer), ["list@3 a@1"]);

    let mut watch = WatchReader::new(&source, false, false);
    let lines = [event("ADDED", "b", "4"), event("MODIFIED", "a", "5")];
    watch.feed(&source, lines.concat().as_bytes()).unwrap();
    let last = event("DELETED", "b", "6");
    watch.feed(&source, last.as_bytes()).unwrap();
    let expected = ["out of scope b@4", "Updated a@5", "out of scope b@6"];
    assert_eq!(queued(&informer), expected);
    assert_eq!(watch.progress().resource_version, "6");

    let mut watch_list = WatchReader::new(&source, false, true);
    let lines = [event("ADDED", "b", "4"), event("ADDED", "c", "5")];
    let body = lines.concat() + &initial_end("7");
    watch_list.feed(&source, body.as_bytes()).unwrap();
    assert_eq!(queued(&informer), ["list@7 c@5"]);
}

#[test]
fn a_filter_by_kind_sees_the_lists() {
    let kind = Path::compile("kind").unwrap();
    let informer = filtered(Expr::In(kind, vec!["Pod".into()]));
    let source = informer.add_source();
    let (mut reader, mut relist) = (ListReader::new(&source, false), Relist::default());
    let item = r#"{"metadata":{"name":"a"}}"#.to_owned();
    let body = page("3", "", &[item]);
    reader.feed(&source, &mut relist, body.as_bytes()).unwrap();
    assert_eq!(relist.len(), 1);
}

#[test]
fn a_watch_queues_its_events_in_order_however_it_is_cut() {
    let body = [
        event("ADDED", "a", "5"),
        event("MODIFIED", "a", "9"),
        event("LATER", "a", "10"),
        bookmark("11", "null"),
        event("DELETED", "a", "12"),
    ]
    .concat();
    for step in [1, 7, 64, body.len()] {
        let informer = informer();
        let source = informer.add_source();
        let mut reader = WatchReader::new(&source, false, false);
        for piece in body.as_bytes().chunks(step) {
            assert_eq!(reader.feed(&source, piece), Ok(false));
        }
        assert_eq!(reader.finish(&source), Ok(()));
        let expected = ["Added a@5", "Updated a@9", "bookmark@11", "Deleted a@12"];
        assert_eq!(queued(&informer), expected);
        let progress = reader.progress();
        assert_eq!(progress.resource_version, "12");
        assert_eq!(
            (progress.events, progress.bookmarks, progress.unknown_events),
            (5, 1, 1)
        );
    }
}

#[test]
fn events_before_a_bad_line_are_queued_and_move_the_version() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false);
    let body = event("ADDED", "a", "5") + "<html>\n" + &event("ADDED", "b", "6");
    assert!(reader.feed(&source, body.as_bytes()).is_err());
    assert_eq!(reader.progress().resource_version, "5");
    assert_eq!(queued(&informer), ["Added a@5"]);
}

#[test]
fn pieces_that_come_together_are_queued_together_up_to_a_bad_one() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false);
    let (one, two) = (event("ADDED", "a", "5"), event("ADDED", "b", "6"));
    let (begin, rest) = two.split_at(20);
    let pieces = [&one, begin, rest].map(str::as_bytes);
    assert_eq!(reader.feed_all(&source, pieces), Ok(false));
    assert_eq!(queued(&informer), ["Added a@5", "Added b@6"]);
    let three = event("MODIFIED", "a", "7");
    let pieces = [three.as_bytes(), b"no event\n", one.as_bytes()];
    assert!(reader.feed_all(&source, pieces).is_err());
    assert_eq!(queued(&informer), ["Updated a@7"]);
    assert_eq!(reader.progress().events, 3);
}

#[test]
fn what_others_see_of_the_progress_is_what_is_queued() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, true);
    let progress = reader.shared_progress();
    let seen = || progress.with(|it| (it.events, it.resource_version.clone(), it.synced));
    assert_eq!(seen(), (0, String::new(), false));
    let begin = event("ADDED", "a", "5") + &initial_end("9");
    reader.feed(&source, begin.as_bytes()).expect("events");
    assert_eq!(seen(), (2, "9".to_owned(), true));
    reader
        .feed(&source, event("MODIFIED", "a", "10").as_bytes())
        .expect("an event");
    assert_eq!(seen(), (3, "10".to_owned(), true));
    assert_eq!(progress.try_with(|it| it.events), Some(3));
}

#[test]
fn a_version_that_goes_back_ends_the_stream_and_is_not_accepted() {
    for lower in [
        bookmark("7", "{}"),
        event("ADDED", "b", "7"),
        event("MODIFIED", "a", "7"),
        event("DELETED", "a", "7"),
        event("TELEPORTED", "a", "7"),
    ] {
        let informer = informer();
        let source = informer.add_source();
        let mut reader = WatchReader::new(&source, false, false).not_older_than("8");
        let body = event("ADDED", "a", "8") + &event("MODIFIED", "a", "8") + &lower;
        let body = body + &event("ADDED", "c", "9") + "{\"type\":";
        assert_eq!(reader.feed(&source, body.as_bytes()), Ok(true), "{lower}");
        assert_eq!(reader.feed(&source, body.as_bytes()), Ok(true));
        assert_eq!(reader.finish(&source), Ok(()));
        let progress = reader.progress();
        assert_eq!(progress.went_back_to, "7");
        assert_eq!(progress.resource_version, "8");
        let counts = (progress.events, progress.bookmarks, progress.unknown_events);
        assert_eq!(counts, (2, 0, 0));
        let seen = reader.shared_progress().with(|it| it.went_back_to.clone());
        assert_eq!(seen, "7");
        assert_eq!(queued(&informer), ["Added a@8", "Updated a@8"]);
    }
}

#[test]
fn a_version_below_the_one_that_was_asked_for_goes_back() {
    for (first, over) in [("8", false), ("7", true), ("old", false)] {
        let informer = informer();
        let source = informer.add_source();
        let mut reader = WatchReader::new(&source, false, false).not_older_than("8");
        let fed = reader.feed(&source, event("ADDED", "a", first).as_bytes());
        assert_eq!(fed, Ok(over), "{first}");
        assert_eq!(queued(&informer).is_empty(), over);
    }
}

#[test]
fn versions_that_are_no_numbers_never_go_back() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false).not_older_than("z9");
    for version in ["z9", "a1", "5", "b", "4", "10", "9/3"] {
        let fed = reader.feed(&source, event("MODIFIED", "a", version).as_bytes());
        assert_eq!(fed, Ok(false), "{version}");
    }
    assert_eq!(reader.progress().events, 7);
}

#[test]
fn a_watch_list_of_a_lower_version_than_was_asked_for_is_not_queued() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, true).not_older_than("13");
    // Neither an initial event nor an ordinary bookmark says how new the server is.
    let body = event("ADDED", "a", "5") + &bookmark("11", "{}") + &initial_end("12");
    assert_eq!(reader.feed(&source, body.as_bytes()), Ok(true));
    assert!(!reader.is_synced());
    assert_eq!(reader.progress().went_back_to, "12");
    assert!(queued(&informer).is_empty());
}

#[test]
fn an_event_that_is_cut_off_is_neither_queued_nor_counted() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false);
    let body = event("ADDED", "a", "5") + &event("ADDED", "b", "6")[..40];
    assert_eq!(reader.feed(&source, body.as_bytes()), Ok(false));
    assert!(reader.finish(&source).is_err());
    let progress = reader.progress();
    assert_eq!((progress.events, &*progress.resource_version), (1, "5"));
    assert_eq!(queued(&informer), ["Added a@5"]);
}

#[test]
fn an_error_event_ends_the_stream_and_nothing_behind_it_counts() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, false);
    let gone = r#"{"kind":"Status","code":410}"#;
    let error = format!("{{\"type\":\"ERROR\",\"object\":{gone}}}\n");
    let body = event("ADDED", "a", "5") + &error + &event("ADDED", "b", "6");
    assert_eq!(reader.feed(&source, body.as_bytes()), Ok(true));
    assert_eq!(reader.feed(&source, body.as_bytes()), Ok(true));
    assert_eq!(reader.finish(&source), Ok(()));
    assert_eq!(reader.progress().error.as_deref(), Some(gone.as_bytes()));
    assert_eq!(
        (reader.progress().events, queued(&informer)),
        (1, vec!["Added a@5".to_owned()])
    );
}

#[test]
fn s99_s102_a_watch_list_is_one_list_at_its_end_bookmark() {
    let informer = informer();
    let source = informer.add_source();
    let mut reader = WatchReader::new(&source, false, true);
    let initial = [
        event("ADDED", "a", "5"),
        event("ADDED", "b", "9"),
        event("ADDED", "c", "2"),
        event("MODIFIED", "a", "11"),
        event("DELETED", "b", "12"),
        bookmark("12", r#"{"k8s.io/initial-events-end":"false"}"#),
    ]
    .concat();
    assert_eq!(reader.feed(&source, initial.as_bytes()), Ok(false));
    assert!(!reader.is_synced());
    assert_eq!(
        reader.progress().resource_version,
        "",
        "§103: none to go on from"
    );
    assert!(queued(&informer).is_empty());
    let end = initial_end("13") + &event("ADDED", "d", "14");
    assert_eq!(reader.feed(&source, end.as_bytes()), Ok(false));
    assert!(reader.is_synced());
    assert_eq!(reader.progress().resource_version, "14");
    assert_eq!(queued(&informer), ["list@13 a@11 c@2", "Added d@14"]);
}

#[test]
fn s116_a_watch_from_any_version_has_no_version_before_another_event_than_added() {
    let informer = informer();
    let source = informer.add_source();
    for other in [
        event("MODIFIED", "a", "8"),
        event("DELETED", "a", "8"),
        event("TELEPORTED", "a", "8"),
        bookmark("8", "{}"),
    ] {
        let mut reader = WatchReader::new(&source, false, false).from_any_version();
        let present = event("ADDED", "a", "9") + &event("ADDED", "b", "5");
        assert_eq!(reader.feed(&source, present.as_bytes()), Ok(false));
        assert_eq!(reader.progress().resource_version, "");
        assert_eq!(reader.feed(&source, other.as_bytes()), Ok(false));
        assert_eq!(reader.progress().resource_version, "8");
        let later = event("ADDED", "c", "10");
        assert_eq!(reader.feed(&source, later.as_bytes()), Ok(false));
        assert_eq!(reader.progress().resource_version, "10");
    }
}

#[test]
fn pages_reach_the_queue_as_one_list_when_it_is_committed() {
    let informer = informer();
    let source = informer.add_source();
    let mut relist = Relist::default();
    let pages = [
        page("10", "t", &[object("a", "u", "5"), object("b", "u", "6")]),
        page("11", "", &[object("c", "u", "7")]),
    ];
    for (body, items) in pages.iter().zip([2, 1]) {
        let mut reader = ListReader::new(&source, true);
        let body = chunks(&[&body[..30], &body[30..]]) + "0\r\n\r\n";
        let (start, end) = body.split_at(body.len() - 1);
        let fed = reader.feed(&source, &mut relist, start.as_bytes());
        assert_eq!(fed, Ok(false));
        let fed = reader.feed(&source, &mut relist, end.as_bytes());
        assert_eq!(fed, Ok(true), "the coding says that the body is complete");
        assert_eq!(reader.items(), items);
        assert!(reader.finish().is_ok());
    }
    assert_eq!((relist.len(), queued(&informer).len()), (3, 0));
    relist.commit(&source, "10".to_owned());
    assert_eq!(queued(&informer), ["list@10 a@5 b@6 c@7"]);
}

#[test]
fn a_list_whose_connection_ended_inside_the_chunks_is_truncated() {
    let informer = informer();
    let source = informer.add_source();
    let mut relist = Relist::default();
    let mut reader = ListReader::new(&source, true);
    let body = chunks(&[&page("10", "", &[object("a", "u", "5")])]);
    let fed = reader.feed(&source, &mut relist, body.as_bytes());
    assert_eq!(fed, Ok(false));
    assert!(reader.finish().is_err(), "the last chunk never came");
}

#[test]
fn a_version_that_the_store_holds_is_not_read_into_a_second_copy() {
    let informer = informer();
    let source = informer.add_source();
    let relist = |objects: &[String]| {
        let mut relist = Relist::default();
        let mut reader = ListReader::new(&source, false);
        let body = page("10", "", objects);
        assert!(reader.feed(&source, &mut relist, body.as_bytes()).is_ok());
        assert!(reader.finish().is_ok());
        relist.commit(&source, "10".to_owned());
    };
    let stored = |key: &str| {
        let store = informer.informer().store().read();
        Arc::clone(store.get(key).expect("the object is stored"))
    };
    relist(&[
        object("a", "u", "5"),
        object("b", "u", "6"),
        object("c", "u", "7"),
    ]);
    process(&informer);
    let (a, b) = (stored("a"), stored("b"));

    let restored = object("c", "u", "7").replace("\"v1\"", "\"v1\",\"spec\":{}");
    relist(&[object("a", "u", "5"), object("b", "another", "6"), restored]);
    let queue = informer.informer().queue();
    let mut deltas = queue.pop_batch(1, NOW).expect("the list is queued");
    let DeltaObject::Replacement(list) = deltas.remove(0).object else {
        panic!("a list is one delta");
    };
    assert!(Arc::ptr_eq(&list.objects[0], &a));
    assert!(!Arc::ptr_eq(&list.objects[1], &b));
    assert_eq!(list.objects[1].uid(), "another");
    assert!(
        list.objects[2].plain().section("spec").is_some(),
        "another content under the same uid and version, from a server that was restored"
    );
}

#[test]
fn a_reader_waits_for_room_in_the_queue_until_the_informer_stops() {
    let options = ReadOptions {
        queue_bytes: 0,
        ..ReadOptions::default()
    };
    let informer = ObjectInformer::new(InformerOptions::default(), options);
    let source = informer.add_source();
    assert_eq!(source.wait_for_room(NOW), Ok(()));
    let mut reader = WatchReader::new(&source, false, false);
    let body = event("ADDED", "a", "5");
    assert_eq!(reader.feed(&source, body.as_bytes()), Ok(false));
    assert_eq!(source.wait_for_room(NOW), Err(ReadError::TimedOut));
    process(&informer);
    assert_eq!(source.wait_for_room(NOW), Ok(()));
    informer.informer().stop();
    assert_eq!(source.wait_for_room(None), Err(ReadError::Closed));
}
