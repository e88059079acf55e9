//! LIST bodies: items come out while the body is still arriving. Invariant: the items and the [`ListMeta`] are the same
//! however the body was split, and whatever the order of its keys and the white space between them; a body that is not a
//! complete Kubernetes list never ends without an error.
mod meta;

pub use meta::ListMeta;

use super::balance::Balance;
use super::cursor::is_space;
use super::text;
use crate::error::{excerpt, ScanError, ScanErrorKind};
use crate::object::view::utf8;
use crate::object::{Object, ObjectView, TypeMeta};
use std::ops::ControlFlow;

/// One item of a list. It borrows the splitter's input: copy what has to outlive the callback.
#[derive(Debug, Clone)]
pub struct ListItem<'a> {
    /// The item's bytes, from `{` to `}`, brackets balanced.
    pub bytes: &'a [u8],
    /// Where they start in the body.
    pub offset: u64,
    /// The number of the item in this body, from 0.
    pub index: u64,
    /// apiVersion and kind for an item that lacks them. They are empty only if the list's own are not known yet and the item
    /// has its own.
    pub defaults: &'a TypeMeta,
    view: Option<ObjectView<'a>>,
}

impl<'a> ListItem<'a> {
    /// The scan of the item. Mostly it was made while the body was split, so this costs nothing; otherwise, and for an item
    /// that cannot be used, it scans (again) and gives the error.
    pub fn into_view(self) -> Result<ObjectView<'a>, ScanError> {
        match self.view {
            Some(view) => Ok(view),
            None => ObjectView::scan(self.bytes, self.offset),
        }
    }

    /// The item as an object of its own, as [`ObjectView::to_object`].
    pub fn into_object(self, keep_managed_fields: bool) -> Result<Object, ScanError> {
        let defaults = self.defaults;
        Ok(self.into_view()?.to_object(defaults, keep_managed_fields))
    }
}

/// The top-level member whose value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    ApiVersion,
    Kind,
    Metadata,
    Items,
    Other,
}

/// What the next byte that is no white space has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Key { first: bool },
    Colon(Member),
    Value(Member),
    Comma,
    Item { first: bool },
    ItemComma,
    End,
}

/// An item that came before it was known what it is.
#[derive(Debug)]
struct Held {
    start: usize,
    end: usize,
    offset: u64,
}

/// Splits one LIST body. After an error, or after the sink has said `Break`, the splitter is of no more use.
#[derive(Debug)]
pub struct ListSplitter {
    max_object: usize,
    state: State,
    /// Bytes consumed, those in `buffer` not counted.
    offset: u64,
    /// The start of a key, value or item whose end has not come, and the search for that end.
    buffer: Vec<u8>,
    pending: Option<Balance>,
    /// The first bytes of the body, for messages.
    head: Vec<u8>,
    meta: ListMeta,
    types: TypeMeta,
    saw_items: bool,
    items: u64,
    held_bytes: Vec<u8>,
    held: Vec<Held>,
}

const HEAD: usize = 200;

impl ListSplitter {
    /// A splitter for one body that refuses items (and keys and values of the list itself) longer than `max_object` bytes.
    pub fn new(max_object: usize) -> Self {
        Self {
            max_object,
            state: State::Start,
            offset: 0,
            buffer: Vec::new(),
            pending: None,
            head: Vec::new(),
            meta: ListMeta::default(),
            types: TypeMeta::default(),
            saw_items: false,
            items: 0,
            held_bytes: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Reads on; the sink gets each item as soon as it is complete. Items that lie whole in `data` are not copied. Items that
    /// lack apiVersion or kind wait until those of the list are known: in a list that names them last, all of them wait.
    /// `Break` when the sink said so; the rest of the data is then dropped.
    pub fn feed<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        mut sink: impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let room = HEAD.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..room]);
        let mut at = 0;
        while at < data.len() {
            let flow = if self.pending.is_some() {
                self.resume(data, &mut at, &mut sink)?
            } else {
                self.step(data, &mut at, &mut sink)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The end of the body: `Truncated` if the list has not ended before it.
    pub fn finish(self) -> Result<ListMeta, ScanError> {
        match self.state {
            State::End => Ok(self.meta),
            State::Start => Err(self.not_a_list("an empty body")),
            _ => {
                let end = self.offset + self.buffer.len() as u64;
                let message = "truncated: the body ends inside the list";
                let error = ScanError::new(ScanErrorKind::Truncated, message, end);
                Err(self.broken(error, [&self.buffer, &[]]))
            }
        }
    }

    /// Items that came so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// One token that starts in `data`.
    fn step<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        at: &mut usize,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let byte = data[*at];
        if is_space(byte) {
            self.advance(at, 1);
            return Ok(ControlFlow::Continue(()));
        }
        let next = match (self.state, byte) {
            (State::Start, b'{') => State::Key { first: true },
            (State::Start, _) => return Err(self.not_a_list("not a JSON object").into()),
            (State::Key { first: true } | State::Comma, b'}') => {
                self.end()?;
                State::End
            }
            (State::Comma, b',') => State::Key { first: false },
            (State::Colon(member), b':') => State::Value(member),
            (State::Value(Member::Items), b'[') => State::Item { first: true },
            (State::Item { first: true } | State::ItemComma, b']') => State::Comma,
            (State::ItemComma, b',') => State::Item { first: false },
            (State::Key { .. }, b'"') | (State::Value(_), _) => return self.begin(data, at, sink),
            (State::Item { .. }, b'{') => return self.item(data, at, sink),
            (State::Item { .. }, _) => {
                let message = format!("item {} of the list is not an object", self.items);
                return Err(
                    ScanError::new(ScanErrorKind::NotAnObject, message, self.offset).into(),
                );
            }
            (state, _) => return Err(self.unexpected(state).into()),
        };
        self.state = next;
        self.advance(at, 1);
        Ok(ControlFlow::Continue(()))
    }

    fn advance(&mut self, at: &mut usize, by: usize) {
        *at += by;
        self.offset += by as u64;
    }

    /// An item that starts in `data`. Scanning finds its end on the way, so it is gone through once if it is all there.
    fn item<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        at: &mut usize,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let start = *at;
        let Ok((view, length)) = ObjectView::scan_prefix(&data[start..], self.offset) else {
            return self.begin(data, at, sink);
        };
        self.check(length, [&data[start..], &[]])?;
        let flow = self.deliver(&data[start..start + length], Some(view), sink)?;
        self.advance(at, length);
        Ok(flow)
    }

    /// A key, value or item that starts in `data` and may end in it.
    fn begin<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        at: &mut usize,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let rest = &data[*at..];
        let mut balance = Balance::new();
        let end = balance
            .advance(rest)
            .map_err(|fault| self.broken(fault.at_base(self.offset), [rest, &[]]))?;
        if let Some(end) = end {
            self.check(end, [rest, &[]])?;
            let flow = self.unit(&rest[..end], sink)?;
            self.advance(at, end);
            return Ok(flow);
        }
        self.check(rest.len(), [rest, &[]])?;
        self.buffer.extend_from_slice(rest);
        self.pending = Some(balance);
        *at = data.len();
        Ok(ControlFlow::Continue(()))
    }

    /// The rest of what `begin` has not seen the end of.
    fn resume<E: From<ScanError>>(
        &mut self,
        data: &[u8],
        at: &mut usize,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let Some(mut balance) = self.pending.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        let rest = &data[*at..];
        let base = self.offset + self.buffer.len() as u64;
        let end = balance
            .advance(rest)
            .map_err(|fault| self.broken(fault.at_base(base), [&self.buffer, rest]))?;
        let taken = end.unwrap_or(rest.len());
        self.check(self.buffer.len() + taken, [&self.buffer, rest])?;
        self.buffer.extend_from_slice(&rest[..taken]);
        *at += taken;
        if end.is_none() {
            self.pending = Some(balance);
            return Ok(ControlFlow::Continue(()));
        }
        let mut unit = std::mem::take(&mut self.buffer);
        let flow = self.unit(&unit, sink)?;
        self.offset += unit.len() as u64;
        unit.clear();
        self.buffer = unit;
        Ok(flow)
    }

    /// `start`, in two pieces, are bytes of a key, value or item from its beginning, to name the item.
    fn check(&self, length: usize, start: [&[u8]; 2]) -> Result<(), ScanError> {
        if length <= self.max_object {
            return Ok(());
        }
        let message = format!(
            "item or value of a list longer than {} bytes",
            self.max_object
        );
        let error = ScanError::new(ScanErrorKind::TooLarge, message, self.offset);
        Err(self.broken(error, start))
    }

    /// The error with the key of the item that begins with `start`.
    fn broken(&self, mut error: ScanError, start: [&[u8]; 2]) -> ScanError {
        if matches!(self.state, State::Item { .. }) {
            error.key = ObjectView::key_of_start(&start.concat());
        }
        error
    }

    /// A complete key, value or item, which starts at `self.offset`.
    fn unit<E: From<ScanError>>(
        &mut self,
        unit: &[u8],
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        match self.state {
            State::Item { .. } => {
                let view = ObjectView::scan(unit, self.offset).ok();
                return self.deliver(unit, view, sink);
            }
            State::Key { .. } => self.state = State::Colon(self.member(unit)?),
            State::Value(member) => {
                self.value(member, unit)?;
                self.state = State::Comma;
                if !self.held.is_empty() && self.types_known() {
                    return self.release(sink);
                }
            }
            state => return Err(self.unexpected(state).into()),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn member(&mut self, key: &[u8]) -> Result<Member, ScanError> {
        let key = self.string(key)?;
        Ok(match &*key {
            "apiVersion" => Member::ApiVersion,
            "kind" => Member::Kind,
            "metadata" => Member::Metadata,
            "items" if self.saw_items => {
                let message = "the list has two members named items";
                return Err(ScanError::new(ScanErrorKind::Syntax, message, self.offset));
            }
            "items" => {
                self.saw_items = true;
                Member::Items
            }
            _ => Member::Other,
        })
    }

    fn value(&mut self, member: Member, value: &[u8]) -> Result<(), ScanError> {
        match member {
            Member::Other => {}
            Member::Items if value == b"null" => {}
            Member::Items => return Err(self.wrong_type("items is neither an array nor null")),
            Member::ApiVersion => {
                self.meta.api_version = self.string(value)?;
                self.types.api_version.clone_from(&self.meta.api_version);
            }
            Member::Kind => {
                self.meta.kind = self.string(value)?;
                let Some(kind) = self.meta.kind.strip_suffix("List") else {
                    let kind = excerpt(self.meta.kind.as_bytes(), 100);
                    return Err(self.not_a_list(&format!("its kind is {kind}")));
                };
                kind.clone_into(&mut self.types.kind);
            }
            Member::Metadata => {
                self.meta
                    .read_metadata(value)
                    .map_err(|fault| fault.at_base(self.offset))?;
            }
        }
        Ok(())
    }

    fn string(&self, value: &[u8]) -> Result<String, ScanError> {
        let [b'"', content @ .., b'"'] = value else {
            return Err(self.wrong_type("apiVersion or kind of the list is not a string"));
        };
        let base = self.offset + 1;
        let content = utf8(content).map_err(|fault| fault.at_base(base))?;
        let text = text::unescape(content).map_err(|invalid| {
            let at = base + invalid.at as u64;
            ScanError::new(
                ScanErrorKind::InvalidEscape,
                "invalid escape in a string",
                at,
            )
        })?;
        Ok(text.into_owned())
    }

    fn wrong_type(&self, message: &str) -> ScanError {
        ScanError::new(ScanErrorKind::WrongType, message, self.offset)
    }

    fn types_known(&self) -> bool {
        !self.types.api_version.is_empty() && !self.types.kind.is_empty()
    }

    fn deliver<E: From<ScanError>>(
        &mut self,
        bytes: &[u8],
        view: Option<ObjectView<'_>>,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        self.state = State::ItemComma;
        self.items += 1;
        let has_types = || {
            view.as_ref()
                .is_some_and(|view| view.api_version().is_some() && view.kind().is_some())
        };
        if !self.types_known() && (!self.held.is_empty() || !has_types()) {
            let start = self.held_bytes.len();
            self.held_bytes.extend_from_slice(bytes);
            self.held.push(Held {
                start,
                end: self.held_bytes.len(),
                offset: self.offset,
            });
            return Ok(ControlFlow::Continue(()));
        }
        sink(ListItem {
            bytes,
            offset: self.offset,
            index: self.items - 1,
            defaults: &self.types,
            view,
        })
    }

    /// The items that have waited for apiVersion and kind of the list.
    fn release<E: From<ScanError>>(
        &mut self,
        sink: &mut impl FnMut(ListItem<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let bytes = std::mem::take(&mut self.held_bytes);
        let held = std::mem::take(&mut self.held);
        let before = self.items - held.len() as u64;
        for (index, Held { start, end, offset }) in (before..).zip(held) {
            let bytes = &bytes[start..end];
            let flow = sink(ListItem {
                bytes,
                offset,
                index,
                defaults: &self.types,
                view: None,
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The list's own `}`.
    fn end(&self) -> Result<(), ScanError> {
        if self.meta.kind.is_empty() || self.meta.api_version.is_empty() {
            return Err(self.not_a_list("it has no apiVersion or no kind"));
        }
        if !self.held.is_empty() {
            return Err(self.not_a_list("its items have no apiVersion or no kind"));
        }
        if !self.saw_items {
            return Err(self.not_a_list("it has no items"));
        }
        Ok(())
    }

    /// What is no JSON, and a Status, is quoted; anything else may hold a part of a Secret.
    fn not_a_list(&self, why: &str) -> ScanError {
        let mut message = format!("the body is not a Kubernetes list ({why})");
        if self.meta.kind == "Status" || self.head.trim_ascii_start().first() != Some(&b'{') {
            message = format!("{message}; it begins with {}", excerpt(&self.head, HEAD));
        }
        ScanError::new(ScanErrorKind::NotAList, message, self.offset)
    }

    fn unexpected(&self, state: State) -> ScanError {
        let expected = match state {
            State::Key { .. } => "expected a key in double quotes",
            State::Colon(_) => "expected ':'",
            State::Comma => "expected ',' or '}'",
            State::ItemComma => "expected ',' or ']'",
            _ => "unexpected bytes behind the list",
        };
        ScanError::new(ScanErrorKind::Syntax, expected, self.offset)
    }
}

#[cfg(test)]
mod tests;
