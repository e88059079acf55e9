//! Selectors that make an index of a label beside the processor, a user's indices and a snapshot.

use std::sync::Arc;

use kubeinformer_core::index_func::IndexFunc;
use kubeinformer_core::informer::InformerOptions;
use kubeinformer_core::object::{Object, TypeMeta};
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, Processed, Selection};
use kubeinformer_core::resource_version::ResourceVersion;
use kubeinformer_core::selector::Selector;
use kubeinformer_core::source::ReadOptions;
use kubeinformer_core::store::Cut;
use shuttle::thread;

use super::{check, A, LONG};

/// More than a list searches.
const MANY: usize = 100_000;

fn object(name: &str, version: usize) -> Arc<Object> {
    let json = format!(
        r#"{{"metadata":{{"name":"{name}","uid":"u","resourceVersion":"{version}","labels":{{"app":"v{version}"}}}}}}"#
    );
    let meta = TypeMeta::new("v1", "Pod");
    Arc::new(Object::parse(json.as_bytes(), &meta, false).unwrap())
}

/// The processor, until the informer is stopped.
fn process(informer: &ObjectInformer) {
    loop {
        match informer.process(LONG) {
            Processed::Pending(mut pending) => {
                while let Err(again) = informer.commit(pending, &Vec::new()) {
                    pending = again;
                }
            }
            Processed::Closed => return,
            _ => panic!("there is no transform, and no time is over"),
        }
    }
}

fn wait(informer: &ObjectInformer, version: &str) {
    let version = ResourceVersion::parse(version).unwrap();
    let waited = informer
        .informer()
        .wait_for_resource_version(version, None, None);
    assert!(waited.is_ok());
}

fn found(cut: &Cut<Object>, selector: &Selector) -> Vec<String> {
    let selection = Selection {
        selector: Some(selector),
        namespace: None,
    };
    let objects = selection.candidates(cut).objects();
    let mut keys: Vec<_> = objects.iter().map(|it| it.key().to_owned()).collect();
    keys.sort();
    keys
}

fn searched(cut: &Cut<Object>, selector: &Selector) -> Vec<String> {
    let objects = cut.objects().filter(|object| selector.matches(object));
    let mut keys: Vec<_> = objects.map(|it| it.key().to_owned()).collect();
    keys.sort();
    keys
}

#[test]
fn an_index_of_a_label_is_whole_and_in_nobodys_way() {
    check(10_000, || {
        let informer = ObjectInformer::new(InformerOptions::default(), ReadOptions::default());
        let informer = Arc::new(informer);
        let selector = Arc::new(Selector::parse("app in (v1,v2,v4)").unwrap());
        let queue = informer.informer().queue();
        queue.replace(A, "1".to_owned(), vec![object("a", 1), object("b", 1)]);
        let processor = thread::spawn({
            let informer = Arc::clone(&informer);
            move || process(&informer)
        });
        wait(&informer, "1");
        informer.index_labels(&selector, MANY);
        let spawn = |work: fn(&ObjectInformer, &Selector)| {
            let (informer, selector) = (Arc::clone(&informer), Arc::clone(&selector));
            thread::spawn(move || work(&informer, &selector))
        };
        let threads = [
            spawn(|informer, _| {
                let queue = informer.informer().queue();
                queue.update(A, object("a", 2));
                queue.update(A, object("b", 3));
                queue.update(A, object("c", 4));
                wait(informer, "4");
            }),
            spawn(|informer, selector| {
                informer.index_labels(selector, MANY);
                let view = informer.informer().store().read();
                assert_eq!(found(&view, selector), searched(&view, selector));
            }),
            spawn(|informer, selector| {
                let snapshot = informer.informer().store().snapshot();
                informer.index_labels(selector, MANY);
                assert_eq!(found(&snapshot, selector), searched(&snapshot, selector));
            }),
            spawn(|informer, _| {
                let function = IndexFunc::Label("app".into());
                let new = vec![
                    ("user".to_owned(), Indexer::Declared(function)),
                    ("python".to_owned(), Indexer::External),
                ];
                // Nobody else is a user: it is never told to come again.
                let pending = informer.begin_add_indexers(new).ok().unwrap();
                informer.finish_add_indexers(pending, &Vec::new());
            }),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        informer.informer().stop();
        processor.join().unwrap();
        informer.index_labels(&selector, MANY);
        informer.index_labels(&selector, MANY);
        let view = informer.informer().store().read();
        let selection = Selection {
            selector: Some(&selector),
            namespace: None,
        };
        assert_eq!(selection.candidates(&view).count(), 2, "there is the index");
        assert_eq!(found(&view, &selector), ["a", "c"]);
        assert_eq!(view.count_by_index("user", "v2"), Ok(1));
        assert_eq!(view.count_by_index("user", "v3"), Ok(1));
    });
}
