//! From text to segments. Invariant: an error points at the first character that cannot be part of a path.
use super::Segment;
use std::fmt;

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// The whole text.
    pub text: String,
    /// The character that is wrong, counted in characters from 0; the length of the text if something is missing at its end.
    pub position: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for PathError {
    /// Three lines: message, text, and a caret below the character.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A control character would move the caret away from its place.
        let line: String = self
            .text
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        writeln!(
            f,
            "bad path: {} at character {}",
            self.message, self.position
        )?;
        writeln!(f, "  {line}")?;
        write!(f, "  {}^", " ".repeat(self.position))
    }
}

impl std::error::Error for PathError {}

/// Deeper paths than any schema has would only serve to exhaust the stack of the extractor.
const MAX_SEGMENTS: usize = 64;

/// Whether a key may hold the character without quotes.
pub(super) fn is_plain(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && !".[]'\"\\(){}*?,|&=<>!".contains(character)
}

struct Parser<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
}

pub(super) fn parse(text: &str) -> Result<Vec<Segment>, PathError> {
    let mut parser = Parser {
        text,
        characters: text.chars().collect(),
        at: 0,
    };
    let mut segments = Vec::new();
    let mut key_may_start = true;
    if parser.peek() == Some('.') {
        parser.at += 1;
        if !parser.peek().is_some_and(is_plain) && parser.peek() != Some('[') {
            return Err(parser.error("expected a key behind '.'"));
        }
    }
    while let Some(character) = parser.peek() {
        if segments.len() == MAX_SEGMENTS {
            return Err(parser.error("a path has at most 64 steps"));
        }
        segments.push(match character {
            '[' => parser.bracket()?,
            '.' if !key_may_start => {
                parser.at += 1;
                parser.key("expected a key behind '.'")?
            }
            _ if key_may_start => parser.key("expected a key")?,
            _ => return Err(parser.error("expected '.' or '['")),
        });
        key_may_start = false;
    }
    if segments.is_empty() {
        return Err(parser.error("a path needs at least one key"));
    }
    Ok(segments)
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn error(&self, message: &str) -> PathError {
        self.error_at(self.at, message)
    }

    fn error_at(&self, position: usize, message: &str) -> PathError {
        PathError {
            text: self.text.to_owned(),
            position,
            message: message.to_owned(),
        }
    }

    fn key(&mut self, expected: &str) -> Result<Segment, PathError> {
        let start = self.at;
        while self.peek().is_some_and(is_plain) {
            self.at += 1;
        }
        match self.peek() {
            Some('*') => Err(self.error("'*' stands in brackets only: [*]")),
            Some(other) if !matches!(other, '.' | '[') => {
                Err(self.error(&format!("{other:?} is part of a key in quotes only: ['…']")))
            }
            _ if self.at == start => Err(self.error(expected)),
            _ => Ok(Segment::Key(
                self.characters[start..self.at]
                    .iter()
                    .collect::<String>()
                    .into(),
            )),
        }
    }

    fn bracket(&mut self) -> Result<Segment, PathError> {
        self.at += 1;
        let segment = match self.peek() {
            Some('\'') => self.quoted()?,
            Some('*') => {
                self.at += 1;
                Segment::Each
            }
            Some('-') => return Err(self.error("an index cannot be negative")),
            Some('0'..='9') => self.index()?,
            Some('"') => return Err(self.error("keys are quoted with '")),
            _ => return Err(self.error("expected an index, * or a key in quotes")),
        };
        if self.peek() != Some(']') {
            return Err(self.error("expected ']'"));
        }
        self.at += 1;
        Ok(segment)
    }

    fn index(&mut self) -> Result<Segment, PathError> {
        let start = self.at;
        let mut index: Option<u32> = Some(0);
        while let Some(digit) = self.peek().and_then(|character| character.to_digit(10)) {
            index = index.and_then(|index| index.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        index
            .map(Segment::Index)
            .ok_or_else(|| self.error_at(start, "the index is too large"))
    }

    fn quoted(&mut self) -> Result<Segment, PathError> {
        let open = self.at;
        self.at += 1;
        let mut key = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error_at(open, "the quote is not closed")),
                Some('\'') => break,
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(escaped) if escaped.is_ascii_punctuation() => key.push(escaped),
                        Some(_) => {
                            return Err(self.error_at(self.at - 1, "\\ escapes ' and \\ only"))
                        }
                        None => return Err(self.error_at(open, "the quote is not closed")),
                    }
                }
                Some(character) => key.push(character),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Segment::Key(key.into()))
    }
}
