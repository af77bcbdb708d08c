//! What words make of values. What they do to texts is `text`'s; here it is told what they may be given.

use rhai::INT;

use super::{
    super::text::{self, GERMAN, MAX_PATTERNS},
    LONG, LONG_TOGETHER, Site,
    tree::{Comparison, Pattern, Word},
    walk::{Frame, Got, Kind, Stop, Val, number},
};

/// So many parts may a text be split into.
const MANY_PARTS: usize = 64;

impl<'r> Frame<'r, '_> {
    pub(super) fn word(&mut self, word: &'r Word) -> Got<'r> {
        match word {
            Word::Reshape(reshape, value) => {
                let value = self.eval(value)?;
                self.reshape(*reshape, value)
            }
            Word::Ask(ask, both) => {
                let [value, part] = self.both(both)?;
                self.ask(*ask, value, part)
            }
            Word::Contains(ask, both) => {
                let [value, part] = self.both(both)?;
                match value.kind() {
                    Kind::List => self.holds(value, part),
                    Kind::Map => Ok(Val::Bool(self.entry(value, self.texted(part)?).is_ok())),
                    _ => self.ask(*ask, value, part),
                }
            }
            Word::Cut(cut, both) => {
                let [value, at] = self.both(both)?;
                if let (Val::Nothing, Kind::Text) = (value, at.kind()) {
                    return Ok(Val::Nothing);
                }
                let mut room = [0; 4];
                let at = self.spelled(at, &mut room)?;
                self.piece(value, |text| cut(text, at))
            }
            Word::GermanSlug(both) => {
                let [value, language] = self.both(both)?;
                if let (Val::Nothing, Kind::Text) = (value, language.kind()) {
                    return Ok(Val::Nothing);
                }
                if self.texted(language)? != GERMAN {
                    return Err(Stop::NotMe);
                }
                let slug = text::german_slug(self.texted(value)?);
                self.make(&slug)
            }
            Word::Replace([value, old, new]) => {
                let (value, old, new) = (self.eval(value)?, self.eval(old)?, self.eval(new)?);
                self.replace(value, old, new)
            }
            Word::Split(both) => {
                let [value, separator] = self.both(both)?;
                self.split(value, separator)
            }
            Word::Part(value, start, length) => {
                let (value, start) = (self.eval(value)?, self.eval(start)?);
                let length = length.as_ref().map_or(Ok(Val::Number(INT::MAX)), |length| self.eval(length))?;
                let (Val::Number(start), Val::Number(length)) = (start, length) else { return Err(Stop::NotMe) };
                self.piece(value, |text| text::part(text, start, length))
            }
            Word::IsBlank(value) => match self.eval(value)? {
                Val::Nothing => Ok(Val::Bool(true)),
                value => Ok(Val::Bool(text::is_blank(self.texted(value)?))),
            },
            Word::IsEmpty(list) => {
                let list = self.eval(list)?;
                Ok(Val::Bool(list.count()? == 0))
            }
            Word::Or(both) => {
                let [value, default] = self.both(both)?;
                let blank = matches!(value, Val::Nothing) || text::is_blank(self.texted(value)?);
                Ok(if blank { default } else { value })
            }
            Word::Length(value) => {
                let value = self.eval(value)?;
                match value.kind() {
                    Kind::List | Kind::Map => number(INT::try_from(value.count()?).ok()),
                    _ => Ok(Val::Number(text::length(self.texted(value)?))),
                }
            }
            Word::ToText(value) => match self.eval(value)? {
                Val::Nothing => Err(Stop::NotMe),
                value => self.as_text(value),
            },
            Word::Matches(value, pattern) => match self.eval(value)? {
                Val::Nothing | Val::Bool(_) => Ok(Val::Bool(false)),
                value => {
                    let regex = self.site.regex(pattern)?;
                    Ok(Val::Bool(regex.is_match(self.texted(value)?)))
                }
            },
            Word::Capture(value, pattern) => {
                let value = self.eval(value)?;
                self.capture(value, pattern)
            }
            Word::Today => {
                let start = self.made.len();
                self.site.today(&mut self.made);
                self.made_since(start)
            }
            Word::Date(both) => {
                let [value, format] = self.both(both)?;
                let date = text::date(self.texted(value)?, self.texted(format)?).map_err(|_| Stop::NotMe)?;
                self.make(&date)
            }
            Word::DateOrEmpty(both) => {
                let [value, format] = self.both(both)?;
                let date = text::date_or_empty(self.texted(value)?, self.texted(format)?).map_err(|_| Stop::NotMe)?;
                self.make(&date)
            }
            Word::DaysUntil(value) => match self.eval(value)? {
                Val::Nothing => Ok(Val::Nothing),
                value => number(text::days_until(self.texted(value)?, self.site.clock.get())),
            },
            Word::Clear => Ok(Val::Clear),
            Word::Has(both) => match self.both(both)? {
                [Val::Row, name] => {
                    let name = self.texted(name)?;
                    Ok(Val::Bool(self.record.header.position(name).is_some()))
                }
                _ => Err(Stop::NotMe),
            },
        }
    }

    fn reshape(&mut self, reshape: text::Reshape, value: Val<'r>) -> Got<'r> {
        let mut room = std::mem::take(&mut self.room);
        room.clear();
        let piece = match value {
            Val::Nothing => Some(Ok(Val::Nothing)),
            Val::Text(text) => reshape(text, &mut room).map(|piece| Ok(Val::Text(piece))),
            Val::Made(start, _) => match self.text(value) {
                Some(whole) => reshape(whole, &mut room).map(|piece| Ok(Self::within(start, whole, piece))),
                None => Some(Err(Stop::NotMe)),
            },
            _ => Some(Err(Stop::NotMe)),
        };
        let reshaped = piece.unwrap_or_else(|| self.make(&room));
        self.room = room;
        reshaped
    }

    fn ask(&self, ask: text::Ask, value: Val<'r>, part: Val<'r>) -> Got<'r> {
        if let (Val::Nothing | Val::Bool(_), Kind::Text) = (value, part.kind()) {
            return Ok(Val::Bool(false));
        }
        let mut room = [0; 4];
        let part = self.spelled(part, &mut room)?;
        Ok(Val::Bool(ask(self.texted(value)?, part)))
    }

    /// Whether a list holds a value.
    fn holds(&self, list: Val<'r>, value: Val<'r>) -> Got<'r> {
        if !matches!(value.kind(), Kind::Text | Kind::Number | Kind::Bool) {
            return Err(Stop::NotMe);
        }
        for at in 0..list.count()? {
            let item = self.item(list, at)?;
            match item.kind() {
                kind if kind == value.kind() => {
                    if self.compare(Comparison::Equal, item, value)? {
                        return Ok(Val::Bool(true));
                    }
                }
                Kind::Text | Kind::Number | Kind::Bool | Kind::Nothing => {}
                Kind::Letter | Kind::List | Kind::Map | Kind::Ours => return Err(Stop::NotMe),
            }
        }
        Ok(Val::Bool(false))
    }

    fn replace(&mut self, value: Val<'r>, old: Val<'r>, new: Val<'r>) -> Got<'r> {
        match (value.kind(), old.kind(), new.kind()) {
            (Kind::Nothing, _, _) => return Ok(Val::Nothing),
            (Kind::Text, Kind::Text, Kind::Text) | (Kind::Text, Kind::Letter, Kind::Letter | Kind::Text) => {}
            _ => return Err(Stop::NotMe),
        }
        let (mut old_room, mut new_room) = ([0; 4], [0; 4]);
        let (old, new) = (self.spelled(old, &mut old_room)?, self.spelled(new, &mut new_room)?);
        let text = self.texted(value)?;
        if old.is_empty() || !text.contains(old) {
            return Ok(value);
        }
        if text::replaced_size(text, old, new) > LONG {
            return Err(Stop::NotMe);
        }
        let replaced = text::replaced(text, old, new);
        self.make(&replaced)
    }

    fn split(&mut self, value: Val<'r>, separator: Val<'r>) -> Got<'r> {
        let mut room = [0; 4];
        let first = self.items.len();
        if !matches!(value, Val::Nothing) {
            let mut items = std::mem::take(&mut self.items);
            let separator = self.spelled(separator, &mut room)?;
            match value {
                Val::Text(text) => {
                    text::pieces(text, separator, MANY_PARTS + 1, &mut |piece| items.push(Val::Text(piece)));
                }
                Val::Made(start, _) => {
                    let whole = self.texted(value)?;
                    let each = &mut |piece: &str| items.push(Self::within(start, whole, piece));
                    text::pieces(whole, separator, MANY_PARTS + 1, each);
                }
                _ => return Err(Stop::NotMe),
            }
            self.items = items;
        }
        self.items_since(first)
    }

    fn items_since(&self, first: usize) -> Got<'r> {
        let count = self.items.len() - first;
        let place = |at: usize| u32::try_from(at).map_err(|_| Stop::NotMe);
        if count > MANY_PARTS { Err(Stop::NotMe) } else { Ok(Val::Items(place(first)?, place(count)?)) }
    }

    fn capture(&mut self, value: Val<'r>, pattern: &'r Pattern) -> Got<'r> {
        if matches!(value, Val::Nothing) {
            return Ok(Val::Nothing);
        }
        let regex = self.site.regex(pattern)?;
        let whole = self.texted(value)?;
        let Some(found) = regex.captures(whole) else { return Ok(Val::Nothing) };
        if found.len() > MANY_PARTS {
            return Err(Stop::NotMe);
        }
        if found.iter().flatten().map(|group| group.len()).sum::<usize>() > LONG_TOGETHER {
            return Err(Stop::NotMe);
        }
        let groups: Vec<_> = found.iter().map(|group| group.map_or(0..0, |group| group.range())).collect();
        let first = self.items.len();
        for range in groups {
            let group = self.piece(value, |text| text.get(range).unwrap_or_default())?;
            self.items.push(group);
        }
        self.items_since(first)
    }
}

impl Site {
    fn today(&self, out: &mut String) {
        let now = self.clock.get();
        let mut kept = self.today.borrow_mut();
        match &*kept {
            Some((day, text)) if *day == now => out.push_str(text),
            _ => {
                let text = now.to_string();
                out.push_str(&text);
                *kept = Some((now, text));
            }
        }
    }

    fn regex<'p>(&self, pattern: &'p Pattern) -> Result<&'p regex::Regex, Stop> {
        let compiled = pattern.regex.get_or_init(|| {
            let (regex, size) = text::compile(&pattern.text).ok()?;
            let all = self.patterns.get().saturating_add(size);
            self.patterns.set(all);
            // Half of what one evaluation may compile.
            (all <= MAX_PATTERNS / 2).then_some(regex)
        });
        compiled.as_ref().ok_or(Stop::NotMe)
    }
}
