//! When an informer's objects become compressed, and that nothing else changes.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::index_func::IndexFunc;
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::listener::{Backlog, Listener, Popped};
use kubeinformer_core::object::Object;
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, Processed};
use kubeinformer_core::path::Path;
use kubeinformer_core::source::{
    ListReader, ReadOptions, Relist, Source, Transformer, WatchReader,
};

const NOW: Option<Duration> = Some(Duration::ZERO);
const SAMPLES: usize = 20;

struct Setup {
    informer: ObjectInformer,
    source: Source,
    handler: Arc<Listener<Object>>,
}

impl Setup {
    fn new() -> Self {
        let options = ReadOptions {
            dictionary_samples: Some(SAMPLES),
            ..ReadOptions::default()
        };
        let informer = ObjectInformer::new(InformerOptions::default(), options);
        let node = IndexFunc::Path(Path::compile("spec.nodeName").unwrap());
        let new = vec![("node".to_owned(), Indexer::Declared(node))];
        let pending = informer.begin_add_indexers(new).unwrap();
        informer.finish_add_indexers(pending, &Vec::new());
        let source = informer.add_source();
        let handler = informer.informer().add_listener(Backlog::default(), None);
        informer.informer().start();
        Self {
            informer,
            source,
            handler: handler.expect("it runs"),
        }
    }

    /// Processes what is queued, with a transform that takes the status away; how many objects that saw.
    fn process(&self) -> usize {
        let mut seen = 0;
        while let Processed::Untransformed(mut pending) = self.informer.process(NOW) {
            for (object, _) in pending.next(usize::MAX) {
                seen += 1;
                let plain = object.plain();
                let (json, _) = plain.json().rsplit_once(",\"status\"").unwrap();
                let made = format!("{json}}}");
                assert_eq!(pending.give(&[Some(made.as_bytes())]), [None]);
            }
            self.informer.settle(&mut pending);
            assert!(self.informer.transformed(pending).is_none());
        }
        seen
    }

    fn list(&self, objects: &[String]) -> usize {
        let (mut relist, mut reader) = (Relist::default(), ListReader::new(&self.source, false));
        let items = objects.join(",");
        let body = format!(
            r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"10"}},"items":[{items}]}}"#
        );
        for piece in body.as_bytes().chunks(700) {
            reader.feed(&self.source, &mut relist, piece).unwrap();
        }
        reader.finish().unwrap();
        relist.commit(&self.source, "10".to_owned());
        self.process()
    }

    fn watch(&self, reader: &mut WatchReader, events: &[(&str, String)]) {
        let line = |(kind, object): &(&str, String)| {
            format!(
                "{{\"type\":\"{kind}\",\"object\":{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",{}}}\n",
                &object[1..]
            )
        };
        let lines: String = events.iter().map(line).collect();
        reader.feed(&self.source, lines.as_bytes()).unwrap();
        self.process();
    }

    fn stored(&self, number: usize) -> Arc<Object> {
        let view = self.informer.informer().store().read();
        Arc::clone(
            view.get(&format!("shop/web-{number}"))
                .expect("it is stored"),
        )
    }

    fn compressed(&self) -> usize {
        let view = self.informer.informer().store().read();
        view.objects().filter(|it| it.is_compressed()).count()
    }

    fn told(&self) -> usize {
        match self.handler.pop_batch(usize::MAX, NOW) {
            Popped::Notifications(batch) => batch.len(),
            _ => 0,
        }
    }

    /// The store has these, by key and by index.
    fn check(&self, objects: &[String]) {
        let view = self.informer.informer().store().read();
        assert_eq!(view.len(), objects.len());
        for (number, json) in objects.iter().enumerate() {
            let object = view.get(&format!("shop/web-{number}")).unwrap();
            let raw = format!("{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",{}", &json[1..]);
            assert_eq!(object.plain().json(), raw);
            let node = format!("n{}", number % 3);
            let under = view.by_index("node", &node).unwrap();
            assert!(under.into_iter().any(|it| Arc::ptr_eq(it, object)));
        }
    }
}

fn pod(number: usize, version: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"u{number}","resourceVersion":"{version}","annotations":{{"note":"{}"}}}},"spec":{{"nodeName":"n{}"}},"status":{{"phase":"Running"}}}}"#,
        "a note as long as others are ".repeat(9),
        number % 3
    )
}

fn pods(count: usize) -> Vec<String> {
    (0..count).map(|number| pod(number, 1)).collect()
}

#[test]
fn a_first_list_is_compressed_as_a_whole_and_a_relist_shares_it() {
    for count in [SAMPLES / 10, SAMPLES - 1, SAMPLES, 3 * SAMPLES] {
        let setup = Setup::new();
        setup.list(&pods(count));
        assert_eq!((setup.compressed(), setup.told()), (count, count));
        setup.check(&pods(count));
        let before = setup.stored(1);
        setup.list(&pods(count));
        assert!(Arc::ptr_eq(&before, &setup.stored(1)));
        assert_eq!(setup.told(), 0);
    }
}

#[test]
fn what_changed_at_the_same_version_is_told() {
    let setup = Setup::new();
    setup.list(&pods(30));
    setup.told();
    let mut restored = pods(30);
    restored[7] = restored[7].replace("Running", "Pending");
    setup.list(&restored);
    assert_eq!(setup.told(), 1);
    setup.check(&restored);
}

#[test]
fn an_event_is_compressed_and_a_watch_list_too() {
    let setup = Setup::new();
    let mut reader = WatchReader::new(&setup.source, false, true);
    let mut all: Vec<_> = pods(50).into_iter().map(|pod| ("ADDED", pod)).collect();
    all.insert(30, ("DELETED", pod(2, 1)));
    all.insert(31, ("ADDED", pod(2, 1)));
    setup.watch(&mut reader, &all);
    assert_eq!(setup.compressed(), 0, "nothing before the end");
    let end = r#"{"metadata":{"resourceVersion":"10","annotations":{"k8s.io/initial-events-end":"true"}}}"#;
    setup.watch(&mut reader, &[("BOOKMARK", end.to_owned())]);
    assert_eq!(setup.compressed(), 50);
    setup.check(&pods(50));
    setup.watch(&mut reader, &[("MODIFIED", pod(3, 11))]);
    assert!(setup.stored(3).is_compressed());
    assert_eq!(setup.stored(3).resource_version(), "11");
}

#[test]
fn an_informer_that_listed_nothing_learns_from_its_store() {
    let setup = Setup::new();
    setup.list(&[pod(0, 1)]);
    let mut reader = WatchReader::new(&setup.source, false, false);
    for number in 1..SAMPLES + 5 {
        setup.watch(&mut reader, &[("ADDED", pod(number, 1))]);
        // What fills the store is not in it yet when it is read.
        assert_eq!(setup.stored(number).is_compressed(), number > SAMPLES);
    }
    setup.check(&pods(SAMPLES + 5));
    // What was plain stays the same object, and is compressed with its next version.
    let before = setup.stored(4);
    setup.list(&pods(SAMPLES + 5));
    assert!(Arc::ptr_eq(&before, &setup.stored(4)) && !before.is_compressed());
    setup.watch(&mut reader, &[("MODIFIED", pod(4, 12))]);
    assert!(setup.stored(4).is_compressed());
}

#[test]
fn what_a_transform_made_is_compressed_and_known_again() {
    let setup = Setup::new();
    setup
        .informer
        .set_transformer(Some(Transformer::External { cuts: None }));
    assert_eq!(setup.list(&pods(40)), 40);
    assert_eq!((setup.compressed(), setup.told()), (40, 40));
    assert_eq!(setup.stored(1).plain().section("status"), None);
    let before = setup.stored(1);
    assert_eq!(setup.list(&pods(40)), 0, "the same bytes");
    assert!(Arc::ptr_eq(&before, &setup.stored(1)));
    let mut changed = pods(40);
    changed[1] = pod(1, 2);
    assert_eq!(setup.list(&changed), 1);
    assert_eq!(setup.told(), 1);
}
