//! Field selectors (`fields.ParseSelector` of apimachinery), on any path. Invariant: a term holds iff the API server would
//! say so of a field with the value of the path, where a missing one is "".

use super::Expr;
use crate::path::Path;
use crate::selector::SelectorError;

/// Terms separated by commas, each `path=value`, `path==value` or `path!=value`; all must hold, none written accepts
/// everything. In a value, `\` stands before a comma, an equals sign or itself. White space around path and value does not
/// count.
pub fn parse_fields(text: &str) -> Result<Expr, SelectorError> {
    let mut parser = Parser {
        text,
        characters: text.chars().collect(),
        at: 0,
    };
    let mut terms = Vec::new();
    while parser.skip_space() {
        terms.push(parser.term()?);
        if parser.peek() == Some(',') {
            parser.at += 1;
        }
    }
    Ok(Expr::And(terms))
}

struct Parser<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Whether anything is left.
    fn skip_space(&mut self) -> bool {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.peek().is_some()
    }

    fn error(&self, position: usize, message: String) -> SelectorError {
        SelectorError {
            text: self.text.to_owned(),
            position,
            message,
        }
    }

    fn term(&mut self) -> Result<Expr, SelectorError> {
        let path = self.path()?;
        let negated = self.operator()?;
        let value = self.value()?;
        // The field of an object that has none is "".
        let equal = if value.is_empty() {
            Expr::Or(vec![
                Expr::In(path.clone(), vec![value]),
                Expr::Not(Box::new(Expr::Exists(path))),
            ])
        } else {
            Expr::In(path, vec![value])
        };
        Ok(if negated {
            Expr::Not(Box::new(equal))
        } else {
            equal
        })
    }

    /// Up to the operator, which cannot be part of a key but in quotes.
    fn path(&mut self) -> Result<Path, SelectorError> {
        let start = self.at;
        let mut quoted = false;
        while let Some(character) = self.peek() {
            match character {
                '\\' if quoted => self.at += 1,
                '\'' => quoted = !quoted,
                '=' | '!' | ',' if !quoted => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.characters.len());
        let path: String = self.characters[start..self.at].iter().collect();
        Path::compile(path.trim_end())
            .map_err(|error| self.error(start + error.position, error.message))
    }

    /// Whether it is `!=`.
    fn operator(&mut self) -> Result<bool, SelectorError> {
        let rest = &self.characters[self.at..];
        let (length, negated) = match rest {
            ['!', '=', ..] => (2, true),
            ['=', '=', ..] => (2, false),
            ['=', ..] => (1, false),
            _ => return Err(self.error(self.at, "expected one of =, ==, !=".into())),
        };
        self.at += length;
        Ok(negated)
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        self.skip_space();
        let mut value = String::new();
        while let Some(character) = self.peek() {
            match character {
                ',' => break,
                '=' => return Err(self.error(self.at, "'=' in a value is written \\=".into())),
                '\\' => {
                    self.at += 1;
                    let Some(escaped @ ('\\' | ',' | '=')) = self.peek() else {
                        let message = "\\ escapes \\, a comma and = only".into();
                        return Err(self.error(self.at - 1, message));
                    };
                    value.push(escaped);
                }
                character => value.push(character),
            }
            self.at += 1;
        }
        value.truncate(value.trim_end().len());
        Ok(value)
    }
}
