//! Label selectors, as `labels.Parse` and `LabelSelectorAsSelector` of apimachinery have them. Invariant: a selector matches
//! iff all its requirements do, and a selector that was parsed prints as a text that parses to an equal one.
mod parse;
mod requirement;
mod validate;

pub use parse::SelectorError;
pub use requirement::{Operator, Requirement, RequirementError};

use crate::object::Object;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A conjunction of requirements, ordered by key; or one that nothing satisfies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl Selector {
    /// Parses the text of a selector: requirements separated by commas, each `key=value`, `key==value`, `key!=value`,
    /// `key in (a, b)`, `key notin (a, b)`, `key`, `!key`, `key>5` or `key<5`. `!=` and `notin` hold for objects without the
    /// key. The empty text matches everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text).map(Self::from_requirements)
    }

    /// All of `requirements`; everything if there are none.
    pub fn from_requirements(requirements: impl IntoIterator<Item = Requirement>) -> Self {
        let mut requirements: Vec<_> = requirements.into_iter().collect();
        requirements.sort_by(|left, right| left.key().cmp(right.key()));
        Self {
            requirements,
            nothing: false,
        }
    }

    /// The selector of a `LabelSelector`: `matchLabels` as pairs, `matchExpressions` as key, operator (`In`, `NotIn`, `Exists`,
    /// `DoesNotExist`) and values. An empty one matches everything.
    pub fn from_label_selector<'l>(
        match_labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        match_expressions: impl IntoIterator<Item = (&'l str, &'l str, Vec<&'l str>)>,
    ) -> Result<Self, RequirementError> {
        let mut requirements = Vec::new();
        for (key, value) in match_labels {
            requirements.push(Requirement::new(key, Operator::Equals, [value])?);
        }
        for (key, operator, values) in match_expressions {
            let Some(operator) = Operator::from_match_expression(operator) else {
                let message = format!(
                    "{key:?}: {operator:?} is no operator; use In, NotIn, Exists or DoesNotExist"
                );
                return Err(RequirementError { message });
            };
            requirements.push(Requirement::new(key, operator, values)?);
        }
        Ok(Self::from_requirements(requirements))
    }

    /// The selector of every object.
    pub fn everything() -> Self {
        Self::from_requirements([])
    }

    /// The selector of no object. It has no text: it prints as the empty one.
    pub fn nothing() -> Self {
        Self {
            requirements: Vec::new(),
            nothing: true,
        }
    }

    /// The requirements, ordered by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether it matches without a look at the labels.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Whether it matches no object, whatever its labels.
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// Whether the labels of `object` satisfy it.
    pub fn matches(&self, object: &Object) -> bool {
        self.matches_with(|key| object.label(key))
    }

    /// Whether labels satisfy it; `label` gives the value of a key.
    pub fn matches_with<'l>(&self, label: impl Fn(&str) -> Option<Cow<'l, str>>) -> bool {
        let matches =
            |requirement: &Requirement| requirement.matches(label(requirement.key()).as_deref());
        !self.nothing && self.requirements.iter().all(matches)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, requirement) in self.requirements.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
