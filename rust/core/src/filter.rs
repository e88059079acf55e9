//! Filters: which objects, and which changes of them, somebody wants to hear of. Evaluated here, from the bytes.
//!
//! A filter is a Boolean expression of tests of one state of an object, and of `changed`, which compares two. Invariant:
//! `changed` has no part in whether an object is accepted, only in whether an update between two accepted states is told;
//! where there is nothing to compare the expression is what is left without it.

mod fields;
mod subject;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;

use smallvec::SmallVec;

pub use fields::parse_fields;
use subject::{Stored, Subject};

use crate::listener::Predicate;
use crate::object::{Object, ObjectView};
use crate::path::{JsonKind, JsonValue, Path, PathSet, Segment};
use crate::selector::Selector;

/// A filter as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// Labels that a selector matches.
    Labels(Selector),
    /// `metadata.namespace` is one of these; "" is that of a cluster-scoped object.
    Namespace(Vec<String>),
    /// `metadata.name` is one of these.
    Name(Vec<String>),
    /// The path leads to a value that is not `null`.
    Exists(Path),
    /// A value at the path, as an index would have it, is one of these.
    In(Path, Vec<String>),
    /// Of an update: the JSON at one of the paths differs between old and new, byte for byte; what is missing equals only
    /// what is missing.
    Changed(Vec<Path>),
    /// What the other is not.
    Not(Box<Expr>),
    /// All of them.
    And(Vec<Expr>),
    /// One of them at least.
    Or(Vec<Expr>),
}

impl Expr {
    /// What is left of it without `changed`; None if that is nothing.
    fn of_state(&self) -> Option<Self> {
        let parts = |parts: &[Self]| {
            let left: Vec<Self> = parts.iter().filter_map(Self::of_state).collect();
            // Of no parts at all nothing was taken away: it is a test of a state like any other.
            (!left.is_empty() || parts.is_empty()).then_some(left)
        };
        match self {
            Self::Changed(_) => None,
            Self::Not(part) => Some(Self::Not(Box::new(part.of_state()?))),
            Self::And(all) => Some(Self::And(parts(all)?)),
            Self::Or(any) => Some(Self::Or(parts(any)?)),
            state => Some(state.clone()),
        }
    }

    fn compares(&self) -> bool {
        self.has(|part| matches!(part, Self::Changed(_)))
    }

    fn has_labels(&self) -> bool {
        self.has(|part| matches!(part, Self::Labels(_)))
    }

    fn has(&self, is_it: fn(&Self) -> bool) -> bool {
        match self {
            Self::Not(part) => part.has(is_it),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.has(is_it)),
            test => is_it(test),
        }
    }
}

/// A test with its paths as numbers of a [`PathSet`].
#[derive(Debug)]
enum Test {
    Labels(Selector),
    Namespace(Vec<String>),
    Name(Vec<String>),
    Exists(usize),
    In(usize, Vec<String>),
    /// Of the paths from the first number to before the second.
    Changed(usize, usize),
    Not(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
}

/// The paths of the tests of a state, and of those of a pair.
#[derive(Default)]
struct Paths {
    state: Vec<Path>,
    changed: Vec<Path>,
}

impl Paths {
    fn test(&mut self, expr: &Expr) -> Test {
        let mut state = |path: &Path| {
            self.state.push(path.clone());
            self.state.len() - 1
        };
        match expr {
            Expr::Labels(selector) => Test::Labels(selector.clone()),
            Expr::Namespace(names) => Test::Namespace(names.clone()),
            Expr::Name(names) => Test::Name(names.clone()),
            Expr::Exists(path) => Test::Exists(state(path)),
            Expr::In(path, values) => Test::In(state(path), values.clone()),
            Expr::Changed(paths) => {
                let first = self.changed.len();
                self.changed.extend_from_slice(paths);
                Test::Changed(first, self.changed.len())
            }
            Expr::Not(part) => Test::Not(Box::new(self.test(part))),
            Expr::And(parts) => Test::And(self.tests(parts)),
            Expr::Or(parts) => Test::Or(self.tests(parts)),
        }
    }

    fn tests(&mut self, exprs: &[Expr]) -> Vec<Test> {
        exprs.iter().map(|expr| self.test(expr)).collect()
    }
}

/// Tests that run together: one pass over an object for all paths of its state.
#[derive(Debug)]
struct Compiled {
    test: Test,
    state: PathSet,
    changed: PathSet,
}

impl Compiled {
    fn new(expr: &Expr) -> Self {
        let mut paths = Paths::default();
        Self {
            test: paths.test(expr),
            state: PathSet::new(paths.state),
            changed: PathSet::new(paths.changed),
        }
    }
}

/// A compiled filter; immutable.
#[derive(Debug)]
pub struct Filter {
    expr: Expr,
    /// None accepts everything.
    state: Option<Compiled>,
    /// The whole expression, if it compares.
    pair: Option<Compiled>,
    /// Where labels are, if it looks at them.
    labels: Option<Path>,
}

impl Filter {
    /// Compiles an expression.
    pub fn new(expr: Expr) -> Self {
        Self {
            state: expr.of_state().as_ref().map(Compiled::new),
            pair: expr.compares().then(|| Compiled::new(&expr)),
            labels: expr
                .has_labels()
                .then(|| Path::of_keys(["metadata", "labels"])),
            expr,
        }
    }

    /// The expression.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether a test of a state is about apiVersion or kind, which an item of a list does not have.
    pub fn reads_type(&self) -> bool {
        let is_type = |path: &Path| {
            let first = path.segments().first();
            matches!(first, Some(Segment::Key(key)) if matches!(&**key, "apiVersion" | "kind"))
        };
        let state = self.state.as_ref();
        state.is_some_and(|state| state.state.paths().iter().any(is_type))
    }

    /// Whether it accepts the object of a scan. What cannot be read has no value.
    pub fn accepts_view(&self, view: &ObjectView<'_>) -> bool {
        self.holds(view)
    }

    fn holds(&self, subject: &impl Subject) -> bool {
        self.state
            .as_ref()
            .is_none_or(|state| Pair::new(state, subject, None).holds(&state.test))
    }
}

impl Predicate<Object> for Filter {
    fn accepts(&self, object: &Object) -> bool {
        self.holds(&Stored::new(object))
    }

    /// The tests of a state are of the new one. What cannot be read has changed, unless all bytes around it are equal.
    fn passes(&self, old: &Object, new: &Object) -> bool {
        let (old, new) = (Stored::new(old), Stored::new(new));
        self.pair
            .as_ref()
            .is_none_or(|pair| Pair::new(pair, &new, Some(&old)).holds(&pair.test))
    }

    fn compares(&self) -> bool {
        self.pair.is_some()
    }

    /// Whether they are equal in all that the tests of a state look at, as far as that can be told without a search or a
    /// decompression.
    fn is_alike(&self, old: &Object, new: &Object) -> bool {
        let Some(state) = &self.state else {
            return true;
        };
        if old.is_compressed() || new.is_compressed() {
            return false;
        }
        let (old, new) = (Stored::new(old), Stored::new(new));
        let mut paths = state.state.paths().iter().chain(&self.labels);
        paths.all(|path| differs(path, &old, &new) == Some(false))
    }
}

/// Whether what is at a path differs, where that takes no search: equal bytes on the way have equal bytes in them.
fn differs<S: Subject>(path: &Path, old: &S, new: &S) -> Option<bool> {
    let ((old, _), (new, exact)) = (old.scanned(path)?, new.scanned(path)?);
    let differs = old != new;
    (exact || !differs).then_some(differs)
}

type Found<'o> = SmallVec<[(usize, JsonValue<'o>); 4]>;

fn find<'o, S: Subject>(paths: &PathSet, object: &'o S) -> Option<Found<'o>> {
    let mut found = Found::new();
    let read = object.extract(paths, |path, value| found.push((path, value)));
    read.is_ok().then_some(found)
}

/// What the tests look at, each value searched once.
struct Pair<'o, S> {
    compiled: &'o Compiled,
    new: &'o S,
    old: Option<&'o S>,
    values: OnceCell<Found<'o>>,
    /// Values of old and new at the paths of `changed`; None if one of the two cannot be read.
    compared: OnceCell<Option<(Found<'o>, Found<'o>)>>,
}

impl<'o, S: Subject> Pair<'o, S> {
    fn new(compiled: &'o Compiled, new: &'o S, old: Option<&'o S>) -> Self {
        Self {
            compiled,
            new,
            old,
            values: OnceCell::new(),
            compared: OnceCell::new(),
        }
    }

    fn holds(&self, test: &Test) -> bool {
        let any = |names: &[String], name: &str| names.iter().any(|other| other == name);
        match test {
            Test::Labels(selector) => selector.matches_with(|key| self.new.label(key)),
            Test::Namespace(names) => any(names, &self.new.namespace()),
            Test::Name(names) => any(names, &self.new.name()),
            Test::Exists(path) => self.values(*path).any(|it| it.kind() != JsonKind::Null),
            Test::In(path, values) => self.values(*path).any(|value| {
                let value = value.index_value();
                value.is_some_and(|value| any(values, &value))
            }),
            Test::Changed(first, end) => self.changed(*first, *end),
            Test::Not(part) => !self.holds(part),
            Test::And(parts) => parts.iter().all(|part| self.holds(part)),
            Test::Or(parts) => parts.iter().any(|part| self.holds(part)),
        }
    }

    fn values(&self, path: usize) -> impl Iterator<Item = JsonValue<'o>> + '_ {
        let found = self
            .values
            .get_or_init(|| find(&self.compiled.state, self.new).unwrap_or_default());
        let of_path = found.iter().filter(move |(number, _)| *number == path);
        of_path.map(|(_, value)| *value)
    }

    fn changed(&self, first: usize, end: usize) -> bool {
        let paths = &self.compiled.changed;
        (first..end).any(|path| {
            let differs = self
                .old
                .and_then(|old| differs(&paths.paths()[path], old, self.new));
            differs.unwrap_or_else(|| self.differs(path))
        })
    }

    /// The same with a search.
    fn differs(&self, path: usize) -> bool {
        let paths = &self.compiled.changed;
        let compared = self
            .compared
            .get_or_init(|| Some((find(paths, self.old?)?, find(paths, self.new)?)));
        let Some((old, new)) = compared else {
            return true;
        };
        let of_path = |found: &'_ Found<'o>| {
            let of_path = found.iter().filter(move |(number, _)| *number == path);
            of_path
                .map(|(_, value)| value.text())
                .collect::<SmallVec<[&'o str; 4]>>()
        };
        of_path(old) != of_path(new)
    }
}
