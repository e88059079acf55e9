//! The selector grammar. Invariant: accepts what `labels.Parse` of apimachinery accepts, with the same meaning.
use super::requirement::{Operator, Requirement};
use std::fmt;

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// The whole text.
    pub text: String,
    /// The character that is wrong, counted in characters from 0; the length of the text if something is missing at its end.
    pub position: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bad selector {:?}: {} at character {}",
            self.text, self.message, self.position
        )
    }
}

impl std::error::Error for SelectorError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A key, a value, or `in` and `notin`, which are keywords only where an operator has to be.
    Word(&'a str),
    /// One of `SYMBOLS`.
    Symbol(&'a str),
    End,
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Token::Word(text) | Token::Symbol(text) => text,
            Token::End => "",
        }
    }
}

/// A token and the byte where it starts.
type Placed<'a> = (Token<'a>, usize);

/// Longer ones first; each character of one is one by itself.
const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn tokens(text: &str) -> Vec<Placed<'_>> {
    let ends_word = |character: char| is_blank(character) || "=!(),><".contains(character);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(is_blank) {
            at += 1;
            continue;
        }
        let token = match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(symbol) => Token::Symbol(symbol),
            None => Token::Word(&rest[..rest.find(ends_word).unwrap_or(rest.len())]),
        };
        tokens.push((token, at));
        at += token.text().len();
    }
    tokens.push((Token::End, text.len()));
    tokens
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed<'a>>,
    at: usize,
}

pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser {
        text,
        tokens: tokens(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    if parser.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        if !matches!(parser.peek(), Token::Word(_) | Token::Symbol("!")) {
            return Err(parser.expected("a key or '!'"));
        }
        requirements.push(parser.requirement()?);
        match parser.peek() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") => parser.at += 1,
            _ => return Err(parser.expected("',' or the end")),
        }
    }
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.at].0
    }

    fn expected(&self, what: &str) -> SelectorError {
        let (token, at) = self.tokens[self.at];
        let found = match token {
            Token::End => "found the end".into(),
            token => format!("found {:?}", token.text()),
        };
        self.error(at, format!("expected {what}, {found}"))
    }

    fn error(&self, at: usize, message: String) -> SelectorError {
        let position = self.text[..at].chars().count();
        SelectorError {
            text: self.text.to_owned(),
            position,
            message,
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let negated = self.peek() == Token::Symbol("!");
        if negated {
            self.at += 1;
        }
        let at = self.tokens[self.at].1;
        let Token::Word(key) = self.peek() else {
            return Err(self.expected("a key"));
        };
        self.at += 1;
        let (operator, values) = if negated {
            (Operator::DoesNotExist, Vec::new())
        } else if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            (Operator::Exists, Vec::new())
        } else {
            let operator = self.operator()?;
            let values = match operator {
                Operator::In | Operator::NotIn => self.values()?,
                _ => vec![self.value()?],
            };
            (operator, values)
        };
        Requirement::new(key, operator, values).map_err(|error| self.error(at, error.message))
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let operator = match self.peek() {
            Token::Symbol("=") => Operator::Equals,
            Token::Symbol("==") => Operator::DoubleEquals,
            Token::Symbol("!=") => Operator::NotEquals,
            Token::Symbol(">") => Operator::GreaterThan,
            Token::Symbol("<") => Operator::LessThan,
            Token::Word("in") => Operator::In,
            Token::Word("notin") => Operator::NotIn,
            _ => return Err(self.expected("one of =, ==, !=, in, notin, >, <")),
        };
        self.at += 1;
        Ok(operator)
    }

    /// One value; none written means the empty one.
    fn value(&mut self) -> Result<&'a str, SelectorError> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(""),
            Token::Word(value) => {
                self.at += 1;
                Ok(value)
            }
            Token::Symbol(_) => Err(self.expected("a value")),
        }
    }

    /// Values in brackets. Nothing between two commas, or between a comma and a bracket, is the empty value.
    fn values(&mut self) -> Result<Vec<&'a str>, SelectorError> {
        if self.peek() != Token::Symbol("(") {
            return Err(self.expected("'('"));
        }
        self.at += 1;
        let mut values = Vec::new();
        loop {
            match self.peek() {
                Token::Word(value) => {
                    self.at += 1;
                    values.push(value);
                }
                Token::Symbol("," | ")") => values.push(""),
                _ => return Err(self.expected("',', ')' or a value")),
            }
            match self.peek() {
                Token::Symbol(",") => self.at += 1,
                Token::Symbol(")") => {
                    self.at += 1;
                    return Ok(values);
                }
                _ => return Err(self.expected("',' or ')'")),
            }
        }
    }
}
