//! A trace, told to a person.

use std::fmt;

use super::{Fact, Looks, Trace};
use crate::model::{attribute::Value, id::SystemName, origin::Origin};

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.system {
            Some(system) => write!(f, "{system}.{}", self.attribute),
            None => write!(f, "{}", self.attribute),
        }
    }
}

/// The trace as lines of text: what is so in the beginning, then round by round.
pub(crate) fn tell(trace: &Trace) -> Vec<String> {
    let mut lines: Vec<String> = trace.start.iter().map(|fact| format!("at first: {}", of_fact(fact))).collect();
    for (number, round) in trace.rounds.iter().enumerate() {
        let said = round
            .said
            .iter()
            .map(|said| format!("{} says {} = {} ({})", said.system, said.attribute, said.value, said.origin));
        let writes = round.writes.iter().map(|write| {
            let (system, attribute) = (&write.system, &write.attribute);
            let because: Vec<String> = write.because.iter().map(Origin::to_string).collect();
            format!(
                "{system} is sent {attribute} = {} in place of {} ({})",
                write.after,
                write.before,
                because.join(", ")
            )
        });
        let mut events: Vec<String> = said.chain(writes).collect();
        if round.writes.is_empty() {
            events.push("nothing is sent".to_owned());
        }
        events.extend(round.arrivals.iter().map(|arrival| {
            let (system, attribute) = (&arrival.system, &arrival.attribute);
            format!("at the next sign-in {system} takes {attribute} = {} from {}", arrival.after, arrival.from)
        }));
        lines.push(format!("round {}: {}", number + 1, events.join("; ")));
    }
    lines.push(format!(
        "round {} begins where round {} did, and so on for ever",
        trace.rounds.len() + 1,
        trace.repeats + 1
    ));
    lines
}

fn of_fact(fact: &Fact) -> String {
    match fact {
        Fact::Condition { origin, sees, holds } => {
            let verb = if *holds { "holds" } else { "does not hold" };
            let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
            let sees: Vec<String> = sees.iter().map(|(what, value)| format!("{what} is {}", shown(value))).collect();
            if sees.is_empty() {
                format!("the condition at {origin} {verb} for this person")
            } else {
                format!("the condition at {origin} {verb} where {}", sees.join(" and "))
            }
        }
        Fact::Route { origin, system, attribute, before, after, to, answers } => {
            let before = before.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
            let to: Vec<&str> = to.iter().map(SystemName::as_str).collect();
            let does = match (*answers, &*to) {
                (false, _) => "leaves alone".to_owned(),
                (true, []) => "drops".to_owned(),
                (true, to) => format!("sends to {}", to.join(" and ")),
            };
            format!("{origin} {does} what would make {attribute} at {system} {after} in place of {before}")
        }
        Fact::SignsIn { system, through, does: true } => format!("she signs in to {system} through {through}"),
        Fact::SignsIn { system, through, does: false } => format!("she does not sign in to {system} through {through}"),
        Fact::Record { system, attribute, value: Some(value) } => format!("{system} shows {attribute} = {value}"),
        Fact::Record { system, attribute, value: None } => format!("{system} shows no {attribute}"),
        Fact::Account { system, attribute, value } => format!("{system} holds {attribute} = {value}"),
        Fact::LastShown { system, attribute, value: Some(value) } => {
            format!("{system} showed {attribute} = {value} the last time")
        }
        Fact::LastShown { system, attribute, value: None } => {
            format!("{system} showed another {attribute} the last time")
        }
    }
}
