//! `Selection`: which objects a list is of, and where in a cut they are looked for. Invariant: it finds what a look at
//! every object would find.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::index::{Index, Member};
use crate::object::Object;
use crate::selector::{Operator, Requirement, Selector};
use crate::store::{clone_all, Cut};

/// client-go §179.
const NAMESPACE: &str = "namespace";

/// The objects that a selector matches, of one namespace or of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'s> {
    /// None: all labels.
    pub selector: Option<&'s Selector>,
    /// None: all namespaces.
    pub namespace: Option<&'s str>,
}

/// What of a selection an index has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answered {
    Nothing,
    Namespace,
    /// The requirement at this place.
    Requirement(usize),
}

/// The objects among which those of a selection are.
pub struct Candidates<'c> {
    selection: Selection<'c>,
    cut: &'c Cut<Object>,
    answered: Answered,
    count: usize,
}

impl<'c> Selection<'c> {
    /// The fewest candidates that an index knows; all objects where none does.
    pub fn candidates(self, cut: &'c Cut<Object>) -> Candidates<'c> {
        let mut best = (cut.len(), Answered::Nothing);
        let mut offer = |count: usize, answered: Answered| {
            if count < best.0 {
                best = (count, answered);
            }
        };
        if let Some(namespace) = self.namespace {
            if let Some(members) = cut.members(NAMESPACE, namespace) {
                offer(members.len(), Answered::Namespace);
            }
        }
        for (place, requirement) in self.requirements().iter().enumerate() {
            if let Some(count) = count(cut, requirement) {
                offer(count, Answered::Requirement(place));
            }
        }
        if self.selector.is_some_and(Selector::is_nothing) {
            best.0 = 0;
        }
        Candidates {
            selection: self,
            cut,
            answered: best.1,
            count: best.0,
        }
    }

    fn requirements(self) -> &'c [Requirement] {
        self.selector.map_or(&[], Selector::requirements)
    }
}

/// How many objects can meet the requirement; none if no index tells.
fn count(cut: &Cut<Object>, requirement: &Requirement) -> Option<usize> {
    let values = match requirement.operator() {
        Operator::In | Operator::Equals | Operator::DoubleEquals => requirement.values(),
        Operator::Exists | Operator::GreaterThan | Operator::LessThan => {
            return Some(cut.label_index(requirement.key())?.entries());
        }
        Operator::NotIn | Operator::NotEquals | Operator::DoesNotExist => return None,
    };
    let index = cut.label_index(requirement.key())?;
    Some(values.iter().map(|value| index.members(value).len()).sum())
}

impl Candidates<'_> {
    /// How many objects have to be looked at.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The objects of the selection among them.
    pub fn objects(&self) -> Vec<Arc<Object>> {
        let mut found = Vec::new();
        if self.count == 0 {
            return found;
        }
        match self.answered {
            Answered::Nothing => self.take(self.cut.objects(), &mut found),
            Answered::Namespace => {
                let namespace = self.selection.namespace.unwrap_or_default();
                let members = self.cut.members(NAMESPACE, namespace);
                self.take_members(members.unwrap_or_default(), &mut found);
            }
            Answered::Requirement(place) => {
                let requirement = &self.selection.requirements()[place];
                let Some(index) = self.cut.label_index(requirement.key()) else {
                    return found;
                };
                for members in lists(index, requirement) {
                    self.take_members(members, &mut found);
                }
            }
        }
        found
    }

    fn take_members(&self, members: &[Member], found: &mut Vec<Arc<Object>>) {
        let objects = members.iter();
        self.take(objects.map(|it| self.cut.object_in(it.slot)), found);
    }

    fn take<'o>(
        &self,
        objects: impl Iterator<Item = &'o Arc<Object>>,
        found: &mut Vec<Arc<Object>>,
    ) {
        clone_all(objects.filter(|object| self.has(object)), found);
    }

    /// Whether an object that an index gave is of the selection.
    fn has(&self, object: &Object) -> bool {
        let Selection { namespace, .. } = self.selection;
        let in_namespace = self.answered == Answered::Namespace
            || namespace.is_none_or(|namespace| object.namespace() == namespace);
        let mut requirements = self.selection.requirements().iter().enumerate();
        in_namespace
            && requirements.all(|(place, requirement)| {
                self.answers(place, requirement)
                    || requirement.matches(object.label(requirement.key()).as_deref())
            })
    }

    /// Whether the index gives nothing but what meets the requirement.
    fn answers(&self, place: usize, requirement: &Requirement) -> bool {
        self.answered == Answered::Requirement(place)
            && !matches!(
                requirement.operator(),
                Operator::GreaterThan | Operator::LessThan
            )
    }
}

/// The lists of the objects that can meet the requirement: an object is in one of them.
fn lists<'c>(index: &'c Index, requirement: &Requirement) -> SmallVec<[&'c [Member]; 2]> {
    match requirement.operator() {
        Operator::In | Operator::Equals | Operator::DoubleEquals => {
            let values = requirement.values().iter();
            values.map(|value| index.members(value)).collect()
        }
        _ => index.lists().collect(),
    }
}
