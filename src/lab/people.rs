//! Invented people for the lab, the same for every seed and every machine.

/// One invented person, in neutral words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invented {
    /// From 1; providers may use it as id.
    pub number: u64,
    /// Unique, lower case, valid everywhere.
    pub username: String,
    /// Unique, in a reserved domain.
    pub email: String,
    /// With letters that are no ASCII.
    pub first_name: &'static str,
    /// The same.
    pub last_name: &'static str,
}

const FIRST: [&str; 20] = [
    "Anna",
    "Björn",
    "Chiara",
    "Dagny",
    "Émile",
    "Fatma",
    "Gøril",
    "Hana",
    "Íris",
    "Jörg",
    "Katarzyna",
    "Łukasz",
    "Maëlle",
    "Nikolaos",
    "Özge",
    "Paula",
    "Rasmus",
    "Siân",
    "Tomáš",
    "Zoë",
];
const LAST: [&str; 19] = [
    "Andersen",
    "Bäcker",
    "Castaño",
    "Dvořák",
    "Esposito",
    "Fischer",
    "García",
    "Horváth",
    "Ivanova",
    "Jørgensen",
    "Kowalska",
    "Löfgren",
    "Müller",
    "Nováková",
    "O'Brien",
    "Papadakis",
    "Rossi",
    "Şahin",
    "Thornbury",
];

/// The first `count` invented people.
pub(crate) fn people(count: u64) -> Vec<Invented> {
    let pick = |list: &'static [&'static str], at: u64| list[usize::try_from(at).unwrap_or(0) % list.len()];
    (1..=count)
        .map(|number| Invented {
            number,
            username: format!("person{number:06}"),
            email: format!("person{number:06}@example.com"),
            first_name: pick(&FIRST, number),
            last_name: pick(&LAST, number / 3),
        })
        .collect()
}
