//! One requirement of a selector. Invariant: a `Requirement` exists iff the API server would accept it.
use super::validate;
use std::fmt;

/// How the value of a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label has the value (`=`).
    Equals,
    /// The same, written `==`.
    DoubleEquals,
    /// The label is missing or has another value.
    NotEquals,
    /// The object has the label.
    Exists,
    /// The object does not have the label.
    DoesNotExist,
    /// The label is an integer greater than the value.
    GreaterThan,
    /// The label is an integer less than the value.
    LessThan,
}

impl Operator {
    /// The operator of a `matchExpressions` entry: `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub fn from_match_expression(name: &str) -> Option<Self> {
        match name {
            "In" => Some(Self::In),
            "NotIn" => Some(Self::NotIn),
            "Exists" => Some(Self::Exists),
            "DoesNotExist" => Some(Self::DoesNotExist),
            _ => None,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::In => " in ",
            Self::NotIn => " notin ",
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::GreaterThan => ">",
            Self::LessThan => "<",
            Self::Exists | Self::DoesNotExist => "",
        }
    }
}

/// Why something is no requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementError {
    /// What is wrong, with the key or value quoted.
    pub message: String,
}

impl fmt::Display for RequirementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RequirementError {}

/// A key, an operator and the values it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Box<str>,
    operator: Operator,
    /// Sorted, without duplicates.
    values: Vec<Box<str>>,
    /// The value of `GreaterThan` and `LessThan`.
    bound: i64,
}

impl Requirement {
    /// Checks and builds a requirement. `In` and `NotIn` need a value at least, `Exists` and `DoesNotExist` none, all others one;
    /// that of `GreaterThan` and `LessThan` is an integer.
    pub fn new<V: Into<Box<str>>>(
        key: &str,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, RequirementError> {
        let error = |message: String| Err(RequirementError { message });
        if let Err(why) = validate::key(key) {
            return error(format!("invalid label key {key:?}: {why}"));
        }
        let mut values: Vec<Box<str>> = values.into_iter().map(Into::into).collect();
        let mut bound = 0;
        match operator {
            Operator::In | Operator::NotIn => {
                if values.is_empty() {
                    return error(format!("{key:?}: 'in' and 'notin' need at least one value"));
                }
            }
            Operator::Exists | Operator::DoesNotExist => {
                if !values.is_empty() {
                    return error(format!(
                        "{key:?}: 'exists' and 'does not exist' take no value"
                    ));
                }
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
                if values.len() != 1 {
                    return error(format!("{key:?}: an exact match needs one value"));
                }
            }
            Operator::GreaterThan | Operator::LessThan => match values.as_slice() {
                [value] => match integer(value) {
                    Some(value) => bound = value,
                    None => return error(format!("{key:?}: {value:?} is not an integer")),
                },
                _ => return error(format!("{key:?}: a comparison needs one value")),
            },
        }
        for value in &values {
            if let Err(why) = validate::value(value) {
                return error(format!("invalid label value {value:?} of {key:?}: {why}"));
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(Self {
            key: key.into(),
            operator,
            values,
            bound,
        })
    }

    /// The key of the label.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, sorted.
    pub fn values(&self) -> &[Box<str>] {
        &self.values
    }

    /// Whether an object satisfies it whose label has this value, or that does not have the label.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let listed = |label: &str| self.values.iter().any(|value| **value == *label);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => label.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => label
                .and_then(integer)
                .is_some_and(|label| label > self.bound),
            Operator::LessThan => label
                .and_then(integer)
                .is_some_and(|label| label < self.bound),
        }
    }
}

/// An integer as Go's `strconv.ParseInt(…, 10, 64)` takes it.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operator == Operator::DoesNotExist {
            f.write_str("!")?;
        }
        write!(f, "{}{}", self.key, self.operator.symbol())?;
        match self.operator {
            Operator::In | Operator::NotIn => write!(f, "({})", self.values.join(",")),
            _ => f.write_str(&self.values.join(",")),
        }
    }
}
