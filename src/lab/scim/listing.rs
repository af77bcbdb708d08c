//! Lists: filtered, sorted, in pages by number or by cursor, and as much of each resource as was asked for (RFC 7644
//! 3.4.2 and 3.9, RFC 9865).

use serde_json::{Map, Value, json};

use super::{
    fault::Fault,
    filter::{self, Scope},
    schema::{Attribute, Form, Kind, Returned, Shape, field},
    world::{Entry, World},
};

pub(super) const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
pub(super) const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What is asked of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) filter: Option<String>,
    pub(super) sort_by: Option<String>,
    pub(super) descending: bool,
    pub(super) start: Option<i64>,
    pub(super) count: Option<i64>,
    pub(super) cursor: Option<String>,
    pub(super) parts: Parts,
}

/// As much of a resource as is asked for; names in lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts {
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Parts {
    /// True where certain attributes are asked for.
    pub(super) fn is_some(&self) -> bool {
        self.only.is_some()
    }
}

impl Wish {
    /// As a query says it.
    pub(super) fn of_query(query: &str) -> Result<Self, Fault> {
        let mut wish = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let number =
                || value.trim().parse().map_err(|_| Fault::bad("invalidValue", format!("{name} is a number.")));
            match name.to_lowercase().as_str() {
                "filter" => wish.filter = Some(value.into_owned()),
                "sortby" => wish.sort_by = Some(value.into_owned()),
                "sortorder" => wish.descending = value.eq_ignore_ascii_case("descending"),
                "startindex" => wish.start = Some(number()?),
                "count" => wish.count = Some(number()?),
                "cursor" => wish.cursor = Some(value.into_owned()),
                "attributes" => wish.parts.only = Some(names(&value)),
                "excludedattributes" => wish.parts.without = names(&value),
                _ => {}
            }
        }
        wish.checked()
    }

    /// As the body of a search says it (RFC 7644 3.4.3).
    pub(super) fn of_body(body: &Value) -> Result<Self, Fault> {
        let syntax = |detail: &str| Fault::bad("invalidSyntax", detail);
        let body = body.as_object().ok_or_else(|| syntax("A search is a JSON object."))?;
        let schemas = field(body, "schemas").and_then(Value::as_array);
        let is_search = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH));
        if !schemas.is_some_and(|schemas| schemas.iter().any(is_search)) {
            return Err(syntax("`schemas` must name the schema of a search."));
        }
        let text = |name: &str| field(body, name).and_then(Value::as_str).map(str::to_owned);
        let list = |name: &str| {
            let list = field(body, name).and_then(Value::as_array)?;
            Some(list.iter().filter_map(Value::as_str).map(str::to_lowercase).collect::<Vec<_>>())
        };
        let wish = Self {
            filter: text("filter"),
            sort_by: text("sortBy"),
            descending: text("sortOrder").is_some_and(|order| order.eq_ignore_ascii_case("descending")),
            start: field(body, "startIndex").and_then(Value::as_i64),
            count: field(body, "count").and_then(Value::as_i64),
            cursor: text("cursor"),
            parts: Parts { only: list("attributes"), without: list("excludedAttributes").unwrap_or_default() },
        };
        wish.checked()
    }

    fn checked(self) -> Result<Self, Fault> {
        if self.parts.only.is_some() && !self.parts.without.is_empty() {
            return Err(Fault::bad("invalidValue", "attributes and excludedAttributes exclude each other."));
        }
        Ok(self)
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// The page that is asked for, of resources of these kinds.
pub(super) fn list(world: &World, kinds: &[Kind], wish: &Wish) -> Result<Value, Fault> {
    let settings = &world.settings;
    let filter = match &wish.filter {
        Some(_) if !settings.filter => return Err(Fault::new(501, "This server has no filters.")),
        Some(text) => {
            let filter = filter::read(text)?;
            if filter.has_or() && !settings.filter_or {
                return Err(Fault::bad("invalidFilter", "This server knows no `or`."));
            }
            Some(filter)
        }
        None => None,
    };
    let mut found: Vec<(Kind, &Entry)> = Vec::new();
    for kind in kinds {
        let shape = world.shape(*kind);
        for entry in world.of(*kind) {
            // A resource is put together only where somebody looks at it: of 100,000 most pages show a hundred.
            let fits = match &filter {
                Some(filter) => {
                    let scope = if kinds.len() > 1 { Scope::Any(shape) } else { Scope::Resource(shape) };
                    world.show(*kind, entry).as_object().map_or(Ok(true), |object| filter.fits(scope, object))?
                }
                None => true,
            };
            if fits {
                found.push((*kind, entry));
            }
        }
    }
    if found.len() > settings.too_many {
        return Err(Fault::bad("tooMany", "More resources fit than the server is willing to list."));
    }
    if let Some(by) = wish.sort_by.as_ref().filter(|_| settings.sort) {
        sort(world, &mut found, by, wish.descending)?;
    }
    let most = i64::try_from(settings.page).unwrap_or(i64::MAX);
    let count = wish.count.unwrap_or(most).clamp(0, most);
    let size = usize::try_from(count).unwrap_or(0);
    let by_cursor = settings.cursor && (wish.cursor.is_some() || (!settings.index && wish.start.is_none()));
    let first = match &wish.cursor {
        Some(text) if by_cursor && !text.is_empty() => place(text, found.len())?,
        _ if by_cursor => 0,
        // A start below 1 is 1 (RFC 7644 3.4.2.4). A server that knows no pages shows the first.
        _ if settings.index => usize::try_from(wish.start.unwrap_or(1).max(1) - 1).unwrap_or(usize::MAX),
        _ => 0,
    };
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX).saturating_add(settings.lie).max(0);
    let rest = found.len().saturating_sub(first);
    let page: Vec<Value> = found
        .into_iter()
        .skip(first)
        .take(size)
        .map(|(kind, entry)| cut(world.shape(kind), world.show(kind, entry), &wish.parts))
        .collect();
    let mut answer = json!({ "schemas": [LIST], "totalResults": total, "itemsPerPage": page.len() });
    if by_cursor {
        if rest > size && size > 0 {
            answer["nextCursor"] = cursor(first + size).into();
        }
    } else {
        answer["startIndex"] = (first + 1).into();
    }
    answer["Resources"] = page.into();
    Ok(answer)
}

/// A place in a list as an opaque text.
fn cursor(place: usize) -> String {
    format!("VZUTiyhEQJ{place:x}")
}

fn place(text: &str, length: usize) -> Result<usize, Fault> {
    let place = text.strip_prefix("VZUTiyhEQJ").and_then(|hex| usize::from_str_radix(hex, 16).ok());
    let place = place.ok_or_else(|| Fault::bad("invalidCursor", "The cursor is none of this server's."))?;
    if place > length { Err(Fault::bad("expiredCursor", "The cursor has expired.")) } else { Ok(place) }
}

fn sort(world: &World, found: &mut [(Kind, &Entry)], by: &str, descending: bool) -> Result<(), Fault> {
    let known = found.iter().any(|(kind, _)| world.shape(*kind).place(by).is_some()) || found.is_empty();
    if !known {
        return Err(Fault::bad("invalidPath", "sortBy names an attribute that is not known."));
    }
    found.sort_by_cached_key(|(kind, entry)| {
        let key = key(world.shape(*kind), &world.show(*kind, entry), by);
        // What has no value comes last in ascending order (RFC 7644 3.4.2.3).
        (key.is_none(), key, entry.number)
    });
    if descending {
        found.reverse();
    }
    Ok(())
}

/// What a resource is sorted by: of a list its first value.
fn key(shape: &Shape, shown: &Value, by: &str) -> Option<String> {
    let place = shape.place(by)?;
    let attribute = place.attribute?;
    let holder = if place.extended { shown.get(shape.kind.extension()?)? } else { shown };
    let held = holder.get(attribute.name)?;
    let held = match held {
        Value::Array(values) => {
            let first = values.iter().find(|value| super::validity::is_primary(value));
            first.or_else(|| values.first())?
        }
        one => one,
    };
    let sub = match attribute.form {
        Form::Complex => place.sub.or_else(|| attribute.sub("value")),
        _ => None,
    };
    let (value, exact) = match sub {
        Some(sub) => (held.get(sub.name)?, sub.case_exact),
        None => (held, attribute.case_exact),
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(if exact { text } else { text.to_lowercase() })
}

/// As much of a resource as was asked for (RFC 7644 3.9).
pub(super) fn cut(shape: &Shape, shown: Value, parts: &Parts) -> Value {
    let Value::Object(shown) = shown else { return shown };
    let mut kept = Map::new();
    for (name, value) in shown {
        if shape.kind.extension() == Some(name.as_str()) {
            let inner = within(&shape.extension, &name, value, parts);
            if !inner.is_empty() {
                kept.insert(name, inner.into());
            }
            continue;
        }
        let Some(attribute) = shape.place(&name).and_then(|place| place.attribute) else { continue };
        if let Some(value) = chosen(attribute, shape.kind.schema(), None, value, parts) {
            kept.insert(name, value);
        }
    }
    kept.into()
}

fn within(list: &[Attribute], urn: &str, value: Value, parts: &Parts) -> Map<String, Value> {
    let Value::Object(inner) = value else { return Map::new() };
    let whole = urn.to_lowercase();
    let all = parts.only.as_ref().is_some_and(|only| only.contains(&whole));
    if parts.without.contains(&whole) {
        return Map::new();
    }
    let pick = |(name, value): (String, Value)| {
        let attribute = list.iter().find(|attribute| attribute.name == name)?;
        let value = if all { Some(value) } else { chosen(attribute, urn, Some(urn), value, parts) };
        Some((name, value.filter(|_| attribute.returned != Returned::Never)?))
    };
    inner.into_iter().filter_map(pick).collect()
}

/// What is shown of one attribute; `None` for nothing. `only_as` names the URN it must be asked for with.
fn chosen(attribute: &Attribute, urn: &str, only_as: Option<&str>, value: Value, parts: &Parts) -> Option<Value> {
    let name = attribute.name.to_lowercase();
    let full = format!("{}:{name}", urn.to_lowercase());
    let spellings = || [Some(&full), Some(&name).filter(|_| only_as.is_none())].into_iter().flatten();
    let named = |list: &[String]| spellings().any(|spelling| list.contains(spelling));
    let subs = |list: &[String]| -> Vec<String> {
        let of = |spelling: &String| format!("{spelling}.");
        let begins =
            |name: &String| spellings().find_map(|spelling| Some(name.strip_prefix(&of(spelling))?.to_owned()));
        list.iter().filter_map(begins).collect()
    };
    match attribute.returned {
        Returned::Never => return None,
        Returned::Always => return Some(value),
        Returned::Default => {}
    }
    if let Some(only) = &parts.only {
        if named(only) {
            return Some(value);
        }
        let subs = subs(only);
        return if subs.is_empty() { None } else { part(value, &|name| subs.contains(&name.to_lowercase())) };
    }
    if named(&parts.without) {
        return None;
    }
    let without = subs(&parts.without);
    let hidden = |name: &str| attribute.sub(name).is_some_and(|sub| sub.returned == Returned::Never);
    part(value, &|name| !without.contains(&name.to_lowercase()) && !hidden(name))
}

fn part(value: Value, keeps: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value {
        Value::Object(parts) => {
            let kept: Map<String, Value> = parts.into_iter().filter(|(name, _)| keeps(name)).collect();
            (!kept.is_empty()).then(|| kept.into())
        }
        Value::Array(values) => {
            let kept: Vec<Value> = values.into_iter().filter_map(|value| part(value, keeps)).collect();
            (!kept.is_empty()).then(|| kept.into())
        }
        one => Some(one),
    }
}
