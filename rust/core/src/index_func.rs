//! Index functions that need no Python: from an object to the values under which an index has it. Invariant: an
//! [`IndexPlan`] gives for each function what the function alone gives, from one pass over the object.
use crate::error::ScanError;
use crate::object::{Object, Plain};
use crate::path::{Path, PathSet};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A declarative index function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexFunc {
    /// The values at a path: strings without escapes, `true`, `false`, numbers as they are written. What is missing, `null`,
    /// an object or an array gives none; `[*]` may give many, and one value several times.
    Path(Path),
    /// The owner reference whose `controller` is true, as `Kind/name`; with a `kind`, owners of that kind only, as `name`.
    /// Owners live in the namespace of what they own, so a namespaced object's value has `namespace/` before it.
    ControllerOwner {
        /// The kind of owner to look at; all if `None`.
        kind: Option<String>,
    },
    /// The values at several paths, joined: none if one of the paths has none, every combination if some have many.
    Join {
        /// The paths, in the order of their values.
        paths: Vec<Path>,
        /// What stands between two values.
        separator: String,
    },
    /// The value of a label, by its key: what a selector compares.
    Label(Box<str>),
    /// `metadata.namespace`; "" for a cluster-scoped object (client-go's `MetaNamespaceIndexFunc`).
    Namespace,
}

impl IndexFunc {
    /// [`IndexFunc::Join`] with a slash between the values.
    pub fn join(paths: Vec<Path>) -> Self {
        Self::Join {
            paths,
            separator: "/".into(),
        }
    }

    /// The values for one object. To evaluate a function for many objects, or several functions, make an [`IndexPlan`].
    pub fn values(&self, object: &Object, sink: &mut impl FnMut(&str)) -> Result<(), ScanError> {
        IndexPlan::new(vec![self.clone()]).values(object, |_, value| sink(value))
    }
}

/// What a path of the merged set is for.
#[derive(Debug, Clone, Copy)]
struct Use {
    index: usize,
    /// The position in the values of a join; `None` for a function that is one path.
    part: Option<usize>,
}

/// Index functions, compiled to run together; immutable.
#[derive(Debug)]
pub struct IndexPlan {
    functions: Vec<IndexFunc>,
    paths: PathSet,
    uses: Vec<Use>,
    /// How many paths all joins have.
    parts: usize,
}

type Parts<'o> = Vec<SmallVec<[Cow<'o, str>; 1]>>;

impl IndexPlan {
    /// Compiles the functions; each is known by its position.
    pub fn new(functions: Vec<IndexFunc>) -> Self {
        let (mut paths, mut uses, mut parts) = (Vec::new(), Vec::new(), 0);
        for (index, function) in functions.iter().enumerate() {
            match function {
                IndexFunc::Path(path) => {
                    paths.push(path.clone());
                    uses.push(Use { index, part: None });
                }
                IndexFunc::Join { paths: joined, .. } => {
                    for path in joined {
                        paths.push(path.clone());
                        uses.push(Use {
                            index,
                            part: Some(parts),
                        });
                        parts += 1;
                    }
                }
                IndexFunc::ControllerOwner { .. } | IndexFunc::Label(_) | IndexFunc::Namespace => {}
            }
        }
        Self {
            functions,
            paths: PathSet::new(paths),
            uses,
            parts,
        }
    }

    /// The functions, as they were given.
    pub fn functions(&self) -> &[IndexFunc] {
        &self.functions
    }

    /// Calls `sink` with the position of a function and one of its values, for every value of every function. The values of
    /// one function come in a fixed order and may repeat; those of different functions may be mixed. On an error `sink` has
    /// been called for labels and namespaces alone, which are known without a look at the JSON.
    pub fn values(
        &self,
        object: &Object,
        mut sink: impl FnMut(usize, &str),
    ) -> Result<(), ScanError> {
        let mut looks = false;
        for (index, function) in self.functions.iter().enumerate() {
            match function {
                IndexFunc::Namespace => sink(index, object.namespace()),
                IndexFunc::Label(key) => {
                    if let Some(value) = object.label(key) {
                        sink(index, &value);
                    }
                }
                IndexFunc::Path(_) | IndexFunc::ControllerOwner { .. } | IndexFunc::Join { .. } => {
                    looks = true;
                }
            }
        }
        // A compressed object is not decompressed for nothing.
        if !looks {
            return Ok(());
        }
        let object = object.plain();
        let mut parts: Parts<'_> = Vec::new();
        parts.resize_with(self.parts, SmallVec::new);
        self.paths.extract_plain(&object, |path, value| {
            let Some(value) = value.index_value() else {
                return;
            };
            match self.uses[path] {
                Use { index, part: None } => sink(index, &value),
                Use {
                    part: Some(part), ..
                } => parts[part].push(value),
            }
        })?;
        let mut before = 0;
        for (index, function) in self.functions.iter().enumerate() {
            match function {
                IndexFunc::Path(_) | IndexFunc::Label(_) | IndexFunc::Namespace => {}
                IndexFunc::ControllerOwner { kind } => {
                    if let Some(value) = controller_owner(&object, kind.as_deref()) {
                        sink(index, &value);
                    }
                }
                IndexFunc::Join { paths, separator } => {
                    let after = before + paths.len();
                    combinations(&parts[before..after], separator, &mut |value| {
                        sink(index, value);
                    });
                    before = after;
                }
            }
        }
        Ok(())
    }
}

fn controller_owner(object: &Plain<'_>, kind: Option<&str>) -> Option<String> {
    let owner = object.controller_owner()?;
    if kind.is_some_and(|kind| kind != owner.kind) {
        return None;
    }
    let mut value = String::new();
    if !object.namespace().is_empty() {
        value.push_str(object.namespace());
        value.push('/');
    }
    if kind.is_none() {
        value.push_str(&owner.kind);
        value.push('/');
    }
    value.push_str(&owner.name);
    Some(value)
}

/// Every choice of one value a part, the last part changing fastest.
fn combinations(
    parts: &[SmallVec<[Cow<'_, str>; 1]>],
    separator: &str,
    sink: &mut impl FnMut(&str),
) {
    if parts.is_empty() || parts.iter().any(SmallVec::is_empty) {
        return;
    }
    let mut choice: SmallVec<[usize; 4]> = SmallVec::from_elem(0, parts.len());
    let mut value = String::new();
    loop {
        value.clear();
        for (position, (part, chosen)) in parts.iter().zip(&choice).enumerate() {
            if position > 0 {
                value.push_str(separator);
            }
            value.push_str(&part[*chosen]);
        }
        sink(&value);
        let Some(position) = (0..parts.len())
            .rev()
            .find(|&place| choice[place] + 1 < parts[place].len())
        else {
            return;
        };
        choice[position] += 1;
        choice[position + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::TypeMeta;

    fn object(json: &str) -> Object {
        Object::parse(json.as_bytes(), &TypeMeta::new("v1", "Pod"), false).unwrap()
    }

    fn path(text: &str) -> Path {
        Path::compile(text).unwrap()
    }

    fn values(functions: Vec<IndexFunc>, json: &str) -> Vec<Vec<String>> {
        let plan = IndexPlan::new(functions);
        let mut all = vec![Vec::new(); plan.functions().len()];
        plan.values(&object(json), |index, value| {
            all[index].push(value.to_owned());
        })
        .unwrap();
        for (function, together) in plan.functions().iter().zip(&all) {
            let mut alone = Vec::new();
            function
                .values(&object(json), &mut |value| alone.push(value.to_owned()))
                .unwrap();
            assert_eq!(&alone, together, "{function:?}");
        }
        all
    }

    const POD: &str = r#"{"metadata":{"name":"web-0","namespace":"shop","labels":{"a\/b":"x","e":"","t":"\u0078"},"ownerReferences":[
        {"kind":"Job","name":"other","controller":false},
        {"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web\u002d7c","uid":"u","controller":true}]},
        "spec":{"nodeName":"n1","host":true,"priority":1e3,"nothing":null,"containers":[{"image":"a"},{"image":"b"},{"image":"a"},{}]},
        "status":{"podIPs":[{"ip":"1"},{"ip":"2"}]}}"#;

    #[test]
    fn all_kinds_in_one_pass() {
        let functions = vec![
            IndexFunc::Path(path("spec.nodeName")),
            IndexFunc::Namespace,
            IndexFunc::ControllerOwner { kind: None },
            IndexFunc::ControllerOwner {
                kind: Some("ReplicaSet".into()),
            },
            IndexFunc::ControllerOwner {
                kind: Some("Job".into()),
            },
            IndexFunc::join(vec![
                path("spec.nodeName"),
                path("spec.containers[*].image"),
                path("status.podIPs[*].ip"),
            ]),
            IndexFunc::Join {
                paths: vec![path("spec.nodeName"), path("spec.missing")],
                separator: ":".into(),
            },
            IndexFunc::Path(path("spec.containers[*].image")),
            IndexFunc::Join {
                paths: vec![path("spec.host"), path("spec.priority")],
                separator: ":".into(),
            },
            IndexFunc::Path(path("spec.nothing")),
            IndexFunc::Path(path("spec.containers")),
            IndexFunc::Label("a/b".into()),
            IndexFunc::Label("e".into()),
            IndexFunc::Label("t".into()),
            IndexFunc::Label("a".into()),
        ];
        let expected: Vec<Vec<&str>> = vec![
            vec!["n1"],
            vec!["shop"],
            vec!["shop/ReplicaSet/web-7c"],
            vec!["shop/web-7c"],
            vec![],
            vec!["n1/a/1", "n1/a/2", "n1/b/1", "n1/b/2", "n1/a/1", "n1/a/2"],
            vec![],
            vec!["a", "b", "a"],
            vec!["true:1e3"],
            vec![],
            vec![],
            vec!["x"],
            vec![""],
            vec!["x"],
            vec![],
        ];
        assert_eq!(values(functions, POD), expected);
    }

    #[test]
    fn owners_of_cluster_scoped_objects_have_no_namespace() {
        let json = r#"{"metadata":{"name":"pv","ownerReferences":[{"kind":"Node","name":"n1","controller":true}]}}"#;
        let functions = vec![
            IndexFunc::ControllerOwner { kind: None },
            IndexFunc::ControllerOwner {
                kind: Some("Node".into()),
            },
            IndexFunc::Namespace,
        ];
        assert_eq!(values(functions, json), [["Node/n1"], ["n1"], [""]]);
    }

    #[test]
    fn a_join_of_nothing_has_no_value() {
        assert_eq!(
            values(vec![IndexFunc::join(vec![])], POD),
            [Vec::<String>::new()]
        );
    }

    #[test]
    fn malformed_insides_are_an_error_and_no_value_of_a_path() {
        let bad = object(
            r#"{"metadata":{"name":"x","namespace":"n","labels":{"l":"v"}},"a":"1","spec":{"b":{1:2}}}"#,
        );
        let plan = IndexPlan::new(vec![
            IndexFunc::Path(path("a")),
            IndexFunc::Path(path("spec.b.c")),
            IndexFunc::Label("l".into()),
            IndexFunc::Namespace,
        ]);
        let mut values = Vec::new();
        let error = plan
            .values(&bad, |index, value| values.push((index, value.to_owned())))
            .unwrap_err();
        // A list of a namespace, or by a selector, has the object whether there is an index or not.
        assert_eq!(values, [(2, "v".to_owned()), (3, "n".to_owned())]);
        assert_eq!(error.key.as_deref(), Some("n/x"));
        assert_eq!(&bad.plain().raw()[error.offset as usize..][..1], b"1");
    }
}
