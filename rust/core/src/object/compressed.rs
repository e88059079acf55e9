//! Objects whose JSON is compressed. Invariant: nobody can tell a compressed object from the one that it was made of, but by
//! its size and the time that it takes; identity, versions, types and labels are at hand without decompression.
use super::scanner::Scanner;
use super::spans::{Fields, Span};
use super::{Body, Dictionary, Object, Sections, Texts};
use std::sync::Arc;

pub(super) struct Compressed {
    frame: Box<[u8]>,
    dictionary: Arc<Dictionary>,
    raw_len: u32,
}

impl Compressed {
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// The object of which this is the body, with its JSON.
    pub fn decompress(&self, object: &Object) -> Object {
        let mut bytes = Vec::with_capacity(self.raw_len as usize + object.text.len());
        self.dictionary.decompress(&self.frame, &mut bytes);
        let (sections, labels) = sections(&bytes);
        let mut text = String::from_utf8(bytes).expect("an object's JSON is UTF-8");
        text.push_str(&object.text);
        Object {
            text: text.into_boxed_str(),
            key_at: self.raw_len,
            // The labels lead into the JSON, as those of any plain object: paths are followed from there.
            texts: Texts {
                labels,
                ..object.texts.moved(self.raw_len)
            },
            body: Body::Plain(sections),
            ..*object
        }
    }
}

/// A scan of an object's own JSON, which has nothing to move or to cut. The second is where the labels are.
fn sections(json: &[u8]) -> (Sections, Span) {
    let mut scanner = Scanner::new(json);
    scanner
        .object()
        .expect("an object's JSON was scanned before");
    let Fields {
        metadata,
        spec,
        status,
        meta,
        ..
    } = scanner.fields;
    let sections = Sections {
        metadata,
        spec,
        status,
        annotations: meta.annotations,
        owner_references: meta.owner_references,
    };
    (sections, meta.labels)
}

impl Texts {
    fn map(&self, mut place: impl FnMut(Span) -> Span) -> Self {
        let mut place = |span: Span| if span.is_present() { place(span) } else { span };
        Self {
            api_version: place(self.api_version),
            kind: place(self.kind),
            uid: place(self.uid),
            resource_version: place(self.resource_version),
            deletion_timestamp: place(self.deletion_timestamp),
            generation: place(self.generation),
            labels: place(self.labels),
        }
    }

    fn moved(&self, by: u32) -> Self {
        self.map(|span| Span {
            start: span.start + by,
            end: span.end + by,
        })
    }
}

impl Object {
    /// Whether the JSON is compressed.
    pub fn is_compressed(&self) -> bool {
        matches!(self.body, Body::Compressed(_))
    }

    /// The object with its JSON compressed; None if it is already, or would not become smaller.
    pub fn compressed(&self, dictionary: &Arc<Dictionary>) -> Option<Self> {
        let raw_len = match self.body {
            Body::Plain(_) => self.key_at,
            Body::Compressed(_) => return None,
        };
        let frame = dictionary.compress(&self.text.as_bytes()[..raw_len as usize]);
        let mut text = String::from(self.key());
        let texts = self.texts.map(|span| {
            let start = text.len();
            text.push_str(self.part(span));
            Span::new(start, text.len())
        });
        text.push_str(self.source_digits());
        let is_smaller = text.len() + frame.len() < self.text.len();
        is_smaller.then(|| Self {
            text: text.into_boxed_str(),
            key_at: 0,
            texts,
            body: Body::Compressed(Compressed {
                frame,
                dictionary: Arc::clone(dictionary),
                raw_len,
            }),
            ..*self
        })
    }

    /// Length of the JSON.
    pub fn raw_len(&self) -> usize {
        let length = match &self.body {
            Body::Plain(_) => self.key_at,
            Body::Compressed(compressed) => compressed.raw_len,
        };
        length as usize
    }

    /// Whether both have the same JSON, byte for byte.
    pub fn same_bytes(&self, other: &Self) -> bool {
        // The version is one of the bytes, and needs no decompression.
        if self.raw_len() != other.raw_len() || self.resource_version() != other.resource_version()
        {
            return false;
        }
        if let (Body::Compressed(own), Body::Compressed(others)) = (&self.body, &other.body) {
            if Arc::ptr_eq(&own.dictionary, &others.dictionary) && own.frame == others.frame {
                return true;
            }
        }
        self.plain().raw() == other.plain().raw()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Plain, TypeMeta};
    use super::*;
    use crate::path::{JsonValue, Path, PathSet};

    fn object(number: u32) -> Object {
        let json = format!(
            r#"{{"metadata":{{"name":"web-{number}","namespace":"shop","uid":"u{number}","resourceVersion":"{number}",
            "generation":3,"labels":{{"app":"web"}},"annotations":{{"note":"{}"}},"finalizers":["f"],
            "ownerReferences":[{{"kind":"ReplicaSet","name":"web","controller":true}}]}},
            "spec":{{"nodeName":"n{number}"}},"status":{{"phase":"Running"}}}}"#,
            "n".repeat(400)
        );
        Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap()
    }

    fn dictionary(numbers: std::ops::Range<u32>) -> Arc<Dictionary> {
        let samples: Vec<Object> = numbers.map(object).collect();
        let samples: Vec<_> = samples.iter().map(Object::plain).collect();
        let samples = samples.iter().map(Plain::raw);
        Arc::new(Dictionary::train(samples))
    }

    #[test]
    fn it_is_small_and_tells_the_same() {
        for samples in [0..1, 0..3, 0..500] {
            let dictionary = dictionary(samples);
            let (plain, compressed) = (object(7), object(7).compressed(&dictionary).unwrap());
            assert!(compressed.is_compressed() && !plain.is_compressed());
            assert!(compressed.heap_size() < plain.heap_size() - 500);
            assert_eq!(format!("{compressed:?}"), format!("{plain:?}"));
            assert_eq!(compressed.generation(), Some(3));
            assert_eq!(compressed.label("app").as_deref(), Some("web"));
            assert_eq!(compressed.plain().json(), plain.plain().json());
            let decompressed = compressed.plain();
            assert_eq!(
                decompressed.section("spec"),
                Some(&br#"{"nodeName":"n7"}"#[..])
            );
            assert_eq!(decompressed.finalizers().collect::<Vec<_>>(), ["f"]);
            assert_eq!(&*decompressed.controller_owner().unwrap().name, "web");
            assert_eq!(decompressed.annotation("note").unwrap().len(), 400);
            assert_eq!(decompressed.key_hash(), plain.key_hash());
        }
    }

    #[test]
    fn paths_lead_into_it_as_into_any_other() {
        let dictionary = dictionary(0..200);
        let paths = [
            "metadata.labels['app']",
            "metadata.annotations['note']",
            "metadata.ownerReferences[*].name",
            "metadata.name",
            "spec.nodeName",
            "status.phase",
        ];
        let paths = paths.map(|path| Path::compile(path).unwrap());
        for some in [&paths[..3], &paths[4..], &paths[..1], &paths[..]] {
            let set = PathSet::new(some.to_vec());
            let values = |object: &Object| {
                let mut values = Vec::new();
                let sink = |path, value: JsonValue<'_>| values.push((path, format!("{value:?}")));
                set.extract(object, sink).unwrap();
                values.sort();
                values
            };
            let found = values(&object(7));
            assert_eq!(found.len(), some.len());
            assert_eq!(values(&object(7).compressed(&dictionary).unwrap()), found);
        }
    }

    #[test]
    fn what_would_grow_stays_as_it_is() {
        let dictionary = Arc::new(Dictionary::train([]));
        let json = br#"{"metadata":{"name":"a"}}"#;
        let tiny = Object::parse(json, &TypeMeta::new("v1", "Pod"), false).unwrap();
        assert!(tiny.compressed(&dictionary).is_none());
    }

    #[test]
    fn same_bytes_whatever_compressed_them() {
        let (one, other) = (dictionary(0..200), dictionary(200..600));
        let same = [
            object(1),
            object(1).compressed(&one).unwrap(),
            object(1).compressed(&one).unwrap(),
            object(1).compressed(&other).unwrap(),
        ];
        let changed = object(1).plain().json().replace("n1", "n2");
        let changed = || Object::parse(changed.as_bytes(), &TypeMeta::default(), false).unwrap();
        for left in &same {
            assert!(same.iter().all(|right| left.same_bytes(right)));
            assert!(!left.same_bytes(&object(2)));
            assert!(!left.same_bytes(&changed()), "same length, uid and version");
            assert!(!left.same_bytes(&changed().compressed(&one).unwrap()));
        }
    }

    #[test]
    fn what_was_made_of_an_object_is_known_again() {
        let dictionary = dictionary(0..200);
        let source = object(1).compressed(&dictionary).unwrap();
        let json = object(1).plain().json().replace("Running", "Pending");
        let made = source.made_into(json.as_bytes()).unwrap();
        let made = made.compressed(&dictionary).unwrap();
        assert!(made.compressed(&dictionary).is_none());
        assert!(made.is_compressed() && made.is_made());
        assert!(made.is_made_of(&source) && made.is_made_of(&object(1)));
        assert!(!made.is_made_of(&object(2)));
        assert_eq!(made.plain().json(), json);
        assert!(made.into_plain().is_made_of(&source));
    }

    #[test]
    fn the_handle_of_an_object_is_160_bytes() {
        assert_eq!(size_of::<Object>(), 144);
    }
}
