//! What is still to come by itself, and how it ended, for a reader.

use std::fmt::Write;

use super::{Invocation, render, tell};
use crate::{
    run::expectations::{Compared, Held, is_overdue, moment},
    state::expectation::{Ending, Expectation},
};

/// How many are told of one by one.
const NAMED: usize = 3;

/// The longest table.
const SHOWN: usize = 50;

impl Invocation<'_> {
    /// The time that deadlines are compared by.
    pub(super) fn judges_by(&self) -> jiff::Timestamp {
        moment(self.global.today, jiff::Timestamp::now())
    }
}

/// Tells on the side what was seen of what earlier runs left to come: where, and no values.
pub(super) fn notes(given: &Invocation<'_>, compared: &[Compared]) {
    if !given.talks() {
        return;
    }
    let now = given.judges_by();
    let of = |wanted: &dyn Fn(&Held) -> bool| -> Vec<&Expectation> {
        compared.iter().filter(|one| wanted(&one.held)).map(|one| &one.expectation).collect()
    };
    let place =
        |one: &Expectation| format!("`{}` of {} {}", one.attribute, one.system, render::harmless(one.account.as_str()));
    let sorts: [(Vec<&Expectation>, &str); 3] = [
        (of(&|held| *held == Held::Expected), "has come as expected"),
        (
            of(&|held| matches!(held, Held::Other(_))),
            "became something else than was expected (`homeward runs` with the number of the run shows what)",
        ),
        (of(&|held| *held == Held::Gone), "was expected, and the account is gone"),
    ];
    for (all, word) in &sorts {
        for one in all.iter().take(NAMED) {
            tell(&format!("note: {} {word}, after run {}", place(one), one.run));
        }
        if all.len() > NAMED {
            tell(&format!("note: so it is with {} more", render::thousands((all.len() - NAMED) as u64)));
        }
    }
    let is_late =
        |one: &&Compared| matches!(one.held, Held::Unseen | Held::AsBefore) && is_overdue(&one.expectation, now);
    let late = compared.iter().filter(is_late).count() as u64;
    if late > 0 {
        let what = render::count(late, "expected value");
        tell(&format!("note: {what} should have come by now: see `{} status`", given.again()));
    }
}

/// Expectations as a table.
pub(super) fn table(all: &[Expectation], now: jiff::Timestamp) -> String {
    let mut table = render::aligned(&["person", "expected at", "value", "comes", "by", "stands"]);
    for one in all.iter().take(SHOWN) {
        table.add_row([
            render::harmless(&one.person.to_string()),
            render::harmless(&format!("{} {} {}", one.system, one.account, one.attribute)),
            render::harmless(&format!("{} → {}", one.before, one.value)),
            render::harmless(&one.when),
            render::second(&one.deadline),
            render::harmless(&stands(one, now)),
        ]);
    }
    let mut text = render::drawn(&table);
    if all.len() > SHOWN {
        let more = render::thousands((all.len() - SHOWN) as u64);
        let _ = write!(text, "\n… and {more} more: --format json lists them all");
    }
    text
}

/// How an expectation stands, in words.
fn stands(one: &Expectation, now: jiff::Timestamp) -> String {
    let instead = || one.became.as_ref().map(|value| format!("became {value} instead"));
    match &one.ended {
        None => instead().unwrap_or_else(|| if is_overdue(one, now) { "overdue" } else { "open" }.to_owned()),
        Some(ended) => match ended.how {
            Ending::Met => format!("came by {}", render::second(&ended.at)),
            Ending::Instead => instead().unwrap_or_else(|| "became something else".to_owned()),
            Ending::Replaced => "a later run expects something else".to_owned(),
            Ending::Withdrawn => "a later run changed it again".to_owned(),
            Ending::Gone => "the account is gone".to_owned(),
            Ending::NotHers => "the account was said not to be hers".to_owned(),
        },
    }
}

/// Expectations as data, each with whether it is overdue.
pub(super) fn documents(all: &[Expectation], now: jiff::Timestamp) -> Vec<serde_json::Value> {
    let document = |one: &Expectation| {
        let mut document = serde_json::to_value(one).unwrap_or_default();
        document["overdue"] = is_overdue(one, now).into();
        document
    };
    all.iter().map(document).collect()
}
