//! Filters (RFC 7644 3.4.2.2): their grammar, and what they say of a resource. Paths of PATCH (3.5.2) are read here too,
//! since they hold filters.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{
    fault::Fault,
    schema::{Attribute, Form, Shape, field},
};

/// Filters within filters deeper than this are not read.
const DEEPEST: usize = 40;

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Present(String),
    Compare(String, Comparison, Value),
    /// One value of a list fits as a whole: `emails[type eq "work"]`.
    Has(String, Box<Self>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Contains,
    Begins,
    Ends,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    fn of(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ne" => Self::Unequal,
            "co" => Self::Contains,
            "sw" => Self::Begins,
            "ew" => Self::Ends,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }

    fn is_order(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }
}

/// What a filter is about: a whole resource, or one value of a list.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    Resource(&'a Shape),
    /// A resource of which several kinds are looked through: what one kind does not know is not there.
    Any(&'a Shape),
    Value(&'a Attribute),
}

/// A path of PATCH: `addresses[type eq "work"].locality`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// With its URN, where it has one; with its part, where there is no filter between.
    pub(super) attribute: String,
    pub(super) filter: Option<Filter>,
    /// The part after a filter.
    pub(super) sub: Option<String>,
}

/// Reads a filter.
pub(super) fn read(text: &str) -> Result<Filter, Fault> {
    let mut parser = Parser::new(text)?;
    let filter = parser.either(0)?;
    if parser.next().is_some() { Err(invalid("something follows the filter")) } else { Ok(filter) }
}

/// Reads a path of PATCH.
pub(super) fn read_path(text: &str) -> Result<Path, Fault> {
    let wrong = |fault: Fault| Fault::bad("invalidPath", fault.detail);
    let mut parser = Parser::new(text).map_err(wrong)?;
    let Some(Token::Word(attribute)) = parser.next() else { return Err(wrong(invalid("a path names an attribute"))) };
    let mut path = Path { attribute, filter: None, sub: None };
    match parser.next() {
        None => return Ok(path),
        Some(Token::Open('[')) => {}
        Some(_) => return Err(wrong(invalid("a path is one attribute"))),
    }
    path.filter = Some(parser.either(0).map_err(wrong)?);
    if parser.next() != Some(Token::Close(']')) {
        return Err(wrong(invalid("`[` without `]`")));
    }
    match parser.next() {
        None => return Ok(path),
        Some(Token::Word(sub)) => match sub.strip_prefix('.') {
            Some(sub) if !sub.is_empty() => path.sub = Some(sub.to_owned()),
            _ => return Err(wrong(invalid("after `]` a part begins with a dot"))),
        },
        Some(_) => return Err(wrong(invalid("after `]` comes a part or nothing"))),
    }
    if parser.next().is_some() { Err(wrong(invalid("something follows the path"))) } else { Ok(path) }
}

fn invalid(detail: &str) -> Fault {
    Fault::bad("invalidFilter", format!("The filter cannot be read: {detail}."))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(Value),
    Open(char),
    Close(char),
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, Fault> {
        Ok(Self { tokens: tokens(text)?, at: 0 })
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// True where this word comes next, which is then passed.
    fn passes(&mut self, word: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn either(&mut self, depth: usize) -> Result<Filter, Fault> {
        let mut filter = self.both(depth)?;
        while self.passes("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.both(depth)?));
        }
        Ok(filter)
    }

    fn both(&mut self, depth: usize) -> Result<Filter, Fault> {
        let mut filter = self.one(depth)?;
        while self.passes("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.one(depth)?));
        }
        Ok(filter)
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Fault> {
        if depth > DEEPEST {
            return Err(invalid("it is too deep"));
        }
        let negated = matches!(self.tokens.get(self.at + 1), Some(Token::Open('('))) && self.passes("not");
        match self.next() {
            Some(Token::Open('(')) => {
                let inner = self.either(depth + 1)?;
                if self.next() != Some(Token::Close(')')) {
                    return Err(invalid("`(` without `)`"));
                }
                Ok(if negated { Filter::Not(Box::new(inner)) } else { inner })
            }
            Some(Token::Word(path)) => self.about(path, depth),
            _ => Err(invalid("an attribute is expected")),
        }
    }

    fn about(&mut self, path: String, depth: usize) -> Result<Filter, Fault> {
        match self.next() {
            Some(Token::Open('[')) => {
                let inner = self.either(depth + 1)?;
                if self.next() != Some(Token::Close(']')) {
                    return Err(invalid("`[` without `]`"));
                }
                Ok(Filter::Has(path, Box::new(inner)))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("pr") => Ok(Filter::Present(path)),
            Some(Token::Word(word)) => {
                let comparison = Comparison::of(&word).ok_or_else(|| invalid("an operator is expected"))?;
                match self.next() {
                    Some(Token::Literal(value)) => Ok(Filter::Compare(path, comparison, value)),
                    _ => Err(invalid("a value is expected")),
                }
            }
            _ => Err(invalid("an operator is expected")),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' | '[' => (Token::Open(first), 1),
            ')' | ']' => (Token::Close(first), 1),
            '"' => {
                let mut read = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                let value = read.next().and_then(Result::ok).ok_or_else(|| invalid("a text does not end"))?;
                (Token::Literal(value), read.byte_offset())
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
                let word = &rest[..end];
                let is_value = word.eq_ignore_ascii_case("true")
                    || word.eq_ignore_ascii_case("false")
                    || word.eq_ignore_ascii_case("null")
                    || first == '-'
                    || first.is_ascii_digit();
                let token = if is_value {
                    let value = serde_json::from_str(&word.to_ascii_lowercase());
                    Token::Literal(value.map_err(|_| invalid("a value is none"))?)
                } else if word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:$".contains(c)) {
                    Token::Word(word.to_owned())
                } else {
                    return Err(invalid("a sign that nothing begins with"));
                };
                (token, end)
            }
        };
        all.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(all)
}

impl Filter {
    /// Whether the filter says `or` anywhere.
    pub(super) fn has_or(&self) -> bool {
        match self {
            Self::Or(..) => true,
            Self::And(one, other) => one.has_or() || other.has_or(),
            Self::Not(inner) | Self::Has(_, inner) => inner.has_or(),
            Self::Present(_) | Self::Compare(..) => false,
        }
    }

    /// Whether the filter fits what is in scope.
    pub(super) fn fits(&self, scope: Scope<'_>, object: &Map<String, Value>) -> Result<bool, Fault> {
        Ok(match self {
            Self::And(one, other) => one.fits(scope, object)? && other.fits(scope, object)?,
            Self::Or(one, other) => one.fits(scope, object)? || other.fits(scope, object)?,
            Self::Not(inner) => !inner.fits(scope, object)?,
            Self::Present(path) => match held(scope, path, object)? {
                Some((_, values)) => values.iter().any(|value| is_something(value)),
                None => false,
            },
            Self::Has(path, inner) => match held_whole(scope, path, object)? {
                Some((attribute, values)) => {
                    for value in values {
                        if let Value::Object(value) = value
                            && inner.fits(Scope::Value(attribute), value)?
                        {
                            return Ok(true);
                        }
                    }
                    false
                }
                None => false,
            },
            Self::Compare(path, comparison, wanted) => match held(scope, path, object)? {
                Some((attribute, values)) => compare(attribute, *comparison, &values, wanted)?,
                None => false,
            },
        })
    }
}

type Held<'a> = Option<(&'a Attribute, Vec<&'a Value>)>;

/// The values a path leads to, of a list or of its parts; those of a list of complex values are their `value`.
fn held<'a>(scope: Scope<'a>, path: &str, object: &'a Map<String, Value>) -> Result<Held<'a>, Fault> {
    let Some((attribute, sub, values)) = found(scope, path, object)? else { return Ok(None) };
    let sub = match (attribute.form, sub) {
        (Form::Complex, None) => attribute.sub("value"),
        (_, sub) => sub,
    };
    let Some(sub) = sub else { return Ok(Some((attribute, values))) };
    let part = |value: &'a Value| value.as_object().and_then(|value| field(value, sub.name));
    let parts: Vec<&Value> = values.into_iter().filter_map(part).flat_map(each).collect();
    Ok(Some((sub, parts)))
}

/// The same without going into the values of a list.
fn held_whole<'a>(scope: Scope<'a>, path: &str, object: &'a Map<String, Value>) -> Result<Held<'a>, Fault> {
    match found(scope, path, object)? {
        Some((attribute, None, values)) if attribute.form == Form::Complex => Ok(Some((attribute, values))),
        Some(_) => Err(invalid("`[` follows an attribute that has no parts")),
        None => Ok(None),
    }
}

type Found<'a> = Option<(&'a Attribute, Option<&'a Attribute>, Vec<&'a Value>)>;

fn found<'a>(scope: Scope<'a>, path: &str, object: &'a Map<String, Value>) -> Result<Found<'a>, Fault> {
    let unknown = || Fault::bad("invalidFilter", "The filter names an attribute that is not known.");
    match scope {
        Scope::Value(attribute) => {
            let sub = attribute.sub(path).ok_or_else(unknown)?;
            let values = field(object, sub.name).into_iter().flat_map(each).collect();
            Ok(Some((sub, None, values)))
        }
        Scope::Resource(shape) | Scope::Any(shape) => {
            let Some(place) = shape.place(path) else {
                return if matches!(scope, Scope::Any(_)) { Ok(None) } else { Err(unknown()) };
            };
            let Some(attribute) = place.attribute else { return Err(unknown()) };
            let holder = match (place.extended, shape.kind.extension()) {
                (true, Some(urn)) => object.get(urn).and_then(Value::as_object),
                _ => Some(object),
            };
            let values = holder.and_then(|holder| field(holder, attribute.name)).into_iter().flat_map(each).collect();
            Ok(Some((attribute, place.sub, values)))
        }
    }
}

/// The values of a list, or the one value.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compare(attribute: &Attribute, how: Comparison, held: &[&Value], wanted: &Value) -> Result<bool, Fault> {
    if how.is_order() && matches!(attribute.form, Form::Truth | Form::Binary | Form::Complex) {
        return Err(invalid("values of this type have no order"));
    }
    if wanted.is_null() {
        let is_there = held.iter().any(|value| is_something(value));
        return Ok(if how == Comparison::Equal { !is_there } else { is_there });
    }
    if held.is_empty() {
        return Ok(how == Comparison::Unequal);
    }
    for value in held {
        if meets(attribute, how, value, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn meets(attribute: &Attribute, how: Comparison, held: &Value, wanted: &Value) -> Result<bool, Fault> {
    if let (Value::Bool(held), Value::Bool(wanted)) = (held, wanted) {
        return match how {
            Comparison::Equal => Ok(held == wanted),
            Comparison::Unequal => Ok(held != wanted),
            _ => Err(invalid("truth can only be equal or not")),
        };
    }
    let (Some(held), Some(wanted)) = (held.as_str(), wanted.as_str()) else {
        return Ok(how == Comparison::Unequal);
    };
    if attribute.form == Form::Moment {
        let moment = |text: &str| text.parse::<jiff::Timestamp>();
        let wanted = moment(wanted).map_err(|_| invalid("a moment is expected"))?;
        let Ok(held) = moment(held) else { return Ok(false) };
        return Ok(ordered(how, held.cmp(&wanted)));
    }
    let fold = |text: &str| if attribute.case_exact { text.to_owned() } else { text.to_lowercase() };
    let (held, wanted) = (fold(held), fold(wanted));
    Ok(match how {
        Comparison::Contains => held.contains(&wanted),
        Comparison::Begins => held.starts_with(&wanted),
        Comparison::Ends => held.ends_with(&wanted),
        how => ordered(how, held.cmp(&wanted)),
    })
}

fn ordered(how: Comparison, order: Ordering) -> bool {
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::Unequal => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Contains | Comparison::Begins | Comparison::Ends => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{
            schema::{ENTERPRISE, Kind},
            settings::Settings,
        },
        *,
    };

    fn fits(text: &str) -> Result<bool, Fault> {
        let shape = Shape::of(Kind::User, &Settings::default());
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "7", "userName": "bjensen", "title": "Tour Guide",
            "userType": "Employee", "active": true, "name": { "familyName": "O'Malley \"X\"" },
            "emails": [{ "value": "bjensen@example.com", "type": "work", "primary": true },
                       { "value": "babs@jensen.org", "type": "home" }],
            ENTERPRISE: { "department": "Tours", "manager": { "value": "26118915" } },
            "meta": { "lastModified": "2011-05-13T04:42:34Z" },
        });
        read(text)?.fits(Scope::Resource(&shape), user.as_object().unwrap())
    }

    #[test]
    fn the_examples_of_the_rfc_are_understood() {
        for (text, expected) in [
            (r#"userName eq "bjensen""#, true),
            (r#"userName Eq "BJENSEN""#, true),
            (r#"name.familyName co "O'Malley""#, true),
            (r#"name.familyName ew "\"X\"""#, true),
            (r#"userName sw "J""#, false),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "B""#, true),
            ("title pr", true),
            ("nickName pr", false),
            (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, false),
            (r#"meta.lastModified ge "2011-05-13T05:42:34+01:00""#, true),
            (r#"meta.lastModified lt "2011-05-13T04:42:34Z""#, false),
            (r#"meta.lastModified le "2011-05-13T04:42:34Z""#, true),
            (r#"title pr and userType eq "Employee""#, true),
            (r#"title pr or userType eq "Intern""#, true),
            (r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#, false),
            (r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#, true),
            (r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#, false),
            (r#"userType eq "Employee" and (emails.type eq "work")"#, true),
            (r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#, true),
            (
                r#"emails[type eq "home" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
                false,
            ),
            ("active eq true", true),
            ("active ne true", false),
            (r#"id eq "7""#, true),
            (r#"urn:IETF:params:scim:schemas:extension:enterprise:2.0:user:manager.value eq "26118915""#, true),
            ("nickName eq null and not (title eq null)", true),
            // `and` binds before `or`.
            (r#"userName eq "x" and title pr or active eq true"#, true),
            (r#"userName eq "x" and (title pr or active eq true)"#, false),
        ] {
            assert_eq!(fits(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq bjensen",
            r#"userName is "x""#,
            r#"(userName eq "x""#,
            r#"emails[type eq "work""#,
            r#"userName eq "x" and"#,
            r#"userName eq "x" title pr"#,
            r#"usrName eq "x""#,
            r#"userName[value eq "x"]"#,
            "active gt true",
            r#"userName eq "x"#,
            "ü pr",
            r#"meta.lastModified gt "yesterday""#,
        ] {
            assert_eq!(fits(text).unwrap_err().scim_type, Some("invalidFilter"), "{text}");
        }
        let deep = format!("{}title pr{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(fits(&deep).unwrap_err().scim_type, Some("invalidFilter"));
    }

    #[test]
    fn the_paths_of_the_rfc_are_understood() {
        let path = |attribute: &str, filter: Option<&str>, sub: Option<&str>| Path {
            attribute: attribute.to_owned(),
            filter: filter.map(|text| read(text).unwrap()),
            sub: sub.map(str::to_owned),
        };
        for (text, expected) in [
            ("members", path("members", None, None)),
            ("name.familyName", path("name.familyName", None, None)),
            (r#"addresses[type eq "work"]"#, path("addresses", Some(r#"type eq "work""#), None)),
            (
                r#"members[value eq "2819c223-7f76-453a-919d-413861904646"].displayName"#,
                path("members", Some(r#"value eq "2819c223-7f76-453a-919d-413861904646""#), Some("displayName")),
            ),
        ] {
            assert_eq!(read_path(text), Ok(expected), "{text}");
        }
        for text in
            ["", "[type eq \"work\"]", "emails[type eq \"work\"", "emails[type]", "a b", "emails[a pr]b", "a[b pr].c d"]
        {
            assert_eq!(read_path(text).unwrap_err().scim_type, Some("invalidPath"), "{text}");
        }
    }
}
