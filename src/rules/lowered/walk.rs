//! The walk over a tree, for one record.
//!
//! Nothing is copied that can be pointed to: a value is a piece of the record, of the script, or of the one text in which
//! all that is made lies one behind the other.

use rhai::INT;

use crate::model::record::Record;

use super::{
    super::{statement::Plain, text},
    LONG, LONG_TOGETHER, NotMe, Site,
    tree::{Comparison, Constant, Count, Node, Shape, Switch},
};

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Val<'r> {
    Nothing,
    Bool(bool),
    Number(INT),
    Letter(char),
    /// Of the record or of the script.
    Text(&'r str),
    /// Of what was made: where it begins and ends.
    Made(u32, u32),
    /// Of the script.
    List(&'r [Constant]),
    /// Lies in local variables: where it begins, and how many there are.
    Locals(u32, u32),
    /// Lies among the items.
    Items(u32, u32),
    Row,
    Clear,
    Map(&'r Shape),
    /// Of the script.
    Table(&'r std::collections::BTreeMap<Box<str>, Constant>),
}

impl<'r> Val<'r> {
    pub(super) fn of(constant: &'r Constant) -> Self {
        match constant {
            Constant::Nothing => Self::Nothing,
            Constant::Bool(truth) => Self::Bool(*truth),
            Constant::Number(number) => Self::Number(*number),
            Constant::Letter(letter) => Self::Letter(*letter),
            Constant::Text(text) => Self::Text(text),
            Constant::List(items) => Self::List(items),
            Constant::Map(entries) => Self::Table(entries),
        }
    }

    fn truth(self) -> Result<bool, Stop> {
        if let Self::Bool(truth) = self { Ok(truth) } else { Err(Stop::NotMe) }
    }

    /// How many items a list has, or entries a map.
    pub(super) fn count(self) -> Result<usize, Stop> {
        match self {
            Self::List(items) => Ok(items.len()),
            Self::Locals(_, count) | Self::Items(_, count) => Ok(count as usize),
            Self::Map(shape) => Ok(shape.names.len()),
            Self::Table(entries) => Ok(entries.len()),
            _ => Err(Stop::NotMe),
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Nothing => Kind::Nothing,
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::Letter(_) => Kind::Letter,
            Self::Text(_) | Self::Made(..) => Kind::Text,
            Self::List(_) | Self::Locals(..) | Self::Items(..) => Kind::List,
            Self::Map(_) | Self::Table(_) => Kind::Map,
            Self::Row | Self::Clear => Kind::Ours,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Bool,
    Number,
    Letter,
    Text,
    List,
    Map,
    /// What the language does not know by itself.
    Ours,
}

/// Why the walk does not go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// The engine has to be asked.
    NotMe,
    /// A `return` was met; its value is kept.
    Return,
}

impl From<NotMe> for Stop {
    fn from(NotMe: NotMe) -> Self {
        Self::NotMe
    }
}

pub(super) type Got<'r> = Result<Val<'r>, Stop>;

/// What one evaluation has.
pub(super) struct Frame<'r, 's> {
    pub(super) record: &'r Record,
    columns: &'s [Option<usize>],
    locals: &'s mut [Val<'r>],
    pub(super) items: Vec<Val<'r>>,
    /// All texts that were made.
    pub(super) made: String,
    /// Where a word writes.
    pub(super) room: String,
    returned: Val<'r>,
    pub(super) site: &'s Site,
}

impl<'r, 's> Frame<'r, 's> {
    pub(super) fn new(
        record: &'r Record,
        columns: &'s [Option<usize>],
        locals: &'s mut [Val<'r>],
        site: &'s Site,
        (mut made, room): (String, String),
    ) -> Self {
        made.clear();
        Self { record, columns, locals, items: Vec::new(), made, room, returned: Val::Nothing, site }
    }

    pub(super) fn into_rooms(self) -> (String, String) {
        (self.made, self.room)
    }

    pub(super) fn record(&self) -> &'r Record {
        self.record
    }

    /// What a function returns.
    pub(super) fn answer(&mut self, body: &'r Node) -> Result<Val<'r>, NotMe> {
        match self.eval(body) {
            Ok(answer) => Ok(answer),
            Err(Stop::Return) => Ok(self.returned),
            Err(Stop::NotMe) => Err(NotMe),
        }
    }

    /// What lies in a local variable, numbers and letters as text.
    pub(super) fn plain(&mut self, local: usize) -> Result<Val<'r>, NotMe> {
        match self.local(local) {
            Ok(value @ (Val::Number(_) | Val::Letter(_))) => self.as_text(value).map_err(|_| NotMe),
            Ok(value) => Ok(value),
            Err(_) => Err(NotMe),
        }
    }

    /// The same as a value that may cross.
    pub(super) fn shown(&self, value: &Val<'r>) -> Plain<&str> {
        match value {
            Val::Nothing => Plain::Nothing,
            Val::Bool(truth) => Plain::Bool(*truth),
            Val::Clear => Plain::Clear,
            value => self.text(*value).map_or(Plain::Other, Plain::Text),
        }
    }

    pub(super) fn local(&self, at: usize) -> Got<'r> {
        self.locals.get(at).copied().ok_or(Stop::NotMe)
    }

    pub(super) fn set(&mut self, at: usize, value: Val<'r>) -> Result<(), Stop> {
        *self.locals.get_mut(at).ok_or(Stop::NotMe)? = value;
        Ok(())
    }

    /// The text, where this is one.
    pub(super) fn text(&self, value: Val<'r>) -> Option<&str> {
        match value {
            Val::Text(text) => Some(text),
            Val::Made(start, end) => self.made.get(start as usize..end as usize),
            _ => None,
        }
    }

    pub(super) fn texted(&self, value: Val<'r>) -> Result<&str, Stop> {
        self.text(value).ok_or(Stop::NotMe)
    }

    /// A text, or a letter as one.
    pub(super) fn spelled<'a>(&'a self, value: Val<'r>, room: &'a mut [u8; 4]) -> Result<&'a str, Stop> {
        if let Val::Letter(letter) = value { Ok(letter.encode_utf8(room)) } else { self.texted(value) }
    }

    /// What was made since.
    pub(super) fn made_since(&self, start: usize) -> Got<'r> {
        let end = self.made.len();
        let place = |at: usize| u32::try_from(at).map_err(|_| Stop::NotMe);
        if end - start > LONG { Err(Stop::NotMe) } else { Ok(Val::Made(place(start)?, place(end)?)) }
    }

    pub(super) fn make(&mut self, text: &str) -> Got<'r> {
        let start = self.made.len();
        self.made.push_str(text);
        self.made_since(start)
    }

    /// Writes a text or a letter behind all that was made.
    fn write(&mut self, value: Val<'r>) -> Result<(), Stop> {
        match value {
            Val::Text(text) => self.made.push_str(text),
            Val::Made(start, end) => self.made.extend_from_within(start as usize..end as usize),
            Val::Letter(letter) => self.made.push(letter),
            _ => return Err(Stop::NotMe),
        }
        Ok(())
    }

    /// One behind the other: texts and letters.
    fn join(&mut self, a: Val<'r>, b: Val<'r>) -> Got<'r> {
        // What was made last is made longer.
        let start = match a {
            Val::Made(start, end) if end as usize == self.made.len() => start as usize,
            _ => {
                let start = self.made.len();
                self.write(a)?;
                start
            }
        };
        self.write(b)?;
        self.made_since(start)
    }

    /// A value as a hole in a text shows it.
    pub(super) fn as_text(&mut self, value: Val<'r>) -> Got<'r> {
        use std::fmt::Write as _;
        let start = self.made.len();
        match value {
            Val::Text(_) | Val::Made(..) => return Ok(value),
            Val::Nothing => return Ok(Val::Text("")),
            Val::Bool(truth) => return Ok(Val::Text(if truth { "true" } else { "false" })),
            Val::Letter(letter) => self.made.push(letter),
            Val::Number(number) => {
                // Writing to a text cannot fail.
                let _ = write!(self.made, "{number}");
            }
            _ => return Err(Stop::NotMe),
        }
        self.made_since(start)
    }

    /// A piece of a text as a value: `piece` finds it in the text.
    pub(super) fn piece(&self, value: Val<'r>, piece: impl for<'a> FnOnce(&'a str) -> &'a str) -> Got<'r> {
        match value {
            Val::Text(text) => Ok(Val::Text(piece(text))),
            Val::Made(start, _) => {
                let whole = self.texted(value)?;
                let found = piece(whole);
                Ok(Self::within(start, whole, found))
            }
            _ => Err(Stop::NotMe),
        }
    }

    /// Where a piece lies of a text that was made, which begins at `start`. What lies elsewhere is empty.
    pub(super) fn within(start: u32, whole: &str, piece: &str) -> Val<'r> {
        let at = piece.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        match (u32::try_from(at), u32::try_from(piece.len())) {
            (Ok(at), Ok(length)) if !piece.is_empty() => Val::Made(start + at, start + at + length),
            _ => Val::Text(""),
        }
    }

    fn column(&self, at: Option<usize>) -> Got<'r> {
        let field = at.and_then(|at| self.record.fields.get(at)).ok_or(Stop::NotMe)?;
        if field.len() > LONG { Err(Stop::NotMe) } else { Ok(Val::Text(field)) }
    }

    fn column_of_name(&self, name: Val<'r>) -> Got<'r> {
        self.column(self.record.header.position(self.texted(name)?))
    }

    pub(super) fn eval(&mut self, node: &'r Node) -> Got<'r> {
        match node {
            Node::Constant(constant) => Ok(Val::of(constant)),
            Node::Row => Ok(Val::Row),
            Node::Column(at) => self.column(self.columns.get(*at).copied().flatten()),
            Node::Local(at) => self.local(*at),
            Node::Set(at, value) => {
                let value = self.eval(value)?;
                self.set(*at, value)?;
                Ok(Val::Nothing)
            }
            Node::AddTo(at, value) => {
                let added = self.eval(value)?;
                let value = self.added_to(self.local(*at)?, added)?;
                self.set(*at, value)?;
                Ok(Val::Nothing)
            }
            Node::Add(both) => {
                let [a, b] = self.both(both)?;
                self.add(a, b)
            }
            Node::Count(count, both) => match (count, self.both(both)?) {
                (Count::Minus, [Val::Number(a), Val::Number(b)]) => number(a.checked_sub(b)),
                (Count::Times, [Val::Number(a), Val::Number(b)]) => number(a.checked_mul(b)),
                (Count::Over, [Val::Number(a), Val::Number(b)]) => number(a.checked_div(b)),
                (Count::Rest, [Val::Number(a), Val::Number(b)]) => number(a.checked_rem(b)),
                _ => Err(Stop::NotMe),
            },
            Node::Compare(comparison, both) => {
                let [a, b] = self.both(both)?;
                self.compare(*comparison, a, b).map(Val::Bool)
            }
            Node::Not(value) => Ok(Val::Bool(!self.eval(value)?.truth()?)),
            Node::Negative(value) => match self.eval(value)? {
                Val::Number(value) => number(value.checked_neg()),
                _ => Err(Stop::NotMe),
            },
            Node::And(all) => {
                for one in all {
                    if !self.eval(one)?.truth()? {
                        return Ok(Val::Bool(false));
                    }
                }
                Ok(Val::Bool(true))
            }
            Node::Or(all) => {
                for one in all {
                    if self.eval(one)?.truth()? {
                        return Ok(Val::Bool(true));
                    }
                }
                Ok(Val::Bool(false))
            }
            Node::Either(all) => {
                for one in all {
                    let value = self.eval(one)?;
                    if !matches!(value, Val::Nothing) {
                        return Ok(value);
                    }
                }
                Ok(Val::Nothing)
            }
            Node::Joined(parts) => {
                let mut joined = Val::Text("");
                for part in parts {
                    let part = self.eval(part)?;
                    let part = self.as_text(part)?;
                    joined = if self.texted(joined)?.is_empty() { part } else { self.join(joined, part)? };
                }
                Ok(joined)
            }
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.eval(condition)?.truth()? { self.eval(then) } else { self.eval(otherwise) }
            }
            Node::Switch(switch) => self.switch(switch),
            Node::Block(statements) => {
                let mut last = Val::Nothing;
                for statement in statements {
                    last = self.eval(statement)?;
                }
                Ok(last)
            }
            Node::Return(value) => {
                self.returned = self.eval(value)?;
                Err(Stop::Return)
            }
            Node::Call(arguments, body) => {
                for (at, argument) in arguments {
                    let argument = self.eval(argument)?;
                    self.set(*at, argument)?;
                }
                match self.eval(body) {
                    Err(Stop::Return) => Ok(self.returned),
                    other => other,
                }
            }
            Node::Unless(at, parts) => {
                let [value, rest] = &**parts;
                let value = self.eval(value)?;
                if matches!(value, Val::Nothing) {
                    return Ok(value);
                }
                self.set(*at, value)?;
                self.eval(rest)
            }
            Node::Property(value, name, column) => match self.eval(value)? {
                Val::Row => self.column(self.columns.get(*column).copied().flatten()),
                value @ (Val::Text(_) | Val::Made(..)) if &**name == "len" => {
                    Ok(Val::Number(text::length(self.texted(value)?)))
                }
                map @ (Val::Map(_) | Val::Table(_)) => self.entry(map, name),
                _ => Err(Stop::NotMe),
            },
            Node::Index(both) => {
                let [value, index] = self.both(both)?;
                self.index(value, index)
            }
            Node::Word(word) => self.word(word),
            Node::List(first, items) => {
                let mut size = 0;
                for (at, item) in items.iter().enumerate() {
                    let item = self.eval(item)?;
                    size += self.size(item)?;
                    self.set(first + at, item)?;
                }
                let place = |at: usize| u32::try_from(at).map_err(|_| Stop::NotMe);
                let list = Val::Locals(place(*first)?, place(items.len())?);
                if size > LONG_TOGETHER { Err(Stop::NotMe) } else { Ok(list) }
            }
            Node::Map(shape) => {
                let mut size = 0;
                for (at, value) in shape.values.iter().enumerate() {
                    let value = self.eval(value)?;
                    size += self.size(value)?;
                    self.set(shape.first + at, value)?;
                }
                if size > LONG_TOGETHER { Err(Stop::NotMe) } else { Ok(Val::Map(shape)) }
            }
            Node::NotMe => Err(Stop::NotMe),
        }
    }

    pub(super) fn both(&mut self, both: &'r [Node; 2]) -> Result<[Val<'r>; 2], Stop> {
        let [a, b] = both;
        Ok([self.eval(a)?, self.eval(b)?])
    }

    /// How many bytes of text there are in a value that lies in another. Maps in it are left to the engine.
    fn size(&self, value: Val<'r>) -> Result<usize, Stop> {
        Ok(match value {
            Val::Text(_) | Val::Made(..) => self.texted(value)?.len(),
            Val::List(items) => items.iter().map(Constant::size).sum(),
            Val::Locals(..) | Val::Items(..) => {
                let mut sum = 0;
                for at in 0..value.count()? {
                    let item = self.item(value, at)?;
                    sum += if item.kind() == Kind::List { return Err(Stop::NotMe) } else { self.size(item)? };
                }
                sum
            }
            Val::Map(_) | Val::Table(_) => return Err(Stop::NotMe),
            Val::Nothing | Val::Bool(_) | Val::Number(_) | Val::Letter(_) | Val::Row | Val::Clear => 0,
        })
    }

    /// An item of a list.
    pub(super) fn item(&self, list: Val<'r>, at: usize) -> Got<'r> {
        match list {
            Val::List(items) => items.get(at).map(Val::of).ok_or(Stop::NotMe),
            Val::Locals(first, count) if at < count as usize => self.local(first as usize + at),
            Val::Items(first, count) if at < count as usize => {
                self.items.get(first as usize + at).copied().ok_or(Stop::NotMe)
            }
            _ => Err(Stop::NotMe),
        }
    }

    /// What stands in a map under a name.
    pub(super) fn entry(&self, map: Val<'r>, name: &str) -> Got<'r> {
        match map {
            Val::Map(shape) => {
                let at = shape.names.iter().position(|own| **own == *name).ok_or(Stop::NotMe)?;
                self.local(shape.first + at)
            }
            Val::Table(entries) => entries.get(name).map(Val::of).ok_or(Stop::NotMe),
            _ => Err(Stop::NotMe),
        }
    }

    fn index(&self, value: Val<'r>, index: Val<'r>) -> Got<'r> {
        let from_end = |at: INT| usize::try_from(at.unsigned_abs()).map_err(|_| Stop::NotMe);
        match (value.kind(), index) {
            (Kind::Ours, name) if matches!(value, Val::Row) => self.column_of_name(name),
            (Kind::Map, name) => self.entry(value, self.texted(name)?),
            (Kind::List, Val::Number(at)) => {
                let wanted = from_end(at)?;
                let at = if at < 0 { value.count()?.checked_sub(wanted).ok_or(Stop::NotMe)? } else { wanted };
                self.item(value, at)
            }
            (Kind::Text, Val::Number(at)) => {
                let (text, wanted) = (self.texted(value)?, from_end(at)?);
                let letter =
                    if at < 0 { text.chars().rev().nth(wanted.saturating_sub(1)) } else { text.chars().nth(wanted) };
                letter.map(Val::Letter).ok_or(Stop::NotMe)
            }
            _ => Err(Stop::NotMe),
        }
    }

    fn add(&mut self, a: Val<'r>, b: Val<'r>) -> Got<'r> {
        use Kind::{Letter, Nothing, Text};
        match (a.kind(), b.kind()) {
            (Text | Letter, Text | Letter) => self.join(a, b),
            (Nothing, Text) => Ok(b),
            (Text, Nothing) => Ok(a),
            _ => match (a, b) {
                (Val::Number(a), Val::Number(b)) => number(a.checked_add(b)),
                _ => Err(Stop::NotMe),
            },
        }
    }

    fn added_to(&mut self, a: Val<'r>, b: Val<'r>) -> Got<'r> {
        use Kind::{Letter, Text};
        match (a.kind(), b.kind()) {
            (Letter, Text) if self.texted(b)?.is_empty() => Ok(a),
            (Text | Letter, Text | Letter) | (Kind::Number, Kind::Number) => self.add(a, b),
            _ => Err(Stop::NotMe),
        }
    }

    pub(super) fn compare(&self, comparison: Comparison, a: Val<'r>, b: Val<'r>) -> Result<bool, Stop> {
        fn ordered<T: PartialOrd + ?Sized>(comparison: Comparison, a: &T, b: &T) -> bool {
            match comparison {
                Comparison::Equal => a == b,
                Comparison::Unequal => a != b,
                Comparison::Less => a < b,
                Comparison::AtMost => a <= b,
                Comparison::More => a > b,
                Comparison::AtLeast => a >= b,
            }
        }
        match (a.kind(), b.kind()) {
            (Kind::Text, Kind::Text) => return Ok(ordered(comparison, self.texted(a)?, self.texted(b)?)),
            (Kind::Ours, _) | (_, Kind::Ours) => return Err(Stop::NotMe),
            _ => {}
        }
        Ok(match (a, b) {
            (Val::Nothing, Val::Nothing) => matches!(comparison, Comparison::Equal),
            (Val::Bool(a), Val::Bool(b)) => ordered(comparison, &a, &b),
            (Val::Number(a), Val::Number(b)) => ordered(comparison, &a, &b),
            (Val::Letter(a), Val::Letter(b)) => ordered(comparison, &a, &b),
            // A letter is compared with the first two of a text.
            (Val::Letter(letter), _) if b.kind() == Kind::Text => {
                let mut text = self.texted(b)?.chars();
                ordered(comparison, &[Some(letter), None], &[text.next(), text.next()])
            }
            (_, Val::Letter(letter)) if a.kind() == Kind::Text => {
                let mut text = self.texted(a)?.chars();
                ordered(comparison, &[text.next(), text.next()], &[Some(letter), None])
            }
            _ if a.kind() == b.kind() => return Err(Stop::NotMe),
            _ => matches!(comparison, Comparison::Unequal),
        })
    }

    fn is(&self, value: Val<'r>, constant: &Constant) -> bool {
        match (value, constant) {
            (Val::Nothing, Constant::Nothing) => true,
            (Val::Bool(a), Constant::Bool(b)) => a == *b,
            (Val::Number(a), Constant::Number(b)) => a == *b,
            (Val::Letter(a), Constant::Letter(b)) => a == *b,
            (value, Constant::Text(b)) => self.text(value).is_some_and(|a| *a == **b),
            _ => false,
        }
    }

    fn switch(&mut self, switch: &'r Switch) -> Got<'r> {
        let value = self.eval(&switch.of)?;
        if matches!(value.kind(), Kind::List | Kind::Map | Kind::Ours) {
            return Err(Stop::NotMe);
        }
        let case = switch.cases.iter().find(|(case, _)| self.is(value, case));
        for way in case.iter().flat_map(|(_, ways)| ways) {
            let [condition, then] = switch.ways.get(*way).ok_or(Stop::NotMe)?;
            if self.eval(condition)?.truth()? {
                return self.eval(then);
            }
        }
        match switch.otherwise {
            Some(way) => {
                let [_, then] = switch.ways.get(way).ok_or(Stop::NotMe)?;
                self.eval(then)
            }
            None => Ok(Val::Nothing),
        }
    }
}

pub(super) fn number<'r>(number: Option<INT>) -> Got<'r> {
    number.map(Val::Number).ok_or(Stop::NotMe)
}
