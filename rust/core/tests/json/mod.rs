//! Random JSON documents as text: with duplicate keys, escapes that need not be, and white space wherever it may be.
use proptest::prelude::*;
use std::fmt::Write;

/// A JSON value that keeps duplicate keys and the spelling of numbers.
#[derive(Debug, Clone)]
pub enum Json {
    /// `null`, `true`, `false` or a number, as written.
    Plain(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How a document is written; a small generator makes the choices, so that one number stands for a whole spelling.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub spaces: bool,
    pub escapes: bool,
    pub seed: u64,
}

struct Writer {
    style: Style,
    out: String,
}

impl Writer {
    fn below(&mut self, limit: usize) -> usize {
        let seed = &mut self.style.seed;
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % limit
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn space(&mut self) {
        while self.style.spaces && self.chance(3) {
            let space = [' ', ' ', '\n', '\t', '\r'][self.below(5)];
            self.out.push(space);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let must = character < ' ' || matches!(character, '"' | '\\');
            if must && self.chance(2) && matches!(character, '"' | '\\' | '\n') {
                self.out.push('\\');
                self.out
                    .push(if character == '\n' { 'n' } else { character });
            } else if must || self.style.escapes && self.chance(6) {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    write!(self.out, "\\u{unit:04x}").expect("a string takes everything");
                }
            } else {
                self.out.push(character);
            }
        }
        self.out.push('"');
    }

    fn value(&mut self, value: &Json) {
        match value {
            Json::Plain(text) => self.out.push_str(text),
            Json::Text(text) => self.text(text),
            Json::Array(elements) => {
                self.out.push('[');
                for (position, element) in elements.iter().enumerate() {
                    self.comma(position);
                    self.value(element);
                    self.space();
                }
                self.space();
                self.out.push(']');
            }
            Json::Object(members) => {
                self.out.push('{');
                for (position, (key, value)) in members.iter().enumerate() {
                    self.comma(position);
                    self.text(key);
                    self.space();
                    self.out.push(':');
                    self.space();
                    self.value(value);
                    self.space();
                }
                self.space();
                self.out.push('}');
            }
        }
    }

    fn comma(&mut self, position: usize) {
        if position > 0 {
            self.out.push(',');
        }
        self.space();
    }
}

impl Json {
    pub fn write(&self, style: Style) -> String {
        let mut writer = Writer {
            style,
            out: String::new(),
        };
        writer.value(self);
        writer.out
    }
}

pub fn text(value: &str) -> Json {
    Json::Text(value.to_owned())
}

pub fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), any::<bool>(), any::<u64>()).prop_map(|(spaces, escapes, seed)| Style {
        spaces,
        escapes,
        seed,
    })
}

/// Strings full of what a scanner could trip over.
pub fn content() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,6}",
        2 => r#"[\\"{}\[\],: \n]{1,8}"#,
        1 => "[a-zé日😀\u{2028}\u{1}]{0,6}",
        1 => Just(String::new()),
        1 => "[a-z\"\\\\]{60,140}",
    ]
}

/// Few names, so that documents and paths meet and keys repeat.
pub fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c/d.e", "é", "spec", "\"q\"", "labels", "managedFields"]).prop_map(str::to_owned),
        1 => content(),
    ]
}

pub fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-1.5e-3",
            "12345678901234567890"
        ])
        .prop_map(|text| Json::Plain(text.to_owned())),
        content().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec((key(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

/// A Kubernetes object: metadata with a name somewhere, all else as it comes.
pub fn object() -> impl Strategy<Value = Json> {
    let name = prop_oneof![4 => "[a-z]{1,8}", 1 => "[a-z\"\\\\é😀]{1,5}"];
    let map = || {
        prop::collection::vec((key(), content().prop_map(Json::Text)), 0..4).prop_map(Json::Object)
    };
    let optional = prop_oneof![
        content().prop_map(|value| ("namespace", Json::Text(value))),
        content().prop_map(|value| ("uid", Json::Text(value))),
        content().prop_map(|value| ("resourceVersion", Json::Text(value))),
        (0u32..100).prop_map(|value| ("generation", Json::Plain(value.to_string()))),
        content().prop_map(|value| ("deletionTimestamp", Json::Text(value))),
        map().prop_map(|value| ("labels", value)),
        map().prop_map(|value| ("annotations", value)),
        value().prop_map(|value| ("ownerReferences", value)),
        value().prop_map(|value| ("finalizers", value)),
        value().prop_map(|value| ("managedFields", value)),
        value().prop_map(|value| ("creationTimestamp", value)),
    ];
    let metadata = (
        name,
        prop::collection::vec(optional, 0..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(name, mut members, place)| {
            members.insert(place.index(members.len() + 1), ("name", Json::Text(name)));
            Json::Object(
                members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            )
        });
    let other = prop_oneof![
        prop::sample::select(vec!["v1", "apps/v1", ""])
            .prop_map(|value| ("apiVersion".to_owned(), text(value))),
        prop::sample::select(vec!["Pod", "W\"", ""])
            .prop_map(|value| ("kind".to_owned(), text(value))),
        value().prop_map(|value| ("spec".to_owned(), value)),
        value().prop_map(|value| ("status".to_owned(), value)),
        (key(), value()),
    ];
    (
        metadata,
        prop::collection::vec(other, 0..6),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(metadata, mut members, place)| {
            members.insert(
                place.index(members.len() + 1),
                ("metadata".to_owned(), metadata),
            );
            Json::Object(members)
        })
}

/// The input in pieces whose sizes repeat.
pub fn pieces<'a>(input: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> + 'a {
    let mut rest = input;
    sizes.iter().cycle().map_while(move |&size| {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1usize..4, 1usize..80, 1usize..2000], 1..5)
}
