//! Values one behind the other in one text: how a million people's are kept.
//!
//! Numbers stand between the texts as letters, so that a text tells how long it is, and all of it can be read as text. What
//! the numbers mean is known to whoever wrote them.

use std::{collections::BTreeMap, sync::Arc};

use super::attribute::Value;

/// A letter below this is the last of a number; from it on, more follow. All letters are far from those that cannot be.
const MORE: u32 = 0x4000;

/// A value that is no text has one of these numbers; a text has its length and as many more.
const EMPTY: usize = 0;
const FALSE: usize = 1;
const TRUE: usize = 2;
const TEXT: usize = 3;

fn letter(number: u32) -> char {
    // Numbers of letters stay below 0x8000.
    char::from_u32(number).unwrap_or_default()
}

pub(super) fn put_number(to: &mut String, mut number: usize) {
    let (base, low) = (MORE as usize, |number: usize| u32::try_from(number % MORE as usize).unwrap_or_default());
    while number >= base {
        to.push(letter(MORE + low(number)));
        number /= base;
    }
    to.push(letter(low(number)));
}

pub(super) fn put_text(to: &mut String, text: &str) {
    put_number(to, text.len());
    to.push_str(text);
}

pub(super) fn put_value(to: &mut String, value: &Value) {
    match value {
        Value::Empty => put_number(to, EMPTY),
        Value::Bool(false) => put_number(to, FALSE),
        Value::Bool(true) => put_number(to, TRUE),
        Value::Text(text) => {
            put_number(to, TEXT + text.len());
            to.push_str(text);
        }
    }
}

/// A value that points into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpacked<'a> {
    Empty,
    Bool(bool),
    Text(&'a str),
}

impl<'a> Unpacked<'a> {
    /// True where it is this value.
    pub(crate) fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Empty, Value::Empty) => true,
            (Self::Bool(one), Value::Bool(other)) => one == *other,
            (Self::Text(one), Value::Text(other)) => *one == **other,
            _ => false,
        }
    }

    pub(crate) fn text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl From<Unpacked<'_>> for Value {
    fn from(unpacked: Unpacked<'_>) -> Self {
        match unpacked {
            Unpacked::Empty => Self::Empty,
            Unpacked::Bool(yes) => Self::Bool(yes),
            Unpacked::Text(text) => Self::Text(text.into()),
        }
    }
}

/// Reads what was put. Behind the end there is nothing: numbers are 0 and texts empty.
#[derive(Clone, Copy)]
pub(super) struct Unpack<'a>(pub(super) &'a str);

impl<'a> Unpack<'a> {
    #[inline]
    pub(super) fn number(&mut self) -> usize {
        // Nearly all are a letter of one byte.
        if let Some(&first) = self.0.as_bytes().first()
            && first.is_ascii()
        {
            self.0 = &self.0[1..];
            return usize::from(first);
        }
        self.long_number()
    }

    fn long_number(&mut self) -> usize {
        let (mut number, mut factor) = (0, 1);
        let mut letters = self.0.chars();
        for letter in letters.by_ref() {
            let letter = u32::from(letter);
            number += (letter % MORE) as usize * factor;
            factor = factor.saturating_mul(MORE as usize);
            if letter < MORE {
                break;
            }
        }
        self.0 = letters.as_str();
        number
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (text, rest) = self.0.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        text
    }

    pub(super) fn text(&mut self) -> &'a str {
        let length = self.number();
        self.take(length)
    }

    pub(super) fn value(&mut self) -> Unpacked<'a> {
        match self.number() {
            EMPTY => Unpacked::Empty,
            FALSE => Unpacked::Bool(false),
            TRUE => Unpacked::Bool(true),
            length => Unpacked::Text(self.take(length - TEXT)),
        }
    }

    /// The value of a name, of those of all these names.
    pub(super) fn find<T: PartialEq<Q>, Q: ?Sized>(&mut self, names: &[T], name: &Q) -> Option<Unpacked<'a>> {
        let at = names.iter().position(|known| *known == *name)?;
        for _ in 0..at {
            self.value();
        }
        Some(self.value())
    }

    pub(super) fn values<T: Clone + Ord>(&mut self, names: &[T]) -> BTreeMap<T, Value> {
        names.iter().map(|name| (name.clone(), self.value().into())).collect()
    }
}

/// Lists of names, each kept once.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    all: Vec<Arc<[T]>>,
    places: BTreeMap<Arc<[T]>, usize>,
    last: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: BTreeMap::new(), last: 0 }
    }
}

impl<T: Clone + Ord> Names<T> {
    /// The number of these names.
    pub(super) fn number(&mut self, of: &BTreeMap<T, Value>) -> usize {
        let is_last = |last: &Arc<[T]>| last.len() == of.len() && last.iter().eq(of.keys());
        if self.all.get(self.last).is_some_and(is_last) {
            return self.last;
        }
        let names: Arc<[T]> = of.keys().cloned().collect();
        let (all, new) = (&mut self.all, Arc::clone(&names));
        self.last = *self.places.entry(names).or_insert_with(|| {
            all.push(new);
            all.len() - 1
        });
        self.last
    }

    /// How many lists there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn shared(&self, number: usize) -> Arc<[T]> {
        self.all.get(number).map_or_else(|| Arc::from([]), Arc::clone)
    }

    pub(super) fn get(&self, number: usize) -> &[T] {
        self.all.get(number).map_or(&[], |names| names)
    }
}
