//! What a function becomes: a tree that is walked as it stands, with columns, local variables and constants found already.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use regex::Regex;
use rhai::{Dynamic, INT};

use crate::model::attribute::AttributeName;

use super::{
    super::{
        statement::Wanted,
        text::{Ask, Cut, Reshape},
    },
    LONG, LONG_TOGETHER,
};

/// One expression or statement.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Constant),
    /// The record.
    Row,
    /// A column of the record, by its place in the list of names.
    Column(usize),
    Local(usize),
    /// Gives a local variable a value, and is `()`.
    Set(usize, Box<Node>),
    /// `+=` on a local variable.
    AddTo(usize, Box<Node>),
    Add(Box<[Node; 2]>),
    Count(Count, Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// The first that is not `()`.
    Either(Vec<Node>),
    /// A text with holes.
    Joined(Vec<Node>),
    /// A condition, and what is done where it holds and where it does not.
    If(Box<[Node; 3]>),
    Switch(Box<Switch>),
    /// One after the other; the value is that of the last.
    Block(Vec<Node>),
    Return(Box<Node>),
    /// A function of the script: arguments for local variables, and its body.
    Call(Vec<(usize, Node)>, Box<Node>),
    /// `?.` and `?[`: a value that is kept in a local variable, and what is done where it is not `()`.
    Unless(usize, Box<[Node; 2]>),
    /// A property of a value: a column where that is the record.
    Property(Box<Node>, Box<str>, usize),
    Index(Box<[Node; 2]>),
    Word(Box<Word>),
    /// A list, whose items lie in local variables from this one on.
    List(usize, Vec<Node>),
    Map(Box<Shape>),
    /// What only the engine can do.
    NotMe,
}

/// A word of ours, or a function of the language, with its arguments.
#[derive(Debug)]
pub(super) enum Word {
    Reshape(Reshape, Node),
    Ask(Ask, [Node; 2]),
    /// `contains` and `in`, which texts, lists and maps have.
    Contains(Ask, [Node; 2]),
    Cut(Cut, [Node; 2]),
    GermanSlug([Node; 2]),
    Replace([Node; 3]),
    Split([Node; 2]),
    Part(Node, Node, Option<Node>),
    IsBlank(Node),
    IsEmpty(Node),
    Or([Node; 2]),
    Length(Node),
    ToText(Node),
    Matches(Node, Pattern),
    Capture(Node, Pattern),
    Today,
    Date([Node; 2]),
    DateOrEmpty([Node; 2]),
    DaysUntil(Node),
    Clear,
    Has([Node; 2]),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Minus,
    Times,
    Over,
    Rest,
}

/// The cases of a `switch`, each with its condition and what is done.
#[derive(Debug)]
pub(super) struct Switch {
    pub(super) of: Node,
    pub(super) cases: Vec<(Constant, Vec<usize>)>,
    pub(super) ways: Vec<[Node; 2]>,
    pub(super) otherwise: Option<usize>,
}

/// A value that stands in the script.
#[derive(Clone, Debug)]
pub(super) enum Constant {
    Nothing,
    Bool(bool),
    Number(INT),
    Letter(char),
    Text(Rc<str>),
    List(Rc<[Constant]>),
    Map(Rc<BTreeMap<Box<str>, Constant>>),
}

impl Constant {
    /// `None` where it is of a kind that is left to the engine, or so large that limits could matter.
    pub(super) fn of(value: &Dynamic) -> Option<Self> {
        /// So many items and entries.
        const MANY: usize = 200;
        if value.is_unit() {
            return Some(Self::Nothing);
        }
        if let Ok(truth) = value.as_bool() {
            return Some(Self::Bool(truth));
        }
        if let Ok(number) = value.as_int() {
            return Some(Self::Number(number));
        }
        if let Ok(letter) = value.as_char() {
            return Some(Self::Letter(letter));
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return (text.len() <= LONG).then(|| Self::Text(text.as_str().into()));
        }
        if let Ok(list) = value.as_array_ref() {
            let items = list.iter().map(Self::of_plain).collect::<Option<Vec<_>>>()?;
            return Some(Self::List(items.into())).filter(|it| list.len() <= MANY && it.size() <= LONG_TOGETHER);
        }
        if let Ok(map) = value.as_map_ref() {
            let entries = map.iter().map(|(key, value)| Some((key.as_str().into(), Self::of_plain(value)?)));
            let entries = entries.collect::<Option<BTreeMap<Box<str>, _>>>()?;
            let names: usize = entries.keys().map(|name| name.len()).sum();
            return Some(Self::Map(entries.into()))
                .filter(|it| map.len() <= MANY && names + it.size() <= LONG_TOGETHER);
        }
        None
    }

    /// What lies in a list or a map: lists and maps in them are left to the engine.
    fn of_plain(value: &Dynamic) -> Option<Self> {
        let nested = value.is_array() || value.is_map();
        if nested { None } else { Self::of(value) }
    }

    /// How many bytes of text it holds.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Map(entries) => entries.values().map(Self::size).sum(),
            Self::Nothing | Self::Bool(_) | Self::Number(_) | Self::Letter(_) => 0,
        }
    }
}

/// A regular expression, compiled when it is first needed. `None` where that is left to the engine.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: Rc<str>,
    pub(super) regex: OnceCell<Option<Regex>>,
}

/// A map as it is written: its entries, whose values lie in local variables from `first` on.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) first: usize,
    pub(super) names: Vec<Box<str>>,
    pub(super) values: Vec<Node>,
    /// What it says where it is a statement; `None` where it can be none.
    pub(super) said: Option<Said>,
}

/// A map as a statement.
#[derive(Debug)]
pub(super) struct Said {
    /// Which entry is the key.
    pub(super) key: usize,
    /// Which entry says what of which attribute, in the order of the attributes.
    pub(super) attributes: Vec<(usize, AttributeName, Takes)>,
    /// What lists of attributes that were spoken of look like, without their values: a copy of one is made faster than a
    /// new one.
    pub(super) forms: RefCell<BTreeMap<u64, Arc<[AttributeName]>>>,
}

/// What an attribute takes.
#[derive(Debug)]
pub(super) enum Takes {
    One(Wanted),
    /// Members, which are left to the engine.
    Set,
}
