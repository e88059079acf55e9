//! Declared transforms: what is left out of an object while it is read. Invariant: what stays is what is there after a
//! decoder that takes the last of duplicate keys has read the object and the paths were taken out of it (or all but
//! them), in the order of the document; `apiVersion`, `kind` and `metadata`'s `name`, `namespace`, `uid` and
//! `resourceVersion` always stay.
//!
//! Elements of an array that go close up: behind them `[1]` is another one than before.
use crate::error::Fault;
use crate::object::spans::Cut;
use crate::object::ObjectView;
use crate::path::{Node, Path, PathError, PathSet, Segment};
use crate::scan::cursor::Cursor;
use smallvec::SmallVec;

/// What the cache and the informers cannot do without.
const IDENTITY: [&[&str]; 6] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
];

/// Paths that are left out, or all that is kept.
#[derive(Debug)]
pub struct Transform {
    paths: PathSet,
    keeps: bool,
}

impl Transform {
    /// Leaves out what these paths lead to. The error is a path that leads to a part of the object's identity, or to
    /// something that holds one.
    pub fn drop(paths: Vec<Path>) -> Result<Self, PathError> {
        if let Some(path) = paths.iter().find(|path| holds_identity(path)) {
            return Err(PathError {
                text: path.to_string(),
                position: 0,
                message: "apiVersion, kind and metadata's name, namespace, uid and resourceVersion cannot be left out"
                    .to_owned(),
            });
        }
        Ok(Self {
            paths: PathSet::new(paths),
            keeps: false,
        })
    }

    /// Leaves out everything but the identity and what these paths lead to. Objects and arrays on the way stay, empty if
    /// nothing in them does.
    pub fn keep(mut paths: Vec<Path>) -> Self {
        // apiVersion and kind are put in front of each object, whatever becomes of the members themselves.
        paths.extend(
            IDENTITY[2..]
                .iter()
                .map(|keys| Path::of_keys(keys.iter().copied())),
        );
        Self {
            paths: PathSet::new(paths),
            keeps: true,
        }
    }

    /// What goes, in order of position and not overlapping, with the members that move to the front; and where the first
    /// member starts that stays in place.
    pub(crate) fn cuts(
        &self,
        view: &ObjectView<'_>,
        keep_managed_fields: bool,
    ) -> Result<(SmallVec<[Cut; 4]>, u32), Fault> {
        let mut walk = Walk {
            nodes: self.paths.nodes(),
            keeps: self.keeps,
            view,
            keep_managed_fields,
            managed_fields_seen: false,
            cursor: Cursor::new(view.bytes(), 1),
            cuts: SmallVec::new(),
            body: 0,
        };
        walk.members(&[&walk.nodes[0]], Place::Object)?;
        let Walk {
            mut cuts,
            body,
            managed_fields_seen,
            ..
        } = walk;
        if !managed_fields_seen && !keep_managed_fields {
            cuts.extend(view.cuts.iter().filter(|cut| cut.managed).copied());
        }
        cuts.sort_unstable_by_key(|cut| cut.start);
        // Parts of what goes as a whole were found first.
        let mut end = body;
        cuts.retain(|cut| {
            let alone = cut.start >= end;
            end = end.max(cut.end);
            alone
        });
        cuts.iter_mut().for_each(|cut| cut.managed = false);
        Ok((cuts, body))
    }
}

fn holds_identity(path: &Path) -> bool {
    IDENTITY.iter().any(|keys| {
        let mut keys = keys.iter();
        path.segments().iter().all(|segment| match segment {
            Segment::Key(key) => keys.next() == Some(&&**key),
            Segment::Index(_) | Segment::Each => false,
        })
    })
}

/// Which members get more than the paths say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Those of the object: apiVersion and kind move.
    Object,
    /// Those of metadata: managedFields have an option of their own.
    Metadata,
    Elsewhere,
}

/// A member or an element.
#[derive(Clone, Copy)]
struct Part {
    start: u32,
    end: u32,
    stays: bool,
    /// The place that it is, for the first of the paths that lead into it.
    node: Option<usize>,
}

/// The places where several paths are at one moment: more than one only for `[0]` beside `[*]`.
type Nodes<'s> = SmallVec<[&'s Node; 2]>;

struct Walk<'s, 'v> {
    nodes: &'s [Node],
    keeps: bool,
    view: &'s ObjectView<'v>,
    keep_managed_fields: bool,
    /// Whether the members of metadata were looked at one by one.
    managed_fields_seen: bool,
    cursor: Cursor<'v>,
    cuts: SmallVec<[Cut; 4]>,
    body: u32,
}

/// The recursion is as deep as the longest path (at most 64), however deep the document is.
impl<'s> Walk<'s, '_> {
    /// Consumes a value; whether it stays, without what was cut out of it.
    fn value(&mut self, at: &[&'s Node], place: Place) -> Result<bool, Fault> {
        if at.is_empty() || at.iter().any(|node| !node.ends.is_empty()) {
            self.skip()?;
            return Ok(at.is_empty() != self.keeps);
        }
        match self.cursor.peek()? {
            b'{' if at.iter().any(|node| !node.keys.is_empty()) => {
                self.cursor.pos += 1;
                self.members(at, place)?;
            }
            b'[' if at
                .iter()
                .any(|node| !node.indices.is_empty() || node.each.is_some()) =>
            {
                self.cursor.pos += 1;
                self.elements(at)?;
            }
            _ => {
                self.skip()?;
                return Ok(!self.keeps);
            }
        }
        Ok(true)
    }

    /// Consumes a value as it is.
    fn skip(&mut self) -> Result<(), Fault> {
        let fields = &self.view.fields;
        for known in [fields.metadata, fields.spec, fields.status] {
            if known.start as usize == self.cursor.pos {
                self.cursor.pos = known.end as usize;
                return Ok(());
            }
        }
        self.cursor.skip_value().map(drop)
    }

    /// Consumes the members of an object whose `{` was consumed.
    fn members(&mut self, at: &[&'s Node], place: Place) -> Result<(), Fault> {
        self.managed_fields_seen |= place == Place::Metadata;
        let mut parts: SmallVec<[Part; 16]> = SmallVec::new();
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            let name = self.cursor.key(key);
            let under = |node: &&Node| {
                let found = node.keys.iter().find(|(key, _)| key.as_bytes() == &*name)?;
                Some(found.1)
            };
            let node = at.iter().find_map(under);
            let nodes = self.nodes;
            let inner: Nodes<'s> = at
                .iter()
                .filter_map(under)
                .map(|next| &nodes[next])
                .collect();
            let stays = match (place, &*name) {
                (Place::Object, b"apiVersion" | b"kind") => {
                    self.skip()?;
                    false
                }
                (Place::Metadata, b"managedFields") if !self.keep_managed_fields => {
                    self.skip()?;
                    false
                }
                (Place::Object, b"metadata") => self.value(&inner, Place::Metadata)?,
                _ => self.value(&inner, Place::Elsewhere)?,
            };
            if self.keeps && !stays && node.is_some() {
                // The last of duplicate keys counts, also when nothing of it is kept.
                parts
                    .iter_mut()
                    .filter(|part| part.node == node)
                    .for_each(|part| part.stays = false);
            }
            parts.push(Part {
                start: key.start as u32 - 1,
                end: self.cursor.pos as u32,
                stays,
                node,
            });
        }
        if place == Place::Object {
            let stays = parts.iter().position(|part| part.stays);
            // metadata stays, always.
            let front = stays.unwrap_or(parts.len());
            self.body = parts.get(front).map_or(0, |part| part.start);
            self.cut(&parts[front..]);
        } else {
            self.cut(&parts);
        }
        Ok(())
    }

    /// Consumes the elements of an array whose `[` was consumed.
    fn elements(&mut self, at: &[&'s Node]) -> Result<(), Fault> {
        let mut parts: SmallVec<[Part; 16]> = SmallVec::new();
        let mut first = true;
        let mut index = 0;
        while self.cursor.next_element(&mut first)? {
            let start = self.cursor.pos as u32;
            let mut inner = Nodes::new();
            for node in at {
                let place = node
                    .indices
                    .binary_search_by_key(&index, |(place, _)| *place);
                let at_index = place.ok().map(|place| node.indices[place].1);
                let nodes = self.nodes;
                inner.extend(
                    at_index
                        .into_iter()
                        .chain(node.each)
                        .map(|next| &nodes[next]),
                );
            }
            let stays = self.value(&inner, Place::Elsewhere)?;
            parts.push(Part {
                start,
                end: self.cursor.pos as u32,
                stays,
                node: None,
            });
            index += 1;
        }
        self.cut(&parts);
        Ok(())
    }

    /// Cuts each run of parts that go, with the comma on its one side: the one before it, if something before it stays.
    fn cut(&mut self, parts: &[Part]) {
        let mut before: Option<u32> = None;
        let mut parts = parts.iter().peekable();
        while let Some(part) = parts.next() {
            if part.stays {
                before = Some(part.end);
                continue;
            }
            let mut last = part;
            while let Some(next) = parts.next_if(|next| !next.stays) {
                last = next;
            }
            let (start, end) = match (before, parts.peek()) {
                (Some(before), _) => (before, last.end),
                (None, Some(next)) => (part.start, next.start),
                (None, None) => (part.start, last.end),
            };
            self.cuts.push(Cut {
                start,
                end,
                managed: false,
            });
        }
    }
}

#[cfg(test)]
mod tests;
