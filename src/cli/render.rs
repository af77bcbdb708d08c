//! How plans and reports look on a terminal: aligned, coloured with meaning, and never longer than a person reads.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use comfy_table::{CellAlignment, Table, presets};
use owo_colors::OwoColorize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sign_in;
use crate::{
    model::{
        id::{PersonId, SystemName},
        plan::{Call, Decision, Doubtful, Input, Operation, Plan, PlannedChange, PlannedOperation},
        record::not_listed_in,
        refusal::RefusalKind,
    },
    state::Outcome,
};

/// A plan with more changes than this is summed up unless all of it is asked for.
const READABLE: usize = 200;

/// How many changes of each kind a summed-up plan still shows.
const EXAMPLES: usize = 3;

/// The widest a value is shown, in columns, unless all of it is asked for.
const VALUE: usize = 28;

/// The least room a reason needs beside its change; with less it stands below.
const BESIDE: usize = 60;

/// A number and what it counts: `1 call`, `2 calls`.
pub(super) fn count(number: u64, noun: &str) -> String {
    match (number, noun) {
        (1, noun) => format!("1 {noun}"),
        (number, "person") => format!("{} people", thousands(number)),
        (number, "new person") => format!("{} new people", thousands(number)),
        (number, noun) => format!("{} {noun}s", thousands(number)),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text from outside, made harmless for a terminal: no control character acts.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if acts(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// A whole text on its way to a terminal, in which only our own colours and line ends act. What comes from outside was made
/// harmless where it was put in; this is for what somebody forgot, and for JSON, where signs stand as they are.
pub(super) fn at_rest(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| acts(c) && c != '\n') {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = colour(rest);
        if colour > 0 {
            shown.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        match c {
            '\n' | '\t' => shown.push(c),
            c if acts(c) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            c => shown.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    shown.into()
}

/// How long the colour is with which a text begins.
fn colour(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else { return 0 };
    let length = numbers.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if numbers[length..].starts_with('m') { 2 + length + 1 } else { 0 }
}

/// True for what moves a cursor, rings, hides, or turns text round.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// What of a plan is held or refused, each with why; empty where nothing is.
pub(super) fn left(plan: &Plan, width: Option<usize>) -> String {
    let is_left = |decision: Decision| matches!(decision, Decision::Hold | Decision::Refuse);
    let changes = plan.changes.iter().filter(|change| is_left(change.decision)).map(Line::from);
    let operations = plan.operations.iter().filter(|asked| is_left(asked.decision)).map(Line::from);
    let mut lines: Vec<Line> = changes.chain(operations).collect();
    lines.sort_by(|a, b| a.person.cmp(&b.person));
    let (mut text, lines) = (String::new(), gathered(lines));
    let shown: Vec<&Line> = lines.iter().collect();
    if lines.len() > READABLE {
        summed_up(&mut text, &shown, width);
    } else {
        by_person(&mut text, &shown, true, width);
    }
    text
}

/// A plan for a person: everybody's changes, then the totals. `width` is that of the terminal, where there is one.
pub(super) fn plan(plan: &Plan, all: bool, width: Option<usize>) -> String {
    let mut text = String::new();
    let shown = plan.changes.iter().filter(|change| change.decision != Decision::Unchanged).map(Line::from);
    let mut lines: Vec<Line> = shown
        .chain(plan.operations.iter().filter(|asked| asked.decision != Decision::Unchanged).map(Line::from))
        .collect();
    // What is asked for a person stands with what changes of her, and after it.
    lines.sort_by(|a, b| a.person.cmp(&b.person));
    lines = gathered(lines);
    let is_long = lines.len() > READABLE && !all;
    let shown: Vec<&Line> = lines.iter().collect();
    if is_long {
        summed_up(&mut text, &shown, width);
    } else {
        by_person(&mut text, &shown, all, width);
    }
    for rejected in plan.rejected.iter().take(if all { usize::MAX } else { 20 }) {
        let column = rejected.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
        let place = format!("{}:{}{column}", rejected.file, rejected.line);
        let _ = writeln!(
            text,
            "{} {} {} {}",
            "rejected".yellow(),
            harmless(&place),
            rejected.code.bold(),
            harmless(&rejected.reason)
        );
    }
    if plan.rejected.len() > 20 && !all {
        let _ = writeln!(text, "… and {} more rejected; --all shows them", plan.rejected.len() - 20);
    }
    if !plan.rejected.is_empty() {
        text.push('\n');
    }
    if !shown.is_empty() {
        let _ = writeln!(text, "{}\n", totals(plan));
    }
    if all && !plan.links.is_empty() {
        let doubts: BTreeMap<(&SystemName, &str), &Doubtful> =
            plan.doubts.iter().map(|doubt| ((&doubt.system, doubt.account.as_str()), doubt)).collect();
        let heads = ["tied from now on", "system", "account", "what speaks against it"];
        let columns = if doubts.is_empty() { 3 } else { 4 };
        let mut table = aligned(&heads[..columns]);
        for link in plan.links.iter() {
            let doubt = doubts.get(&(link.system, link.account));
            let against = doubt
                .map(|doubt| format!("found by {}, but not by {}", doubt.found_by, doubt.against))
                .unwrap_or_default();
            let cells = [link.person.to_string(), link.system.to_string(), link.account.to_string(), against];
            table.add_row(cells.iter().take(columns).map(|cell| harmless(cell)));
        }
        let _ = writeln!(text, "{}\n", drawn(&table));
    }
    for (system, effects) in &plan.summary.side_effects {
        for (effect, times) in effects {
            let (system, effect) = (harmless(system.as_str()), harmless(effect));
            let _ = writeln!(text, "Also at {}: {} × {effect}", system.bold(), thousands(*times));
        }
    }
    for input in &plan.inputs {
        if let Some(line) = list(input) {
            let _ = writeln!(text, "{line}");
        }
    }
    let summary = &plan.summary;
    let _ = writeln!(
        text,
        "{}: {} in {}, {} of {} unchanged{}{}{}{}{}.",
        "Plan".bold(),
        count(summary.changes, "change"),
        count(summary.calls, "call"),
        thousands(summary.unchanged),
        count(summary.people, "person"),
        also(summary.follows, "will follow"),
        also(summary.refused, "refused"),
        also(summary.held, "held"),
        also(summary.dropped, "dropped"),
        also(summary.rejected, "rejected"),
    );
    text.push_str(&sign_in::text(&plan.sign_in, all, width));
    text
}

/// What is held for one and the same reason of one person at one system, where no value tells more than that, as one line.
fn gathered(lines: Vec<Line>) -> Vec<Line> {
    let mut kept: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let alike = |other: &&mut Line| {
            other.is_told_together
                && other.person == line.person
                && other.system == line.system
                && other.reason == line.reason
        };
        match kept.iter_mut().rev().take_while(|other| other.person == line.person).find(alike) {
            Some(first) if line.is_told_together => match &mut first.values {
                Values::Several(names) => {
                    names.insert(line.name);
                }
                _ => first.values = Values::Several([first.name.clone(), line.name].into()),
            },
            _ => kept.push(line),
        }
    }
    for line in &mut kept {
        if let Values::Several(names) = &line.values {
            line.name = count(names.len() as u64, "attribute");
        }
    }
    kept
}

/// What a list of everybody says compared with the last one that was accepted.
fn list(input: &Input) -> Option<String> {
    let list = input.list.as_ref().filter(|list| list.before > 0 || list.new > 0)?;
    let source = harmless(&input.system.to_string());
    if list.before == 0 {
        return Some(format!("{}: {}, and no list before", source.bold(), count(list.new, "person")));
    }
    let line = format!(
        "{}: {} new, {} missing of {}{}",
        source.bold(),
        thousands(list.new),
        thousands(list.missing.len() as u64),
        thousands(list.before),
        also(list.activated, "active now"),
    );
    Some(line)
}

fn also(number: u64, word: &str) -> String {
    if number == 0 { String::new() } else { format!(", {} {word}", thousands(number)) }
}

/// A change or an operation, as a row shows it.
struct Line {
    person: PersonId,
    decision: Decision,
    /// The attribute, or the operation.
    name: String,
    system: String,
    values: Values,
    call: String,
    reason: String,
    refusal: Option<RefusalKind>,
    side_effect: String,
    /// True where it is held because her account could not be seen.
    is_unseen: bool,
    /// True where its values tell nothing: her account could not be seen, or it is not known whom a record is about.
    is_told_together: bool,
    /// True where it comes with an account that is to be made.
    is_of_new: bool,
}

/// What is to become of what, what an operation is given, or of which attributes one thing holds.
enum Values {
    Moves { before: String, after: String },
    Given(String),
    Several(BTreeSet<String>),
}

impl From<&PlannedChange> for Line {
    fn from(change: &PlannedChange) -> Self {
        Self {
            person: change.person.clone(),
            decision: change.decision,
            name: change.attribute.to_string(),
            system: change.system.to_string(),
            values: Values::Moves { before: held_now(change), after: change.after.to_string() },
            call: change.call.as_ref().map(ToString::to_string).unwrap_or_default(),
            reason: match not_listed_in(&change.asked_by.origin) {
                Some(file) => format!("not listed in {file}: {}", change.reason),
                None => change.reason.clone(),
            },
            refusal: change.refusal,
            side_effect: change.side_effect.clone().unwrap_or_default(),
            is_unseen: is_unseen(change),
            is_told_together: is_unseen(change)
                || change.decision == Decision::Hold && change.system == change.asked_by.system,
            is_of_new: change.decision == Decision::Apply && change.account.is_none(),
        }
    }
}

impl From<&PlannedOperation> for Line {
    fn from(asked: &PlannedOperation) -> Self {
        let given = asked.arguments.iter().map(|(name, value)| format!("{name}: {value}"));
        Self {
            person: asked.person.clone(),
            decision: asked.decision,
            name: asked.operation.clone(),
            system: asked.system.to_string(),
            values: Values::Given(given.collect::<Vec<_>>().join(", ")),
            call: asked.call.as_ref().map(ToString::to_string).unwrap_or_default(),
            reason: asked.reason.clone(),
            refusal: asked.refusal,
            side_effect: asked.side_effect.clone().unwrap_or_default(),
            is_unseen: false,
            is_told_together: false,
            is_of_new: false,
        }
    }
}

/// How wide the columns of changes are, over the whole plan.
struct Columns {
    attribute: usize,
    system: usize,
    values: usize,
    call: usize,
    /// The widest a value may be.
    value: usize,
    /// Where the reason stands; `None`: below, for there is no room beside.
    reason: Option<usize>,
    width: Option<usize>,
}

impl Columns {
    fn new(changes: &[&Line], all: bool, width: Option<usize>) -> Self {
        let widest = |of: &dyn Fn(&Line) -> String| changes.iter().map(|change| of(change).width()).max().unwrap_or(0);
        let attribute = widest(&|change| change.name.clone());
        let system = widest(&|change| change.system.clone());
        let call = widest(&|change| call(change));
        // Indent, decision, attribute, system and the blanks between them.
        let before = 2 + 6 + 1 + attribute + 1 + system + 1;
        let wide = width.map_or(VALUE, |width| VALUE.max(width / 5));
        // Where lines have no end nothing has to be cut.
        let value = match width.filter(|_| !all) {
            Some(width) => (width.saturating_sub(before + 3) / 2).clamp(10, wide),
            None => usize::MAX,
        };
        let values = widest(&|change| before_and_after(change, value)).min(2 * wide + 3);
        let reason = before + values + 2 + call + usize::from(call > 0);
        let fits = width.is_none_or(|width| reason + BESIDE <= width);
        Self { attribute, system, values, call, value, reason: fits.then_some(reason), width }
    }
}

/// One row for each change, under the name of its person, columns aligned over the whole plan.
fn by_person(text: &mut String, changes: &[&Line], all: bool, width: Option<usize>) {
    let columns = Columns::new(changes, all, width);
    let mut person = None;
    for change in changes {
        if person != Some(&change.person) {
            let gap = if person.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", harmless(&change.person.to_string()).bold());
            person = Some(&change.person);
        }
        row(text, change, &columns);
    }
    if !changes.is_empty() {
        text.push('\n');
    }
}

fn row(text: &mut String, change: &Line, columns: &Columns) {
    let values = before_and_after(change, columns.value);
    let first = format!(
        "  {} {} {} {}",
        word(change.decision, 6),
        pad(&change.name, columns.attribute),
        pad(&change.system, columns.system).bold(),
        values,
    );
    let call = pad(&call(change), columns.call);
    let gap = " ".repeat(columns.values.saturating_sub(values.width()));
    let indent = columns.reason.unwrap_or(9);
    let room = columns.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
    let (why, effect) = why(change);
    if columns.reason.is_some() {
        let blank = if columns.call > 0 { " " } else { "" };
        let _ = write!(text, "{first}{gap}  {}{blank}", call.dimmed());
    } else {
        let _ = write!(text, "{}\n{}", format!("{first}{gap}  {call}").trim_end(), " ".repeat(indent));
    }
    // A side effect stands beside the reason where both fit, else on a line of its own.
    let together = format!("{why}; {effect}").width() <= room;
    let mut lines = wrapped(&why, room);
    if let Some(kind) = change.refusal.map(|kind| format!("{kind}:"))
        && let Some(rest) = lines.first().and_then(|line| line.strip_prefix(&kind)).map(str::to_owned)
    {
        lines[0] = format!("{}{rest}", kind.red());
    }
    if !effect.is_empty() && together {
        lines = vec![format!("{}{}", lines.concat(), format!("; {effect}").dimmed())];
    } else if !effect.is_empty() {
        lines.extend(wrapped(&effect, room).iter().map(|line| line.dimmed().to_string()));
    }
    let _ = writeln!(text, "{}", lines.join(&format!("\n{}", " ".repeat(indent))).trim_end());
}

/// A decision in its colour, with blanks up to a width.
pub(super) fn word(decision: Decision, width: usize) -> String {
    match decision {
        Decision::Apply => pad("apply", width).green().to_string(),
        Decision::Follow => pad("follow", width).cyan().to_string(),
        Decision::Refuse => pad("refuse", width).red().to_string(),
        Decision::Hold => pad("hold", width).yellow().to_string(),
        Decision::Drop => pad("drop", width).dimmed().to_string(),
        Decision::Unchanged => pad("same", width).dimmed().to_string(),
    }
}

fn call(change: &Line) -> String {
    change.call.clone()
}

/// Why it is decided so, and what else comes of it.
fn why(change: &Line) -> (String, String) {
    let no = change.refusal.map(|kind| format!("{kind}: ")).unwrap_or_default();
    let effect = harmless(&change.side_effect);
    (format!("{no}{}", harmless(&change.reason)), effect)
}

/// The values of a change in at most so many columns each.
pub(super) fn values(change: &PlannedChange, most: usize) -> String {
    before_and_after(&Line::from(change), most)
}

/// True where her account can be seen with her own token only, and was not.
fn is_unseen(change: &PlannedChange) -> bool {
    change.decision == Decision::Hold && change.refusal.is_some()
}

/// What is there now; where her account can be seen with her own token only, and was not, nobody knows.
fn held_now(change: &PlannedChange) -> String {
    if is_unseen(change) { "(not seen)".to_owned() } else { change.before.to_string() }
}

/// Both values in at most so many columns each. Where they are longer, what is cut off is what they have in common.
fn before_and_after(change: &Line, most: usize) -> String {
    let both = most.saturating_mul(2).saturating_add(3);
    let (before, after) = match &change.values {
        Values::Moves { before, after } => (harmless(before), harmless(after)),
        Values::Given(given) => return shortened(&harmless(given), both),
        Values::Several(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return shortened(&harmless(&names.join(", ")), both);
        }
    };
    if before.width() <= most && after.width() <= most {
        return format!("{before} → {after}");
    }
    let same: usize =
        before.chars().zip(after.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum();
    let from = start_before(&before, same, 6);
    let cut = |text: &str| if from == 0 { text.to_owned() } else { format!("…{}", &text[from..]) };
    format!("{} → {}", shortened(&cut(&before), most), shortened(&cut(&after), most))
}

/// A place some columns before `at` where a character can begin; the beginning, where that is near.
fn start_before(text: &str, at: usize, columns: usize) -> usize {
    let mut room = 0;
    for (start, c) in text[..at].char_indices().rev() {
        room += c.width().unwrap_or(0);
        if room > columns && c.width().unwrap_or(0) > 0 {
            return start;
        }
    }
    0
}

/// At most so many columns of a text, the last of them an ellipsis where there is more.
fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut width = 0;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width < most
    };
    format!("{}…", text.chars().take_while(fits).collect::<String>())
}

/// A text in lines of at most so many columns, broken at blanks; a word that is longer stays whole.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A long plan: how many of what kind, with examples, and nothing that needs a person left out of the count.
fn summed_up(text: &mut String, changes: &[&Line], width: Option<usize>) {
    let mut kinds: BTreeMap<(Decision, bool, String, String), Vec<&Line>> = BTreeMap::new();
    // What changes of accounts that people work with is not to be lost among all that a new one comes with.
    let mut made: BTreeSet<(&str, &PersonId)> = BTreeSet::new();
    for change in changes {
        let name = match change {
            Line { is_of_new: true, .. } if !made.insert((&change.system, &change.person)) => continue,
            Line { is_of_new: true, .. } => "a new account".to_owned(),
            Line { is_unseen: true, .. } => "(not seen)".to_owned(),
            _ => change.name.clone(),
        };
        let key = (change.decision, change.is_of_new, change.system.clone(), name);
        kinds.entry(key).or_default().push(change);
    }
    let examples: Vec<&Line> = kinds.values().flat_map(|all| all.iter().take(EXAMPLES).copied()).collect();
    let widest = |of: &dyn Fn(&Line) -> String| examples.iter().map(|change| of(change).width()).max().unwrap_or(0);
    let people = widest(&|change| harmless(&change.person.to_string()));
    let value = width.map_or(VALUE, |width| (width.saturating_sub(people + 7) / 2).clamp(10, VALUE));
    let values = widest(&|change| before_and_after(change, value));
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(people + values + 6));
    for ((decision, _, system, attribute), all) in &kinds {
        let number = thousands(all.len() as u64);
        let _ = writeln!(text, "{} {} {} {attribute}", number.bold(), word(*decision, 0), system.bold());
        for change in all.iter().take(EXAMPLES) {
            let person = pad(&harmless(&change.person.to_string()), people);
            let (reason, _) = why(change);
            // Examples keep to one line: the whole reason is in the whole plan.
            let reason = if room < BESIDE / 3 { String::new() } else { shortened(&reason, room) };
            let line = format!("  {person}  {}  {reason}", pad(&before_and_after(change, value), values));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if all.len() > EXAMPLES {
            let _ = writeln!(text, "  … and {} more", thousands((all.len() - EXAMPLES) as u64));
        }
    }
    let _ = writeln!(text, "\n{}\n", "A long plan, summed up: --all shows every change.".dimmed());
}

/// One line for each system: what it would be asked to do. A column of nothing is left out.
fn totals(plan: &Plan) -> String {
    const HEADER: [&str; 9] =
        ["create", "update", "disable", "enable", "perform", "calls", "follow", "refused", "held"];
    let mut systems: BTreeMap<&str, [u64; 9]> = BTreeMap::new();
    for call in &plan.calls {
        let column = match call.operation {
            Operation::Create => 0,
            Operation::Update => 1,
            Operation::Disable => 2,
            Operation::Enable => 3,
            Operation::Perform => 4,
        };
        systems.entry(call.system.as_str()).or_default()[column] += 1;
        systems.entry(call.system.as_str()).or_default()[5] += 1;
    }
    let of_changes = plan.changes.iter().map(|change| (change.decision, &change.system));
    for (decision, system) in of_changes.chain(plan.operations.iter().map(|asked| (asked.decision, &asked.system))) {
        let column = match decision {
            Decision::Follow => 6,
            Decision::Refuse => 7,
            Decision::Hold => 8,
            Decision::Apply | Decision::Drop | Decision::Unchanged => continue,
        };
        systems.entry(system.as_str()).or_default()[column] += 1;
    }
    let used: Vec<usize> =
        (0..HEADER.len()).filter(|column| systems.values().any(|numbers| numbers[*column] > 0)).collect();
    let header: Vec<&str> = std::iter::once("system").chain(used.iter().map(|column| HEADER[*column])).collect();
    let mut table = aligned(&header);
    for (system, numbers) in systems {
        let number = |column: &usize| match numbers[*column] {
            0 => "·".to_owned(),
            number => thousands(number),
        };
        table.add_row(std::iter::once(system.to_owned()).chain(used.iter().map(number)));
    }
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    drawn(&table)
}

/// A table as text, without blanks at the ends of its lines.
pub(super) fn drawn(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A time without the part of a second.
pub(super) fn second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// How many blanks stand between two columns.
const BETWEEN: u16 = 2;

/// A table without lines, as other well-mannered tools print them.
pub(super) fn aligned(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for at in 0..header.len() {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((0, BETWEEN));
        }
    }
    table
}

/// Cuts what stands in the last column of an [`aligned`] table to what is left of the terminal; where next to nothing is left,
/// the words begin all the same.
pub(super) fn shorten_last<const N: usize>(header: &[&str; N], rows: &mut [[String; N]], width: usize) {
    const LEAST: usize = 10;
    let widest = |at: usize| rows.iter().map(|row| row[at].width()).chain([header[at].width()]).max().unwrap_or(0);
    let taken: usize = (0..N.saturating_sub(1)).map(|at| widest(at) + usize::from(BETWEEN)).sum();
    let room = width.saturating_sub(taken).max(LEAST);
    for last in rows.iter_mut().filter_map(|row| row.last_mut()) {
        *last = shortened(last, room);
    }
}

/// What became of one call, as a line; nothing where it is done.
pub(super) fn outcome(call: &Call, outcome: &Outcome) -> Option<String> {
    let (word, why) = match outcome {
        Outcome::Done => return None,
        Outcome::Refused(refusal) => {
            let code = refusal.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            ("refused".red().to_string(), format!("{refusal}{code}"))
        }
        Outcome::Moved(what) => {
            let why = format!("not sent, for it is no longer as planned: {}", what.join(", "));
            ("moved".yellow().to_string(), why)
        }
        Outcome::Skipped(other) => ("skipped".yellow().to_string(), format!("not sent, for {other} did not succeed")),
        Outcome::InDoubt(refusal) => ("in doubt".red().bold().to_string(), refusal.reason.clone()),
    };
    let account = match (&call.account, &call.performs) {
        (Some(id), _) => format!("account {id}"),
        (None, Some(operation)) => operation.clone(),
        (None, None) => "new account".to_owned(),
    };
    let what = format!("{} {} {account} of {}: {why}", call.id, call.system, call.person);
    Some(format!("{word} {}", harmless(&what)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_agrees_with_its_noun() {
        assert_eq!(count(1, "call"), "1 call");
        assert_eq!(count(0, "person"), "0 people");
        assert_eq!(count(1_234_567, "change"), "1,234,567 changes");
    }

    #[test]
    fn a_long_value_is_cut_where_it_says_nothing_new() {
        assert_eq!(shortened("Müller", 6), "Müller");
        assert_eq!(shortened("Müller-Lüdenscheidt", 8), "Müller-…");
        assert_eq!(shortened("山田太郎山田", 7), "山田太…");
        assert_eq!(shortened("e\u{301}e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}…");
        assert_eq!(start_before("Rua das Flores 1", 15, 6), 8);
        assert_eq!(start_before("short", 5, 6), 0);
    }

    #[test]
    fn a_reason_is_broken_at_blanks_and_a_long_word_stays_whole() {
        assert_eq!(wrapped("a copy of what hr says", 10), ["a copy of", "what hr", "says"]);
        assert_eq!(wrapped("rules/ownership.rhai:3:1", 10), ["rules/ownership.rhai:3:1"]);
        assert_eq!(wrapped("", 10), [""]);
    }

    #[test]
    fn what_comes_from_outside_cannot_act_on_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\nü"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}ü");
        let ours = "\u{1b}[31mred\u{1b}[0m\n\tü";
        assert_eq!(at_rest(ours), ours);
        assert_eq!(at_rest("a\u{1b}[2J\u{9b}31m\u{1b}[3\r\u{1b}"), "a\\u001b[2J\\u009b31m\\u001b[3\\u000d\\u001b");
        // JSON means the same afterwards.
        let data = serde_json::json!({ "name": "\u{202e}W\u{7f}\u{9b}\u{1b}" });
        let shown = at_rest(&data.to_string()).into_owned();
        assert!(!shown.contains(acts));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), data);
    }
}
