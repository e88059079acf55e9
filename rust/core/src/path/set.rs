//! Many paths in one pass. Invariant: what comes out for each path is what a decoder that takes the last of duplicate keys
//! would find there, in the order of the document; the pass goes through a value again only if two paths lead into it in different ways
//! (`[0]` and `[*]`), and through what no path leads into only to find its end. Where a scan has noted the parts of an object that
//! the paths lead into, the pass begins there and sees nothing else.
use super::{JsonValue, Path, Segment};
use crate::error::{Fault, ScanError, ScanErrorKind};
use crate::object::spans::{Part, Parts, MAX_BYTES};
use crate::object::view::utf8;
use crate::object::{Object, ObjectView, Plain};
use crate::scan::cursor::Cursor;
use smallvec::SmallVec;

/// One place that a path goes through.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub keys: Vec<(Box<str>, usize)>,
    /// In ascending order.
    pub indices: Vec<(u32, usize)>,
    pub each: Option<usize>,
    /// The paths that end here.
    pub ends: SmallVec<[u32; 2]>,
}

/// Paths, merged into one trie; immutable.
#[derive(Debug)]
pub struct PathSet {
    nodes: Vec<Node>,
    paths: Vec<Path>,
    /// Parts of an object that all paths lead through, with their nodes; empty if there are other paths.
    parts: Vec<(Part, usize)>,
}

/// A value that was found.
#[derive(Debug, Clone, Copy)]
struct Hit {
    path: u32,
    start: u32,
    end: u32,
    /// False once a later duplicate of a key on the way has taken its place.
    valid: bool,
}

/// The parts of an object are members of it or of its metadata.
const PART_DEPTH: usize = 2;

type Hits = SmallVec<[Hit; 8]>;

impl PathSet {
    /// Merges the paths; each is known by its position in `paths`.
    pub fn new(paths: Vec<Path>) -> Self {
        let mut nodes = vec![Node::default()];
        for (number, path) in paths.iter().enumerate() {
            let mut at = 0;
            for segment in path.segments() {
                at = child(&mut nodes, at, segment);
            }
            nodes[at].ends.push(number as u32);
        }
        Self {
            parts: parts(&nodes).unwrap_or_default(),
            nodes,
            paths,
        }
    }

    /// The paths, as they were given.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The places that the paths go through: the root is the first, the others are named by their position.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Calls `sink` with the number and the value of every path that leads somewhere in `object`. The error is a malformed
    /// place that the scan did not look at; the sink has then not been called.
    pub fn extract(
        &self,
        object: &Object,
        sink: impl FnMut(usize, JsonValue<'_>),
    ) -> Result<(), ScanError> {
        self.extract_plain(&object.plain(), sink)
    }

    /// The same for values that outlive the call.
    pub fn extract_plain<'o>(
        &self,
        object: &'o Plain<'_>,
        mut sink: impl FnMut(usize, JsonValue<'o>),
    ) -> Result<(), ScanError> {
        self.run(object.json(), Some(object.parts()), &mut sink)
            .map_err(|fault| {
                let mut error = fault.at_base(0);
                error.key = Some(object.key().to_owned());
                error
            })
    }

    /// The same for an object that was scanned and not copied.
    pub(crate) fn extract_view<'v>(
        &self,
        view: &'v ObjectView<'_>,
        mut sink: impl FnMut(usize, JsonValue<'v>),
    ) -> Result<(), ScanError> {
        self.run(view.text, Some(view.parts()), &mut sink)
            .map_err(|fault| fault.at_base(view.base_offset))
    }

    /// The same for any JSON object or array, which need not have been scanned.
    pub fn extract_json<'j>(
        &self,
        json: &'j [u8],
        mut sink: impl FnMut(usize, JsonValue<'j>),
    ) -> Result<(), ScanError> {
        within_limit(json)
            .and_then(utf8)
            .and_then(|json| self.run(json, None, &mut sink))
            .map_err(|fault| fault.at_base(0))
    }

    fn run<'j>(
        &self,
        json: &'j str,
        parts: Option<Parts>,
        sink: &mut impl FnMut(usize, JsonValue<'j>),
    ) -> Result<(), Fault> {
        let root = &self.nodes[0];
        if root.keys.is_empty() && root.indices.is_empty() && root.each.is_none() {
            return Ok(());
        }
        let mut walk = Walk {
            nodes: &self.nodes,
            cursor: Cursor::new(json.as_bytes(), 0),
            parts,
            hits: Hits::new(),
        };
        if !walk.through(&self.parts)? {
            walk.hits.clear();
            walk.cursor.pos = 0;
            walk.cursor.peek()?;
            walk.value(root, 0)?;
        }
        for hit in walk.hits.iter().filter(|hit| hit.valid) {
            sink(
                hit.path as usize,
                JsonValue::new(&json[hit.start as usize..hit.end as usize]),
            );
        }
        Ok(())
    }
}

/// See [`PathSet::parts`]; none if there are other paths.
fn parts(nodes: &[Node]) -> Option<Vec<(Part, usize)>> {
    let mut parts = Vec::new();
    for (key, next) in &nodes[0].keys {
        let part = Part::of_object(key)?;
        let node = &nodes[*next];
        let inner = node.keys.iter();
        let inner = inner.map(|(key, next)| Some((Part::of_metadata(key)?, *next)));
        match inner.collect::<Option<Vec<_>>>() {
            Some(inner) if part == Part::Metadata && node.ends.is_empty() => parts.extend(inner),
            _ => parts.push((part, *next)),
        }
    }
    Some(parts)
}

/// Hits are kept in 32 bits.
fn within_limit(json: &[u8]) -> Result<&[u8], Fault> {
    if json.len() > MAX_BYTES {
        return Err(Fault::new(
            ScanErrorKind::TooLarge,
            "document larger than 1 GiB",
            0,
        ));
    }
    Ok(json)
}

fn child(nodes: &mut Vec<Node>, at: usize, segment: &Segment) -> usize {
    let node = &nodes[at];
    let found = match segment {
        Segment::Key(key) => node
            .keys
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, next)| *next),
        Segment::Index(index) => node
            .indices
            .iter()
            .find(|(place, _)| place == index)
            .map(|(_, next)| *next),
        Segment::Each => node.each,
    };
    if let Some(next) = found {
        return next;
    }
    let next = nodes.len();
    nodes.push(Node::default());
    let node = &mut nodes[at];
    match segment {
        Segment::Key(key) => node.keys.push((key.clone(), next)),
        Segment::Index(index) => {
            let place = node.indices.partition_point(|(other, _)| other < index);
            node.indices.insert(place, (*index, next));
        }
        Segment::Each => node.each = Some(next),
    }
    next
}

struct Walk<'s, 'j> {
    nodes: &'s [Node],
    cursor: Cursor<'j>,
    /// Of an object that was scanned.
    parts: Option<Parts>,
    hits: Hits,
}

/// The recursion is as deep as the longest path (at most 64), however deep the document is.
impl Walk<'_, '_> {
    /// Goes through parts alone, if their places tell all there is to find.
    fn through(&mut self, parts: &[(Part, usize)]) -> Result<bool, Fault> {
        let Some(places) = self.parts.filter(|_| !parts.is_empty()) else {
            return Ok(false);
        };
        for (part, node) in parts {
            let (span, node) = (places.span(*part), &self.nodes[*node]);
            if span.is_present() {
                self.cursor.pos = span.start as usize;
                self.value(node, PART_DEPTH)?;
            } else if !node.ends.is_empty() {
                // There may be a value that no path leads into.
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Consumes the value at the cursor, which lies `depth` levels below the root.
    fn value(&mut self, node: &Node, depth: usize) -> Result<(), Fault> {
        let start = self.cursor.pos;
        let first_hit = self.hits.len();
        for &path in &node.ends {
            self.hits.push(Hit {
                path,
                start: start as u32,
                end: 0,
                valid: true,
            });
        }
        let behind_own = self.hits.len();
        match self.cursor.peek()? {
            b'{' if !node.keys.is_empty() => {
                self.cursor.pos += 1;
                self.members(node, depth)?;
            }
            b'[' if !node.indices.is_empty() || node.each.is_some() => {
                self.cursor.pos += 1;
                self.elements(node, depth)?;
            }
            _ => self.skip(depth)?,
        }
        let end = self.cursor.pos as u32;
        for hit in &mut self.hits[first_hit..behind_own] {
            hit.end = end;
        }
        Ok(())
    }

    /// Consumes a value that no path leads into.
    #[inline]
    fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        let first = self.cursor.peek()?;
        if (1..=PART_DEPTH).contains(&depth) && matches!(first, b'{' | b'[') {
            let known = self.parts.as_ref();
            if let Some(end) = known.and_then(|parts| parts.end_of(self.cursor.pos)) {
                self.cursor.pos = end;
                return Ok(());
            }
        }
        self.cursor.skip_value().map(drop)
    }

    fn members(&mut self, node: &Node, depth: usize) -> Result<(), Fault> {
        // Which keys were met, and the hits below each.
        let mut met: SmallVec<[(usize, usize, usize); 8]> = SmallVec::new();
        let mut first = true;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            let is_it = |(name, _): &&(Box<str>, usize)| self.cursor.is_key(key, name.as_bytes());
            let Some(&(_, next)) = node.keys.iter().find(is_it) else {
                self.skip(depth + 1)?;
                continue;
            };
            let from = self.hits.len();
            self.value(&self.nodes[next], depth + 1)?;
            let to = self.hits.len();
            match met.iter_mut().find(|(child, ..)| *child == next) {
                None => met.push((next, from, to)),
                Some(before) => {
                    self.hits[before.1..before.2]
                        .iter_mut()
                        .for_each(|hit| hit.valid = false);
                    *before = (next, from, to);
                }
            }
        }
        Ok(())
    }

    fn elements(&mut self, node: &Node, depth: usize) -> Result<(), Fault> {
        let mut first = true;
        let mut wanted = node.indices.iter().peekable();
        let mut index = 0;
        while self.cursor.next_element(&mut first)? {
            let at_index = wanted
                .next_if(|(place, _)| *place == index)
                .map(|(_, next)| *next);
            match (at_index, node.each) {
                (None, None) if wanted.peek().is_none() => {
                    return self.cursor.skip_rest(b'[', self.cursor.pos)
                }
                (None, None) => self.skip(depth + 1)?,
                (Some(next), None) | (None, Some(next)) => {
                    self.value(&self.nodes[next], depth + 1)?;
                }
                (Some(next), Some(each)) => {
                    let start = self.cursor.pos;
                    self.value(&self.nodes[next], depth + 1)?;
                    self.cursor.pos = start;
                    self.value(&self.nodes[each], depth + 1)?;
                }
            }
            index += 1;
        }
        Ok(())
    }
}
