//! Words about text and dates. Every one returns a new value; none changes its argument.
//!
//! They accept `()` where a value may be unknown and answer with `()`, or with `false` where a question was asked.
//! What can multiply its input asks the meter first. This file knows no record, no person and no system.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use jiff::civil::Date;
use regex::{Regex, RegexBuilder};
use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString};
use unicode_normalization::UnicodeNormalization;

use super::{
    fault::{Fault, Unshown},
    sandbox::{MAX_LIST, Meter, raise},
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// How large a compiled regular expression may become, in bytes: each is tried with these in turn, and counts as what
/// it needed.
const PATTERN_SIZES: [usize; 4] = [16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024];
/// How many bytes of regular expressions are kept, and how many one evaluation may compile.
pub(super) const MAX_PATTERNS: usize = 8 * 1024 * 1024;
/// How long the text of a regular expression may be, in bytes.
const MAX_PATTERN_TEXT: usize = 1024;

/// What a search costs for each byte, beside a copy of it.
const SEARCH: usize = 4;

/// The regular expressions of one set of rules, each compiled once.
///
/// They are kept from one evaluation to the next. Where a rule makes them out of records, all are forgotten from time to
/// time.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    kept: RefCell<BTreeMap<ImmutableString, Regex>>,
    size: Cell<usize>,
}

impl Patterns {
    fn get(&self, pattern: &ImmutableString, meter: &Meter) -> Answer<Regex> {
        if let Some(regex) = self.kept.borrow().get(pattern) {
            return Ok(regex.clone());
        }
        meter.in_time()?;
        let (regex, size) = compile(pattern).map_err(raise)?;
        meter.compiled(size, MAX_PATTERNS)?;
        let mut kept = self.kept.borrow_mut();
        if self.size.get() + size > MAX_PATTERNS {
            kept.clear();
            self.size.set(0);
        }
        self.size.set(self.size.get() + size);
        kept.insert(pattern.clone(), regex.clone());
        Ok(regex)
    }
}

/// A regular expression, and how many bytes it may have needed.
pub(super) fn compile(pattern: &str) -> Result<(Regex, usize), Fault> {
    if pattern.len() > MAX_PATTERN_TEXT {
        let cause = format!("longer than {MAX_PATTERN_TEXT} bytes");
        return Err(Fault::BadPattern { pattern: beginning(pattern), cause });
    }
    let mut too_large = None;
    for size in PATTERN_SIZES {
        match RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(size).build() {
            Ok(regex) => return Ok((regex, size)),
            Err(error @ regex::Error::CompiledTooBig(_)) => too_large = Some(error),
            Err(error) => return Err(bad_pattern(pattern, &error)),
        }
    }
    Err(too_large.map_or_else(|| Fault::TooMuch("the pattern is too large".to_owned()), |it| bad_pattern(pattern, &it)))
}

fn bad_pattern(pattern: &str, error: &regex::Error) -> Fault {
    let cause = match error {
        regex::Error::CompiledTooBig(_) => "it would become too large".to_owned(),
        error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    Fault::BadPattern { pattern: beginning(pattern), cause }
}

/// Teaches an engine the words.
pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>, patterns: &Rc<Patterns>, today: &Rc<Cell<Date>>) {
    for (name, reshape) in RESHAPING {
        reshaping(engine, meter, name, reshape);
    }
    for (name, ask) in ASKING {
        asking(engine, name, ask);
    }
    for (name, cut) in CUTTING {
        cutting(engine, meter, name, cut);
    }

    engine.register_fn("is_blank", is_blank);
    engine.register_fn("is_blank", |(): ()| true);
    engine.register_fn(
        "or",
        |text: ImmutableString, default: Dynamic| {
            if is_blank(&text) { default } else { text.into() }
        },
    );
    engine.register_fn("or", |(): (), default: Dynamic| default);
    engine.register_fn("len", length);
    engine.register_get("len", |text: &mut ImmutableString| length(text));
    engine.register_fn("to_string", |text: ImmutableString| text);
    engine.register_fn("to_string", |number: INT| number.to_string());
    engine.register_fn("to_string", |number: f64| number.to_string());
    engine.register_fn("to_string", |truth: bool| truth.to_string());
    engine.register_fn("to_string", |letter: char| letter.to_string());

    let own = Rc::clone(meter);
    engine.register_fn("slug", move |text: &str, language: &str| match language {
        GERMAN => own.hand_over(german_slug(text)),
        other => Err(raise(Fault::WrongType {
            what: "the language of `slug`".to_owned(),
            wanted: "\"de\"".to_owned(),
            got: format!("\"{}\"", other.chars().take(20).collect::<String>()),
        })),
    });
    engine.register_fn("slug", |(): (), _: &str| ());
    let own = Rc::clone(meter);
    engine.register_fn("sub_string", move |text: &str, start: INT| own.hand_over(part(text, start, INT::MAX)));
    let own = Rc::clone(meter);
    engine
        .register_fn("sub_string", move |text: &str, start: INT, length: INT| own.hand_over(part(text, start, length)));

    let own = Rc::clone(meter);
    engine.register_fn("split", move |text: &str, separator: &str| split(&own, text, separator));
    let own = Rc::clone(meter);
    engine
        .register_fn("split", move |text: &str, separator: char| split(&own, text, separator.encode_utf8(&mut [0; 4])));
    engine.register_fn("split", |(): (), _: Dynamic| Array::new());
    let own = Rc::clone(meter);
    engine.register_fn("replace", move |text: &str, old: &str, new: &str| replace(&own, text, old, new));
    let own = Rc::clone(meter);
    engine.register_fn("replace", move |text: &str, old: char, new: char| {
        replace(&own, text, old.encode_utf8(&mut [0; 4]), new.encode_utf8(&mut [0; 4]))
    });
    let own = Rc::clone(meter);
    engine.register_fn("replace", move |text: &str, old: char, new: &str| {
        replace(&own, text, old.encode_utf8(&mut [0; 4]), new)
    });
    engine.register_fn("replace", |(): (), _: Dynamic, _: Dynamic| ());

    let (own, paid) = (Rc::clone(patterns), Rc::clone(meter));
    engine.register_fn("matches", move |text: &str, pattern: ImmutableString| -> Answer<bool> {
        paid.charge(text.len().saturating_mul(SEARCH))?;
        Ok(own.get(&pattern, &paid)?.is_match(text))
    });
    engine.register_fn("matches", |(): (), _: &str| false);
    engine.register_fn("matches", |_: bool, _: &str| false);
    let (own, paid) = (Rc::clone(patterns), Rc::clone(meter));
    engine.register_fn("capture", move |text: &str, pattern: ImmutableString| -> Answer<Dynamic> {
        paid.charge(text.len().saturating_mul(SEARCH))?;
        let regex = own.get(&pattern, &paid)?;
        let Some(found) = regex.captures(text) else { return Ok(Dynamic::UNIT) };
        // Groups may lie in each other, and each may hold all of it.
        paid.charge(found.iter().flatten().map(|group| group.len() + PART).sum())?;
        let group = |it: Option<regex::Match<'_>>| Dynamic::from(it.map_or("", |it| it.as_str()).to_owned());
        Ok(found.iter().map(group).collect::<Array>().into())
    });
    engine.register_fn("capture", |(): (), _: &str| ());

    let clock = Rc::clone(today);
    engine.register_fn("today", move || clock.get().to_string());
    let clock = Rc::clone(today);
    engine.register_fn("date", date);
    engine.register_fn("date_or_empty", date_or_empty);
    engine.register_fn("days_until", move |text: &str| -> Answer<INT> {
        let no_date = || Fault::NotADate { format: "2026-11-20".to_owned(), said: Unshown(text.to_owned()) };
        days_until(text, clock.get()).ok_or_else(|| raise(no_date()))
    });
    engine.register_fn("days_until", |(): ()| ());
}

/// What a word makes of a text: a piece of it or, where that is `None`, what it wrote into the room, which was empty.
pub(super) type Reshape = for<'a> fn(&'a str, &mut String) -> Option<&'a str>;
/// What a word asks of a text and a part.
pub(super) type Ask = fn(&str, &str) -> bool;
/// The piece that a word takes of a text, at a separator.
pub(super) type Cut = for<'a> fn(&'a str, &str) -> &'a str;

/// The words that make one text of another.
pub(super) const RESHAPING: [(&str, Reshape); 6] =
    [("trim", trim), ("lower", lower), ("upper", upper), ("title", title), ("slug", slug), ("ascii", ascii)];

/// The words that ask something of a text and a part.
pub(super) const ASKING: [(&str, Ask); 3] = [
    ("starts_with", |text, part| text.starts_with(part)),
    ("ends_with", |text, part| text.ends_with(part)),
    ("contains", |text, part| text.contains(part)),
];

/// The words that take a piece of a text.
pub(super) const CUTTING: [(&str, Cut); 2] = [
    ("before", |text, separator| text.split_once(separator).map_or(text, |(before, _)| before)),
    ("after", |text, separator| text.split_once(separator).map_or("", |(_, after)| after)),
];

/// A word that makes one text of another.
fn reshaping(engine: &mut Engine, meter: &Rc<Meter>, name: &str, reshape: Reshape) {
    let meter = Rc::clone(meter);
    engine.register_fn(name, move |text: &str| {
        let mut room = String::new();
        match reshape(text, &mut room) {
            Some(piece) => meter.hand_over(piece),
            None => meter.hand_over(room),
        }
    });
    engine.register_fn(name, |(): ()| ());
}

/// A word that asks something of a text and a part.
fn asking(engine: &mut Engine, name: &str, ask: Ask) {
    engine.register_fn(name, move |text: &str, part: &str| ask(text, part));
    engine.register_fn(name, move |text: &str, part: char| ask(text, part.encode_utf8(&mut [0; 4])));
    engine.register_fn(name, |(): (), _: &str| false);
    // A change's value may be a truth value, which is no text that could begin or end with one.
    engine.register_fn(name, |_: bool, _: &str| false);
}

/// A word that takes a piece of a text, at a separator.
fn cutting(engine: &mut Engine, meter: &Rc<Meter>, name: &str, cut: Cut) {
    let own = Rc::clone(meter);
    engine.register_fn(name, move |text: &str, at: &str| own.hand_over(cut(text, at)));
    let own = Rc::clone(meter);
    engine.register_fn(name, move |text: &str, at: char| own.hand_over(cut(text, at.encode_utf8(&mut [0; 4]))));
    engine.register_fn(name, |(): (), _: &str| ());
}

/// Whether there is nothing, or white space only.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// How many characters there are.
pub(super) fn length(text: &str) -> INT {
    INT::try_from(text.chars().count()).unwrap_or(INT::MAX)
}

#[expect(clippy::unnecessary_wraps, reason = "other words write something new")]
fn trim<'a>(text: &'a str, _: &mut String) -> Option<&'a str> {
    Some(text.trim())
}

fn lower<'a>(text: &'a str, room: &mut String) -> Option<&'a str> {
    if !text.is_ascii() {
        room.push_str(&text.to_lowercase());
        return None;
    }
    if !text.bytes().any(|letter| letter.is_ascii_uppercase()) {
        return Some(text);
    }
    room.push_str(text);
    room.make_ascii_lowercase();
    None
}

fn upper<'a>(text: &'a str, room: &mut String) -> Option<&'a str> {
    if !text.is_ascii() {
        room.push_str(&text.to_uppercase());
        return None;
    }
    if !text.bytes().any(|letter| letter.is_ascii_lowercase()) {
        return Some(text);
    }
    room.push_str(text);
    room.make_ascii_uppercase();
    None
}

fn title<'a>(text: &'a str, room: &mut String) -> Option<&'a str> {
    let mut start = true;
    for c in text.chars() {
        if start {
            room.extend(c.to_uppercase());
        } else {
            room.push(c);
        }
        start = c.is_whitespace() || c == '-';
    }
    None
}

fn ascii<'a>(text: &'a str, room: &mut String) -> Option<&'a str> {
    if text.is_ascii() {
        return Some(text);
    }
    room.push_str(&deunicode::deunicode(text));
    None
}

fn slug<'a>(text: &'a str, room: &mut String) -> Option<&'a str> {
    for c in deunicode::deunicode(text).chars() {
        if c.is_ascii_alphanumeric() {
            room.push(c.to_ascii_lowercase());
        } else if c != '\'' && !room.is_empty() && !room.ends_with('-') {
            room.push('-');
        }
    }
    room.truncate(room.trim_end_matches('-').len());
    None
}

/// What `slug` takes as its second argument.
pub(super) const GERMAN: &str = "de";

/// A slug with umlauts spelled out.
pub(super) fn german_slug(text: &str) -> String {
    let mut room = String::with_capacity(text.len());
    slug(&spelled_out(text), &mut room);
    room
}

/// Umlauts and their neighbours as two letters, as German and Nordic names are spelled where there are none.
fn spelled_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    // Composed first: a letter and its dots may come as two characters.
    for c in text.nfc() {
        match c {
            'ä' | 'æ' | 'Ä' | 'Æ' => out.push_str("ae"),
            'ö' | 'ø' | 'Ö' | 'Ø' => out.push_str("oe"),
            'ü' | 'Ü' => out.push_str("ue"),
            'å' | 'Å' => out.push_str("aa"),
            'ß' | 'ẞ' => out.push_str("ss"),
            other => out.push(other),
        }
    }
    out
}

/// Characters from `start` on; a negative start counts from the end.
pub(super) fn part(text: &str, start: INT, length: INT) -> &str {
    let start = if start < 0 { (self::length(text) + start).max(0) } else { start };
    let index = |number: INT| usize::try_from(number.max(0)).unwrap_or(usize::MAX);
    let byte = |text: &str, letters: usize| text.char_indices().nth(letters).map_or(text.len(), |(at, _)| at);
    let rest = &text[byte(text, index(start))..];
    &rest[..byte(rest, index(length))]
}

/// What a part of a text takes beside its letters, in bytes.
const PART: usize = 80;

fn split(meter: &Meter, text: &str, separator: &str) -> Answer<Array> {
    let found = if separator.is_empty() { text.len() } else { text.matches(separator).take(MAX_LIST + 1).count() + 1 };
    meter.charge(text.len() + found.min(MAX_LIST + 1) * PART)?;
    let mut parts = Array::new();
    pieces(text, separator, MAX_LIST + 1, &mut |piece| parts.push(piece.to_owned().into()));
    if parts.len() > MAX_LIST {
        return Err(raise(Fault::TooMuch(format!("the text has more than {MAX_LIST} parts"))));
    }
    Ok(parts)
}

/// Hands on the parts between the separators, so many at most. An empty separator means letters.
pub(super) fn pieces<'a>(text: &'a str, separator: &str, most: usize, each: &mut dyn FnMut(&'a str)) {
    if separator.is_empty() {
        text.char_indices().take(most).for_each(|(at, c)| each(&text[at..at + c.len_utf8()]));
    } else {
        text.split(separator).take(most).for_each(each);
    }
}

fn replace(meter: &Meter, text: &str, old: &str, new: &str) -> Answer<ImmutableString> {
    if old.is_empty() {
        return meter.hand_over(text);
    }
    meter.allow(replaced_size(text, old, new))?;
    Ok(replaced(text, old, new).into())
}

/// How many bytes a text has with every `old` replaced, which is not empty.
pub(super) fn replaced_size(text: &str, old: &str, new: &str) -> usize {
    let found = text.matches(old).count();
    (text.len() - found * old.len()).saturating_add(found.saturating_mul(new.len()))
}

/// A text with every `old` replaced.
pub(super) fn replaced(text: &str, old: &str, new: &str) -> String {
    if old.is_empty() { text.to_owned() } else { text.replace(old, new) }
}

/// Nobody's dates are older.
const FIRST_YEAR: i16 = 1000;

pub(super) fn date(text: &str, format: &str) -> Answer<String> {
    // A year of two digits, as a spreadsheet writes it, is no year of the first century.
    match Date::strptime(format, text.trim()).ok().filter(|date| date.year() >= FIRST_YEAR) {
        Some(date) => Ok(date.to_string()),
        None => Err(raise(bad_date(text, format))),
    }
}

pub(super) fn date_or_empty(text: &str, format: &str) -> Answer<String> {
    if is_blank(text) { Ok(String::new()) } else { date(text, format) }
}

/// `None` where it is no date.
pub(super) fn days_until(text: &str, today: Date) -> Option<INT> {
    Some(today.until(iso(text)?).ok()?.get_days().into())
}

/// Whether the format or the text is at fault: a format that cannot even be written with is none.
fn bad_date(text: &str, format: &str) -> Fault {
    let no_date = || Fault::NotADate { format: beginning(format), said: Unshown(text.to_owned()) };
    bad_format(format).unwrap_or_else(no_date)
}

/// What is wrong with a form of dates, whatever is read with it.
pub(super) fn bad_format(format: &str) -> Option<Fault> {
    // A form is one if what is written in it can be read again.
    let day = Date::constant(2026, 11, 20);
    let written = day.at(13, 14, 15, 0).to_zoned(jiff::tz::TimeZone::UTC).ok();
    let written = written.and_then(|time| jiff::fmt::strtime::format(format, &time).ok());
    let usable = written.and_then(|text| Date::strptime(format, text).ok()) == Some(day);
    (!usable).then(|| Fault::BadFormat { format: beginning(format) })
}

/// As much of what a rule wrote as an error shows.
fn beginning(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Exactly `2026-11-20`.
fn iso(text: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sandbox::engine;

    fn taught() -> Engine {
        let meter = Meter::new();
        let mut engine = engine(&meter);
        register(&mut engine, &meter, &Rc::default(), &Rc::new(Cell::new(Date::constant(2026, 11, 20))));
        engine
    }

    fn say(script: &str) -> String {
        let answer = taught().eval::<Dynamic>(script).unwrap_or_else(|error| panic!("`{script}`: {error}"));
        answer.to_string()
    }

    fn fault(script: &str) -> Fault {
        match *taught().eval::<Dynamic>(script).expect_err(script) {
            EvalAltResult::ErrorRuntime(token, position) => {
                assert!(!position.is_none(), "`{script}` has no place");
                token.cast::<Fault>()
            }
            other => panic!("`{script}`: {other:?}"),
        }
    }

    #[test]
    fn every_word_returns_a_new_value_and_leaves_the_old_one() {
        assert_eq!(say(r#"let s = "  Ä b "; let t = s.trim().lower(); `[${s}|${t}]`"#), "[  Ä b |ä b]");
        assert_eq!(say(r#"let s = "a-b"; let t = s.replace("-", "+"); `${s} ${t}`"#), "a-b a+b");
        assert_eq!(say(r#"const S = " x "; S.trim()"#), "x");
    }

    #[test]
    fn texts_are_reshaped_as_the_list_of_words_says() {
        for (script, wanted) in [
            (r#""Straße".upper()"#, "STRASSE"),
            (r#""anna-maria o'neil".title()"#, "Anna-Maria O'neil"),
            (r#""McDonald von x".title()"#, "McDonald Von X"),
            (r#""Jürgen Groß".slug()"#, "jurgen-gross"),
            (r#""Jürgen Groß".slug("de")"#, "juergen-gross"),
            ("\"Ju\u{308}rgen\".slug(\"de\")", "juergen"),
            (r#""Łukasz Ødegård".slug()"#, "lukasz-odegard"),
            (r#""Søren Ågård".slug("de")"#, "soeren-aagaard"),
            (r#"" --a__b..c-- ".slug()"#, "a-b-c"),
            (r#""O'Neil".slug()"#, "oneil"),
            (r#""Łódź Größe".ascii()"#, "Lodz Grosse"),
            (r#""a@b@c".before("@")"#, "a"),
            (r#""a@b@c".after("@")"#, "b@c"),
            (r#""abc".before("@")"#, "abc"),
            (r#""abc".after('@')"#, ""),
            (r#""a,b;c".split(",").len()"#, "2"),
            (r#""a,b,c".split(',')[2]"#, "c"),
            (r#""aXbX".replace('X', "--")"#, "a--b--"),
            (r#""äöü".sub_string(1)"#, "öü"),
            (r#""äöü".sub_string(0, 1)"#, "ä"),
            (r#""äöü".sub_string(-2, 1)"#, "ö"),
            (r#""äöü".len()"#, "3"),
            (r#""äöü".len"#, "3"),
            (r#"" ".is_blank()"#, "true"),
            (r#""".or("x")"#, "x"),
            (r#""y".or("x")"#, "y"),
            (r#""abc".starts_with("ab") && "abc".ends_with('c') && "abc".contains("b")"#, "true"),
            (r#""b" in "abc""#, "true"),
            (r#""E-1234".matches("^E-[0-9]+$")"#, "true"),
            (r#""E-1234".capture("^(E)-([0-9]+)$")[2]"#, "1234"),
            (r#""x".capture("y") == ()"#, "true"),
            (r#"`${1}${true}${"x"}`"#, "1truex"),
        ] {
            assert_eq!(say(script), wanted, "{script}");
        }
    }

    #[test]
    fn what_is_unknown_stays_unknown_and_answers_no() {
        for script in [
            "().lower()",
            "().trim()",
            "().slug(\"de\")",
            "().before(\"x\")",
            "().replace(\"a\", \"b\")",
            "().capture(\"x\")",
        ] {
            assert_eq!(say(&format!("{script} == ()")), "true", "{script}");
        }
        assert_eq!(say("().is_blank()"), "true");
        assert_eq!(say("().contains(\"x\") || ().matches(\"x\")"), "false");
        assert_eq!(say("().or(\"x\")"), "x");
    }

    #[test]
    fn a_date_has_one_declared_form_and_nothing_else_is_a_date() {
        assert_eq!(say(r#"date("03.04.2026", "%d.%m.%Y")"#), "2026-04-03");
        assert_eq!(say(r#"date_or_empty(" ", "%d.%m.%Y")"#), "");
        assert_eq!(say("today()"), "2026-11-20");
        assert_eq!(say(r#"days_until("2026-12-01")"#), "11");
        assert_eq!(say(r#"days_until("2026-11-19")"#), "-1");
        assert_eq!(say(r#"date("03.04.2026", "%d.%m.%Y") < today()"#), "true");
        for script in [
            r#"date("2026-02-30", "%Y-%m-%d")"#,
            r#"date("03/04/2026", "%d.%m.%Y")"#,
            r#"date("03.04.2026 x", "%d.%m.%Y")"#,
            r#"date("01.01.30", "%d.%m.%Y")"#,
            r#"date("", "%d.%m.%Y")"#,
            r#"date_or_empty("31.02.2026", "%d.%m.%Y")"#,
            r#"days_until("tomorrow")"#,
        ] {
            assert!(matches!(fault(script), Fault::NotADate { .. }), "{script}");
        }
        for form in ["%d.%K", "DD.MM.YYYY", "%d.%m", "%d.%m.%", ""] {
            let fault = fault(&format!(r#"date("03.04.2026", "{form}")"#));
            assert!(matches!(fault, Fault::BadFormat { .. }), "{form}: {fault:?}");
        }
        for form in ["%d.%m.%y", "%-d.%-m.%Y", "%d %B %Y", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S %z", "%d.%m.%Y %:z"] {
            let fault = fault(&format!(r#"date("never", "{form}")"#));
            assert!(matches!(fault, Fault::NotADate { .. }), "{form}: {fault:?}");
        }
    }

    #[test]
    fn a_word_that_multiplies_is_stopped_before_it_does() {
        let long = "x".repeat(10_000);
        assert!(matches!(fault(&format!("\"{long}\".replace(\"x\", \"{long}\")")), Fault::TooMuch(_)));
        assert!(matches!(fault(&format!("\"{long}\".split(\"\")")), Fault::TooMuch(_)));
        assert!(matches!(fault(&format!("\"{long}\".split(\"x\")")), Fault::TooMuch(_)));
        assert!(matches!(fault(&format!("loop {{ \"{long}\".trim() }}")), Fault::TooMuch(_)));
        assert!(matches!(fault(r#""x".matches("(a{1000}){1000}")"#), Fault::BadPattern { .. }));
        assert!(matches!(fault("let i = 0; loop { \"x\".matches(`${i}`); i += 1; }"), Fault::LimitExceeded(_)));
    }

    #[test]
    fn a_pattern_that_is_none_is_named_with_its_cause() {
        let error = fault(r#""x".matches("(")"#);
        assert_eq!(error.to_string(), "`(` is no regular expression: unclosed group");
    }
}
