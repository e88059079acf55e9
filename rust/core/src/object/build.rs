//! From a scan to an `Object`. Invariant: the text of an object is one allocation of exactly its size, and which members
//! come first and which are cut depends on the object alone, not on the way it came.
use super::view::{Cut, Fields, ObjectView, Span, Text};
use super::{Object, TypeMeta};
use crate::scan::text;
use smallvec::SmallVec;

/// Where the fields are in the text of an [`Object`]; absent ones start at 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spans {
    pub api_version: Span,
    pub kind: Span,
    pub uid: Span,
    pub resource_version: Span,
    pub deletion_timestamp: Span,
    pub metadata: Span,
    pub spec: Span,
    pub status: Span,
    pub generation: Span,
    pub labels: Span,
    pub annotations: Span,
    pub owner_references: Span,
    pub finalizers: Span,
}

/// A run of source bytes that is copied, and where it lands.
struct Piece {
    start: u32,
    end: u32,
    to: u32,
}

/// What stands before the first member that stays in place.
struct Head {
    text: String,
    api_version: Span,
    kind: Span,
}

const API_VERSION: &str = "{\"apiVersion\":";
const KIND: &str = ",\"kind\":";

/// The string of the object, quotes and escapes as they stand, or else the default.
fn push_type(out: &mut String, view: &ObjectView<'_>, own: Text, default: &str) -> Span {
    let start = out.len();
    if own.span.start < own.span.end {
        out.push_str(&view.text[own.span.start as usize - 1..=own.span.end as usize]);
    } else {
        text::push_quoted(out, default);
    }
    Span::new(start + 1, out.len() - 1)
}

fn head(view: &ObjectView<'_>, defaults: &TypeMeta) -> Head {
    let mut text = String::with_capacity(128);
    text.push_str(API_VERSION);
    let api_version = push_type(
        &mut text,
        view,
        view.fields.api_version,
        &defaults.api_version,
    );
    text.push_str(KIND);
    let kind = push_type(&mut text, view, view.fields.kind, &defaults.kind);
    text.push(',');
    Head {
        text,
        api_version,
        kind,
    }
}

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
    raw_len: u32,
    tail: String,
}

impl Moves<'_, '_> {
    /// An absent span stays absent. A span starts where something is kept and ends where something is kept.
    fn span(&self, span: Span) -> Span {
        if !span.is_present() {
            return span;
        }
        let place = |at: u32| {
            let piece = self
                .pieces
                .iter()
                .find(|piece| piece.start <= at && at <= piece.end);
            piece.map_or(0, |piece| piece.to + at - piece.start)
        };
        Span {
            start: place(span.start),
            end: place(span.end),
        }
    }

    fn text(&mut self, text: Text) -> Span {
        if !text.escaped {
            return self.span(text.span);
        }
        let unescaped = self.view.string(text);
        self.append(&unescaped)
    }

    fn append(&mut self, text: &str) -> Span {
        let start = self.raw_len as usize + self.tail.len();
        self.tail.push_str(text);
        Span::new(start, start + text.len())
    }
}

pub(super) fn object(
    view: &ObjectView<'_>,
    defaults: &TypeMeta,
    keep_managed_fields: bool,
) -> Object {
    let head = head(view, defaults);
    let (pieces, raw_len) = pieces(view, head.text.len() as u32, keep_managed_fields);
    let namespace = view.namespace();
    let name = view.name();
    let separator = usize::from(!namespace.is_empty());
    let key_len = namespace.len() + separator + name.len();

    let Fields {
        api_version,
        kind,
        metadata,
        spec,
        status,
        meta,
    } = view.fields;
    let mut moves = Moves {
        view,
        pieces,
        raw_len: raw_len + key_len as u32,
        tail: String::new(),
    };
    let spans = Spans {
        api_version: if api_version.escaped {
            moves.text(api_version)
        } else {
            head.api_version
        },
        kind: if kind.escaped {
            moves.text(kind)
        } else {
            head.kind
        },
        uid: moves.text(meta.uid),
        resource_version: moves.text(meta.resource_version),
        deletion_timestamp: moves.text(meta.deletion_timestamp),
        metadata: moves.span(metadata),
        spec: moves.span(spec),
        status: moves.span(status),
        generation: moves.span(meta.generation),
        labels: moves.span(meta.labels),
        annotations: moves.span(meta.annotations),
        owner_references: moves.span(meta.owner_references),
        finalizers: moves.span(meta.finalizers),
    };

    let mut text = String::with_capacity(raw_len as usize + key_len + moves.tail.len());
    text.push_str(&head.text);
    for piece in &moves.pieces {
        text.push_str(&view.text[piece.start as usize..piece.end as usize]);
    }
    text.push_str(&namespace);
    if separator == 1 {
        text.push('/');
    }
    text.push_str(&name);
    text.push_str(&moves.tail);
    Object::from_parts(text, raw_len, namespace.len() as u32, key_len as u32, spans)
}
