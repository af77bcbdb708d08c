//! A query as PHP reads and writes it: in order, the last of equal names wins, `name[]` makes a list.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

/// One value of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    One(String),
    Many(Vec<String>),
}

/// A query in the order of its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, Part)>);

impl Query {
    pub(super) fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = value.into_owned();
            let listed = name.split_once('[').filter(|(_, rest)| rest.ends_with(']'));
            let name = listed.map_or(&*name, |(name, _)| name).replace(['.', ' '], "_");
            let known = query.0.iter_mut().find(|(known, _)| *known == name).map(|(_, part)| part);
            match (known, listed.is_some()) {
                (Some(Part::Many(values)), true) => values.push(value),
                (Some(part), true) => *part = Part::Many(vec![value]),
                (Some(part), false) => *part = Part::One(value),
                (None, true) => query.0.push((name, Part::Many(vec![value]))),
                (None, false) => query.0.push((name, Part::One(value))),
            }
        }
        query
    }

    /// The text of a name; nothing where it is a list.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, part)| match part {
            Part::One(value) if known == name => Some(value.as_str()),
            _ => None,
        })
    }

    /// Every name with its value, as the values of parameters.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, Value)> {
        self.0.iter().map(|(name, part)| match part {
            Part::One(value) => (name.as_str(), json!(value)),
            Part::Many(values) => (name.as_str(), json!(values)),
        })
    }

    /// Gives a name this value where it stands, or at the end.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        let part = Part::One(value.to_owned());
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = part,
            None => self.0.push((name.to_owned(), part)),
        }
    }

    /// Gives a name this value where it stands, or at the beginning.
    pub(super) fn put_first(&mut self, name: &str, value: &str) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.insert(0, (name.to_owned(), Part::One(String::new())));
        }
        self.put(name, value);
    }

    /// Makes lists of those of these names that are there: WordPress links to what it understood.
    pub(super) fn understand_lists(&mut self, names: &[&str]) {
        for (name, part) in &mut self.0 {
            if let Part::One(value) = part
                && names.contains(&name.as_str())
            {
                *part = Part::Many(words(value));
            }
        }
    }
}

/// The entries of a list written as one text.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl Display for Query {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('*', "%2A");
        let pairs = self.0.iter().flat_map(|(name, part)| match part {
            Part::One(value) => vec![format!("{}={}", encoded(name), encoded(value))],
            Part::Many(values) => {
                let pair = |(at, value): (usize, &String)| format!("{}%5B{at}%5D={}", encoded(name), encoded(value));
                values.iter().enumerate().map(pair).collect()
            }
        });
        out.write_str(&pairs.collect::<Vec<_>>().join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_way_php_does() {
        let mut query = Query::read("context=edit&roles=author,contributor&_fields=id%2Cusername&a[]=1&a[]=2");
        query.understand_lists(&["roles"]);
        query.put("page", "2");
        let expected = "context=edit&roles%5B0%5D=author&roles%5B1%5D=contributor&_fields=id%2Cusername\
                        &a%5B0%5D=1&a%5B1%5D=2&page=2";
        assert_eq!(query.to_string(), expected);
    }

    #[test]
    fn the_last_of_equal_names_wins_at_the_place_of_the_first() {
        let mut query = Query::read("page=1&per_page=2&page=3");
        assert_eq!(query.to_string(), "page=3&per_page=2");
        query.put_first("rest_route", "/");
        assert_eq!(query.to_string(), "rest_route=%2F&page=3&per_page=2");
    }
}
