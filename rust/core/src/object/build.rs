//! From a scan to an `Object`. Invariant: the text of an object is one allocation of exactly its size, and which members
//! come first and which are cut depends on the object alone, not on the way it came.
use super::spans::{Cut, Fields, Span, Text};
use super::view::ObjectView;
use super::{Object, Sections, Texts, TypeMeta};
use crate::hashing::hash;
use crate::scan::text;
use smallvec::SmallVec;
use std::borrow::Cow;

/// A run of source bytes that is copied, and where it lands.
struct Piece {
    start: u32,
    end: u32,
    to: u32,
}

/// `apiVersion` or `kind`.
struct TypeText<'t> {
    /// As it stands between the quotes of the JSON.
    json: Cow<'t, str>,
    /// What that means, if it is something else.
    plain: Option<Cow<'t, str>>,
}

impl<'t> TypeText<'t> {
    /// The object's own, in its own spelling, or else the default.
    fn new(view: &ObjectView<'t>, own: Text, default: &'t str) -> Self {
        if own.span.start < own.span.end {
            let plain = own.escaped.then(|| view.string(own));
            return Self {
                json: Cow::Borrowed(own.span.of(view.text)),
                plain,
            };
        }
        match text::escape(default) {
            Cow::Borrowed(json) => Self {
                json: Cow::Borrowed(json),
                plain: None,
            },
            json @ Cow::Owned(_) => Self {
                json,
                plain: Some(Cow::Borrowed(default)),
            },
        }
    }
}

const BEFORE_API_VERSION: &str = "{\"apiVersion\":\"";
const BEFORE_KIND: &str = "\",\"kind\":\"";
const BEFORE_BODY: &str = "\",";

fn pieces(
    view: &ObjectView<'_>,
    from: u32,
    keep_managed_fields: bool,
) -> (SmallVec<[Piece; 4]>, u32) {
    let mut pieces = SmallVec::new();
    let (mut start, mut to) = (view.body, from);
    let mut push = |start: &mut u32, end: u32| {
        pieces.push(Piece {
            start: *start,
            end,
            to,
        });
        to += end - *start;
    };
    for cut in view
        .cuts
        .iter()
        .filter(|cut| !(cut.managed && keep_managed_fields))
    {
        let Cut {
            start: cut_start,
            end: cut_end,
            ..
        } = *cut;
        push(&mut start, cut_start);
        start = cut_end;
    }
    push(&mut start, view.text.len() as u32);
    (pieces, to)
}

/// Where source spans are in the copy, and texts that had to be unescaped and stand behind it.
struct Moves<'v, 'a> {
    view: &'v ObjectView<'a>,
    pieces: SmallVec<[Piece; 4]>,
    tail_at: usize,
    tail: String,
}

impl Moves<'_, '_> {
    /// An absent span stays absent, and one that is cut becomes absent. Any other starts where something is kept and
    /// ends where something is kept.
    fn span(&self, span: Span) -> Span {
        if !span.is_present() {
            return span;
        }
        let place = |at: u32| {
            let behind = self.pieces.partition_point(|piece| piece.start <= at);
            let piece = self.pieces[..behind].last()?;
            (at <= piece.end).then_some(piece.to + at - piece.start)
        };
        match (place(span.start), place(span.end)) {
            (Some(start), Some(end)) => Span { start, end },
            _ => Span::default(),
        }
    }

    fn text(&mut self, text: Text) -> Span {
        let kept = self.span(text.span);
        if !text.escaped || !kept.is_present() {
            return kept;
        }
        let unescaped = self.view.string(text);
        self.append(&unescaped)
    }

    fn type_text(&mut self, text: &TypeText<'_>, at: usize) -> Span {
        match &text.plain {
            None => Span::new(at, at + text.json.len()),
            Some(plain) => self.append(plain),
        }
    }

    fn append(&mut self, text: &str) -> Span {
        let start = self.tail_at + self.tail.len();
        self.tail.push_str(text);
        Span::new(start, start + text.len())
    }
}

pub(super) fn object(
    view: &ObjectView<'_>,
    defaults: &TypeMeta,
    keep_managed_fields: bool,
) -> Object {
    let Fields {
        api_version,
        kind,
        metadata,
        spec,
        status,
        meta,
    } = view.fields;
    let api_version = TypeText::new(view, api_version, &defaults.api_version);
    let kind = TypeText::new(view, kind, &defaults.kind);
    let api_version_at = BEFORE_API_VERSION.len();
    let kind_at = api_version_at + api_version.json.len() + BEFORE_KIND.len();
    let body_at = kind_at + kind.json.len() + BEFORE_BODY.len();
    let (pieces, raw_len) = pieces(view, body_at as u32, keep_managed_fields);
    let namespace = view.namespace();
    let name = view.name();
    let separator = if namespace.is_empty() { "" } else { "/" };
    let mut key = SmallVec::<[u8; 128]>::new();
    for part in [&*namespace, separator, &*name] {
        key.extend_from_slice(part.as_bytes());
    }
    let key = std::str::from_utf8(&key).expect("texts follow each other");

    let mut moves = Moves {
        view,
        pieces,
        tail_at: raw_len as usize + key.len(),
        tail: String::new(),
    };
    let texts = Texts {
        api_version: moves.type_text(&api_version, api_version_at),
        kind: moves.type_text(&kind, kind_at),
        uid: moves.text(meta.uid),
        resource_version: moves.text(meta.resource_version),
        deletion_timestamp: moves.text(meta.deletion_timestamp),
        generation: moves.span(meta.generation),
        labels: moves.span(meta.labels),
    };
    let sections = Sections {
        metadata: moves.span(metadata),
        spec: moves.span(spec),
        status: moves.span(status),
        annotations: moves.span(meta.annotations),
        owner_references: moves.span(meta.owner_references),
    };

    // Before the copy: to read what was written last is to wait until all that was written before is in the cache.
    let key_hash = hash(key);
    let mut text = String::with_capacity(moves.tail_at + moves.tail.len());
    for part in [
        BEFORE_API_VERSION,
        &*api_version.json,
        BEFORE_KIND,
        &*kind.json,
        BEFORE_BODY,
    ] {
        text.push_str(part);
    }
    for piece in &moves.pieces {
        text.push_str(&view.text[piece.start as usize..piece.end as usize]);
    }
    for part in [key, &*moves.tail] {
        text.push_str(part);
    }
    let namespace_len = namespace.len() as u32;
    Object::from_parts(
        text,
        raw_len,
        namespace_len,
        (key_hash, key.len() as u32),
        texts,
        sections,
    )
}
